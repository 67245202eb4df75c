/** Whatever is changed in a log is found, at its place. */
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AuditReport, type Fault, verifyAudit } from '../../src/audit/index.ts';
import { entryFor, openTest, segmentFiles, withDirectory, write } from './fixture.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Three small segments, orderly closed; with several blocks and a change of keys. */
async function makeLog(directory: string, worker = 0): Promise<void> {
  const limits = { segmentOctets: 2600, blockRecords: 3, keyMs: 0, checkpointMs: 0 };
  const log = openTest({ directory, worker, ...limits });
  const entry = entryFor(log);
  for (let i = 0; i < 8; i++) write(log, { ...entry, id: i }, 2);
  await log.close();
}

function keysOf(directory: string): Map<number, string> {
  const lines = readFileSync(join(directory, 'keys.pub'), 'utf8').trim().split('\n');
  return new Map(
    lines.map((line) => [Number(line.slice(1, line.indexOf(' '))), line.slice(line.indexOf(' ') + 1)]),
  );
}

const lineAt = (octets: Buffer, at: number): number =>
  octets.subarray(0, at).filter((octet) => octet === 10).length + 1;

describe('verifyAudit', () => {
  let parent = '';
  let original = '';
  let copy = '';
  let files: string[] = [];
  let whole: Map<string, Buffer>;
  let head = '';
  let release = (): void => {};

  beforeAll(
    () =>
      new Promise<void>((ready, failed) => {
        withDirectory(async (directory) => {
          parent = directory;
          original = join(parent, 'original');
          copy = join(parent, 'copy');
          mkdirSync(copy);
          await makeLog(original);
          files = segmentFiles(original);
          whole = new Map(files.map((file) => [file, readFileSync(join(original, file))]));
          head = readFileSync(join(original, 'w0.head'), 'utf8');
          ready();
          await new Promise<void>((resolve) => {
            release = resolve;
          });
        }).catch(failed);
      }),
  );
  afterAll(() => release());

  /** Verifies the log with some files replaced (or, with null, removed); only what is trusted elsewhere is given. */
  function check(changed: Record<string, Buffer | null>, checkpoints: readonly string[] = []): AuditReport {
    for (const file of readdirSync(copy)) rmSync(join(copy, file));
    for (const file of files) if (!(file in changed)) writeFileSync(join(copy, file), whole.get(file)!);
    for (const [file, octets] of Object.entries(changed)) {
      if (octets !== null) writeFileSync(join(copy, file), octets);
    }
    return verifyAudit(copy, { keys: keysOf(original), checkpoints });
  }

  const hasFaultAt = (faults: readonly Fault[], file: string, at: number, octets: Buffer): boolean =>
    faults.some((fault) => fault.file === file && fault.offset <= at && fault.line <= lineAt(octets, at));

  test('accepts what was written', () => {
    expect(files.length).toBeGreaterThan(2);
    const report = verifyAudit(original, { keys: keysOf(original), checkpoints: [head] });
    expect(report.faults).toEqual([]);
    expect(report.remarks).toEqual([]);
    expect(report.workers).toMatchObject([
      { worker: 0, records: 16, firstRecord: 1, lastRecord: 16, lastSigned: 16 },
    ]);
  });

  // Every octet takes 40 s: one in seven by default, all with SALLYPORT_TEST_LONG=1.
  const stride = process.env['SALLYPORT_TEST_LONG'] === '1' ? 1 : 7;

  test('finds the change of any one octet, in its file and not behind it', () => {
    for (const file of files) {
      const octets = whole.get(file)!;
      for (let at = 0; at < octets.length; at += stride) {
        const changed = Buffer.from(octets);
        changed[at] ^= 1 << (at % 8);
        const { faults } = check({ [file]: changed });
        if (!hasFaultAt(faults, file, at, octets)) {
          expect.fail(`octet ${at} of ${file}: ${JSON.stringify(faults.slice(0, 3))}`);
        }
      }
    }
  }, 120_000);

  test('names the leaf in which a record was changed', () => {
    const file = files[1];
    const octets = whole.get(file)!;
    const at = octets.indexOf('"verdict":"allow"');
    const changed = Buffer.from(octets);
    changed.write('"verdict":"deny!"', at);
    const { faults } = check({ [file]: changed });
    expect(faults[0]).toMatchObject({ worker: 0, file });
    expect(faults[0].what).toMatch(/^octets \d+ to \d+ \(records \d+ to \d+\) are not what was written/);
    const [from, to] = faults[0].what.match(/\d+/g)!.map(Number);
    expect(at).toBeGreaterThanOrEqual(from);
    expect(at).toBeLessThanOrEqual(to);
  });

  test('finds every line that was deleted, doubled, or changed places with the next', () => {
    for (const file of files) {
      const octets = whole.get(file)!;
      const lines = octets.toString('latin1').split(/(?<=\n)/);
      for (let i = 0; i < lines.length; i++) {
        const isEnd = file === files[files.length - 1] && i === lines.length - 1;
        const at = lines.slice(0, i).join('').length;
        const edits = [
          [...lines.slice(0, i), ...lines.slice(i + 1)],
          [...lines.slice(0, i), lines[i], lines[i], ...lines.slice(i + 1)],
          [...lines.slice(0, i), lines[i + 1] ?? '', lines[i], ...lines.slice(i + 2)],
        ];
        edits.forEach((edit, kind) => {
          if (edit.join('') === lines.join('')) return;
          const { faults } = check({ [file]: Buffer.from(edit.join(''), 'latin1') }, [head]);
          const found = isEnd ? faults.length > 0 : hasFaultAt(faults, file, at + lines[i].length, octets);
          if (!found) expect.fail(`edit ${kind} of line ${i + 1} of ${file}: ${JSON.stringify(faults)}`);
        });
      }
    }
  });

  test('finds a segment that was cut, wherever', () => {
    fc.assert(
      fc.property(
        fc.nat(files.length - 1),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (i, part) => {
          const octets = whole.get(files[i])!;
          const at = Math.floor(octets.length * part);
          const { faults } = check({ [files[i]]: octets.subarray(0, at) }, [head]);
          expect(faults.length).toBeGreaterThan(0);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('finds a segment that is missing, emptied, or stands in the place of another', () => {
    const [first, second, third] = files;
    expect(check({ [first]: null }).faults[0].what).toMatch(/^the segment before this one, .* is missing$/);
    expect(check({ [second]: null }).faults[0]).toMatchObject({ file: third });
    expect(check({ [second]: Buffer.alloc(0) }).ok).toBe(false);
    expect(check({ [first]: whole.get(second)!, [second]: whole.get(first)! }).ok).toBe(false);
    expect(check({ [second]: whole.get(first)! }).ok).toBe(false);
  });

  test('finds that the end is missing once a checkpoint kept elsewhere is given, and only then', () => {
    const last = files[files.length - 1];
    expect(check({ [last]: null }).ok).toBe(true);
    const { faults } = check({ [last]: null }, [head]);
    expect(faults).toHaveLength(1);
    expect(faults[0].what).toMatch(/^the log of worker 0 ends after \d+ leaves .*: its end is missing$/);
    expect(check(Object.fromEntries(files.map((file) => [file, null])), [head]).ok).toBe(false);
  });

  test('takes the newest checkpoint from the directory itself when it is there', () => {
    const { faults } = check({ [files[files.length - 1]]: null, 'w0.head': Buffer.from(head) });
    expect(faults).toMatchObject([{ file: 'w0.head' }]);
  });

  test('finds a log that was made anew with another key, and one of another worker', () =>
    withDirectory(async (directory) => {
      const forged = join(directory, 'forged');
      await makeLog(forged);
      expect(verifyAudit(forged).ok).toBe(true);
      const { faults } = verifyAudit(forged, { keys: keysOf(original) });
      expect(faults.map((fault) => fault.what).join()).toMatch(/not with the trusted key/);
      expect(verifyAudit(forged, { checkpoints: [head] }).faults[0].what).toMatch(
        /of another history|is missing/,
      );
      for (const file of segmentFiles(forged))
        renameSync(join(forged, file), join(forged, file.replace('w0', 'w3')));
      expect(verifyAudit(forged).faults[0].what).toMatch(/the header is of worker 0/);
    }));

  test('finds a record spliced in from another log', () =>
    withDirectory(async (directory) => {
      const other = join(directory, 'other');
      await makeLog(other);
      const file = files[0];
      const mine = whole.get(file)!.toString('latin1').split('\n');
      const theirs = readFileSync(join(other, segmentFiles(other)[0]), 'latin1').split('\n');
      mine[2] = theirs[2].replace('"id":', '"id": ');
      expect(
        hasFaultAt(
          check({ [file]: Buffer.from(mine.join('\n'), 'latin1') }).faults,
          file,
          700,
          whole.get(file)!,
        ),
      ).toBe(true);
    }));

  test('joins workers: the log of one that was rolled back contradicts the others', () =>
    withDirectory(async (directory) => {
      const slow = openTest({ directory, worker: 1, checkpointMs: 20, syncIntervalMs: 5 });
      const fast = openTest({ directory, worker: 0, checkpointMs: 20, syncIntervalMs: 5 });
      for (let i = 0; i < 20; i++) {
        write(slow, entryFor(slow));
        write(fast, entryFor(fast));
        await pause(15);
      }
      await slow.close();
      for (let i = 0; i < 6; i++) {
        write(fast, entryFor(fast));
        await pause(30);
      }
      await fast.close();
      expect(verifyAudit(directory).faults).toEqual([]);
      for (const file of readdirSync(directory)) {
        if (file.startsWith('w1')) rmSync(join(directory, file));
      }
      expect(verifyAudit(directory).faults[0].what).toBe('mentions worker 1, of which there is no log');
    }));

  test('says which records no checkpoint covers yet, and which key it took at its word', () =>
    withDirectory(async (directory) => {
      const log = openTest({ directory, worker: 0 });
      write(log, entryFor(log), 5);
      expect(verifyAudit(directory)).toMatchObject({
        ok: true,
        workers: [{ records: 5, lastSigned: 0 }],
        remarks: [
          expect.stringMatching(/no trusted key/),
          'worker 0: no checkpoint covers the last 5 records yet',
        ],
      });
      await log.close();
    }));

  test('reads nothing but the directory: a copy elsewhere verifies', () =>
    withDirectory((directory) => {
      for (const file of files) copyFileSync(join(original, file), join(directory, file));
      expect(verifyAudit(directory, { keys: keysOf(original), checkpoints: [head] }).faults).toEqual([]);
    }));
});
