import { describe, expect, test } from 'vitest';
import { findSecrets } from '../../src/detect/index.ts';

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

  test('does not say the secret', () => {
    const found = findSecrets(wire(`${CARD}.${KEY}.x.example`));
    expect(JSON.stringify(found)).not.toMatch(/4111|AKIA/i);
  });
});
