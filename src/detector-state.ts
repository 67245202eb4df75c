/**
 * What the detector remembers over a restart: the seed of its hashes, the memory of the fast paths, the levels of the
 * slow view. All of it or nothing: tables of another seed or size would speak of other names.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { createDetectMemory, type DetectMemory, type SlowState } from './detect/index.ts';

const MAGIC = 'SALLYPORT-DETECT-3\n';
const FILE = 'state';
const MEMORY_PARTS = ['pairs', 'zones', 'clients', 'seen', 'destinations', 'quarantine'] as const;
const SLOW_PARTS = ['pairs', 'zones', 'clients'] as const;

export interface DetectorMemory {
  readonly seed: number;
  readonly memory: DetectMemory;
  readonly slow: SlowState | null;
  /** Why an earlier state could not be used, or null. */
  readonly forgotten: string | null;
}

/**
 * The state of `directory`, or a new one, under `seed` when one is given. Never throws: a detector without memory is better
 * than no resolver.
 */
export function openDetectorState(directory: string | null, seed: number | null = null): DetectorMemory {
  const fresh = (forgotten: string | null): DetectorMemory => ({
    seed: seed ?? randomBytes(4).readInt32LE(0),
    memory: createDetectMemory(),
    slow: null,
    forgotten,
  });
  if (directory === null) return fresh(null);
  let fd: number;
  try {
    fd = openSync(join(directory, FILE), 'r');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return fresh(code === 'ENOENT' ? null : message);
  }
  try {
    return readState(fd) ?? fresh('it is of another version, or damaged');
  } catch (error) {
    return fresh((error as Error).message);
  } finally {
    closeSync(fd);
  }
}

/** Parts are read to where they will stay: the file is large, and nobody is answered before it is read. */
function readState(fd: number): DetectorMemory | null {
  const head = Buffer.alloc(MAGIC.length + 4);
  if (!fill(fd, head) || head.toString('latin1', 0, MAGIC.length) !== MAGIC) return null;
  const seed = head.readInt32LE(MAGIC.length);
  const length = Buffer.alloc(4);
  const memory = createDetectMemory();
  for (const part of MEMORY_PARTS) {
    const octets = new Uint8Array(memory[part]);
    if (!fill(fd, length) || length.readUInt32LE(0) !== octets.length || !fill(fd, octets)) return null;
  }
  const slow: Uint8Array[] = [];
  let left = fstatSync(fd).size;
  for (const _ of SLOW_PARTS) {
    if (!fill(fd, length) || length.readUInt32LE(0) > left) return null;
    left -= length.readUInt32LE(0);
    // Shared, so that it is not copied on its way to the detector thread.
    const octets = new Uint8Array(new SharedArrayBuffer(length.readUInt32LE(0)));
    if (!fill(fd, octets)) return null;
    slow.push(octets);
  }
  if (readSync(fd, length, 0, 1, null) !== 0) return null;
  const [pairs, zones, clients] = slow;
  return { seed, memory, slow: { version: 2, pairs, zones, clients }, forgotten: null };
}

/** Reads as many octets as there is room for; false when the file ends before. */
function fill(fd: number, into: Uint8Array): boolean {
  for (let at = 0; at < into.length; ) {
    const read = readSync(fd, into, at, into.length - at, null);
    if (read === 0) return false;
    at += read;
  }
  return true;
}

/** Writes the state beside its place and moves it there, so that a crash leaves the old one. Throws what the disk says. */
export function saveDetectorState(
  directory: string,
  seed: number,
  memory: DetectMemory,
  slow: SlowState,
): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const parts = [
    ...MEMORY_PARTS.map((part) => new Uint8Array(memory[part])),
    ...SLOW_PARTS.map((part) => slow[part]),
  ];
  const head = Buffer.alloc(MAGIC.length + 4);
  head.write(MAGIC, 'latin1');
  head.writeInt32LE(seed, MAGIC.length);
  const temporary = join(directory, `${FILE}.new`);
  const fd = openSync(temporary, 'w', 0o600);
  try {
    writeSync(fd, head);
    for (const part of parts) {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(part.length);
      writeSync(fd, length);
      // The kernel takes at most so much at a time as it likes.
      for (let at = 0; at < part.length; ) at += writeSync(fd, part, at, part.length - at);
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, join(directory, FILE));
}
