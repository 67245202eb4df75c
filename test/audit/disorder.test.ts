/**
 * Any order of batches and of a disk that is slow, fails and recovers, in every mode: the log verifies, what was said to be
 * kept is in it once, and its gaps count exactly what was refused.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { systemDisk } from '../../src/audit/disk.ts';
import { type AuditLog, type AuditMode, type Disk, verifyAudit } from '../../src/audit/index.ts';
import { entriesOf, entryFor, linesOf, numbersOf, openTest, withDirectory } from './fixture.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const failure = (code: string): Error => Object.assign(new Error(`${code}: made to fail`), { code });

/** A disk of which a test says how it is. */
class MoodyDisk {
  isSlow = false;
  failsSync = false;
  failsWrite: string | null = null;
  /** Of a write that fails a part is in the file. */
  tears = false;
  readonly #waiting: (() => void)[] = [];

  readonly disk: Disk = {
    ...systemDisk,
    create: (path) => {
      if (this.failsWrite === 'EIO') throw failure('EIO');
      return systemDisk.create(path);
    },
    free: (path) => (this.failsWrite === 'ENOSPC' ? 0 : systemDisk.free(path)),
    write: (fd, octets, at, length) => {
      if (this.failsWrite === null) return systemDisk.write(fd, octets, at, length);
      this.tears = !this.tears && length > 1;
      if (this.tears) return systemDisk.write(fd, octets, at, length >> 1);
      throw failure(this.failsWrite);
    },
    sync: (fd, done) => {
      const sync = (): void => {
        if (this.failsSync) setImmediate(() => done(failure('EIO')));
        else systemDisk.sync(fd, done);
      };
      if (this.isSlow) this.#waiting.push(sync);
      else sync();
    },
  };

  confirm(): void {
    this.#waiting.shift()?.();
  }

  recover(): void {
    this.isSlow = this.failsSync = false;
    this.failsWrite = null;
    while (this.#waiting.length > 0) this.confirm();
  }
}

const STEP = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ batch: fc.constantFrom(1, 31, 32, 33, 255, 256, 257), ms: fc.nat(8) }),
  },
  { weight: 2, arbitrary: fc.record({ passMs: fc.nat(400) }) },
  { weight: 2, arbitrary: fc.record({ slow: fc.boolean() }) },
  { weight: 2, arbitrary: fc.constant({ confirm: true }) },
  { weight: 1, arbitrary: fc.record({ failsSync: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ failsWrite: fc.constantFrom('EIO', 'ENOSPC', null) }) },
  { weight: 1, arbitrary: fc.constant({ note: true }) },
);
type Step = typeof STEP extends fc.Arbitrary<infer T> ? T : never;

/** One life of a log. Returns the ids of entries that were kept, and how many were not. */
async function live(log: AuditLog, disk: MoodyDisk, steps: readonly Step[], pass: (ms: number) => void) {
  const kept: number[] = [];
  let refused = 0;
  let id = 0;
  const entry = entryFor(log);
  for (const step of steps) {
    if ('batch' in step) {
      const ids = Array.from({ length: step.batch }, () => id++);
      for (const own of ids) log.append({ ...entry, id: own & 0xffff, clientPort: own >> 16 });
      log.commit((isKept) => {
        if (isKept) kept.push(...ids);
        else refused += ids.length;
      });
      if (step.ms > 4) await pause(step.ms);
    } else if ('passMs' in step) pass(step.passMs);
    else if ('slow' in step) disk.isSlow = step.slow;
    else if ('confirm' in step) disk.confirm();
    else if ('failsSync' in step) disk.failsSync = step.failsSync;
    else if ('failsWrite' in step) disk.failsWrite = step.failsWrite;
    else log.note('event', { zone: 'example.test' });
  }
  disk.recover();
  for (let waited = 0; waited < 1000 && (waited < 30 || !log.healthy); waited++) {
    disk.recover();
    pass(100);
    await pause(5);
  }
  expect(log.healthy).toBe(true);
  await log.close();
  return { kept, refused };
}

describe.each<AuditMode>(['bounded', 'strict', 'open'])('mode %s', (mode) => {
  const runs = process.env['SALLYPORT_TEST_LONG'] === '1' ? 200 : 12;
  test('whatever the disk does', { timeout: runs * 20_000 }, () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(STEP, { minLength: 20, maxLength: 80, size: 'max' }),
        fc.constantFrom(30_000, 1_000_000),
        fc.constantFrom(50, 1000),
        (steps, segmentOctets, blockRecords) =>
          withDirectory(async (directory) => {
            const disk = new MoodyDisk();
            let aheadMs = 0;
            const log = openTest({
              directory,
              worker: 0,
              mode,
              disk: disk.disk,
              segmentOctets,
              blockRecords,
              unsyncedMsMax: 100,
              checkpointMs: 30,
              keyMs: 100,
              bufferOctets: 600_000,
              monotonicMs: () => performance.now() + aheadMs,
            });
            const { kept, refused } = await live(log, disk, steps, (ms) => {
              aheadMs += ms;
            });
            expect(verifyAudit(directory).faults).toEqual([]);
            const numbers = numbersOf(directory);
            expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => i + 1));
            const ids = entriesOf(directory).map(
              (line) => Number(line['id']) + Number(line['port']) * 65_536,
            );
            expect(new Set(ids).size).toBe(ids.length);
            const gaps = linesOf(directory).filter(({ type }) => type === 'gap');
            const counted = gaps.reduce((sum, gap) => sum + Number(gap['refused'] ?? gap['lost'] ?? 0), 0);
            if (mode === 'open') {
              expect(ids.length + counted).toBe(kept.length + refused);
              return;
            }
            const there = new Set(ids);
            expect(kept.filter((own) => !there.has(own))).toEqual([]);
            expect(counted).toBe(refused);
          }),
      ),
      { numRuns: runs },
    ),
  );
});
