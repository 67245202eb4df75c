/** `rdataOctets` undoes `rdataText`, and makes nothing of what it does not know. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nameOctets, Rrtype, rdataOctets, rdataText } from '../../src/wire/index.ts';

const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const label = fc.uint8Array({ minLength: 1, maxLength: 20 });
const name = fc
  .array(label, { maxLength: 6 })
  .map((labels) =>
    Buffer.concat([...labels.flatMap((one) => [Buffer.of(one.length), lower(one)]), Buffer.of(0)]),
  );
/** Canonical names are lower case. */
const lower = (text: Uint8Array): Buffer =>
  Buffer.from(text.map((octet) => (octet >= 65 && octet <= 90 ? octet + 32 : octet)));
const string = fc.uint8Array({ maxLength: 255 }).map((text) => Buffer.concat([Buffer.of(text.length), text]));
const tag = fc
  .stringMatching(/^[a-z0-9]{1,15}$/)
  .map((text) => Buffer.concat([Buffer.of(text.length), Buffer.from(text)]));
const all = (...parts: fc.Arbitrary<Uint8Array>[]) => fc.tuple(...parts).map((found) => Buffer.concat(found));

describe('what rdataText says is understood', () => {
  test.each([
    ['A', Rrtype.A, octets(4)],
    ['AAAA', Rrtype.AAAA, octets(16)],
    ['CNAME', Rrtype.CNAME, name],
    ['DNAME', Rrtype.DNAME, name],
    ['PTR', Rrtype.PTR, name],
    ['MX', Rrtype.MX, all(octets(2), name)],
    ['SRV', Rrtype.SRV, all(octets(6), name)],
    ['SOA', Rrtype.SOA, all(name, name, octets(20))],
    [
      'TXT',
      Rrtype.TXT,
      fc.array(string, { minLength: 1, maxLength: 4 }).map((parts) => Buffer.concat(parts)),
    ],
    ['HINFO', Rrtype.HINFO, all(string, string)],
    ['CAA', Rrtype.CAA, all(octets(1), tag, fc.uint8Array({ maxLength: 100 }))],
    ['HTTPS', Rrtype.HTTPS, fc.uint8Array({ maxLength: 300 })],
  ] as const)('%s', (_, type, rdata) => {
    fc.assert(
      fc.property(rdata, (wanted) => {
        const text = rdataText(type, wanted);
        expect(Buffer.from(rdataOctets(type, text) ?? [])).toEqual(Buffer.from(wanted));
      }),
    );
  });
});

describe('nothing is guessed', () => {
  test.each([
    ['a cut text', Rrtype.TXT, '"abc…'],
    ['a cut hex', Rrtype.HTTPS, '\\# 20 0001…'],
    ['an address of the other kind', Rrtype.A, '2001:db8::1'],
    ['a missing number', Rrtype.MX, 'mail.example'],
    ['a number too large', Rrtype.MX, '65536 mail.example'],
    ['a name with an empty label', Rrtype.CNAME, 'a..b'],
    ['a type without a text', Rrtype.DS, '1 2 3'],
    ['nothing', Rrtype.TXT, ''],
  ])('%s', (_, type, text) => expect(rdataOctets(type, text)).toBeNull());

  test('whatever the text, nothing is thrown', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(Rrtype)), fc.string(), (type, text) => {
        expect(() => rdataOctets(type, text)).not.toThrow();
      }),
    );
  });

  test('a name of the audit is the name that was asked', () => {
    expect(rdataOctets(Rrtype.CNAME, 'www.example.net')).toEqual(nameOctets('www.example.net'));
  });
});
