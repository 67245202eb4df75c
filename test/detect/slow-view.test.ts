import { describe, expect, test } from 'vitest';
import { createFastPath, createSlowView, type SlowView, type Verdict } from '../../src/detect/index.ts';
import { nameOctets, Question } from '../../src/wire/index.ts';

const SEED = 99;
const START = Date.parse('2026-01-05T00:00:00Z');
const MINUTE = 60_000;
const DAY = 86_400_000;
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

let state = 1;
function noise(length: number): string {
  let text = '';
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    text += BASE32[(state >>> 12) & 31];
  }
  return text;
}

interface Sent {
  readonly atMs: number;
  readonly host: number;
  readonly name: string;
}

/** Sends the queries and returns how many left before the first denial, and the verdicts. */
function send(
  queries: readonly Sent[],
  slow: SlowView = createSlowView(),
): { left: number; denied: number; verdicts: Verdict[] } {
  const fast = createFastPath({ seed: SEED });
  const question = new Question(SEED);
  const verdicts: Verdict[] = [];
  let left = 0;
  let denied = 0;
  for (const { atMs, host, name } of queries) {
    question.set(nameOctets(name), 1);
    if (fast.check(question, Uint8Array.of(10, 0, host >> 8, host & 255), 4, atMs, 'default') !== null) {
      denied++;
      continue;
    }
    if (denied === 0) left++;
    const verdict = slow.note(fast.charge, fast.zoneText(question));
    if (verdict === null) continue;
    verdicts.push(verdict);
    fast.apply(verdict, fast.zoneText(question));
  }
  return { left, denied, verdicts };
}

describe('the slow view', () => {
  test.each([
    { name: '10 octets every half hour', every: 30 * MINUTE, length: 16, scope: 'client+domain', days: 3 },
    { name: '5 octets every ten minutes', every: 10 * MINUTE, length: 8, scope: 'client+domain', days: 2 },
    { name: '16 octets every four hours', every: 240 * MINUTE, length: 26, scope: 'domain', days: 25 },
  ])('finds a drip of $name', ({ every, length, days }) => {
    const queries: Sent[] = [];
    for (let at = 0; at < days * DAY; at += every)
      queries.push({ atMs: START + at, host: 1, name: `${noise(length)}.drip.example` });
    const { denied, verdicts } = send(queries);
    expect(verdicts.length).toBeGreaterThan(0);
    expect(denied).toBeGreaterThan(0);
    expect(verdicts[0].evidence.join(' ')).toMatch(/drip\.example/);
  });

  test.each([
    { isReleased: true, verdictsAfter: 0 },
    { isReleased: false, verdictsAfter: 10 },
  ])('begins anew when a block was released: $isReleased', ({ isReleased, verdictsAfter }) => {
    const slow = createSlowView();
    const spread = (fromMs: number, count: number): Sent[] =>
      Array.from({ length: count }, (_, i) => ({
        atMs: fromMs + i * MINUTE,
        host: 1,
        name: `${noise(12)}.part-${i % 20}.example`,
      }));
    const [verdict] = send(spread(START, 400), slow).verdicts;
    expect(verdict.scope).toBe('client');
    if (isReleased) slow.release(verdict);
    // Each in a fast path that knows of no block, as after the release.
    const after = spread(verdict.decidedAtMs + MINUTE, 10).flatMap((one) => send([one], slow).verdicts);
    expect(after).toHaveLength(verdictsAfter);
  });

  test('finds one transfer that many clients share', () => {
    const queries = Array.from({ length: 1200 }, (_, i) => ({
      atMs: START + i * MINUTE,
      host: i % 50,
      name: `${noise(16)}.many.example`,
    }));
    const { left, verdicts } = send(queries);
    expect(verdicts[0].scope).toBe('domain');
    expect(left).toBeLessThan(320);
  });

  test('finds one transfer that is spread over twenty zones, and leaves other clients alone', () => {
    const queries: Sent[] = [];
    for (let i = 0; i < 400; i++) {
      queries.push({ atMs: START + i * MINUTE, host: 1, name: `${noise(16)}.zone${i % 20}.example` });
      queries.push({ atMs: START + i * MINUTE + 1, host: 2, name: `www.shop${i}.example` });
    }
    const { verdicts, denied } = send(queries);
    expect(verdicts[0].scope).toBe('client');
    expect(verdicts.every((verdict) => verdict.clientA === verdicts[0].clientA)).toBe(true);
    expect(denied).toBeGreaterThan(250);
    expect(denied).toBeLessThan(400);
  });

  test('does not forget over a restart', () => {
    const day = (from: number): Sent[] =>
      Array.from({ length: 18 }, (_, i) => ({
        atMs: START + from * DAY + i * 30 * MINUTE,
        host: 1,
        name: `${noise(26)}.drip.example`,
      }));
    const first = createSlowView();
    expect(send(day(0), first).verdicts).toHaveLength(0);
    const again = createSlowView({ state: structuredClone(first.save()) });
    expect(send(day(0), again).verdicts.length).toBeGreaterThan(0);
  });

  test('gives back what a second client asks too', () => {
    // 40 clients ask the same 150 files of one zone: no secret of any of them.
    const names = Array.from({ length: 150 }, () => `${noise(26)}.files.example`);
    const queries: Sent[] = [];
    for (let i = 0; i < 6000; i++)
      queries.push({
        atMs: START + i * MINUTE,
        host: (i * 7) % 40,
        name: names[(i * 31) % Math.min(150, 10 + (i >> 4))],
      });
    expect(send(queries).verdicts).toHaveLength(0);
  });

  test('alerts without blocking where it is told so', () => {
    const queries: Sent[] = [];
    for (let at = 0; at < 2 * DAY; at += 10 * MINUTE)
      queries.push({ atMs: START + at, host: 1, name: `${noise(8)}.drip.example` });
    const { denied, verdicts } = send(
      queries,
      createSlowView({ actions: { 'client+domain': 'alert', domain: 'alert', client: 'alert' } }),
    );
    expect(verdicts.length).toBeGreaterThan(0);
    expect(verdicts[0].action).toBe('alert');
    expect(denied).toBe(0);
  });
});
