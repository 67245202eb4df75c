/** A running Sallyport with its authorities, for drills: started together, asked over HTTP, ended together. */
import { mkdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { template } from '../load/names.ts';
import { startAuthority } from '../load/run-load.ts';
import type { Setup } from '../peers/contender.ts';
import { auditDirectory, controlPort, sallyport, startSallyport } from '../peers/sallyport.ts';
import { freePort, type Running, waitUntilAnswers } from '../process.ts';

export interface House {
  readonly setup: Setup;
  readonly authorities: readonly Running[];
  readonly auditDirectory: string;
  server: Running;
  /** Starts the server anew on the same settings, port and audit. */
  restart(): Promise<void>;
  /** POST /reload; milliseconds it took. Throws when the policy was not taken. */
  reload(): Promise<number>;
  /** Sum of a family of /metrics over its labels; `labels` are parts the line must hold. */
  metric(name: string, ...labels: readonly string[]): Promise<number>;
  close(): Promise<void>;
}

export interface HouseOptions {
  readonly directory: string;
  readonly authorities: number;
  readonly denyList: string | null;
  readonly core: number | null;
  /** Setting `cache.memory`. */
  readonly cacheMemory?: string;
}

export async function openHouse({
  directory,
  authorities: count,
  denyList,
  core,
  cacheMemory,
}: HouseOptions): Promise<House> {
  const missing = sallyport.missing();
  if (missing !== null) throw new Error(missing);
  mkdirSync(directory, { recursive: true });
  const ports: number[] = [];
  const authorities: Running[] = [];
  for (let i = 0; i < count; i++) {
    ports.push(await freePort());
    authorities.push(await startAuthority(ports[i]!, directory));
  }
  const setup: Setup = {
    directory,
    port: await freePort(),
    authorities: ports,
    denyList,
    logging: true,
    core,
    ...(cacheMemory !== undefined && { cacheMemory }),
  };
  const house: House = {
    setup,
    authorities,
    auditDirectory: auditDirectory(setup),
    server: sallyport.start(setup),
    async restart() {
      house.server = startSallyport(setup);
      await waitUntilAnswers(house.server, setup.port, template('hit'), 60_000);
    },
    async reload() {
      const began = performance.now();
      const { status, body } = await ask(setup, 'POST', '/reload');
      if (status !== 200) throw new Error(`POST /reload answered ${status}: ${body.slice(0, 500)}`);
      return performance.now() - began;
    },
    async metric(name, ...labels) {
      const { body } = await ask(setup, 'GET', '/metrics');
      const lines = body
        .split('\n')
        .filter((line) => line.startsWith(`sallyport_${name}`) && /^[ {]/.test(line.slice(10 + name.length)));
      return lines
        .filter((line) => labels.every((label) => line.includes(label)))
        .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    },
    async close() {
      await house.server.stop();
      for (const authority of authorities) await authority.stop();
    },
  };
  try {
    await waitUntilAnswers(house.server, setup.port, template('hit'), 60_000);
  } catch (error) {
    await house.close();
    throw new Error(
      `sallyport did not start: ${(error as Error).message}; see ${join(directory, 'output.log')}`,
    );
  }
  return house;
}

function ask(setup: Setup, method: string, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const asked = request(
      { host: '127.0.0.1', port: controlPort(setup), method, path, headers },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (piece) => {
          body += piece;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    asked.on('error', reject);
    asked.end();
  });
}
