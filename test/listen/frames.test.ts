import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readAddress } from '../../src/listen/address.ts';
import { FrameReader, NO_MESSAGE, TOO_SHORT } from '../../src/listen/frames.ts';
import { freshSeconds } from '../../src/listen/http/freshness.ts';
import { readQuery } from '../../src/listen/http/request.ts';
import { framed, query } from './echo.ts';

/** All messages that come out when the chunks go in; ends with TOO_SHORT when the reader says so. */
function readAll(chunks: Uint8Array[]): (string | number)[] {
  const reader = new FrameReader();
  const found: (string | number)[] = [];
  const room = new Uint8Array(65_535);
  for (const chunk of chunks) {
    reader.push(chunk, chunk.length);
    for (;;) {
      const length = reader.next();
      if (length === NO_MESSAGE) break;
      if (length === TOO_SHORT) return [...found, TOO_SHORT];
      reader.read(room, length);
      found.push(Buffer.from(room.subarray(0, length)).toString('hex'));
    }
  }
  return found;
}

describe('FrameReader', () => {
  const messages = fc.array(fc.uint8Array({ minLength: 12, maxLength: 700 }), { maxLength: 8 });

  test('finds the same messages however the stream is cut', () => {
    fc.assert(
      fc.property(messages, fc.array(fc.nat(2000), { maxLength: 20 }), (sent, cuts) => {
        const octets = framed(...sent);
        const at = [
          0,
          ...cuts.map((cut) => Math.min(cut, octets.length)).sort((a, b) => a - b),
          octets.length,
        ];
        const chunks = at.slice(1).map((end, i) => octets.subarray(at[i], end));
        expect(readAll(chunks)).toEqual(sent.map((one) => Buffer.from(one).toString('hex')));
      }),
    );
  });

  test.each([0, 1, 11])('says that a length of %i is too short, also when it is cut', (length) => {
    const octets = Buffer.concat([framed(query(1)), Buffer.from([0, length])]);
    const expected = [query(1).toString('hex'), TOO_SHORT];
    expect(readAll([octets])).toEqual(expected);
    expect(readAll([octets.subarray(0, octets.length - 1), octets.subarray(octets.length - 1)])).toEqual(
      expected,
    );
  });

  test.each([
    { name: 'nothing', octets: [], begun: false },
    { name: 'half a length', octets: [0], begun: true },
    { name: 'a length', octets: [0, 12], begun: true },
    { name: 'a message without its end', octets: [0, 12, 1, 2, 3], begun: true },
    { name: 'a whole message', octets: [...framed(query(1))], begun: false },
    { name: 'a whole message and half a length', octets: [...framed(query(1)), 0], begun: true },
  ])('knows after $name whether a message has begun', ({ octets, begun }) => {
    const reader = new FrameReader();
    reader.push(Uint8Array.from(octets), octets.length);
    for (let length = reader.next(); length !== NO_MESSAGE; length = reader.next()) {
      reader.read(new Uint8Array(length), length);
    }
    expect(reader.begun).toBe(begun);
  });
});

describe('FrameReader that stopped short', () => {
  const octets = framed(query(1), query(2), query(3));
  const rest = (reader: FrameReader): number[] => {
    const ids: number[] = [];
    const room = new Uint8Array(100);
    for (let length = reader.next(); length !== NO_MESSAGE; length = reader.next()) {
      reader.read(room, length);
      ids.push((room[0] << 8) | room[1]);
    }
    return ids;
  };

  test('keeps the rest when its octets are used for something else', () => {
    const reader = new FrameReader();
    const room = Buffer.alloc(1000);
    octets.copy(room);
    reader.push(room, octets.length);
    reader.read(new Uint8Array(100), reader.next());
    reader.keep();
    room.fill(0xff);
    expect(rest(reader)).toEqual([2, 3]);
  });

  test('joins the rest and what comes after it', () => {
    const reader = new FrameReader();
    reader.push(octets, octets.length);
    reader.read(new Uint8Array(100), reader.next());
    reader.push(framed(query(4)), framed(query(4)).length);
    expect(rest(reader)).toEqual([2, 3, 4]);
  });
});

describe('readAddress', () => {
  test.each([
    ['192.0.2.1', 'c0000201'],
    ['::ffff:192.0.2.1', 'c0000201'],
    ['::FFFF:c000:201', 'c0000201'],
    ['::', '0'.repeat(32)],
    ['::1', `${'0'.repeat(31)}1`],
    ['2001:db8::7', '20010db8000000000000000000000007'],
    ['2001:db8:1:2:3:4:5:6', '20010db8000100020003000400050006'],
    ['fe80::1%eth0', 'fe800000000000000000000000000001'],
    ['64:ff9b::192.0.2.1', '0064ff9b0000000000000000c0000201'],
    ['', null],
    ['192.0.2', null],
    ['192.0.2.256', null],
    ['192.0.2.01', null],
    ['192.0.2.1.', null],
    ['1::2::3', null],
    ['2001:db8:1:2:3:4:5', null],
    ['2001:db8:1:2:3:4:5:6:7', null],
    ['12345::', null],
    ['::192.0.2', null],
    ['localhost', null],
  ])('reads %j', (text, octets) => {
    const read = readAddress(text);
    expect(read === null ? null : Buffer.from(read.octets.subarray(0, read.length)).toString('hex')).toBe(
      octets,
    );
  });
});

describe('freshSeconds (RFC 8484 section 5.1)', () => {
  const question = '076578616d706c6503636f6d0000010001';
  const a = (ttl: string): string => `c00c00010001${ttl}0004c0000201`;
  const soa = (ttl: string, minimum: string): string =>
    `c00c00060001${ttl}00160000${'00000001'.repeat(4)}${minimum}`;
  const response = (rcode: number, answers: number, authorities: number, records: string): Buffer =>
    Buffer.from(`0000818${rcode}0001000${answers}000${authorities}0000${question}${records}`, 'hex');

  test.each([
    { name: 'the smallest TTL', octets: response(0, 2, 0, a('0000012c') + a('0000003c')), fresh: 60 },
    { name: 'a TTL with the top bit set as 0', octets: response(0, 1, 0, a('80000001')), fresh: 0 },
    { name: 'MINIMUM of the SOA', octets: response(3, 0, 1, soa('00000e10', '0000003c')), fresh: 60 },
    { name: 'TTL of the SOA', octets: response(0, 0, 1, soa('0000001e', '0000003c')), fresh: 30 },
    { name: '0 for SERVFAIL', octets: response(2, 1, 0, a('0000012c')), fresh: 0 },
    { name: '0 for REFUSED', octets: response(5, 0, 0, ''), fresh: 0 },
    { name: '0 without records', octets: response(0, 0, 0, ''), fresh: 0 },
    { name: '0 for NODATA without SOA', octets: response(0, 0, 1, a('0000012c')), fresh: 0 },
    { name: '0 for a record cut short', octets: response(0, 1, 0, a('0000012c').slice(0, -2)), fresh: 0 },
    { name: '0 for a record that is missing', octets: response(0, 2, 0, a('0000012c')), fresh: 0 },
  ])('is $name', ({ octets, fresh }) => {
    expect(freshSeconds(octets, octets.length)).toBe(fresh);
  });

  test('never throws and never reads past the end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(120), (octets, flips) => {
        const message = Buffer.concat([response(0, 2, 0, a('0000012c')), octets]);
        message[flips % message.length] ^= 0xff;
        const alone = Uint8Array.from(message.subarray(0, message.length - octets.length));
        expect(freshSeconds(message, alone.length)).toBe(freshSeconds(alone, alone.length));
      }),
    );
  });
});

describe('readQuery', () => {
  test('gives back what was encoded, or a fault, and never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 12, maxLength: 200 }), (octets) => {
        expect(readQuery(`/dns-query?dns=${Buffer.from(octets).toString('base64url')}`, '/dns-query')).toBe(
          octets.length,
        );
      }),
    );
    fc.assert(
      fc.property(fc.string(), (some) => {
        const read = readQuery(`/dns-query?dns=${some}`, '/dns-query');
        if (typeof read === 'object') expect(read.status).toBe(400);
      }),
    );
  });
});
