/**
 * What an answer from cache costs without the system calls of its datagrams: the query path and the audit over a socket in
 * memory, with few names (their cells stay in the processor's caches) and with many (they do not). Time is taken over runs of
 * a thousand queries, which are over before a neighbour gets his turn; a low quantile of many of them is what a query costs.
 *
 * `node dist-bench/bench/hit-path.js [SECONDS]`
 */
import type { Datagram } from '../src/net/index.ts';
import { openMemoryPath, QUERY as query } from './memory-path.ts';

const SECONDS = Number(process.argv[2] ?? 8);
const WARM_UP_RUNS = 400;
const BATCH = 64;
/** A run is sixteen batches. */
const RUN = 16 * BATCH;

async function measure(withAudit: boolean, names: number): Promise<string> {
  const { engine, socket, intake, close } = await openMemoryPath(withAudit);
  const batch: Datagram[] = [];
  let number = 0;

  const ask = async (): Promise<number> => {
    let spent = 0;
    for (let asked = 0; asked < RUN; asked += BATCH) {
      batch.length = 0;
      // The audit may hold a batch until the disk has caught up.
      while (socket.freeSlots < BATCH) await new Promise((resolve) => setImmediate(resolve));
      for (let i = 0; i < BATCH; i++) {
        const datagram = socket.free.pop() as Datagram;
        datagram.octets.set(query);
        let rest = number++ % names;
        for (let at = 20; at >= 13; at--) {
          datagram.octets[at] = 0x30 + (rest % 10);
          rest = Math.floor(rest / 10);
        }
        datagram.length = query.length;
        batch.push(datagram);
      }
      const beganMs = performance.now();
      intake.onBatch(batch, BATCH);
      spent += performance.now() - beganMs;
      engine.deliver();
      await null;
    }
    await new Promise((resolve) => setImmediate(resolve));
    return (spent * 1000) / RUN;
  };

  const costs: number[] = [];
  const endMs = performance.now() + SECONDS * 1000;
  for (let run = 0; performance.now() < endMs; run++) {
    const cost = await ask();
    if (run >= WARM_UP_RUNS) costs.push(cost);
  }
  costs.sort((one, other) => one - other);
  const lost = number - socket.counters.sent;
  await close();
  return (
    `${withAudit ? 'bounded' : 'no audit'}, ${names} names: ${quantile(costs, 0.1)} µs a hit (tenth of the runs), ` +
    `${quantile(costs, 0.5)} (half); ${lost} unanswered\n`
  );
}

const quantile = (sorted: readonly number[], part: number): string =>
  (sorted[Math.floor(sorted.length * part)] ?? Number.NaN).toFixed(2);

for (const names of [64, 5000]) {
  for (const withAudit of [false, true]) process.stdout.write(await measure(withAudit, names));
}
process.exit(0);
