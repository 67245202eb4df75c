import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compilePolicy, openPolicy, type Verdict } from '../../src/policy/index.ts';
import { hashLabel, nameOctets, Question, Rrtype } from '../../src/wire/index.ts';
import { type PlainVerdict, plainJudge } from './plain-matcher.ts';
import { type ListText, type PolicyText, policySource, type RuleText, SEED } from './policy-source.ts';

const label = fc.constantFrom('a', 'b', 'c', 'a!');
const listLabel = fc.constantFrom('a', 'b', 'c');
const nameOf = (labels: fc.Arbitrary<string>, min: number): fc.Arbitrary<string> =>
  fc.array(labels, { minLength: min, maxLength: 4 }).map((parts) => parts.join('.'));
const prefix = fc.constantFrom('', '', '*.', '+.');
const pattern = fc.tuple(prefix, nameOf(label, 1)).map(([start, name]) => start + name);
const expiresAtMs = fc.option(fc.constantFrom(1, 2), { nil: undefined, freq: 3 });
const types = fc.option(fc.subarray(['A', 'TXT', 'ANY'], { minLength: 1 }), { nil: undefined, freq: 3 });
const answer = fc.constantFrom(
  undefined,
  undefined,
  { kind: 'refused' } as const,
  { kind: 'nxdomain' } as const,
);

/** Leaves out keys that hold undefined, which exact optional properties do not allow. */
const some = <T extends object>(record: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  JSON.parse(JSON.stringify(record));

const rule: fc.Arbitrary<RuleText> = fc
  .record({
    names: fc.array(pattern, { minLength: 1, maxLength: 3 }),
    types,
    expiresAtMs,
    answer,
    characters: fc.constantFrom(undefined, 'any' as const),
  })
  .map(some);

const listLines: fc.Arbitrary<Pick<ListText, 'format' | 'text' | 'match'>> = fc.oneof(
  fc.record({
    format: fc.constant('names' as const),
    match: fc.constantFrom('as-written' as const, 'both' as const),
    text: fc
      .array(fc.tuple(prefix, nameOf(listLabel, 1)), { minLength: 1, maxLength: 5 })
      .map((lines) => lines.map(([start, name]) => start + name).join('\n')),
  }),
  fc.record({
    format: fc.constant('hosts' as const),
    match: fc.constantFrom('exact' as const, 'both' as const),
    text: fc
      .array(nameOf(listLabel, 1), { minLength: 1, maxLength: 4 })
      .map((names) => `0.0.0.0 ${names.join(' ')}`),
  }),
  fc.record({
    format: fc.constant('rpz' as const),
    match: fc.constant('as-written' as const),
    text: fc
      .uniqueArray(
        fc.tuple(
          fc.tuple(fc.constantFrom('', '*.'), nameOf(listLabel, 1)).map((parts) => parts.join('')),
          fc.constantFrom('.', '*.', 'rpz-passthru.', 'rpz-drop.'),
        ),
        { selector: ([owner]) => owner, minLength: 1, maxLength: 6 },
      )
      .map((records) => records.map(([owner, target]) => `${owner} CNAME ${target}`).join('\n')),
  }),
);

const list: fc.Arbitrary<ListText> = fc
  .tuple(
    listLines,
    fc.record({ action: fc.constantFrom('allow' as const, 'deny' as const), types, expiresAtMs, answer }),
  )
  .map(([lines, rest]) => some({ ...lines, ...rest }));

const set = fc.record({
  allow: fc.array(rule, { maxLength: 4 }),
  deny: fc.array(rule, { maxLength: 2 }),
  lists: fc.array(list, { maxLength: 2 }),
});

const group = fc.record({
  sets: fc.subarray(['one', 'two', 'three']).chain((chosen) => fc.shuffledSubarray(chosen)),
  mode: fc.constantFrom('enforce' as const, 'observe' as const),
  answer: fc.constantFrom({ kind: 'nxdomain' } as const, { kind: 'refused' } as const),
});

const policy: fc.Arbitrary<PolicyText> = fc.record({
  sets: fc.record({ one: set, two: set, three: set }),
  groups: fc.record({ g: group, h: group }),
  local: fc.array(fc.record({ zone: nameOf(listLabel, 1), groups: fc.constantFrom(['g'], ['g', 'h']) }), {
    maxLength: 2,
  }),
  via: fc.dictionary(nameOf(listLabel, 1), fc.constantFrom('vpc', 'office', 'default'), { maxKeys: 3 }),
});

const question = fc.record({
  name: nameOf(label, 0).map((name) => name || '.'),
  type: fc.constantFrom(Rrtype.A, Rrtype.AAAA, Rrtype.TXT, Rrtype.ANY),
  group: fc.constantFrom(0, 1),
  nowMs: fc.constantFrom(0, 1, 2),
});

function told(verdict: Verdict): PlainVerdict {
  if (verdict.action === 'local') return verdict;
  if (verdict.action === 'allow') return { action: 'allow', rule: verdict.rule.id, pool: verdict.pool };
  const { action, cause, observed, pool } = verdict;
  return { action, rule: verdict.rule?.id ?? null, cause, response: verdict.response.kind, observed, pool };
}

/** Hashes from the good one to one that is the same for all names. */
const HASHES: Record<string, typeof hashLabel> = {
  'the hash of the wire room': hashLabel,
  'a hash of four values': (hash, name, at) => hashLabel(hash, name, at) & 3,
  'the same hash for every name': () => 0,
  'a hash that ends in the last slot': () => -1,
};

describe.each(Object.entries(HASHES))('the compiled matcher, with %s', (_, hash) => {
  test('agrees with the plain one on random policies and questions', () => {
    const asked = new Question(SEED);
    fc.assert(
      fc.property(policy, fc.array(question, { minLength: 8, maxLength: 24 }), (text, questions) => {
        const source = policySource(text);
        const { compiled, faults } = compilePolicy(source, {
          hashSeed: SEED,
          generation: 1,
          hashLabel: hash,
        });
        expect(faults).toEqual([]);
        const opened = openPolicy(structuredClone(compiled));
        for (const { name, type, group: of, nowMs } of questions) {
          asked.set(nameOctets(name), type);
          for (let i = asked.labelCount - 1, value = SEED; i >= 0; i--) {
            value = hash(value, asked.name, asked.labelAt[i]);
            asked.suffixHash[i] = value;
          }
          const expected = plainJudge(source, of, { name: nameOctets(name), type }, nowMs);
          const verdict = opened.judge(of, asked, nowMs);
          expect(told(verdict)).toEqual(expected);
          expect(opened.judge(of, asked, nowMs)).toBe(verdict);
          const { verdict: explained, contestants } = opened.explain(of, asked, nowMs);
          expect(explained).toBe(verdict);
          const winners = contestants.filter(({ outcome }) => outcome === 'won');
          const isWon = expected.action === 'allow' || expected.cause === 'denied';
          expect(winners.map((winner) => winner.rule.id)).toEqual(isWon ? [expected.rule] : []);
        }
      }),
      { numRuns: hash === hashLabel ? 800 : 150 },
    );
  });
});
