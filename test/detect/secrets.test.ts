import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findSecrets, findSecretsInText } from '../../src/detect/index.ts';

/** Wire form with the case kept, which `nameOctets` would lower. */
function wire(text: string): Uint8Array {
  const labels = text.split('.').map((label) => Buffer.from(label, 'latin1'));
  return Uint8Array.from([...labels.flatMap((label) => [label.length, ...label]), 0]);
}

const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');

function base32(text: string): string {
  let bits = '';
  for (const octet of Buffer.from(text, 'latin1')) bits += octet.toString(2).padStart(8, '0');
  return (bits.match(/.{1,5}/g) ?? [])
    .map((five) => 'abcdefghijklmnopqrstuvwxyz234567'[Number.parseInt(five.padEnd(5, '0'), 2)])
    .join('');
}

const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64url');

/** The value in labels of `length`, below a domain. */
const cut = (text: string, length: number): string =>
  `${(text.match(new RegExp(`.{1,${length}}`, 'g')) ?? []).join('.')}.x.example`;

const CARD = ['4111', '1111', '1111', '1111'].join('');
const KEY = `AKIA${'IOSFODNN7EXAMPLE'}`;

describe('findSecrets', () => {
  test.each([
    { name: 'a card number', text: '4012888888881881.x.example', kind: 'card', encoding: 'plain' },
    {
      name: 'a card number with hyphens',
      text: '4012-8888-8888-1881.x.example',
      kind: 'card',
      encoding: 'plain',
    },
    { name: 'an IBAN', text: 'de89370400440532013000.x.example', kind: 'iban', encoding: 'plain' },
    { name: 'an AWS key', text: `${KEY.toLowerCase()}.x.example`, kind: 'api-key', encoding: 'plain' },
    {
      name: 'a GitHub token',
      text: `ghp_${'a1b2c3d4e5f6'.repeat(3)}.x.example`,
      kind: 'api-key',
      encoding: 'plain',
    },
    {
      name: 'a mail address in hex',
      text: `${hex('jane.doe@example.org')}.x.example`,
      kind: 'e-mail',
      encoding: 'hex',
    },
    {
      name: 'an AWS key in Base32',
      text: `${base32(`key=${KEY}`)}.x.example`,
      kind: 'api-key',
      encoding: 'base32',
    },
    {
      name: 'a mail address in Base64',
      text: `${Buffer.from('jane.doe@example.org').toString('base64url')}.x.example`,
      kind: 'e-mail',
      encoding: 'base64',
    },
    {
      name: 'an IBAN cut over two hex labels',
      text: `${hex('iban DE8937040044')}.${hex('0532013000 end')}.x.example`,
      kind: 'iban',
      encoding: 'hex',
    },
    {
      name: 'a JWT over labels',
      text: 'eyjhbgcioijiuzi1nij9.eyjzdwiioiixmjm0nty3odkwin0.sig.x.example',
      kind: 'jwt',
      encoding: 'plain',
    },
  ])('finds $name', ({ text, kind, encoding }) => {
    expect(findSecrets(wire(text))).toContainEqual(expect.objectContaining({ kind, encoding }));
  });

  test.each([
    'www.example.com',
    'd4ef284d35c1882c88a4fb23543e5ee6.clo.footprintdns.com',
    '550e8400-e29b-41d4-a716-446655440000.telemetry.example',
    '4.3.2.1.in-addr.arpa',
    '4012888888881882.x.example',
    'de00370400440532013000.x.example',
    '1234567890123456.x.example',
    'analytics-collector-2894429811.us-east-1.elb.amazonaws.com',
  ])('finds nothing in %s', (text) => {
    expect(findSecrets(wire(text))).toEqual([]);
  });

  test.each([
    { name: 'behind other letters', text: `my${KEY}.x.example` },
    { name: 'in mixed case', text: 'aKiAioSFodNN7exAMPle.x.example' },
    { name: 'cut over three labels', text: 'akiaiosf.odnn7exa.mple.x.example' },
    { name: 'cut after each character', text: `${[...KEY].join('.')}.x.example` },
    { name: 'in hex that is cut at odd places', text: cut(hex(KEY), 7) },
    { name: 'in hex of one octet a label', text: cut(hex(KEY), 2) },
    { name: 'in hex with hyphens', text: `${hex(KEY).replace(/(.{8})(?=.)/g, '$1-')}.x.example` },
    { name: 'in Base32 that is cut', text: cut(base32(`aws ${KEY} end`), 20) },
    { name: 'in Base32 in capitals', text: `${base32(KEY).toUpperCase()}.x.example` },
    { name: 'in Base64 without padding', text: `${base64(`k=${KEY}`)}.x.example` },
    { name: 'in hex of Base64', text: cut(hex(base64(`key ${KEY}`)), 60) },
    { name: 'in Base32 of hex', text: cut(base32(hex(KEY)), 60) },
    { name: 'behind a counter of its own label', text: `0007.${hex(KEY)}.x.example` },
    { name: 'behind two octets that are no text', text: `0001${hex(KEY)}.x.example` },
    { name: 'in the second of two values', text: `${hex('hello world')}.${hex(KEY)}.x.example` },
    { name: 'in hex that runs into its domain', text: `${hex(KEY)}.feed.cafe` },
  ])('finds an AWS key $name', ({ text }) => {
    expect(findSecrets(wire(text)).map(({ kind }) => kind)).toEqual(['api-key']);
  });

  test.each([
    { name: 'a card number cut at dots', text: '4012.8888.8888.1881.x.example', kind: 'card', last: 3 },
    { name: 'a card number behind a counter', text: '17.4012888888881881.x.example', kind: 'card', last: 1 },
    {
      name: 'an American Express number as printed',
      text: '3782-822463-10005.x.example',
      kind: 'card',
      last: 0,
    },
    { name: 'an IBAN in groups', text: 'de89-3704-0044-0532-0130-00.x.example', kind: 'iban', last: 0 },
    { name: 'an IBAN cut at dots', text: 'gb29.nwbk.6016.1331.9268.19.x.example', kind: 'iban', last: 5 },
    { name: 'a mail address', text: 'jane.doe@example.org.x.example', kind: 'e-mail', last: 2 },
    { name: 'a mail address below co.uk', text: 'jane@mail.co.uk.x.example', kind: 'e-mail', last: 2 },
    {
      name: 'a JSON web token with all its parts',
      text: `eyJhbGciOiJIUzI1NiJ9.${'eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4ifQ'}.${'dozjgNryP4J3jVmNHl0w5N0XgL0n3I9PlFUP0THsR8U'}.x.example`,
      kind: 'jwt',
      last: 2,
    },
    {
      name: 'a private key',
      text: `${hex('-----BEGIN RSA PRIVATE')}.x.example`,
      kind: 'private-key',
      last: 0,
    },
    { name: 'a model key', text: `sk-ant-api03-${'Ab3dEf7h'.repeat(5)}.x.example`, kind: 'api-key', last: 0 },
  ])('knows the labels of $name', ({ text, kind, last }) => {
    expect(findSecrets(wire(text))).toMatchObject([{ kind, last }]);
  });

  test('finds several, each once', () => {
    const found = findSecrets(wire(`${CARD}.${KEY}.${CARD}.x.example`));
    expect(found.map(({ kind, first, last }) => [kind, first, last])).toEqual([
      ['card', 0, 0],
      ['api-key', 1, 1],
    ]);
  });

  test.each([
    'asia-southeast1-docker.pkg.dev',
    'asiapacifictravelers.com',
    'slovakia-travel-agency-guide.example.com',
    'sk-bratislava-datacenter-frontend.example.com',
    'sg.production-frontend-cluster.internal-example-company.com',
    'hvstaging-frontend-controller-01.example.com',
    'npm_config.example.com',
    '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.4.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.ip6.arpa',
    '4111111111111111f.x.example',
    'a4111111111111111.x.example',
    '0000000000000000.x.example',
    'googletagmanager.com',
    'eyjafjallajokull.example.com',
    'de01-web-frontend-prod-22.example.com',
    '_25._tcp.mail.example.com',
    '@.example.com',
    'a@b',
  ])('finds nothing in %s', (text) => {
    expect(findSecrets(wire(text))).toEqual([]);
  });

  test('gives the same value however it is written', () => {
    const names = [`${CARD}.x.example`, '4111-1111-1111-1111.x.example', `${hex(CARD)}.x.example`];
    const values = names.map((name) => findSecrets(wire(name))[0].hashed((value) => value));
    expect(values).toEqual([CARD, CARD, CARD]);
  });

  test('reads a name in the middle of a message', () => {
    const message = Buffer.concat([
      Buffer.alloc(12, 0x34),
      wire(`${KEY}.x.example`),
      Buffer.from([0, 1, 0, 1]),
    ]);
    expect(findSecrets(message, 12)).toMatchObject([{ kind: 'api-key', first: 0, last: 0 }]);
  });

  test('does not say the secret', () => {
    const found = findSecrets(wire(`${CARD}.${KEY}.x.example`));
    expect(JSON.stringify(found) + inspect(found, { depth: 9, showHidden: true })).not.toMatch(/4111|AKIA/i);
  });
});

describe('whatever the name', () => {
  /** Names of up to 255 octets, made of pieces that lead the readers astray. */
  const piece = fc.oneof(
    fc.constantFrom(
      'akia',
      'eyj',
      'eyJhbGciOiJ',
      'ghp_',
      'sk-',
      '4111',
      '-----begin',
      'de89',
      '@',
      '.',
      'x@y.z',
      '0041',
    ),
    fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF'), minLength: 1, maxLength: 40 }),
    fc.string({ unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz234567'), minLength: 1, maxLength: 40 }),
    fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 40 }),
    fc.string({ minLength: 1, maxLength: 30 }).map((text) => Buffer.from(text).toString('base64url')),
    fc.string({ minLength: 1, maxLength: 30 }).map((text) => Buffer.from(text).toString('hex')),
  );
  const name = fc
    .tuple(fc.array(piece, { minLength: 1, maxLength: 24 }), fc.integer({ min: 1, max: 63 }))
    .map(([pieces, length]) => {
      const octets: number[] = [];
      const text = Buffer.from(pieces.join(''), 'latin1');
      for (let at = 0; at < text.length && octets.length < 254; at += length) {
        const label = text.subarray(at, Math.min(at + length, text.length, at + 254 - octets.length));
        if (label.length > 0) octets.push(label.length, ...label);
      }
      return Uint8Array.from([...octets, 0]);
    });
  const labelCount = (octets: Uint8Array): number => {
    let count = 0;
    for (let at = 0; octets[at] !== 0; at += octets[at] + 1) count++;
    return count;
  };

  test('nothing is thrown, and what is found lies in it', () => {
    fc.assert(
      fc.property(name, (octets) => {
        const count = labelCount(octets);
        for (const { first, last } of findSecrets(octets)) {
          expect(first).toBeGreaterThanOrEqual(0);
          expect(last).toBeGreaterThanOrEqual(first);
          expect(last).toBeLessThan(count);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('a text of any octets is looked at as far as it goes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (octets) => {
        for (const { first, last } of findSecretsInText(octets)) {
          expect(last).toBeGreaterThanOrEqual(first);
          expect(last).toBeLessThan(octets.length);
        }
      }),
    );
  });
});
