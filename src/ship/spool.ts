/**
 * What of the log has not arrived at a receiver yet: how much it is, and which segments are kept for it. The segments of
 * the log are the spool; nothing is written twice.
 */
import { closeSync, openSync, readSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beganMs, type Place, readSegmentName, type SegmentName, segmentNames } from '../audit/index.ts';

/** Below this much room on the disk nothing is held back from retention: queries come before shipping. */
const ROOM_MIN = 256 * 1024 * 1024;
const END_LENGTH = 128 * 1024;

/** One look at the log, shared by all sinks. */
export interface LogState {
  readonly names: readonly SegmentName[];
  readonly sizes: ReadonlyMap<string, number>;
  /** By worker: number of the newest record in the file. */
  readonly newest: ReadonlyMap<number, number>;
  readonly room: number;
}

export interface Backlog {
  readonly records: number;
  readonly octets: number;
  readonly holds: ReadonlyMap<number, number>;
  /** More waits than the sink may hold. */
  readonly overflows: boolean;
}

/** Looks at the log. Never throws: a directory that is gone is empty. */
export function lookAt(directory: string, before: LogState | null): LogState {
  let names: SegmentName[] = [];
  let room = Number.POSITIVE_INFINITY;
  try {
    names = segmentNames(directory);
    const { bavail, bsize } = statfsSync(directory);
    room = bavail * bsize;
  } catch {
    // Nothing waits where nothing is.
  }
  const sizes = new Map<string, number>();
  for (const { file } of names) {
    try {
      sizes.set(file, statSync(join(directory, file)).size);
    } catch {
      // It went away meanwhile.
    }
  }
  const newest = new Map<number, number>();
  for (const worker of new Set(names.map((name) => name.worker))) {
    const seq = newestSeq(directory, names.filter((name) => name.worker === worker).at(-1)!);
    newest.set(worker, seq ?? before?.newest.get(worker) ?? 0);
  }
  return { names, sizes, newest, room };
}

/** What waits behind the places of a sink. */
export function backlogOf(
  state: LogState,
  places: ReadonlyMap<number, Place | null>,
  spool: number,
): Backlog {
  let records = 0;
  let octets = 0;
  const waiting: { name: SegmentName; octets: number }[] = [];
  for (const [worker, place] of places) {
    records += Math.max(0, (state.newest.get(worker) ?? 0) - (place?.seq ?? 0));
    const number = place === null ? 0 : (readSegmentName(place.file)?.number ?? 0);
    for (const name of state.names) {
      if (name.worker !== worker || name.number < number) continue;
      const done = name.number === number && place !== null && !name.compressed ? place.octet : 0;
      const left = Math.max(0, (state.sizes.get(name.file) ?? 0) - done);
      octets += left;
      waiting.push({ name, octets: left });
    }
  }
  // The newest are held first; the oldest are those that may go.
  waiting.sort((left, right) => beganMs(right.name) - beganMs(left.name));
  const holds = new Map<number, number>();
  let held = 0;
  let overflows = false;
  for (const { name, octets: left } of waiting) {
    held += left;
    overflows ||= held > spool;
    if (!overflows && state.room >= ROOM_MIN) holds.set(name.worker, name.number);
  }
  return { records, octets, holds, overflows };
}

const LAST_SEQ = /(?:^|\n)\{(?:"type":"[a-z-]+",)?"seq":(\d+)(?:,"count":(\d+),"key":)?/g;
const HEADER_SEQ = /^\{"type":"segment"[^\n]*?"seq":(\d+)/;

/** Number of the newest record of a segment, from its end; null when that does not say. */
function newestSeq(directory: string, name: SegmentName): number | null {
  if (name.compressed) return null;
  let fd: number;
  try {
    fd = openSync(join(directory, name.file), 'r');
  } catch {
    return null;
  }
  try {
    const octets = Buffer.alloc(END_LENGTH);
    const { size } = statSync(join(directory, name.file));
    const at = Math.max(0, size - END_LENGTH);
    const text = octets.toString('latin1', 0, readSync(fd, octets, 0, END_LENGTH, at));
    const last = [...text.matchAll(LAST_SEQ)].at(-1);
    // Of a line of encrypted records the last.
    if (last !== undefined) return Number(last[1]) + Number(last[2] ?? 1) - 1;
    const header = at === 0 ? HEADER_SEQ.exec(text) : null;
    return header === null ? null : Number(header[1]) - 1;
  } catch {
    return null;
  } finally {
    closeSync(fd);
  }
}
