/**
 * Reload under load, a row of "Numbers to hold": with a million rules, at a steady rate of answers from cache. Claims: no
 * query is lost, and the slowest hundredth takes no more than twice its usual time. The server may use every core, since
 * policies are compiled beside the thread that answers.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runLoad, startLoad } from '../load/run-load.ts';
import { openHouse } from './house.ts';
import type { DrillOptions } from './soak.ts';
import { type Claim, claim } from './verdict.ts';

const RATE = 5000;
const CALM_SECONDS = 8;
const RELOADS = 3;
const HIT_NAMES = 5000;

export async function reloadUnderLoad({
  directory,
  denyList,
  report,
}: Omit<DrillOptions, 'queries'>): Promise<Claim[]> {
  const house = await openHouse({
    directory: join(directory, 'reload'),
    authorities: 1,
    denyList,
    core: null,
  });
  try {
    const { port } = house.setup;
    const numbers = { hit: { first: 0, count: HIT_NAMES } };
    const steady = { port, mix: ['hit'] as const, numbers, rate: RATE, window: 1024, timeoutMs: 5000 };
    await runLoad({ ...steady, rate: 0, window: 64, seconds: 3 });
    const calm = await runLoad({ ...steady, seconds: CALM_SECONDS });
    const load = startLoad(steady);
    await sleep(500);
    const tookMs: number[] = [];
    for (let i = 0; i < RELOADS; i++) {
      tookMs.push(await house.reload());
      await sleep(500);
    }
    load.stop();
    const result = await load.result;
    report(`reload: usual p99 ${calm.p99Us} µs, with reloads ${result.p99Us} µs`);
    return [
      claim(
        'reloads',
        tookMs.map((ms) => `${(ms / 1000).toFixed(2)} s`).join(', '),
        tookMs.length === RELOADS,
      ),
      claim(`queries lost of ${result.sent}`, result.lost, result.lost === 0 && result.sent > 0),
      claim('SERVFAIL responses', result.rcodes.hit['2'] ?? 0, (result.rcodes.hit['2'] ?? 0) === 0),
      claim(
        'p99 with reloads (at most twice the usual)',
        `${result.p99Us} µs against ${calm.p99Us} µs`,
        result.p99Us <= 2 * calm.p99Us,
      ),
      claim('slowest response', `${result.maxUs} µs against ${calm.maxUs} µs`, true),
    ];
  } finally {
    await house.close();
  }
}
