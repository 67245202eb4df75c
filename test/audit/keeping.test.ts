/** What happens to segments once they are closed: compressed, retired, proved, locked. */
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  AuditInUse,
  compressSegments,
  type Found,
  hasZstd,
  isProven,
  leavesOf,
  openDecompressed,
  type ProofError,
  predicateOf,
  proveConsistency,
  proveInclusion,
  readRecords,
  readSegment,
  segmentNames,
  verifyAudit,
  writeIndex,
} from '../../src/audit/index.ts';
import { indexName, mayHold } from '../../src/audit/name-index.ts';
import { isInstalled } from '../e2e/processes.ts';
import { entryFor, openTest, segmentFiles, withDirectory, write } from './fixture.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function keysOf(directory: string): Map<number, string> {
  const [line] = readFileSync(join(directory, 'keys.pub'), 'utf8').split('\n');
  return new Map([[0, line.slice('w0 '.length)]]);
}

async function makeLog(directory: string, entries: number): Promise<void> {
  const log = openTest({ directory, worker: 0, segmentOctets: 12_000, blockRecords: 40 });
  for (let i = 0; i < entries; i++) write(log, { ...entryFor(log, `host-${i}.example.com`), id: i });
  await log.close();
}

describe('compressSegments', () => {
  test.each(hasZstd() || isInstalled('zstd') ? (['gzip', 'zstd'] as const) : (['gzip'] as const))(
    '%s: everything reads as before',
    (method) =>
      withDirectory(async (directory) => {
        await makeLog(directory, 300);
        const before = [...readRecords(directory, {})];
        const sums = await compressSegments(directory, method);
        expect(sums.segments).toBeGreaterThan(3);
        expect(sums.after).toBeLessThan(sums.before / 3);
        expect(segmentFiles(directory)).toHaveLength(1);
        expect([...readRecords(directory, {})]).toEqual(before);
        const [packed] = segmentNames(directory);
        const pieces: Buffer[] = [];
        for await (const piece of openDecompressed(join(directory, packed.file))) pieces.push(piece);
        expect(Buffer.concat(pieces).equals(readSegment(directory, packed))).toBe(true);
        expect(verifyAudit(directory, { keys: keysOf(directory) }).faults).toEqual([]);
        const log = openTest({ directory, worker: 0 });
        write(log, entryFor(log));
        await log.close();
        expect(verifyAudit(directory).workers[0].lastRecord).toBe(301);
        expect((await compressSegments(directory, method)).segments).toBe(1);
        expect(verifyAudit(directory).faults).toEqual([]);
      }),
  );

  test('a compressed segment that was changed is found', () =>
    withDirectory(async (directory) => {
      await makeLog(directory, 100);
      await compressSegments(directory, 'gzip');
      const file = readdirSync(directory).find((name) => name.endsWith('.gz'))!;
      const octets = readFileSync(join(directory, file));
      octets[octets.length >> 1] ^= 4;
      writeFileSync(join(directory, file), octets);
      expect(verifyAudit(directory).faults[0].file).toBe(file);
    }));
});

describe('retention', () => {
  const keyOf = (directory: string, file: string): unknown =>
    JSON.parse(readFileSync(join(directory, file), 'utf8').split('\n')[0]).key;

  /** Writes until segments are gone and the first one that is left was signed with another key. */
  async function writeUntilRetired(directory: string): Promise<void> {
    const log = openTest({
      directory,
      worker: 0,
      segmentOctets: 8000,
      checkpointMs: 20,
      syncIntervalMs: 5,
      keyMs: 60,
      maintenanceMs: 30,
      unsyncedMsMax: 5000,
      retention: { ageMs: 86_400_000, octets: 60_000 },
    });
    const firstKey = keysOf(directory).get(0);
    const entry = entryFor(log);
    for (let waited = 0; keyOf(directory, segmentFiles(directory)[0]) === firstKey; waited += 10) {
      if (waited > 6000) throw new Error('nothing was retired');
      write(log, entry, 5);
      await pause(10);
    }
    await pause(100);
    await log.close();
  }

  test('deletes the oldest segments, says so in the chain, and the rest verifies from the first key on', () =>
    withDirectory(async (directory) => {
      await writeUntilRetired(directory);
      const report = verifyAudit(directory, { keys: keysOf(directory) });
      expect(report.faults).toEqual([]);
      expect(report.remarks.join()).toMatch(/segments 1 to \d+ were retired, as the log itself records/);
      expect(report.workers[0].firstRecord).toBeGreaterThan(1);
      // The key has changed since, and only the announcements lead to it.
      expect(report.workers[0].firstKey).not.toBe(keysOf(directory).get(0));
      rmSync(join(directory, 'w0.keys'));
      expect(verifyAudit(directory, { keys: keysOf(directory) }).faults[0].what).toMatch(/no announcement/);
    }));

  test('does not cover for a segment that somebody else deleted', () =>
    withDirectory(async (directory) => {
      await writeUntilRetired(directory);
      const files = segmentFiles(directory);
      const retired = [...readRecords(directory, { notes: 'only' })].filter(
        ({ record }) => record.type === 'retired',
      );
      const through = Math.max(
        ...retired.map(({ record }) => (record as unknown as { through: number }).through),
      );
      for (const { file, number } of segmentNames(directory)) {
        if (number <= through + 1) rmSync(join(directory, file));
      }
      expect(segmentFiles(directory).length).toBeLessThan(files.length);
      expect(verifyAudit(directory).faults[0].what).toMatch(/^the segment before this one, .* is missing$/);
    }));
});

describe('proofs', () => {
  test('hold for every record and every two sizes, and for nothing else', () =>
    withDirectory(async (directory) => {
      await makeLog(directory, 150);
      const leaves = leavesOf(directory, 0);
      const read = (file: string, at: number, end: number): string =>
        readSegment(directory, segmentNames(directory).find((name) => name.file === file)!).toString(
          'utf8',
          at,
          end,
        );
      const { size, root } = verifyAudit(directory).workers[0].lastCheckpoint!;
      expect(leaves).toHaveLength(size);
      for (let record = 1; record <= 150; record++) {
        const proof = proveInclusion(leaves, 0, record, read);
        expect(isProven(proof)).toBe(true);
        expect(proof.tree).toEqual({ size, root });
        expect(isProven({ ...proof, record: 151 })).toBe(false);
        expect(
          isProven({ ...proof, leaf: { ...proof.leaf, lines: proof.leaf.lines.replace('allow', 'deny') } }),
        ).toBe(false);
        expect(
          isProven({
            ...proof,
            tree: { size, root: root.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) },
          }),
        ).toBe(false);
        if (size > 1) expect(isProven({ ...proof, path: proof.path.slice(1) })).toBe(false);
      }
      for (let older = 1; older <= size; older++) {
        for (let newer = older; newer <= size; newer++) {
          const proof = proveConsistency(leaves, 0, older, newer);
          expect(isProven(proof)).toBe(true);
          const other = {
            size: older,
            root: proof.older.root.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
          };
          expect(isProven({ ...proof, older: other })).toBe(false);
        }
      }
      expect(() => proveInclusion(leaves, 0, 151, read)).toThrow(/is not under a checkpoint/);
      expect(() => proveConsistency(leaves, 0, 0, 2)).toThrow(/sizes must be/);
    }));

  test('are refused for a log that does not verify', () =>
    withDirectory(async (directory) => {
      await makeLog(directory, 100);
      const [file] = segmentFiles(directory);
      const text = readFileSync(join(directory, file), 'utf8');
      writeFileSync(join(directory, file), text.replace('host-7.', 'host-8.'));
      expect(() => leavesOf(directory, 0)).toThrow(/^the log does not verify/ as unknown as ProofError);
    }));
});

describe('readRecords', () => {
  const filled = (run: (directory: string) => void): Promise<void> =>
    withDirectory(async (directory) => {
      for (const worker of [0, 1]) {
        const log = openTest({ directory, worker, segmentOctets: 3000 });
        for (let i = 0; i < 20; i++) {
          const entry = entryFor(
            log,
            ['example.com', 'www.example.com', 'notexample.com', 'a\\.example.com'][i % 4],
          );
          entry.atMs = Date.UTC(2026, 0, 1, 0, 0, 2 * i + worker);
          entry.rcode = i % 2 === 0 ? 0 : 3;
          entry.client = Uint8Array.of(192, 0, 2, i);
          write(log, entry);
        }
        await log.close();
      }
      run(directory);
    });
  const names = (found: Iterable<Found>): unknown[] => [
    ...new Set([...found].map(({ record }) => record.qname)),
  ];

  test('merges workers by time', () =>
    filled((directory) => {
      const times = [...readRecords(directory, {})].map(({ record }) => record.time);
      expect(times).toHaveLength(40);
      expect(times).toEqual([...times].sort());
    }));

  test('takes names by labels, not by letters', () =>
    filled((directory) => {
      expect(names(readRecords(directory, { name: 'Example.COM.' }))).toEqual(['example.com']);
      expect(names(readRecords(directory, { name: '*.example.com' }))).toEqual(['www.example.com']);
      expect(names(readRecords(directory, { name: '+.example.com' }))).toEqual([
        'example.com',
        'www.example.com',
      ]);
      expect(names(readRecords(directory, { name: 'com' }))).toEqual([]);
    }));

  test('finds the same with an index, and reads fewer segments', () =>
    filled((directory) => {
      const newest = new Set(
        [0, 1].map(
          (worker) =>
            segmentNames(directory)
              .filter((name) => name.worker === worker)
              .at(-1)!.file,
        ),
      );
      for (const name of segmentNames(directory)) {
        if (!newest.has(name.file)) writeIndex(directory, name, readSegment(directory, name));
      }
      const patterns = [
        'example.com',
        '*.example.com',
        '+.example.com',
        'notexample.com',
        'absent.test',
        '*.com',
        'a\\.example.com',
      ];
      for (const name of patterns) {
        const found = [...readRecords(directory, { name })].map(({ line }) => line);
        const plain = [...readRecords(directory, {})].filter(({ record }) => predicateOf({ name })(record));
        expect(found).toEqual(plain.map(({ line }) => line));
      }
      for (const name of segmentNames(directory)) {
        if (newest.has(name.file)) continue;
        expect(mayHold(directory, name, ['=absent.test'])).toBe(false);
        expect(mayHold(directory, name, ['.com'])).toBe(true);
      }
      const [first] = segmentNames(directory);
      appendFileSync(join(directory, first.file), '{"seq":999}\n');
      expect(mayHold(directory, first, ['=absent.test'])).toBe(true);
      writeFileSync(join(directory, indexName(first)), 'no index');
      expect(mayHold(directory, first, ['=absent.test'])).toBe(true);
    }));

  test('combines filters', () =>
    filled((directory) => {
      const count = (filter: Parameters<typeof readRecords>[1]): number =>
        [...readRecords(directory, filter)].length;
      expect(count({ client: '192.0.2.3' })).toBe(2);
      expect(count({ client: '192.0.2.3', rcode: 'noerror' })).toBe(0);
      expect(count({ rcode: 'NXDOMAIN', qtype: 'a' })).toBe(20);
      expect(count({ verdict: 'allow', group: 'ci', rule: 'base/allow/3' })).toBe(40);
      expect(count({ verdict: 'deny' })).toBe(0);
      expect(count({ notes: 'only' })).toBe(0);
    }));
});

describe('the lock', () => {
  test('keeps a second process out, and is no obstacle once its holder was killed', () =>
    withDirectory(async (directory) => {
      const child = spawn(process.execPath, [
        join(import.meta.dirname, 'writer-child.mjs'),
        directory,
        'bounded',
        '1',
      ]);
      const ended = new Promise((resolve) => child.on('close', resolve));
      let complaint = '';
      child.stderr.on('data', (text) => {
        complaint += text;
      });
      await new Promise((resolve, reject) => {
        child.stdout.once('data', resolve);
        child.once('close', () => reject(new Error(`the writer ended: ${complaint}`)));
      });
      child.stdout.resume();
      expect(() => openTest({ directory, worker: 0 })).toThrow(AuditInUse);
      expect(() => openTest({ directory, worker: 0 })).toThrow(
        /is being written by process \d+; stop it, or/,
      );
      child.kill('SIGKILL');
      await ended;
      await openTest({ directory, worker: 0 }).close();
      expect(verifyAudit(directory).faults).toEqual([]);
    }));
});

test('a log whose last segment does not begin with a header is not continued', () =>
  withDirectory(async (directory) => {
    await makeLog(directory, 5);
    const [file] = segmentFiles(directory);
    writeFileSync(join(directory, file), '{"type":"nonsense"}\n');
    expect(() => openTest({ directory, worker: 0 })).toThrow(
      /its first line is not a segment header; run "sallyport audit verify"/,
    );
  }));

test('a key that was lost is made anew, and verification says that nobody announced it', () =>
  withDirectory(async (directory) => {
    await makeLog(directory, 5);
    mkdirSync(join(directory, 'aside'));
    renameSync(join(directory, 'w0.key'), join(directory, 'aside', 'w0.key'));
    await makeLog(directory, 5);
    expect(verifyAudit(directory).faults[0].what).toMatch(/which no checkpoint has announced/);
  }));
