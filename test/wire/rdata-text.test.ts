import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressTextOf, Rrtype, rdataText } from '../../src/wire/index.ts';
import { hex } from './hex.ts';

describe('rdata in words', () => {
  test.each([
    { type: Rrtype.A, rdata: hex`c0000201`, text: '192.0.2.1' },
    { type: Rrtype.A, rdata: hex`c00002`, text: '\\# 3 c00002' },
    { type: Rrtype.AAAA, rdata: hex`20010db8 00000000 00000000 00000001`, text: '2001:db8::1' },
    { type: Rrtype.CNAME, rdata: hex`01 61 00`, text: 'a' },
    { type: Rrtype.CNAME, rdata: hex`01 61`, text: '\\# 2 0161' },
    { type: Rrtype.MX, rdata: hex`000a 01 61 00`, text: '10 a' },
    { type: Rrtype.MX, rdata: hex`000a`, text: '\\# 2 000a' },
    { type: Rrtype.SRV, rdata: hex`0001 0002 0035 01 61 00`, text: '1 2 53 a' },
    { type: Rrtype.TXT, rdata: hex`02 6869 01 22`, text: '"hi" "\\""' },
    { type: Rrtype.TXT, rdata: hex`03 6869`, text: '\\# 3 036869' },
    { type: Rrtype.TXT, rdata: hex`02 0a1b`, text: '"\\010\\027"' },
    {
      type: Rrtype.SOA,
      rdata: hex`01 61 00 01 62 00 00000001 00000002 00000003 00000004 00000005`,
      text: 'a b 1 2 3 4 5',
    },
    { type: Rrtype.SOA, rdata: hex`01 61 00 01 62 00 00000001`, text: '\\# 10 0161000162' + '0000000001' },
    { type: Rrtype.CAA, rdata: hex`00 05 6973737565 61 22 62`, text: '0 issue "a\\034b"' },
    { type: Rrtype.CAA, rdata: hex`00`, text: '\\# 1 00' },
    { type: 731, rdata: hex`abcd`, text: '\\# 2 abcd' },
    { type: 731, rdata: hex``, text: '\\# 0' },
  ])('type $type: $text', ({ type, rdata, text }) => {
    expect(rdataText(type, rdata)).toBe(text);
  });

  // RFC 5952 section 4: the longest run of zero groups is shortened, the first of equal ones, never a single group.
  test.each([
    { octets: hex`00000000000000000000000000000000`, text: '::' },
    { octets: hex`00000000000000000000000000000001`, text: '::1' },
    { octets: hex`20010db8000000000001000000000001`, text: '2001:db8::1:0:0:1' },
    { octets: hex`20010db8000000010001000100010001`, text: '2001:db8:0:1:1:1:1:1' },
    { octets: hex`00010000000000000000000000000000`, text: '1::' },
  ])('$text', ({ octets, text }) => {
    expect(addressTextOf(octets, 0, 16)).toBe(text);
  });

  test('never throws and never shows a control character, whatever the rdata', () => {
    const types = [...Object.values(Rrtype), 0, 731, 65_535];
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 300 }), (type, rdata) => {
        expect(rdataText(type, rdata)).toMatch(/^[ -~]*$/);
      }),
      { numRuns: 3000 },
    );
  });
});
