/** SQL and Parquet through DuckDB, for real where its package is installed. */
import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type AuditOptions, compressSegments, readRecipient } from '../../src/audit/index.ts';
import { sallyport } from '../e2e/processes.ts';
import { entryFor, openTest, withDirectory, write } from './fixture.ts';

const isThere = await import('@duckdb/node-api').then(
  () => true,
  () => false,
);
if (!isThere) console.log('skipped what needs @duckdb/node-api: it is not installed here');

async function makeLog(directory: string, more: Partial<AuditOptions> = {}): Promise<void> {
  const log = openTest({ directory, worker: 0, segmentOctets: 5000, ...more });
  for (let i = 0; i < 60; i++) {
    write(log, { ...entryFor(log, `host-${i % 7}.example.com`), id: i, rcode: i % 2 === 0 ? 0 : 3 });
  }
  log.note('verdict', { zone: 'tunnel.test' });
  await log.close();
}

const SQL =
  'SELECT rcode, count(*) AS queries, max(len(answers)) AS answers, min(worker) AS w FROM audit GROUP BY rcode ORDER BY rcode';

test.runIf(isThere)('a question in SQL is answered over plain and compressed segments', () =>
  withDirectory(async (directory) => {
    await makeLog(directory);
    await compressSegments(directory, 'gzip');
    const { code, stdout, stderr } = await sallyport('audit', 'query', directory, '--sql', SQL);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n')[0]).toMatch(/^rcode +queries +answers +w$/);
    expect(stdout).toMatch(/NOERROR +30 +1 +0\nNXDOMAIN +30 +1 +0\n/);
    const json = await sallyport('audit', 'query', directory, '--json', '--sql', SQL);
    expect(JSON.parse(json.stdout.split('\n')[0])).toMatchObject({ rcode: 'NOERROR', w: 0 });
    const wrong = await sallyport('audit', 'query', directory, '--sql', 'SELECT nothing FROM audit');
    expect(wrong).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^sallyport: DuckDB says: .*nothing/),
    });
  }),
);

test.runIf(isThere)('Parquet holds every query, of encrypted segments too, and no plain copy stays', () =>
  withDirectory(async (parent) => {
    const { privateKey, publicKey } = generateKeyPairSync('x25519');
    const key = join(parent, 'private.pem');
    writeFileSync(key, privateKey.export({ format: 'pem', type: 'pkcs8' }));
    const encryptTo = [readRecipient(String(publicKey.export({ format: 'pem', type: 'spki' })))];
    const directory = join(parent, 'audit');
    await makeLog(directory, { encryptTo });
    const output = join(parent, 'out.parquet');
    const closed = await sallyport('audit', 'export', directory, '-f', 'parquet', '-o', output);
    expect(closed).toMatchObject({ code: 1, stderr: expect.stringMatching(/--decrypt-key FILE/) });
    const ran = await sallyport(
      'audit',
      'export',
      directory,
      '-f',
      'parquet',
      '-o',
      output,
      '--decrypt-key',
      key,
    );
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    const { DuckDBInstance } = await import('@duckdb/node-api');
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    const reader = await connection.runAndReadAll(
      `SELECT count(*)::INT, count(DISTINCT qname)::INT, max(seq)::INT FROM '${output}'`,
    );
    expect(reader.getRows()).toEqual([[60, 7, 60]]);
    connection.closeSync();
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('sallyport-plain-'))).toEqual([]);
  }),
);

test.runIf(isThere)('filters hold for SQL and Parquet as for any other reading', () =>
  withDirectory(async (parent) => {
    const directory = join(parent, 'audit');
    await makeLog(directory);
    const name = ['--name', 'host-3.example.com'];
    const count = 'SELECT count(*)::INT AS n, count(DISTINCT qname)::INT AS names FROM audit';
    const asked = await sallyport('audit', 'query', directory, ...name, '--json', '--sql', count);
    expect(JSON.parse(asked.stdout)).toEqual({ n: 9, names: 1 });
    const none = await sallyport('audit', 'query', directory, '-n', 'no.example', '--json', '--sql', count);
    expect(JSON.parse(none.stdout)).toEqual({ n: 0, names: 0 });

    const output = join(parent, 'out.parquet');
    const ran = await sallyport('audit', 'export', directory, ...name, '-f', 'parquet', '-o', output);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    const { DuckDBInstance } = await import('@duckdb/node-api');
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    const reader = await connection.runAndReadAll(`SELECT count(*)::INT, min(qname) FROM '${output}'`);
    expect(reader.getRows()).toEqual([[9, 'host-3.example.com']]);
    connection.closeSync();

    const notes = await sallyport(
      'audit',
      'export',
      directory,
      '--notes',
      '-f',
      'parquet',
      '-o',
      `${output}2`,
    );
    expect(notes).toMatchObject({ code: 1, stderr: expect.stringMatching(/leave --notes and --kind away/) });
    expect(readdirSync(tmpdir()).filter((file) => file.startsWith('sallyport-plain-'))).toEqual([]);
  }),
);
