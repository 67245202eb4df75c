/**
 * How far those have come who carry the log elsewhere, and what they still need. Each reader has a file of its own in
 * `readers/` below the log:
 *
 *    readers/siem.json   {"version":1,"places":{"0":{"file":"w0-00000017-….ndjson","octet":4711,"seq":1712}},"holds":{"0":17}}
 *
 * A place is behind the last record that has arrived elsewhere. Segments from the number in `holds` on are not retired
 * (and not put where this process cannot read them any more) before their reader has moved on.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

const DIRECTORY = 'readers';
const VERSION = 1;

/** Behind a record: in which segment (its name without `.gz` or `.zst`), at which octet of its text, and its number. */
export interface Place {
  readonly file: string;
  readonly octet: number;
  readonly seq: number;
}

export interface Cursor {
  readonly places: ReadonlyMap<number, Place>;
  /** By worker: number of the first segment that is still needed. */
  readonly holds: ReadonlyMap<number, number>;
}

const pathOf = (directory: string, reader: string): string => join(directory, DIRECTORY, `${reader}.json`);

/** The cursor of a reader; null when it has none, or one that cannot be read. Throws what the file system says else. */
export function readCursor(directory: string, reader: string): Cursor | null {
  let text: string;
  try {
    text = readFileSync(pathOf(directory, reader), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  return parseCursor(text);
}

function parseCursor(text: string): Cursor | null {
  try {
    const { version, places, holds } = JSON.parse(text) as {
      version: number;
      places: Record<string, Place>;
      holds: Record<string, number>;
    };
    if (version !== VERSION) return null;
    const sound = Object.values(places).every(
      ({ file, octet, seq }) =>
        typeof file === 'string' && Number.isSafeInteger(octet) && Number.isSafeInteger(seq),
    );
    return sound ? { places: byWorker(places), holds: byWorker(holds) } : null;
  } catch {
    return null;
  }
}

const byWorker = <T>(object: Readonly<Record<string, T>>): Map<number, T> =>
  new Map(Object.entries(object).map(([worker, value]) => [Number(worker), value]));

/** Replaces the cursor of a reader; after a crash or power cut there is the old one or the new one. Throws what the disk says. */
export function writeCursor(directory: string, reader: string, { places, holds }: Cursor): void {
  const path = pathOf(directory, reader);
  mkdirSync(join(directory, DIRECTORY), { recursive: true, mode: 0o750 });
  const text = JSON.stringify({
    version: VERSION,
    places: Object.fromEntries(places),
    holds: Object.fromEntries(holds),
  });
  const fd = openSync(`${path}.new`, 'w', 0o640);
  try {
    writeSync(fd, `${text}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${path}.new`, path);
}

/** Readers that have a cursor, by name. */
export function readerNames(directory: string): string[] {
  try {
    return readdirSync(join(directory, DIRECTORY))
      .filter((file) => /^[a-z][a-z0-9-]*\.json$/.test(file))
      .map((file) => file.slice(0, -'.json'.length))
      .sort();
  } catch {
    return [];
  }
}

/** A reader that is no longer configured holds nothing; its place is kept for when it comes back. */
export function dismissReader(directory: string, reader: string): void {
  const cursor = readCursor(directory, reader);
  if (cursor !== null && cursor.holds.size > 0)
    writeCursor(directory, reader, { ...cursor, holds: new Map() });
}

/** By worker: number of the first segment that some reader still needs. What cannot be read holds nothing. */
export function heldSegments(directory: string): ReadonlyMap<number, number> {
  const held = new Map<number, number>();
  for (const reader of readerNames(directory)) {
    let cursor: Cursor | null;
    try {
      cursor = readCursor(directory, reader);
    } catch {
      continue;
    }
    for (const [worker, number] of cursor?.holds ?? []) {
      held.set(worker, Math.min(number, held.get(worker) ?? Number.POSITIVE_INFINITY));
    }
  }
  return held;
}

/**
 * Names the log of a worker for good, on whatever machine: the first 16 digits of its first public key. With it a number
 * names a record among all logs there are. Empty while there is none.
 */
export function logId(directory: string, worker: number): string {
  try {
    const keys = readFileSync(join(directory, 'keys.pub'), 'latin1').trim().split('\n');
    return (
      keys
        .findLast((line) => line.startsWith(`w${worker} `))
        ?.split(' ')[1]
        ?.slice(0, 16) ?? ''
    );
  } catch {
    return '';
  }
}

/** Leaves under the newest checkpoint of a worker that the disk has confirmed; 0 when there is none. */
export function confirmedSize(directory: string, worker: number): number {
  try {
    const head = JSON.parse(readFileSync(join(directory, `w${worker}.head`), 'utf8')) as { size?: unknown };
    return typeof head.size === 'number' ? head.size : 0;
  } catch {
    return 0;
  }
}
