import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressText, clientText } from '../../src/audit/client.ts';
import { jsonText } from '../../src/audit/json-text.ts';
import { putName, timeText } from '../../src/audit/line.ts';
import { CountingText, lineTextOf, OVERRUN, putLineText, putNumber } from '../../src/audit/line-text.ts';
import { renderDetail } from '../../src/audit/outcome.ts';
import { nameText } from '../../src/wire/index.ts';
import { entriesOf, entryFor, openTest, withDirectory, write } from './fixture.ts';

const ascii = new TextDecoder('utf-8', { fatal: true });

/** A canonical name of 0 to 8 labels with octets of any value. */
const anyName = fc
  .array(fc.uint8Array({ minLength: 1, maxLength: 30 }), { maxLength: 8 })
  .map((labels) => Uint8Array.from([...labels.flatMap((label) => [label.length, ...label]), 0]));

test('addresses in octets read as addresses in words, whatever the server is called', () => {
  const address = fc.uint8Array({ minLength: 4, maxLength: 4 });
  const server = fc.option(fc.oneof(fc.constant('192.0.2.53:53'), fc.string({ maxLength: 600 })), {
    nil: undefined,
  });
  fc.assert(
    fc.property(fc.array(address, { minLength: 1, maxLength: 20 }), server, (all, upstream) => {
      const octets = Buffer.concat(all.map((each) => Buffer.concat([Buffer.alloc(12), each])));
      const fields = upstream === undefined ? {} : { upstream };
      const run = { octets, at: 12, stride: 16, count: all.length };
      const answers = all.map((each) => `A ${each.join('.')}`);
      expect(ascii.decode(renderDetail({ addresses: run, ...fields }))).toBe(
        ascii.decode(renderDetail({ answers, ...fields })),
      );
    }),
  );
});

describe('a name in the log', () => {
  test('is what nameText says of it, whatever its octets', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        const into = new Uint8Array(1600);
        const length = putName(into, 0, name, name.length);
        const text = ascii.decode(into.subarray(0, length));
        expect(JSON.parse(`"${text}"`)).toBe(nameText(name));
        expect(text).toMatch(/^[\x20-\x7e]*$/);
      }),
    );
  });

  test.each([
    ['a newline', [0x61, 0x0a, 0x62]],
    ['a quote that closes the string', [...'","verdict":"allow'].map((character) => character.charCodeAt(0))],
    ['a NUL', [0]],
    ['an escape sequence of a terminal', [0x1b, 0x5b, 0x32, 0x4a]],
    ['U+2028 in UTF-8', [0xe2, 0x80, 0xa8]],
    ['octets that are no UTF-8', [0xff, 0xfe, 0xc0]],
    ['a backslash', [0x5c]],
    ['a dot inside a label', [0x61, 0x2e, 0x62]],
  ])('cannot forge a line with %s', (_, octets) =>
    withDirectory(async (directory) => {
      const log = openTest({ directory, worker: 0 });
      const name = Uint8Array.from([octets.length, ...octets, 3, 0x63, 0x6f, 0x6d, 0]);
      expect(write(log, entryFor(log, name))).toBe(true);
      expect(entriesOf(directory)).toMatchObject([{ seq: 1, qname: nameText(name), verdict: 'allow' }]);
      await log.close();
    }),
  );

  test('of the greatest length and the worst octets fits', () =>
    withDirectory(async (directory) => {
      const log = openTest({ directory, worker: 0 });
      const name = new Uint8Array(255);
      for (let at = 0; at < 254; at += 64) name[at] = Math.min(63, 253 - at);
      expect(write(log, entryFor(log, name), 400)).toBe(true);
      expect(entriesOf(directory)).toHaveLength(400);
      await log.close();
    }));

  test('that is the root is a dot, and one that could not be read is left out', () =>
    withDirectory(async (directory) => {
      const log = openTest({ directory, worker: 0 });
      write(log, entryFor(log, Uint8Array.of(0)));
      const unreadable = entryFor(log);
      unreadable.nameLength = 0;
      unreadable.rcode = -1;
      write(log, unreadable);
      const [root, none] = entriesOf(directory);
      expect(root['qname']).toBe('.');
      expect(none).not.toHaveProperty('qname');
      expect(none['rcode']).toBeNull();
      await log.close();
    }));
});

describe('jsonText', () => {
  test('returns any text, on one line and with nothing a terminal obeys', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const json = jsonText(text);
        return JSON.parse(json) === text && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(json);
      }),
    );
  });
});

describe('a reason from a policy', () => {
  test('cannot forge a line, and is cut when it is long', () =>
    withDirectory(async (directory) => {
      const log = openTest({ directory, worker: 0 });
      const entry = entryFor(log);
      const reason = `a"}\n{"seq":99,"x":"\u2028\u202e${'é'.repeat(600)}`;
      const fields = { group: 'g\u0000', cause: 'denied', rule: null, ede: 15, observed: true };
      entry.outcome = log.renderOutcome({ ...fields, verdict: 'deny', reason });
      entry.detail = log.renderDetail({ answers: Array(40).fill('TXT "a\\"b"'), evidence: ['one', 'two'] });
      write(log, entry);
      const [line] = entriesOf(directory);
      expect(line).toMatchObject({
        seq: 1,
        group: 'g\u0000',
        ede: 15,
        observed: true,
        evidence: ['one', 'two'],
      });
      expect(line['reason']).toBe(`${reason.slice(0, 512)}…`);
      expect(line['answers']).toHaveLength(16);
      await log.close();
    }));
});

/** What `put` has written of a room that was full of other octets. */
function textFrom(put: (room: DataView, at: number) => number): string {
  const room = new Uint8Array(4096).fill(0x2e);
  const end = put(new DataView(room.buffer), 3);
  expect(room.subarray(0, 3)).toEqual(new Uint8Array(3).fill(0x2e));
  expect(room.subarray(end + OVERRUN)).toEqual(new Uint8Array(room.length - end - OVERRUN).fill(0x2e));
  return ascii.decode(room.subarray(3, end));
}

test('putNumber writes every whole number that JavaScript holds exactly', () => {
  const numbers = fc.oneof(fc.maxSafeNat(), fc.nat(100_000), fc.nat(10));
  fc.assert(
    fc.property(numbers, (value) => {
      expect(textFrom((room, at) => putNumber(room, at, value))).toBe(String(value));
    }),
  );
  expect(textFrom((room, at) => putNumber(room, at, -5))).toBe('0');
});

test('a number that counts up is written right, over every carry and from anywhere', () => {
  const text = new CountingText('{"seq":');
  for (const first of [0, 7, 95, 998, 9_999_990, 41, 999_999_999_999_995, 2 ** 53 - 30]) {
    for (let value = first; value < first + 25; value++) {
      expect(textFrom((room, at) => text.put(room, at, value))).toBe(`{"seq":${value}`);
      // Asked again, as after a batch that was taken back.
      if (value % 11 === 0) expect(textFrom((room, at) => text.put(room, at, value))).toBe(`{"seq":${value}`);
    }
  }
});

test('a text of any length and script is put as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (any) => {
      const json = jsonText(any);
      const text = lineTextOf(new TextEncoder().encode(json));
      expect(textFrom((room, at) => putLineText(text, room, at))).toBe(json);
    }),
  );
});

test('the time of an entry is that of the clock, to the millisecond', () =>
  withDirectory(async (directory) => {
    const log = openTest({ directory, worker: 0 });
    const times = [0, 999, 1_000, 951_782_399_999, 951_782_400_000, 1_709_164_800_001, 4_102_444_799_999];
    for (const atMs of times) write(log, { ...entryFor(log), atMs });
    expect(entriesOf(directory).map((line) => line['time'])).toEqual(times.map(timeText));
    await log.close();
  }));

test('an entry with a tail made beforehand has the same line as one without', () =>
  withDirectory(async (directory) => {
    const log = openTest({ directory, worker: 0 });
    const plain = { ...entryFor(log, 'a\\010b.example.com'), qtype: 731, qclass: 3 };
    write(log, plain);
    write(log, { ...plain, tail: log.renderTail(plain) });
    write(log, { ...plain, tail: log.renderTail({ ...plain, detail: null }) });
    const [first, second, third] = entriesOf(directory);
    expect({ ...second, seq: 1 }).toEqual(first);
    expect(first).toMatchObject({ qname: 'a\\010b.example.com', qtype: 'TYPE731', qclass: 'CH' });
    expect(third).not.toHaveProperty('answers');
    await log.close();
  }));

describe('addressText', () => {
  test.each([
    ['192.0.2.7', [192, 0, 2, 7]],
    ['2001:db8::1', [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ['2001:db8:0:1:1:1:1:1', [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]],
    ['2001:0:0:1::1', [0x20, 0x01, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]],
    ['::', new Array(16).fill(0)],
    ['::1', [...new Array(15).fill(0), 1]],
    ['fe80::', [0xfe, 0x80, ...new Array(14).fill(0)]],
  ])('%s (RFC 5952)', (text, octets) => {
    expect(addressText(Uint8Array.from(octets), octets.length)).toBe(text);
  });
});

describe('clientText', () => {
  const ipv4 = Uint8Array.of(192, 0, 2, 77);
  const ipv6 = Uint8Array.from([0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9]);

  test('truncates to /24 and /56', () => {
    expect(clientText(ipv4, 4, { mode: 'truncate' })).toBe('192.0.2.0/24');
    expect(clientText(ipv6, 16, { mode: 'truncate' })).toBe('2001:db8:1::/56');
  });

  test('gives one client one pseudonym under one key', () => {
    const key = new Uint8Array(16).fill(1);
    const other = new Uint8Array(16).fill(2);
    const pseudonym = clientText(ipv4, 4, { mode: 'pseudonymise', key });
    expect(pseudonym).toMatch(/^p:[0-9a-f]{16}$/);
    expect(clientText(ipv4, 4, { mode: 'pseudonymise', key })).toBe(pseudonym);
    expect(clientText(ipv6, 16, { mode: 'pseudonymise', key })).not.toBe(pseudonym);
    expect(clientText(ipv4, 4, { mode: 'pseudonymise', key: other })).not.toBe(pseudonym);
  });
});

test('clients that share a place in the table keep their own address, transport and port', () =>
  withDirectory(async (directory) => {
    const log = openTest({ directory, worker: 0 });
    const entry = entryFor(log);
    const expected: string[] = [];
    for (let i = 0; i < 20_000; i++) {
      entry.client = Uint8Array.of(10, i >> 16, (i >> 8) & 255, i & 255);
      entry.transport = i % 2 === 0 ? 'udp' : 'tcp';
      entry.clientPort = i;
      expected.push(`${entry.transport} 10.0.${i >> 8}.${i & 255} ${i}`);
      log.append(entry);
      if (i % 500 === 499) log.commit((kept) => expect(kept).toBe(true));
    }
    const seen = entriesOf(directory).map((line) => `${line['via']} ${line['client']} ${line['port']}`);
    expect(seen).toEqual(expected);
    await log.close();
  }));
