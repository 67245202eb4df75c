/** What may grow with names, clients and a cap on memory, and must not. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type Claim, claim } from '../verdict.ts';
import { askAll, Client, freshNames, say, tally } from './clients.ts';
import type { Effort } from './network.ts';
import { Room, watchLag } from './room.ts';
import { FaultyUpstream } from './upstream.ts';

const MIB = 2 ** 20;
const mib = (value: number): string => `${value.toFixed(1)} MiB`;
/** Addresses that ask: 127.16.0.0 and on. */
const addressOf = (i: number): string => `127.${16 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;

/** `prlimit --as` a little above what the process has, and a cache that is allowed much more: it gives up cache and lives. */
export async function memoryCap(effort: Effort): Promise<Claim[]> {
  const upstream = await FaultyUpstream.start();
  const room = await Room.open({
    upstreams: [upstream.address],
    set: { 'cache.memory': '2GiB', 'limits.flightsPerDomain': '8000' },
  });
  const clients = await Promise.all(
    Array.from({ length: 30 }, (_, i) => Client.open(room.port, addressOf(i + 1))),
  );
  try {
    await askAll(clients, freshNames(200, 'other.test'), 200);
    const size = /VmSize:\s+(\d+)/.exec(readFileSync(`/proc/${room.pid}/status`, 'utf8'))?.[1];
    const cap = Number(size) * 1024 + 100 * MIB;
    const limited = spawnSync('prlimit', ['--pid', String(room.pid), `--as=${cap}:${cap}`]);
    if (limited.status !== 0) throw new Error('prlimit is not installed (util-linux)');
    const result = tally(await askAll(clients, freshNames(20_000 * effort, 'other.test'), 2000));
    const sheds = room.isAlive ? await room.metric('cache_sheds_total') : 0;
    return [
      claim('100 MiB more address space: the process lives', room.isAlive ? 'yes' : 'no', room.isAlive),
      claim(
        '100 MiB more address space: new names answered (≥ 99.9 %)',
        say(result),
        result.good >= 0.999 * result.asked,
      ),
      claim('100 MiB more address space: the cache was made smaller', `${sheds} times`, sheds > 0),
    ];
  } finally {
    for (const client of clients) client.close();
    await room.close();
    await upstream.goAway();
  }
}

/** 25,000 addresses for each unit of effort, each with a name from the cache and a new one. */
export async function manyClients(effort: Effort): Promise<Claim[]> {
  const upstream = await FaultyUpstream.start();
  const room = await Room.open({ upstreams: [upstream.address] });
  const count = 25_000 * effort;
  const lag = watchLag(room);
  try {
    const first = await Client.open(room.port);
    await askAll([first], ['hit.other.test', ...freshNames(2000, 'other.test')], 1000);
    first.close();
    const before = room.memory();
    let lost = 0;
    let failed = 0;
    for (let from = 1; from <= count; from += 500) {
      const clients = await Promise.all(
        Array.from({ length: 500 }, (_, i) => Client.open(room.port, addressOf(from + i))),
      );
      const names = [...new Array<string>(500).fill('hit.other.test'), ...freshNames(500, 'other.test')];
      const result = tally(await askAll(clients, names, 2000));
      lost += result.lost;
      failed += result.servfail + result.other;
      for (const client of clients) client.close();
    }
    const grown = room.memory() - before;
    const taken = await room.metric('queries_total');
    const { p99Ms, maxMs, idleMs } = await lag();
    return [
      claim(
        `${count} client addresses: queries lost, or failed (0)`,
        `${lost}, ${failed} of ${2 * count}`,
        lost + failed === 0,
      ),
      claim(`${count} client addresses: memory (≤ +150 MB, names included)`, mib(grown), grown <= 150),
      claim(
        'queries taken up, entries in the audit',
        `${taken}, ${room.entries().length}`,
        taken === room.entries().length,
      ),
      claim(
        'lag of the event loop (worst second)',
        `p99 ${p99Ms.toFixed(1)} ms, most ${maxMs.toFixed(1)} ms; idle thread 99.9 % ${idleMs.toFixed(1)} ms`,
        p99Ms < 20 + idleMs,
      ),
    ];
  } finally {
    await room.close();
    await upstream.goAway();
  }
}
