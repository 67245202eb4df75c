/**
 * Closed segments, compressed. Not done while queries are served: gzip costs more than the entry itself. It is for a
 * quiet hour (`sallyport audit compress`), and Zstandard where this Node has it, or the program `zstd` is installed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createReadStream, createWriteStream, existsSync, statSync } from 'node:fs';
import { open, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import * as zlib from 'node:zlib';
import { segmentNames } from './read.ts';

export type Compression = 'gzip' | 'zstd';

interface Zstd {
  createZstdCompress?(): zlib.Gzip;
  createZstdDecompress?(): zlib.Gunzip;
  zstdDecompressSync?(octets: Uint8Array): Buffer;
  zstdCompressSync?(octets: Uint8Array): Buffer;
}
const zstd = zlib as Zstd;

/** Whether this Node has Zstandard itself; elsewhere the program is asked. */
export const hasZstd = (): boolean => zstd.createZstdCompress !== undefined;

const NO_ZSTD = 'is compressed with Zstandard: use Node 22.15 or newer, or install the program "zstd"';
/** Octets that a segment can have at most, and some more. */
const OUTPUT_MAX = 2 ** 31;

/** What the program makes of `octets`. Throws in words. */
function runZstd(args: readonly string[], octets: Buffer, file: string): Buffer {
  const ran = spawnSync('zstd', args, { input: octets, maxBuffer: OUTPUT_MAX });
  if ((ran.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT')
    throw new Error(`${file} ${NO_ZSTD}`);
  if (ran.error !== undefined) throw ran.error;
  if (ran.status !== 0) throw new Error(`${file}: ${ran.stderr.toString('utf8').trim()}`);
  return ran.stdout;
}

/** The octets of a segment file whose name ends in `.gz`, `.zst` or neither. Throws in words. */
export function decompress(file: string, octets: Buffer): Buffer {
  if (file.endsWith('.gz')) return zlib.gunzipSync(octets);
  if (!file.endsWith('.zst')) return octets;
  return zstd.zstdDecompressSync?.(octets) ?? runZstd(['-dcq'], octets, file);
}

/** The octets of a segment as the file of that name has them. Throws in words. */
export function compressAs(file: string, octets: Buffer): Buffer {
  if (file.endsWith('.gz')) return zlib.gzipSync(octets, { level: 6 });
  if (!file.endsWith('.zst')) return octets;
  return zstd.zstdCompressSync?.(octets) ?? runZstd(['-cq'], octets, file);
}

/** The octets of a compressed segment in pieces, so that none is held whole in memory. Fails in words. */
export async function* openDecompressed(path: string): AsyncGenerator<Buffer, void> {
  const engine = path.endsWith('.gz') ? zlib.createGunzip() : zstd.createZstdDecompress?.();
  if (engine === undefined) {
    yield* throughZstd(path);
    return;
  }
  const file = createReadStream(path);
  file.on('error', (error) => engine.destroy(error));
  try {
    yield* file.pipe(engine) as AsyncIterable<Buffer>;
  } finally {
    file.destroy();
    engine.destroy();
  }
}

async function* throughZstd(path: string): AsyncGenerator<Buffer, void> {
  const child = spawn('zstd', ['-dcq', '--', path], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', () => reject(new Error(`${path} ${NO_ZSTD}`)));
    child.on('close', resolve);
  });
  ended.catch(() => {});
  try {
    yield* child.stdout as AsyncIterable<Buffer>;
    const code = await ended;
    if (code !== 0) throw new Error(`${path} cannot be unpacked; the file is damaged or not whole`);
  } finally {
    child.kill();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync();
  await handle.close();
}

/**
 * Compresses every segment but the newest of each worker, which may be open. A file is replaced only once its
 * compressed form is on the disk. Returns what was saved, in octets.
 */
export async function compressSegments(
  directory: string,
  compression: Compression,
  onSegment: (file: string) => void = () => {},
): Promise<{ readonly segments: number; readonly before: number; readonly after: number }> {
  const names = segmentNames(directory);
  const sums = { segments: 0, before: 0, after: 0 };
  for (const { file, worker, number, compressed } of names) {
    if (compressed || !names.some((other) => other.worker === worker && other.number > number)) continue;
    const path = join(directory, file);
    const target = `${path}${compression === 'gzip' ? '.gz' : '.zst'}`;
    if (existsSync(target)) await unlink(target);
    const partial = `${target}.new`;
    const engine = compression === 'gzip' ? zlib.createGzip({ level: 6 }) : zstd.createZstdCompress?.();
    if (engine === undefined)
      await writeFile(partial, compressAs(target, await readFile(path)), { mode: 0o640 });
    else await pipeline(createReadStream(path), engine, createWriteStream(partial, { mode: 0o640 }));
    const written = await open(partial, 'r+');
    await written.sync();
    await written.close();
    sums.segments++;
    sums.before += statSync(path).size;
    sums.after += statSync(partial).size;
    await rename(partial, target);
    // A power cut must not keep the removal and lose the new name.
    await syncDirectory(directory);
    await unlink(path);
    onSegment(file);
  }
  return sums;
}
