/**
 * The answers that are asked for again and again, each as one record in one run of memory.
 *
 * A cell is half a dozen objects, each somewhere else: with some thousand names a hit spends more time waiting for memory than
 * computing. Here everything that a hit reads stands side by side in a few lines of the processor's cache, and so do the
 * records of names that came together.
 *
 *    index   key ──▶ entry ──▶ line at which its record begins; two entries for a key
 *    ring    ┌ oldest record ┐┌ … ┐┌ newest record ┐┌ free …
 *    record  Int32   0 key      4 name, ending    8 policy phase    12, 13 due at (Float64, milliseconds)
 *                    1 type     5 body, octets    9 its entry       14, 15 stored at (the same)
 *                    2 variant  6 group          10 rcode, flags, number of TTLs
 *                    3 counts   7 generation     11 its lines, hits not told
 *            octets  64  name │ body │ place of each TTL in the body, 2 octets each │ text of the audit, in words of eight
 *
 * A record is a copy and holds only while the cell it was made of stands in the cache, under the policy that judged it, for the
 * group whose text it has, and until the cell is due. Whatever else there is to a cell (stale answers, failures, extended
 * errors) is served from the cell itself.
 *
 * When the ring is full the oldest record makes room. If it is asked for still, a later hit makes it anew: that is a copy.
 */
import { copyOctets, type Question, sameOctets } from '../wire/index.ts';
import type { Cell } from './cell.ts';
import { ageTtls } from './serve.ts';

/** Returned where there is no record. */
export const NO_RECORD = -1;

/** Octets of a line, and its Int32 and Float64 numbers, as powers of two. */
const LINE_LOG2 = 6;
const NUMBERS_LOG2 = 4;
const WORDS_LOG2 = 3;
const HEADER_LENGTH = 1 << LINE_LOG2;
/** An answer whose record would be longer is served from its cell. */
const LINES_MAX = 64;
/** Lines for each entry of the index: there are more entries than records find room. */
const LINES_OF_ENTRY = 4;

const KEY = 0;
const TYPE = 1;
const VARIANT = 2;
const COUNTS = 3;
const NAME = 4;
const BODY = 5;
const GROUP = 6;
const GENERATION = 7;
const PHASE = 8;
const ENTRY = 9;
const FLAGS = 10;
const SIZE = 11;
/** Of the words. */
const DUE = 6;
const STORED = 7;

const RCODE = 0xfff;
const AUTHENTICATED = 0x1000;
const NEGATIVE = 0x2000;
const TTLS_SHIFT = 16;
const NAME_LENGTH = 0xff;
const ENDING_SHIFT = 8;
/** With more endings than this all records are given up: a policy that is replaced leaves its own behind. */
const ENDINGS_MAX = 65_536;
const HITS = 0xff;
const LINES_SHIFT = 8;
/** A cell, and with it the order of eviction, is told of hits so many at a time. */
const TELL_EVERY = 16;
/** A cell gets a record with its second hit: most names are asked once and then no more. */
const HITS_MIN = 2;

export class HotStore {
  /** Octets of the ring. */
  readonly memory: number;
  /** Texts of the audit are read from here, at `textAt`. */
  readonly words: Float64Array;
  readonly #numbers: Int32Array;
  readonly #octets: Uint8Array;
  readonly #lines: number;
  readonly #lineOf: Int32Array;
  readonly #cells: (Cell | undefined)[];
  /** Endings by the number that records have for them: they are few, and stay in the processor's cache. */
  readonly #endings: object[] = [];
  readonly #endingNumbers = new Map<object, number>();
  readonly #setMask: number;
  #oldest = 0;
  /** Behind the newest record. */
  #next = 0;
  #used = 0;

  /** `memory` in octets: a power of two, at least 4 KiB, or 0 for a store that keeps nothing. */
  constructor(memory: number) {
    this.memory = memory;
    const ring = new ArrayBuffer(Math.max(memory, HEADER_LENGTH));
    this.words = new Float64Array(ring);
    this.#numbers = new Int32Array(ring);
    this.#octets = new Uint8Array(ring);
    this.#lines = memory >> LINE_LOG2;
    const entries = Math.max(2, this.#lines / LINES_OF_ENTRY);
    this.#lineOf = new Int32Array(entries).fill(NO_RECORD);
    this.#cells = new Array(entries).fill(undefined);
    this.#setMask = entries / 2 - 1;
  }

  /** The line of the record for this question, variant and group, or NO_RECORD. */
  find(
    key: number,
    question: Question,
    variant: number,
    group: number,
    generation: number,
    phase: number,
    nowMs: number,
  ): number {
    const entry = this.#entryOf(key);
    if (entry === NO_RECORD) return NO_RECORD;
    const line = this.#lineOf[entry];
    const numbers = this.#numbers;
    const at = line << NUMBERS_LOG2;
    if (
      numbers[at + TYPE] !== question.type ||
      numbers[at + VARIANT] !== variant ||
      numbers[at + GROUP] !== group ||
      numbers[at + GENERATION] !== generation ||
      numbers[at + PHASE] !== phase ||
      (numbers[at + NAME] & NAME_LENGTH) !== question.length ||
      !sameOctets(this.#octets, (line << LINE_LOG2) + HEADER_LENGTH, question.name, 0, question.length)
    ) {
      return NO_RECORD;
    }
    if (this.words[(line << WORDS_LOG2) + DUE] > nowMs) return line;
    this.#free(entry);
    return NO_RECORD;
  }

  /** Counts a hit; true once in `TELL_EVERY` times, when the cell has been told. */
  countHit(line: number): boolean {
    const at = (line << NUMBERS_LOG2) + SIZE;
    const size = ++this.#numbers[at];
    if ((size & HITS) < TELL_EVERY) return false;
    this.#tell(this.#numbers[(line << NUMBERS_LOG2) + ENTRY], at);
    return true;
  }

  /**
   * Makes a record of `cell`, which stands in the cache under `key` and was judged by the policy of now, if one may be made.
   * `text`: the octets of the audit's line from its name on, in words, behind a word that is their number.
   */
  put(key: number, cell: Cell, group: number, ending: object, text: Float64Array): void {
    if (cell.hits < HITS_MIN || cell.failure !== null || cell.extendedErrors.length > 0) return;
    const { name, octets, bodyLength } = cell;
    const textWord = (HEADER_LENGTH + name.length + octets.length + 7) >> 3;
    const lines = (textWord + text.length + 7) >> WORDS_LOG2;
    if (lines > LINES_MAX || lines > this.#lines) return;
    const endingNumber = this.#numberOf(ending);
    const entry = this.#takeEntry(key);
    const line = this.#takeLines(lines);
    const numbers = this.#numbers;
    const at = line << NUMBERS_LOG2;
    const wordAt = line << WORDS_LOG2;
    numbers[at + KEY] = key;
    numbers[at + TYPE] = cell.type;
    numbers[at + VARIANT] = cell.variant;
    numbers[at + COUNTS] = (cell.answerCount << 16) | cell.authorityCount;
    numbers[at + NAME] = name.length | (endingNumber << ENDING_SHIFT);
    numbers[at + BODY] = bodyLength;
    numbers[at + GROUP] = group;
    numbers[at + GENERATION] = cell.judgedBy;
    numbers[at + PHASE] = cell.phase;
    numbers[at + ENTRY] = entry;
    numbers[at + FLAGS] =
      cell.rcode |
      (cell.authenticated ? AUTHENTICATED : 0) |
      (cell.negative ? NEGATIVE : 0) |
      (((octets.length - bodyLength) >> 1) << TTLS_SHIFT);
    numbers[at + SIZE] = lines << LINES_SHIFT;
    this.words[wordAt + DUE] = cell.dueAtMs;
    this.words[wordAt + STORED] = cell.storedAtMs;
    const octetsAt = copyOctets(name, 0, this.#octets, (line << LINE_LOG2) + HEADER_LENGTH, name.length);
    copyOctets(octets, 0, this.#octets, octetsAt, octets.length);
    this.words.set(text, wordAt + textWord);
    this.#lineOf[entry] = line;
    this.#cells[entry] = cell;
  }

  /** Called when `cell` leaves the cache, for whatever reason. */
  drop(key: number, cell: Cell): void {
    const entry = this.#entryOf(key);
    if (entry !== NO_RECORD && this.#cells[entry] === cell) this.#free(entry);
  }

  // ── a record ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What `put` was given: how the queries end that this record answers. */
  endingOf(line: number): object {
    return this.#endings[this.#numbers[(line << NUMBERS_LOG2) + NAME] >>> ENDING_SHIFT];
  }

  rcodeOf(line: number): number {
    return this.#numbers[(line << NUMBERS_LOG2) + FLAGS] & RCODE;
  }

  isNegative(line: number): boolean {
    return (this.#numbers[(line << NUMBERS_LOG2) + FLAGS] & NEGATIVE) !== 0;
  }

  isAuthenticated(line: number): boolean {
    return (this.#numbers[(line << NUMBERS_LOG2) + FLAGS] & AUTHENTICATED) !== 0;
  }

  answerCountOf(line: number): number {
    return this.#numbers[(line << NUMBERS_LOG2) + COUNTS] >>> 16;
  }

  authorityCountOf(line: number): number {
    return this.#numbers[(line << NUMBERS_LOG2) + COUNTS] & 0xffff;
  }

  bodyLengthOf(line: number): number {
    return this.#numbers[(line << NUMBERS_LOG2) + BODY];
  }

  /** Whole seconds since the answer was stored. */
  ageSecondsOf(line: number, nowMs: number): number {
    return Math.floor((nowMs - this.words[(line << WORDS_LOG2) + STORED]) / 1000);
  }

  /** Word at which the text of the audit begins. */
  textAt(line: number): number {
    const numbers = this.#numbers;
    const at = line << NUMBERS_LOG2;
    const ttls = numbers[at + FLAGS] >>> TTLS_SHIFT;
    return (
      (line << WORDS_LOG2) +
      ((HEADER_LENGTH + (numbers[at + NAME] & NAME_LENGTH) + numbers[at + BODY] + ttls * 2 + 7) >> 3)
    );
  }

  /** Copies the body to `to` with TTLs aged; returns the position behind it. As `Cell.writeAged`. */
  writeAged(line: number, into: Uint8Array, to: number, ageSeconds: number): number {
    const numbers = this.#numbers;
    const octets = this.#octets;
    const at = line << NUMBERS_LOG2;
    const bodyAt = (line << LINE_LOG2) + HEADER_LENGTH + (numbers[at + NAME] & NAME_LENGTH);
    const placesAt = bodyAt + numbers[at + BODY];
    const end = copyOctets(octets, bodyAt, into, to, numbers[at + BODY]);
    const placesEnd = placesAt + (numbers[at + FLAGS] >>> TTLS_SHIFT) * 2;
    if (ageSeconds > 0) ageTtls(into, to, octets, placesAt, placesEnd, ageSeconds);
    return end;
  }

  /** The number of an ending, new or known. */
  #numberOf(ending: object): number {
    const known = this.#endingNumbers.get(ending);
    if (known !== undefined) return known;
    if (this.#endings.length === ENDINGS_MAX) this.clear();
    const number = this.#endings.push(ending) - 1;
    this.#endingNumbers.set(ending, number);
    return number;
  }

  /** Gives up all records. */
  clear(): void {
    for (let entry = 0; entry < this.#lineOf.length; entry++) this.#free(entry);
    this.#endings.length = 0;
    this.#endingNumbers.clear();
    this.#oldest = this.#next = this.#used = 0;
  }

  // ── index ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #entryOf(key: number): number {
    const entry = (key & this.#setMask) << 1;
    return this.#hasKey(entry, key) ? entry : this.#hasKey(entry + 1, key) ? entry + 1 : NO_RECORD;
  }

  #hasKey(entry: number, key: number): boolean {
    const line = this.#lineOf[entry];
    return line !== NO_RECORD && this.#numbers[(line << NUMBERS_LOG2) + KEY] === key;
  }

  /** An entry for a record of this key, freed: its own, one that is free, or that of the older record. */
  #takeEntry(key: number): number {
    const first = (key & this.#setMask) << 1;
    let entry = this.#entryOf(key);
    if (entry === NO_RECORD) {
      const age = this.#ageOf(first);
      entry = age <= this.#ageOf(first + 1) ? first : first + 1;
    }
    this.#free(entry);
    return entry;
  }

  /** How far a record is from the oldest, in lines; −1 where there is none. */
  #ageOf(entry: number): number {
    const line = this.#lineOf[entry];
    if (line === NO_RECORD) return -1;
    return line >= this.#oldest ? line - this.#oldest : line - this.#oldest + this.#lines;
  }

  #free(entry: number): void {
    const line = this.#lineOf[entry];
    if (line === NO_RECORD) return;
    this.#tell(entry, (line << NUMBERS_LOG2) + SIZE);
    this.#lineOf[entry] = NO_RECORD;
    this.#cells[entry] = undefined;
  }

  /** Adds the hits that are counted at `at` to those of the cell. */
  #tell(entry: number, at: number): void {
    const cell = this.#cells[entry];
    if (cell !== undefined) cell.hits += this.#numbers[at] & HITS;
    this.#numbers[at] &= ~HITS;
  }

  // ── ring ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Room for a record behind the newest one; the oldest records give theirs. */
  #takeLines(count: number): number {
    const rest = this.#lines - this.#next;
    if (rest < count) {
      // What is left until the end is passed over like a record that was dropped.
      this.#reclaim(rest);
      const at = this.#next << NUMBERS_LOG2;
      this.#numbers[at + ENTRY] = 0;
      this.#numbers[at + SIZE] = rest << LINES_SHIFT;
      this.#used += rest;
      this.#next = 0;
    }
    this.#reclaim(count);
    const line = this.#next;
    this.#used += count;
    this.#next = (line + count) % this.#lines;
    return line;
  }

  #reclaim(count: number): void {
    while (this.#lines - this.#used < count) {
      const at = this.#oldest << NUMBERS_LOG2;
      const entry = this.#numbers[at + ENTRY];
      if (this.#lineOf[entry] === this.#oldest) this.#free(entry);
      const lines = this.#numbers[at + SIZE] >>> LINES_SHIFT;
      this.#used -= lines;
      this.#oldest = (this.#oldest + lines) % this.#lines;
    }
  }
}
