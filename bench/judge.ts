/**
 * Nanoseconds of one judgement with a million rules loaded, by kind of question, and octets it leaves to the garbage
 * collector. Questions are spread over the whole table, so most look-ups miss the processor's first caches, as in service.
 *
 *    node --expose-gc bench/judge.ts [rules]
 */
import {
  compilePolicy,
  type ListSource,
  openPolicy,
  type PolicySource,
  parseLocalZone,
} from '../src/policy/index.ts';
import { nameOctets, Question } from '../src/wire/index.ts';
import { benchDescription, benchSource } from './policy-source.ts';
import { distinctNames } from './rule-names.ts';

const SEED = 42;
const count = Number(process.argv[2] ?? 1_000_000);
const QUESTIONS = 4096;
const ROUNDS = 60;

const listOf = (action: 'allow' | 'deny', names: readonly string[]): ListSource => ({
  description: benchDescription(`bench/lists/${action}`, action),
  octets: Buffer.from(names.join('\n')),
  format: 'names',
  match: 'as-written',
});

/** Names as a question has them, spread evenly over the given ones, one behind the other. */
function spread(names: readonly string[]): { octets: Uint8Array; starts: Uint32Array } {
  const step = Math.max(1, Math.floor(names.length / QUESTIONS));
  const chosen = names.filter((_, i) => i % step === 0).slice(0, QUESTIONS);
  const parts = chosen.map(nameOctets);
  const starts = new Uint32Array(parts.length);
  for (let i = 1; i < parts.length; i++) starts[i] = starts[i - 1] + parts[i - 1].length;
  return { octets: Buffer.concat(parts), starts };
}

/** Median over rounds of nanoseconds for each name, and the octets allocated for each. */
function measure(
  names: readonly string[],
  visit: (question: Question) => void,
): { nanoseconds: number; octets: number } {
  const { octets, starts } = spread(names);
  const question = new Question(SEED);
  const times: number[] = [];
  let allocated = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const heap = process.memoryUsage().heapUsed;
    const start = process.hrtime.bigint();
    for (let i = 0; i < starts.length; i++) visit(question.set(octets, 1, 1, starts[i]));
    times.push(Number(process.hrtime.bigint() - start) / starts.length);
    if (round > ROUNDS / 2) allocated += Math.max(0, process.memoryUsage().heapUsed - heap);
  }
  times.sort((left, right) => left - right);
  return { nanoseconds: times[times.length >>> 1], octets: allocated / (ROUNDS / 2) / starts.length };
}

const names = distinctNames(count + QUESTIONS, 1);
const half = count >>> 1;
const allowed = names.slice(0, half);
const denied = names.slice(half, count);
const unknown = names.slice(count);
// Beside the lists what a real policy has: wildcards in a list, local zones, a route.
const wildcards = distinctNames(1000, 2).map((name) => `*.${name}`);
const lists = [listOf('allow', [...allowed, ...wildcards]), listOf('deny', denied)];
const source: PolicySource = {
  ...benchSource(lists),
  local: ['localhost', 'test', 'home.arpa', 'corp.example'].map((zone) => ({
    zone: nameOctets(zone),
    groups: null,
    rrsets: parseLocalZone(nameOctets(zone), 300, []).rrsets,
  })),
  via: [{ suffix: nameOctets('internal'), pool: 'vpc' }],
};
const { compiled } = compilePolicy(source, { hashSeed: SEED, generation: 1 });
const policy = openPolicy(compiled);
const threeLabels = allowed.filter((name) => name.split('.').length === 3);
const kinds: readonly [string, readonly string[]][] = [
  ['denied by a list', denied],
  ['not listed', unknown],
  ['allowed', allowed],
  ['allowed, three labels', threeLabels],
];
let allowedCount = 0;
const nothing = (): void => {};
const judge = (question: Question): void => {
  if (policy.judge(0, question, 1_700_000_000_000).action === 'allow') allowedCount++;
};
// All kinds once before any counts, so that none is measured with code that has only ever seen one kind.
for (const [, of] of kinds) for (const visit of [nothing, judge]) measure(of, visit);
for (const [kind, of] of kinds) {
  // Setting the question is no part of judging it; its time is measured by itself and taken off.
  const setting = measure(of, nothing);
  const both = measure(of, judge);
  const nanoseconds = both.nanoseconds - setting.nanoseconds;
  console.log(
    `${kind.padEnd(24)} ${nanoseconds.toFixed(0).padStart(5)} ns  ${both.octets.toFixed(2)} octets allocated`,
  );
}
if (allowedCount === 0) throw new Error('nothing was allowed');
