/**
 * A power cut, replayed: the disk of the test remembers every write and every sync. What a real disk may hold after a cut
 * is what was synced, and any beginning of what was not. From each such state the log must recover, verify, and
 * hold what its mode promises.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemDisk } from '../../src/audit/disk.ts';
import { type Disk, verifyAudit } from '../../src/audit/index.ts';
import { entriesOf, entryFor, numbersOf, openTest, withDirectory } from './fixture.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

interface Kept {
  octets: Buffer;
  /** Octets that the disk has confirmed. */
  synced: number;
}

/** What would be there after a cut, and how many queries had been answered by then. */
interface Moment {
  readonly files: ReadonlyMap<string, { readonly octets: Buffer; readonly synced: number }>;
  readonly answered: number;
  readonly atMs: number;
}

class RememberingDisk {
  readonly files = new Map<string, Kept>();
  readonly moments: Moment[] = [];
  answered = 0;
  readonly #names = new Map<number, string>();

  remember(): void {
    const files = new Map([...this.files].map(([name, { octets, synced }]) => [name, { octets, synced }]));
    this.moments.push({ files, answered: this.answered, atMs: performance.now() });
  }

  readonly disk: Disk = {
    ...systemDisk,
    create: (path) => {
      const fd = systemDisk.create(path);
      this.#names.set(fd, basename(path));
      this.files.set(basename(path), { octets: Buffer.alloc(0), synced: 0 });
      return fd;
    },
    write: (fd, octets, at, length) => {
      const file = this.files.get(this.#names.get(fd)!)!;
      file.octets = Buffer.concat([file.octets, octets.subarray(at, at + length)]);
      this.remember();
      return systemDisk.write(fd, octets, at, length);
    },
    sync: (fd, done) => {
      const file = this.files.get(this.#names.get(fd)!)!;
      const reached = file.octets.length;
      systemDisk.sync(fd, (error) => {
        file.synced = Math.max(file.synced, reached);
        this.remember();
        done(error);
        this.remember();
      });
    },
  };
}

describe.each(['strict', 'bounded'] as const)('a power cut, mode %s', (mode) => {
  test(
    'leaves a log that recovers and verifies, whatever the disk had got round to',
    { timeout: 60_000 },
    () =>
      withDirectory(async (parent) => {
        const original = join(parent, 'original');
        const remembering = new RememberingDisk();
        const log = openTest({
          directory: original,
          worker: 0,
          mode,
          disk: remembering.disk,
          segmentOctets: 6000,
          checkpointMs: 15,
          keyMs: 40,
          syncIntervalMs: 10,
        });
        const entry = entryFor(log);
        for (let i = 0; i < 60; i++) {
          const count = 1 + (i % 4);
          for (let j = 0; j < count; j++) log.append(entry);
          log.commit((kept) => {
            expect(kept).toBe(true);
            remembering.answered += count;
            remembering.remember();
          });
          await new Promise((resolve) => setTimeout(resolve, 3));
        }
        await log.close();
        const key = readFileSync(join(original, 'w0.key'));

        const { moments } = remembering;
        expect(moments.length).toBeGreaterThan(100);
        const directory = join(parent, 'after');
        let cuts = 0;
        for (let i = 0; i < moments.length; i += 9) {
          const { files, answered } = moments[i];
          for (const part of [0, 0.3, 0.77, 1]) {
            rmSync(directory, { recursive: true, force: true });
            mkdirSync(directory);
            writeFileSync(join(directory, 'w0.key'), key);
            let isWhole = true;
            for (const [name, { octets, synced }] of files) {
              if (!isWhole) {
                // Before the end of one segment is on the disk, nothing of the next is asked for.
                expect(synced).toBe(0);
                continue;
              }
              const reached = synced + Math.floor((octets.length - synced) * part);
              isWhole = reached === octets.length;
              if (reached > 0 || part > 0) writeFileSync(join(directory, name), octets.subarray(0, reached));
            }
            cuts++;
            const recovered = openTest({ directory, worker: 0 });
            await recovered.close();
            const faults = verifyAudit(directory).faults.filter(
              ({ what }) => !what.includes('which no checkpoint'),
            );
            expect(faults).toEqual([]);
            const numbers = numbersOf(directory);
            expect(numbers).toEqual(upTo(numbers.length));
            if (mode === 'strict' || part === 1)
              expect(entriesOf(directory).length).toBeGreaterThanOrEqual(answered);
          }
        }
        expect(cuts).toBeGreaterThan(40);
      }),
  );
});

// What `bounded` may lose, 100 ms, is measured to the millisecond in hold.test.ts, where the test has the clock.
test('strict: whatever was answered is on the disk at that moment', () =>
  withDirectory(async (directory) => {
    const remembering = new RememberingDisk();
    const log = openTest({ directory, worker: 0, mode: 'strict', disk: remembering.disk });
    const entry = entryFor(log);
    let answered = 0;
    for (let i = 0; i < 80; i++) {
      log.append(entry);
      log.commit((kept) => {
        expect(kept).toBe(true);
        answered++;
        const [file] = remembering.files.values();
        const durable = file.octets.subarray(0, file.synced).toString().split('\n{"seq":').length - 1;
        expect(durable).toBeGreaterThanOrEqual(answered);
      });
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await log.close();
    expect(answered).toBe(80);
  }));
