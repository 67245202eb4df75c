/**
 * The control thread: compiles the policy, starts the data threads, serves HTTP, reloads and stops. Joins rooms and
 * answers no query itself.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { type NoteMembers, readRecipient } from './audit/index.ts';
import { type Certificates, readCertificates } from './certificates.ts';
import { carryCheckpoints, checkpointFamilies } from './checkpoint-carrying.ts';
import type { CheckpointCarriers } from './checkpoints/index.ts';
import type { Endpoint, Fault, Settings } from './config/index.ts';
import {
  type ControlRoom,
  type ControlServer,
  createStop,
  type ExplainQuestion,
  type ExplainResult,
  type Log,
  type ReleaseAnswer,
  type ReleaseQuestion,
  type ReloadResult,
  type Stop,
  startControl,
} from './control/index.ts';
import { startDataThread } from './data-thread.ts';
import { Detection } from './detector-thread.ts';
import { explain } from './explain.ts';
import { memoryRoom, threadsWithin } from './memory-guard.ts';
import {
  type Counters,
  createCounters,
  createExposition,
  type Exposition,
  openCounters,
} from './metrics/index.ts';
import { openEngine } from './net/index.ts';
import { type LoadedPolicy, loadPolicy } from './policy-loading.ts';
import { demandFree } from './port-probe.ts';
import { openRedactionKey } from './redaction-key.ts';
import { Shipper } from './shipper-thread.ts';
import type { AuditState, FromWorker, Listening, ToWorker, WorkerStart } from './thread-messages.ts';
import type { UpstreamServerState } from './upstream/index.ts';
import type { FoundEvent, ShownVerdict } from './verdicts.ts';
import { VERSION } from './version.ts';

const RESTART_AFTER_MS = 100;
/** Restarts of one worker within RESTART_WINDOW_MS after which the process gives up: a supervisor sees it then. */
const RESTARTS_MAX = 10;
const RESTART_WINDOW_MS = 60_000;
const DRAIN_MS = 5000;
/** How long the last checkpoints may take to leave. */
const CHECKPOINT_MS = 2000;
/** How long receivers of the audit are given to take the rest when the service ends. */
const SHIP_DRAIN_MS = 2000;
/** Events that `/api/events` shows. */
const EVENTS_MAX = 500;
/** Losses that wait for the audit to be open; each is in the operational log as well. */
const LOSSES_DUE_MAX = 64;

/** A data thread as the control thread sees it. */
interface DataThread {
  readonly worker: number;
  readonly memory: SharedArrayBuffer;
  readonly counters: Counters;
  thread: Worker | null;
  ready: boolean;
  listening: readonly Listening[];
  engine: string;
  engineReason: string | null;
  generation: number;
  upstreams: readonly UpstreamServerState[];
  audit: AuditState;
  readonly restartedAtMs: number[];
}

export interface ServiceOptions {
  readonly settings: Settings;
  readonly log: Log;
  /** A data thread that is loading already; without it one is started. */
  readonly firstThread?: Worker;
  /** How long queries are still answered after the service has said that it is not ready any more. */
  readonly lameDuckMs: number;
  /** Called when the service cannot go on; the process should exit with 1. */
  readonly onFatal: (why: string) => void;
}

export interface ServiceAddresses {
  readonly listening: readonly Listening[];
  readonly http: { readonly address: string; readonly port: number } | null;
}

export class ServiceFaults extends Error {
  readonly faults: readonly Fault[];
  constructor(faults: readonly Fault[]) {
    super('the policy has faults');
    this.faults = faults;
  }
}

export class Service {
  readonly #options: ServiceOptions;
  readonly #log: Log;
  /** Kept over restarts together with what the detector learnt under it. */
  readonly #hashSeed: number;
  readonly #detection: Detection | null;
  readonly #shipper: Shipper | null;
  /** What the audit has to say of shipping once it is open. */
  readonly #lossesDue: NoteMembers[] = [];
  /** The newest events, the oldest first. */
  readonly #events: FoundEvent[] = [];
  readonly #cookieSecret = new Uint8Array(randomBytes(16));
  #rateTable: SharedArrayBuffer | null = null;
  readonly #ticketKeys = new Uint8Array(randomBytes(48));
  #redactionKey: Uint8Array = new Uint8Array(0);
  #certificates: Certificates = { tls: null, https: null };
  readonly #threads: DataThread[] = [];
  readonly #checkpoints: CheckpointCarriers;
  readonly #exposition: Exposition;
  readonly #stop: Stop;
  #loaded!: LoadedPolicy;
  #generation = 0;
  #reloadsOk = 0;
  #reloadsFailed = 0;
  #isLastReloadOk = true;
  #loadedAtMs = Date.now();
  #reloading: Promise<ReloadResult> | null = null;
  #control: ControlServer | null = null;
  readonly #startedAtMs = Date.now();

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#log = options.log;
    const { detect } = options.settings;
    this.#detection = detect.enabled
      ? new Detection(detect.stateDirectory, options.settings.audit.clients === 'keep', this.#log, {
          onRestart: () => this.#reconnectDetector(),
          onVerdict: (found) => this.#tellAudit({ kind: 'verdict', found }),
          onEnded: (ended, how) => this.#tellAudit({ kind: 'verdict-ended', ended, how }),
        })
      : null;
    this.#shipper = this.#createShipper();
    this.#hashSeed = this.#detection?.seed ?? randomBytes(4).readInt32LE(0);
    this.#checkpoints = carryCheckpoints(options.settings, this.#log);
    this.#exposition = createExposition({
      workers: () => this.#threads.map(({ counters }) => counters),
      upstreams: () => this.#threads.flatMap(({ upstreams }) => upstreams),
      policy: () => this.#policySample(),
      build: this.#build(),
      more: [...checkpointFamilies(this.#checkpoints), ...(this.#shipper?.families() ?? [])],
    });
    this.#stop = createStop({
      lameDuckMs: options.lameDuckMs,
      drainMs: DRAIN_MS + CHECKPOINT_MS + 1000 + (this.#shipper === null ? 0 : SHIP_DRAIN_MS + 1000),
      drain: () => this.#drain(),
      log: this.#log,
    });
  }

  /** Policy first, then data threads, then HTTP. Throws ServiceFaults for a policy that must not go into force. */
  async start(): Promise<void> {
    const { settings } = this.#options;
    const loaded = this.#load();
    if (!('compiled' in loaded)) throw new ServiceFaults(loaded.faults);
    this.#loaded = loaded;
    this.#logFaults(loaded.faults);
    mkdirSync(settings.audit.directory, { recursive: true });
    this.#redactionKey = openRedactionKey(settings.audit.directory, (why) =>
      this.#log.warn(
        { why },
        'the key of redacted secrets cannot be kept: their hashes hold until the next start',
      ),
    );
    // A key that cannot be used is told before any thread is started.
    settings.audit.encryptTo.map(readRecipient);
    this.#certificates = readCertificates(settings);
    if (settings.limits.responseRate.perSecond > 0) {
      // The rest of that room is for data threads.
      const { createRateTable } = await import('./query/index.ts');
      this.#rateTable = createRateTable();
    }
    const workerCount = await this.#workerCount();
    // One thread does not share its ports, and is told by the kernel.
    if (workerCount > 1) await demandFree(settings.listen);
    for (let worker = 0; worker < workerCount; worker++) {
      const memory = createCounters();
      this.#threads.push({
        worker,
        memory,
        counters: openCounters(memory),
        thread: null,
        ready: false,
        listening: [],
        engine: '',
        engineReason: null,
        generation: 0,
        upstreams: [],
        audit: { healthy: true, why: '' },
        restartedAtMs: [],
      });
    }
    const [first, ...others] = this.#threads;
    // Before anything is written: a sink that is new begins with what comes from now on.
    await this.#shipper?.start();
    // The first binds the ports, also those that the kernel chooses; the others share them.
    await this.#run(first, this.#options.firstThread);
    this.#detection?.begin();
    await Promise.all([this.#openControl(), ...others.map((thread) => this.#run(thread))]);
    this.#log.info(this.summary(), 'serving');
  }

  async #openControl(): Promise<void> {
    const { http } = this.#options.settings;
    if (!http.enabled) return;
    this.#control = await startControl(
      {
        address: http.listen.host,
        port: http.listen.port,
        token: readToken(this.#options.settings),
        log: this.#log,
      },
      this.#controlRoom(),
    );
  }

  get addresses(): ServiceAddresses {
    const control = this.#control;
    return {
      listening: this.#threads[0]?.listening ?? [],
      http: control === null ? null : { address: control.address, port: control.port },
    };
  }

  /** The policy in force. */
  get loaded(): LoadedPolicy {
    return this.#loaded;
  }

  /** What is served, in a few fields, for the log and for people. */
  summary(): {
    version: string;
    engine: string;
    engineReason: string | null;
    workers: number;
    policies: readonly string[];
    rules: number;
    groups: readonly string[];
    upstreams: Record<string, readonly string[]>;
    audit: string;
  } {
    const { settings } = this.#options;
    const first = this.#threads[0];
    const pools: Record<string, string[]> = {};
    for (const { pool, server } of first?.upstreams ?? []) {
      pools[pool] ??= [];
      pools[pool].push(server);
    }
    return {
      version: VERSION,
      engine: first?.engine ?? '',
      engineReason: first?.engineReason ?? null,
      workers: this.#threads.length,
      policies: this.#loaded.files,
      rules: this.#loaded.ruleCount,
      groups: this.#loaded.policy.groups.map(({ name }) => name),
      upstreams: pools,
      audit: settings.audit.directory,
    };
  }

  /** Ends the service gracefully, or at once when asked a second time. Resolves to the exit code. */
  stop(reason: string): Promise<number> {
    return this.#stop.begin(reason);
  }

  /** Reads the policies again; on a fault the old policy stays. One reload runs at a time, a second one waits for it. */
  async reload(): Promise<ReloadResult> {
    while (this.#reloading !== null) await this.#reloading;
    this.#reloading = this.#reloadNow();
    try {
      return await this.#reloading;
    } finally {
      this.#reloading = null;
    }
  }

  async #reloadNow(): Promise<ReloadResult> {
    const startedAtMs = performance.now();
    let faults: readonly Fault[];
    let ok = false;
    try {
      const loaded = this.#load();
      faults = loaded.faults;
      if ('compiled' in loaded) {
        // Certificates first: what cannot be read must stop the reload before anything has changed.
        this.#certificates = readCertificates(this.#options.settings);
        await this.#putInForce(loaded);
        ok = true;
      }
    } catch (error) {
      // Whatever went wrong, the policy in force stays in force.
      faults = [unexpectedFault(error)];
    }
    if (ok) this.#reloadsOk++;
    else this.#reloadsFailed++;
    this.#isLastReloadOk = ok;
    const result: ReloadResult = {
      ok,
      generation: this.#loaded.compiled.generation,
      rules: this.#loaded.ruleCount,
      tookMs: Math.round(performance.now() - startedAtMs),
      faults,
    };
    const { generation, rules, tookMs } = result;
    if (ok) this.#log.info({ generation, rules, tookMs }, 'policy reloaded');
    else this.#log.error({ generation, tookMs }, 'reload refused: the policy in force stays');
    this.#logFaults(faults);
    return result;
  }

  async #putInForce(loaded: LoadedPolicy): Promise<void> {
    this.#loaded = loaded;
    this.#loadedAtMs = Date.now();
    for (const thread of this.#threads) {
      this.#tell(thread, { kind: 'certificates', certificates: this.#certificates });
      this.#tell(thread, { kind: 'policy', compiled: loaded.compiled });
    }
    const deadlineMs = performance.now() + DRAIN_MS;
    const isBehind = (thread: DataThread): boolean =>
      thread.ready && thread.generation < loaded.compiled.generation;
    while (this.#threads.some(isBehind) && performance.now() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  #load(): LoadedPolicy | { readonly faults: readonly Fault[] } {
    this.#generation++;
    return loadPolicy(this.#options.settings, {
      hashSeed: this.#hashSeed,
      generation: this.#generation,
      nowMs: Date.now(),
    });
  }

  /** Several workers need a shared port; where the engine cannot share, there is one. */
  async #workerCount(): Promise<number> {
    const { settings } = this.#options;
    const wanted = settings.workers === 'auto' ? this.#automaticCount() : settings.workers;
    if (wanted === 1) return 1;
    const { engine } = await openEngine(settings.io);
    if (engine.name === 'native') return wanted;
    if (settings.workers !== 'auto') {
      this.#log.warn(
        { wanted, engine: engine.name },
        'this socket engine cannot share a port here: one worker is started',
      );
    }
    return 1;
  }

  /** One for each core, or as many as there is memory for: a small container on a machine of 64 cores must start as well. */
  #automaticCount(): number {
    const cores = availableParallelism();
    const room = memoryRoom();
    const fitting = threadsWithin(room, this.#options.settings.cache.memory);
    if (fitting >= cores) return cores;
    this.#log.info(
      { cores, workers: fitting, roomMiB: Math.round((room ?? 0) / 2 ** 20) },
      'there is not memory for a data thread on every core: fewer are started; workers or more memory changes that',
    );
    return fitting;
  }

  #run(thread: DataThread, worker = startDataThread(thread.worker)): Promise<void> {
    const port = this.#detection?.connect() ?? null;
    const start: WorkerStart = {
      worker: thread.worker,
      workerCount: this.#threads.length,
      settings: this.#settingsOf(thread),
      compiled: this.#loaded.compiled,
      counters: thread.memory,
      cookieSecret: this.#cookieSecret,
      rateTable: this.#rateTable,
      certificates: this.#certificates,
      ticketKeys: this.#ticketKeys,
      redactionKey: this.#redactionKey,
      reusePort: this.#threads.length > 1,
      detect: this.#detection === null || port === null ? null : { memory: this.#detection.memory, port },
    };
    worker.postMessage({ kind: 'start', start } satisfies ToWorker, port === null ? [] : [port]);
    thread.thread = worker;
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromWorker) => {
        this.#hear(thread, message);
        if (message.kind === 'ready') resolve();
      });
      worker.on('error', (error) => {
        // One that has not served yet is told to who started it.
        if (thread.ready) this.#log.error({ worker: thread.worker, err: error }, 'a data thread failed');
        reject(error);
      });
      worker.on('exit', (code) => this.#noteExit(thread, code));
    });
  }

  /** Ports that the kernel chose for the first thread are what the others, and its successor, listen on. */
  #settingsOf(thread: DataThread): Settings {
    const { settings } = this.#options;
    const known = (thread.listening.length > 0 ? thread : this.#threads[0]).listening;
    if (known.length === 0) return settings;
    const { listen } = settings;
    const bound = (addresses: readonly Endpoint[], transport: Listening['transport']): Endpoint[] => {
      const ports = known.filter((one) => one.transport === transport);
      // In order, address by address: the kernel may have chosen different ports for one address given twice.
      return addresses.map((address) => {
        const at = ports.findIndex((one) => one.address === address.host);
        return at === -1 ? address : { ...address, port: ports.splice(at, 1)[0].port };
      });
    };
    return {
      ...settings,
      listen: {
        ...listen,
        addresses: bound(listen.addresses, 'udp'),
        tls: { ...listen.tls, addresses: bound(listen.tls.addresses, 'dot') },
        https: { ...listen.https, addresses: bound(listen.https.addresses, 'doh') },
      },
    };
  }

  #hear(thread: DataThread, message: FromWorker): void {
    switch (message.kind) {
      case 'ready':
        thread.ready = true;
        thread.listening = message.listening;
        thread.engine = message.engine;
        thread.engineReason = message.engineReason;
        thread.generation = this.#loaded.compiled.generation;
        for (const members of this.#lossesDue.splice(0)) this.#noteLoss(members);
        return;
      case 'policy-in-force':
        thread.generation = message.generation;
        return;
      case 'state':
        if (message.upstreams.length > 0) thread.upstreams = message.upstreams;
        thread.audit = message.audit;
        return;
      case 'verdict':
        this.#detection?.note(message.found);
        return;
      case 'event':
        this.#noteEvent(message.event);
        return;
      case 'checkpoint':
        this.#checkpoints.take(thread.worker, message.line);
        return;
      case 'log':
        this.#log[message.level](message.fields, message.message);
    }
  }

  /** A thread that was not asked to end is started again; one that keeps dying ends the process. */
  #noteExit(thread: DataThread, code: number): void {
    const wasReady = thread.ready;
    thread.thread = null;
    thread.ready = false;
    if (this.#stop.stopping || !wasReady) return;
    const nowMs = performance.now();
    while (thread.restartedAtMs.length > 0 && thread.restartedAtMs[0] < nowMs - RESTART_WINDOW_MS) {
      thread.restartedAtMs.shift();
    }
    if (thread.restartedAtMs.length >= RESTARTS_MAX) {
      this.#options.onFatal(`data thread ${thread.worker} ended ${RESTARTS_MAX} times within a minute`);
      return;
    }
    thread.restartedAtMs.push(nowMs);
    this.#log.error({ worker: thread.worker, code }, 'a data thread ended; it is started again');
    setTimeout(() => {
      if (this.#stop.stopping) return;
      this.#run(thread).catch((error: unknown) => {
        this.#options.onFatal(`data thread ${thread.worker} could not be started again: ${String(error)}`);
      });
    }, RESTART_AFTER_MS);
  }

  #tell(thread: DataThread, message: ToWorker): void {
    thread.thread?.postMessage(message);
  }

  #createShipper(): Shipper | null {
    const { ship: sinks, audit } = this.#options.settings;
    if (sinks.length === 0) return null;
    return new Shipper({
      directory: audit.directory,
      sinks,
      version: VERSION,
      log: this.#log,
      onLoss: ({ sink, worker, from, to, count, why }) =>
        this.#noteLoss({ sink, log: worker, from, to, count, why }),
    });
  }

  /** The audit says itself what will never arrive elsewhere; what is found before a thread can write it waits. */
  #noteLoss(members: NoteMembers): void {
    const thread = this.#threads.find(({ ready }) => ready);
    if (thread !== undefined) this.#tell(thread, { kind: 'note', type: 'unshipped', members });
    else if (this.#lossesDue.length < LOSSES_DUE_MAX) this.#lossesDue.push(members);
  }

  /** Every log is as good as another for what is said of all of them; none is told twice. */
  #tellAudit(message: ToWorker): void {
    const thread = this.#threads.find(({ ready }) => ready);
    if (thread !== undefined) this.#tell(thread, message);
  }

  #noteEvent(event: FoundEvent): void {
    if (this.#events.length === EVENTS_MAX) this.#events.shift();
    this.#events.push(event);
    const { event: kind, group, domain, bits } = event;
    // Clients are not named in the log: that is the audit's.
    this.#log.info({ event: kind, group, domain, ...(bits > 0 && { bits: Math.round(bits) }) }, 'event');
  }

  #reconnectDetector(): void {
    for (const { thread } of this.#threads) {
      const port = this.#detection?.connect();
      if (thread === null || port === undefined) continue;
      thread.postMessage({ kind: 'detector', port } satisfies ToWorker, [port]);
    }
  }

  async #drain(): Promise<void> {
    const ended = this.#threads.map(({ thread }) =>
      thread === null
        ? Promise.resolve()
        : new Promise<void>((resolve) => thread.once('exit', () => resolve())),
    );
    for (const thread of this.#threads) this.#tell(thread, { kind: 'stop', graceMs: DRAIN_MS });
    await Promise.all(ended);
    await Promise.all([
      this.#checkpoints.close(CHECKPOINT_MS),
      this.#detection?.close(),
      this.#shipper?.close(SHIP_DRAIN_MS),
    ]);
    await this.#control?.close(500);
  }

  #controlRoom(): ControlRoom {
    return {
      alive: () => this.#threads.every(({ thread }) => thread !== null),
      healthy: () => this.#threads.every(({ audit, thread }) => audit.healthy && thread !== null),
      degraded: () => this.#shipper?.degraded() ?? [],
      unready: () => this.unready(),
      state: () => this.#state(),
      reload: () => this.reload(),
      explain: (question) => this.#explain(question),
      verdicts: () => this.#verdicts(),
      events: () => this.#shownEvents(),
      release: (asked) => this.#release(asked),
      metrics: async () => ({
        contentType: this.#exposition.contentType,
        body: await this.#exposition.render(),
      }),
    };
  }

  /** What keeps queries from being welcome, in words; empty when all is well. */
  unready(): string[] {
    const parts: string[] = [];
    if (this.#stop.stopping) parts.push('stopping');
    for (const { worker, ready, audit } of this.#threads) {
      if (!ready) parts.push(`worker ${worker} is not serving`);
      if (!audit.healthy) parts.push(`audit of worker ${worker}: ${audit.why}`);
    }
    return parts;
  }

  #state(): unknown {
    const { policy, compiled, files, ruleCount } = this.#loaded;
    return {
      ...this.summary(),
      startedAt: new Date(this.#startedAtMs).toISOString(),
      addresses: this.addresses,
      ready: this.unready().length === 0,
      policy: { generation: compiled.generation, files, rules: ruleCount, groups: policy.groups },
      verdicts: this.#verdicts(),
      checkpoints: this.#checkpoints.states,
      ship: this.#shipper?.list() ?? [],
      workers: this.#threads.map(({ worker, ready, generation, audit, engine, upstreams }) => ({
        worker,
        ready,
        generation,
        engine,
        audit,
        upstreams,
      })),
    };
  }

  /** The newest first. */
  #shownEvents(): readonly unknown[] {
    return this.#events
      .map(({ atMs, bits, ...rest }) => ({
        time: new Date(atMs).toISOString(),
        ...rest,
        ...(bits > 0 && { bits: Math.round(bits) }),
      }))
      .reverse();
  }

  #verdicts(): readonly ShownVerdict[] {
    return this.#detection?.verdicts.list(Date.now()) ?? [];
  }

  #release(asked: ReleaseQuestion): ReleaseAnswer {
    if (this.#detection === null)
      return {
        ok: false,
        status: 404,
        fault: 'the tunnel detector is off (detect.enabled): nothing is held',
      };
    const outcome = this.#detection.release(asked);
    if (!outcome.ok) return outcome;
    const { released, stillHeld } = outcome;
    this.#log.info(
      { released: released.length, stillHeld: stillHeld.length },
      'a tunnel verdict was released by hand',
    );
    return { ok: true, answer: { released, stillHeld } };
  }

  #explain({ name, type, client }: ExplainQuestion): ExplainResult {
    const { policy } = this.#loaded;
    const answer = explain(policy, this.#hashSeed, { name, type, client: client ?? '127.0.0.1' }, Date.now());
    return 'fault' in answer ? { ok: false, fault: answer.fault } : { ok: true, answer };
  }

  /** Read at each scrape: the engine is known when the first thread has started. */
  #build(): { readonly version: string; readonly engine: string } {
    const threads = this.#threads;
    return {
      version: VERSION,
      get engine() {
        return threads[0]?.engine ?? '';
      },
    };
  }

  #policySample(): {
    generation: number;
    rules: number;
    reloadsOk: number;
    reloadsFailed: number;
    isLastReloadOk: boolean;
    loadedAtSeconds: number;
    exceptionsActive: number;
    exceptionsExpiringSeconds: number | null;
  } {
    const nowMs = Date.now();
    const ends = this.#loaded.rules
      .map(({ expiresAtMs }) => expiresAtMs)
      .filter((endMs): endMs is number => endMs !== null && endMs > nowMs);
    return {
      generation: this.#loaded.compiled.generation,
      rules: this.#loaded.ruleCount,
      reloadsOk: this.#reloadsOk,
      reloadsFailed: this.#reloadsFailed,
      isLastReloadOk: this.#isLastReloadOk,
      loadedAtSeconds: this.#loadedAtMs / 1000,
      exceptionsActive: ends.length,
      exceptionsExpiringSeconds: ends.length === 0 ? null : (Math.min(...ends) - nowMs) / 1000,
    };
  }

  #logFaults(faults: readonly Fault[]): void {
    for (const { severity, file, line, path, what, instead } of faults) {
      const level = severity === 'fault' ? 'error' : severity === 'warning' ? 'warn' : 'info';
      this.#log[level]({ file, line, path, instead }, what);
    }
  }
}

function readToken(settings: Settings): string | null {
  const { token, tokenFile } = settings.http;
  if (tokenFile !== undefined) return readFileSync(tokenFile, 'utf8').trim();
  return token ?? null;
}

const unexpectedFault = (error: unknown): Fault => ({
  severity: 'fault',
  file: '',
  line: 0,
  column: 0,
  path: '',
  what: `the policy could not be loaded: ${error instanceof Error ? error.message : String(error)}`,
  instead: 'mend what is named here and reload again',
  excerpt: null,
});
