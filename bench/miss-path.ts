/**
 * What a forwarded miss costs without the system calls of its four datagrams: the query path, the upstream room and the
 * audit, over an engine in memory. CPU time and garbage of one query; the least of many rounds, because a neighbour can
 * only add.
 *
 * `node dist-bench/bench/miss-path.js [ROUNDS]`
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PerformanceObserver } from 'node:perf_hooks';
import { openAudit } from '../src/audit/index.ts';
import { ResponseCache } from '../src/cache/index.ts';
import { loadSettings } from '../src/config/index.ts';
import { createCounters, openCounters } from '../src/metrics/index.ts';
import {
  type ConnectedSocket,
  type ConnectedSocketOptions,
  DATAGRAM_CAPACITY,
  type Datagram,
  type DatagramSocket,
  type Engine,
} from '../src/net/index.ts';
import { openPolicy } from '../src/policy/index.ts';
import { loadPolicy } from '../src/policy-loading.ts';
import { NO_DETECTOR, QueryPath, Site } from '../src/query/index.ts';
import { watchSecrets } from '../src/secrets.ts';
import { openUpstreams } from '../src/upstream/index.ts';

const ROUNDS = Number(process.argv[2] ?? 40);
const QUERIES = 20_000;
const BATCH = 32;
/** NAME, TTL one hour, 192.0.2.1; then OPT. */
const ANSWER = Buffer.from('c00c0001000100000e100004c000020100002904d0000000000000', 'hex');

/** Upstream and sockets in memory: what is sent is answered when `deliver` is called. */
class MemoryEngine implements Engine {
  readonly name = 'portable';
  readonly #octets = new Uint8Array(1 << 20);
  readonly #pending: { to: ConnectedSocketOptions; at: number; length: number }[] = [];
  #at = 0;

  listen(): Promise<DatagramSocket> {
    throw new Error('not part of this bench');
  }

  connect(options: ConnectedSocketOptions): Promise<ConnectedSocket> {
    return Promise.resolve({
      localPort: 1,
      send: (octets: Uint8Array, length: number) => this.#answer(options, octets, length),
      flush: () => undefined,
      close: () => undefined,
    });
  }

  deliver(): void {
    let last: ConnectedSocketOptions | null = null;
    for (const { to, at, length } of this.#pending) {
      if (last !== null && last !== to) last.onBatchEnd();
      to.onDatagram(this.#octets, at, length);
      last = to;
    }
    last?.onBatchEnd();
    this.#pending.length = 0;
    this.#at = 0;
  }

  #answer(to: ConnectedSocketOptions, octets: Uint8Array, length: number): void {
    const out = this.#octets;
    const at = this.#at;
    let end = 12;
    while (octets[end] !== 0) end += octets[end] + 1;
    end += 5;
    for (let i = 0; i < end; i++) out[at + i] = octets[i];
    out[at + 2] = 0x81;
    out[at + 3] = 0x80;
    out[at + 7] = 1;
    out[at + 11] = 1;
    for (let i = 0; i < ANSWER.length; i++) out[at + end + i] = ANSWER[i];
    this.#pending.push({ to, at, length: end + ANSWER.length });
    this.#at += length + ANSWER.length;
  }
}

class MemorySocket implements DatagramSocket {
  readonly engine = 'portable';
  readonly local = { address: '127.0.0.1', port: 53 };
  readonly counters = { batches: 0, received: 0, sent: 0, noSlot: 0, unsent: 0 };
  readonly free: Datagram[] = [];
  #queued: Datagram[] = [];

  constructor(slots: number) {
    for (let slot = 0; slot < slots; slot++)
      this.free.push({
        slot,
        octets: new Uint8Array(DATAGRAM_CAPACITY),
        length: 0,
        truncated: false,
        peer: Uint8Array.of(127, 0, 0, 1),
        peerLength: 4,
        peerPort: 5353,
      });
  }

  get freeSlots(): number {
    return this.free.length;
  }

  reply(datagram: Datagram): void {
    this.#queued.push(datagram);
  }

  release(datagram: Datagram): void {
    this.free.push(datagram);
  }

  flush(): void {
    for (const datagram of this.#queued) this.free.push(datagram);
    this.counters.sent += this.#queued.length;
    this.#queued.length = 0;
  }

  async close(): Promise<void> {}
}

const directory = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
writeFileSync(
  join(directory, 'policy.yaml'),
  JSON.stringify({
    sets: { bench: { allow: [{ names: ['*.bench.test'], reason: 'bench', profile: 'off' }] } },
    groups: { everyone: { clients: ['0.0.0.0/0'], sets: ['bench'] } },
  }),
);
const loadedSettings = loadSettings({ env: {}, overrides: { policies: [join(directory, 'policy.yaml')] } });
if (!('settings' in loadedSettings)) throw new Error(JSON.stringify(loadedSettings.faults));
const loaded = loadPolicy(loadedSettings.settings, { hashSeed: 7, generation: 1, nowMs: Date.now() });
if (!('compiled' in loaded)) throw new Error(JSON.stringify(loaded.faults));

const engine = new MemoryEngine();
const audit = openAudit({ directory: join(directory, 'audit'), worker: 0, reserveOctets: 0 });
const upstreams = await openUpstreams({
  engine,
  pools: [{ name: 'default', servers: [{ transport: 'udp', address: '127.0.0.1', port: 53 }] }],
  log: () => undefined,
});
const limits = {
  udpSize: 1232,
  pendingPerClient: 65_535,
  pendingPerProvenClient: 65_535,
  pendingPerForwarder: 65_535,
  flightsPerDomain: 65_535,
  clientDeadlineMs: 3800,
  forwarderDeadlineMs: 1800,
  tunnels: {
    default: { action: 'block' as const, holdSeconds: 86_400, namesPerMinute: 6 },
    strict: { action: 'block' as const, holdSeconds: 86_400, namesPerMinute: 6 },
  },
  denySecrets: true,
  aliasRestarts: 11,
  flights: 8192,
  failureTtlSeconds: 5,
  prefetch: null,
  staleSeconds: 0,
  staleAfterMs: 1800,
  ttlMinSeconds: 0,
  ttlMinStrictSeconds: 0,
  defaultProfile: 'default' as const,
  ttlMaxSeconds: 86_400,
  negativeTtlMaxSeconds: 3600,
};
const counters = openCounters(createCounters());
const path = new QueryPath({
  site: new Site(openPolicy(loaded.compiled), () => 0, limits, audit),
  audit,
  cache: new ResponseCache(64 << 20),
  counters,
  upstreams,
  detector: NO_DETECTOR,
  secrets: watchSecrets({
    tells: true,
    redacts: true,
    key: new Uint8Array(32),
    clients: { mode: 'keep' },
    counters,
    log: () => undefined,
  }),
  clock: { nowMs: () => performance.now(), wallMs: () => Date.now() },
  limits,
  forwarders: null,
  proxies: null,
  rateLimit: null,
  hashSeed: 7,
  cookieSecret: new Uint8Array(16),
  onBug: (error) => {
    throw error;
  },
});
const socket = new MemorySocket(256);
const intake = path.openIntake();
intake.socket = socket;

const query = Buffer.from(
  '000001000001000000000001' +
    '08' +
    '30'.repeat(8) +
    '0562656e636804746573740000010001' +
    '00002904d0000000000000',
  'hex',
);
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
await upstreams.close();
await audit.close();
rmSync(directory, { recursive: true });
process.exit(lost === 0 ? 0 : 1);
