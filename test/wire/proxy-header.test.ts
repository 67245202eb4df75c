import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { INCOMPLETE, MALFORMED, PROXY_HEADER_MAX, ProxyHeader } from '../../src/wire/index.ts';
import { hex } from './hex.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const IPV4 = hex`${SIGNATURE} 21 12 000c ; PROXY, IPv4, datagrams
                 c6336407 c0000235 14e9 0035`;
const header = new ProxyHeader();
const addressText = (): string => Array.from(header.address.subarray(0, header.addressLength)).join('.');

describe('a PROXY header of version 2', () => {
  test.each([
    { name: 'IPv4', octets: IPV4, address: '198.51.100.7', port: 5353 },
    {
      name: 'IPv4 with two TLVs',
      octets: hex`${SIGNATURE} 21 11 0017 c6336407 c0000235 14e9 0035 04 0003 000000 e0 0002 abcd`,
      address: '198.51.100.7',
      port: 5353,
    },
    {
      name: 'IPv6',
      octets: hex`${SIGNATURE} 21 22 0024 20010db8000000000000000000000007 20010db8000000000000000000000053 14e9 0035`,
      address: '32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.7',
      port: 5353,
    },
    {
      name: 'an IPv4-mapped address, which is the IPv4 address',
      octets: hex`${SIGNATURE} 21 22 0024 00000000000000000000ffffc6336407 00000000000000000000ffffc0000235 14e9 0035`,
      address: '198.51.100.7',
      port: 5353,
    },
    { name: 'LOCAL: nobody but the load balancer', octets: hex`${SIGNATURE} 20 00 0000`, address: '' },
    { name: 'LOCAL with addresses to skip', octets: hex`${SIGNATURE} 20 11 0004 01020304`, address: '' },
  ])('$name', ({ octets, address, port }) => {
    const behind = Buffer.concat([octets, Buffer.from('a query')]);
    expect(header.read(behind, behind.length)).toBe(octets.length);
    expect(addressText()).toBe(address);
    if (port !== undefined) expect(header.port).toBe(port);
    for (let length = 0; length < octets.length; length++)
      expect(header.read(octets, length)).toBe(INCOMPLETE);
  });

  test.each([
    { name: 'a query', octets: hex`1234 0100 0001 0000 0000 0000 00 0001 0001` },
    { name: 'version 1', octets: new TextEncoder().encode('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n') },
    { name: 'version 3', octets: hex`${SIGNATURE} 31 12 000c c6336407 c0000235 14e9 0035` },
    { name: 'an unknown command', octets: hex`${SIGNATURE} 22 12 000c c6336407 c0000235 14e9 0035` },
    { name: 'no family', octets: hex`${SIGNATURE} 21 00 0000` },
    { name: 'the path of a socket', octets: hex`${SIGNATURE} 21 31 000c c6336407 c0000235 14e9 0035` },
    { name: 'addresses cut short', octets: hex`${SIGNATURE} 21 12 0008 c6336407 c0000235` },
    {
      name: 'a TLV that runs over',
      octets: hex`${SIGNATURE} 21 12 0010 c6336407 c0000235 14e9 0035 04 0009 00`,
    },
    { name: 'a length beyond what is taken', octets: hex`${SIGNATURE} 21 12 7fff` },
  ])('$name is none', ({ octets }) => {
    expect(header.read(octets, octets.length)).toBe(MALFORMED);
  });

  test('more TLVs than anybody sends are no header', () => {
    const tlvs = Buffer.alloc(33 * 3, Uint8Array.of(0xe0, 0, 0));
    const octets = Buffer.concat([IPV4, tlvs]);
    octets.writeUInt16BE(12 + tlvs.length, 14);
    expect(header.read(octets, octets.length)).toBe(MALFORMED);
  });

  test('whatever is read, the length stays within what is there and what is allowed', () => {
    const octets = fc
      .tuple(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ maxLength: 80 }))
      .map(([fixed, rest]) => Buffer.concat([IPV4.subarray(0, 12), fixed, rest]));
    fc.assert(
      fc.property(octets, (all) => {
        const length = header.read(all, all.length);
        expect(length).toBeLessThanOrEqual(Math.min(all.length, PROXY_HEADER_MAX));
        if (length > 0) expect([0, 4, 16]).toContain(header.addressLength);
      }),
    );
  });
});
