import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Answer } from '../../src/answer/index.ts';
import { Cell, ResponseCache, variantOf, writeStale } from '../../src/cache/index.ts';
import { nameOctets, Question, u32 } from '../../src/wire/index.ts';
import { a, NAME, readReply } from '../answer/reply.ts';

const SEED = 3;
const question = (name: string, type = 1): Question => new Question(SEED).set(nameOctets(name), type);
const answer = (octets = 16): Answer => ({
  rcode: 0,
  answerCount: 1,
  authorityCount: 0,
  body: new Uint8Array(octets),
  ttlAt: Uint16Array.of(),
  ttlSeconds: 60,
  targets: [],
  aliasCount: 0,
  complete: true,
  negative: false,
  authenticated: false,
  extendedErrors: new Uint8Array(0),
});
const cell = (asked: Question, variant = 0, kept = answer(), ttlSeconds = 60, storedAtMs = 1000): Cell =>
  new Cell(asked.name.slice(0, asked.length), asked.type, variant, kept, {
    pool: 'default',
    server: 'server',
    storedAtMs,
    ttlSeconds,
    judgedBy: 1,
  });

describe('the cache', () => {
  test('finds what was stored for this name, type and variant, and nothing else', () => {
    const cache = new ResponseCache(1 << 20);
    const asked = question(NAME);
    const stored = cell(asked, 2);
    cache.store(asked, stored);
    expect(cache.find(asked, 2)).toBe(stored);
    expect(cache.find(question(NAME.toUpperCase()), 2)).toBe(stored);
    for (const [name, type, variant] of [
      [NAME, 28, 2],
      [NAME, 1, 0],
      [NAME, 1, 3],
      ['example.com', 1, 2],
      [`a.${NAME}`, 1, 2],
      ['www\\.example.com', 1, 2],
    ] as const) {
      expect(cache.find(question(name, type), variant)).toBeUndefined();
    }
  });

  test('keeps variants apart: view, DO and CD', () => {
    const variants = new Set<number>();
    for (let view = 0; view < 50; view++)
      for (const dnssecOk of [false, true])
        for (const cd of [false, true]) variants.add(variantOf(view, dnssecOk, cd));
    expect(variants.size).toBe(200);
  });

  test('two names with one hash do not answer for each other; the collision is counted', () => {
    const cache = new ResponseCache(1 << 20);
    const one = question('one.test');
    const two = question('two.test');
    // The hash is forced: finding a real collision of a seeded hash takes longer than a test may.
    two.suffixHash[0] = one.suffixHash[0];
    cache.store(one, cell(one));
    expect(cache.find(two, 0)).toBeUndefined();
    expect(cache.counters.collisions).toBe(1);
    cache.store(two, cell(two));
    expect(cache.find(two, 0)?.name).toEqual(two.name.slice(0, two.length));
    expect(cache.find(one, 0)).toBeUndefined();
    expect(cache.size).toBe(1);
  });

  test('is bounded by octets; the least recently used goes first', () => {
    const cache = new ResponseCache(20_000);
    const names = Array.from({ length: 100 }, (_, i) => question(`host-${i}.test`));
    for (const asked of names) {
      cache.store(asked, cell(asked));
      cache.find(names[0], 0);
      expect(cache.memory).toBeLessThanOrEqual(20_000);
    }
    expect(cache.find(names[0], 0)).toBeDefined();
    expect(cache.find(names[1], 0)).toBeUndefined();
    expect(cache.find(names[99], 0)).toBeDefined();
    expect(cache.counters.evictions).toBe(100 - cache.size);
  });

  test('takes nothing larger than an eighth of itself, and drops what it had there', () => {
    const cache = new ResponseCache(80_000);
    const asked = question(NAME);
    cache.store(asked, cell(asked));
    expect(cache.find(asked, 0)).toBeDefined();
    cache.store(asked, cell(asked, 0, answer(9000)));
    expect(cache.find(asked, 0)).toBeUndefined();
    expect(cache.memory).toBe(0);
  });

  test('lets go of failures that are over, and of nothing else', () => {
    const cache = new ResponseCache(1 << 22);
    const failed = (name: string, storedAtMs: number, ttlSeconds = 1): Question => {
      const asked = question(name);
      const failure = cell(asked, 0, answer(0), ttlSeconds, storedAtMs);
      failure.failure = 'timeout';
      cache.store(asked, failure);
      return asked;
    };
    const answered = failed('answered.example', 1000);
    const again = failed('again.example', 1000);
    failed('first.example', 1000);
    failed('second.example', 1000);
    cache.store(answered, cell(answered));
    failed('again.example', 1500);
    expect(cache.size).toBe(4);
    // At 2000 the four of 1000 are over; what was stored in two of their places since is not.
    const last = failed('last.example', 2000);
    expect(cache.find(question('first.example'), 0)).toBeUndefined();
    expect(cache.find(question('second.example'), 0)).toBeUndefined();
    expect(cache.find(answered, 0)?.failure).toBeNull();
    expect(cache.find(again, 0)?.storedAtMs).toBe(1500);
    expect(cache.find(last, 0)?.failure).toBe('timeout');
    expect(cache.counters.evictions).toBe(0);
  });

  test('holds no more of a flood of failures than are not over, whatever it may hold', () => {
    const cache = new ResponseCache(1 << 26);
    for (let i = 0; i < 40_000; i++) {
      const asked = question(`f${i}.example`);
      // 4000 a second, each remembered for a second.
      const failure = cell(asked, 0, answer(0), 1, 1000 + i / 4);
      failure.failure = 'timeout';
      cache.store(asked, failure);
    }
    expect(cache.size).toBeGreaterThanOrEqual(4000);
    expect(cache.size).toBeLessThanOrEqual(4001);
  });

  test('leaves to its bound the failures that come faster than they can be noted', () => {
    const cache = new ResponseCache(1 << 26);
    for (const [count, storedAtMs] of [
      [30_000, 1000],
      [5000, 3000],
    ] as const) {
      for (let i = 0; i < count; i++) {
        const asked = question(`f${storedAtMs}-${i}.example`);
        const failure = cell(asked, 0, answer(0), 1, storedAtMs);
        failure.failure = 'timeout';
        cache.store(asked, failure);
      }
    }
    // 16,384 of the first were noted when they ended, and are gone.
    expect(cache.size).toBe(30_000 - 16_384 + 5000);
  });

  test('of no memory keeps nothing', () => {
    const cache = new ResponseCache(0);
    cache.store(question(NAME), cell(question(NAME)));
    expect(cache.find(question(NAME), 0)).toBeUndefined();
    expect([cache.size, cache.memory]).toEqual([0, 0]);
  });

  test('forgets one, and all', () => {
    const cache = new ResponseCache(1 << 20);
    for (const name of ['a.test', 'b.test']) cache.store(question(name), cell(question(name)));
    cache.forget(question('a.test'), 0);
    expect([cache.find(question('a.test'), 0), cache.size]).toEqual([undefined, 1]);
    cache.clear();
    expect(cache.size).toBe(0);
  });

  test('counts what a cell costs, targets and errors included', () => {
    const asked = question(NAME);
    const plain = cell(asked).memory;
    const withTarget = cell(asked, 0, { ...answer(), targets: [nameOctets('a.test')] }).memory;
    expect(withTarget).toBeGreaterThan(plain + 100);
    expect(cell(asked, 0, { ...answer(), extendedErrors: new Uint8Array(50) }).memory).toBe(plain + 50);
    expect(cell(asked, 0, answer(116)).memory).toBeGreaterThanOrEqual(plain + 100);
  });

  test('answers as a map with the same bound would, whatever is done to it', () => {
    const step = fc.record({
      name: fc.nat(30),
      type: fc.constantFrom(1, 28),
      variant: fc.nat(2),
      kind: fc.constantFrom('store', 'find', 'forget'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const cache = new ResponseCache(1 << 24);
        const model = new Map<string, Cell>();
        for (const { name, type, variant, kind } of steps) {
          const asked = question(`n${name}.test`, type);
          const key = `${name} ${type} ${variant}`;
          if (kind === 'store') {
            const made = cell(asked, variant);
            cache.store(asked, made);
            model.set(key, made);
          } else if (kind === 'forget') {
            cache.forget(asked, variant);
            model.delete(key);
          } else expect(cache.find(asked, variant)).toBe(model.get(key));
        }
        expect(cache.size).toBe(model.size);
      }),
    );
  });
});

describe('an aged answer', () => {
  const kept = readReply({ answer: [a('192.0.2.1', { ttl: 300 }), a('192.0.2.2', { ttl: 300 })] }) as Answer;
  const ttlsOf = (write: (octets: Uint8Array) => number): number[] => {
    const octets = new Uint8Array(400).fill(0xee);
    expect(write(octets)).toBe(40 + kept.body.length);
    expect([octets[39], octets[40 + kept.body.length]]).toEqual([0xee, 0xee]);
    return [...kept.ttlAt].map((at) => u32(octets, 40 + at));
  };

  test.each([
    { age: 0, ttls: [300, 300] },
    { age: 1, ttls: [299, 299] },
    { age: 299, ttls: [1, 1] },
    { age: 300, ttls: [0, 0] },
    { age: 100_000, ttls: [0, 0] },
  ])('of $age s has TTLs of $ttls', ({ age, ttls }) => {
    const before = kept.body.slice();
    expect(ttlsOf((octets) => cell(question(NAME), 0, kept, 300).writeAged(octets, 40, age))).toEqual(ttls);
    // What is stored does not change: an answer from cache never renews its life.
    expect(kept.body).toEqual(before);
  });

  test('that is stale has the TTL it is given (RFC 8767 section 4)', () => {
    expect(ttlsOf((octets) => writeStale(kept, octets, 40, 30))).toEqual([30, 30]);
  });

  test('ends when its time is over, by the clock it was stored at', () => {
    expect(cell(question(NAME), 0, answer(), 60).endsAtMs).toBe(61_000);
    expect(cell(question(NAME), 0, answer(), 0).endsAtMs).toBe(1000);
  });
});
