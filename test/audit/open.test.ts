/** Mode `open`: answers never wait, whatever the disk does, and what was lost is confessed to the query. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { AuditInUse, verifyAudit } from '../../src/audit/index.ts';
import {
  CHUNK_LENGTH,
  type Drain,
  DrainingEnd,
  FillingEnd,
  PLACE_LENGTH,
} from '../../src/audit/open-buffer.ts';
import { BadDisk, hasBadDisk } from '../bad-disk/bad-disk.ts';
import { entriesOf, entryFor, linesOf, numbersOf, openTest, withDirectory, write } from './fixture.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const LINE = Buffer.from(`,"text":"${'x'.repeat(990)}"}\n`);

/** Both ends of a buffer in one thread, and what was read: lines as numbers, losses as `-count since`. */
function bufferOf(chunks: number) {
  const memory = new SharedArrayBuffer(chunks * CHUNK_LENGTH);
  const filling = new FillingEnd(memory);
  const place = new Int32Array(PLACE_LENGTH);
  const draining = (): DrainingEnd => new DrainingEnd(memory, place);
  const read: string[] = [];
  const drain: Drain = {
    lost: (count, sinceMs) => read.push(`lost ${count} since ${sinceMs}`),
    line: (octets, at, end) => read.push(Buffer.from(octets.subarray(at, end)).toString('latin1')),
    commit: () => {},
  };
  const put = (octets: Uint8Array, atMs: number): boolean => {
    if (!filling.hasRoom(octets.length)) {
      filling.lose(atMs);
      return false;
    }
    filling.chunk.octets.set(octets, filling.at);
    filling.at += octets.length;
    return true;
  };
  return { filling, draining, drain, read, put };
}

describe('the memory between the threads', () => {
  test('hands over what was published, in order, once', () => {
    const { filling, draining, drain, read, put } = bufferOf(3);
    const end = draining();
    expect(end.read(drain)).toBe(false);
    put(Buffer.from('one\n'), 0);
    expect(end.read(drain)).toBe(false);
    filling.publish();
    put(Buffer.from('two\n'), 0);
    expect(end.read(drain)).toBe(true);
    expect(read).toEqual(['one\n']);
    filling.publish();
    // Another that takes the place of the first goes on where that one was.
    expect(draining().read(drain)).toBe(true);
    expect(draining().read(drain)).toBe(false);
    expect(read).toEqual(['one\n', 'two\n']);
  });

  test('counts what finds no room, and says so before the next line, however small that is', () => {
    const { filling, draining, drain, read, put } = bufferOf(2);
    const end = draining();
    let kept = 0;
    while (put(LINE, 1000)) kept++;
    expect(kept).toBe(2 * Math.floor((CHUNK_LENGTH - 64) / LINE.length));
    for (let i = 1; i <= 6; i++) expect(put(Buffer.from('s\n'), 1000 + i)).toBe(false);
    expect(filling.lost).toBe(7);
    filling.publish();
    expect(filling.confess()).toBe(false);
    while (end.read(drain)) {}
    expect(read).toHaveLength(kept);
    expect(put(Buffer.from('small\n'), 2000)).toBe(true);
    filling.publish();
    while (end.read(drain)) {}
    expect(read.slice(kept)).toEqual(['lost 7 since 1000', 'small\n']);
    // Nothing was lost since.
    filling.confess();
    while (end.read(drain)) {}
    expect(read).toHaveLength(kept + 2);
  });

  test('tells of a loss when no line follows', () => {
    const { filling, draining, drain, read, put } = bufferOf(2);
    while (put(LINE, 5)) {}
    const end = draining();
    filling.publish();
    while (end.read(drain)) {}
    expect(filling.confess()).toBe(true);
    while (end.read(drain)) {}
    expect(read.at(-1)).toBe('lost 1 since 5');
  });
});

describe('a log in mode open', () => {
  test('writes in a thread of its own what it was given, and notes between', () =>
    withDirectory(async (directory) => {
      const log = openTest({
        directory,
        worker: 0,
        mode: 'open',
        segmentOctets: 20_000,
        keyMs: 50,
        checkpointMs: 20,
      });
      const entry = entryFor(log);
      const tailed = { ...entry, tail: log.renderTail(entry) };
      let kept = 0;
      for (let i = 0; i < 50; i++) {
        expect(write(log, i % 2 === 0 ? entry : tailed, 7)).toBe(true);
        if (i === 20) expect(log.note('verdict', { zone: 'tunnel.test' }, () => kept++)).toBe(true);
        await pause(2);
      }
      for (let waited = 0; kept === 0 && waited < 5000; waited += 10) await pause(10);
      expect(kept).toBe(1);
      await log.close();
      expect(log.counters).toMatchObject({ entries: 350, refused: 0, lost: 0 });
      // What is drained at a time is one batch, whatever its size: one segment ends at least.
      expect(log.counters.rotations).toBeGreaterThan(0);
      expect(numbersOf(directory)).toEqual(upTo(351));
      // After all that was appended before it; what came while it was on its way may come before it too.
      expect(linesOf(directory).find((line) => line['type'] === 'verdict')?.['seq']).toBeGreaterThanOrEqual(
        148,
      );
      const [first, second] = [entriesOf(directory)[0], entriesOf(directory)[7]];
      expect({ ...second, seq: 1, up: 0 }).toEqual({ ...first, up: 0 });
      expect(verifyAudit(directory).faults).toEqual([]);
    }));

  test('goes on in another thread when the one that writes has ended', { timeout: 60_000 }, () =>
    withDirectory(async (directory) => {
      const states: string[] = [];
      const log = openTest({
        directory,
        worker: 0,
        mode: 'open',
        threadFile: new URL('./ending-thread.mjs', import.meta.url),
        onState: (healthy, why) => states.push(`${healthy ? 'up' : 'down'}: ${why}`),
      });
      const entry = entryFor(log);
      let count = 0;
      const ended = (): number =>
        states.filter((state) => state.includes('the thread of the audit log ended')).length;
      for (let waited = 0; ended() < 3 && waited < 20_000; waited += 5) {
        write(log, entry, 3);
        count += 3;
        await pause(5);
      }
      expect(ended()).toBe(3);
      expect(log.healthy).toBe(false);
      for (let waited = 0; !log.healthy && waited < 5000; waited += 5) await pause(5);
      expect(log.healthy).toBe(true);
      await log.close();
      expect(log.counters).toMatchObject({ entries: count, lost: 0 });
      expect(entriesOf(directory)).toHaveLength(count);
      expect(numbersOf(directory)).toEqual(upTo(numbersOf(directory).length));
      expect(verifyAudit(directory).faults).toEqual([]);
    }),
  );

  test('reckons `up` from the start of the thread that answers', () =>
    withDirectory(async (directory) => {
      const log = openTest({ directory, worker: 0, mode: 'open' });
      const began = performance.now();
      write(log, { ...entryFor(log), atMs: Date.now() });
      log.note('verdict', {});
      await log.close();
      for (const record of linesOf(directory).filter((line) => typeof line['up'] === 'number')) {
        expect(record['up']).toBeGreaterThanOrEqual(Math.floor(began) - 5);
        expect(record['up']).toBeLessThanOrEqual(Math.ceil(performance.now()) + 5);
      }
    }));

  test('says what is wrong when it cannot be opened', () =>
    withDirectory((directory) => {
      const other = spawn(process.execPath, [CHILD, directory], { stdio: ['pipe', 'pipe', 'inherit'] });
      return new Promise<void>((resolve, reject) => {
        other.on('exit', () => resolve());
        other.stdout.once('data', () => {
          try {
            expect(() => openTest({ directory, worker: 0, mode: 'open' })).toThrow(AuditInUse);
            expect(() => openTest({ directory, worker: 0, mode: 'open' })).toThrow(
              /is being written by process/,
            );
          } catch (error) {
            reject(error);
          }
          other.kill();
        });
      });
    }));
});

const CHILD = join(import.meta.dirname, 'open-child.mjs');

interface Told {
  readonly answered: number;
  readonly slowestMs: number;
  readonly entries: number;
  readonly lost: number;
  readonly healthy: boolean;
  readonly states: readonly boolean[];
}

/** Asks the child, and resolves with its next line. */
class Conversation {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  async hear(): Promise<Told> {
    const { value } = await this.#lines.next();
    return JSON.parse(value) as Told;
  }

  ask(word: string): Promise<Told> {
    this.#child.stdin!.write(`${word}\n`);
    return this.hear();
  }

  async until(holds: (told: Told) => boolean, what: string): Promise<Told> {
    for (let waited = 0; waited < 10_000; waited += 20) {
      const told = await this.ask('count');
      if (holds(told)) return told;
      await pause(20);
    }
    throw new Error(`waited 10 s in vain: ${what}`);
  }
}

test.skipIf(!hasBadDisk())(
  'goes on answering while the disk hangs, and the gap is exact',
  { timeout: 60_000 },
  () =>
    withDirectory(async (directory) => {
      const disk = new BadDisk();
      const child = spawn(process.execPath, [CHILD, directory], {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { ...process.env, ...disk.env },
      });
      try {
        const talk = new Conversation(child);
        await talk.hear();
        await talk.until(({ entries }) => entries > 100, 'lines should be written');
        const before = Date.now();
        disk.hang(true);
        const hung = await talk.until(({ lost }) => lost > 500, 'the memory should be full');
        expect(hung.healthy).toBe(false);
        // A log that waited for the disk would have waited for all of this time.
        expect(Date.now() - before).toBeGreaterThan(200);
        expect(hung.slowestMs).toBeLessThan(Date.now() - before);
        const later = await talk.until(({ answered }) => answered > hung.answered + 500, 'answers go on');
        expect(later.entries).toBe(hung.entries);
        disk.hang(false);
        const mended = await talk.until(({ healthy }) => healthy, 'the log should be written again');
        await talk.until(({ entries }) => entries > mended.entries + 100, 'lines should be written');
        const end = await talk.ask('end');
        expect(end.entries + end.lost).toBe(end.answered);
        expect(end.states).toEqual([false, true]);
        const gaps = linesOf(directory).filter((line) => line['type'] === 'gap');
        expect(gaps.reduce((sum, gap) => sum + (gap['lost'] as number), 0)).toBe(end.lost);
        expect(gaps[0]['why']).toMatch(/the memory for lines was full/);
        expect(Date.parse(String(gaps[0]['since']))).toBeGreaterThanOrEqual(before);
        expect(entriesOf(directory)).toHaveLength(end.entries);
        expect(numbersOf(directory)).toEqual(upTo(numbersOf(directory).length));
        expect(verifyAudit(directory).faults).toEqual([]);
      } finally {
        child.kill('SIGKILL');
        disk.remove();
      }
    }),
);
