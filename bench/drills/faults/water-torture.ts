/** Floods of names nobody asked before, against one allowed domain: what do the others notice? */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Claim, claim } from '../verdict.ts';
import { askAll, Client, freshNames, ms, say, tally } from './clients.ts';
import type { Effort } from './network.ts';
import { POLICY, Room, watchLag } from './room.ts';
import { FaultyUpstream } from './upstream.ts';

const RATE = 400;
const OTHERS = 100;

/**
 * 400 random names a second below a domain whose servers are silent, while others ask for new names of another domain.
 * Once from one address, as behind a NAT, and once from many.
 */
export async function waterTorture(effort: Effort): Promise<Claim[]> {
  const claims: Claim[] = [];
  for (const addresses of [1, 40]) claims.push(...(await torture(addresses, 8 * effort)));
  return claims;
}

/** The flood from that many addresses, for that long. */
export async function torture(addresses: number, seconds: number): Promise<Claim[]> {
  const upstream = await FaultyUpstream.start({ answers: (name) => !name.endsWith('.torture.test') });
  const room = await Room.open({ upstreams: [upstream.address] });
  // With one address the others share it: they are behind the same NAT.
  const flooders = await Promise.all(
    Array.from({ length: addresses }, (_, i) => Client.open(room.port, `127.0.1.${i + 1}`)),
  );
  const other = await Client.open(room.port, addresses === 1 ? '127.0.1.1' : '127.0.2.1');
  const from = addresses === 1 ? 'from the same address' : `from ${addresses} addresses`;
  try {
    await askAll([other], ['hit.other.test', ...freshNames(300, 'third.test')], 300);
    const memoryBefore = room.memory();
    const lagOf = watchLag(room);
    const flood = askAll(flooders, freshNames(RATE * seconds, 'torture.test'), RATE);
    await sleep(1500);
    const pace = OTHERS / (seconds - 2);
    const [others, hits] = await Promise.all([
      askAll([other], freshNames(OTHERS, 'other.test'), pace),
      askAll([other], new Array<string>(OTHERS).fill('hit.other.test'), pace),
    ]);
    const memory = room.memory() - memoryBefore;
    const flooded = tally(await flood);
    const lag = await lagOf();
    const asked = upstream.askedFor('torture.test') / flooded.asked;
    const newNames = tally(others);
    const cached = tally(hits);
    return [
      claim(
        `flood ${from}: new names of others without an answer (0)`,
        say(newNames),
        newNames.good === OTHERS,
      ),
      claim(`flood ${from}: cached names without an answer (0)`, say(cached), cached.good === OTHERS),
      claim(
        `flood ${from}: messages to the upstream per random name (≤ 1.5)`,
        asked.toFixed(2),
        asked <= 1.5,
      ),
      claim(`flood ${from}: memory (≤ +20 MB)`, `${memory.toFixed(1)} MiB`, memory <= 20),
      claim(`flood ${from}: random names that nobody answered (0)`, say(flooded), flooded.lost === 0),
      claim(
        `flood ${from}: lag of the event loop (p99 of the worst second < 20 ms more than an idle thread beside it)`,
        `p99 ${ms(lag.p99Ms)}, most ${ms(lag.maxMs)}; idle thread 99.9 % ${ms(lag.idleMs)}`,
        lag.p99Ms < 20 + lag.idleMs,
      ),
    ];
  } finally {
    for (const client of [...flooders, other]) client.close();
    await room.close();
    await upstream.goAway();
  }
}

/**
 * The response rate, over two workers that share its table: one network gets its share and no more, a forwarder gets
 * everything, and what is not answered is recorded all the same.
 */
export async function responseRate(): Promise<Claim[]> {
  const PER_SECOND = 100;
  const ASKED = 600;
  const policy = POLICY.replace(
    'groups:',
    'groups:\n  relays:\n    clients: [127.0.9.0/24]\n    forwarder: true\n    sets: [drill]',
  );
  const upstream = await FaultyUpstream.start();
  const room = await Room.open({
    upstreams: [upstream.address],
    workers: 2,
    policy,
    set: { 'limits.responseRate.perSecond': String(PER_SECOND) },
  });
  // Many ports: the kernel spreads them over both workers.
  const open = (network: string) =>
    Promise.all(Array.from({ length: 8 }, (_, i) => Client.open(room.port, `${network}.${i + 1}`)));
  const strangers = await open('127.0.8');
  const relays = await open('127.0.9');
  try {
    await askAll(relays, ['hit.other.test', 'hit.other.test'], 10);
    const began = performance.now();
    const names = new Array<string>(ASKED).fill('hit.other.test');
    const [limited, spared] = await Promise.all([
      askAll(strangers, names, 400, 1000),
      askAll(relays, names, 400, 1000),
    ]);
    const most = PER_SECOND + ((performance.now() - began) / 1000) * PER_SECOND;
    const answered = limited.filter(({ reply }) => reply !== null && !reply.truncated).length;
    const truncated = limited.filter(({ reply }) => reply?.truncated === true).length;
    const dropped = ASKED - answered - truncated;
    const relayed = tally(spared);
    await sleep(1100);
    const counted = await room.metric('limited_total', 'bound="rate-');
    const entries = room.entries().filter(({ verdict, cause }) => verdict === 'drop' && cause === 'limit');
    return [
      claim(
        `one network at 400/s against ${PER_SECOND}/s: answered whole (${PER_SECOND} to ${Math.round(most)})`,
        answered,
        answered >= PER_SECOND && answered <= most,
      ),
      claim(
        'of the rest truncated, and dropped (half each)',
        `${truncated}, ${dropped}`,
        Math.abs(truncated - dropped) <= 2,
      ),
      claim('a forwarder at the same time', say(relayed), relayed.good === ASKED),
      claim(
        'counted, and in the audit',
        `${counted}, ${entries.length}`,
        counted === truncated + dropped && entries.length === counted,
      ),
    ];
  } finally {
    for (const client of [...strangers, ...relays]) client.close();
    await room.close();
    await upstream.goAway();
  }
}

/**
 * Random names as fast as dnsperf can ask them, which is more than the server can take, below a silent domain. Cached names go
 * on being answered, memory ends, and every query that was taken up is in the audit.
 */
export async function overload(effort: Effort): Promise<Claim[]> {
  const upstream = await FaultyUpstream.start({ answers: (name) => !name.endsWith('.torture.test') });
  const room = await Room.open({ upstreams: [upstream.address] });
  const client = await Client.open(room.port);
  const names = join(room.directory, 'names');
  const lines = freshNames(300_000, 'torture.test').map((name) => `${name} A`);
  writeFileSync(names, `${lines.join('\n')}\n`);
  try {
    await askAll([client], ['hit.other.test', ...freshNames(300, 'third.test')], 300);
    const memoryBefore = room.memory();
    const args = [
      '-s',
      '127.0.0.1',
      '-p',
      String(room.port),
      '-d',
      names,
      '-l',
      String(6 * effort),
      '-q',
      '2000',
      '-c',
      '50',
      '-t',
      '5',
    ];
    const flood = spawn('dnsperf', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    let said = '';
    flood.stdout.on('data', (chunk) => {
      said += chunk;
    });
    const flooded = new Promise<void>((resolve, reject) => {
      flood.once('close', () => resolve());
      flood.once('error', () => reject(new Error('dnsperf is not installed (Debian package dnsperf)')));
    });
    flooded.catch(() => undefined);
    await sleep(1000);
    // A client asks again when nothing came, as every stub does: what counts is whether it had its answer.
    const hits = tally(await askAll([client], new Array<string>(1000).fill('hit.other.test'), 250));
    await flooded;
    const memory = room.memory() - memoryBefore;
    await sleep(6000);
    const taken = await room.metric('queries_total');
    const refused = await room.metric('audit_refused_total');
    const noSlot = await room.metric('udp_no_slot_total');
    const entries = room.entries().length;
    const perSecond = Number(/Queries per second:\s+([\d.]+)/.exec(said)?.[1]);
    return [
      claim(
        'flood as fast as it goes: cached names answered (≥ 99.9 %)',
        say(hits),
        hits.good >= 0.999 * hits.asked,
      ),
      claim(
        'flood as fast as it goes: rate; datagrams that found no slot',
        `${Math.round(perSecond)}/s; ${noSlot}`,
        perSecond > 0,
      ),
      claim('flood as fast as it goes: memory (≤ +64 MiB)', `${memory.toFixed(1)} MiB`, memory <= 64),
      claim(
        'queries taken up, entries in the audit',
        `${taken - refused}, ${entries}`,
        entries === taken - refused,
      ),
    ];
  } finally {
    client.close();
    await room.close();
    await upstream.goAway();
  }
}
