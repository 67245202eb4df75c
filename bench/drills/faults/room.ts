/** What every fault drill begins with: a Sallyport of its own, its metrics and its memory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

const MIB = 2 ** 20;

/** Names below `torture.test`, `other.test`, `third.test` are allowed; data of any kind. The detector is off: it would
 * stop random names before they became a flood. */
export const POLICY = `
sets:
  drill:
    reason: Names of the drills.
    allow:
      - name: +.torture.test
        types: [A, AAAA, TXT]
      - name: +.other.test
        types: [A, AAAA, TXT]
      - name: +.third.test
        types: [A, AAAA, TXT]
groups:
  everyone:
    clients: [127.0.0.0/8]
    sets: [drill]
`;

export interface RoomOptions {
  readonly upstreams: readonly string[];
  readonly policy?: string;
  readonly workers?: number;
  /** More of the settings file, as text. */
  readonly settings?: string;
  /** More settings, by path. */
  readonly set?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

/** The checkout, from `bench/` as well as from its compiled form. */
export const CHECKOUT = (() => {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) directory = dirname(directory);
  return directory;
})();

const START_MS = 20_000;

export class Room {
  readonly directory = mkdtempSync(join(tmpdir(), 'sallyport-drill-'));
  readonly #options: RoomOptions;
  port = 0;
  #greeting = '';
  #http = '';
  #child!: ChildProcess;
  stderr = '';
  /** How the process ended, if it did. */
  #end = '';

  private constructor(options: RoomOptions) {
    this.#options = options;
    this.writePolicy(options.policy ?? POLICY);
    const more = options.settings ?? '';
    writeFileSync(join(this.directory, 'sallyport.yaml'), `policies: [policy.yaml]\n${more}`);
  }

  static async open(options: RoomOptions): Promise<Room> {
    const room = new Room(options);
    await room.start();
    return room;
  }

  writePolicy(policy: string): void {
    writeFileSync(join(this.directory, 'policy.yaml'), policy);
  }

  /** Starts the process, on the port it had before if there was one. Resolves when it serves. */
  async start(): Promise<void> {
    const { upstreams, workers, set, env } = this.#options;
    const settings: Record<string, string> = {
      'audit.directory': join(this.directory, 'audit'),
      'detect.enabled': 'false',
      'log.level': 'warn',
      workers: String(workers ?? 1),
      ...set,
    };
    const args = [join(CHECKOUT, 'dist/cli/sallyport.js'), 'serve'];
    args.push('-c', join(this.directory, 'sallyport.yaml'), '-l', `127.0.0.1:${this.port}`);
    args.push('--http', '127.0.0.1:0');
    for (const upstream of upstreams) args.push('-u', upstream);
    for (const [path, value] of Object.entries(settings)) args.push('--set', `${path}=${value}`);
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.#child = child;
    this.#end = '';
    child.once('exit', (code, signal) => {
      this.#end = `ended with ${signal ?? code}`;
    });
    let stdout = '';
    child.stderr.on('data', (chunk) => {
      this.stderr += chunk;
    });
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string): void => reject(new Error(`${why}: ${stdout}${this.stderr}`));
      const timer = setTimeout(() => fail(`no greeting in ${START_MS / 1000} s`), START_MS);
      child.once('exit', (code) => fail(`ended with ${code} before it served`));
      child.stdout.on('data', (chunk) => {
        stdout += chunk;
        if (!/Try:\n(.*\n){3}/.test(stdout)) return;
        clearTimeout(timer);
        resolve();
      });
    });
    this.#greeting = stdout;
    this.port = Number(/serving\s+\S+?:(\d+) \(/.exec(stdout)?.[1]);
    this.#http = /http\s+(http:\/\/[^/]+)/.exec(stdout)?.[1] ?? '';
  }

  /** The port of a listener over this transport. */
  portOf(transport: string): number {
    return Number(new RegExp(`127\\.0\\.0\\.1:(\\d+) \\(${transport}\\)`).exec(this.#greeting)?.[1]);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** SIGKILL. Resolves when the process is gone. */
  async kill(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }

  async get(path: string, init: RequestInit = {}): Promise<{ status: number; body: string }> {
    try {
      const response = await fetch(this.#http + path, init);
      return { status: response.status, body: await response.text() };
    } catch (cause) {
      // What a dying process closes comes here before its end does.
      await new Promise((resolve) => setTimeout(resolve, 500));
      throw new Error(`${path}: no answer; the process ${this.#end || 'is alive'}: ${this.stderr}`, { cause });
    }
  }

  /** Every line of the audit that is an entry of a query. */
  entries(): { readonly qname: string | null; readonly verdict: string; readonly cause?: string | null }[] {
    const audit = join(this.directory, 'audit');
    return readdirSync(audit)
      .filter((file) => file.endsWith('.ndjson'))
      .flatMap((file) => readFileSync(join(audit, file), 'utf8').split('\n'))
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line))
      .filter((entry) => 'via' in entry);
  }

  /** Resident memory in MiB. */
  memory(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return (Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024) / MIB;
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Sum of a metric over its labels that hold all of `labels`. */
  async metric(name: string, ...labels: readonly string[]): Promise<number> {
    let total = 0;
    for (const value of await this.#values(name, labels)) total += value;
    return total;
  }

  /** Largest value of a metric over its labels. */
  async worst(name: string, ...labels: readonly string[]): Promise<number> {
    return Math.max(0, ...(await this.#values(name, labels)));
  }

  async #values(name: string, labels: readonly string[]): Promise<number[]> {
    const { body } = await this.get('/metrics');
    return body
      .split('\n')
      .filter((line) => line.startsWith(`sallyport_${name}`) && /^[ {]/.test(line.slice(10 + name.length)))
      .filter((line) => labels.every((label) => line.includes(label)))
      .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)));
  }

  /** Ends the process in order and leaves its directory. */
  async stop(): Promise<void> {
    if (!this.isAlive) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 8000);
    await gone;
    clearTimeout(timer);
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A thread that does nothing but look how late it is woken: what the machine itself adds to every lag. */
const IDLE_THREAD = `
const { monitorEventLoopDelay } = require('node:perf_hooks');
const { parentPort } = require('node:worker_threads');
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
parentPort.on('message', () => {
  parentPort.postMessage(delay.percentile(99.9) / 1e6 - 10);
  parentPort.close();
});
`;

export interface Lag {
  /** Worst p99 of a second, and worst of all, of the threads that answer. Milliseconds. */
  readonly p99Ms: number;
  readonly maxMs: number;
  /** 99.9 % of an idle thread on the same machine at the same time were below this. */
  readonly idleMs: number;
}

/** Notes the worst lag of the event loops, second by second, until it is told to stop. */
export function watchLag(room: Room): () => Promise<Lag> {
  let p99Ms = 0;
  let maxMs = 0;
  const idle = new Worker(IDLE_THREAD, { eval: true });
  const look = async (): Promise<void> => {
    p99Ms = Math.max(p99Ms, (await room.worst('event_loop_lag_seconds', 'quantile="0.99"')) * 1000);
    maxMs = Math.max(maxMs, (await room.worst('event_loop_lag_seconds', 'quantile="1"')) * 1000);
  };
  const timer = setInterval(() => void look().catch(() => undefined), 1000);
  return async () => {
    clearInterval(timer);
    await look();
    const said = new Promise<number>((resolve) => idle.once('message', resolve));
    idle.postMessage(null);
    return { p99Ms, maxMs, idleMs: Math.max(0, await said) };
  };
}
