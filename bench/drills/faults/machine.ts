/** What befalls the process itself: reloads, kills, a thread that ends, a clock that jumps. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Claim, claim } from '../verdict.ts';
import { askAll, Client, freshNames, ms, say, tally } from './clients.ts';
import { RCODE } from './message.ts';
import type { Effort } from './network.ts';
import { POLICY, Room } from './room.ts';
import { FaultyUpstream } from './upstream.ts';

const JSON_POST = { method: 'POST', headers: { 'content-type': 'application/json' } } as const;

/** Three reloads and a refused one under 200 queries a second. */
export async function reloads(effort: Effort): Promise<Claim[]> {
  const upstream = await FaultyUpstream.start();
  const room = await Room.open({ upstreams: [upstream.address], workers: 2 });
  const clients = await Promise.all([1, 2, 3, 4].map(() => Client.open(room.port)));
  try {
    await askAll(clients, ['kept.other.test', 'kept.other.test'], 10);
    const askedBefore = upstream.askedFor('other.test');
    const names = Array.from({ length: 1200 * effort }, (_, i) =>
      i % 2 === 0 ? 'kept.other.test' : freshNames(1, 'third.test')[0]!,
    );
    const load = askAll(clients, names, 200);
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) {
      await sleep(1000);
      room.writePolicy(POLICY.replace('Names of the drills', `Names of the drills ${i}`));
      statuses.push((await room.get('/reload', JSON_POST)).status);
    }
    room.writePolicy('sets: [no policy');
    const refused = (await room.get('/reload', JSON_POST)).status;
    const result = tally(await load);
    return [
      claim(
        'three reloads under load',
        statuses.join(', '),
        statuses.every((status) => status === 200),
      ),
      claim('queries without an answer (0)', say(result), result.good === result.asked),
      claim('a bad policy is refused, the old one stays', refused, refused >= 400),
      claim(
        'cached names asked again (2 at most: once a worker)',
        upstream.askedFor('other.test') - askedBefore,
        upstream.askedFor('other.test') - askedBefore <= 2,
      ),
    ];
  } finally {
    for (const client of clients) client.close();
    await room.close();
    await upstream.goAway();
  }
}

/** SIGKILL, and a supervisor that starts it again at once. */
export async function killed(effort: Effort): Promise<Claim[]> {
  const upstream = await FaultyUpstream.start();
  const room = await Room.open({ upstreams: [upstream.address] });
  const client = await Client.open(room.port);
  const answered: string[] = [];
  const ask = async (name: string): Promise<boolean> => {
    const { reply } = await client.ask(name, 1000);
    if (reply?.rcode === RCODE.NOERROR) answered.push(name);
    return reply?.rcode === RCODE.NOERROR;
  };
  let slowest = 0;
  try {
    for (let round = 0; round < 2 * effort; round++) {
      const load = Promise.all(
        freshNames(300, 'other.test').map((name, i) => sleep(i * 3).then(() => ask(name))),
      );
      await sleep(500);
      await room.kill();
      const began = performance.now();
      const started = room.start();
      let back = Number.POSITIVE_INFINITY;
      while (back === Number.POSITIVE_INFINITY && performance.now() - began < 10_000) {
        void ask(freshNames(1, 'other.test')[0]!).then((good) => {
          if (good) back = Math.min(back, performance.now() - began);
        });
        await sleep(20);
      }
      slowest = Math.max(slowest, back);
      await started;
      await load;
    }
    const recorded = new Set(room.entries().map(({ qname }) => qname?.replace(/\.$/, '')));
    const missing = answered.filter((name) => !recorded.has(name)).length;
    return [
      claim('kill -9: answering again after (≤ 1 s)', ms(slowest), slowest <= 1000),
      claim(
        `answered queries without an entry, of ${answered.length} (0)`,
        missing,
        missing === 0 && answered.length > 0,
      ),
    ];
  } finally {
    client.close();
    await room.close();
    await upstream.goAway();
  }
}

/** Preloaded into every thread: the first data thread throws when a file appears. The product knows nothing of it. */
const CRASH = `
const { isMainThread, workerData } = require('node:worker_threads');
const { existsSync } = require('node:fs');
if (!isMainThread && workerData?.worker === 0) {
  const timer = setInterval(() => {
    if (!existsSync(__filename + '.now')) return;
    require('node:fs').rmSync(__filename + '.now');
    throw new Error('the drill ends this thread');
  }, 20);
  timer.unref();
}
`;

/** One of two data threads ends with an exception under load: only what it had in hand is lost, and it comes back. */
export async function threadEnds(): Promise<Claim[]> {
  const upstream = await FaultyUpstream.start();
  const crash = join(mkdtempSync(join(tmpdir(), 'sallyport-crash-')), 'crash.cjs');
  writeFileSync(crash, CRASH);
  const room = await Room.open({
    upstreams: [upstream.address],
    workers: 2,
    env: { NODE_OPTIONS: `--require ${crash}` },
  });
  const clients = await Promise.all(Array.from({ length: 20 }, () => Client.open(room.port)));
  try {
    await askAll(clients, new Array<string>(100).fill('hit.other.test'), 200);
    const load = askAll(clients, new Array<string>(1000).fill('hit.other.test'), 250, 2000);
    await sleep(1500);
    writeFileSync(`${crash}.now`, '');
    const began = performance.now();
    let downMs = Number.NaN;
    let backMs = Number.NaN;
    while (performance.now() - began < 5000 && Number.isNaN(backMs)) {
      const { status } = await room.get('/readyz');
      if (status !== 200 && Number.isNaN(downMs)) downMs = performance.now() - began;
      if (status === 200 && !Number.isNaN(downMs)) backMs = performance.now() - began;
      await sleep(10);
    }
    const result = tally(await load);
    return [
      claim('the thread did end', Number.isNaN(downMs) ? 'no' : 'yes', !Number.isNaN(downMs)),
      claim(
        'a data thread ends: queries lost (≤ 2 of 1000: those it had in hand)',
        say(result),
        result.lost <= 2,
      ),
      claim('the thread is back after (≤ 0.5 s)', ms(backMs - downMs), backMs - downMs <= 500),
      claim('the process is alive', room.isAlive ? 'yes' : 'no', room.isAlive),
    ];
  } finally {
    for (const client of clients) client.close();
    await room.close();
    await upstream.goAway();
    rmSync(dirname(crash), { recursive: true, force: true });
  }
}

/** Jumps of the wall clock under load; libfaketime leaves the monotonic clock alone, as the kernel does. */
export async function clockJumps(library: string): Promise<Claim[]> {
  const claims: Claim[] = [];
  for (const [jump, seconds] of [
    ['-1h', -3600],
    ['+1d', 86_400],
  ] as const) {
    const upstream = await FaultyUpstream.start({ ttlSeconds: 300 });
    const ends = new Date(Date.now() + 3_600_000).toISOString();
    const expiring = POLICY.replace('name: +.third.test', `name: +.third.test\n        expires: ${ends}`);
    const clockFile = join(tmpdir(), `sallyport-clock-${process.pid}${jump}`);
    writeFileSync(clockFile, '+0s\n');
    const room = await Room.open({
      upstreams: [upstream.address],
      policy: expiring,
      env: {
        LD_PRELOAD: library,
        FAKETIME_TIMESTAMP_FILE: clockFile,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
    });
    const client = await Client.open(room.port);
    try {
      await askAll([client], ['hit.other.test', 'first.third.test'], 10);
      const asked = upstream.askedFor('other.test');
      writeFileSync(clockFile, `${seconds > 0 ? '+' : ''}${seconds}s\n`);
      const [hits, misses] = await Promise.all([
        askAll([client], new Array(50).fill('hit.other.test'), 50),
        askAll([client], freshNames(50, 'other.test'), 50),
      ]);
      const ttls = hits.map(({ reply }) => reply?.ttl ?? -1);
      const result = tally([...hits, ...misses]);
      const [expired] = await askAll([client], ['first.third.test'], 10);
      const rcode = expired?.reply?.rcode;
      const times = timesOf(room);
      const behind = times.filter((time) => Math.abs(time - Date.now() - seconds * 1000) < 60_000).length;
      claims.push(
        claim(`clock ${jump}: queries without an answer (0)`, say(result), result.good === 100),
        claim(
          `clock ${jump}: TTLs of a cached answer go on (295 to 300), it is not asked again`,
          `${Math.min(...ttls)} to ${Math.max(...ttls)}, ${upstream.askedFor('other.test') - asked - 50} asked again`,
          Math.min(...ttls) >= 290 &&
            Math.max(...ttls) <= 300 &&
            upstream.askedFor('other.test') - asked === 50,
        ),
        claim(
          `clock ${jump}: a rule that ends in an hour`,
          rcode === RCODE.NOERROR ? 'allows' : 'has ended',
          rcode === (seconds > 0 ? RCODE.NXDOMAIN : RCODE.NOERROR),
        ),
        claim(`clock ${jump}: entries with the new time (the clock did jump)`, behind, behind >= 100),
      );
    } finally {
      client.close();
      await room.close();
      await upstream.goAway();
    }
  }
  return claims;
}

/** Wall clock of every entry, milliseconds since 1970. */
function timesOf(room: Room): number[] {
  const audit = join(room.directory, 'audit');
  return readdirSync(audit)
    .filter((file) => file.endsWith('.ndjson'))
    .flatMap((file) => readFileSync(join(audit, file), 'utf8').split('\n'))
    .flatMap((line) => /"(?:ts|time|at)":"([^"]+)"/.exec(line)?.slice(1) ?? [])
    .map((text) => Date.parse(text));
}

/** libfaketime of Debian, or null when it is not installed. */
export function fakeTimeLibrary(): string | null {
  const places = ['x86_64-linux-gnu', 'aarch64-linux-gnu'].map(
    (arch) => `/usr/lib/${arch}/faketime/libfaketimeMT.so.1`,
  );
  return places.find((place) => existsSync(place)) ?? null;
}
