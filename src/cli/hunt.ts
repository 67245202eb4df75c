/** `sallyport hunt FILE…`: the tunnel detector over logs. */

import { type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { plainText, segmentNames } from '../audit/index.ts';
import { unsealerOf, withDecryptKey } from './audit-flags.ts';
import { counted } from './counted.ts';
import { noReadCounters, noteFault, type ReadCounters, recordsOf } from './hunt-files.ts';
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
  readonly port: number;
  readonly decryptKey?: readonly string[];
}

export function huntCommand(dependencies: HuntDependencies = {}): Command {
  return withDecryptKey(new Command('hunt'))
    .description('find data leaving inside names, in logs')
    .argument(
      '<file...>',
      'audit NDJSON, Zeek dns.log (TSV or JSON), dnstap, pcap or pcapng, Route 53 query log, columns; packed too',
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
    .option('--port <port>', 'port of DNS in captures', portNumber, 53)
    .action((files: string[], flags: Flags) => hunt(files, flags, dependencies));
}

async function hunt(files: string[], flags: Flags, dependencies: HuntDependencies): Promise<void> {
  const started = performance.now();
  const counters = noReadCounters();
  const order = { late: 0 };
  const unsealer = unsealerOf(flags);
  const logs = files.flatMap(filesOf);
  const total = logs.reduce((sum, { size }) => sum + size, 0);
  const records = merged(
    logs.map(({ path }) => inOrder(recordsOf(path, counters, { port: flags.port, unsealer }), order)),
  );
  if (flags.replay !== undefined) {
    const { sent, answered, rcodes } = await replay(records, replayTarget(flags.replay), flags.speed);
    tell(remarks(counters, order.late));
    if (sent > 0 && answered === 0) tell([`nobody answered at ${flags.replay}`]);
    process.stdout.write(`${JSON.stringify({ type: 'replay', sent, answered, rcodes })}\n`);
    if (sent === 0) process.exitCode = 1;
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
  const bar = new ProgressBar(total);
  const session = new HuntSession({
    profile: flags.profile,
    ...(judge === undefined ? {} : { judge }),
    onUnreadable: ({ file, line }, fault) => noteFault(counters, `${file}:${line}: ${fault}; passed over`),
    onVerdict: (verdict) => {
      bar.clear();
      if (flags.json === true) print(forMachines(verdict));
      else process.stdout.write(describe(verdict));
    },
    ...(flags.json === true && flags.each === true
      ? {
          onDenial: (record) =>
            print({
              type: 'query',
              line: record.line,
              action: 'deny',
              ...(logs.length > 1 ? { file: record.file } : {}),
            }),
        }
      : {}),
  });
  for await (const record of records) {
    session.feed(record);
    if ((session.queries & 0x3ff) === 0) bar.draw(counters.octets);
  }
  bar.clear();
  tell(remarks(counters, order.late));
  const summary = {
    type: 'summary',
    queries: session.queries,
    pairs: session.pairs,
    flaggedPairs: session.flaggedPairs,
    deniedQueries: session.deniedQueries,
    seconds: Math.round(performance.now() - started) / 1000,
    maxRssBytes: process.resourceUsage().maxRSS * 1024,
  };
  if (session.queries === 0 && counters.faults > 0) process.exitCode = 1;
  if (flags.json === true) print(summary);
  else {
    process.stdout.write(
      `${counted(summary.queries, 'query', 'queries')}, ${counted(summary.pairs, 'pair')} of client and domain, ${summary.flaggedPairs} flagged, ${counted(summary.deniedQueries, 'query', 'queries')} would have been denied; ${summary.seconds} s, ${Math.round(summary.maxRssBytes / 1048576)} MiB\n`,
    );
  }
}

/** A verdict in the members that are documented; which rule it was stands in the evidence. */
function forMachines({ rule, scope, ...verdict }: HuntVerdict): Omit<HuntVerdict, 'rule' | 'scope'> {
  return { ...verdict, evidence: [...verdict.evidence, `Rule ${rule}, scope ${scope}.`] };
}

/** What the log lacked, for people: on standard error, whatever standard output is. */
function remarks({ samples, faults, redacted, captures }: ReadCounters, late: number): string[] {
  const { fragments, cut, gaps } = captures;
  const lacking: readonly (readonly [number, string, string])[] = [
    [faults - samples.length, 'more fault like these', 'more faults like these'],
    [
      redacted,
      'name is redacted in the log: what its marks stand for cannot be counted',
      'names are redacted in the log: what their marks stand for cannot be counted',
    ],
    [
      fragments,
      'fragment of a packet was passed over: long answers are missing, queries hardly',
      'fragments of packets were passed over: long answers are missing, queries hardly',
    ],
    [
      cut,
      'packet was kept in part; capture with "tcpdump -s 0"',
      'packets were kept in part; capture with "tcpdump -s 0"',
    ],
    [
      gaps,
      'time a TCP connection lacked octets; what it said there is missing',
      'times a TCP connection lacked octets; what it said there is missing',
    ],
    [late, 'line came too late to be put in order', 'lines came too late to be put in order'],
  ];
  return [
    ...samples,
    ...lacking.filter(([count]) => count > 0).map(([count, one, many]) => counted(count, one, many)),
  ];
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new InvalidArgumentError('expected a port from 1 to 65535');
  return port;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('expected a number above 0');
  return value;
}

const describe = (verdict: HuntVerdict): string =>
  [
    `${verdict.decidedAt}  ${plainText(verdict.client)} → ${plainText(verdict.domain)}: ${verdict.action} (${Math.round(verdict.score)} bits, rule ${verdict.rule})`,
    ...verdict.evidence.map((sentence) => `    ${plainText(sentence)}`),
    `    ${verdict.queriesBefore} queries and ${verdict.octetsBefore} octets had left since ${verdict.firstSeen}.`,
    '',
  ].join('\n');

/** A bar on the terminal, drawn at most ten times a second; nothing where nobody looks. */
class ProgressBar {
  readonly #total: number;
  readonly #isSeen = process.stderr.isTTY === true;
  #drawnAt = 0;
  #isDrawn = false;

  constructor(total: number) {
    this.#total = total;
  }

  draw(done: number): void {
    const now = performance.now();
    if (!this.#isSeen || now - this.#drawnAt < 100) return;
    this.#drawnAt = now;
    const share = this.#total === 0 ? 1 : Math.min(1, done / this.#total);
    const filled = Math.round(share * 30);
    process.stderr.write(`\r[${'#'.repeat(filled)}${' '.repeat(30 - filled)}] ${Math.floor(share * 100)} %`);
    this.#isDrawn = true;
  }

  /** Makes room for a line. */
  clear(): void {
    if (this.#isDrawn) process.stderr.write(`\r${' '.repeat(40)}\r`);
    this.#isDrawn = false;
  }
}

/** Lines for people. A log holds what strangers wrote: nothing of it reaches the terminal raw. */
function tell(lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`${plainText(line)}\n`);
}

/** A file, or the segments of an audit when it is a directory. Throws in words. */
function filesOf(path: string): { readonly path: string; readonly size: number }[] {
  const sizeOf = (file: string): Stats => {
    const found = statSync(file, { throwIfNoEntry: false });
    if (found === undefined) throw new Error(`${file}: there is no such file`);
    return found;
  };
  const found = sizeOf(path);
  if (!found.isDirectory()) return [{ path, size: found.size }];
  const segments = segmentNames(path).map(({ file }) => join(path, file));
  if (segments.length === 0)
    throw new Error(
      `${path} is a directory without segments of an audit (w0-….ndjson); give the files in it`,
    );
  return segments.map((file) => ({ path: file, size: sizeOf(file).size }));
}
