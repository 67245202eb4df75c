/**
 * The hold of mode `bounded` (docs/decisions/0002), with the clock and the disk in the test's hands: a batch behind a slow
 * disk waits, at most half a second, and never are more than 100 ms of records with the kernel and not on the disk.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemDisk } from '../../src/audit/disk.ts';
import { type AuditLog, type Disk, type Entry, openAudit, verifyAudit } from '../../src/audit/index.ts';
import { entriesOf, entryFor, linesOf, numbersOf, withDirectory } from './fixture.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** Writes at once; confirms when it is told to. */
class PatientDisk {
  /** Who waits for a confirmation, and how many writes it covers. */
  readonly #asked: { readonly done: (error: Error | null) => void; readonly writes: number }[] = [];
  /** When each write was made, milliseconds; and how many of them are on the disk. */
  readonly writtenAtMs: number[] = [];
  confirmed = 0;

  readonly disk: Disk = {
    ...systemDisk,
    write: (fd, octets, at, length) => {
      this.writtenAtMs.push(Date.now());
      return systemDisk.write(fd, octets, at, length);
    },
    sync: (_, done) => void this.#asked.push({ done, writes: this.writtenAtMs.length }),
    syncDirectory: (_, done) => done(null),
    isInPlace: (_fd, _path, done) => done(true),
  };

  get isAsked(): boolean {
    return this.#asked.length > 0;
  }

  /** How long the oldest write has waited. */
  get ageMs(): number {
    const oldest = this.writtenAtMs[this.confirmed];
    return oldest === undefined ? 0 : Date.now() - oldest;
  }

  confirm(): void {
    const asked = this.#asked.shift();
    if (asked === undefined) throw new Error('the disk was not asked for anything');
    this.confirmed = Math.max(this.confirmed, asked.writes);
    asked.done(null);
  }

  confirmAll(): void {
    while (this.isAsked) this.confirm();
  }
}

interface Scene {
  readonly log: AuditLog;
  readonly disk: PatientDisk;
  readonly entry: Entry;
  readonly directory: string;
  /** What became of each batch, in the order in which it was told: `1 kept`, `2 refused`. */
  readonly told: string[];
  readonly states: boolean[];
  commit(count?: number): void;
  pass(ms: number): void;
}

/** A log whose segment is on the disk, at a moment in which nothing waits. */
async function onStage(run: (scene: Scene) => void): Promise<void> {
  await withDirectory(async (directory) => {
    const disk = new PatientDisk();
    const told: string[] = [];
    const states: boolean[] = [];
    const log = openAudit({
      directory,
      worker: 0,
      disk: disk.disk,
      reserveOctets: 0,
      checkpointMs: 3_600_000,
      wallMs: Date.now,
      monotonicMs: Date.now,
      onState: (healthy) => states.push(healthy),
    });
    const entry = entryFor(log);
    let batches = 0;
    const commit = (count = 1): void => {
      const batch = ++batches;
      for (let i = 0; i < count; i++) log.append(entry);
      log.commit((kept) => told.push(`${batch} ${kept ? 'kept' : 'refused'}`));
    };
    const pass = (ms: number): void => void vi.advanceTimersByTime(ms);
    pass(40);
    disk.confirm();
    run({ log, disk, entry, directory, told, states, commit, pass });
    disk.confirmAll();
    // A log that closes waits for the disk, which now confirms what it is asked for.
    vi.useRealTimers();
    const confirming = setInterval(() => disk.confirmAll(), 1);
    await log.close();
    clearInterval(confirming);
    expect(numbersOf(directory)).toEqual(upTo(numbersOf(directory).length));
    expect(entriesOf(directory)).toHaveLength(log.counters.entries);
    expect(verifyAudit(directory).faults).toEqual([]);
  });
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a batch behind a slow disk', () => {
  test('a line that closed a block stays when what waited behind it is refused', () =>
    onStage(({ disk, told, commit, pass }) => {
      // A thousand records close a block; the line that lists its leaves goes with the next write.
      commit(1000);
      pass(150);
      commit(40);
      expect(told).toEqual(['1 kept']);
      pass(600);
      expect(told).toEqual(['1 kept', '2 refused']);
      disk.confirmAll();
      pass(50);
      commit(3);
      expect(told.at(-1)).toBe('3 kept');
    }));

  test('waits from the 100th millisecond on, and goes in order as soon as the disk has confirmed', () =>
    onStage(({ disk, told, states, commit, pass }) => {
      commit();
      pass(100);
      commit(2);
      expect(told).toEqual(['1 kept', '2 kept']);
      pass(1);
      commit(3);
      pass(200);
      commit();
      expect(told).toHaveLength(2);
      // What was written at the 100th millisecond has waited too long as well by now: the disk is asked again at once.
      disk.confirm();
      expect(disk.isAsked).toBe(true);
      pass(20);
      expect(told).toHaveLength(2);
      disk.confirm();
      pass(5);
      expect(told).toEqual(['1 kept', '2 kept', '3 kept', '4 kept']);
      expect(states).toEqual([]);
    }));

  test('is refused after half a second, and what comes then at once, until the disk has confirmed', () =>
    onStage(({ log, directory, disk, told, states, commit, pass }) => {
      commit();
      pass(101);
      commit(2);
      pass(300);
      commit(3);
      expect(log.healthy).toBe(true);
      pass(195);
      expect(told).toEqual(['1 kept']);
      pass(10);
      // Held for 500 ms and for 200: with the first that was held all are refused, so that order is kept.
      expect(told).toEqual(['1 kept', '2 refused', '3 refused']);
      expect(log.healthy).toBe(false);
      commit(4);
      expect(told.at(-1)).toBe('4 refused');
      disk.confirm();
      expect(log.healthy).toBe(true);
      commit(5);
      expect(told.at(-1)).toBe('5 kept');
      expect(log.counters).toMatchObject({ entries: 6, refused: 9 });
      expect(states).toEqual([false, true]);
      expect(linesOf(directory).filter((line) => line['type'] === 'gap')).toMatchObject([{ refused: 9 }]);
    }));

  test('is not waited for by the thread itself, though its timers were late', () =>
    onStage(({ disk, told, commit, pass }) => {
      commit();
      // No timer has run: nobody has asked the disk yet.
      vi.setSystemTime(Date.now() + 400);
      expect(disk.isAsked).toBe(false);
      commit();
      expect(disk.isAsked).toBe(true);
      expect(told).toEqual(['1 kept']);
      disk.confirm();
      pass(5);
      expect(told).toEqual(['1 kept', '2 kept']);
    }));
});

test('never are records older than 100 ms without the disk while more are written, however slow it is', () =>
  onStage(({ disk, told, commit, pass }) => {
    // Delays of a disk from quick to hopeless, in an order that is the same each time.
    let random = 12345;
    const next = (bound: number): number => {
      random = (Math.imul(random, 1103515245) + 12345) >>> 0;
      return (random >>> 8) % bound;
    };
    let confirmAtMs: number | null = null;
    let writes = disk.writtenAtMs.length;
    let oldestMs = 0;
    for (let i = 0; i < 20_000; i++) {
      if (disk.isAsked && confirmAtMs === null)
        confirmAtMs = Date.now() + next([5, 60, 150, 400, 1500][next(5)]);
      if (confirmAtMs !== null && Date.now() >= confirmAtMs) {
        disk.confirm();
        confirmAtMs = null;
      }
      const ageMs = disk.ageMs;
      oldestMs = Math.max(oldestMs, ageMs);
      if (next(7) === 0) commit(1 + next(3));
      pass(1);
      // What was written in this step was written while the oldest was at most one step older.
      if (disk.writtenAtMs.length > writes) expect(ageMs).toBeLessThanOrEqual(100);
      writes = disk.writtenAtMs.length;
    }
    expect(oldestMs).toBeGreaterThan(1000);
    const count = (what: string): number => told.filter((text) => text.endsWith(what)).length;
    expect(count('kept')).toBeGreaterThan(100);
    expect(count('refused')).toBeGreaterThan(100);
    const order = told.map((text) => Number.parseInt(text, 10));
    expect(order).toEqual([...order].sort((one, other) => one - other));
  }));
