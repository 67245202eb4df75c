/**
 * What a check costs: `node …/bench/detect/cost.js`. Names never asked before (misses), ordinary and tunnel-like, and
 * names asked before; batches of 64 for the median and the 99th percentile of a batch, octets allocated per check.
 */
import { performance } from 'node:perf_hooks';
import { createDetectMemory, createFastPath } from '../../src/detect/index.ts';
import { nameOctets, Question } from '../../src/wire/index.ts';
import { BASE32, Random, WORDS } from './random.ts';

const SEED = 4711;
const COUNT = 262_144;
const BATCH = 64;
const START = Date.UTC(2026, 0, 5);

function measure(label: string, make: (random: Random, i: number) => string): void {
  const random = new Random(1);
  const names = Array.from({ length: COUNT }, (_, i) => nameOctets(make(random, i)));
  const questions = names.map(() => null);
  const detector = createFastPath({ seed: SEED, memory: createDetectMemory() });
  const question = new Question(SEED);
  const batch = Array.from({ length: BATCH }, () => new Question(SEED));
  const client = Uint8Array.of(10, 0, 0, 1);
  const spent: number[] = [];
  let alarms = 0;
  let before = 0;
  for (let at = 0; at + BATCH <= questions.length; at += BATCH) {
    if (at === COUNT / 2) before = process.memoryUsage().heapUsed;
    for (let i = 0; i < BATCH; i++) batch[i].set(names[at + i], 1);
    const started = performance.now();
    for (let i = 0; i < BATCH; i++) {
      client[2] = (at + i) & 255;
      client[3] = ((at + i) >> 8) & 63;
      if (detector.check(batch[i], client, 4, START + at, 'default') !== null) alarms++;
    }
    const took = performance.now() - started;
    if (at >= COUNT / 2) spent.push((took * 1000) / BATCH);
  }
  const grown = process.memoryUsage().heapUsed - before;
  question.set(names[0], 1);
  spent.sort((a, b) => a - b);
  console.log(
    `${label.padEnd(44)} median ${spent[spent.length >> 1].toFixed(3)} µs   p99 ${spent[Math.floor(spent.length * 0.99)].toFixed(3)} µs   ${(grown / (COUNT / 2)).toFixed(1)} octets/check   alarms ${((alarms / COUNT) * 100).toFixed(1)} %`,
  );
}

measure('ordinary host of a new zone', (r) => `www.${r.pick(WORDS)}${r.pick(WORDS)}${r.below(999)}.com`);
measure('ordinary new host of a known zone', (r, i) => `${r.pick(WORDS)}${i}.cdn.example${i & 4095}.com`);
measure('name asked before', (r) => `${r.pick(WORDS)}.${r.pick(WORDS)}.com`);
measure(
  'reverse lookup',
  (r) => `${r.below(256)}.${r.below(256)}.${r.below(256)}.${r.below(256)}.in-addr.arpa`,
);
measure(
  'block list',
  (r) => `${r.below(256)}.${r.below(256)}.${r.below(256)}.${r.below(256)}.zen.spamhaus.org`,
);
measure('60 characters of base32 (known service)', (r) => `${r.text(60, BASE32)}.a.j.e5.sk`);
measure('60 characters of base32 (alarm each)', (r, i) => `${r.text(60, BASE32)}.evil${i & 63}.test`);

const memory = createDetectMemory({ pairs: 1_048_576 });
const pairs = 1_048_576;
console.log(
  `memory: ${memory.pairs.byteLength / pairs} octets a pair in the fast path and 32 in the slow view; shared ${Object.values(memory).reduce((sum, part: SharedArrayBuffer) => sum + part.byteLength, 0) / 1048576} MiB at a million pairs`,
);
