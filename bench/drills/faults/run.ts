/**
 * `node dist-bench/bench/drills/faults/run.js [DRILL …] [--effort N]` after `npx tsc -p tsconfig.bench.json`: faults of
 * networks, clients and machines against a running Sallyport, each with its goal. The test suite runs the same drills
 * with effort 1. Ends with exit code 1 when a goal was missed.
 */
import { parseArgs } from 'node:util';
import { type Claim, printClaims } from '../verdict.ts';
import { clockJumps, fakeTimeLibrary, killed, reloads, threadEnds } from './machine.ts';
import { manyClients, memoryCap } from './memory.ts';
import { allDown, flapping, loss, oneOfThree, unanswered } from './network.ts';
import { descriptors, idleClients, neverReads } from './streams.ts';
import { overload, responseRate, waterTorture } from './water-torture.ts';

const DRILLS: Readonly<Record<string, (effort: number) => Promise<Claim[]>>> = {
  'water-torture': waterTorture,
  'response-rate': responseRate,
  overload,
  loss,
  flapping,
  unanswered,
  'one-of-three': oneOfThree,
  'all-down': allDown,
  descriptors,
  'idle-clients': idleClients,
  'never-reads': neverReads,
  'memory-cap': memoryCap,
  'many-clients': manyClients,
  reloads,
  killed,
  'thread-ends': threadEnds,
  'clock-jumps': async () => {
    const library = fakeTimeLibrary();
    if (library !== null) return clockJumps(library);
    process.stdout.write('clock-jumps: left out, libfaketime is not installed\n');
    return [];
  },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { effort: { type: 'string', default: '4' } },
});
const effort = Number(values.effort);
const unknown = positionals.find((name) => !Object.hasOwn(DRILLS, name));
if (unknown !== undefined || !(effort >= 1)) {
  const fault =
    unknown === undefined ? `--effort ${values.effort}: write 1 or more` : `no drill "${unknown}"`;
  process.stderr.write(`${fault}; drills: ${Object.keys(DRILLS).join(' ')}\n`);
  process.exit(2);
}
for (const name of positionals.length > 0 ? positionals : Object.keys(DRILLS)) {
  const claims = await DRILLS[name]!(effort);
  printClaims(name, claims);
  if (claims.some(({ held }) => !held)) process.exitCode = 1;
}
