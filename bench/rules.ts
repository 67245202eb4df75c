/**
 * Loads one million rules from text lists, half of them allowing and half denying, and prints how long that took and
 * what it added to the process after its garbage was collected.
 *
 *    node --expose-gc bench/rules.ts [rules]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compilePolicy, type ListSource, openPolicy, type Policy } from '../src/policy/index.ts';
import { benchDescription, benchSource } from './policy-source.ts';
import { distinctNames } from './rule-names.ts';

const count = Number(process.argv[2] ?? 1_000_000);
const isWriter = process.argv[3] !== undefined;
const folder = process.argv[3] ?? mkdtempSync(join(tmpdir(), 'sallyport-rules-'));
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

async function rssMiB(): Promise<number> {
  const collectGarbage = (globalThis as { gc?: () => void }).gc;
  if (collectGarbage === undefined) throw new Error('run with node --expose-gc');
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return process.memoryUsage.rss() / 2 ** 20;
}

async function measure(): Promise<void> {
  // Another process makes the names: what it leaves behind in its heap is no part of the figure.
  spawnSync(process.execPath, [...process.execArgv, process.argv[1], String(count), folder], {
    stdio: 'inherit',
  });
  const before = await rssMiB();
  let policy: Policy | null = null;
  for (let run = 1; run <= RUNS; run++) {
    policy = null;
    const start = performance.now();
    const used = process.cpuUsage();
    policy = load();
    const milliseconds = performance.now() - start;
    const { user, system } = process.cpuUsage(used);
    const peak = process.memoryUsage.rss() / 2 ** 20;
    const after = await rssMiB();
    console.log(
      `run ${run}: ${count} rules in ${milliseconds.toFixed(0)} ms (${((user + system) / 1000).toFixed(0)} of the processor), added ${(after - before).toFixed(1)} MiB ` +
        `(${(peak - before).toFixed(1)} before garbage was collected)`,
    );
  }
  if (policy?.groups.length !== 1) throw new Error('the policy went missing');
}

if (isWriter) {
  writeLists();
} else {
  await measure().finally(() => rmSync(folder, { recursive: true }));
}
