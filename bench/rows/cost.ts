/**
 * CPU time for each query: the rows of "Numbers to hold" that compare. All contenders of a row run at once and are asked
 * in turn, several rounds, so that a noisy machine is as unkind to one as to another. The first round warms caches and
 * compilers and does not count.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Kind, template } from '../load/names.ts';
import type { LoadResult, NumberRange } from '../load/plan.ts';
import { runLoad, startAuthority } from '../load/run-load.ts';
import type { Contender } from '../peers/contender.ts';
import { cpuUs, freePort, type Running, SERVER_CORE, waitUntilAnswers } from '../process.ts';

export interface CostRow {
  readonly id: string;
  readonly title: string;
  readonly kind: Kind;
  /** How many names are asked in turn; 0: never the same twice. */
  readonly names: number;
  readonly window: number;
  readonly logging: boolean;
  readonly denyList: string | null;
  readonly contenders: readonly Contender[];
}

export interface CostSample {
  readonly userUs: number;
  readonly systemUs: number;
  readonly queriesPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly lost: number;
  /** Responses with another rcode than the kind of name must get. */
  readonly wrong: number;
  readonly received: number;
}

export interface CostResult {
  readonly row: string;
  readonly contender: string;
  /** Why there are no samples, or null. */
  readonly missing: string | null;
  readonly samples: readonly CostSample[];
}

export interface Effort {
  /** Length of one measurement. */
  readonly seconds: number;
  /** Measurements of each contender that count. */
  readonly rounds: number;
  readonly directory: string;
  report(line: string): void;
}

/** Servers with a million rules take their time. */
export const START_TIMEOUT_MS = 120_000;

/** The warm-up ends after so many queries, or after the time of so many rounds: a compiler needs both. */
const WARM_UP_QUERIES = 400_000;
const WARM_UP_ROUNDS = 4;

const EXPECTED_RCODE: Readonly<Record<Kind, number>> = { hit: 0, miss: 0, deny: 3, stranger: 3 };

interface Entrant {
  readonly contender: Contender;
  readonly running: Running;
  readonly port: number;
  next: number;
  readonly samples: CostSample[];
}

export async function measureCost(row: CostRow, effort: Effort): Promise<CostResult[]> {
  const authorityPort = await freePort();
  const authority = await startAuthority(authorityPort, effort.directory);
  const entrants: Entrant[] = [];
  const results: CostResult[] = [];
  try {
    for (const contender of row.contenders) {
      const missing = contender.missing() ?? (await enter(row, contender, authorityPort, effort, entrants));
      if (missing === null) continue;
      effort.report(`${row.id}: ${contender.name} takes no part: ${missing}`);
      results.push({ row: row.id, contender: contender.name, missing, samples: [] });
    }
    for (let round = 0; round <= effort.rounds; round++) {
      for (const entrant of entrants) await measure(row, entrant, effort, round);
    }
  } finally {
    await Promise.all([authority.stop(), ...entrants.map(({ running }) => running.stop())]);
  }
  return [
    ...entrants.map(({ contender, samples }) => ({
      row: row.id,
      contender: contender.name,
      missing: null,
      samples,
    })),
    ...results,
  ];
}

/** Starts a contender and fills its cache; returns why it cannot take part, or null. */
async function enter(
  row: CostRow,
  contender: Contender,
  authority: number,
  effort: Effort,
  entrants: Entrant[],
): Promise<string | null> {
  const directory = join(effort.directory, `${row.id}-${contender.name.replaceAll(' ', '-')}`);
  mkdirSync(directory, { recursive: true });
  const port = await freePort();
  const { logging, denyList } = row;
  const running = contender.start({
    directory,
    port,
    authorities: [authority],
    denyList,
    logging,
    core: SERVER_CORE,
  });
  try {
    await waitUntilAnswers(running, port, template('hit'), START_TIMEOUT_MS);
  } catch (error) {
    await running.stop();
    return `it did not start: ${(error as Error).message}; see ${directory}`;
  }
  entrants.push({ contender, running, port, next: 0, samples: [] });
  if (row.kind === 'hit') {
    const numbers = { hit: { first: 0, count: row.names } };
    await runLoad({ port, mix: ['hit'], queries: row.names * 2, window: 16, numbers });
  }
  return null;
}

async function measure(row: CostRow, entrant: Entrant, effort: Effort, round: number): Promise<void> {
  const { contender, running, port } = entrant;
  const range: NumberRange = { first: entrant.next, count: row.names };
  const before = cpuUs(running.pid);
  const isWarmUp = round === 0;
  const result = await runLoad({
    port,
    mix: [row.kind],
    seconds: isWarmUp ? effort.seconds * WARM_UP_ROUNDS : effort.seconds,
    queries: isWarmUp ? WARM_UP_QUERIES : 0,
    window: row.window,
    numbers: { [row.kind]: range },
  });
  const after = cpuUs(running.pid);
  entrant.next += result.sent;
  if (row.names > 0) entrant.next %= row.names;
  const { received } = result;
  const sample: CostSample = {
    userUs: (after.user - before.user) / received,
    systemUs: (after.system - before.system) / received,
    queriesPerSecond: received / result.seconds,
    p50Us: result.p50Us,
    p99Us: result.p99Us,
    lost: result.lost,
    wrong: contender.name === 'echo in C' ? 0 : wrongAnswers(row.kind, result),
    received,
  };
  if (!isWarmUp) entrant.samples.push(sample);
  const cost = (sample.userUs + sample.systemUs).toFixed(2);
  const flaws = sample.lost + sample.wrong > 0 ? `, ${sample.lost} lost, ${sample.wrong} wrong` : '';
  const label = isWarmUp ? 'warm-up' : `round ${round}`;
  effort.report(
    `${row.id} ${label}: ${contender.name.padEnd(10)} ${cost.padStart(6)} µs a query, ${Math.round(sample.queriesPerSecond)} queries/s${flaws}`,
  );
}

function wrongAnswers(kind: Kind, { rcodes, received }: LoadResult): number {
  return received - (rcodes[kind][String(EXPECTED_RCODE[kind])] ?? 0);
}
