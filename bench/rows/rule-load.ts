/**
 * What a million rules cost to load: the time from start to first answer and the resident memory, with the rules and
 * without them. The difference is the rules.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { template } from '../load/names.ts';
import { startAuthority } from '../load/run-load.ts';
import type { Contender } from '../peers/contender.ts';
import { freePort, residentOctets, SERVER_CORE, waitUntilAnswers } from '../process.ts';
import { type Effort, START_TIMEOUT_MS } from './cost.ts';

export interface RuleLoadResult {
  readonly contender: string;
  readonly missing: string | null;
  readonly seconds: number;
  readonly octets: number;
}

/** After the first answer, before memory is read: what was only needed to load is given back by then. */
const SETTLE_MS = 3000;
const REPETITIONS = 2;

export async function measureRuleLoad(
  contenders: readonly Contender[],
  denyList: string,
  effort: Effort,
): Promise<RuleLoadResult[]> {
  const results: RuleLoadResult[] = [];
  const authorityPort = await freePort();
  const authority = await startAuthority(authorityPort, effort.directory);
  for (const contender of contenders) {
    const missing = contender.missing();
    if (missing !== null) {
      results.push({ contender: contender.name, missing, seconds: 0, octets: 0 });
      continue;
    }
    try {
      results.push(await difference(contender, authorityPort, denyList, effort));
    } catch (error) {
      results.push({ contender: contender.name, missing: (error as Error).message, seconds: 0, octets: 0 });
    }
    const { seconds, octets, missing: reason } = results.at(-1)!;
    const outcome = reason ?? `${seconds.toFixed(2)} s, ${Math.round(octets / 2 ** 20)} MiB`;
    effort.report(`rules: ${contender.name.padEnd(10)} ${outcome}`);
  }
  await authority.stop();
  return results;
}

/** The better of some repetitions, since whatever disturbs one only makes it slower. */
async function difference(
  contender: Contender,
  authority: number,
  denyList: string,
  effort: Effort,
): Promise<RuleLoadResult> {
  let seconds = Number.POSITIVE_INFINITY;
  let octets = Number.POSITIVE_INFINITY;
  for (let i = 0; i < REPETITIONS; i++) {
    const bare = await startOnce(contender, authority, null, effort);
    const loaded = await startOnce(contender, authority, denyList, effort);
    seconds = Math.min(seconds, loaded.seconds - bare.seconds);
    octets = Math.min(octets, loaded.octets - bare.octets);
  }
  return { contender: contender.name, missing: null, seconds, octets };
}

async function startOnce(contender: Contender, authority: number, denyList: string | null, effort: Effort) {
  const directory = join(effort.directory, `rules-${contender.name}-${denyList === null ? 'none' : 'all'}`);
  mkdirSync(directory, { recursive: true });
  const port = await freePort();
  const setup = { directory, port, authorities: [authority], denyList, logging: false, core: SERVER_CORE };
  const began = performance.now();
  const running = contender.start(setup);
  try {
    await waitUntilAnswers(running, port, template(denyList === null ? 'hit' : 'deny'), START_TIMEOUT_MS);
    const seconds = (performance.now() - began) / 1000;
    await sleep(SETTLE_MS);
    return { seconds, octets: residentOctets(running.pid) };
  } finally {
    await running.stop();
  }
}
