/**
 * Keys of encrypted segments, for as long as something in them is to be shipped. Nobody but a reader could ship them
 * otherwise; so, where records are encrypted and shipped as well, the key of a segment lies on the disk until every receiver
 * has acknowledged all of the segment, and is destroyed then.
 *
 *    ship-keys/w0-00000017-20261121T091011123Z.key    a line "<id> <secret>" for each key that the header names, in hex
 */
import {
  close,
  closeSync,
  fsync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { readCursor } from './cursor.ts';
import { segmentNames } from './read.ts';
import { readSegmentName, type SegmentName } from './segment.ts';

const DIRECTORY = 'ship-keys';
/** More octets than a header has. */
const HEADER_MAX = 65_536;
const LINE = /^([0-9a-f]{16}) ([0-9a-f]{64})$/;

export interface SegmentKey {
  readonly id: string;
  readonly secret: Uint8Array;
}

const baseOf = (file: string): string => file.replace(/\.ndjson(\.gz|\.zst)?$/, '');
const pathOf = (directory: string, file: string): string => join(directory, DIRECTORY, `${baseOf(file)}.key`);

/**
 * Keeps the keys that the header of a segment names; to be called before the segment has a line. It is with the kernel on
 * return, and on the disk soon after. Throws what the file system says.
 */
export function keepShipKeys(directory: string, file: string, keys: readonly SegmentKey[]): void {
  mkdirSync(join(directory, DIRECTORY), { recursive: true, mode: 0o700 });
  const fd = openSync(pathOf(directory, file), 'w', 0o600);
  try {
    writeSync(fd, keys.map(({ id, secret }) => `${id} ${Buffer.from(secret).toString('hex')}\n`).join(''));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  // After a power cut that was faster, `unshipped` records say what could not be shipped.
  fsync(fd, () => close(fd, () => {}));
}

/** The keys of a segment, by id; none where they were not kept, or are destroyed. */
export function shipKeysOf(directory: string, file: string): ReadonlyMap<string, Buffer> {
  let text = '';
  try {
    text = readFileSync(pathOf(directory, file), 'latin1');
  } catch {
    // Whoever needs them says what that means.
  }
  const keys = new Map<string, Buffer>();
  for (const line of text.split('\n')) {
    const [, id, secret] = LINE.exec(line) ?? [];
    if (id !== undefined && secret !== undefined) keys.set(id, Buffer.from(secret, 'hex'));
  }
  return keys;
}

/** Destroys the keys of segments that all of `readers` have behind them, and of those that are not there any more. */
export function destroyShipped(directory: string, readers: readonly string[]): void {
  const keys = namesOf(directory);
  if (keys.length === 0) return;
  const segments = segmentNames(directory);
  // As the cursors on the disk have it: after a crash a receiver is sent what lies behind them once more.
  const cursors = readers.map((reader) => readCursor(directory, reader));
  for (const { file, worker, number } of keys) {
    const own = segments.filter((name) => name.worker === worker);
    const isThere = own.some((name) => name.number === number);
    const next = own.find((name) => name.number === number + 1);
    const seqAfter = next === undefined ? null : firstSeq(directory, next);
    const isShipped = cursors.every((cursor) => {
      const place = cursor?.places.get(worker);
      if (place === undefined) return false;
      if ((readSegmentName(place.file)?.number ?? 0) > number) return true;
      // A receiver stands at the end of the segment, and nothing has been written behind it yet.
      return seqAfter !== null && place.seq >= seqAfter - 1;
    });
    if (isShipped || !isThere) destroyKey(pathOf(directory, file));
  }
}

/** Number of the first record of a plain segment, from its header; null when that does not say. */
function firstSeq(directory: string, { file, compressed }: SegmentName): number | null {
  if (compressed) return null;
  const octets = Buffer.alloc(HEADER_MAX);
  try {
    const fd = openSync(join(directory, file), 'r');
    try {
      const length = readSync(fd, octets, 0, HEADER_MAX, 0);
      const header = JSON.parse(octets.toString('utf8', 0, octets.subarray(0, length).indexOf(10)));
      return typeof header.seq === 'number' ? header.seq : null;
    } finally {
      closeSync(fd);
    }
  } catch {
    return null;
  }
}

/** Destroys all keys: nothing is shipped. Those of workers that there are no more, too. */
export function destroyShipKeys(directory: string): void {
  for (const { file } of namesOf(directory)) destroyKey(pathOf(directory, file));
}

/** Destroys the key of a segment that is deleted; without waiting for the disk. */
export const forgetShipKey = (directory: string, file: string): boolean =>
  destroyKey(pathOf(directory, file), false);

/** Of which segments there are keys. */
function namesOf(directory: string): SegmentName[] {
  try {
    return readdirSync(join(directory, DIRECTORY))
      .map((file) => readSegmentName(file.replace(/\.key$/, '.ndjson')))
      .filter((name) => name !== null);
  } catch {
    return [];
  }
}

/** Overwrites and removes a key; false when somebody else was faster. Copies that a disk or a backup made stay theirs. */
export function destroyKey(path: string, isSynced = true): boolean {
  try {
    const fd = openSync(path, 'r+');
    try {
      writeSync(fd, `${'0'.repeat(Math.max(64, statSync(path).size - 1))}\n`, 0);
      if (isSynced) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}
