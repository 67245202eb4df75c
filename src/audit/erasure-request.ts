/**
 * How an erasure is recorded: who erases asks the log's writer, running or not, by a file, and changes nothing before the
 * record is under a signed checkpoint. The writer removes the file then.
 *
 *    w0.erase    {"erasures":[{"file":…,"by":…,"reason":…,"count":…,"leaves":[{"index":…,"was":…,"now":…,"records":[[from,to],…]},…]},…]}
 *
 * Who may write files here may ask for such records. They say what happened; they make nobody's change pass that they do
 * not name, and `verify` counts and shows them.
 */
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { readSegmentName } from './segment.ts';
import { HASH } from './tree.ts';

/** A leaf whose records were erased: its hash before and after, and the runs of numbers that were. */
export interface ErasedLeaf {
  readonly index: number;
  readonly was: string;
  readonly now: string;
  readonly records: readonly (readonly [number, number])[];
}

/** What an `erased` record says. */
export interface Erasure {
  readonly file: string;
  readonly by: string;
  readonly reason: string;
  readonly count: number;
  readonly leaves: readonly ErasedLeaf[];
}

/** So many records are asked for at a time; a request is no larger than this. */
export const ERASURES_MAX = 64;
const LENGTH_MAX = 4 * 1024 * 1024;
const TEXT_MAX = 512;

const pathOf = (directory: string, worker: number): string => join(directory, `w${worker}.erase`);

/** Asks for records. Throws when a request is there already, or the file cannot be written. */
export function writeErasureRequest(directory: string, worker: number, erasures: readonly Erasure[]): void {
  const path = pathOf(directory, worker);
  if (isErasureRequested(directory, worker)) {
    throw new Error(`${path} is there: another erasure is under way; when none is, remove the file`);
  }
  const fd = openSync(`${path}.new`, 'w', 0o640);
  try {
    writeSync(fd, `${JSON.stringify({ erasures })}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${path}.new`, path);
}

export function isErasureRequested(directory: string, worker: number): boolean {
  return statSync(pathOf(directory, worker), { throwIfNoEntry: false }) !== undefined;
}

/** The records that are asked for; null when there is no request, an empty list when it is none that can be granted. */
export function readErasureRequest(directory: string, worker: number): Erasure[] | null {
  const path = pathOf(directory, worker);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return null;
  if (stat.size > LENGTH_MAX) return [];
  try {
    const { erasures } = JSON.parse(readFileSync(path, 'utf8')) as { erasures: unknown };
    if (!Array.isArray(erasures) || erasures.length > ERASURES_MAX) return [];
    const read = erasures.map(readErasure);
    return read.some((erasure) => erasure === null) ? [] : (read as Erasure[]);
  } catch {
    return [];
  }
}

export function removeErasureRequest(directory: string, worker: number): void {
  try {
    unlinkSync(pathOf(directory, worker));
  } catch {
    // Who asked has given up.
  }
}

/** Member by member: nothing else of what a file says gets into the log. */
function readErasure(value: unknown): Erasure | null {
  const { file, by, reason, count, leaves } = (value ?? {}) as Record<string, unknown>;
  if (typeof file !== 'string' || readSegmentName(file) === null) return null;
  if (!isText(by) || !isText(reason) || !isCount(count) || !Array.isArray(leaves)) return null;
  const read = leaves.map(readLeaf);
  if (read.length === 0 || read.some((leaf) => leaf === null)) return null;
  return { file, by, reason, count, leaves: read as ErasedLeaf[] };
}

function readLeaf(value: unknown): ErasedLeaf | null {
  const { index, was, now, records } = (value ?? {}) as Record<string, unknown>;
  if (!isCount(index) || !isHash(was) || !isHash(now) || !Array.isArray(records)) return null;
  const isRun = (run: unknown): run is [number, number] =>
    Array.isArray(run) && run.length === 2 && isCount(run[0]) && isCount(run[1]) && run[0] <= run[1];
  return records.every(isRun) ? { index, was, now, records } : null;
}

const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= TEXT_MAX;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isHash = (value: unknown): value is string => typeof value === 'string' && HASH.test(value);
