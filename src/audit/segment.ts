/**
 * One file of the log, open for appending: plain NDJSON from its first octet, so that `tail -f` and any JSON reader work
 * on it while it grows.
 *
 * It knows how much of it is good (every octet up to `octets` was handed to the kernel whole) and since when something
 * in it waits for the disk.
 */
import { join } from 'node:path';
import type { Disk } from './disk.ts';

/** `w0-00000017-20261121T091011123Z.ndjson`: worker, number of the segment, when it was begun. */
export function segmentName(worker: number, number: number, beganAtMs: number): string {
  const time = new Date(beganAtMs).toISOString().replace(/[-:.]/g, '');
  return `w${worker}-${String(number).padStart(8, '0')}-${time}.ndjson`;
}

const NAME = /^w(\d+)-(\d{8,})-(\d{8}T\d{9}Z)\.ndjson(\.gz|\.zst)?$/;

export interface SegmentName {
  readonly file: string;
  readonly worker: number;
  readonly number: number;
  readonly compressed: boolean;
}

/** What the name of a file says; null when it is not a segment. */
export function readSegmentName(file: string): SegmentName | null {
  const match = NAME.exec(file);
  if (match === null) return null;
  return { file, worker: Number(match[1]), number: Number(match[2]), compressed: match[4] !== undefined };
}

export class Segment {
  readonly file: string;
  readonly path: string;
  readonly openedAtMs: number;
  /** Octets that are whole and handed to the kernel. */
  octets = 0;
  /** True once octets behind `octets` may be in the file because cutting them off failed. */
  torn = false;
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #fd: number;
  #dirtySinceMs = Number.POSITIVE_INFINITY;
  #syncingSinceMs = Number.POSITIVE_INFINITY;
  #isNameDurable = false;
  #syncing = false;
  #retired = false;
  #closed = false;

  /** `nowMs`: monotonic. Throws what the file system says when the file cannot be made. */
  constructor(disk: Disk, directory: string, file: string, nowMs: number) {
    this.#disk = disk;
    this.#directory = directory;
    this.file = file;
    this.path = join(directory, file);
    this.openedAtMs = nowMs;
    this.#fd = disk.create(this.path);
  }

  /** Monotonic time of the oldest write that the disk has not confirmed; infinite when there is none. */
  get unsyncedSinceMs(): number {
    return Math.min(this.#dirtySinceMs, this.#syncingSinceMs);
  }

  get syncing(): boolean {
    return this.#syncing;
  }

  /** Appends `octets[at … end)`. On failure nothing of it stays in the file, if that can be had, and the error returns. */
  write(octets: Uint8Array, at: number, end: number, nowMs: number): NodeJS.ErrnoException | null {
    const began = at;
    try {
      while (at < end) {
        const count = this.#disk.write(this.#fd, octets, at, end - at);
        if (count <= 0) throw Object.assign(new Error('the file takes no more octets'), { code: 'ENOSPC' });
        at += count;
      }
    } catch (error) {
      // The failed call may have left a part as well; its length is not known, so the cut is made in any case.
      this.cutTo(this.octets);
      return error as NodeJS.ErrnoException;
    }
    this.octets += end - began;
    if (this.#dirtySinceMs === Number.POSITIVE_INFINITY) this.#dirtySinceMs = nowMs;
    return null;
  }

  /** Cuts the file back to `length` octets. */
  cutTo(length: number): void {
    this.octets = length;
    try {
      this.#disk.cut(this.#fd, length);
    } catch {
      this.torn = true;
    }
  }

  /** Asks the disk to confirm what was written so far. Not to be called while `syncing`. */
  sync(done: (error: Error | null) => void): void {
    if (this.#closed) {
      done(new Error('the segment was given up before the disk could confirm it'));
      return;
    }
    this.#syncing = true;
    this.#syncingSinceMs = this.#dirtySinceMs;
    this.#dirtySinceMs = Number.POSITIVE_INFINITY;
    const finish = (error: Error | null): void => {
      this.#syncing = false;
      this.#syncingSinceMs = Number.POSITIVE_INFINITY;
      done(error);
      // `done` may have begun the last sync.
      if (this.#retired && !this.#syncing) this.#close();
    };
    this.#disk.sync(this.#fd, (error) => {
      if (error !== null || this.#isNameDurable) return finish(error);
      // A new file survives a power cut only once its directory is on the disk as well.
      this.#disk.syncDirectory(this.#directory, (directoryError) => {
        this.#isNameDurable = directoryError === null;
        finish(directoryError);
      });
    });
  }

  /** Asks the disk to confirm all of it and closes the file. */
  finish(done: (error: Error | null) => void): void {
    this.#retired = true;
    this.sync(done);
  }

  isInPlace(done: (inPlace: boolean) => void): void {
    if (this.#closed) done(true);
    else this.#disk.isInPlace(this.#fd, this.path, done);
  }

  /** Gives the descriptor back, after the sync that is under way if there is one. */
  retire(): void {
    this.#retired = true;
    if (!this.#syncing) this.#close();
  }

  /** Closes and removes a file in which nothing is. */
  discard(): void {
    this.#close();
    try {
      this.#disk.remove(this.path);
    } catch {
      // It is empty; recovery knows what to make of it.
    }
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#disk.close(this.#fd);
    } catch {
      // What close reports belongs to writes whose sync has been judged already.
    }
  }
}
