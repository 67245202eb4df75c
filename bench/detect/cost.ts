/**
 * What a check costs: `node …/bench/detect/cost.js [--only TEXT]`. Names never asked before (misses), ordinary and tunnel-like, and
 * names asked before: each check timed by itself, the median and the 99th percentile, and the octets of heap a check leaves behind.
 *
 * It runs in a process of its own with a young generation that no run fills, so that what is allocated is the difference of
 * two readings and no collection hides any of it. The cost of the clock, and of a check that does nothing, is taken off.
 */
import { spawnSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { createDetectMemory, createFastPath, createSlowView, type Profile } from '../../src/detect/index.ts';
import { nameOctets, Question } from '../../src/wire/index.ts';
import { BASE32, Random, WORDS } from './random.ts';

const SEED = 4711;
const COUNT = 131_072;
const BATCH = 64;
const START = Date.UTC(2026, 0, 5);
const YOUNG_MIB = 256;

const onlyAt = process.argv.indexOf('--only');
const only = onlyAt < 0 ? '' : process.argv[onlyAt + 1];

interface Checks {
  check(question: Question, client: Uint8Array, length: number, nowMs: number, profile: Profile): unknown;
}

/** The same arguments, and nothing done with them. */
class Nothing implements Checks {
  count = 0;
  check(question: Question, _client: Uint8Array, length: number, nowMs: number): unknown {
    this.count += question.type + length + (nowMs > 0 ? 1 : 0);
    return null;
  }
}

interface Figures {
  readonly median: number;
  readonly p99: number;
  readonly octets: number;
  readonly alarms: number;
}

/** Warms up on the first half of the names and measures on the second. */
function run(checks: Checks, names: readonly Uint8Array[]): Figures {
  const batch = Array.from({ length: BATCH }, () => new Question(SEED));
  const client = Uint8Array.of(10, 0, 0, 1);
  const took = new Float64Array(names.length / 2);
  let alarms = 0;
  // Of each batch: the engine, too, leaves something behind when it compiles a function anew, but in few batches.
  const allocated = new Float64Array(names.length / BATCH / 4);
  for (let at = 0; at + BATCH <= names.length; at += BATCH) {
    const isMeasured = at >= names.length / 2;
    for (let i = 0; i < BATCH; i++) batch[i].set(names[at + i], 1);
    const before = isMeasured && (at / BATCH) % 2 === 0 ? process.memoryUsage().heapUsed : -1;
    // One clock for the batch, as in the query path.
    const nowMs = START + at;
    if (before >= 0) {
      const read = process.memoryUsage().heapUsed - before;
      for (let i = 0; i < BATCH; i++) {
        client[2] = (at + i) & 255;
        client[3] = ((at + i) >> 8) & 63;
        if (checks.check(batch[i], client, 4, nowMs, 'default') !== null) alarms++;
      }
      allocated[(at - names.length / 2) / BATCH / 2] = process.memoryUsage().heapUsed - before - 2 * read;
      continue;
    }
    for (let i = 0; i < BATCH; i++) {
      client[2] = (at + i) & 255;
      client[3] = ((at + i) >> 8) & 63;
      const started = performance.now();
      const alarm = checks.check(batch[i], client, 4, nowMs, 'default');
      if (isMeasured) took[at + i - names.length / 2] = performance.now() - started;
      if (alarm !== null) alarms++;
    }
  }
  const spent = took.filter((one) => one > 0).sort();
  return {
    median: spent[spent.length >> 1] * 1000,
    p99: spent[Math.floor(spent.length * 0.99)] * 1000,
    octets: allocated.sort()[allocated.length >> 1] / BATCH,
    alarms: alarms / names.length,
  };
}

const KINDS: [label: string, make: (random: Random, i: number) => string][] = [];

/** Names of every kind in turn, so that no kind is measured with code that was made for it alone. */
function warmUp(): void {
  const random = new Random(2);
  const names = Array.from({ length: COUNT }, (_, i) => nameOctets(KINDS[i % KINDS.length][1](random, i)));
  run(createFastPath({ seed: SEED, memory: createDetectMemory() }), names);
}

function measure(label: string, make: (random: Random, i: number) => string): void {
  if (!label.includes(only)) return;
  const random = new Random(1);
  const names = Array.from({ length: COUNT }, (_, i) => nameOctets(make(random, i)));
  const floor = run(new Nothing(), names);
  const { median, p99, octets, alarms } = run(
    createFastPath({ seed: SEED, memory: createDetectMemory() }),
    names,
  );
  console.log(
    `${label.padEnd(44)} median ${(median - floor.median).toFixed(2)} µs   p99 ${(p99 - floor.median).toFixed(2)} µs   ${(octets - floor.octets).toFixed(1)} octets a check   alarms ${(alarms * 100).toFixed(1)} %`,
  );
}

function main(): void {
  KINDS.push(
    ['ordinary host of a new zone', (r) => `www.${r.pick(WORDS)}${r.pick(WORDS)}${r.below(999)}.com`],
    ['ordinary new host of a known zone', (r, i) => `${r.pick(WORDS)}${i}.cdn.example${i & 4095}.com`],
    ['name asked before', (r) => `${r.pick(WORDS)}.${r.pick(WORDS)}.com`],
    ['reverse lookup', (r) => `${r.below(256)}.${r.below(256)}.${r.below(256)}.${r.below(256)}.in-addr.arpa`],
    ['block list', (r) => `${r.below(256)}.${r.below(256)}.${r.below(256)}.${r.below(256)}.zen.spamhaus.org`],
    ['60 characters of base32 (known service)', (r) => `${r.text(60, BASE32)}.a.j.e5.sk`],
    ['60 characters of base32 (alarm each)', (r, i) => `${r.text(60, BASE32)}.evil${i & 63}.test`],
  );
  warmUp();
  for (const [label, make] of KINDS) measure(label, make);

  const pairs = 1_000_000;
  const fast = createDetectMemory({ pairs });
  const slow = createSlowView({ pairs });
  const shared = Object.values(fast).reduce((sum, part: SharedArrayBuffer) => sum + part.byteLength, 0);
  const mib = (octets: number): string => (octets / 1_048_576).toFixed(1);
  console.log(
    `memory at a million pairs: ${(fast.pairs.byteLength + slow.save().pairs.byteLength) / pairs} octets a pair; ${mib(shared)} MiB shared and ${mib(slow.memory)} MiB in the detector thread, ${mib(shared + slow.memory)} MiB in all`,
  );
}

if (process.execArgv.some((flag) => flag.startsWith('--min-semi-space-size'))) main();
else {
  const flags = [`--min-semi-space-size=${YOUNG_MIB}`, `--max-semi-space-size=${YOUNG_MIB}`];
  const self = fileURLToPath(import.meta.url);
  process.exitCode =
    spawnSync(process.execPath, [...flags, self, ...process.argv.slice(2)], { stdio: 'inherit' }).status ?? 1;
}
