import { describe, expect, test } from 'vitest';
import { createFastPath, createSlowView, LIMITS } from '../../src/detect/index.ts';
import { Order } from '../../src/detect/order.ts';
import { nameOctets, Question } from '../../src/wire/index.ts';

const SEED = 31;
const START = Date.parse('2026-01-05T00:00:00Z');
const DAY = 86_400;

/** Numbers that look random and are the same in every run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return ((state >>> 8) * below) >>> 24;
  };
}

/** Level after `count` questions, all at one moment so that nothing drains. */
function levelAfter(count: number, pick: (i: number) => number): number {
  const order = new Order(64, 1024);
  for (let i = 0; i < count; i++) order.note(12345, 678, Math.imul(pick(i) + 1, 0x9e3779b1), 1000);
  return order.level;
}

describe('Order', () => {
  test.each([1, 2, 8, 60])(
    'takes a list of %i that is gone through in one order as saying nothing',
    (names) => {
      expect(levelAfter(20_000, (i) => i % names)).toBeLessThan(names * (Math.log2(names) + 6) + 60);
    },
  );

  test.each([
    { names: 2, count: 4000 },
    { names: 8, count: 4000 },
    { names: 64, count: 4000 },
    { names: 256, count: 8000 },
  ])('counts a random choice among $names at what it says, and little more', ({ names, count }) => {
    const pick = random(names);
    const bits = levelAfter(count, () => pick(names));
    const said = count * Math.log2(names);
    expect(bits).toBeGreaterThan(said * 0.97);
    expect(bits).toBeLessThan(said * 1.2 + 200);
  });

  test('keeps to the memory it began with, whatever is asked', () => {
    const order = new Order(256, 1024);
    const { memory } = order;
    for (let i = 0; i < 100_000; i++) order.note(Math.imul(i, 0x9e3779b1), i, Math.imul(i, 0x85ebca6b), 1000);
    expect(order.memory).toBe(memory);
    expect(Number.isFinite(order.level)).toBe(true);
  });
});

/** One client that asks `names` names by `pick` every `everySeconds`; what is held does not leave. */
function live(names: number, everySeconds: number, days: number, pick: (i: number) => number) {
  const fast = createFastPath({ seed: SEED });
  const slow = createSlowView();
  const question = new Question(SEED);
  const client = Uint8Array.of(192, 0, 2, 1);
  const seen = new Map<string, number>();
  const outcome = { left: 0, held: 0, denied: 0, rules: new Set<string>() };
  for (let i = 0; i * everySeconds < days * DAY; i++) {
    const nowMs = START + i * everySeconds * 1000;
    const name = `h${pick(i) % names}.own.example`;
    question.set(nameOctets(name), 1);
    const before = seen.get(name);
    if (before !== undefined && nowMs - before < 6 * 3_600_000 && fast.holds(question, client, 4, nowMs)) {
      outcome.held++;
      continue;
    }
    if (fast.check(question, client, 4, nowMs, 'default') !== null) {
      outcome.denied++;
      continue;
    }
    outcome.left++;
    seen.set(name, nowMs);
    const verdict = slow.note(fast.charge, fast.zoneText(question));
    if (verdict === null) continue;
    if (verdict.action === 'block') outcome.rules.add(verdict.rule);
    fast.apply(verdict, 'own.example');
  }
  return outcome;
}

describe('a hold', () => {
  test('keeps a code book of eight names within its bound, and denies nothing', () => {
    const pick = random(5);
    const { left, held, denied } = live(8, 10, 4, () => pick(8));
    expect(denied).toBe(0);
    expect(held).toBeGreaterThan(20_000);
    expect((left * 3) / 4).toBeLessThan(LIMITS.order * 1.3);
  });

  test('leaves an application alone that asks its names in turn', () => {
    expect(live(12, 5, 2, (i) => i)).toMatchObject({ held: 0, denied: 0 });
  });

  test('gives way to a block where a code book is too large to be held', () => {
    const pick = random(6);
    const { denied, rules } = live(200, 40, 14, (i) => pick(Math.min(200, 10 + Math.floor(i / 60))));
    expect([...rules]).toEqual(['order']);
    expect(denied).toBeGreaterThan(0);
  });

  test('is no block: other names pass, a block replaces it, and release finds nothing to end', () => {
    const fast = createFastPath({ seed: SEED });
    const question = new Question(SEED);
    const client = Uint8Array.of(192, 0, 2, 1);
    const ask = (name: string, atMs: number): boolean =>
      fast.check(question.set(nameOctets(name), 1), client, 4, atMs, 'default') === null;
    expect(ask('www.own.example', START)).toBe(true);
    const verdict = {
      scope: 'client+domain',
      action: 'hold',
      rule: 'order',
      ...fast.charge,
      scoreBits: 1,
      limitBits: 1,
      firstSeenMs: START,
      decidedAtMs: START,
      untilMs: START + 60_000,
      evidence: [],
    } as const;
    fast.apply(verdict, 'own.example');
    expect(fast.holds(question, client, 4, START + 1000)).toBe(true);
    expect(fast.holds(question, Uint8Array.of(192, 0, 2, 2), 4, START + 1000)).toBe(false);
    expect(fast.holds(question, client, 4, START + 61_000)).toBe(false);
    expect(ask('api.own.example', START + 1000)).toBe(true);
    expect(fast.heldUntilMs(verdict)).toBe(0);
    expect(fast.release(verdict, START + 1000)).toBe(false);
    fast.apply({ ...verdict, action: 'block', untilMs: START + 86_400_000 }, 'own.example');
    fast.apply(verdict, 'own.example');
    expect(ask('api.own.example', START + 2000)).toBe(false);
  });
});
