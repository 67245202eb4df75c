/**
 * The octets of the log since its last block line, in one buffer made at start, and their division into leaves.
 *
 *    1             writtenAt        committedAt         at
 *    │ in the file     │ committed,     │ open batch      │ free …
 *    │                 │ not yet there  │                 │
 *    └ leaf: 32 lines ┴ …
 *
 * A block is closed by a line that lists the hashes of its leaves; that line is the first of the next block, so every
 * octet of the log lies in exactly one leaf. A leaf ends after every 32nd line of its block, and with the block.
 *
 * A leaf is hashed when the last of its lines is in the file and in the processor's cache still. What is hashed makes room:
 * the buffer in use stays small enough to remain in that cache.
 */
import { leafHash } from './tree.ts';

export const LEAF_LINES = 32;

/** The octet before a leaf is borrowed while it is hashed, so the first one stays free. */
const START = 1;
const NEWLINE = 10;
/**
 * Hashed octets are given up when there are so many; what is behind them, at most a leaf, moves to the front. With 8 KiB the
 * same 30 KiB are written again and again at 64 queries a batch, with 96 KiB every line begins where the cache has nothing.
 */
const GIVEN_UP_LENGTH = 8 * 1024;

export class Block {
  octets: Buffer;
  /** Of the same octets. */
  view: DataView;
  /** Behind the last octet. */
  at = START;
  lines = 0;
  writtenAt = START;
  writtenLines = 0;
  committedAt = START;
  committedLines = 0;
  /** Of whole leaves in the file. */
  #hashes: string[] = [];
  /** Octets of this block that were given up. */
  #givenUp = 0;
  readonly #leafAt: number[] = [];
  readonly #lengthMax: number;

  constructor(length: number, lengthMax: number) {
    this.octets = Buffer.alloc(length);
    this.view = viewOf(this.octets);
    this.#lengthMax = lengthMax;
  }

  /** Octets of this block that are in the file. */
  get writtenLength(): number {
    return this.#givenUp + this.writtenAt - START;
  }

  /** Makes room for a line of `length` octets; false when the block is as large as it may get. */
  hasRoom(length: number): boolean {
    const needed = this.at + length;
    return needed <= this.octets.length || this.#grow(needed);
  }

  #grow(needed: number): boolean {
    if (needed > this.#lengthMax) return false;
    const larger = Buffer.alloc(Math.min(this.#lengthMax, Math.max(needed, this.octets.length * 2)));
    this.octets.copy(larger, 0, 0, this.at);
    this.octets = larger;
    this.view = viewOf(larger);
    return true;
  }

  /** Called before the octets of a line are put at `at`. */
  beginLine(): void {
    if (this.lines % LEAF_LINES === 0) this.#leafAt[this.lines / LEAF_LINES] = this.at;
    this.lines++;
  }

  /** Adds a whole line that is not an entry. The caller knows that no batch is open. */
  addLine(line: Uint8Array): void {
    if (!this.hasRoom(line.length))
      throw new RangeError(`a line of ${line.length} octets does not fit the block`);
    this.beginLine();
    this.octets.set(line, this.at);
    this.at += line.length;
  }

  commit(): void {
    this.committedAt = this.at;
    this.committedLines = this.lines;
  }

  /** Everything committed is in the file now. */
  wrote(): void {
    this.writtenAt = this.committedAt;
    this.writtenLines = this.committedLines;
  }

  /** The first line, and no more, is in the file now: it ends at `end`. */
  wroteFirstLine(end: number): void {
    this.writtenAt = end;
    this.writtenLines = 1;
  }

  /** Of this block the first `length` octets, `lines` lines, are in the file, and no more. None of them was given up since. */
  unwrote(length: number, lines: number): void {
    this.writtenAt = START + length - this.#givenUp;
    this.writtenLines = lines;
    this.#hashes.length = Math.min(this.#hashes.length, Math.floor(lines / LEAF_LINES));
    this.dropUnwritten();
  }

  /** Forgets the open batch. */
  takeBack(): void {
    this.at = this.committedAt;
    this.lines = this.committedLines;
  }

  /** Forgets whatever is not in the file. */
  dropUnwritten(): void {
    this.at = this.committedAt = this.writtenAt;
    this.lines = this.committedLines = this.writtenLines;
  }

  /** Forgets whatever is not in the file, but for the first line, which ends at `end` and is not there either. */
  dropBehindFirstLine(end: number): void {
    this.at = this.committedAt = end;
    this.lines = this.committedLines = 1;
  }

  /** Hashes the leaves that are whole and in the file, and gives their octets up when there are many. */
  hashWhole(): void {
    const hashes = this.#hashes;
    if ((hashes.length + 1) * LEAF_LINES > this.writtenLines) return;
    while ((hashes.length + 1) * LEAF_LINES <= this.writtenLines) {
      hashes.push(leafHash(this.octets, this.#leafAt[hashes.length], this.#endOf(hashes.length)));
    }
    const hashedAt = this.#endOf(hashes.length - 1);
    if (hashedAt > GIVEN_UP_LENGTH && this.at === this.writtenAt) this.#giveUp(hashedAt);
  }

  #endOf(leaf: number): number {
    return this.lines > (leaf + 1) * LEAF_LINES ? this.#leafAt[leaf + 1] : this.at;
  }

  /** Moves what lies behind `end` to the front. */
  #giveUp(end: number): void {
    const count = end - START;
    this.octets.copyWithin(START, end, this.at);
    this.#leafAt[this.#hashes.length] = START;
    this.at -= count;
    this.writtenAt = this.committedAt = this.at;
    this.#givenUp += count;
  }

  /** Hashes of the leaves of what is in the file; the last may not be whole. */
  leaves(): string[] {
    const hashes = this.#hashes;
    const count = Math.ceil(this.writtenLines / LEAF_LINES);
    const leaves = hashes.slice(0, count);
    for (let i = leaves.length; i < count; i++) {
      const end = i + 1 < count ? this.#leafAt[i + 1] : this.writtenAt;
      leaves.push(leafHash(this.octets, this.#leafAt[i], end));
    }
    return leaves;
  }

  /**
   * Begins the next block with `line` (committed, not written), followed by whatever was not in the file. Returns the
   * position behind `line`.
   */
  restart(line: Uint8Array): number {
    const rest = Buffer.from(this.octets.subarray(this.writtenAt, this.at));
    const committed = this.committedAt - this.writtenAt;
    this.at = this.writtenAt = START;
    this.lines = this.writtenLines = 0;
    this.#hashes = [];
    this.#givenUp = 0;
    this.addLine(line);
    this.commit();
    for (let from = 0; from < rest.length; ) {
      const end = rest.indexOf(NEWLINE, from) + 1;
      this.addLine(rest.subarray(from, end));
      from = end;
      if (from === committed) this.commit();
    }
    return START + line.length;
  }
}

const viewOf = ({ buffer, byteOffset, length }: Buffer): DataView => new DataView(buffer, byteOffset, length);
