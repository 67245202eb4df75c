/** The promises of each mode while the disk fails (docs/audit.md). */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { systemDisk } from '../../src/audit/disk.ts';
import {
  type AuditLog,
  type AuditOptions,
  type Disk,
  type Entry,
  verifyAudit,
} from '../../src/audit/index.ts';
import {
  entriesOf,
  entryFor,
  type Line,
  linesOf,
  numbersOf,
  openTest,
  withDirectory,
  write,
} from './fixture.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const notesOf = (directory: string, type: string): Line[] =>
  linesOf(directory).filter((line) => line['type'] === type);

/** Resolves with what commit said. */
const commit = (log: AuditLog, entry: Entry, count = 1): Promise<boolean> => {
  for (let i = 0; i < count; i++) log.append(entry);
  return new Promise((resolve) => log.commit(resolve));
};

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waited = 0; !condition(); waited += 10) {
    if (waited > 5000) throw new Error(`waited 5 s in vain: ${what}`);
    await pause(10);
  }
}

const failure = (code: string): NodeJS.ErrnoException =>
  Object.assign(new Error(`${code}: made to fail`), { code });

/** The system's disk, parts of which a test breaks and mends. */
function breakable(): Disk & { broken: Partial<Disk> } {
  const disk = { ...systemDisk, broken: {} as Partial<Disk> };
  return Object.assign(disk, {
    create: (path: string) => (disk.broken.create ?? systemDisk.create)(path),
    write: (fd: number, octets: Uint8Array, at: number, length: number) =>
      (disk.broken.write ?? systemDisk.write)(fd, octets, at, length),
    cut: (fd: number, length: number) => (disk.broken.cut ?? systemDisk.cut)(fd, length),
    sync: (fd: number, done: (error: Error | null) => void) =>
      (disk.broken.sync ?? systemDisk.sync)(fd, done),
  });
}

const logs: AuditLog[] = [];
const states: string[] = [];
const open = (options: AuditOptions): AuditLog => {
  const log = openTest({
    onState: (healthy, why) => states.push(`${healthy ? 'up' : 'down'}: ${why}`),
    ...options,
  });
  logs.push(log);
  return log;
};
afterEach(async () => {
  for (const log of logs.splice(0)) await log.close().catch(() => {});
  states.length = 0;
});

/** Whatever happened, what is left must be a log that verifies, with numbers from 1 without a hole. */
async function expectSound(directory: string, log: AuditLog, answered: number): Promise<void> {
  await log.close();
  expect(numbersOf(directory)).toEqual(upTo(numbersOf(directory).length));
  expect(entriesOf(directory)).toHaveLength(answered);
  expect(verifyAudit(directory).faults).toEqual([]);
}

describe.each(['bounded', 'strict'] as const)('mode %s', (mode) => {
  test.each([
    ['fails at once', (): number => 0],
    ['leaves half of it behind', (length: number): number => length >> 1],
  ])('refuses when a write %s, takes the numbers back, and goes on by itself', (_, partOf) =>
    withDirectory(async (directory) => {
      const disk = breakable();
      const log = open({ directory, worker: 0, mode, disk });
      const entry = entryFor(log);
      expect(await commit(log, entry, 3)).toBe(true);
      let calls = 0;
      disk.broken.write = (fd, octets, at, length) => {
        const part = partOf(length);
        if (calls++ === 0 && part > 0) return systemDisk.write(fd, octets, at, part);
        throw failure('EIO');
      };
      expect(await commit(log, entry, 4)).toBe(false);
      expect(log.healthy).toBe(false);
      expect(await commit(log, entry, 2)).toBe(false);
      disk.broken = {};
      await until(() => log.healthy, 'the log should be written again');
      expect(await commit(log, entry, 5)).toBe(true);
      expect(log.counters).toMatchObject({ entries: 8, refused: 6, lost: 0 });
      expect(notesOf(directory, 'gap').map((gap) => gap['refused'])).toEqual([6]);
      expect(states).toEqual(['down: EIO: made to fail', 'up: the audit log is written again']);
      await expectSound(directory, log, 8);
    }),
  );

  test('does not use a segment again after a sync that failed', () =>
    withDirectory(async (directory) => {
      const disk = breakable();
      const log = open({ directory, worker: 0, mode, disk });
      const entry = entryFor(log);
      disk.broken.sync = (_, done) => {
        disk.broken = {};
        setImmediate(done, failure('EIO'));
      };
      const first = await commit(log, entry, 3);
      expect(first).toBe(mode === 'bounded');
      await until(
        () => readdirSync(directory).filter((file) => file.endsWith('.ndjson')).length === 2,
        'new segment',
      );
      await until(() => log.healthy, 'the log should be written again');
      expect(await commit(log, entry, 2)).toBe(true);
      expect(notesOf(directory, 'poisoned')).toMatchObject([{ error: 'EIO: made to fail' }]);
      await expectSound(directory, log, mode === 'bounded' ? 5 : 2);
    }));

  test('refuses while the disk confirms too slowly, without holding up the thread', () =>
    withDirectory(async (directory) => {
      const disk = breakable();
      const log = open({
        directory,
        worker: 0,
        mode,
        disk,
        waitMsMax: 200,
        syncIntervalMs: 10,
        unsyncedMsMax: 100,
      });
      const entry = entryFor(log);
      await pause(60);
      disk.broken.sync = (fd, done) => {
        setTimeout(() => systemDisk.sync(fd, done), 700);
      };
      const first = commit(log, entry);
      let lagMsMax = 0;
      const refused: boolean[] = [];
      const began = performance.now();
      for (let last = began; last - began < 600; ) {
        await pause(10);
        const now = performance.now();
        lagMsMax = Math.max(lagMsMax, now - last - 10);
        last = now;
        if (now - began > 250) refused.push(!(await commit(log, entry)));
      }
      expect(await first).toBe(mode === 'bounded');
      expect(refused.length).toBeGreaterThan(3);
      expect(refused).not.toContain(false);
      // Half of what the disk sleeps: the machine that runs this may be busy, the log must not add to it.
      expect(lagMsMax).toBeLessThan(350);
      disk.broken = {};
      await until(() => log.healthy, 'the disk is quick again');
      expect(await commit(log, entry)).toBe(true);
      await log.close();
      expect(numbersOf(directory)).toEqual(upTo(numbersOf(directory).length));
      expect(verifyAudit(directory).faults).toEqual([]);
      const late = notesOf(directory, 'late');
      expect(late).toHaveLength(mode === 'strict' ? 1 : 0);
      if (mode === 'strict') expect(late[0]).toMatchObject({ from: 1, to: 1 });
    }));

  test('makes its lock again when it went with the directory, so that no second process writes there', () =>
    withDirectory(async (directory) => {
      let aheadMs = 0;
      const log = open({ directory, worker: 0, monotonicMs: () => performance.now() + aheadMs });
      const lock = join(directory, 'w0.lock');
      rmSync(lock);
      aheadMs = 11_000;
      await until(() => existsSync(lock), 'the lock is there again');
      await log.close();
      expect(existsSync(lock)).toBe(false);
    }));

  test('notices that its directory was removed, and makes it again', () =>
    withDirectory(async (parent) => {
      const directory = join(parent, 'audit');
      const log = open({ directory, worker: 0, mode });
      const entry = entryFor(log);
      expect(await commit(log, entry, 3)).toBe(true);
      // The disk has confirmed the file and its name by then; otherwise it is the sync that notices.
      await pause(100);
      rmSync(directory, { recursive: true });
      const began = performance.now();
      while (readdirSync(parent).length === 0 && performance.now() - began < 2000) {
        await commit(log, entry);
        await pause(10);
      }
      expect(performance.now() - began).toBeLessThan(1000);
      await until(() => log.healthy, 'the log should be written again');
      expect(await commit(log, entry)).toBe(true);
      await log.close();
      expect(notesOf(directory, 'removed')).toHaveLength(1);
      const faults = verifyAudit(directory).faults.map((fault) => fault.what);
      expect(faults[0]).toMatch(/^the segment before this one, w0-00000001-.* is missing$/);
    }));
});

test('strict: a group whose segment another sync has spoilt is taken back with it', () =>
  withDirectory(async (directory) => {
    const disk = breakable();
    const log = open({ directory, worker: 0, mode: 'strict', disk, segmentOctets: 3000, syncIntervalMs: 20 });
    const entry = entryFor(log);
    let answered = 0;
    // The first group ends the segment; its successor has a sync of its own, and it is that one that fails.
    while (log.counters.rotations === 0) if (await commit(log, entry, 5)) answered += 5;
    let asked = 0;
    disk.broken.sync = (fd, done) => {
      if (asked++ > 0) systemDisk.sync(fd, done);
      else setTimeout(done, 60, failure('EIO'));
    };
    await until(() => asked > 0, 'the new segment should be synced');
    const kept = await commit(log, entry, 3);
    expect(kept).toBe(false);
    await until(() => log.healthy, 'the log should be written again');
    if (await commit(log, entry, 2)) answered += 2;
    expect(log.counters.refused).toBe(3);
    await expectSound(directory, log, answered);
  }));

describe('mode open', () => {
  test('answers all the same, counts what was lost, and confesses it in the next record', () =>
    withDirectory(async (directory) => {
      const disk = breakable();
      const log = open({ directory, worker: 0, mode: 'open', disk });
      const entry = entryFor(log);
      expect(write(log, entry, 2)).toBe(true);
      disk.broken.write = () => {
        throw failure('EIO');
      };
      for (let i = 0; i < 5; i++) expect(write(log, entry, 3)).toBe(true);
      expect(log.healthy).toBe(false);
      disk.broken = {};
      await until(() => log.healthy, 'the log should be written again');
      expect(write(log, entry)).toBe(true);
      expect(log.counters).toMatchObject({ entries: 3, refused: 0, lost: 15 });
      const gaps = notesOf(directory, 'gap');
      expect(gaps).toMatchObject([{ lost: 15, why: 'EIO: made to fail' }]);
      expect(gaps[0]['seq']).toBe(3);
      await expectSound(directory, log, 3);
    }));
});

test('a write that fails and cannot be cut off is told by the next segment', () =>
  withDirectory(async (directory) => {
    const disk = breakable();
    const log = open({ directory, worker: 0, disk });
    const entry = entryFor(log);
    expect(write(log, entry, 3)).toBe(true);
    let calls = 0;
    disk.broken.write = (fd, octets, at, length) => {
      if (calls++ === 0) return systemDisk.write(fd, octets, at, length >> 1);
      throw failure('EIO');
    };
    disk.broken.cut = () => {
      throw failure('EIO');
    };
    expect(write(log, entry, 2)).toBe(false);
    disk.broken = {};
    await until(() => log.healthy, 'the log should be written again');
    expect(write(log, entry)).toBe(true);
    await log.close();
    const report = verifyAudit(directory);
    expect(report.faults).toEqual([]);
    expect(report.remarks.join()).toMatch(/a failed write could not be cut off/);
  }));

test('a batch that outgrows the buffer is refused whole, and the next one is kept', () =>
  withDirectory(async (directory) => {
    const log = open({ directory, worker: 0 });
    const entry = entryFor(log);
    entry.outcome = new Uint8Array(200_000).fill(0x20);
    expect(write(log, entry, 100)).toBe(false);
    expect(write(log, entryFor(log), 2)).toBe(true);
    expect(log.counters).toMatchObject({ entries: 2, refused: 100 });
    await expectSound(directory, log, 2);
  }));

test('a clock that is set back is recorded, and numbers go on', () =>
  withDirectory(async (directory) => {
    let wallMs = Date.UTC(2026, 0, 1);
    const log = open({ directory, worker: 0, wallMs: () => wallMs });
    const entry = entryFor(log);
    write(log, { ...entry, atMs: wallMs });
    wallMs -= 3_600_000;
    write(log, { ...entry, atMs: wallMs });
    write(log, { ...entry, atMs: wallMs });
    const step = notesOf(directory, 'clock');
    expect(step).toHaveLength(1);
    expect(Math.abs((step[0]['stepMs'] as number) + 3_600_000)).toBeLessThan(2000);
    await expectSound(directory, log, 3);
  }));

test('segments of a few milliseconds have no hole and no double under load', () =>
  withDirectory(async (directory) => {
    const keys = new Set<unknown>();
    const onCheckpoint = (line: string): void => void keys.add((JSON.parse(line) as Line)['key']);
    const log = open({ directory, worker: 0, segmentAgeMs: 5, keyMs: 50, checkpointMs: 20, onCheckpoint });
    const entry = entryFor(log);
    let answered = 0;
    const began = performance.now();
    while (log.counters.rotations <= 30 || keys.size <= 5) {
      expect(performance.now() - began).toBeLessThan(15_000);
      for (let i = 0; i < 16; i++) if (write(log, entry, 8)) answered += 8;
      await pause(1);
    }
    await expectSound(directory, log, answered);
  }));

test('a directory that cannot be written is an error in words, not an empty log', () =>
  withDirectory((directory) => {
    mkdirSync(join(directory, 'w0.key'));
    const log = open({ directory, worker: 0 });
    expect(log.healthy).toBe(false);
    expect(write(log, entryFor(log))).toBe(false);
  }));
