/**
 * Erasing what a client asked, on request, from closed segments. The place of a record stays, with its number and time, and
 * as long as it was, so nothing else moves; the hash of its leaf changes, and an `erased` record in the chain says from
 * what to what.
 *
 *    {"seq":7,"time":…,"up":…,"client":"192.0.2.7","qname":…}    ──▶    {"seq":7,"time":…,"up":…,"erased":true}␠␠␠␠␠␠␠␠␠␠␠
 *
 * First the record, then the change: what a crash leaves half done, the same command finishes.
 */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { compressAs, decompress } from './compress.ts';
import { ERASURES_MAX, type ErasedLeaf, type Erasure } from './erasure-request.ts';
import { hasIndex, writeIndex } from './name-index.ts';
import { type AuditRecord, parseLine, segmentNames } from './read.ts';
import { sealLine } from './seal.ts';
import type { SegmentName } from './segment.ts';
import { readSealed, Sealed, type SealedLine, type Unsealer } from './unseal.ts';
import { verifyAudit } from './verify.ts';
import type { LeafPlace } from './verify-report.ts';

/** Octets of leaves in one `erased` record; one record has at most 64 KiB. */
const LEAVES_LENGTH_MAX = 40_000;
const NEWLINE = 10;

export interface ErasureRequest {
  readonly directory: string;
  readonly worker: number;
  readonly matches: (record: AuditRecord) => boolean;
  readonly by: string;
  readonly reason: string;
  readonly unsealer: Unsealer | null;
}

/** One segment that is to change. */
interface Change {
  readonly name: SegmentName;
  readonly octets: Buffer;
  readonly stamp: string;
  readonly erasures: readonly Erasure[];
}

export interface ErasurePlan {
  readonly changes: readonly Change[];
  /** Records that go. */
  readonly count: number;
  /** Records that would, and are in the segment that is written to. */
  readonly open: { readonly file: string; readonly count: number } | null;
}

/**
 * What of one worker's log is to change. Reads everything and changes nothing. Throws in words when a segment that would
 * change is not what was written, or is encrypted and cannot be opened.
 */
export function planErasure(request: ErasureRequest): ErasurePlan {
  const { directory, worker } = request;
  const names = segmentNames(directory).filter((name) => name.worker === worker);
  const newest = names.at(-1);
  const leaves = new Map<string, LeafPlace[]>();
  const { faults } = verifyAudit(directory, {
    onLeaf: (of, leaf) => {
      if (of !== worker) return;
      const known = leaves.get(leaf.file) ?? [];
      known.push(leaf);
      leaves.set(leaf.file, known);
    },
  });
  const changes: Change[] = [];
  let count = 0;
  let open: ErasurePlan['open'] = null;
  for (const name of names) {
    const changed = changeOf(name, leaves.get(name.file) ?? [], request, name === newest);
    if (changed === null) continue;
    if (name === newest) {
      open = { file: name.file, count: changed.count };
      continue;
    }
    const fault = faults.find((one) => one.file === name.file);
    if (fault !== undefined) {
      throw new Error(
        `${name.file}:${fault.line}: ${fault.what}; nothing is erased from a segment that does not verify`,
      );
    }
    changes.push(changed.change);
    count += changed.count;
  }
  return { changes, count, open };
}

/** What becomes of a segment; null when nothing in it matches. */
function changeOf(
  name: SegmentName,
  leaves: readonly LeafPlace[],
  request: ErasureRequest,
  isOpen: boolean,
): { readonly change: Change; readonly count: number } | null {
  const path = join(request.directory, name.file);
  const stamp = stampOf(path);
  const octets = Buffer.from(decompress(name.file, readFileSync(path)));
  const header = octets.indexOf(NEWLINE);
  const found = new Map<number, number[]>();
  takeKeys(octets.subarray(0, Math.max(0, header)), request.unsealer);
  for (let at = 0; at < octets.length; ) {
    const end = octets.indexOf(NEWLINE, at);
    if (end < 0) break;
    const erased = eraseLine(octets, at, end, name, request);
    if (erased.length > 0) found.set(at, erased);
    at = end + 1;
  }
  if (found.size === 0) return null;
  const numbers = [...found.values()].flat();
  if (isOpen) return { change: { name, octets, stamp, erasures: [] }, count: numbers.length };
  const changed = leaves
    .map((leaf): ErasedLeaf | null => {
      const records = [...found].filter(([at]) => at >= leaf.at && at < leaf.end).flatMap(([, of]) => of);
      if (records.length === 0) return null;
      const now = createHash('sha256')
        .update(Uint8Array.of(0))
        .update(octets.subarray(leaf.at, leaf.end))
        .digest('hex');
      return { index: leaf.index, was: leaf.actual, now, records: runsOf(records) };
    })
    .filter((leaf) => leaf !== null);
  const listed = changed
    .flatMap(({ records }) => records)
    .reduce((sum, [from, to]) => sum + to - from + 1, 0);
  if (listed !== numbers.length)
    throw new Error(`${name.file}: records of it are in no leaf; verify the log`);
  return {
    change: { name, octets, stamp, erasures: erasuresOf(name.file, changed, request) },
    count: numbers.length,
  };
}

function takeKeys(header: Buffer, unsealer: Unsealer | null): void {
  if (unsealer === null || header.length === 0) return;
  try {
    unsealer.takeHeader(JSON.parse(header.toString('utf8')));
  } catch (error) {
    if (error instanceof Sealed) throw error;
    // No header of ours; whatever is wrong with it, `verify` has said so.
  }
}

/** Erases in the line `octets[at … end)` what matches; returns the numbers. */
function eraseLine(
  octets: Buffer,
  at: number,
  end: number,
  name: SegmentName,
  request: ErasureRequest,
): number[] {
  const text = octets.toString('utf8', at, end);
  const sealed = readSealed(text);
  if (sealed !== null) return eraseSealed(octets, at, end, sealed, name, request);
  const record = parseLine(text, name.worker)?.record;
  if (record === undefined || record.erased === true || !request.matches(record)) return [];
  octets.set(stubOf(record, end - at), at);
  return [record.seq];
}

function eraseSealed(
  octets: Buffer,
  at: number,
  end: number,
  line: SealedLine,
  name: SegmentName,
  { unsealer, matches }: ErasureRequest,
): number[] {
  if (unsealer === null) {
    throw new Sealed(
      `${name.file}: its records are encrypted; give the private key of a reader with --decrypt-key FILE`,
    );
  }
  const plain = Buffer.from(unsealer.open(line));
  const numbers: number[] = [];
  for (let from = 0; from < plain.length; ) {
    const to = plain.indexOf(NEWLINE, from);
    if (to < 0) break;
    const record = parseLine(plain.toString('utf8', from, to), name.worker)?.record;
    if (record !== undefined && record.erased !== true && matches(record)) {
      plain.set(stubOf(record, to - from), from);
      numbers.push(record.seq);
    }
    from = to + 1;
  }
  if (numbers.length === 0) return numbers;
  // Another turn is another key: under the same one, old and new line together would give the erased text away.
  const made = sealLine(
    unsealer.secretOf(line),
    line.key,
    line.seq,
    line.count,
    plain,
    line.turn + 1,
    line.box.length - 16,
  );
  if (made.length !== end + 1 - at)
    throw new Error(`${name.file}: record ${line.seq} was erased from too often`);
  octets.set(made, at);
  return numbers;
}

/** What is left of a record, exactly as long as it was. */
function stubOf({ seq, time, up }: AuditRecord, length: number): Buffer {
  const texts = [
    `{"seq":${seq},"time":${JSON.stringify(time)},"up":${up},"erased":true}`,
    `{"seq":${seq},"time":${JSON.stringify(time)},"erased":true}`,
  ];
  const text = texts.find((one) => one.length <= length);
  if (text === undefined) throw new Error(`record ${seq} is too short to be erased`);
  return Buffer.from(text.padEnd(length, ' '), 'latin1');
}

function runsOf(numbers: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs;
}

const countOf = (leaves: readonly ErasedLeaf[]): number =>
  leaves.flatMap(({ records }) => records).reduce((sum, [from, to]) => sum + to - from + 1, 0);

/** As many records as the leaves need: one has its bound. */
function erasuresOf(file: string, leaves: readonly ErasedLeaf[], { by, reason }: ErasureRequest): Erasure[] {
  const plainFile = file.replace(/\.(gz|zst)$/, '');
  const groups: ErasedLeaf[][] = [];
  let length = Number.POSITIVE_INFINITY;
  for (const leaf of leaves) {
    const own = JSON.stringify(leaf).length;
    if (length + own > LEAVES_LENGTH_MAX) {
      groups.push([]);
      length = 0;
    }
    groups.at(-1)!.push(leaf);
    length += own;
  }
  return groups.map((group) => ({ file: plainFile, by, reason, count: countOf(group), leaves: group }));
}

/** The records of a plan, in requests that are no larger than they may be. */
export function requestsOf({ changes }: ErasurePlan): Erasure[][] {
  const erasures = changes.flatMap((change) => change.erasures);
  const requests: Erasure[][] = [];
  for (let at = 0; at < erasures.length; at += ERASURES_MAX)
    requests.push(erasures.slice(at, at + ERASURES_MAX));
  return requests;
}

/** Whether the newest segments have a record of each of these. */
export function areRecorded(directory: string, worker: number, erasures: readonly Erasure[]): boolean {
  const newest = segmentNames(directory)
    .filter((name) => name.worker === worker)
    .slice(-3)
    .map((name) => decompress(name.file, readFileSync(join(directory, name.file))));
  return erasures.every(({ leaves }) =>
    newest.some((octets) => octets.includes(`"type":"erased"`) && octets.includes(leaves[0].now)),
  );
}

const stampOf = (path: string): string => {
  const { size, mtimeMs, ino } = statSync(path);
  return `${ino} ${size} ${mtimeMs}`;
};

/**
 * Puts the changed segments in place of what they were, and makes their indexes anew. Only to be called once the records
 * of the plan are under a signed checkpoint.
 */
export function carryOut({ changes }: ErasurePlan, directory: string, unsealer: Unsealer | null): void {
  for (const { name, octets, stamp } of changes) {
    const path = join(directory, name.file);
    if (stampOf(path) !== stamp) {
      throw new Error(`${name.file} was changed meanwhile (compressed, perhaps); run the same command again`);
    }
    const fd = openSync(`${path}.new`, 'w', statSync(path).mode & 0o777);
    try {
      const whole = compressAs(name.file, octets);
      for (let at = 0; at < whole.length; ) at += writeSync(fd, whole, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(`${path}.new`, path);
    if (hasIndex(directory, name)) writeIndex(directory, name, octets, unsealer);
  }
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
