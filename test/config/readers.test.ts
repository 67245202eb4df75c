/** The small readers of text: times, sizes, prefixes, ends, patterns. Their faults stand in policy-faults.test.ts. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressOctets, addressText, readPrefix } from '../../src/config/address.ts';
import { readExpiry } from '../../src/config/expiry.ts';
import { nearestWord } from '../../src/config/fault.ts';
import { readPattern } from '../../src/config/pattern.ts';
import { judgeWildcard, reachOf } from '../../src/config/suffix-guard.ts';
import { readDuration, readSize } from '../../src/config/units.ts';
import { nameText } from '../../src/wire/index.ts';

describe('readDuration', () => {
  test.each([
    ['250ms', 250],
    ['1.8s', 1800],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['7 d', 604_800_000],
    ['5', null],
    ['5M', null],
    ['-5s', null],
    ['1e3s', null],
    ['', null],
    ['5constructor', null],
  ])('%s: %s', (text, milliseconds) => {
    expect(readDuration(text)).toBe(milliseconds);
  });
});

describe('readSize', () => {
  test.each([
    ['0B', 0],
    ['512KiB', 524_288],
    ['64MiB', 67_108_864],
    ['1.5GiB', 1_610_612_736],
    ['1MB', 1_000_000],
    ['64', null],
    ['64mb', null],
  ])('%s: %s', (text, octets) => {
    expect(readSize(text)).toBe(octets);
  });
});

describe('readPrefix', () => {
  test.each([
    { text: '10.0.0.0/8', octets: [10, 0, 0, 0], length: 8 },
    { text: '0.0.0.0/0', octets: [0, 0, 0, 0], length: 0 },
    { text: '192.0.2.1', octets: [192, 0, 2, 1], length: 32 },
    { text: '192.0.2.128/25', octets: [192, 0, 2, 128], length: 25 },
    { text: '::1', octets: [...Array(15).fill(0), 1], length: 128 },
    { text: '2001:db8::/32', octets: [0x20, 1, 0x0d, 0xb8, ...Array(12).fill(0)], length: 32 },
    { text: '::/0', octets: Array(16).fill(0), length: 0 },
  ])('reads $text', ({ text, octets, length }) => {
    expect(readPrefix(text)).toEqual({ address: Uint8Array.from(octets), prefixLength: length });
  });

  test('a text of an address gives its octets back', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ minLength: 4, maxLength: 4 }),
          fc.uint8Array({ minLength: 16, maxLength: 16 }),
        ),
        (octets) => {
          expect(addressOctets(addressText(octets))).toEqual(octets);
        },
      ),
    );
  });

  test('IPv6 with an IPv4 end', () => {
    expect(addressOctets('64:ff9b::192.0.2.33')).toEqual(addressOctets('64:ff9b::c000:221'));
  });

  test('never throws', () => {
    const pieces = fc.constantFrom(
      '1',
      '10.0.0.0',
      '::',
      '/',
      '8',
      '%',
      '-',
      '255.0.0.0',
      'ffff',
      '.',
      ':',
      'any',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
        expect(readPrefix(parts.join(''))).toBeTypeOf('object');
      }),
    );
  });
});

describe('readExpiry', () => {
  test.each([
    { text: '2026-12-31', iso: '2026-12-31T00:00:00.000Z' },
    { text: '2028-02-29', iso: '2028-02-29T00:00:00.000Z' },
    { text: '2026-12-31T18:00:00Z', iso: '2026-12-31T18:00:00.000Z' },
    { text: '2026-12-31 18:00z', iso: '2026-12-31T18:00:00.000Z' },
    { text: '2026-12-31T18:00:00+02:00', iso: '2026-12-31T16:00:00.000Z' },
    { text: '2026-12-31T18:00:00-0530', iso: '2026-12-31T23:30:00.000Z' },
  ])('reads $text', ({ text, iso }) => {
    expect(readExpiry(text)).toEqual({ atMs: Date.parse(iso) });
  });

  test.each([
    '2027-02-29',
    '2026-13-01',
    '2026-1-1',
    '2026-12-31T24:00:00Z',
    '2026-12-31T18:00:00',
    'tomorrow',
    '+1d',
    '',
    '2026-12-31T10:00:00+99:99',
  ])('refuses %s', (text) => {
    expect(readExpiry(text)).toHaveProperty('instead');
  });
});

describe('readPattern', () => {
  test.each([
    { text: 'example.com', kind: 'exact', name: 'example.com' },
    { text: 'EXAMPLE.com.', kind: 'exact', name: 'example.com' },
    { text: '*.example.com', kind: 'below', name: 'example.com' },
    { text: '+.example.com', kind: 'both', name: 'example.com' },
    { text: '_ldap._tcp.example.com', kind: 'exact', name: '_ldap._tcp.example.com' },
    { text: '+.', kind: 'both', name: '.' },
    { text: '*.', kind: 'below', name: '.' },
    { text: '.', kind: 'exact', name: '.' },
    { text: '+.bücher.example', kind: 'both', name: 'xn--bcher-kva.example' },
    { text: 'faß.example', kind: 'exact', name: 'xn--fa-hia.example' },
    { text: '例え。テスト', kind: 'exact', name: 'xn--r8jz45g.xn--zckzah' },
    { text: 'a\\.b.example', kind: 'exact', name: 'a\\.b.example' },
  ])('reads $text', ({ text, kind, name }) => {
    const pattern = readPattern(text);
    if ('what' in pattern) throw new Error(pattern.what);
    expect({ kind: pattern.kind, name: nameText(pattern.name), text: pattern.text }).toEqual({
      kind,
      name,
      text,
    });
  });

  test('never throws, and always says what to write', () => {
    const pieces = fc.constantFrom(
      '*',
      '+',
      '.',
      'example',
      'com',
      'ü',
      '/',
      ':',
      '443',
      '@',
      '\\',
      '%',
      '?',
      '#',
      'http://',
      '[',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(pieces, { minLength: 1, maxLength: 8 }), (parts) => {
        const pattern = readPattern(parts.join(''));
        if ('what' in pattern) expect(pattern.instead).not.toBe('');
        else expect(pattern.name.at(-1)).toBe(0);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('reachOf', () => {
  test.each([
    { text: '*.example.com', reach: 'one-owner' },
    { text: '*.com', reach: 'public' },
    { text: '+.co.uk', reach: 'public' },
    { text: 'co.uk', reach: 'one-owner' },
    { text: '+.', reach: 'public' },
    { text: '*.in-addr.arpa', reach: 'public' },
    { text: '*.10.in-addr.arpa', reach: 'one-owner' },
    { text: '*.internal', reach: 'one-owner' },
    { text: '*.some-new-tld', reach: 'public' },
    { text: '*.s3.amazonaws.com', reach: 'shared' },
    { text: '*.bucket.s3.amazonaws.com', reach: 'one-owner' },
    { text: '*.amazonaws.com', reach: 'shared' },
    { text: '*.github.io', reach: 'shared' },
    { text: '*.cloudfront.net', reach: 'shared' },
    { text: '*.blob.core.windows.net', reach: 'shared' },
    { text: '*.mine.blob.core.windows.net', reach: 'one-owner' },
    { text: '*.storage.googleapis.com', reach: 'shared' },
    { text: '*.bucket.storage.googleapis.com', reach: 'one-owner' },
    { text: '*.azurecr.io', reach: 'shared' },
    { text: '*.oastify.com', reach: 'shared' },
    { text: '*.eu-central-1.amazonaws.com', reach: 'shared' },
    { text: '+.dkr.ecr.eu-central-1.amazonaws.com', reach: 'shared' },
    { text: '+.123456789012.dkr.ecr.eu-central-1.amazonaws.com', reach: 'one-owner' },
    { text: '+.bucket.s3.eu-central-1.amazonaws.com', reach: 'one-owner' },
    { text: 'eu-central-1.amazonaws.com', reach: 'one-owner' },
    { text: '*.oss-cn-hangzhou.aliyuncs.com', reach: 'shared' },
  ])('$text: $reach', ({ text, reach }) => {
    const pattern = readPattern(text);
    if ('what' in pattern) throw new Error(pattern.what);
    expect(reachOf(pattern)).toBe(reach);
  });
});

describe('judgeWildcard', () => {
  test.each([
    ['com', 'error'],
    ['.', 'error'],
    ['github.io', 'warning'],
    ['example.com', undefined],
  ])('of an allow list, %s: %s', (name, severity) => {
    expect(judgeWildcard(name)?.severity).toBe(severity);
  });
});

describe('nearestWord', () => {
  test.each([
    { word: 'alow', words: ['allow', 'deny'], near: 'allow' },
    { word: 'dney', words: ['allow', 'deny'], near: 'deny' },
    { word: 'ttlmax', words: ['ttlMin', 'ttlMax'], near: 'ttlMax' },
    { word: 'zzz', words: ['allow', 'deny'], near: null },
    { word: 'x', words: ['a'], near: null },
    { word: 'y'.repeat(10_000), words: ['allow'], near: null },
  ])('$near', ({ word, words, near }) => {
    expect(nearestWord(word, words)).toBe(near);
  });
});
