/**
 * Closed segments, compressed. Not done while queries are served: gzip costs more than the entry itself. It is for a
 * quiet hour (`sallyport audit compress`), and Zstandard where this Node has it.
 */
import { createReadStream, createWriteStream, existsSync, statSync } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
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

export const hasZstd = (): boolean => zstd.createZstdCompress !== undefined;

/** The octets of a segment file whose name ends in `.gz`, `.zst` or neither. Throws in words. */
export function decompress(file: string, octets: Buffer): Buffer {
  if (file.endsWith('.gz')) return zlib.gunzipSync(octets);
  if (!file.endsWith('.zst')) return octets;
  if (zstd.zstdDecompressSync === undefined) {
    throw new Error(
      `${file} is compressed with Zstandard; read it with Node 22.15 or newer, or run "unzstd" on it`,
    );
  }
  return zstd.zstdDecompressSync(octets);
}

/** The octets of a segment as the file of that name has them. Throws in words. */
export function compressAs(file: string, octets: Buffer): Buffer {
  if (file.endsWith('.gz')) return zlib.gzipSync(octets, { level: 6 });
  if (!file.endsWith('.zst')) return octets;
  if (zstd.zstdCompressSync === undefined) throw new Error(`${file} needs Node 22.15 or newer to be written`);
  return zstd.zstdCompressSync(octets);
}

/** The octets of a compressed segment in pieces, so that none is held whole in memory. Fails in words. */
export async function* openDecompressed(path: string): AsyncGenerator<Buffer, void> {
  const engine = path.endsWith('.gz') ? zlib.createGunzip() : zstd.createZstdDecompress?.();
  if (engine === undefined) {
    throw new Error(`${path} is compressed with Zstandard; use Node 22.15 or newer, or run "unzstd" on it`);
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
    if (engine === undefined) throw new Error('this Node has no Zstandard; use gzip, or Node 22.15 or newer');
    await pipeline(createReadStream(path), engine, createWriteStream(partial, { mode: 0o640 }));
    const written = await open(partial, 'r+');
    await written.sync();
    await written.close();
    sums.segments++;
    sums.before += statSync(path).size;
    sums.after += statSync(partial).size;
    await rename(partial, target);
    await unlink(path);
    onSegment(file);
  }
  return sums;
}
