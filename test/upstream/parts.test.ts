/** The small parts: wheel, in-flight table, habits, budget, round trips, composing and reading messages. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Asked, Attempt, Stock } from '../../src/upstream/attempt.ts';
import { addressesIn } from '../../src/upstream/bootstrap.ts';
import { compose } from '../../src/upstream/compose.ts';
import { Habit, newCookie, takeCookie } from '../../src/upstream/habits.ts';
import { InFlight } from '../../src/upstream/in-flight.ts';
import { randomBelow, randomWord } from '../../src/upstream/random.ts';
import { Match, matchReply, Survey } from '../../src/upstream/reply.ts';
import { Rate, RetryBudget } from '../../src/upstream/retry-budget.ts';
import { RoundTrip } from '../../src/upstream/round-trip.ts';
import { SPOKES, type Spoked, TICK_MS, Wheel } from '../../src/upstream/wheel.ts';
import { nameOctets } from '../../src/wire/index.ts';

interface Item extends Spoked {
  readonly dueMs: number;
}
const item = (dueMs: number): Item => ({
  dueMs,
  dueTick: 0,
  spokeNext: null,
  spokePrevious: null,
  spoke: -1,
});

describe('Wheel', () => {
  test('hands over everything once, never early, at most a tick late', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 20_000 }), fc.boolean()), { maxLength: 60 }),
        fc.integer({ min: 1, max: 900 }),
        (plan, step) => {
          const wheel = new Wheel<Item>(1000);
          const items = plan.map(([wait]) => item(1000 + wait));
          for (const each of items) wheel.schedule(each, each.dueMs);
          plan.forEach(([, isCancelled], i) => {
            if (isCancelled) wheel.cancel(items[i]);
          });
          const handed: { item: Item; atMs: number }[] = [];
          for (let nowMs = 1000; nowMs < 23_000; nowMs += step) {
            wheel.advance(nowMs, (each) => handed.push({ item: each, atMs: nowMs }));
          }
          const kept = items.filter((_, i) => !plan[i][1]);
          expect(new Set(handed.map((each) => each.item))).toEqual(new Set(kept));
          expect(handed).toHaveLength(kept.length);
          for (const { item: each, atMs } of handed) {
            expect(atMs).toBeGreaterThanOrEqual(each.dueMs);
            expect(atMs - each.dueMs).toBeLessThanOrEqual(2 * TICK_MS + step);
          }
          expect(wheel.count).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('stands being changed by what it hands over', () => {
    const wheel = new Wheel<Item>(0);
    const items = Array.from({ length: 20 }, () => item(50));
    for (const each of items) wheel.schedule(each, 50);
    const handed: Item[] = [];
    wheel.advance(60, (each) => {
      handed.push(each);
      // The next ones are cancelled or moved while their list is walked.
      const at = items.indexOf(each);
      wheel.cancel(items[(at + 19) % 20]);
      if (handed.length === 1) wheel.schedule(items[(at + 18) % 20], 50 + SPOKES * TICK_MS);
    });
    expect(handed.length).toBeGreaterThan(5);
    expect(new Set(handed).size).toBe(handed.length);
    wheel.advance(60 + (SPOKES + 1) * TICK_MS, (each) => handed.push(each));
    expect(wheel.count).toBe(0);
  });

  test('skips a long sleep of the machine', () => {
    const wheel = new Wheel<Item>(0);
    wheel.schedule(item(100), 100);
    let handed = 0;
    wheel.advance(86_400_000, () => handed++);
    expect(handed).toBe(1);
  });
});

describe('InFlight', () => {
  test('is a map', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 40 })), { maxLength: 300 }),
        (steps) => {
          const table = new InFlight(64);
          const map = new Map<number, Attempt>();
          for (const [isAdded, small] of steps) {
            // Keys that crowd the same few places.
            const key = small * 0x1001;
            if (isAdded && !map.has(key)) {
              const attempt = new Attempt();
              table.add(key, attempt);
              map.set(key, attempt);
            } else if (!isAdded) {
              table.remove(key);
              map.delete(key);
            }
            expect(table.count).toBe(map.size);
            for (let other = 0; other <= 40; other++) {
              expect(table.find(other * 0x1001)).toBe(map.get(other * 0x1001) ?? null);
            }
          }
          expect(new Set(table.all())).toEqual(new Set(map.values()));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('Stock', () => {
  test('makes at most as many as it may', () => {
    const stock = new Stock(2, () => ({}));
    const [first, second] = [stock.take(), stock.take()];
    expect(first).not.toBe(second);
    expect(stock.take()).toBeNull();
    stock.give(first as object);
    expect(stock.take()).toBe(first);
    expect(stock.inUse).toBe(2);
  });
});

describe('Habit', () => {
  const learnt = (): Habit => {
    const habit = new Habit(true);
    for (let i = 0; i < 8; i++) habit.judge(true, false, 0);
    return habit;
  };

  test('is known after 8 signs, and then its lack is not believed over UDP', () => {
    const habit = new Habit(true);
    for (let i = 0; i < 7; i++) expect(habit.judge(true, false, 0)).toBe(true);
    expect(habit.isKnown).toBe(false);
    habit.judge(true, false, 0);
    expect(habit.isKnown).toBe(true);
    expect(habit.judge(false, false, 0)).toBe(false);
    expect(habit.isKnown).toBe(true);
  });

  test('is unlearnt over a stream, and tried again after ten minutes', () => {
    const habit = learnt();
    expect(habit.judge(false, true, 1000)).toBe(true);
    expect(habit.mayUse(2000)).toBe(false);
    expect(habit.mayUse(602_000)).toBe(true);
  });

  test('is given up at the first lack while it is not known', () => {
    const habit = new Habit(true);
    expect(habit.judge(false, false, 0)).toBe(true);
    expect(habit.mayUse(1)).toBe(false);
  });

  test('is never tried where it is not wanted', () => {
    expect(new Habit(false).mayUse(0)).toBe(false);
  });
});

describe('takeCookie', () => {
  test.each([
    { name: 'ours and 8 octets of the server', length: 16, flip: -1, taken: true },
    { name: 'ours and 32 octets of the server', length: 40, flip: -1, taken: true },
    { name: 'ours alone', length: 8, flip: -1, taken: false },
    { name: 'one octet short', length: 15, flip: -1, taken: false },
    { name: 'one octet over', length: 41, flip: -1, taken: false },
    { name: 'another client cookie', length: 16, flip: 3, taken: false },
  ])('$name: $taken', ({ length, flip, taken }) => {
    const cookie = newCookie();
    const message = new Uint8Array(64);
    message.set(cookie.client, 5);
    if (flip >= 0) message[5 + flip] ^= 1;
    expect(takeCookie(cookie, message, 5, length)).toBe(taken);
    expect(cookie.serverLength).toBe(taken ? length - 8 : 0);
  });
});

describe('RetryBudget', () => {
  test('keeps nothing back for first retransmissions when no question comes any more', () => {
    const budget = new RetryBudget();
    budget.asked(0);
    for (let i = 0; i < 75; i++) budget.take(1, 0);
    expect(budget.take(4, 90)).toBe(false);
    // What a burst left waiting: each reply brings back the token for the next.
    for (let i = 0; i < 200; i++) {
      expect(budget.take(4, 200)).toBe(true);
      budget.answered();
    }
  });

  test('allows less than half a retransmission for each question that nobody answers', () => {
    const budget = new RetryBudget();
    let taken = 0;
    for (let i = 0; i < 3200; i++) {
      const nowMs = i * 2.5;
      budget.asked(nowMs);
      while (budget.take(1, nowMs)) taken++;
    }
    expect(taken).toBeLessThan(3200 * 0.4);
  });

  test('allows one for each question where answers come, and leaves later ones behind first ones', () => {
    const budget = new RetryBudget();
    budget.asked(0);
    for (let i = 0; i < 60; i++) budget.take(1, 0);
    expect(budget.take(4, 0)).toBe(false);
    expect(budget.take(1, 0)).toBe(true);
    while (budget.take(1, 0));
    budget.answered();
    expect(budget.take(1, 0)).toBe(true);
  });
});

test('Rate allows so many a second', () => {
  const rate = new Rate(20);
  let taken = 0;
  for (let nowMs = 0; nowMs < 3000; nowMs++) if (rate.take(nowMs)) taken++;
  expect(taken).toBeGreaterThanOrEqual(70);
  expect(taken).toBeLessThanOrEqual(80);
});

test('RoundTrip finds the delay that 95 of 100 replies keep', () => {
  const trip = new RoundTrip();
  for (let i = 0; i < 4000; i++) trip.learn(i % 20 === 0 ? 200 : 30 + (i % 7));
  expect(trip.smoothMs).toBeGreaterThan(30);
  expect(trip.smoothMs).toBeLessThan(80);
  expect(trip.hedgeMs).toBeGreaterThan(35);
  expect(trip.hedgeMs).toBeLessThan(210);
  expect(trip.retransmitMs).toBeGreaterThanOrEqual(100);
  expect(new RoundTrip().retransmitMs).toBe(400);
});

test('random numbers are spread over their range', () => {
  const counts = new Array<number>(16).fill(0);
  for (let i = 0; i < 16_000; i++) counts[randomBelow(16)]++;
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(200);
  expect(new Set(Array.from({ length: 1000 }, randomWord)).size).toBeGreaterThan(995);
});

const asking = (name: string, mixedCase = false): { attempt: Attempt; asked: Asked } => {
  const asked = new Asked();
  const octets = nameOctets(name);
  asked.name.set(octets);
  asked.nameLength = octets.length;
  asked.type = 1;
  const attempt = new Attempt();
  attempt.edns = true;
  attempt.mixedCase = mixedCase;
  return { attempt, asked };
};

describe('compose', () => {
  test('fits the longest name with cookie and padding', () => {
    const label = 'x'.repeat(63);
    const { attempt, asked } = asking(`${label}.${label}.${label}.${'y'.repeat(61)}`, true);
    const cookie = newCookie();
    cookie.serverLength = 32;
    compose(attempt, asked, cookie, true);
    expect(attempt.length).toBe(384);
    expect(attempt.questionEnd).toBe(12 + 255 + 4);
  });

  test('leaves octets that are no letters alone when it mixes case', () => {
    const { attempt, asked } = asking('a1-_.\\000\\255\\091\\123zz', true);
    compose(attempt, asked, null, false);
    const name = [...attempt.message.subarray(12, attempt.questionEnd - 4)].map((octet) =>
      octet >= 65 && octet <= 90 ? octet + 32 : octet,
    );
    expect(name).toEqual([...asked.name.subarray(0, asked.nameLength)]);
  });
});

describe('a reply of any octets', () => {
  const { attempt, asked } = asking('www.example.com');
  compose(attempt, asked, null, false);

  test('is matched and surveyed without a throw, and only with the question it answers', () => {
    const base = Buffer.from(attempt.message.subarray(0, attempt.length));
    base[2] |= 0x80;
    const survey = new Survey();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 255 })), { maxLength: 12 }),
        fc.uint8Array({ maxLength: 120 }),
        fc.nat({ max: 170 }),
        (changes, tail, cut) => {
          const message = Buffer.concat([base, tail]);
          for (const [at, value] of changes) if (at < message.length) message[at] = value;
          const length = Math.min(message.length, cut + 12);
          const match = matchReply(attempt, message, length);
          if (match === Match.NONE) return;
          expect(message.subarray(12, attempt.questionEnd).toString('latin1').toLowerCase()).toBe(
            base.subarray(12, attempt.questionEnd).toString('latin1').toLowerCase(),
          );
          if (survey.read(message, attempt.questionEnd, length) && survey.cookieLength > 0) {
            expect(survey.cookieAt + survey.cookieLength).toBeLessThanOrEqual(length);
          }
          for (const address of addressesIn(message, length)) expect(address).not.toBe('');
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('with more records than are worth reading is refused', () => {
    const message = Buffer.alloc(40_000);
    message.set(attempt.message.subarray(0, attempt.questionEnd));
    message.writeUInt16BE(3000, 6);
    expect(new Survey().read(message, attempt.questionEnd, message.length)).toBe(false);
  });

  test('with more options than are worth reading is refused', () => {
    const head = Buffer.from(attempt.message.subarray(0, attempt.questionEnd));
    head.writeUInt16BE(1, 10);
    const opt = Buffer.from([0, 0, 41, 4, 208, 0, 0, 0, 0, 1, 4]);
    const message = Buffer.concat([head, opt, Buffer.alloc(260)]);
    expect(new Survey().read(message, attempt.questionEnd, message.length)).toBe(false);
  });
});
