/**
 * Ten million random names against the tables of the detector: their size and the heap before and after, and whether what a sender owed
 * before the flood is still owed after it. `node dist-bench/bench/detect/flood.js [--names N]`
 */
import { createDetectMemory, createFastPath, createSlowView } from '../../src/detect/index.ts';
import { nameOctets, Question } from '../../src/wire/index.ts';
import { BASE32, Random } from './random.ts';

const at = process.argv.indexOf('--names');
const count = at < 0 ? 10_000_000 : Number(process.argv[at + 1]);
const SEED = 99;
const START = Date.UTC(2026, 0, 5);
const random = new Random(7);
const memory = createDetectMemory();
const fast = createFastPath({ seed: SEED, memory });
const slow = createSlowView();
const question = new Question(SEED);
const sender = Uint8Array.of(192, 0, 2, 1);
const other = Uint8Array.of(10, 0, 0, 1);

/** Asks a name, and gives the slow view its charge. Returns what a verdict or an alarm says, or null. */
function ask(name: Uint8Array, client: Uint8Array, nowMs: number): string | null {
  question.set(name, 1);
  const alarm = fast.check(question, client, 4, nowMs, 'default');
  if (alarm !== null) return alarm.rule;
  const verdict = slow.note(fast.charge, 'zone');
  if (verdict === null) return null;
  fast.apply(verdict, 'zone');
  return verdict.rule;
}

const drip = (): Uint8Array => nameOctets(`${random.text(26, BASE32)}.drip.example`);
const tables = (): string =>
  [memory.pairs, memory.zones, memory.clients, memory.seen]
    .map((part) => part.byteLength)
    .concat(slow.memory)
    .map((octets) => (octets / 1_048_576).toFixed(2))
    .join(' ');
const heap = (): string => (process.memoryUsage().heapUsed / 1_048_576).toFixed(0);

// Half of a day's budget, so that no verdict holds the row.
for (let i = 0; i < 8; i++) ask(drip(), sender, START + i * 1_800_000);
const begun = START + 8 * 1_800_000;
console.log(`before: tables ${tables()} MiB, heap ${heap()} MiB`);
// A name as octets: two random labels below one of two million zones.
const name = nameOctets(`${'a'.repeat(10)}.${'b'.repeat(8)}.example`);
for (let i = 0; i < count; i++) {
  for (let j = 1; j <= 10; j++) name[j] = 97 + random.below(26);
  for (let j = 12; j <= 16; j++) name[j] = 97 + random.below(26);
  other[1] = random.below(8);
  other[2] = random.below(256);
  other[3] = random.below(256);
  ask(name, other, begun + i / 20);
}
const ended = begun + count / 20;
console.log(`after ${count} names: tables ${tables()} MiB, heap ${heap()} MiB`);
let more = 0;
let rule: string | null = null;
while (rule === null && more < 100) rule = ask(drip(), sender, ended + more++ * 1_800_000);
console.log(`a sender that had sent 8 names before the flood is found by "${rule}" at name ${more} after it`);
const fresh = Uint8Array.of(192, 0, 2, 2);
const freshDrip = (): Uint8Array => nameOctets(`${random.text(26, BASE32)}.trickle.example`);
more = 0;
rule = null;
while (rule === null && more < 100) rule = ask(freshDrip(), fresh, ended + more++ * 1_800_000);
console.log(`a sender without a past is found by "${rule}" at name ${more}`);
