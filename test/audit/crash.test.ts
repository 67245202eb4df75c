/** What the log promises when the process is killed and when the disk is full (docs/audit.md). */
import { spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readRecords, Unsealer, verifyAudit } from '../../src/audit/index.ts';
import {
  entriesOf,
  entryFor,
  linesOf,
  numbersOf,
  openTest,
  segmentFiles,
  withDirectory,
  write,
} from './fixture.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const CHILD = join(import.meta.dirname, 'writer-child.mjs');
/** 200 kills take a minute and a half. */
const KILLS = process.env['SALLYPORT_TEST_LONG'] === '1' ? 200 : 12;

/** Lets a child write, kills it after `ms` from its first word on, and returns how many queries it had answered. */
function writeUntilKilled(
  directory: string,
  mode: string,
  workers: number,
  ms: number,
  encryptTo: readonly string[] = [],
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CHILD, directory, mode, String(workers), ...encryptTo], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    let complaint = '';
    child.stderr.on('data', (text) => {
      complaint += text;
    });
    child.stdout.on('data', (text) => {
      if (said === '') setTimeout(() => child.kill('SIGKILL'), ms);
      said += text;
    });
    child.on('error', reject);
    child.on('close', () => {
      if (complaint !== '') reject(new Error(complaint));
      // The last number may itself be cut short: only whole lines count.
      else resolve(Number(said.slice(0, said.lastIndexOf('\n')).split('\n').pop()));
    });
  });
}

describe.each([
  ['bounded', 1],
  ['strict', 1],
  ['bounded', 2],
])('kill -9 at random moments, mode %s, %i worker(s)', (mode, workers) => {
  test(`loses no answered query, ${Math.ceil(KILLS / 3)} times over the same log`, { timeout: 300_000 }, () =>
    withDirectory(async (directory) => {
      let before = 0;
      for (let i = 0; i < Math.ceil(KILLS / 3); i++) {
        const answered = await writeUntilKilled(directory, mode, workers, Math.random() * 120);
        expect(answered).toBeGreaterThan(0);
        for (let worker = 0; worker < workers; worker++) {
          await openTest({ directory, worker }).close();
        }
        const entries = entriesOf(directory).length;
        expect(entries - before).toBeGreaterThanOrEqual(answered);
        before = entries;
        const report = verifyAudit(directory);
        expect(report.faults).toEqual([]);
        for (const { worker, lastSigned, lastRecord } of report.workers) {
          expect({ worker, lastSigned }).toEqual({ worker, lastSigned: lastRecord });
        }
      }
      if (workers === 1) expect(numbersOf(directory)).toEqual(upTo(numbersOf(directory).length));
    }),
  );
});

test('a segment that is too long to be read whole goes on behind its last whole line', () =>
  withDirectory((directory) => {
    const before = join(directory, 'before');
    const after = join(directory, 'after');
    const log = openTest({ directory: before, worker: 0 });
    const entry = entryFor(log);
    const count = 20_000;
    for (let i = 0; i < count; i += 500) expect(write(log, entry, 500)).toBe(true);
    cpSync(before, after, { recursive: true });
    rmSync(join(after, 'w0.lock'), { force: true });
    const [file] = segmentFiles(after);
    expect(statSync(join(after, file)).size).toBeGreaterThan(5_000_000);
    appendFileSync(join(after, file), '{"seq":20001,"time":"2026-11-2');
    const again = openTest({ directory: after, worker: 0 });
    expect(write(again, entryFor(again))).toBe(true);
    return Promise.all([log.close(), again.close()]).then(() => {
      // The note of the repair takes a number as well.
      expect(numbersOf(after)).toEqual(upTo(count + 2));
      expect(verifyAudit(after).faults).toEqual([]);
      const recovered = linesOf(after).find(({ type }) => type === 'recovered');
      expect(recovered).toMatchObject({ file, tornOctets: 30 });
    });
  }));

test.each(['bounded', 'strict'])(
  'kill -9 at random moments, mode %s, encrypted: no answered query is lost to who holds the key',
  { timeout: 300_000 },
  (mode) =>
    withDirectory(async (parent) => {
      const directory = join(parent, 'audit');
      const { privateKey, publicKey } = generateKeyPairSync('x25519');
      const files = [join(parent, 'private.pem'), join(parent, 'public.pem')];
      writeFileSync(files[0], privateKey.export({ format: 'pem', type: 'pkcs8' }));
      writeFileSync(files[1], publicKey.export({ format: 'pem', type: 'spki' }));
      let before = 0;
      for (let i = 0; i < Math.ceil(KILLS / 3); i++) {
        const answered = await writeUntilKilled(directory, mode, 1, Math.random() * 120, [files[1]]);
        expect(answered).toBeGreaterThan(0);
        await openTest({ directory, worker: 0 }).close();
        expect(verifyAudit(directory).faults).toEqual([]);
        const unsealer = Unsealer.read([files[0]]);
        const report = verifyAudit(directory, { unsealer });
        expect(report.faults).toEqual([]);
        const entries = [...readRecords(directory, {}, () => {}, unsealer)].length;
        expect(entries).toBe(report.workers[0].sealed);
        expect(entries - before).toBeGreaterThanOrEqual(answered);
        before = entries;
      }
    }),
);

/** Runs a test on a file system of its own, of `kilobytes`; where that is not permitted it says so. */
const onDiskOf = (kilobytes: number, run: (disk: string) => Promise<void>): Promise<void> =>
  withDirectory(async (parent) => {
    const disk = join(parent, 'disk');
    mkdirSync(disk);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', disk]);
    if (mounted.status !== 0) {
      console.log('skipped: a tmpfs cannot be mounted here (needs root)');
      return;
    }
    try {
      await run(disk);
    } finally {
      // Twice, for the test that mounts it a second time over itself.
      spawnSync('umount', ['-l', disk]);
      spawnSync('umount', ['-l', disk]);
    }
  });

describe('on a disk of 2 MB', () => {
  test.each([
    ['bounded', 0],
    ['bounded', 512 * 1024],
    ['strict', 512 * 1024],
  ] as const)(
    'mode %s with a reserve of %i: full means refusal, and room means service',
    (mode, reserveOctets) =>
      onDiskOf(2048, async (disk) => {
        const directory = join(disk, 'audit');
        const states: string[] = [];
        const onState = (healthy: boolean, why: string): void => void states.push(`${healthy}: ${why}`);
        const log = openTest({ directory, worker: 0, mode, reserveOctets, onState, segmentOctets: 300_000 });
        const entry = entryFor(log);
        const commit = (count: number): Promise<boolean> => {
          for (let i = 0; i < count; i++) log.append(entry);
          return new Promise((resolve) => log.commit(resolve));
        };
        // The reserve is filled beside everything else; what is tested is what becomes of a whole one.
        const reserve = join(directory, 'w0.reserve');
        while (reserveOctets > 0 && !(existsSync(reserve) && statSync(reserve).size === reserveOctets))
          await pause(10);
        await pause(100);
        const fill = join(disk, 'fill');
        writeFileSync(fill, new Uint8Array(600 * 1024));
        let answered = 0;
        while (await commit(10)) answered += 10;
        expect(log.healthy).toBe(false);
        expect(answered * 300).toBeGreaterThan(600_000);
        for (let i = 0; i < 20; i++) {
          expect(await commit(5)).toBe(false);
          await pause(20);
        }
        expect(entriesOf(directory)).toHaveLength(answered);
        const wasFull = performance.now();
        rmSync(fill);
        while (!(await commit(1))) {
          expect(performance.now() - wasFull).toBeLessThan(1000);
          await pause(10);
        }
        await log.close();
        expect(entriesOf(directory)).toHaveLength(answered + 1);
        expect(numbersOf(directory)).toEqual(upTo(numbersOf(directory).length));
        expect(verifyAudit(directory).faults).toEqual([]);
        const gaps = linesOf(directory).filter((line) => line['type'] === 'gap');
        const refused = gaps.reduce((sum, gap) => sum + (gap['refused'] as number), 0);
        expect(refused).toBe(log.counters.refused);
        expect(gaps[0]['why']).toMatch(/is full \(ENOSPC\)/);
        expect(linesOf(directory).filter((line) => line['type'] === 'stopped')).toHaveLength(
          reserveOctets > 0 ? 1 : 0,
        );
        if (reserveOctets > 0) expect(states[0]).toMatch(/^true: .* the reserve is in use/);
        expect(states.at(-1)).toBe('true: the audit log is written again');
      }),
  );

  test('mode open goes on answering, and the gap is exact', () =>
    onDiskOf(1024, async (disk) => {
      const directory = join(disk, 'audit');
      const log = openTest({ directory, worker: 0, mode: 'open' });
      const entry = entryFor(log);
      const fill = join(disk, 'fill');
      writeFileSync(fill, new Uint8Array(400 * 1024));
      for (let i = 0; i < 3000; i++) expect(write(log, entry)).toBe(true);
      const isTaken = (): boolean => log.counters.entries + log.counters.lost === 3000;
      for (let waited = 0; !isTaken() && waited < 5000; waited += 20) await pause(20);
      expect(log.counters.lost).toBeGreaterThan(0);
      for (let waited = 0; log.healthy && waited < 5000; waited += 20) await pause(20);
      expect(log.healthy).toBe(false);
      rmSync(fill);
      for (let waited = 0; !log.healthy && waited < 5000; waited += 20) await pause(20);
      write(log, entry);
      await log.close();
      const gaps = linesOf(directory).filter((line) => line['type'] === 'gap');
      expect(gaps.reduce((sum, gap) => sum + (gap['lost'] as number), 0)).toBe(log.counters.lost);
      expect(entriesOf(directory).length + log.counters.lost).toBe(3001);
      expect(verifyAudit(directory).faults).toEqual([]);
    }));

  test('a full disk at the start is no error: it refuses, and begins when there is room', () =>
    onDiskOf(512, async (disk) => {
      const fill = join(disk, 'fill');
      writeFileSync(fill, new Uint8Array(450 * 1024));
      const directory = join(disk, 'audit');
      const log = openTest({ directory, worker: 0 });
      expect(write(log, entryFor(log))).toBe(false);
      rmSync(fill);
      for (let waited = 0; !log.healthy && waited < 2000; waited += 20) await pause(20);
      expect(write(log, entryFor(log))).toBe(true);
      await log.close();
      expect(verifyAudit(directory).faults).toEqual([]);
    }));
});

test('a directory that is mounted read-only while in use: refusal, and service once it is writable', () =>
  onDiskOf(1024, async (directory) => {
    const log = openTest({ directory, worker: 0, segmentAgeMs: 50 });
    const entry = entryFor(log);
    expect(write(log, entry)).toBe(true);
    // A descriptor open for writing keeps a file system writable, so the segment is moved out of the way first.
    const remount = (how: string): number | null =>
      spawnSync('mount', ['-o', `remount,${how}`, directory]).status;
    if (remount('ro') !== 0) {
      // The kernel refuses while a file is open for writing: a bind mount over the directory has the same effect.
      expect(spawnSync('mount', ['--bind', directory, directory]).status).toBe(0);
      expect(spawnSync('mount', ['-o', 'remount,bind,ro', directory]).status).toBe(0);
    }
    await pause(80);
    write(log, entry);
    await pause(400);
    expect(write(log, entry)).toBe(false);
    spawnSync('mount', ['-o', 'remount,bind,rw', directory]);
    remount('rw');
    for (let waited = 0; !log.healthy && waited < 2000; waited += 20) await pause(20);
    expect(write(log, entry)).toBe(true);
    await log.close();
    expect(verifyAudit(directory).faults).toEqual([]);
  }));

test('a segment whose header never was whole is taken away, and its number used again', () =>
  withDirectory(async (directory) => {
    const first = openTest({ directory, worker: 0 });
    write(first, entryFor(first), 2);
    await first.close();
    writeFileSync(join(directory, 'w0-00000002-20261121T000000000Z.ndjson'), '{"type":"segm');
    const second = openTest({ directory, worker: 0 });
    write(second, entryFor(second));
    await second.close();
    expect(segmentFiles(directory)).toHaveLength(2);
    expect(linesOf(directory).find((line) => line['type'] === 'recovered')).toMatchObject({ tornOctets: 13 });
    expect(verifyAudit(directory).faults).toEqual([]);
    expect(existsSync(join(directory, 'w0-00000002-20261121T000000000Z.ndjson'))).toBe(false);
    expect(readdirSync(directory).filter((file) => file.endsWith('.new'))).toEqual([]);
  }));
