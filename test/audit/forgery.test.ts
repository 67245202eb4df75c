/** What somebody tries who may write the files, or who has taken the machine over and signs with the key of today. */
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { compressSegments, readRecords, segmentNames, verifyAudit } from '../../src/audit/index.ts';
import { entryFor, linesOf, numbersOf, openTest, segmentFiles, withDirectory, write } from './fixture.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Some segments, and a key that changes every few records. */
async function makeLog(directory: string, wallMs: () => number = Date.now): Promise<void> {
  const log = openTest({
    directory,
    worker: 0,
    wallMs,
    segmentOctets: 6000,
    blockRecords: 6,
    checkpointMs: 2,
    syncIntervalMs: 2,
    keyMs: 10,
  });
  for (let i = 0; i < 24; i++) {
    write(log, { ...entryFor(log), id: i }, 2);
    await pause(8);
  }
  await log.close();
}

const firstKey = (directory: string): Map<number, string> =>
  new Map([[0, /^w0 ([0-9a-f]{64})$/m.exec(readFileSync(join(directory, 'keys.pub'), 'utf8'))![1]]]);

const announcementsOf = (directory: string): { next: string; size: number; time: string }[] =>
  readFileSync(join(directory, 'w0.keys'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

/** A record as somebody without a key appends it. */
function append(directory: string, members: Readonly<Record<string, unknown>>): void {
  const seq = numbersOf(directory).at(-1)! + 1;
  const { type, ...rest } = members;
  const line = JSON.stringify({
    ...(type === undefined ? {} : { type }),
    seq,
    time: new Date().toISOString(),
    up: 7,
    ...rest,
  });
  appendFileSync(join(directory, segmentFiles(directory).at(-1)!), `${line}\n`);
}

describe('verifyAudit finds', () => {
  test('a past that was cut off and written anew with the newest key, though that key was announced later', () =>
    withDirectory(async (parent) => {
      const directory = join(parent, 'audit');
      await makeLog(directory);
      const keys = firstKey(directory);
      expect(verifyAudit(directory, { keys })).toMatchObject({ ok: true, remarks: [] });
      const announced = announcementsOf(directory);
      expect(announced.length).toBeGreaterThan(4);

      const files = segmentFiles(directory);
      for (const file of files.slice(2)) rmSync(join(directory, file));
      rmSync(join(directory, 'w0.head'));
      // The program itself goes on from there: what lies here is a log, and w0.key the key that signs.
      await makeLog(directory);
      const { ok, faults } = verifyAudit(directory, { keys });
      expect(ok).toBe(false);
      expect(faults[0]).toMatchObject({ file: 'w0.keys', worker: 0 });
      expect(faults[0].what).toMatch(
        /^the key [0-9a-f]{64} was announced at \d+ leaves, and this log has no such checkpoint there/,
      );
    }));

  test('records of before the key that signs them was announced, where all older segments are said to be retired', () =>
    withDirectory(async (parent) => {
      const directory = join(parent, 'audit');
      await makeLog(directory);
      const keys = firstKey(directory);
      // The newest key, the announcements that lead to it, and a log that begins with a retirement, a day earlier.
      const log = openTest({ directory, worker: 0, wallMs: () => Date.now() - 86_400_000 });
      write(log, entryFor(log), 4);
      log.note('retired', {
        through: segmentNames(directory).at(-1)!.number - 1,
        files: [],
        why: 'kept for 90 days',
      });
      write(log, entryFor(log), 4);
      await log.close();
      for (const file of segmentFiles(directory).slice(0, -1)) rmSync(join(directory, file));
      const { faults } = verifyAudit(directory, { keys });
      expect(faults).toHaveLength(1);
      expect(faults[0].what).toMatch(/^the log begins at .* with a key that was not announced before /);
    }));

  test('segments that are missing though a record that nobody signed says that they were retired', () =>
    withDirectory(async (directory) => {
      const log = openTest({
        directory,
        worker: 0,
        segmentOctets: 3000,
        checkpointMs: 60_000,
        keyMs: 60_000,
      });
      for (let i = 0; i < 20; i++) write(log, entryFor(log), 2);
      const files = segmentFiles(directory);
      expect(files.length).toBeGreaterThan(3);
      expect(verifyAudit(directory).ok).toBe(true);
      append(directory, { type: 'retired', through: 2, files: files.slice(0, 2), why: 'kept for 90 days' });
      for (const file of files.slice(0, 2)) rmSync(join(directory, file));
      const { faults } = verifyAudit(directory);
      expect(faults).toMatchObject([
        { file: files[2], what: `the segment before this one, ${files[1]}, is missing` },
      ]);
      await log.close().catch(() => {});
    }));

  test('lines behind the checkpoint that closed a segment; a restart does not take them into the log', () =>
    withDirectory(async (directory) => {
      await makeLog(directory);
      const before = numbersOf(directory);
      append(directory, { qname: 'forged.example', verdict: 'allow' });
      const { faults } = verifyAudit(directory);
      expect(faults).toMatchObject([{ what: 'lines stand behind the checkpoint that closed the segment' }]);

      const log = openTest({ directory, worker: 0 });
      write(log, entryFor(log));
      await log.close();
      expect(verifyAudit(directory).faults).toEqual([]);
      expect(JSON.stringify(linesOf(directory))).not.toContain('forged.example');
      const recovered = linesOf(directory).find(({ type }) => type === 'recovered');
      expect(recovered).toMatchObject({ seq: before.at(-1)! + 1, tornOctets: expect.any(Number) });
      expect(recovered!['tornOctets']).toBeGreaterThan(0);
    }));

  test('a newest segment that was given another time, by which searches would leave it out', () =>
    withDirectory(async (directory) => {
      await makeLog(directory);
      const last = segmentFiles(directory).at(-1)!;
      const moved = last.replace(/\d{8}T\d{9}Z/, '20200101T000000000Z');
      renameSync(join(directory, last), join(directory, moved));
      expect(verifyAudit(directory).faults[0]).toMatchObject({
        file: moved,
        line: 1,
        what: expect.stringMatching(/^the header says ".*", the name of the file another time$/),
      });
    }));
});

describe('a log that changes while it is read', () => {
  test('verifies: what one worker says of another is compared with what was there when reading began', () =>
    withDirectory(async (parent) => {
      const [now, later, seen] = ['now', 'later', 'seen'].map((name) => join(parent, name));
      const limits = { directory: now, checkpointMs: 10, syncIntervalMs: 2 };
      const logs = [0, 1].map((worker) => openTest({ ...limits, worker }));
      const work = async (): Promise<void> => {
        for (let i = 0; i < 20; i++) {
          for (const log of logs) write(log, entryFor(log));
          await pause(10);
        }
      };
      await work();
      // A copy is no one moment; the second worker's log comes first, so that the first one's has what it mentions.
      mkdirSync(seen);
      for (const file of segmentFiles(now).reverse()) copyFileSync(join(now, file), join(seen, file));
      await work();
      mkdirSync(later);
      for (const file of segmentFiles(now)) copyFileSync(join(now, file), join(later, file));
      for (const log of logs) await log.close();

      let grown = 0;
      const { faults } = verifyAudit(seen, {
        // After the first worker's log has been read, both go on.
        onSegment: () => {
          if (grown++ === 0) cpSync(later, seen, { recursive: true });
        },
      });
      expect(grown).toBe(2);
      expect(faults).toEqual([]);
      expect(verifyAudit(seen).workers.map(({ records }) => records)).toEqual([40, 40]);
    }));

  test('ends before the line that is being written, and is torn only where nobody goes on with one', () =>
    withDirectory(async (directory) => {
      const logs = [0, 1].map((worker) => openTest({ directory, worker, checkpointMs: 60_000 }));
      for (const log of logs) write(log, entryFor(log), 5);
      const path = join(directory, segmentFiles(directory)[1]);
      const whole = readFileSync(path);
      for (const log of logs) await log.close();
      for (const worker of [0, 1]) rmSync(join(directory, `w${worker}.head`), { force: true });
      writeFileSync(path, whole.subarray(0, whole.length - 40));
      expect(verifyAudit(directory).faults).toMatchObject([
        { worker: 1, what: expect.stringMatching(/^the file ends in the middle of a line/) },
      ]);
      let isWritten = false;
      const report = verifyAudit(directory, {
        onSegment: () => {
          if (!isWritten) appendFileSync(path, whole.subarray(whole.length - 40));
          isWritten = true;
        },
      });
      expect(report.faults).toEqual([]);
      expect(report.workers[1].records).toBe(4);
    }));

  test('is read over segments that are compressed or retired meanwhile', () =>
    withDirectory(async (directory) => {
      await makeLog(directory);
      const all = [...readRecords(directory, {})].map(({ record }) => record.seq);
      const reading = readRecords(directory, {});
      const seen = [reading.next().value!.record.seq];
      await compressSegments(directory, 'gzip');
      const third = segmentNames(directory)[2];
      const kept = all.filter((seq) => !seqsOf(directory, third.file).includes(seq));
      rmSync(join(directory, third.file));
      for (const { record } of reading) seen.push(record.seq);
      expect(seen).toEqual(kept);
      expect(kept.length).toBeLessThan(all.length);
    }));

  test('has each record once when a crash has left a segment plain and compressed', async () =>
    withDirectory(async (directory) => {
      await makeLog(directory);
      const all = [...readRecords(directory, {})].map(({ record }) => record.seq);
      const [, second] = segmentFiles(directory);
      const octets = readFileSync(join(directory, second));
      writeFileSync(join(directory, `${second}.gz`), gzipSync(octets));
      expect([...readRecords(directory, {})].map(({ record }) => record.seq)).toEqual(all);
      expect(verifyAudit(directory)).toMatchObject({
        ok: true,
        remarks: [
          `${second}.gz is ${second} once more; "sallyport audit compress" removes one of them`,
          expect.stringMatching(/^worker 0: no trusted key/),
        ],
      });
      octets[octets.indexOf('"id":') + 5] ^= 1;
      writeFileSync(join(directory, `${second}.gz`), gzipSync(octets));
      expect(verifyAudit(directory).faults[0]).toMatchObject({ file: `${second}.gz` });
      await compressSegments(directory, 'gzip');
      expect(readdirSync(directory)).not.toContain(second);
      expect(verifyAudit(directory).faults).toEqual([]);
    }));
});

/** Numbers of the records in one compressed segment. */
function seqsOf(directory: string, file: string): number[] {
  return withDirectory((alone) => {
    copyFileSync(join(directory, file), join(alone, file));
    return [...readRecords(alone, {})].map(({ record }) => record.seq);
  });
}
