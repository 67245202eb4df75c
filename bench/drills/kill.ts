/**
 * `kill`: SIGKILL under full load, several times on the same audit. Claim: every response that a client received has its
 * entry in the log. Names are never asked twice, so each response can be looked up.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kind } from '../load/names.ts';
import { readRecorded } from '../load/recorded.ts';
import { startLoad } from '../load/run-load.ts';
import { countAudit } from './audit-files.ts';
import { openHouse } from './house.ts';
import type { DrillOptions } from './soak.ts';
import { type Claim, claim } from './verdict.ts';

const KILLS = 5;

export async function kill({ directory, denyList, report }: DrillOptions): Promise<Claim[]> {
  const house = await openHouse({ directory: join(directory, 'kill'), authorities: 1, denyList, core: null });
  const records: string[] = [];
  const restartsMs: number[] = [];
  let received = 0;
  let refused = 0;
  let next = 1;
  try {
    for (let i = 0; i < KILLS; i++) {
      const record = join(directory, `answered-${i}`);
      records.push(record);
      const first = { first: next, count: 0 };
      const load = startLoad({
        port: house.setup.port,
        mix: ['stranger', 'miss', 'stranger', 'stranger'],
        numbers: { stranger: first, miss: first },
        timeoutMs: 500,
        record,
      });
      await sleep(1500 + Math.random() * 1500);
      house.server.child.kill('SIGKILL');
      await house.server.ended;
      load.stop();
      const result = await load.result;
      received += result.received;
      for (const rcodes of Object.values(result.rcodes)) refused += rcodes['2'] ?? 0;
      next += result.sent + 1;
      report(`kill ${i + 1}: ${result.received} responses before the end`);
      const began = performance.now();
      await house.restart();
      restartsMs.push(performance.now() - began);
    }
    await house.server.stop();
    const audit = await countAudit(house.auditDirectory);
    let missing = 0;
    let distinct = 0;
    for (const record of records) {
      const answered = readRecorded(record);
      for (const kind of ['stranger', 'miss'] satisfies Kind[]) {
        missing += answered[kind].without(audit.seen[kind]);
        distinct += answered[kind].count;
      }
    }
    return [
      claim('responses received', received, received > 0 && distinct === received - refused),
      claim('of these SERVFAIL', refused, refused === 0),
      claim('other responses without an entry in the log', missing, missing === 0),
      claim('broken lines, at most the last before each kill', audit.broken, audit.broken <= KILLS),
      claim(
        'answering again after',
        `${restartsMs.map((ms) => `${(ms / 1000).toFixed(2)} s`).join(', ')}`,
        Math.max(...restartsMs) < 3000,
      ),
    ];
  } finally {
    await house.close();
  }
}
