/** `sallyport hunt FILE…`: the tunnel detector over logs. */

import { statSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type ReadCounters, recordsOf } from './hunt-files.ts';
import { inOrder, merged } from './hunt-order.ts';
import { replay, replayTarget } from './hunt-replay.ts';
import { HuntSession, type HuntVerdict, type Judge } from './hunt-session.ts';

export interface HuntDependencies {
  /** Loads the policy of `--policy` and returns what judges questions by it. */
  readonly loadPolicy?: (path: string) => Promise<Judge>;
}

interface Flags {
  readonly json?: boolean;
  readonly each?: boolean;
  readonly profile: 'default' | 'strict';
  readonly policy?: string;
  readonly replay?: string;
  readonly speed: number;
}

export function huntCommand(dependencies: HuntDependencies = {}): Command {
  return new Command('hunt')
    .description('find data leaving inside names, in logs')
    .argument(
      '<file...>',
      'audit NDJSON, Zeek dns.log (TSV or JSON), dnstap, pcap, Route 53 query log, columns; .gz too',
    )
    .option('--json', 'one JSON object a line: verdicts, and a summary at the end')
    .option('--each', 'with --json: one object for each query that would have been denied')
    .addOption(
      new Option('--profile <profile>', 'how closely to look')
        .choices(['default', 'strict'])
        .default('default'),
    )
    .option('--policy <file>', 'judge names by this policy first; without it every name is allowed')
    .option('--replay <host:port>', 'send the queries into a running resolver instead')
    .option('--speed <n>', 'with --replay: how many times faster than the log', positive, 1)
    .action(async (files: string[], flags: Flags, command: Command) => {
      try {
        await hunt(files, flags, dependencies);
      } catch (error) {
        command.error(`hunt: ${(error as Error).message}`);
      }
    });
}

async function hunt(files: string[], flags: Flags, dependencies: HuntDependencies): Promise<void> {
  const started = performance.now();
  const counters: ReadCounters = { faults: 0, samples: [], octets: 0 };
  const order = { late: 0 };
  const total = files.reduce((sum, file) => sum + statSync(file).size, 0);
  const records = merged(files.map((file) => inOrder(recordsOf(file, counters), order)));
  if (flags.replay !== undefined) {
    const { sent, answered, rcodes } = await replay(records, replayTarget(flags.replay), flags.speed);
    process.stdout.write(`${JSON.stringify({ type: 'replay', sent, answered, rcodes })}\n`);
    return;
  }
  let judge: Judge | undefined;
  if (flags.policy !== undefined) {
    if (dependencies.loadPolicy === undefined)
      throw new Error('this build cannot read policies in "hunt"; leave out --policy');
    judge = await dependencies.loadPolicy(flags.policy);
  }
  // Whoever reads may have seen enough (`| head`): that is no fault.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  const print = (value: unknown): void => {
    process.stdout.write(`${JSON.stringify(value)}\n`);
  };
  const session = new HuntSession({
    profile: flags.profile,
    ...(judge === undefined ? {} : { judge }),
    onVerdict: (verdict) => (flags.json === true ? print(verdict) : process.stdout.write(describe(verdict))),
    ...(flags.json === true && flags.each === true
      ? {
          onDenial: (record) =>
            print({
              type: 'query',
              line: record.line,
              action: 'deny',
              ...(files.length > 1 ? { file: record.file } : {}),
            }),
        }
      : {}),
  });
  const bar = process.stderr.isTTY === true && flags.json !== true ? progress(total) : () => {};
  for await (const record of records) {
    session.feed(record);
    if ((session.queries & 0xfff) === 0) bar(counters.octets);
  }
  for (const sample of counters.samples) process.stderr.write(`${sample}\n`);
  if (session.unreadable > 0)
    process.stderr.write(`${session.unreadable} names are no domain names and were passed over\n`);
  if (counters.faults > 0) process.stderr.write(`${counters.faults} lines could not be read\n`);
  if (order.late > 0) process.stderr.write(`${order.late} lines came too late to be put in order\n`);
  const summary = {
    type: 'summary',
    queries: session.queries,
    pairs: session.pairs,
    flaggedPairs: session.flaggedPairs,
    deniedQueries: session.deniedQueries,
    seconds: Math.round(performance.now() - started) / 1000,
    maxRssBytes: process.resourceUsage().maxRSS * 1024,
  };
  if (flags.json === true) print(summary);
  else {
    process.stdout.write(
      `${summary.queries} queries, ${summary.pairs} pairs of client and domain, ${summary.flaggedPairs} flagged, ${summary.deniedQueries} queries would have been denied; ${summary.seconds} s, ${Math.round(summary.maxRssBytes / 1048576)} MiB\n`,
    );
  }
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('expected a number above 0');
  return value;
}

const describe = (verdict: HuntVerdict): string =>
  [
    `${verdict.decidedAt}  ${verdict.client} → ${verdict.domain}: ${verdict.action} (${Math.round(verdict.score)} bits, rule ${verdict.rule})`,
    ...verdict.evidence.map((sentence) => `    ${sentence}`),
    `    ${verdict.queriesBefore} queries and ${verdict.octetsBefore} octets had left since ${verdict.firstSeen}.`,
    '',
  ].join('\n');

/** A bar on the terminal, drawn at most ten times a second. */
function progress(total: number): (done: number) => void {
  let drawnAt = 0;
  return (done) => {
    const now = performance.now();
    if (now - drawnAt < 100) return;
    drawnAt = now;
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const filled = Math.round(share * 30);
    process.stderr.write(`\r[${'#'.repeat(filled)}${' '.repeat(30 - filled)}] ${Math.floor(share * 100)} %`);
    if (share === 1) process.stderr.write('\n');
  };
}
