/**
 * The octets of the log since its last block line, in one buffer made at start, and their division into leaves.
 *
 *    1            writtenAt        committedAt         at
 *    │ in the file    │ committed,     │ open batch      │ free …
 *    │                │ not yet there  │                 │
 *    └ leaf: 32 lines ┴ …
 *
 * A block is closed by a line that lists the hashes of its leaves; that line is the first of the next block, so every
 * octet of the log lies in exactly one leaf. A leaf ends after every 32nd line of its block, and with the block.
 */
import { leafHash } from './tree.ts';

export const LEAF_LINES = 32;

/** The octet before a leaf is borrowed while it is hashed, so the first one stays free. */
const START = 1;
const NEWLINE = 10;

export class Block {
  octets: Buffer;
  /** Behind the last octet. */
  at = START;
  lines = 0;
  writtenAt = START;
  writtenLines = 0;
  committedAt = START;
  committedLines = 0;
  readonly #leafAt: number[] = [];
  readonly #lengthMax: number;

  constructor(length: number, lengthMax: number) {
    this.octets = Buffer.alloc(length);
    this.#lengthMax = lengthMax;
  }

  /** Octets of this block that are in the file. */
  get writtenLength(): number {
    return this.writtenAt - START;
  }

  /** Makes room for a line of `length` octets; false when the block is as large as it may get. */
  hasRoom(length: number): boolean {
    const needed = this.at + length;
    if (needed <= this.octets.length) return true;
    if (needed > this.#lengthMax) return false;
    const larger = Buffer.alloc(Math.min(this.#lengthMax, Math.max(needed, this.octets.length * 2)));
    this.octets.copy(larger, 0, 0, this.at);
    this.octets = larger;
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

  /** What was in the file from `at` on, `lines` lines in, is there no longer. */
  unwrote(at: number, lines: number): void {
    this.writtenAt = at;
    this.writtenLines = lines;
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

  /** Hashes of the leaves of what is in the file. */
  leaves(): Uint8Array[] {
    const leaves: Uint8Array[] = [];
    const count = Math.ceil(this.writtenLines / LEAF_LINES);
    for (let i = 0; i < count; i++) {
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
