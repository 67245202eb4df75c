import { describe, expect, test } from 'vitest';
import { addressOctets, addressText } from '../../src/net/index.ts';

describe('addressOctets and addressText', () => {
  test.each([
    { text: '0.0.0.0', octets: [0, 0, 0, 0] },
    { text: '192.0.2.255', octets: [192, 0, 2, 255] },
    { text: '::', octets: new Array(16).fill(0) },
    { text: '::1', octets: [...new Array(15).fill(0), 1] },
    { text: '2001:db8::1:0:0:1', octets: [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1] },
    { text: '2001:db8:0:1:1:1:1:1', octets: [0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1] },
    { text: '2001:db8::', octets: [0x20, 1, 0xd, 0xb8, ...new Array(12).fill(0)] },
  ])('carry $text both ways', ({ text, octets }) => {
    expect([...(addressOctets(text) ?? [])]).toEqual(octets);
    expect(addressText(Uint8Array.from(octets), octets.length)).toBe(text);
  });

  test.each([
    { written: '2001:DB8:0:0:0:0:0:1', text: '2001:db8::1' },
    { written: '64:ff9b::192.0.2.33', text: '64:ff9b::c000:221' },
    { written: '::ffff:192.0.2.1', text: '192.0.2.1' },
    { written: '::ffff:c000:201', text: '192.0.2.1' },
  ])('read $written as $text', ({ written, text }) => {
    const octets = addressOctets(written);
    expect(octets && addressText(octets, octets.length)).toBe(text);
  });

  test.each([
    '',
    'localhost',
    '192.0.2',
    '192.0.2.256',
    '192.0.2.01',
    'fe80::1%eth0',
    ':::',
    '1::2::3',
    '[::1]',
    '::1 ',
  ])('refuse %j', (text) => {
    expect(addressOctets(text)).toBeNull();
  });
});
