/** ClickHouse against Debian's clickhouse-server, and, where there is none, the requests as a recorded server saw them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isInstalled } from '../e2e/processes.ts';
import { Bench, until } from './fixture.ts';
import { ClickHouse, HttpReceiver } from './receivers.ts';

const hasServer = isInstalled('clickhouse-server');

let bench: Bench;
let passwordFile: string;

beforeEach(() => {
  bench = new Bench();
  passwordFile = join(bench.directory, 'password');
  writeFileSync(passwordFile, 'secret\n');
});
afterEach(() => bench.end());

const sink = (port: number, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  name: 'warehouse',
  type: 'clickhouse',
  url: `http://127.0.0.1:${port}`,
  table: 'dns_audit',
  user: 'default',
  password: { file: passwordFile },
  ...more,
});

/** The statement of the docs; types that 18.16 does not have yet are replaced. */
function statement(): string {
  const page = readFileSync(new URL('../../docs/shipping.md', import.meta.url), 'utf8');
  const found = /```sql\n(CREATE TABLE[\s\S]+?)```/.exec(page)?.[1] ?? '';
  return found
    .replace(/DateTime64\(3[^)]*\)/, 'String')
    .replace(/toYYYYMM\(time\)/, 'substring(time, 1, 7)')
    .replace(/^TTL .*\n?/m, '');
}

describe.runIf(hasServer)('a real server', () => {
  let server: ClickHouse;
  beforeEach(async () => {
    server = await ClickHouse.start(bench.directory);
  });
  afterEach(() => server.stop('SIGKILL'));

  test('every record becomes a row of the table of the docs', async () => {
    await server.ask(statement());
    await bench.ship(sink(server.port));
    const log = bench.open();
    const detail = log.renderDetail({
      answers: ['CNAME x.example.net', 'A 192.0.2.1'],
      upstream: '192.0.2.53:53',
    });
    bench.write(500, 0, () => ({ detail, cached: false }));
    log.note('test-note', { why: 'a test' });
    await until('all are acknowledged', () => bench.states[0]?.records === 501);
    expect(await server.ask('SELECT count(), min(seq), max(seq), uniq(seq) FROM dns_audit')).toBe(
      '501\t1\t501\t501',
    );
    const row = await server.ask('SELECT * FROM dns_audit WHERE seq = 7 FORMAT JSONEachRow');
    expect(JSON.parse(row)).toMatchObject({
      worker: 0,
      qname: 'n6.example.com',
      qtype: 'A',
      client: '192.0.2.7',
      verdict: 'allow',
      rule: 'base/allow/3',
      answers: ['CNAME x.example.net', 'A 192.0.2.1'],
      cached: 0,
    });
    expect(await server.ask("SELECT seq FROM dns_audit WHERE type = 'test-note'")).toBe('501');
  });

  test('a server that is killed under load and begun again misses nothing', async () => {
    await server.ask(statement());
    await bench.ship(sink(server.port));
    bench.open();
    bench.write(500);
    await until('the first are acknowledged', () => bench.states[0]?.records === 500);
    await server.stop('SIGKILL');
    for (let i = 0; i < 10; i++) {
      bench.write(150);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    await until('the outage is told', () => bench.troubles.length > 0);
    await server.again();
    await until('all are acknowledged', () => bench.states[0]?.records === 2000);
    expect(await server.ask('SELECT uniqExact(worker, seq), max(seq) FROM dns_audit')).toBe('2000\t2000');
    expect(bench.losses).toEqual([]);
  });

  test('a missing table and a wrong password are told in words, without the password', async () => {
    await bench.ship(sink(server.port, { table: 'nothing' }));
    bench.open();
    bench.write(1);
    await until('it is told', () => bench.troubles.length > 0);
    expect(bench.troubles[0]).toMatch(/there is no table nothing; docs\/shipping\.md/);
    await bench.stopShipping(0);
    writeFileSync(passwordFile, 'hunter2-wrong');
    bench.troubles.length = 0;
    await bench.ship(sink(server.port, { name: 'other', begin: 'oldest' }));
    await until('it is told', () => bench.troubles.length > 0);
    expect(bench.troubles[0]).toMatch(/[Pp]assword/);
    expect(bench.troubles[0]).not.toContain('hunter2');
  });
});

test('the request: one INSERT, rows as JSON, the password in a header and nowhere else', async () => {
  const receiver = await new HttpReceiver().start();
  await bench.ship(sink(receiver.port, { table: 'audit.dns' }));
  bench.open();
  bench.write(3);
  await until('it arrives', () => receiver.requests.length > 0);
  const [request] = receiver.requests;
  expect(new URL(request!.url, 'http://x').searchParams.get('query')).toBe(
    'INSERT INTO audit.dns FORMAT JSONEachRow',
  );
  expect(request!.headers).toMatchObject({ 'x-clickhouse-user': 'default', 'x-clickhouse-key': 'secret' });
  expect(request!.url).not.toContain('secret');
  const rows = request!.body
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(rows).toHaveLength(3);
  expect(rows[0]).toMatchObject({ worker: 0, seq: 1, cached: 1, observed: 0, rcode: 'NOERROR' });
  expect(rows[0].time).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/);
  await receiver.kill();
});
