import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Alarm,
  createDetectMemory,
  createFastPath,
  createSlowView,
  type Profile,
  type Verdict,
} from '../../src/detect/index.ts';
import { Question } from '../../src/wire/index.ts';

const SEED = 1234;
const START = Date.parse('2026-01-05T00:00:00Z');

const label = fc.oneof(
  fc.stringMatching(/^[a-z0-9-]{1,63}$/).map((text) => Buffer.from(text, 'latin1')),
  fc
    .constantFrom('www', '_domainkey', '_msdcs', '_spf', 'com', 'co', '0', '255')
    .map((text) => Buffer.from(text)),
  fc.uint8Array({ minLength: 1, maxLength: 63 }).map((octets) =>
    // Names are canonical before they come here.
    Buffer.from(octets.map((octet) => (octet >= 65 && octet <= 90 ? octet + 32 : octet))),
  ),
);
const zone = fc.constantFrom(
  'com',
  'example.com',
  'github.io',
  'a.github.io',
  '2.0.192.in-addr.arpa',
  '10.in-addr.arpa',
  'ip6.arpa',
  'zen.spamhaus.org',
  'cloudfront.net',
  'corp',
  '',
);

/** A canonical name of at most 255 octets. */
const name = fc.tuple(fc.array(label, { maxLength: 20 }), zone).map(([labels, below]) => {
  const all = [
    ...labels,
    ...below
      .split('.')
      .filter(Boolean)
      .map((text) => Buffer.from(text)),
  ];
  const parts: Buffer[] = [];
  let length = 1;
  // The zone stays whole: labels are left out from the leaf.
  for (const one of all.reverse()) {
    if (length + one.length + 1 > 255 || parts.length === 127) break;
    parts.unshift(Buffer.concat([Buffer.of(one.length), one]));
    length += one.length + 1;
  }
  return Uint8Array.from(Buffer.concat([...parts, Buffer.of(0)]));
});

const asked = fc.record({
  name,
  type: fc.oneof(fc.constantFrom(1, 5, 12, 16, 28, 33, 65), fc.integer({ min: 0, max: 65_535 })),
  client: fc.integer({ min: 0, max: 7 }),
  isIpv6: fc.boolean(),
  // Clocks are set back, too.
  stepMs: fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: -90_000_000, max: 90_000_000 })),
  octets: fc.integer({ min: 0, max: 65_535 }),
  records: fc.integer({ min: 0, max: 4000 }),
  profile: fc.constantFrom<Profile>('default', 'default', 'strict', 'off'),
});

const isCount = (value: number): boolean => Number.isFinite(value) && value >= 0;

function expectAlarm(alarm: Alarm | Verdict): void {
  expect(isCount(alarm.scoreBits) && isCount(alarm.limitBits)).toBe(true);
  expect(alarm.evidence.length).toBeGreaterThan(0);
  for (const sentence of alarm.evidence) expect(sentence).toMatch(/^.{10,}$/s);
  expect(alarm.evidence.join(' ')).not.toMatch(/NaN|undefined|Infinity|-\d+ (bits|octets|queries)/);
}

describe('whatever is asked', () => {
  test('scores are finite and not negative, and no alarm is without evidence', () => {
    fc.assert(
      fc.property(fc.array(asked, { minLength: 1, maxLength: 120 }), (queries) => {
        const memory = createDetectMemory({ pairs: 64, zones: 64, clients: 64, names: 256 });
        const fast = createFastPath({ seed: SEED, memory });
        const slow = createSlowView({ pairs: 64, zones: 64, clients: 64, ordered: 64, questions: 64 });
        const question = new Question(SEED);
        let nowMs = START;
        for (const { name, type, client, isIpv6, stepMs, octets, records, profile } of queries) {
          nowMs += stepMs;
          question.set(name, type);
          const address = isIpv6 ? new Uint8Array(16).fill(client) : Uint8Array.of(10, 0, 0, client);
          fast.holds(question, address, address.length, nowMs);
          const alarm = fast.check(question, address, address.length, nowMs, profile);
          const { charge } = fast;
          for (const value of [
            charge.bits,
            charge.payloadBits,
            charge.sharedBits,
            charge.octets,
            charge.trust,
          ])
            expect(isCount(value)).toBe(true);
          if (alarm !== null) {
            expectAlarm(alarm);
            continue;
          }
          const verdict = slow.note(charge, fast.zoneText(question));
          if (verdict !== null) {
            expectAlarm(verdict);
            fast.apply(verdict, fast.zoneText(question));
          }
          const later = fast.observe(question, address, address.length, nowMs, profile, 0, octets, records);
          if (later !== null) expectAlarm(later);
        }
      }),
      { numRuns: 80 },
    );
  });
});

/** Names that look random and are the same in every run. */
function noise(seed: number, length: number): string {
  let state = seed;
  let text = '';
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    text += 'abcdefghijklmnopqrstuvwxyz234567'[(state >>> 12) & 31];
  }
  return text;
}

/** Octets of a name of plain labels. */
const octetsOf = (text: string): Uint8Array =>
  Uint8Array.from([...text.split('.').flatMap((one) => [one.length, ...Buffer.from(one)]), 0]);

/**
 * A sender asks `length` characters every half hour; between two of its names, `others` names go to other zones, from other clients. Returns how
 * many of its names left before the first verdict on it.
 */
function leftBesideFlood(length: number, others: number): number {
  const memory = createDetectMemory({ pairs: 256, zones: 256, clients: 256, names: 4096 });
  const fast = createFastPath({ seed: SEED, memory });
  const slow = createSlowView({ pairs: 256, zones: 256, clients: 256, ordered: 256, questions: 256 });
  const question = new Question(SEED);
  let noises = 1;
  const ask = (text: string, client: Uint8Array, nowMs: number): boolean => {
    question.set(octetsOf(text), 1);
    if (fast.check(question, client, 4, nowMs, 'default') !== null) return false;
    const verdict = slow.note(fast.charge, fast.zoneText(question));
    if (verdict !== null) fast.apply(verdict, fast.zoneText(question));
    return true;
  };
  for (let i = 0; i < 500; i++) {
    const nowMs = START + i * 1_800_000;
    if (!ask(`${noise(noises++, length)}.sender.example`, Uint8Array.of(192, 0, 2, 1), nowMs)) return i;
    for (let j = 0; j < others; j++) {
      const client = Uint8Array.of(10, j & 3, noises & 255, (noises >> 8) & 255);
      ask(`${noise(noises++, 6)}.other${noises}.example`, client, nowMs + j);
    }
  }
  return 500;
}

describe('a flood of other names', () => {
  test.each([
    { what: 'a drip that the day finds', length: 26 },
    { what: 'a drip that 30 days find', length: 12 },
  ])('does not make the tables forget $what', ({ length }) => {
    const alone = leftBesideFlood(length, 0);
    expect(alone).toBeLessThan(200);
    // Tables of 256 rows, and some 200 new accounts between two names of the sender.
    expect(leftBesideFlood(length, 200)).toBeLessThanOrEqual(alone);
  });

  test('leaves every table as large as it was', () => {
    const memory = createDetectMemory({ pairs: 8192, zones: 4096, clients: 1024, names: 65_536 });
    const fast = createFastPath({ seed: SEED, memory });
    const slow = createSlowView({ pairs: 8192, zones: 4096, clients: 1024 });
    const sizes = (): number[] => [
      memory.pairs.byteLength,
      memory.zones.byteLength,
      memory.clients.byteLength,
      memory.seen.byteLength,
      slow.memory,
    ];
    const before = sizes();
    const question = new Question(SEED);
    const client = Uint8Array.of(10, 0, 0, 1);
    for (let i = 0; i < 100_000; i++) {
      question.set(octetsOf(`${noise(i, 6)}.z${i & 0x3fff}.example`), 1);
      client[2] = i & 255;
      if (fast.check(question, client, 4, START + i, 'default') === null) slow.note(fast.charge, 'z.example');
    }
    expect(sizes()).toEqual(before);
  });
});
