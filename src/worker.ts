/**
 * A data thread: its own sockets, cache, upstreams and audit segments, and the path that joins them. Knows the rooms it
 * joins and nothing of how they work.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
// Imported, because the global of this name is looked up through a getter each time it is read.
import { performance } from 'node:perf_hooks';
import { parentPort } from 'node:worker_threads';
import {
  type AuditLog,
  type ClientPrivacy,
  ClientTexts,
  openAudit,
  PseudonymKeys,
  readRecipient,
} from './audit/index.ts';
import { ResponseCache } from './cache/index.ts';
import type { Certificates } from './certificates.ts';
import { ThreadDetector } from './detection.ts';
import { ConnectionLimits, connectionsWithin, descriptorsMax, type Listener } from './listen/index.ts';
import { MemoryGuard, memoryRoom } from './memory-guard.ts';
import { At, type Counters, openCounters, publishLag } from './metrics/index.ts';
import { addressOctets, type DatagramSocket, type Engine, openEngine, PrefixSet } from './net/index.ts';
import { type CompiledPolicy, openPolicy, type Policy, type TunnelAction } from './policy/index.ts';
import { poolOptions, socketsAwake } from './pools.ts';
import { Publisher } from './publishing.ts';
import {
  type Intake,
  NO_DETECTOR,
  type PathLimits,
  QueryPath,
  RateLimit,
  Site,
  type SiteLimits,
} from './query/index.ts';
import { type NameWatch, watchSecrets } from './secrets.ts';
import { streamLimits } from './stream-limits.ts';
import { openStreamListeners } from './stream-listeners.ts';
import type {
  AuditState,
  FromWorker,
  Listening,
  LogLevel,
  ToWorker,
  WorkerStart,
} from './thread-messages.ts';
import { type OpenUpstreams, openUpstreams } from './upstream/index.ts';
import { UpstreamLog } from './upstream-log.ts';
import { endedMembers, eventMembers, verdictMembers } from './verdict-notes.ts';
import type { FoundVerdict } from './verdicts.ts';

const TICK_MS = 20;
/** Times the kernel is asked for a port that is free for UDP and for TCP. */
const CHOICES_MAX = 20;
const STATE_EVERY_MS = 1000;
const RESERVED_DESCRIPTORS = 128;
const SOCKET_BUFFER_LENGTH = 4 * 1024 * 1024;
/** Bugs written to the log at most once in so many milliseconds; all of them are counted. */
const BUG_LOG_EVERY_MS = 1000;

class DataThread {
  readonly #start: WorkerStart;
  readonly #counters: Counters;
  readonly #sockets: DatagramSocket[] = [];
  #listeners: Listener[] = [];
  readonly #detector: ThreadDetector | null;
  /** Clients as records of the log about verdicts and events have them. */
  readonly #clientTexts: ClientTexts;
  /** What is written of client addresses. */
  readonly #clients: ClientPrivacy;
  readonly #secrets: NameWatch;
  readonly #proxies: PrefixSet;
  readonly #forwarders: PrefixSet;
  readonly #views = new Map<string, number>();
  readonly #cache: ResponseCache;
  readonly #memory: MemoryGuard;
  /** Counted by a predecessor of this thread. */
  readonly #shedsBefore: number;
  #audit!: AuditLog;
  #auditState: AuditState = { healthy: true, why: '' };
  #upstreams!: OpenUpstreams;
  readonly #upstreamLog = new UpstreamLog((level, fields, message) =>
    this.#log(level, { worker: this.#start.worker, ...fields }, message),
  );
  #publisher: Publisher | null = null;
  #path!: QueryPath;
  #policy: Policy | null = null;
  #bugLoggedAtMs = Number.NEGATIVE_INFINITY;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(start: WorkerStart) {
    this.#start = start;
    this.#counters = openCounters(start.counters);
    const { detect } = start;
    this.#proxies = new PrefixSet(start.settings.listen.proxyProtocolFrom);
    this.#forwarders = new PrefixSet(start.settings.listen.forwarders.from);
    this.#clients = clientPrivacy(start.settings, (why) =>
      this.#log(
        'error',
        { worker: start.worker, why },
        'a key of pseudonyms could not be kept: nobody can look this period up',
      ),
    );
    this.#clientTexts = new ClientTexts(this.#clients);
    this.#secrets = watchSecrets({
      tells: detect !== null && start.settings.detect.secrets !== 'off',
      redacts: start.settings.audit.secrets === 'redact',
      key: start.redactionKey,
      clients: this.#clients,
      counters: this.#counters,
      log: (fields, message) => this.#log('warn', fields, message),
    });
    this.#detector =
      detect === null
        ? null
        : new ThreadDetector({
            memory: detect.memory,
            seed: start.compiled.hashSeed,
            profile: start.settings.detect.profile,
            port: detect.port,
            nameText: this.#secrets.nameText,
            onVerdict: (found) => {
              // Into the same batch as the entry of the query that reached it, so that both are there before its answer.
              this.#noteVerdict(found);
              this.#say({ kind: 'verdict', found });
            },
            learnSeconds: start.settings.detect.events ? start.settings.detect.learn / 1000 : null,
            onEvent: (event) => {
              this.#audit.note('event', eventMembers(event, this.#clientTexts));
              this.#say({ kind: 'event', event });
            },
          });
    this.#cache = new ResponseCache(Math.floor(start.settings.cache.memory / start.workerCount));
    this.#shedsBefore = this.#counters.columns[At.cacheSheds];
    this.#memory = new MemoryGuard({
      cache: this.#cache,
      room: memoryRoom,
      onShed: (room) =>
        this.#log(
          'warn',
          { worker: start.worker, roomMiB: Math.round(room / 2 ** 20) },
          'little memory is left to the process: the cache is made smaller; give the process more, or set cache.memory lower',
        ),
    });
  }

  async open(): Promise<void> {
    const { settings, compiled, cookieSecret, worker } = this.#start;
    const { engine, reason } = await openEngine(settings.io);
    this.#audit = openAudit({
      directory: settings.audit.directory,
      worker,
      mode: settings.audit.mode,
      segmentOctets: settings.audit.segmentSize,
      segmentAgeMs: settings.audit.segmentAge,
      checkpointMs: settings.audit.checkpointInterval,
      reserveOctets: settings.audit.reserve,
      syncIntervalMs: settings.audit.syncInterval,
      clients: this.#clients,
      encryptTo: settings.audit.encryptTo.map(readRecipient),
      keysForShipping: settings.ship.length > 0,
      retention: { ageMs: settings.audit.retention.age, octets: settings.audit.retention.size },
      onState: (healthy, why) => this.#noteAudit(healthy, why),
      ...(settings.audit.checkpoints.length === 0
        ? {}
        : { onCheckpoint: (line: string) => this.#say({ kind: 'checkpoint', line }) }),
    });
    const pools = poolOptions(settings);
    this.#upstreams = await openUpstreams({
      engine,
      pools,
      socketsAwake: socketsAwake(pools, this.#start.workerCount, descriptorsMax()),
      log: (event) => this.#upstreamLog.take(event),
    });
    this.#path = new QueryPath({
      site: this.#siteOf(compiled),
      audit: this.#audit,
      cache: this.#cache,
      counters: this.#counters,
      upstreams: this.#upstreams,
      detector: this.#detector ?? NO_DETECTOR,
      secrets: this.#secrets,
      clock: { nowMs: () => performance.now(), wallMs: () => Date.now() },
      limits: this.#limits(),
      rateLimit: this.#rateLimit(),
      forwarders: this.#forwarders.isEmpty ? null : { ...settings.listen.forwarders, from: this.#forwarders },
      proxies: this.#proxies.isEmpty ? null : this.#proxies,
      hashSeed: compiled.hashSeed,
      cookieSecret,
      onBug: (error) => this.#noteBug(error),
    });
    const listening = await this.#listen(engine);
    this.#publisher = new Publisher(this.#counters, {
      audit: this.#audit,
      cache: this.#cache,
      path: this.#path,
      upstreams: this.#upstreams,
      detector: this.#detector,
      sockets: this.#sockets,
      listeners: this.#listeners,
    });
    this.#timers.push(setInterval(() => this.#tick(), TICK_MS));
    this.#timers.push(setInterval(() => this.#publish(), STATE_EVERY_MS));
    publishLag(this.#counters);
    this.#publish();
    this.#say({ kind: 'ready', engine: engine.name, engineReason: reason, listening });
  }

  /** Everything that is listened on. A port of the kernel's choice for UDP may be taken for TCP: then it chooses again. */
  async #listen(engine: Engine): Promise<Listening[]> {
    const limits = this.#connectionLimits();
    const mayChoose = this.#start.settings.listen.addresses.some(({ port }) => port === 0);
    for (let left = mayChoose ? CHOICES_MAX : 1; ; left--) {
      const udpPorts = await this.#openSockets(engine);
      try {
        this.#listeners = await this.#openStreams(udpPorts, limits);
      } catch (error) {
        const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
        if (!isTaken || left <= 1) throw error;
        await Promise.all(this.#sockets.splice(0).map((socket) => socket.close()));
        continue;
      }
      const streams = this.#listeners.map(({ transport, address, port }) => ({ transport, address, port }));
      return [...udpPorts, ...streams];
    }
  }

  async #openSockets(engine: Engine): Promise<Listening[]> {
    const listening: Listening[] = [];
    for (const { host, port } of this.#start.settings.listen.addresses) {
      const intake = this.#path.openIntake();
      const socket = await this.#openSocket(engine, host, port, intake);
      if (socket === null) continue;
      intake.socket = socket;
      this.#sockets.push(socket);
      listening.push({ transport: 'udp', address: socket.local.address, port: socket.local.port });
    }
    return listening;
  }

  #openStreams(udpPorts: readonly Listening[], limits: ConnectionLimits): Promise<Listener[]> {
    const { settings, reusePort, certificates, ticketKeys } = this.#start;
    return openStreamListeners({
      settings,
      reusePort,
      udpPorts,
      certificates,
      ticketKeys,
      limits,
      isProxy: (address) => this.#proxies.hasText(address),
      onMessage: (message) => this.#path.takeMessage(message),
      onBatchEnd: () => this.#path.endTurn(),
      onError: (error) => this.#log('error', { err: error.message }, 'a stream listener failed'),
    });
  }

  /** A UDP socket; null where this machine has no IPv6 and other addresses are left to listen on. */
  async #openSocket(
    engine: Engine,
    host: string,
    port: number,
    intake: Intake,
  ): Promise<DatagramSocket | null> {
    const { settings, reusePort } = this.#start;
    try {
      return await engine.listen({
        address: host,
        port,
        reusePort,
        slots: settings.limits.slots,
        bufferLength: SOCKET_BUFFER_LENGTH,
        onBatch: intake.onBatch,
        onError: (error) =>
          this.#log('error', { err: error.message, address: host, port }, 'a UDP socket failed'),
      });
    } catch (error) {
      const { message } = error as Error;
      const isOnly = settings.listen.addresses.every(({ family }) => family === 6);
      if (isOnly || !host.includes(':') || !/EADDRNOTAVAIL|EAFNOSUPPORT/.test(message)) throw error;
      this.#log(
        'warn',
        { address: host, port, why: message },
        'this machine has no such IPv6 address: not listening there',
      );
      return null;
    }
  }

  take(message: Exclude<ToWorker, { kind: 'start' }>): void {
    switch (message.kind) {
      case 'policy':
        this.#path.replaceSite(this.#siteOf(message.compiled));
        this.#say({ kind: 'policy-in-force', generation: message.compiled.generation });
        return;
      case 'certificates':
        this.#exchangeCertificates(message.certificates);
        return;
      case 'detector':
        this.#detector?.reconnect(message.port);
        return;
      case 'verdict':
        this.#noteVerdict(message.found);
        return;
      case 'verdict-ended':
        this.#audit.note(
          'verdict-ended',
          endedMembers(message.ended, message.how, Date.now(), this.#clientTexts),
        );
        return;
      case 'note':
        this.#audit.note(message.type, message.members);
        return;
      case 'stop':
        void this.#stop(message.graceMs);
    }
  }

  #exchangeCertificates({ tls, https }: Certificates): void {
    for (const listener of this.#listeners) {
      const fresh = listener.transport === 'dot' ? tls : listener.transport === 'doh' ? https : null;
      if (fresh === null) continue;
      try {
        listener.reloadCertificate?.(fresh.certificate);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        this.#log(
          'error',
          { transport: listener.transport, why },
          'a new certificate was refused; the old one stays',
        );
      }
    }
  }

  /** Listening ends first; what is in flight is answered; then the audit is closed, as the last thing. */
  async #stop(graceMs: number): Promise<void> {
    const deadlineMs = performance.now() + graceMs;
    const closing = this.#listeners.map((listener) => listener.close(graceMs));
    while (this.#path.waiting > 0 && performance.now() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    await Promise.all(closing);
    this.#path.endTurn();
    await Promise.all(this.#sockets.map((socket) => socket.close()));
    for (const timer of this.#timers) clearInterval(timer);
    await this.#upstreams.close();
    this.#detector?.close();
    await this.#audit.close();
    this.#publish();
    parentPort?.close();
  }

  #siteOf(compiled: CompiledPolicy): Site {
    this.#policy = openPolicy(compiled);
    return new Site(this.#policy, (group) => this.#viewOf(group), this.#limits(), this.#audit);
  }

  #noteVerdict(found: FoundVerdict): void {
    this.#audit.note('verdict', verdictMembers(found, this.#clientTexts));
  }

  /** A group keeps its view over reloads, and with it its share of the cache. */
  #viewOf(group: string): number {
    const known = this.#views.get(group);
    if (known !== undefined) return known;
    const view = this.#views.size;
    this.#views.set(group, view);
    return view;
  }

  #limits(): PathLimits & SiteLimits {
    const { limits, cache, detect } = this.#start.settings;
    return {
      udpSize: limits.udpSize,
      pendingPerClient: limits.pendingPerClient,
      pendingPerProvenClient: limits.pendingPerProvenClient,
      pendingPerForwarder: limits.pendingPerForwarder,
      flightsPerDomain: limits.flightsPerDomain,
      clientDeadlineMs: limits.clientDeadline,
      forwarderDeadlineMs: limits.forwarderDeadline,
      tunnels: {
        default: tunnelsFrom(detect, detect.action),
        strict: tunnelsFrom(detect, detect.strictAction ?? detect.action),
      },
      denySecrets: detect.enabled && detect.secrets === 'block',
      aliasRestarts: limits.aliasRestarts,
      flights: limits.slots,
      failureTtlSeconds: cache.failureTtl / 1000,
      prefetch: cache.prefetch.enabled ? cache.prefetch : null,
      staleSeconds: cache.serveStale.enabled ? cache.serveStale.max / 1000 : 0,
      staleAfterMs: cache.serveStale.clientTimer,
      ttlMinSeconds: Math.floor(cache.ttlMin / 1000),
      ttlMinStrictSeconds: detect.enabled ? Math.floor(cache.ttlMinStrict / 1000) : 0,
      defaultProfile: detect.profile,
      ttlMaxSeconds: Math.floor(cache.ttlMax / 1000),
      negativeTtlMaxSeconds: Math.floor(cache.negativeTtlMax / 1000),
    };
  }

  /** Whether connections from this address speak for many clients. */
  #isForwarder(address: string): boolean {
    if (this.#proxies.hasText(address) || this.#forwarders.hasText(address)) return true;
    const octets = addressOctets(address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, ''));
    if (octets === null || this.#policy === null) return false;
    const group = this.#policy.groupOf(octets, octets.length);
    return group >= 0 && this.#policy.groups[group].forwarder;
  }

  #rateLimit(): RateLimit | null {
    const { rateTable, settings, compiled } = this.#start;
    if (rateTable === null) return null;
    const { perSecond, includeForwarders } = settings.limits.responseRate;
    return new RateLimit({
      table: rateTable,
      perSecond,
      seed: compiled.hashSeed,
      includesForwarders: includeForwarders,
    });
  }

  #connectionLimits(): ConnectionLimits {
    const { limits } = this.#start.settings;
    // Descriptors are left for UDP, upstreams and the audit, whatever the limit of the process is.
    const clients = connectionsWithin(limits.tcpClients, RESERVED_DESCRIPTORS);
    return new ConnectionLimits({
      ...streamLimits(limits),
      isForwarder: (address) => this.#isForwarder(address),
      clientsMax: Math.ceil(clients / this.#start.workerCount),
    });
  }

  #tick(): void {
    this.#path.tick();
    this.#memory.step();
  }

  /** Numbers for the scraper and the state for the control thread. */
  #publish(): void {
    this.#memory.look();
    this.#counters.columns[At.cacheSheds] = this.#shedsBefore + this.#memory.sheds;
    this.#publisher?.publish();
    this.#say({ kind: 'state', upstreams: this.#upstreams.state(), audit: this.#auditState });
  }

  #noteAudit(healthy: boolean, why: string): void {
    this.#auditState = { healthy, why };
    this.#counters.columns[At.auditHealthy] = healthy ? 1 : 0;
    const worker = this.#start.worker;
    if (healthy) this.#log('info', { worker, why }, 'the audit is written again');
    else {
      const then = this.#start.settings.audit.mode === 'open' ? 'entries are lost' : 'queries are refused';
      this.#log('error', { worker, why }, `the audit cannot be written: ${then}`);
    }
    this.#say({ kind: 'state', upstreams: [], audit: this.#auditState });
  }

  #noteBug(error: unknown): void {
    const nowMs = performance.now();
    if (nowMs - this.#bugLoggedAtMs < BUG_LOG_EVERY_MS) return;
    this.#bugLoggedAtMs = nowMs;
    const stack = error instanceof Error ? error.stack : String(error);
    this.#log('error', { stack }, 'a query met a fault of Sallyport and was answered SERVFAIL');
  }

  #log(level: LogLevel, fields: object, message: string): void {
    this.#say({ kind: 'log', level, fields, message });
  }

  #say(message: FromWorker): void {
    parentPort?.postMessage(message);
  }
}

function clientPrivacy({ audit }: WorkerStart['settings'], onTrouble: (why: string) => void): ClientPrivacy {
  if (audit.clients !== 'pseudonymise') return { mode: audit.clients };
  const { rotate, keep, directory = join(audit.directory, '..', 'pseudonyms') } = audit.pseudonyms;
  if (rotate > 0) {
    return {
      mode: 'pseudonymise',
      keys: new PseudonymKeys({ directory, rotateMs: rotate, keepMs: keep, onTrouble }),
    };
  }
  // Settings without a key file are refused when they are read.
  return { mode: 'pseudonymise', key: readFileSync(audit.pseudonymKeyFile ?? '') };
}

const tunnelsFrom = (
  { hold, namesPerMinute }: WorkerStart['settings']['detect'],
  action: TunnelAction,
): SiteLimits['tunnels']['default'] => ({ action, holdSeconds: hold / 1000, namesPerMinute });

/** Made by the first message: until that comes, this thread has only loaded its modules. */
let thread: DataThread | null = null;
parentPort?.on('message', (message: ToWorker) => {
  if (message.kind !== 'start') {
    thread?.take(message);
    return;
  }
  thread = new DataThread(message.start);
  // What goes wrong here ends the thread, as an error that the control thread sees.
  void thread.open();
});
