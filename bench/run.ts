/**
 * `npm run bench [-- COMMAND …] [--quick] [--rounds N] [--seconds N] [--queries N] [--against CHECKOUT] [--keep]`
 *
 *   (none)   every row of "Numbers to hold"
 *   hits, hits-logged, denials, misses, audit-modes, audit-misses, rules, reload: that row alone
 *   soak     5 million queries with three reloads, one of two upstreams killed
 *   soak --minutes N [--io native|portable]   every listener for so long, reloads, a flapping upstream
 *   kill     SIGKILL under load, and what the log holds afterwards
 *   flood    10 million random names, and the memory afterwards
 *
 * `--against` lets another built checkout take part as `before`; `--keep` leaves logs and configurations where they are.
 * The audit is written below TMPDIR, so that says which disk is measured.
 *
 * Ends with exit code 1 when a goal was missed. Needs Linux; takes its figures from the kernel. Results go to
 * bench/results/ as JSON too.
 */
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { endurance } from './drills/endurance.ts';
import { flood } from './drills/flood.ts';
import { kill } from './drills/kill.ts';
import { reloadUnderLoad } from './drills/reload.ts';
import { soak } from './drills/soak.ts';
import { type Claim, printClaims } from './drills/verdict.ts';
import { nameOf } from './load/names.ts';
import { floor } from './peers/floor.ts';
import { dnsdist, dnsmasq, translateDenyList, unbound } from './peers/peers.ts';
import { sallyport, sallyportIn, sallyportOf } from './peers/sallyport.ts';
import { canPin } from './process.ts';
import { costTable, judge, ruleLoadTable } from './report.ts';
import { type CostResult, type CostRow, measureCost } from './rows/cost.ts';
import { measureRuleLoad, type RuleLoadResult } from './rows/rule-load.ts';

const RULES = 1_000_000;
const HIT_NAMES = 5000;
const RESULTS = fileURLToPath(new URL('../../bench/results/', import.meta.url));

const ROWS = ['hits', 'hits-logged', 'denials', 'misses', 'audit-modes', 'audit-misses', 'rules', 'reload'];
const DRILLS = ['soak', 'kill', 'flood'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    queries: { type: 'string' },
    keep: { type: 'boolean', default: false },
    against: { type: 'string' },
    minutes: { type: 'string' },
    io: { type: 'string', default: 'native' },
  },
});
/** Another checkout takes part under this name. */
const before = values.against === undefined ? [] : [sallyportOf('before', values.against)];
const unknown = positionals.find((word) => !ROWS.includes(word) && !DRILLS.includes(word));
if (unknown !== undefined)
  fail(`there is no bench "${unknown}"; choose of: ${[...ROWS, ...DRILLS].join(' ')}`);
if (process.platform !== 'linux') fail('the bench reads /proc and uses recvmmsg: it runs on Linux only');

const chosen = new Set(positionals.length > 0 ? positionals : ROWS);
const rounds = number('rounds', values.quick ? 2 : 5);
const seconds = number('seconds', values.quick ? 1.5 : 4);
const directory = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
const effort = {
  rounds,
  seconds,
  directory,
  report: (line: string) => void process.stderr.write(`${line}\n`),
};

const rowsOf = (denyList: string | null): CostRow[] => [
  {
    id: 'hits',
    title: 'Answers from cache; CPU time of the server for each query',
    kind: 'hit',
    names: HIT_NAMES,
    window: 64,
    logging: false,
    denyList: null,
    contenders: [floor, sallyport, ...before, unbound, dnsdist, dnsmasq],
  },
  {
    id: 'hits-logged',
    title: 'The same, the peers writing a line for each query too',
    kind: 'hit',
    names: HIT_NAMES,
    window: 64,
    logging: true,
    denyList: null,
    contenders: [sallyport, ...before, unbound, dnsdist, dnsmasq],
  },
  {
    id: 'denials',
    title: 'Denied names, 1,000,000 rules loaded',
    kind: 'deny',
    names: RULES,
    window: 64,
    logging: false,
    denyList,
    contenders: [sallyport, ...before, unbound, dnsdist, dnsmasq],
  },
  {
    id: 'misses',
    title: 'Names never asked before, forwarded',
    kind: 'miss',
    names: 0,
    window: 16,
    logging: false,
    denyList: null,
    contenders: [sallyport, ...before, unbound, dnsdist, dnsmasq],
  },
  {
    id: 'audit-modes',
    title: 'Answers from cache, by mode of the audit',
    kind: 'hit',
    names: HIT_NAMES,
    window: 64,
    logging: false,
    denyList: null,
    contenders: [
      ...(['without audit', 'bounded', 'strict', 'open'] as const).map((mode) => sallyportIn(mode)),
      ...before,
    ],
  },
  {
    id: 'audit-misses',
    title: 'Names never asked before, by mode of the audit',
    kind: 'miss',
    names: 0,
    window: 16,
    logging: false,
    denyList: null,
    contenders: (['without audit', 'bounded', 'strict', 'open'] as const).map((mode) => sallyportIn(mode)),
  },
];

const costs: CostResult[] = [];
let rules: RuleLoadResult[] = [];
const claims: Claim[] = [];
try {
  describeMachine();
  const denyList = join(directory, 'denied.txt');
  if (['denials', 'rules', 'reload'].some((row) => chosen.has(row))) await writeDenyList(denyList);
  for (const row of rowsOf(denyList)) {
    if (!chosen.has(row.id)) continue;
    const results = await measureCost(row, effort);
    costs.push(...results);
    process.stdout.write(`${costTable(row.title, results)}\n`);
  }
  if (chosen.has('rules')) {
    rules = await measureRuleLoad([sallyport, ...before, unbound, dnsdist, dnsmasq], denyList, effort);
    process.stdout.write(`${ruleLoadTable(rules)}\n`);
  }
  const judged = judge(costs, rules);
  if (judged.length > 0) show('Numbers to hold', judged);

  const drill = { directory, denyList: null, report: effort.report };
  const million = values.quick ? 100_000 : 1_000_000;
  if (chosen.has('reload')) show('Reload under load', await reloadUnderLoad({ ...drill, denyList }));
  if (chosen.has('soak') && values.minutes !== undefined) {
    const minutes = number('minutes', 10);
    show('Soak', await endurance({ minutes, io: values.io, report: effort.report }));
  } else if (chosen.has('soak'))
    show('Soak', await soak({ ...drill, queries: number('queries', 5 * million) }));
  if (chosen.has('kill')) show('SIGKILL under load', await kill({ ...drill, queries: 0 }));
  if (chosen.has('flood'))
    show('Random names', await flood({ ...drill, queries: number('queries', 10 * million) }));
  save();
} catch (error) {
  process.exitCode = 1;
  process.stderr.write(`bench: ${(error as Error).message}\n`);
} finally {
  const failed = process.exitCode === 1 && claims.length === 0;
  if (values.keep || failed) process.stderr.write(`what the servers wrote is in ${directory}\n`);
  else rmSync(directory, { recursive: true, force: true });
}
if (claims.some(({ held }) => !held)) process.exitCode = 1;

function show(title: string, found: readonly Claim[]): void {
  claims.push(...found);
  printClaims(title, found);
}

function describeMachine(): void {
  const pinning = canPin
    ? 'server on core 0, load on core 1'
    : 'taskset is not installed: nothing is kept on one core';
  effort.report(
    `${cpus()[0]?.model}, ${availableParallelism()} cores, Linux ${release()}, Node ${process.version}; ${pinning}`,
  );
  if (availableParallelism() < 2)
    effort.report('server and load share one core: rates mean little, CPU time still holds');
}

/** The denied names, in no order that would help anyone. */
async function writeDenyList(file: string): Promise<void> {
  effort.report(`writing ${RULES} denied names`);
  const out = createWriteStream(file);
  // A step that shares no factor with the count visits every number once.
  const STEP = 617_531;
  for (let i = 0, at = 0; i < RULES; i++, at = (at + STEP) % RULES) {
    if (!out.write(`${nameOf('deny', at)}\n`))
      await new Promise<void>((resolve) => out.once('drain', resolve));
  }
  await new Promise<void>((resolve) => out.end(() => resolve()));
  await translateDenyList(file);
}

function save(): void {
  mkdirSync(RESULTS, { recursive: true });
  const at = new Date().toISOString();
  const machine = {
    cpu: cpus()[0]?.model ?? '',
    cores: availableParallelism(),
    kernel: release(),
    node: process.version,
  };
  const file = join(RESULTS, `${at.replaceAll(':', '-')}.json`);
  const ran = { at, ran: [...chosen], rounds, seconds, pinned: canPin };
  writeFileSync(file, `${JSON.stringify({ ...ran, machine, costs, rules, claims }, null, 2)}\n`);
  effort.report(`written to ${file}`);
}

function number(option: 'rounds' | 'seconds' | 'queries' | 'minutes', preset: number): number {
  const text = values[option];
  if (text === undefined) return preset;
  const value = Number(text);
  if (!(value > 0)) fail(`--${option} ${text}: write a number above 0`);
  return value;
}

function fail(message: string): never {
  process.stderr.write(`bench: ${message}\n`);
  process.exit(2);
}
