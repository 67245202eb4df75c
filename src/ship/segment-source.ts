/** The text of one segment in pieces, from an octet on; of an open segment also what is appended later. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { openDecompressed, type SegmentName } from '../audit/index.ts';

const PIECE = 256 * 1024;

export interface SegmentSource {
  /** The next octets; empty when there are none for now; null when the file became shorter: read it anew. */
  next(): Promise<Buffer | null>;
  close(): void;
}

/** Throws what the file system says. */
export const openSource = (directory: string, name: SegmentName, octet: number): SegmentSource =>
  name.compressed
    ? new CompressedSource(join(directory, name.file), octet)
    : new PlainSource(join(directory, name.file), octet);

class PlainSource implements SegmentSource {
  readonly #fd: number;
  #at: number;

  constructor(path: string, octet: number) {
    this.#fd = openSync(path, 'r');
    this.#at = octet;
  }

  /** Reads at once: a piece is in the page cache, and the pool of threads is for the disk of the audit. */
  async next(): Promise<Buffer | null> {
    const { size } = fstatSync(this.#fd);
    // A failed write that was cut off again.
    if (size < this.#at) return null;
    const piece = Buffer.allocUnsafe(Math.min(PIECE, size - this.#at));
    const count = piece.length === 0 ? 0 : readSync(this.#fd, piece, 0, piece.length, this.#at);
    this.#at += count;
    return piece.subarray(0, count);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

const NOTHING = Buffer.alloc(0);

class CompressedSource implements SegmentSource {
  readonly #pieces: AsyncGenerator<Buffer, void>;
  #skip: number;

  constructor(path: string, octet: number) {
    this.#pieces = openDecompressed(path);
    this.#skip = octet;
  }

  async next(): Promise<Buffer | null> {
    for (;;) {
      const { value } = await this.#pieces.next();
      if (value === undefined) return NOTHING;
      const skipped = Math.min(this.#skip, value.length);
      this.#skip -= skipped;
      if (skipped < value.length) return value.subarray(skipped);
    }
  }

  close(): void {
    void this.#pieces.return();
  }
}
