/** Shipping by the running resolver: killed at any moment, with receivers that are away or say nothing, and what people see. */
import { createSocket } from 'node:dgram';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AuditRecord } from '../../src/audit/index.ts';
import { queryMessage } from '../../src/ship/dns-message.ts';
import { until } from '../ship/fixture.ts';
import { HttpReceiver } from '../ship/receivers.ts';
import { run, Serving, sallyport } from './processes.ts';

const POLICY = `
groups: {here: {clients: [127.0.0.0/8], sets: []}}
sets: {}
local: [{zone: home.test, records: ['* A 192.0.2.80']}]
`;

let directory: string;
let receiver: HttpReceiver;
let serving: Serving | null = null;
/** `log seq` of every row that was answered with 200. */
const received = new Set<string>();
const types = new Set<string>();

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-shipping-'));
  received.clear();
  types.clear();
  receiver = await new HttpReceiver().start();
  receiver.answer = (body, response) => {
    for (const line of body.split('\n')) {
      if (line === '') continue;
      const { log, seq, type } = JSON.parse(line) as { log: string; seq: number; type?: string };
      received.add(`${log} ${seq}`);
      types.add(type ?? 'query');
    }
    response.end();
  };
});
afterEach(async () => {
  await serving?.stop('SIGKILL');
  serving = null;
  await receiver.kill();
  rmSync(directory, { recursive: true, force: true });
});

const audit = (): string => join(directory, 'audit');

async function start(more = '', audited: Record<string, string> = {}): Promise<Serving> {
  const settings = `ship: [{name: warehouse, type: clickhouse, url: 'http://127.0.0.1:${receiver.port}', table: t${more}}]`;
  const set = { 'audit.directory': audit(), 'audit.checkpointInterval': '50ms', ...audited };
  return Serving.start({ policy: POLICY, settings, workers: 2, set });
}

/** Asks so many names, some at a time, and resolves once each was answered. */
function ask(port: number, count: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const waiting = new Set<number>();
    let next = 0;
    const send = (id: number): void => {
      const record = {
        qname: `n${id}.${id % 3 === 0 ? 'example.net' : 'home.test'}`,
        qtype: 'A',
      } as AuditRecord;
      socket.send(queryMessage(record, id) ?? '', port, '127.0.0.1');
    };
    const more = (): void => {
      while (waiting.size < 50 && next < count) {
        waiting.add(next);
        send(next++);
      }
    };
    // What was lost on the way is asked again.
    const again = setInterval(() => waiting.forEach(send), 500);
    const deadline = setTimeout(() => end(new Error(`${waiting.size} queries were not answered`)), 30_000);
    const end = (error?: Error): void => {
      clearInterval(again);
      clearTimeout(deadline);
      socket.close();
      if (error === undefined) resolve();
      else reject(error);
    };
    socket.on('message', (reply) => {
      waiting.delete(reply.readUInt16BE(0));
      if (waiting.size === 0 && next === count) end();
      else more();
    });
    socket.on('error', end);
    more();
  });
}

/** `log seq` of every record that stands in the segments. */
function written(): string[] {
  const keys = new Map(
    readFileSync(join(audit(), 'keys.pub'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(' ') as [string, string]),
  );
  return readdirSync(audit())
    .filter((file) => file.endsWith('.ndjson'))
    .flatMap((file) => {
      const log = keys.get(file.split('-')[0]!)!.slice(0, 16);
      return [
        ...readFileSync(join(audit(), file), 'utf8').matchAll(/^\{(?:"type":"[a-z-]+",)?"seq":(\d+)/gm),
      ].map(([, seq]) => `${log} ${seq}`);
    });
}

const missing = (): string[] => written().filter((key) => !received.has(key));

test('killed six times under load, nothing that is in the log is missing at the receiver', async () => {
  for (let round = 0; round < 6; round++) {
    serving = await start();
    const asking = ask(serving.port, 3000).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 200 + Math.random() * 1200));
    await serving.kill();
    rmSync(serving.directory, { recursive: true, force: true });
    // The socket that asks gives up by itself; the next round has its own.
    void asking;
  }
  serving = await start();
  await ask(serving.port, 10);
  await until('all arrive', () => written().length > 0 && missing().length === 0, 15_000);
  expect(types).toContain('recovered');
  expect(received.size).toBeGreaterThan(500);
}, 90_000);

test('an orderly stop ships everything first', async () => {
  serving = await start();
  await ask(serving.port, 500);
  expect(await serving.stop()).toBe(0);
  serving = null;
  expect(written().length).toBeGreaterThanOrEqual(500);
  expect(missing()).toEqual([]);
}, 60_000);

describe.each([
  ['is away', () => receiver.kill()],
  [
    'takes connections and says nothing',
    async () => {
      receiver.answer = () => {};
    },
  ],
])('while the receiver %s', (_, hinder) => {
  test('queries are answered, memory stays where it was, and nothing is lost', async () => {
    serving = await start();
    const residentKiB = (): number =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${serving!.child.pid}/status`, 'utf8'))?.[1]);
    await ask(serving.port, 10_000);
    await until('all arrive', () => missing().length === 0);
    const answer = receiver.answer;
    await hinder();
    // The first of these warm caches and compilers.
    await ask(serving.port, 30_000);
    const before = residentKiB();
    await ask(serving.port, 30_000);
    expect(residentKiB() - before).toBeLessThan(40 * 1024);
    const state = async () => JSON.parse((await serving!.get('/api/state')).body).ship[0];
    await until('the lag is seen', async () => (await state()).lagRecords > 30_000);
    const metrics = (await serving.get('/metrics')).body;
    expect(metrics).toMatch(/sallyport_ship_lag_records\{sink="warehouse"\} [3-9]\d{4}/);
    expect(metrics).toMatch(/sallyport_ship_lost_total\{sink="warehouse",cause="gone"\} 0/);
    await receiver.kill();
    receiver.answer = answer;
    await receiver.start();
    await until('all arrive', () => missing().length === 0, 60_000);
  }, 120_000);
});

test('what people see: status, test, health, and the audit about what was lost', async () => {
  serving = await start(', spool: 1MiB, begin: oldest, identity: gate-1', { 'audit.segmentSize': '64KiB' });
  const config = join(serving.directory, 'sallyport.yaml');
  const http = serving.http.replace('http://', '');
  const ship = (...args: string[]) => sallyport('ship', ...args, '-c', config, '--http', http);
  await ask(serving.port, 500);
  await until('all arrive', () => missing().length === 0);
  await until('it is counted', async () =>
    /shipped {2}[5-9]\d\d records/.test((await ship('status')).stdout),
  );
  const well = await ship('status');
  expect(well.code).toBe(0);
  expect(well.stdout).toMatch(
    /^warehouse {2}clickhouse {2}http:\/\/127\.0\.0\.1:\d+ t\n {2}shipped {2}5\d\d records/,
  );
  expect((await serving.get('/healthz')).body).toBe('OK\n');

  const tested = await ship('test', 'warehouse');
  expect(tested.stdout).toMatch(
    /^warehouse {2}ok {2}http:\/\/127\.0\.0\.1:\d+ t {2}one row inserted; .* \(\d+ ms\)\n$/,
  );
  expect(types).toContain('test');
  const unknown = await ship('test', 'siem');
  expect([unknown.code, unknown.stderr]).toEqual([2, 'there is no sink named "siem"; write warehouse\n']);

  await receiver.kill();
  const failed = await ship('test');
  expect([failed.code, failed.stdout]).toEqual([
    1,
    expect.stringMatching(/warehouse {2}FAILED .*ECONNREFUSED/),
  ]);
  await ask(serving.port, 200);
  await until('the outage is seen', async () => (await ship('status')).code === 1);
  const away = await ship('status');
  expect(away.stdout).toMatch(/waiting {2}[2-9]\d\d records, the oldest \d+ s old/);
  expect(away.stdout).toMatch(/FAILING {2}for \d+ s: connect ECONNREFUSED/);
  const health = await serving.get('/healthz');
  expect(health.status).toBe(200);
  expect(health.body).toMatch(/^OK, but sink warehouse ships nothing: connect ECONNREFUSED/);

  // Segments that go before they were shipped: by hand here, by retention when the spool is full.
  const names = readdirSync(audit())
    .filter((file) => /^w\d-.*\.ndjson$/.test(file))
    .sort();
  await ask(serving.port, 1500);
  for (const file of names) rmSync(join(audit(), file));
  await receiver.start();
  const isWritten = (): boolean =>
    readdirSync(audit())
      .filter((file) => file.endsWith('.ndjson'))
      .some((file) =>
        /"type":"unshipped".*"sink":"warehouse"/.test(readFileSync(join(audit(), file), 'utf8')),
      );
  // What is missing shows when the worker writes again, and which one is asked is up to the kernel.
  const writesOn = async (): Promise<boolean> => {
    await ask(serving!.port, 5);
    return isWritten();
  };
  await until('the loss is written down', writesOn, 40_000);
  await until('it is shown', async () => /LOST {5}[1-9]/.test((await ship('status')).stdout));
  expect(serving.stderr).toContain('audit records will never reach their receiver');
  const stopped = await serving.kill().then(() => ship('status'));
  expect(stopped.stderr).toContain('no Sallyport answers');
  expect(stopped.stdout).toMatch(/^warehouse {2}clickhouse/);
}, 90_000);

test('Kafka without its library: the line that installs it', async () => {
  // A copy of what is built, beside every dependency but that one.
  const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
  cpSync(fileURLToPath(new URL('../../dist', import.meta.url)), join(directory, 'dist'), { recursive: true });
  mkdirSync(join(directory, 'node_modules'));
  for (const name of readdirSync(modules)) {
    if (name !== 'kafkajs') symlinkSync(join(modules, name), join(directory, 'node_modules', name));
  }
  writeFileSync(join(directory, 'package.json'), '{"type": "module", "version": "0.0.0"}');
  const config = join(directory, 'sallyport.yaml');
  writeFileSync(config, "ship: [{name: lake, type: kafka, brokers: ['127.0.0.1:9'], topic: dns}]");
  const args = [join(directory, 'dist/cli/sallyport.js'), 'ship', 'test', '-c', config];
  const { code, stdout } = await run(process.execPath, args);
  expect(code).toBe(1);
  expect(stdout).toContain('needs kafkajs, which is not installed; run: npm install kafkajs@2.2.4');
});
