/**
 * Room kept free for the log on its own disk: a file of zeros, given up in two steps when the disk is full.
 *
 *    whole ──▶ queries go on for as long as the room lasts, and health says so
 *    last  ──▶ 64 KiB for the record that says that the log stopped
 */

import { truncateSync, unlinkSync } from 'node:fs';
import { type FileHandle, open, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

const LAST_LENGTH = 64 * 1024;
const PIECE = new Uint8Array(1024 * 1024);

export class Reserve {
  readonly #path: string;
  readonly #length: number;
  #state: 'none' | 'last' | 'whole' = 'none';
  #filling: Promise<void> | null = null;
  #given = false;
  readonly #onRelease: () => void;

  /** `length` 0: no reserve. `onRelease` is called when the greater part has to be used. */
  constructor(path: string, length: number, onRelease: () => void) {
    this.#onRelease = onRelease;
    this.#path = path;
    this.#length = length;
    // What a crash has left is given back first: it may be all the room there is to begin with.
    this.#remove();
  }

  get state(): 'none' | 'last' | 'whole' {
    return this.#state;
  }

  /** Gives the greater part back; false when it was given back before. */
  releaseMost(): boolean {
    this.#given = true;
    if (this.#state !== 'whole') return false;
    try {
      truncateSync(this.#path, Math.min(LAST_LENGTH, this.#length));
      this.#state = 'last';
      this.#onRelease();
      return true;
    } catch {
      this.#remove();
      return false;
    }
  }

  /** Gives the rest back; false when there was none. */
  releaseLast(): boolean {
    const had = this.#state !== 'none';
    this.#remove();
    return had;
  }

  /**
   * Fills it again, in pieces and beside everything else, if the disk has at least twice the room. A release while it
   * is filled wins.
   */
  fill(): Promise<void> {
    if (this.#length === 0 || this.#state === 'whole') return Promise.resolve();
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = null;
    });
    return this.#filling;
  }

  async #fill(): Promise<void> {
    this.#given = false;
    let file: FileHandle | null = null;
    try {
      const { bavail, bsize } = await statfs(dirname(this.#path));
      if (bavail * bsize < 2 * this.#length) return;
      file = await open(this.#path, 'w', 0o600);
      for (let at = 0; at < this.#length && !this.#given; at += PIECE.length) {
        await file.write(PIECE, 0, Math.min(PIECE.length, this.#length - at), at);
      }
      await file.sync();
      if (this.#given) this.#remove();
      else this.#state = 'whole';
    } catch {
      this.#remove();
    } finally {
      await file?.close().catch(() => {});
    }
  }

  async close(): Promise<void> {
    this.#given = true;
    await this.#filling;
    this.#remove();
  }

  #remove(): void {
    this.#state = 'none';
    try {
      unlinkSync(this.#path);
    } catch {
      // It was not there, or nothing can be removed here; then nothing was gained either.
    }
  }
}
