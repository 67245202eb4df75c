import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HeaderDecoder } from '../../src/listen/http/hpack.ts';

type Fields = [string, string][];

function fieldsOf(decoder: HeaderDecoder, hex: string): Fields | null {
  const block = Buffer.from(hex.replace(/\s/g, ''), 'hex');
  const fields: Fields = [];
  const ok = decoder.decode(block, 0, block.length, { field: (name, value) => fields.push([name, value]) });
  return ok ? fields : null;
}

const GET: Fields = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'www.example.com'],
];

describe('HeaderDecoder', () => {
  // RFC 7541 appendix C.3 and C.4: three requests on one connection, plain and Huffman-coded.
  test.each([
    {
      name: 'plain (C.3)',
      blocks: [
        '828684410f7777772e6578616d706c652e636f6d',
        '828684be58086e6f2d6361636865',
        '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
      ],
    },
    {
      name: 'Huffman-coded (C.4)',
      blocks: [
        '828684418cf1e3c2e5f23a6ba0ab90f4ff',
        '828684be5886a8eb10649cbf',
        '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
      ],
    },
  ])('reads the requests of the RFC, $name', ({ blocks }) => {
    const decoder = new HeaderDecoder();
    expect(fieldsOf(decoder, blocks[0])).toEqual(GET);
    expect(fieldsOf(decoder, blocks[1])).toEqual([...GET, ['cache-control', 'no-cache']]);
    expect(fieldsOf(decoder, blocks[2])).toEqual([
      [':method', 'GET'],
      [':scheme', 'https'],
      [':path', '/index.html'],
      [':authority', 'www.example.com'],
      ['custom-key', 'custom-value'],
    ]);
  });

  test.each([
    { name: 'index 0', block: '80' },
    { name: 'an index behind the table', block: 'be' },
    { name: 'an index that never ends', block: 'ffffffffffff' },
    { name: 'an integer cut short', block: 'ff80' },
    { name: 'a string cut short', block: '410f7777' },
    { name: 'a missing value', block: '41' },
    { name: 'a table larger than allowed', block: '3fe21f' },
    { name: 'a table resized behind a field', block: '8220' },
    { name: 'padding of more than seven bits', block: '4182f1ff' + 'ff' },
    { name: 'padding of zeros', block: '4181f0' },
    { name: 'the code of end of string', block: '4184ffffffff' },
  ])('refuses $name', ({ block }) => {
    expect(fieldsOf(new HeaderDecoder(), block)).toBeNull();
  });

  test('forgets its table when told to', () => {
    const decoder = new HeaderDecoder();
    fieldsOf(decoder, '410161');
    expect(fieldsOf(decoder, 'be')).toEqual([[':authority', 'a']]);
    expect(fieldsOf(decoder, '20')).toEqual([]);
    expect(fieldsOf(decoder, 'be')).toBeNull();
  });

  test('keeps a name that no field may have apart, also when it comes from the table', () => {
    const decoder = new HeaderDecoder();
    expect(fieldsOf(decoder, '40024161 0162')).toEqual([['\0', 'b']]);
    expect(fieldsOf(decoder, 'be')).toEqual([['\0', 'b']]);
    expect(fieldsOf(decoder, '4003612062 0162')).toEqual([['\0', 'b']]);
    expect(fieldsOf(decoder, '410161')).toEqual([[':authority', 'a']]);
  });

  test('never throws and never reads past the end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(20), (octets, extra) => {
        const block = Buffer.concat([octets, Buffer.alloc(extra, 0x82)]);
        const alone = new HeaderDecoder();
        const inside = new HeaderDecoder();
        const fields: Fields[] = [[], []];
        const first = alone.decode(Buffer.from(octets), 0, octets.length, {
          field: (name, value) => fields[0].push([name, value]),
        });
        const second = inside.decode(block, 0, octets.length, {
          field: (name, value) => fields[1].push([name, value]),
        });
        expect(second).toBe(first);
        expect(fields[1]).toEqual(fields[0]);
      }),
    );
  });
});
