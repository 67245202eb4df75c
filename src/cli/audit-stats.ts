/** `sallyport audit stats`: what a stretch of the log adds up to. */

import { Command } from 'commander';
import { AuditStats, plainText, readRecords, type Tally } from '../audit/index.ts';
import {
  DIRECTORY,
  type FilterFlags,
  filterOf,
  Progress,
  readCount,
  requireLog,
  unsealerOf,
  withFilters,
} from './audit-flags.ts';
import { counted } from './counted.ts';

interface Flags extends FilterFlags {
  readonly top: number;
  readonly json?: boolean;
}

export const statsCommand = (): Command =>
  withFilters(
    new Command('stats')
      .description('count queries by verdict, name, client, rule and response code; latency; gaps')
      .argument('[directory]', 'where the segments are', DIRECTORY),
  )
    .option('--top <count>', 'how many of each', readCount, 10)
    .option('--json', 'as JSON')
    .action(stats);

function stats(directory: string, flags: Flags): void {
  requireLog(directory);
  const progress = new Progress(directory);
  const sums = new AuditStats();
  const filter = { ...filterOf(directory, flags), notes: 'also' as const };
  const step = (file: string): void => progress.step(file);
  for (const found of readRecords(directory, filter, step, unsealerOf(flags))) sums.add(found);
  progress.end();
  const tables: readonly (readonly [string, Tally])[] = [
    ['verdicts', sums.verdicts],
    ['rcodes', sums.rcodes],
    ['types', sums.types],
    ['denied names', sums.denied],
    ['names', sums.names],
    ['clients', sums.clients],
    ['rules', sums.rules],
    ['records of the log itself', sums.notes],
  ];
  const latency = { p50: sums.latencyUs(0.5), p90: sums.latencyUs(0.9), p99: sums.latencyUs(0.99) };
  if (flags.json) {
    const { queries, cached, refused, lost, first, last } = sums;
    const tops = Object.fromEntries(
      tables.map(([title, tally]) => [title, Object.fromEntries(tally.top(flags.top))]),
    );
    console.log(
      JSON.stringify({ queries, cached, refused, lost, first, last, latencyUs: latency, ...tops }, null, 2),
    );
    return;
  }
  console.log(
    `${counted(sums.queries, 'query', 'queries')} from ${sums.first || '-'} to ${sums.last || '-'}`,
  );
  if (sums.queries > 0) {
    console.log(`from cache: ${percent(sums.cached, sums.queries)}`);
    console.log(`latency: p50 ${latency.p50} µs, p90 ${latency.p90} µs, p99 ${latency.p99} µs`);
  }
  if (sums.refused > 0) console.log(`refused because they could not be recorded: ${sums.refused}`);
  if (sums.lost > 0) console.log(`answered without a record (mode open): ${sums.lost}`);
  for (const [title, tally] of tables) printTable(title, tally, flags.top, sums.queries);
}

function printTable(title: string, tally: Tally, top: number, total: number): void {
  const rows = tally.top(top);
  if (rows.length === 0) return;
  const width = String(rows[0][1]).length;
  console.log(`\n${title} (${tally.distinct}${tally.other > 0 ? ' and more' : ''})`);
  for (const [key, count] of rows) {
    console.log(
      `  ${String(count).padStart(width)}  ${percent(count, total).padStart(6)}  ${plainText(key)}`,
    );
  }
}

const percent = (part: number, whole: number): string =>
  `${whole === 0 ? 0 : ((part / whole) * 100).toFixed(1)} %`;
