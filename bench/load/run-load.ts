/** Starts a load generator and the authority, each a process of its own on the core that is not the server's. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LOAD_CORE, programPath, type Running, start, waitUntilAnswers } from '../process.ts';
import { template } from './names.ts';
import type { LoadPlan, LoadResult } from './plan.ts';

const GENERATOR = fileURLToPath(new URL('./generate.js', import.meta.url));
const AUTHORITY = fileURLToPath(new URL('./authority.js', import.meta.url));

const PRESET: Omit<LoadPlan, 'port' | 'mix'> = {
  address: '127.0.0.1',
  sockets: 4,
  window: 64,
  seconds: 0,
  queries: 0,
  rate: 0,
  numbers: {},
  timeoutMs: 1000,
  record: null,
};

export interface Load {
  readonly result: Promise<LoadResult>;
  /** Ends it early; the result is what was done until then. */
  stop(): void;
}

export function startLoad(plan: Partial<LoadPlan> & Pick<LoadPlan, 'port' | 'mix'>): Load {
  const command = [process.execPath, GENERATOR, JSON.stringify({ ...PRESET, ...plan })];
  const taskset = programPath('taskset');
  const pinned = taskset === null ? command : [taskset, '-c', String(LOAD_CORE), ...command];
  const child = spawn(pinned[0]!, pinned.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    output += piece;
  });
  const result = new Promise<LoadResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(output) as LoadResult);
      else reject(new Error(`the load generator ended with exit code ${code}`));
    });
  });
  const onExit = (): boolean => child.kill('SIGKILL');
  process.once('exit', onExit);
  child.on('close', () => process.off('exit', onExit));
  return { result, stop: () => child.kill('SIGTERM') };
}

export const runLoad = (plan: Parameters<typeof startLoad>[0]): Promise<LoadResult> => startLoad(plan).result;

/** Starts the authority and waits until it answers. */
export async function startAuthority(port: number, directory: string): Promise<Running> {
  const running = start(
    [process.execPath, AUTHORITY, String(port)],
    LOAD_CORE,
    join(directory, `authority-${port}.log`),
  );
  await waitUntilAnswers(running, port, template('hit'), 10_000);
  return running;
}
