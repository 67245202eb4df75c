/**
 * `soak`: millions of queries (hits, misses, denials) with three reloads and one of two upstreams killed. Claims: no query
 * that an answer was due for is lost, and the audit has exactly as many entries as queries were taken up.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startLoad } from '../load/run-load.ts';
import { residentOctets } from '../process.ts';
import { countAudit } from './audit-files.ts';
import { openHouse } from './house.ts';
import { type Claim, claim } from './verdict.ts';

export interface DrillOptions {
  readonly directory: string;
  /** Queries to ask in all. */
  readonly queries: number;
  readonly denyList: string | null;
  report(line: string): void;
}

const HIT_NAMES = 5000;
const RELOADS = 3;

export async function soak({ directory, queries, denyList, report }: DrillOptions): Promise<Claim[]> {
  const house = await openHouse({ directory: join(directory, 'soak'), authorities: 2, denyList, core: null });
  try {
    const takenBefore = await house.metric('queries_total');
    const load = startLoad({
      port: house.setup.port,
      mix: ['hit', 'hit', 'deny', 'hit', 'miss', 'hit', 'stranger', 'hit'],
      numbers: { hit: { first: 0, count: HIT_NAMES }, deny: { first: 0, count: 1_000_000 } },
      queries,
      window: 32,
      timeoutMs: 8000,
    });
    let done = false;
    const finished = load.result.finally(() => {
      done = true;
    });
    const progress = async (share: number): Promise<void> => {
      while (!done && (await house.metric('queries_total')) - takenBefore < queries * share) await sleep(200);
    };
    const reloadsMs: number[] = [];
    for (let i = 0; i < RELOADS; i++) {
      await progress((i + 1) / (RELOADS + 3));
      if (done) break;
      reloadsMs.push(await house.reload());
      report(`soak: reload ${i + 1} took ${Math.round(reloadsMs.at(-1)!)} ms`);
    }
    await progress((RELOADS + 1) / (RELOADS + 3));
    const killedInTime = !done;
    house.authorities[0]!.child.kill('SIGKILL');
    report('soak: one upstream was killed');
    const result = await finished;
    // The generator's answers are all in; what waits for the dead upstream has been taken over or has failed by now.
    await sleep(1000);
    const taken = (await house.metric('queries_total')) - takenBefore;
    const noSlot = await house.metric('udp_no_slot_total');
    const memory = residentOctets(house.server.pid);
    const takenInAll = await house.metric('queries_total');
    const refused = await house.metric('audit_refused_total');
    await house.server.stop();
    const audit = await countAudit(house.auditDirectory);
    const failed = Object.values(result.rcodes).reduce((total, rcodes) => total + (rcodes['2'] ?? 0), 0);
    return [
      claim('queries asked', result.sent, result.sent >= queries),
      claim(
        'reloads and the kill came while queries ran',
        `${reloadsMs.length} reloads`,
        reloadsMs.length === RELOADS && killedInTime,
      ),
      claim('queries lost (no response within 8 s)', result.lost, result.lost === 0),
      claim('queries not taken up for want of a slot', noSlot, noSlot === 0),
      claim('SERVFAIL responses', failed, failed === 0),
      claim(
        'denied names answered other than NXDOMAIN',
        wrong(result.rcodes.deny, result.rcodes.stranger),
        wrong(result.rcodes.deny, result.rcodes.stranger) === 0,
      ),
      claim('queries taken up less queries asked', taken - result.sent, taken === result.sent),
      claim('queries refused because their entry could not be kept', refused, refused === 0),
      claim(
        'audit entries less queries taken up and not refused',
        audit.entries - (takenInAll - refused),
        audit.entries === takenInAll - refused,
      ),
      claim('broken audit lines', audit.broken, audit.broken === 0),
      claim(
        'rate, p50, p99',
        `${Math.round(result.received / result.seconds)}/s, ${result.p50Us} µs, ${result.p99Us} µs`,
        true,
      ),
      claim('resident memory at the end', `${Math.round(memory / 2 ** 20)} MiB`, true),
    ];
  } finally {
    await house.close();
  }
}

function wrong(...rcodes: readonly Readonly<Record<string, number>>[]): number {
  let count = 0;
  for (const each of rcodes)
    for (const [rcode, number] of Object.entries(each)) if (rcode !== '3') count += number;
  return count;
}
