/** Starting processes on a core, reading from the kernel what they cost, and ending what was started. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where the measured server runs, and where everything else does. */
export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

/** Ticks of `utime` and `stime`: USER_HZ is 100 on every Linux that Node runs on. */
const TICK_US = 10_000;

export interface Running {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Resolves when the process is gone and the kernel has closed what it had open. */
  readonly ended: Promise<void>;
  /** Ends it with SIGTERM, after three seconds with SIGKILL. */
  stop(): Promise<void>;
}

const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

/** Full path of a program, or null when it is not installed; Debian keeps servers out of a user's PATH. */
export function programPath(name: string): string | null {
  const path = `${process.env['PATH']}:/usr/sbin:/usr/local/sbin`;
  const found = spawnSync('sh', ['-c', 'command -v -- "$0"', name], {
    env: { ...process.env, PATH: path },
    encoding: 'utf8',
  });
  return found.status === 0 ? found.stdout.trim() : null;
}

const taskset = programPath('taskset');

/** Whether processes can be kept on one core each; without it figures still hold, with more noise. */
export const canPin = taskset !== null;

/** Starts a program on a core (null: on any). What it says goes to `logFile`. */
export function start(
  command: readonly string[],
  core: number | null,
  logFile: string,
  env: Readonly<Record<string, string>> = {},
): Running {
  const pinned = core === null || taskset === null ? command : [taskset, '-c', String(core), ...command];
  const log = openSync(logFile, 'a');
  const child = spawn(pinned[0]!, pinned.slice(1), {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...env },
  });
  closeSync(log);
  child.on('error', () => {});
  children.add(child);
  const ended = new Promise<void>((resolve) =>
    child.on('exit', () => {
      children.delete(child);
      resolve();
    }),
  );
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const hurry = setTimeout(() => child.kill('SIGKILL'), 3000);
    await ended;
    clearTimeout(hurry);
  };
  return { pid: child.pid ?? 0, child, ended, stop };
}

/** CPU time of a process, all its threads, user and system, in microseconds. */
export function cpuUs(pid: number): { user: number; system: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field, the command, may hold spaces; fields are counted after its closing parenthesis.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { user: Number(fields[11]) * TICK_US, system: Number(fields[12]) * TICK_US };
}

/** Resident memory in octets. */
export function residentOctets(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(line?.[1] ?? 0) * 1024;
}

/** A port that was free for UDP and TCP a moment ago. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const port = await new Promise<number>((resolve, reject) => {
      const server = createServer().on('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
      });
    });
    const isFree = await new Promise<boolean>((resolve) => {
      const socket = createSocket('udp4').on('error', () => resolve(false));
      socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
  throw new Error('no port is free for both UDP and TCP on 127.0.0.1');
}

/** Resolves when `port` answers a query over UDP with any response; rejects when the process ends or time is over. */
export async function waitUntilAnswers(
  running: Running,
  port: number,
  query: Buffer,
  timeoutMs: number,
): Promise<void> {
  const socket = createSocket('udp4');
  let answered = false;
  socket.on('message', () => (answered = true)).on('error', () => {});
  await new Promise<void>((resolve) => socket.connect(port, '127.0.0.1', resolve));
  const end = performance.now() + timeoutMs;
  try {
    while (!answered) {
      if (running.child.exitCode !== null)
        throw new Error(`it ended with exit code ${running.child.exitCode}`);
      if (performance.now() > end) throw new Error(`no answer within ${timeoutMs / 1000} s`);
      socket.send(query, () => {});
      await sleep(20);
    }
  } finally {
    socket.close();
  }
}
