/**
 * Loads one million rules from text lists, half of them allowing and half denying, and prints how long that took and
 * what it added to the process after its garbage was collected.
 *
 *    node --expose-gc bench/rules.ts [rules]
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compilePolicy, type ListSource, openPolicy, type Policy } from '../src/policy/index.ts';
import { benchDescription, benchSource } from './policy-source.ts';
import { distinctNames } from './rule-names.ts';

const count = Number(process.argv[2] ?? 1_000_000);
const folder = mkdtempSync(join(tmpdir(), 'sallyport-rules-'));
const RUNS = 5;

function writeLists(): void {
  const names = distinctNames(count, 1);
  const half = count >>> 1;
  writeFileSync(join(folder, 'allow.txt'), `${names.slice(0, half).join('\n')}\n`);
  writeFileSync(join(folder, 'deny.txt'), `# a feed\n${names.slice(half).join('\n')}\n`);
}

const listFrom = (action: 'allow' | 'deny'): ListSource => ({
  description: benchDescription(`bench/lists/${action}`, action),
  octets: readFileSync(join(folder, `${action}.txt`)),
  format: 'names',
  match: 'as-written',
});

function load(): Policy {
  const source = benchSource([listFrom('allow'), listFrom('deny')]);
  const { compiled, faults } = compilePolicy(source, { hashSeed: 42, generation: 1 });
  if (faults.length > 0) throw new Error(JSON.stringify(faults[0]));
  return openPolicy(compiled);
}

const collectGarbage = (globalThis as { gc?: () => void }).gc;
if (collectGarbage === undefined) throw new Error('run with node --expose-gc');

const rssMiB = async (): Promise<number> => {
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return process.memoryUsage.rss() / 2 ** 20;
};

try {
  writeLists();
  const before = await rssMiB();
  let policy: Policy | null = null;
  for (let run = 1; run <= RUNS; run++) {
    policy = null;
    const base = await rssMiB();
    const start = performance.now();
    policy = load();
    const milliseconds = performance.now() - start;
    const peak = process.memoryUsage.rss() / 2 ** 20;
    const after = await rssMiB();
    console.log(
      `run ${run}: ${count} rules in ${milliseconds.toFixed(0)} ms, ` +
        `added ${(after - before).toFixed(1)} MiB (over this run's base ${(after - base).toFixed(1)}), at its end ${(peak - before).toFixed(1)} MiB`,
    );
  }
  if (policy?.groups.length !== 1) throw new Error('the policy went missing');
} finally {
  rmSync(folder, { recursive: true });
}
