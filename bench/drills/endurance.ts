/**
 * `soak --minutes N`: every listener at once for a long time, a reload every two minutes, one of two upstreams silent for
 * five seconds of every thirty. What is looked at: losses, the slope of resident memory, and the audit at the end.
 */
import { spawnSync } from 'node:child_process';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { askAll, Client, freshNames } from './faults/clients.ts';
import { queryOctets, RCODE, readReply } from './faults/message.ts';
import { CHECKOUT, POLICY, Room } from './faults/room.ts';
import { FaultyUpstream } from './faults/upstream.ts';
import { type Claim, claim } from './verdict.ts';

export interface EnduranceOptions {
  readonly minutes: number;
  readonly io: string;
  report(line: string): void;
}

const RELOAD_EVERY_MS = 120_000;
const SAMPLE_EVERY_MS = 5000;
/** Queries a second over UDP, and over each of the other three. */
const UDP_RATE = 300;
const STREAM_RATE = 40;
/** Resident memory grows while caches fill and compilers work: so much of the time is left out. */
const WARM_UP = 1 / 3;

interface Count {
  asked: number;
  answered: number;
  failed: number;
  lost: number;
}

type Ask = (message: Buffer) => Promise<Buffer | null>;

/** Every second question is for a name that was asked before. */
const nextName = (i: number): string =>
  i % 2 === 0 ? `kept${i % 400}.other.test` : freshNames(1, 'third.test')[0]!;

export async function endurance({ minutes, io, report }: EnduranceOptions): Promise<Claim[]> {
  const flapping = await FaultyUpstream.start({
    answers: () => Math.floor(performance.now() / 1000) % 30 >= 5,
  });
  const steady = await FaultyUpstream.start();
  const room = await Room.open({
    upstreams: [flapping.address, steady.address],
    workers: io === 'native' ? 2 : 1,
    set: {
      io,
      'cache.memory': '16MiB',
      'audit.segmentSize': '16MiB',
      'limits.tcpQueries': '1000000',
    },
    settings: `listen:
  tls: {addresses: ['127.0.0.1:0'], dev: true}
  https: {addresses: ['127.0.0.1:0'], dev: true}
`,
  });
  const counts = new Map<string, Count>();
  const endMs = performance.now() + minutes * 60_000;
  const streams = [
    await overTcp(room.port),
    await overTls(room.portOf('dot')),
    await overHttps(room.portOf('doh')),
  ];
  const samples: { readonly ms: number; readonly mib: number }[] = [];
  let reloads = 0;
  let refused = 0;
  try {
    const jobs = [
      udpLoad(room, endMs, countOf(counts, 'udp')),
      ...streams.map(({ ask }, i) => streamLoad(ask, endMs, countOf(counts, ['tcp', 'dot', 'doh'][i]!))),
      (async () => {
        while (performance.now() + RELOAD_EVERY_MS < endMs || reloads === 0) {
          await sleep(Math.min(RELOAD_EVERY_MS, Math.max(1000, (endMs - performance.now()) / 2)));
          room.writePolicy(POLICY.replace('Names of the drills', `Names of the drills ${reloads}`));
          const headers = { 'content-type': 'application/json' };
          const { status } = await room.get('/reload', { method: 'POST', headers });
          reloads++;
          if (status !== 200) refused++;
        }
      })(),
      (async () => {
        while (performance.now() < endMs) {
          samples.push({ ms: performance.now(), mib: room.memory() });
          await sleep(SAMPLE_EVERY_MS);
          if (samples.length % 12 === 0)
            report(`soak: ${samples.at(-1)!.mib.toFixed(0)} MiB after ${samples.length / 12} minutes`);
        }
      })(),
    ];
    await Promise.all(jobs);
    await sleep(5000);
    const taken = await room.metric('queries_total');
    const lagMs = (await room.worst('event_loop_lag_seconds', 'quantile="0.999"')) * 1000;
    for (const { close } of streams) close();
    await room.stop();
    const entries = room.entries().length;
    const verified = spawnSync(process.execPath, [
      join(CHECKOUT, 'dist/cli/sallyport.js'),
      'audit',
      'verify',
      join(room.directory, 'audit'),
    ]);
    const slope = slopeOf(samples.slice(Math.floor(samples.length * WARM_UP)));
    return [
      ...[...counts].map(([name, { asked, answered, failed, lost }]) =>
        claim(
          `${name}: lost (0), SERVFAIL (0)`,
          `${asked} asked, ${answered} answered, ${failed} SERVFAIL, ${lost} lost`,
          lost + failed === 0 && asked > 0,
        ),
      ),
      claim('reloads, refused (0)', `${reloads}, ${refused}`, reloads > 0 && refused === 0),
      claim(
        'resident memory: slope after the warm-up (MiB an hour; < 1 over 8 hours)',
        `${slope.toFixed(1)}; ${samples.at(-1)?.mib.toFixed(0)} MiB at the end`,
        minutes < 60 || slope < 1,
      ),
      claim('lag of the event loop, 99.9 % (< 20 ms)', `${lagMs.toFixed(1)} ms`, lagMs < 20),
      claim('queries taken up, entries in the audit', `${taken}, ${entries}`, taken === entries),
      claim(
        'the audit verifies',
        verified.status === 0 ? 'yes' : `${verified.stdout}${verified.stderr}`.slice(0, 300),
        verified.status === 0,
      ),
    ];
  } finally {
    await room.close();
    await flapping.goAway();
    await steady.goAway();
  }
}

function countOf(counts: Map<string, Count>, name: string): Count {
  const count = { asked: 0, answered: 0, failed: 0, lost: 0 };
  counts.set(name, count);
  return count;
}

async function udpLoad(room: Room, endMs: number, count: Count): Promise<void> {
  const clients = await Promise.all(
    Array.from({ length: 8 }, (_, i) => Client.open(room.port, `127.0.7.${i + 1}`)),
  );
  let i = 0;
  while (performance.now() < endMs) {
    const names = Array.from({ length: UDP_RATE }, () => nextName(i++));
    for (const { reply } of await askAll(clients, names, UDP_RATE)) note(count, reply?.rcode ?? null);
  }
  for (const client of clients) client.close();
}

async function streamLoad(ask: Ask, endMs: number, count: Count): Promise<void> {
  const asked: Promise<void>[] = [];
  for (let i = 0; performance.now() < endMs; i++) {
    const message = queryOctets(i & 0xffff, nextName(i));
    asked.push(ask(message).then((reply) => note(count, reply === null ? null : readReply(reply).rcode)));
    await sleep(1000 / STREAM_RATE);
  }
  await Promise.all(asked);
}

function note(count: Count, rcode: number | null): void {
  count.asked++;
  if (rcode === null) count.lost++;
  else if (rcode === RCODE.NOERROR) count.answered++;
  else count.failed++;
}

interface Stream {
  readonly ask: Ask;
  close(): void;
}

const overTcp = (port: number): Promise<Stream> =>
  framedOver(connect({ port, host: '127.0.0.1' }), 'connect');
const overTls = (port: number): Promise<Stream> =>
  framedOver(
    connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['dot'] }),
    'secureConnect',
  );

async function framedOver(socket: Socket, ready: string): Promise<Stream> {
  await new Promise<void>((resolve, reject) => socket.once(ready, () => resolve()).once('error', reject));
  const waiting = new Map<number, (reply: Buffer | null) => void>();
  let held: Buffer = Buffer.alloc(0);
  socket.on('error', () => undefined);
  socket.on('close', () => {
    for (const tell of waiting.values()) tell(null);
  });
  socket.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
      const message = held.subarray(2, 2 + held.readUInt16BE(0));
      held = held.subarray(2 + message.length);
      const id = message.readUInt16BE(0);
      waiting.get(id)?.(Buffer.from(message));
      waiting.delete(id);
    }
  });
  return {
    ask: (message) =>
      new Promise((resolve) => {
        const id = message.readUInt16BE(0);
        const timer = setTimeout(() => resolve(null), 8000);
        waiting.set(id, (reply) => {
          clearTimeout(timer);
          resolve(reply);
        });
        socket.write(Buffer.concat([Buffer.from([message.length >> 8, message.length & 255]), message]));
      }),
    close: () => socket.destroy(),
  };
}

async function overHttps(port: number): Promise<Stream> {
  const session: ClientHttp2Session = connectHttp2(`https://127.0.0.1:${port}`, {
    rejectUnauthorized: false,
  });
  await new Promise<void>((resolve, reject) =>
    session.once('connect', () => resolve()).once('error', reject),
  );
  session.on('error', () => undefined);
  return {
    ask: (message) =>
      new Promise((resolve) => {
        const stream = session.request({
          ':method': 'POST',
          ':path': '/dns-query',
          'content-type': 'application/dns-message',
        });
        const pieces: Buffer[] = [];
        const timer = setTimeout(() => resolve(null), 8000);
        stream.on('data', (piece: Buffer) => pieces.push(piece));
        stream.on('error', () => resolve(null));
        stream.on('end', () => {
          clearTimeout(timer);
          const reply = Buffer.concat(pieces);
          resolve(reply.length < 12 ? null : reply);
        });
        stream.end(message);
      }),
    close: () => session.destroy(),
  };
}

/** Least squares, MiB an hour. */
function slopeOf(samples: readonly { readonly ms: number; readonly mib: number }[]): number {
  const count = samples.length;
  if (count < 2) return 0;
  const meanMs = samples.reduce((sum, { ms }) => sum + ms, 0) / count;
  const meanMib = samples.reduce((sum, { mib }) => sum + mib, 0) / count;
  let above = 0;
  let below = 0;
  for (const { ms, mib } of samples) {
    above += (ms - meanMs) * (mib - meanMib);
    below += (ms - meanMs) ** 2;
  }
  return (above / below) * 3_600_000;
}
