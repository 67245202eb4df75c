/** Real processes for end-to-end tests: Sallyport itself, its neighbours from Debian, and their ends. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { createSocket, Socket } from 'node:dgram';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../dist/cli/sallyport.js', import.meta.url));

/** Whether a program is installed; tests that need it are skipped with this reason otherwise. */
export function isInstalled(program: string): boolean {
  const found = spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
  if (!found) console.log(`skipped what needs ${program}: it is not installed here`);
  return found;
}

/** What runs still. When a suite is broken off, nothing else would end it. */
const children = new Set<ChildProcess>();

function adopt(child: ChildProcess): void {
  children.add(child);
  child.on('exit', () => children.delete(child));
}

const endChildren = (): void => {
  for (const child of children) child.kill('SIGKILL');
};
process.once('exit', endChildren);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.once(signal, () => {
    endChildren();
    process.kill(process.pid, signal);
  });
}

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; killed after `timeoutMs`. */
export function run(program: string, args: readonly string[], timeoutMs = 15_000): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    adopt(child);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}

export const sallyport = (...args: string[]): Promise<Ran> => run(process.execPath, [CLI, ...args]);

/**
 * A port of 127.0.0.1 that was free a moment ago, for UDP and TCP. Below the range from which the kernel picks ports for
 * everybody's questions (32768 on), or one of those would take it before the program that it is for.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + randomInt(20_000);
    if ((await isFree(port, 'udp')) && (await isFree(port, 'tcp'))) return port;
  }
}

const isFree = (port: number, transport: 'udp' | 'tcp'): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = transport === 'udp' ? createSocket('udp4') : createServer();
    socket.on('error', () => resolve(false));
    const free = (): void => {
      socket.close(() => resolve(true));
    };
    if (socket instanceof Socket) socket.bind(port, '127.0.0.1', free);
    else socket.listen(port, '127.0.0.1', free);
  });

export interface ServeOptions {
  readonly policy: string;
  /** A directory that is there already, of an earlier process or with a disk of its own mounted in it. */
  readonly directory?: string;
  readonly upstream?: string;
  readonly io?: 'native' | 'portable';
  readonly workers?: number;
  /** More settings, by path. */
  readonly set?: Readonly<Record<string, string>>;
  readonly listen?: readonly string[];
  /** More of sallyport.yaml, as text. */
  readonly settings?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Network namespace to run in; its addresses and ports are then out of reach of this process. */
  readonly namespace?: string;
}

/** One running Sallyport in a directory of its own. */
export class Serving {
  readonly directory: string;
  readonly port: number;
  readonly http: string;
  readonly greeting: string;
  readonly child: ChildProcess;
  stderr = '';
  readonly #ended: Promise<number | null>;

  private constructor(directory: string, child: ChildProcess, greeting: string) {
    this.directory = directory;
    this.child = child;
    this.greeting = greeting;
    this.port = Number(/serving\s+\S+?:(\d+) \(/.exec(greeting)?.[1]);
    this.http = /http\s+(http:\/\/[^/]+)/.exec(greeting)?.[1] ?? '';
    this.#ended = new Promise((resolve) => child.on('exit', (code) => resolve(code)));
    child.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
    });
  }

  /** Processes that do not serve yet, by their directories. */
  static readonly starting = new Map<string, ChildProcess>();

  static async start(options: ServeOptions): Promise<Serving> {
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'sallyport-e2e-'));
    writeFileSync(join(directory, 'policy.yaml'), options.policy);
    writeFileSync(join(directory, 'sallyport.yaml'), `policies: [policy.yaml]\n${options.settings ?? ''}`);
    const args = [CLI, 'serve', '-c', join(directory, 'sallyport.yaml'), '--http', '127.0.0.1:0'];
    for (const address of options.listen ?? ['127.0.0.1:0']) args.push('-l', address);
    args.push('-u', options.upstream ?? '127.0.0.1:9', '--audit', join(directory, 'audit'));
    args.push('--workers', String(options.workers ?? 1), '--io', options.io ?? 'auto');
    for (const [path, value] of Object.entries(options.set ?? {})) args.push('--set', `${path}=${value}`);
    // `ip netns exec` becomes the program it starts, so the child's id is Sallyport's own.
    const command =
      options.namespace === undefined
        ? [process.execPath, ...args]
        : ['ip', 'netns', 'exec', options.namespace, process.execPath, ...args];
    const child = spawn(command[0], command.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
    });
    adopt(child);
    Serving.starting.set(directory, child);
    child.on('exit', () => Serving.starting.delete(directory));
    let stdout = '';
    let stderr = '';
    const greeting = await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no greeting in 20 s: ${stdout}${stderr}`)), 20_000);
      child.stderr.on('data', (chunk) => {
        stderr += chunk;
      });
      child.stdout.on('data', (chunk) => {
        stdout += chunk;
        if (!/Try:\n(.*\n){3}/.test(stdout)) return;
        clearTimeout(timer);
        resolve(stdout);
      });
      child.on('exit', (code) => {
        clearTimeout(timer);
        reject(new Error(`ended with ${code} before it served: ${stderr}`));
      });
    });
    Serving.starting.delete(directory);
    const serving = new Serving(directory, child, greeting);
    serving.stderr = stderr;
    return serving;
  }

  /** Every entry of every segment, in the order of their times: several workers write at once. */
  entries(): Record<string, unknown>[] {
    return this.records().filter((entry) => 'via' in entry);
  }

  /** The same with the records of the log about itself. */
  records(): Record<string, unknown>[] {
    const audit = join(this.directory, 'audit');
    return readdirSync(audit)
      .filter((file) => file.endsWith('.ndjson'))
      .sort()
      .flatMap((file) => readFileSync(join(audit, file), 'utf8').split('\n'))
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((record) => 'up' in record)
      .sort((one, other) => String(one['time']).localeCompare(String(other['time'])));
  }

  writePolicy(policy: string): void {
    writeFileSync(join(this.directory, 'policy.yaml'), policy);
  }

  async get(path: string, init: RequestInit = {}): Promise<{ status: number; body: string }> {
    const response = await fetch(this.http + path, init);
    return { status: response.status, body: await response.text() };
  }

  /** `dig` with short waits. */
  dig(...args: string[]): Promise<Ran> {
    return run('dig', ['@127.0.0.1', '-p', String(this.port), '+tries=1', '+timeout=5', ...args]);
  }

  /** Ends the process and removes its directory; resolves to its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    const code = await this.#ended;
    rmSync(this.directory, { recursive: true, force: true });
    return code;
  }

  /** Ends the process and leaves its directory, to be looked at. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.#ended;
  }
}

/** Unbound as an authoritative-looking upstream with local data. */
export class UnboundUpstream {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #directory: string;

  private constructor(port: number, child: ChildProcess, directory: string) {
    this.port = port;
    this.#child = child;
    this.#directory = directory;
  }

  static async start(data: readonly string[]): Promise<UnboundUpstream> {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-unbound-'));
    const port = await freePort();
    const lines = [
      'server:',
      `  directory: "${directory}"`,
      '  chroot: ""',
      '  username: ""',
      '  pidfile: ""',
      '  use-syslog: no',
      `  logfile: "${directory}/log"`,
      `  interface: 127.0.0.1@${port}`,
      '  do-ip6: no',
      '  num-threads: 1',
      '  local-zone: "." static',
      ...data.map((line) => `  ${line}`),
    ];
    writeFileSync(join(directory, 'unbound.conf'), `${lines.join('\n')}\n`);
    const child = spawn('unbound', ['-d', '-c', join(directory, 'unbound.conf')], { stdio: 'ignore' });
    adopt(child);
    const upstream = new UnboundUpstream(port, child, directory);
    for (let i = 0; i < 100; i++) {
      const { code } = await run(
        'dig',
        ['@127.0.0.1', '-p', String(port), '+tries=1', '+timeout=1', '.', 'NS'],
        3000,
      );
      if (code === 0) return upstream;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`unbound does not answer: ${readFileSync(join(directory, 'log'), 'utf8')}`);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.on('exit', resolve));
    this.#child.kill('SIGTERM');
    await ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
