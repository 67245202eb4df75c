/**
 * Which segments have been kept long enough. Before one is deleted, a record in the chain says so (`retired`), and that
 * record is on the disk under a signed checkpoint: what is missing without such a record was taken by somebody else.
 */
import { statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { heldSegments } from './cursor.ts';
import { indexName } from './name-index.ts';
import { beganMs, segmentNames } from './read.ts';
import { readSegmentName, type SegmentName } from './segment.ts';
import { forgetShipKey } from './ship-keys.ts';

export interface Retention {
  /** Segments whose newest record is older than this go; milliseconds. */
  readonly ageMs: number;
  /** The oldest segments go while all of the directory take more than this; octets. */
  readonly octets: number;
}

export interface Retirement {
  /** Number of the last segment to go; those before it go as well. */
  readonly through: number;
  readonly files: readonly string[];
  readonly why: string;
}

/** What of worker `worker` is to go; null when nothing is. The newest segment always stays, and what a reader still needs. */
export function dueForRetirement(
  directory: string,
  worker: number,
  { ageMs, octets }: Retention,
  nowMs: number,
): Retirement | null {
  const names = segmentNames(directory);
  const own = names.filter((name) => name.worker === worker);
  const held = heldSegments(directory).get(worker) ?? Number.POSITIVE_INFINITY;
  const isOld = ({ number }: SegmentName, i: number): boolean =>
    number < held && i + 1 < own.length && beganMs(own[i + 1]) < nowMs - ageMs;
  const old = own.filter(isOld);
  const sizes = new Map(names.map(({ file }) => [file, statSync(join(directory, file)).size]));
  let total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  for (const { file } of old) total -= sizes.get(file) ?? 0;
  // Each worker deletes its own; those of all workers are looked at, so that the oldest go first.
  const rest = names
    .filter((name) => !old.includes(name))
    .sort((left, right) => beganMs(left) - beganMs(right));
  const crowded: SegmentName[] = [];
  for (const name of rest) {
    if (total <= octets) break;
    total -= sizes.get(name.file) ?? 0;
    if (name.worker === worker && name.number < held && name !== own[own.length - 1]) crowded.push(name);
  }
  const going = [...old, ...crowded].sort((left, right) => left.number - right.number);
  const last = going.at(-1);
  if (last === undefined) return null;
  const reasons = [
    ...(old.length > 0 ? [`kept for ${Math.round(ageMs / 86_400_000)} days`] : []),
    ...(crowded.length > 0 ? [`more than ${Math.round(octets / 1_048_576)} MiB in all`] : []),
  ];
  return { through: last.number, files: going.map(({ file }) => file), why: reasons.join('; ') };
}

export function deleteSegments(directory: string, { files }: Retirement): void {
  for (const file of files) {
    try {
      unlinkSync(join(directory, file));
      forgetShipKey(directory, file);
      // The index goes with it: it holds names of clients' queries as well.
      const name = readSegmentName(file);
      if (name !== null) unlinkSync(join(directory, indexName(name)));
    } catch {
      // It is gone already, or never was; a segment that stayed is tried again with the next round.
    }
  }
}
