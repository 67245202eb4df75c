/** Entries of one client go on request; the log verifies, says so, and hides no other change behind it. */
import { generateKeyPairSync } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type AuditOptions,
  compressSegments,
  leavesOf,
  ProofError,
  PseudonymKeys,
  planErasure,
  proveInclusion,
  readRecipient,
  readRecords,
  readSegment,
  segmentNames,
  Unsealer,
  verifyAudit,
  writeErasureRequest,
  writeIndex,
} from '../../src/audit/index.ts';
import { isInstalled, type Ran, Serving, sallyport } from '../e2e/processes.ts';
import { entryFor, openTest, segmentFiles, withDirectory, write } from './fixture.ts';

const REASON = ['--reason', 'request 17 of the person concerned'];
const CLIENTS = [7, 8, 9];

/** Entries of three clients in turn, ids 0 to 89, in several closed segments; the last is empty but for the closing. */
async function makeLog(audit: string, more: Partial<AuditOptions> = {}): Promise<void> {
  const log = openTest({ directory: audit, worker: 0, segmentOctets: 9000, blockRecords: 20, ...more });
  for (let i = 0; i < 90; i++) {
    const client = Uint8Array.of(192, 0, 2, CLIENTS[i % 3]);
    write(log, { ...entryFor(log, `host-${i}.example.com`), client, id: i });
  }
  await log.close();
}

const erase = (audit: string, ...args: string[]): Promise<Ran> =>
  sallyport('audit', 'erase', audit, ...REASON, ...args);
const idsIn = (audit: string, unsealer: Unsealer | null = null): (number | undefined)[] =>
  [...readRecords(audit, {}, () => {}, unsealer)].map(({ record }) => record.id);
const without = (rest: number): number[] =>
  Array.from({ length: 90 }, (_, i) => i).filter((i) => i % 3 !== rest);
const headOf = (audit: string): string => readFileSync(join(audit, 'w0.head'), 'utf8');

describe('erase', () => {
  test('takes out the entries of one client, wherever they stand, and nothing else', () =>
    withDirectory(async (directory) => {
      const audit = join(directory, 'audit');
      await makeLog(audit);
      const before = headOf(audit);
      const dry = await erase(audit, '--client', '192.0.2.8', '--dry-run');
      expect(dry.stdout).toMatch(/^\d+ entries of 192\.0\.2\.8 in \d+ segments would be erased\.\n/);
      expect(headOf(audit)).toBe(before);
      const ran = await erase(audit, '--client', '192.0.2.8');
      expect(ran).toMatchObject({ code: 0, stderr: '' });
      expect(ran.stdout).toMatch(/^30 entries of 192\.0\.2\.8 in \d+ segments were erased\./);
      expect(idsIn(audit)).toEqual(without(1));
      for (const file of readdirSync(audit)) {
        expect(readFileSync(join(audit, file), 'latin1')).not.toMatch(/192\.0\.2\.8|host-1\.example/);
      }
      const report = verifyAudit(audit, { checkpoints: [before] });
      expect(report.faults).toEqual([]);
      expect(report.workers[0].erased).toBe(30);
      expect(report.remarks.join()).toMatch(
        /30 records were erased on request; who, when and why stands in record \d+/,
      );
      const verified = await sallyport('audit', 'verify', audit);
      expect(verified.stdout).toMatch(/30 erased on request/);
      const notes = [...readRecords(audit, { notes: 'only' })].map(({ record }) => record);
      expect(notes.filter(({ type }) => type === 'erased')[0]).toMatchObject({ reason: REASON[1] });
      // Again there is nothing left, and nothing is recorded twice.
      expect((await erase(audit, '--client', '192.0.2.8')).stdout).toMatch(/^0 entries/);
    }));

  test('twice, of clients whose entries share leaves', () =>
    withDirectory(async (directory) => {
      const audit = join(directory, 'audit');
      await makeLog(audit);
      await erase(audit, '--client', '192.0.2.8');
      await erase(audit, '--client', '192.0.2.9');
      expect(idsIn(audit)).toEqual(without(1).filter((i) => i % 3 !== 2));
      expect(verifyAudit(audit)).toMatchObject({ faults: [], workers: [{ erased: 60 }] });
    }));

  test('within a stretch of time only', () =>
    withDirectory(async (directory) => {
      const audit = join(directory, 'audit');
      const log = openTest({ directory: audit, worker: 0 });
      for (let day = 1; day <= 9; day++)
        write(log, { ...entryFor(log), atMs: Date.UTC(2026, 0, day), id: day });
      await log.close();
      await erase(audit, '-c', '192.0.2.7', '--since', '2026-01-03', '--until', '2026-01-06');
      expect(idsIn(audit)).toEqual([1, 2, 6, 7, 8, 9]);
      expect(verifyAudit(audit).faults).toEqual([]);
    }));

  test('in compressed segments, and their indexes are made anew', () =>
    withDirectory(async (directory) => {
      const audit = join(directory, 'audit');
      await makeLog(audit);
      for (const name of segmentNames(audit).slice(0, -1)) writeIndex(audit, name, readSegment(audit, name));
      await compressSegments(audit, 'gzip');
      const sizes = (): string[] => readdirSync(audit).filter((file) => file.endsWith('.idx'));
      const kept = sizes();
      await erase(audit, '--client', '192.0.2.8');
      expect(sizes()).toEqual(kept);
      expect(idsIn(audit)).toEqual(without(1));
      expect(verifyAudit(audit)).toMatchObject({ faults: [], workers: [{ erased: 30 }] });
      expect([...readRecords(audit, { name: 'host-2.example.com' })]).toHaveLength(1);
      expect([...readRecords(audit, { name: 'host-1.example.com' })]).toHaveLength(0);
    }));

  test('of a client known by its pseudonyms', () =>
    withDirectory(async (directory) => {
      const audit = join(directory, 'audit');
      const keys = new PseudonymKeys({
        directory: join(directory, 'pseudonyms'),
        rotateMs: 3_600_000,
        keepMs: 1e12,
        onTrouble: () => {},
      });
      await makeLog(audit, { clients: { mode: 'pseudonymise', keys } });
      expect((await erase(audit, '--client', '192.0.2.8')).stdout).toMatch(/^30 entries/);
      expect(idsIn(audit)).toEqual(without(1));
    }));

  test('in encrypted segments with the key of a reader, whose old lines give nothing away', () =>
    withDirectory(async (directory) => {
      const audit = join(directory, 'audit');
      const { privateKey, publicKey } = generateKeyPairSync('x25519');
      const file = join(directory, 'private.pem');
      writeFileSync(file, privateKey.export({ format: 'pem', type: 'pkcs8' }));
      const encryptTo = [readRecipient(String(publicKey.export({ format: 'pem', type: 'spki' })))];
      await makeLog(audit, { encryptTo });
      const closed = await erase(audit, '--client', '192.0.2.8');
      expect(closed).toMatchObject({ code: 1, stderr: expect.stringMatching(/--decrypt-key FILE/) });
      const old = segmentNames(audit).map((name) => readSegment(audit, name).toString());
      const ran = await erase(audit, '--client', '192.0.2.8', '--decrypt-key', file);
      expect(ran.stdout).toMatch(/^30 entries/);
      const unsealer = Unsealer.read([file]);
      expect(idsIn(audit, unsealer)).toEqual(without(1));
      expect(verifyAudit(audit)).toMatchObject({ faults: [], workers: [{ erased: 30 }] });
      expect(verifyAudit(audit, { unsealer }).faults).toEqual([]);
      // Another key, not only another text: where nothing was erased in a box its octets would be the same otherwise.
      const fresh = segmentNames(audit).map((name) => readSegment(audit, name).toString());
      const turns = fresh.join('\n').match(/"turn":"0001"/g) ?? [];
      expect(turns.length).toBe(30);
      expect(old.join('\n')).not.toContain('"turn":"0001"');
    }));

  test('says what is still written to, and whose log it may change', () =>
    withDirectory(async (directory) => {
      const audit = join(directory, 'audit');
      await makeLog(audit);
      const bad = await sallyport('audit', 'erase', audit, '--client', '192.0.2.8');
      expect(bad).toMatchObject({ code: 2, stderr: expect.stringMatching(/--reason/) });
      const text = readFileSync(join(audit, segmentFiles(audit)[1]), 'utf8');
      writeFileSync(
        join(audit, segmentFiles(audit)[1]),
        text.replace('"verdict":"allow"', '"verdict":"deny!"'),
      );
      const damaged = await erase(audit, '--client', '192.0.2.8');
      expect(damaged.code).toBe(1);
      expect(damaged.stderr).toMatch(/nothing is erased from a segment that does not verify/);
    }));
});

describe('verify, of a log with erased entries,', () => {
  /** A log with an erasure, as files by name. */
  async function erased(directory: string): Promise<{ audit: string; files: Map<string, Buffer> }> {
    const audit = join(directory, 'audit');
    await makeLog(audit);
    await erase(audit, '--client', '192.0.2.8');
    const names = readdirSync(audit).filter((name) => /\.ndjson$|\.head$|\.keys$|\.pub$/.test(name));
    return { audit, files: new Map(names.map((name) => [name, readFileSync(join(audit, name))])) };
  }

  const faultsWith = (
    directory: string,
    files: Map<string, Buffer>,
    file: string,
    octets: Buffer,
  ): string => {
    const copy = join(directory, 'copy');
    rmSync(copy, { recursive: true, force: true });
    mkdirSync(copy);
    for (const [name, content] of files) writeFileSync(join(copy, name), name === file ? octets : content);
    const { faults } = verifyAudit(copy);
    return faults.map(({ file: where, what }) => `${where}: ${what}`).join('\n');
  };

  test('finds every other change in the leaves that were changed', { timeout: 120_000 }, () =>
    withDirectory(async (directory) => {
      const { files } = await erased(directory);
      const [file] = [...files.keys()].filter((name) => name.endsWith('.ndjson')).sort();
      const octets = files.get(file)!;
      const stride = process.env['SALLYPORT_TEST_LONG'] === '1' ? 1 : 11;
      for (let at = 0; at < octets.length; at += stride) {
        const changed = Buffer.from(octets);
        changed[at] ^= 1 << (at % 7);
        expect(faultsWith(directory, files, file, changed), `octet ${at}`).toContain(file);
      }
    }),
  );

  test('finds an entry that somebody erased without a record, beside those that were', () =>
    withDirectory(async (directory) => {
      const { files } = await erased(directory);
      const [file] = [...files.keys()].filter((name) => name.endsWith('.ndjson')).sort();
      const lines = files.get(file)!.toString('latin1').split('\n');
      const at = lines.findIndex((line) => line.includes('"client":"192.0.2.9"'));
      const { seq, time, up } = JSON.parse(lines[at]);
      lines[at] = `{"seq":${seq},"time":"${time}","up":${up},"erased":true}`.padEnd(lines[at].length);
      expect(faultsWith(directory, files, file, Buffer.from(lines.join('\n'), 'latin1'))).toMatch(
        /it is not what the erasure in record \d+ left either/,
      );
    }));

  test('finds an erasure whose record is gone, or that nobody signed', () =>
    withDirectory(async (directory) => {
      const audit = join(directory, 'audit');
      await makeLog(audit);
      copyFileSync(join(audit, 'w0.head'), join(directory, 'head'));
      const names = segmentFiles(audit);
      const before = new Map(names.map((name) => [name, readFileSync(join(audit, name))]));
      await erase(audit, '--client', '192.0.2.8');
      // The log as it was, with the segments as they are now.
      const copy = join(directory, 'copy');
      mkdirSync(copy);
      for (const name of names) copyFileSync(join(audit, name), join(copy, name));
      const said = verifyAudit(copy).faults.map(({ what }) => what);
      expect(said.join()).toMatch(/records in it say that they are erased, and no record of the log says so/);
      // A record behind the last checkpoint is nobody's word.
      const plan = planErasure({
        directory: audit,
        worker: 0,
        matches: ({ client }) => client === '192.0.2.9',
        by: 'mallory',
        reason: 'none',
        unsealer: null,
      });
      const [change] = plan.changes;
      const target = join(copy, change.name.file);
      for (const [name, octets] of before) writeFileSync(join(copy, name), octets);
      writeFileSync(target, change.octets);
      const last = join(copy, names.at(-1)!);
      const { lastRecord } = verifyAudit(audit).workers[0];
      writeFileSync(
        last,
        Buffer.concat([
          before.get(names.at(-1)!)!,
          Buffer.from(
            `${JSON.stringify({ type: 'erased', seq: lastRecord + 1, time: '2026-11-24T00:00:00.000Z', up: 1, ...change.erasures[0] })}\n`,
          ),
        ]),
      );
      expect(verifyAudit(copy).ok).toBe(false);
    }));

  test('tells of an erasure that was recorded and not carried out, which the same command finishes', () =>
    withDirectory(async (directory) => {
      const audit = join(directory, 'audit');
      await makeLog(audit);
      // A writer records what is asked for; who asked is gone by then.
      const log = openTest({ directory: audit, worker: 0, checkpointMs: 20 });
      const plan = planErasure({
        directory: audit,
        worker: 0,
        matches: ({ client }) => client === '192.0.2.8',
        by: 'me',
        reason: 'request',
        unsealer: null,
      });
      writeErasureRequest(
        audit,
        0,
        plan.changes.flatMap(({ erasures }) => erasures),
      );
      for (const deadline = Date.now() + 10_000; readdirSync(audit).includes('w0.erase'); ) {
        if (Date.now() > deadline) throw new Error('the request was not taken up');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await log.close();
      const { faults, remarks } = verifyAudit(audit);
      expect(faults).toEqual([]);
      expect(remarks.join()).toMatch(
        /says that 30 records are erased, and they are still there: run the erasure again/,
      );
      expect((await erase(audit, '--client', '192.0.2.8')).stdout).toMatch(/^30 entries/);
      expect(verifyAudit(audit)).toMatchObject({ faults: [], workers: [{ erased: 30 }] });
      expect(verifyAudit(audit).remarks.join()).not.toMatch(/still there/);
    }));

  test('proves records of other leaves, and says why it cannot prove those beside erased ones', () =>
    withDirectory(async (directory) => {
      const audit = join(directory, 'audit');
      await makeLog(audit);
      await erase(audit, '-c', '192.0.2.8');
      const leaves = leavesOf(audit, 0);
      const read = (file: string, at: number, end: number): string =>
        readSegment(audit, segmentNames(audit).find((name) => name.file === file)!).toString('utf8', at, end);
      expect(() => proveInclusion(leaves, 0, 1, read)).toThrow(ProofError);
      expect(() => proveInclusion(leaves, 0, 1, read)).toThrow(
        /were erased: the lines that its leaf was made of are gone/,
      );
      const last = verifyAudit(audit).workers[0].lastRecord;
      expect(proveInclusion(leaves, 0, last, read).tree.root).toMatch(/^[0-9a-f]{64}$/);
    }));
});

test.each(['{}', 'no JSON', '{"erasures":[{"file":"/etc/passwd"}]}', `{"erasures":${'['.repeat(100_000)}`])(
  'a request that is none (%#) is taken away and makes no record',
  (text) =>
    withDirectory(async (directory) => {
      const log = openTest({ directory, worker: 0, checkpointMs: 20 });
      write(log, entryFor(log));
      writeFileSync(join(directory, 'w0.erase'), text);
      for (const deadline = Date.now() + 10_000; readdirSync(directory).includes('w0.erase'); ) {
        if (Date.now() > deadline) throw new Error('the request stayed');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await log.close();
      expect([...readRecords(directory, { notes: 'only' })]).toEqual([]);
    }),
);

test.runIf(isInstalled('dig'))(
  'of a running Sallyport: closed segments at once, the open one is named',
  { timeout: 60_000 },
  async () => {
    const serving = await Serving.start({
      policy: `groups:\n  here: {clients: [127.0.0.0/8]}\nlocal:\n  - {zone: home.test, records: ['@ A 192.0.2.80']}\n`,
      settings: 'audit: {segmentAge: 1s, checkpointInterval: 50ms}\n',
    });
    try {
      const audit = join(serving.directory, 'audit');
      for (const deadline = Date.now() + 20_000; segmentFiles(audit).length < 3; ) {
        if (Date.now() > deadline) throw new Error('no segment was closed');
        await serving.dig('home.test', '+short');
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      const ran = await erase(audit, '--client', '127.0.0.1');
      expect(ran.stdout).toMatch(/^[1-9]\d* entries of 127\.0\.0\.1 in \d+ segments were erased/);
      if (ran.code === 1)
        expect(ran.stderr).toMatch(/more are in w0-.*, which is still written to: run the same command/);
      await serving.dig('home.test', '+short');
      serving.child.kill('SIGTERM');
      await new Promise((resolve) => serving.child.once('exit', resolve));
      const report = verifyAudit(audit);
      expect(report.faults).toEqual([]);
      expect(report.workers[0].erased).toBeGreaterThan(0);
    } finally {
      await serving.stop('SIGKILL');
    }
  },
);
