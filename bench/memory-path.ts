/**
 * The query path with its cache, policy, upstreams and audit over sockets in memory: for benches of what a query costs
 * without the system calls of its datagrams.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
import { type Intake, NO_DETECTOR, QueryPath, Site } from '../src/query/index.ts';
import { watchSecrets } from '../src/secrets.ts';
import { openUpstreams } from '../src/upstream/index.ts';
import { WorkerLog as NoLog } from './without-audit/null-log.ts';

/** NAME, TTL one hour, 192.0.2.1; then OPT. */
const ANSWER = Buffer.from('c00c0001000100000e100004c000020100002904d0000000000000', 'hex');

/** Upstream and sockets in memory: what is sent is answered when `deliver` is called. */
export class MemoryEngine implements Engine {
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

export class MemorySocket implements DatagramSocket {
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

/** A question for `00000000.bench.test`, A, with an OPT; the digits stand at octets 13 to 20. */
export const QUERY = Buffer.from(
  '000001000001000000000001' +
    '08' +
    '30'.repeat(8) +
    '0562656e636804746573740000010001' +
    '00002904d0000000000000',
  'hex',
);

export interface MemoryPath {
  readonly engine: MemoryEngine;
  readonly socket: MemorySocket;
  readonly intake: Intake;
  close(): Promise<void>;
}

/** `withAudit` false puts a log in its place that keeps nothing. */
export async function openMemoryPath(withAudit: boolean): Promise<MemoryPath> {
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
  const audit = withAudit
    ? openAudit({ directory: join(directory, 'audit'), worker: 0, reserveOctets: 0 })
    : new NoLog();
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

  return {
    engine,
    socket,
    intake,
    async close() {
      await upstreams.close();
      await audit.close();
      rmSync(directory, { recursive: true });
    },
  };
}
