/**
 * What a forwarded miss costs without the system calls of its four datagrams: the query path, the upstream room and the
 * audit, over an engine in memory. CPU time and garbage of one query; the least of many rounds, because a neighbour can
 * only add.
 *
 * `node dist-bench/bench/miss-path.js [ROUNDS]`
 */
import { PerformanceObserver } from 'node:perf_hooks';
import type { Datagram } from '../src/net/index.ts';
import { openMemoryPath, QUERY as query } from './memory-path.ts';

const ROUNDS = Number(process.argv[2] ?? 40);
const QUERIES = 20_000;
const BATCH = 32;

const { engine, socket, intake, close } = await openMemoryPath(true);

let number = 0;

async function ask(count: number): Promise<void> {
  const batch: Datagram[] = [];
  for (let asked = 0; asked < count; asked += BATCH) {
    batch.length = 0;
    // The audit may hold a batch until the disk has caught up.
    while (socket.freeSlots < BATCH) await new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < BATCH; i++) {
      const datagram = socket.free.pop() as Datagram;
      datagram.octets.set(query);
      let rest = number++;
      for (let at = 20; at >= 13; at--) {
        datagram.octets[at] = 0x30 + (rest % 10);
        rest = Math.floor(rest / 10);
      }
      datagram.length = query.length;
      batch.push(datagram);
    }
    intake.onBatch(batch, BATCH);
    engine.deliver();
    // Replies are sent by a microtask.
    await null;
    if (asked % (BATCH * 32) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

let collectedMs = 0;
let collections = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    collectedMs += entry.duration;
    collections++;
  }
}).observe({ entryTypes: ['gc'] });

const costs: number[] = [];
for (let round = 0; round < ROUNDS + 5; round++) {
  const before = process.cpuUsage();
  await ask(QUERIES);
  const { user, system } = process.cpuUsage(before);
  if (round >= 5) costs.push((user + system) / QUERIES);
}
const lost = number - socket.counters.sent;
costs.sort((one, other) => one - other);
const middle = costs[costs.length >> 1];
process.stdout.write(
  `${costs[0].toFixed(2)} µs a miss at best, ${middle.toFixed(2)} in the middle; garbage collection ${((collectedMs * 1000) / number).toFixed(2)} µs a miss in ${collections} runs; ${lost} unanswered\n`,
);
await close();
process.exit(lost === 0 ? 0 : 1);
