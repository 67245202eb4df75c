/**
 * What the detector remembers over a restart: the seed of its hashes, the memory of the fast paths, the levels of the
 * slow view. All of it or nothing: tables of another seed or size would speak of other names.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createDetectMemory, type DetectMemory, type SlowState } from './detect/index.ts';

const MAGIC = 'SALLYPORT-DETECT-1\n';
const FILE = 'state';
const MEMORY_PARTS = ['pairs', 'zones', 'clients', 'seen'] as const;
const SLOW_PARTS = ['pairs', 'zones', 'clients'] as const;

export interface DetectorMemory {
  readonly seed: number;
  readonly memory: DetectMemory;
  readonly slow: SlowState | null;
  /** Why an earlier state could not be used, or null. */
  readonly forgotten: string | null;
}

/** The state of `directory`, or a new one. Never throws: a detector without memory is better than no resolver. */
export function openDetectorState(directory: string | null): DetectorMemory {
  const fresh = (forgotten: string | null): DetectorMemory => ({
    seed: randomBytes(4).readInt32LE(0),
    memory: createDetectMemory(),
    slow: null,
    forgotten,
  });
  if (directory === null) return fresh(null);
  let file: Buffer;
  try {
    file = readFileSync(join(directory, FILE));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return fresh(code === 'ENOENT' ? null : message);
  }
  return readState(file) ?? fresh('it is of another version, or damaged');
}

function readState(file: Buffer): DetectorMemory | null {
  if (file.length < MAGIC.length + 4 || file.toString('latin1', 0, MAGIC.length) !== MAGIC) return null;
  const seed = file.readInt32LE(MAGIC.length);
  let at = MAGIC.length + 4;
  const next = (): Buffer | null => {
    if (at + 4 > file.length) return null;
    const length = file.readUInt32LE(at);
    at += 4;
    if (at + length > file.length) return null;
    at += length;
    return file.subarray(at - length, at);
  };
  const memory = createDetectMemory();
  for (const part of MEMORY_PARTS) {
    const octets = next();
    if (octets === null || octets.length !== memory[part].byteLength) return null;
    new Uint8Array(memory[part]).set(octets);
  }
  const [pairs, zones, clients] = SLOW_PARTS.map(() => next());
  if (pairs === null || zones === null || clients === null || at !== file.length) return null;
  const slow: SlowState = {
    version: 1,
    pairs: Uint8Array.from(pairs),
    zones: Uint8Array.from(zones),
    clients: Uint8Array.from(clients),
  };
  return { seed, memory, slow, forgotten: null };
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
