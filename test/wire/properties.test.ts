/** What holds for every message: no reader throws, reads past the end, or returns a place outside. */
import dns2 from 'dns2';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  Edns,
  expandName,
  isAtOrBelow,
  MALFORMED,
  nameLength,
  nameOctets,
  nameText,
  Question,
  RecordPlace,
  readName,
  sameName,
  skipName,
  u16,
} from '../../src/wire/index.ts';
import { canonicalName, isPosition, nearly, validQuery, validReply, withPoisonBehind } from './near-valid.ts';

const RUNS = { numRuns: 2000 };
const anyMessage = fc.oneof(
  nearly(validReply).map(({ octets }) => octets),
  nearly(validQuery).map(({ octets }) => octets),
  fc.uint8Array({ maxLength: 300 }),
);

/** Walks a message as every room does: question, then records one behind the other. */
function walk(octets: Uint8Array, end: number): unknown[] {
  if (end < 12) return [];
  const seen: unknown[] = [];
  const question = new Question(1);
  let at = question.read(octets, end);
  seen.push(at, at === MALFORMED ? null : nameText(question.name.slice(0, question.length)), question.type);
  const place = new RecordPlace();
  const name = new Uint8Array(256);
  for (let i = 0; i < 40 && at !== MALFORMED && at < end; i++) {
    const from = at;
    at = place.read(octets, from, end);
    seen.push(at, at === MALFORMED ? null : { ...place });
    expect(isPosition(at, end)).toBe(true);
    const length = readName(octets, from, end, name);
    seen.push(length === MALFORMED ? null : name.slice(0, length));
    const expanded = expandName(octets, from, end, name, 0);
    seen.push(expanded === MALFORMED ? null : name.slice(0, expanded));
    expect(length).toBe(expanded);
  }
  return seen;
}

describe('readers', () => {
  test('never throw, stay inside, and never look behind the end', () => {
    fc.assert(
      fc.property(anyMessage, (octets) => {
        const [first, ...others] = withPoisonBehind(octets, walk);
        for (const other of others) expect(other).toEqual(first);
      }),
      RUNS,
    );
  });

  test('of EDNS never throw, stay inside, and never look behind the end', () => {
    const edns = new Edns();
    fc.assert(
      fc.property(nearly(validQuery), ({ octets }) => {
        if (octets.length < 12) return;
        const [first, ...others] = withPoisonBehind(octets, (message, end) => {
          edns.clear();
          const at = skipName(message, 12, end);
          const result =
            at === MALFORMED || at + 4 > end ? MALFORMED : edns.read(message, at + 4, end, u16(message, 10));
          expect(isPosition(result, end)).toBe(true);
          if (edns.cookieLength > 0) expect(edns.cookieAt + edns.cookieLength).toBeLessThanOrEqual(end);
          const { present, version, udpSize, dnssecOk, cookieLength, padding, keepalive } = edns;
          return result === MALFORMED
            ? [MALFORMED]
            : [result, present, version, udpSize, dnssecOk, cookieLength, padding, keepalive];
        });
        for (const other of others) expect(other).toEqual(first);
      }),
      RUNS,
    );
  });

  test('take every valid message', () => {
    fc.assert(
      fc.property(validReply, ({ octets, name, type }) => {
        const question = new Question(1);
        let at = question.read(octets, octets.length);
        expect(question.name.slice(0, question.length)).toEqual(name);
        expect(question.type).toBe(type);
        const place = new RecordPlace();
        for (let i = u16(octets, 6) + u16(octets, 8) + u16(octets, 10); i > 0; i--)
          at = place.read(octets, at, octets.length);
        expect(at).toBe(octets.length);
      }),
      RUNS,
    );
  });

  test('skip and read agree on plain names, and on what is malformed in them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 280 }), (octets) => {
        const name = new Uint8Array(256);
        const skipped = skipName(octets, 0, octets.length);
        const length = readName(octets, 0, octets.length, name);
        if (skipped !== MALFORMED) expect(length).toBe(skipped);
        else expect(length).toBe(MALFORMED);
      }),
      RUNS,
    );
  });
});

describe('names', () => {
  test('come back from their text', () => {
    fc.assert(
      fc.property(canonicalName, (name) => {
        expect(nameOctets(nameText(name))).toEqual(name);
        expect(nameText(name)).toMatch(/^[!-~]+$/);
      }),
      RUNS,
    );
  });

  test('text never throws anything but NameError, and what it gives is canonical', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: fc.constantFrom('a', 'B', '.', '\\', '0', '9', '\u00e4', '\ud800') }),
        ),
        (text) => {
          let octets: Uint8Array;
          try {
            octets = nameOctets(text);
          } catch (error) {
            expect((error as Error).constructor.name).toBe('NameError');
            return;
          }
          expect(nameLength(octets)).toBe(octets.length);
          expect(octets.length).toBeLessThanOrEqual(255);
          expect(readName(octets, 0, octets.length, new Uint8Array(256))).toBe(octets.length);
        },
      ),
      RUNS,
    );
  });

  test('are below each of their suffixes, and hashes of suffixes are those of the suffixes', () => {
    fc.assert(
      fc.property(canonicalName, (name) => {
        const question = new Question(7).set(name, 1);
        for (let label = 0; label <= question.labelCount; label++) {
          const at = label === question.labelCount ? name.length - 1 : question.labelAt[label];
          const suffix = name.slice(at);
          expect(isAtOrBelow(name, suffix)).toBe(true);
          expect(sameName(name, at, suffix, 0)).toBe(true);
          expect(new Question(7).set(suffix, 1).hash).toBe(question.suffixHash[label]);
        }
      }),
      RUNS,
    );
  });

  test('hashes of a hundred thousand names collide about as often as chance has it', () => {
    const question = new Question(0x1234567);
    const seen = new Set<number>();
    const names = 100_000;
    for (let i = 0; i < names; i++) seen.add(question.set(nameOctets(`host-${i}.example.com`), 1).hash);
    // Chance: n² / 2³³, about 1.2.
    expect(names - seen.size).toBeLessThan(60);
  });
});

describe('messages of another encoder (dns2)', () => {
  test('are read as they were meant', () => {
    const host = fc
      .array(fc.stringMatching(/^[a-z0-9]{1,20}$/), { minLength: 1, maxLength: 5 })
      .map((labels) => labels.join('.'));
    fc.assert(
      fc.property(
        host,
        fc.nat(65_535),
        fc.array(fc.tuple(host, fc.ipV4(), fc.nat(86_400)), { maxLength: 5 }),
        (name, id, records) => {
          const packet = new dns2.Packet();
          packet.header.id = id;
          packet.header.qr = 1;
          packet.questions.push({ name, type: 1, class: 1 } as never);
          for (const [owner, address, ttl] of records)
            packet.answers.push({ name: owner, type: 1, class: 1, ttl, address } as never);
          const octets = Uint8Array.from(packet.toBuffer());
          const question = new Question(1);
          let at = question.read(octets, octets.length);
          expect([u16(octets, 0), nameText(question.name), question.type]).toEqual([id, name, 1]);
          const place = new RecordPlace();
          const owner = new Uint8Array(256);
          for (const [expected, address, ttl] of records) {
            at = place.read(octets, at, octets.length);
            readName(octets, place.ownerAt, octets.length, owner);
            expect([
              nameText(owner),
              place.ttlSeconds,
              [...octets.subarray(place.rdataAt, at)].join('.'),
            ]).toEqual([expected, ttl, address]);
          }
          expect(at).toBe(octets.length);
        },
      ),
      { numRuns: 500 },
    );
  });
});
