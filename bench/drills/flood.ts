/**
 * `flood`: ten million random names, most of them denied, the rest forwarded. Claim: memory ends where it began, since
 * everything that could grow is bounded by settings.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runLoad } from '../load/run-load.ts';
import { median } from '../median.ts';
import { residentOctets } from '../process.ts';
import { openHouse } from './house.ts';
import type { DrillOptions } from './soak.ts';
import { type Claim, claim } from './verdict.ts';

const MIB = 2 ** 20;
/** Parts into which the flood is cut; memory is read after each. */
const PARTS = 20;
const QUARTER = PARTS / 4;
const GROWTH_MAX = 48 * MIB;

export async function flood({ directory, queries, denyList, report }: DrillOptions): Promise<Claim[]> {
  const house = await openHouse({
    directory: join(directory, 'flood'),
    authorities: 1,
    denyList,
    core: null,
    cacheMemory: '32MiB',
  });
  const octets: number[] = [];
  let received = 0;
  let lost = 0;
  let next = 1;
  try {
    for (let part = 0; part < PARTS; part++) {
      const first = { first: next, count: 0 };
      const result = await runLoad({
        port: house.setup.port,
        mix: ['stranger', 'stranger', 'miss', 'stranger'],
        numbers: { stranger: first, miss: first },
        queries: Math.ceil(queries / PARTS),
        window: 32,
        timeoutMs: 5000,
      });
      next += result.sent;
      received += result.received;
      lost += result.lost;
      await sleep(500);
      octets.push(residentOctets(house.server.pid));
      report(
        `flood: ${next - 1} names, ${Math.round(octets.at(-1)! / MIB)} MiB, ${Math.round(result.received / result.seconds)}/s`,
      );
    }
    // One reading says when garbage was last collected; the middle one of several says what is kept.
    const began = median(octets.slice(0, QUARTER));
    const ended = median(octets.slice(-QUARTER));
    return [
      claim('names asked', next - 1, next - 1 >= queries),
      claim('responses', received, received === next - 1),
      claim('lost', lost, lost === 0),
      claim(
        `resident memory over the first and over the last quarter (grows by at most ${GROWTH_MAX / MIB} MiB)`,
        `${Math.round(began / MIB)} MiB, ${Math.round(ended / MIB)} MiB; most ${Math.round(Math.max(...octets) / MIB)} MiB`,
        ended - began <= GROWTH_MAX,
      ),
    ];
  } finally {
    await house.close();
  }
}
