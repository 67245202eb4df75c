/**
 * Stored responses, bounded by octets of memory, least recently used out first.
 *
 * Cells are found by an int32 hash of name, type and variant and then verified: two questions with one hash share a
 * place, the later one takes it, and the collision is counted. The hash is seeded with a secret of the process.
 */
import { LRUCache } from 'lru-cache';
import { type Question, sameOctets } from '../wire/index.ts';
import type { Cell } from './cell.ts';
import { EndingFailures } from './ending-failures.ts';
import { HotStore, NO_RECORD } from './hot-store.ts';

export interface CacheCounters {
  evictions: number;
  collisions: number;
}

/** The hot store takes this part of the memory, and no more than `HOT_MAX`; below `HOT_MIN` it is not worth having. */
const HOT_PART = 1 / 4;
const HOT_MAX = 16 * 2 ** 20;
const HOT_MIN = 64 * 2 ** 10;
/** Failures that are over and are let go of with one that is stored: more than one, so that none gather. */
const FAILURES_WITH_STORE = 4;
/** Octets given up with a store beyond what it needs itself, while the cache is above its bound. */
const STEP_WITH_STORE = 16 * 1024;

export class ResponseCache {
  readonly counters: CacheCounters = { evictions: 0, collisions: 0 };
  readonly #cells: LRUCache<number, Cell> | null;
  readonly #failures = new EndingFailures();
  #hot: HotStore;
  #memoryMax: number;

  /** `memoryMax` in octets; 0 keeps nothing. */
  constructor(memoryMax: number) {
    this.#memoryMax = memoryMax;
    this.#hot = new HotStore(hotIn(memoryMax));
    this.#cells =
      memoryMax === 0
        ? null
        : new LRUCache<number, Cell>({
            maxSize: memoryMax,
            maxEntrySize: Math.max(1, Math.floor(memoryMax / 8)),
            sizeCalculation: (cell) => cell.memory,
            dispose: (cell, key, why) => {
              if (why === 'evict') this.counters.evictions++;
              this.#hot.drop(key, cell);
            },
          });
  }

  /** Records of what is asked most; another object after the bound was moved far. */
  get hot(): HotStore {
    return this.#hot;
  }

  get size(): number {
    return this.#cells?.size ?? 0;
  }

  /** Octets held, the hot store included. */
  get memory(): number {
    return this.#cells === null ? 0 : this.#cells.calculatedSize + this.#hot.memory;
  }

  /** Most octets it may hold. */
  get memoryMax(): number {
    return this.#memoryMax;
  }

  /** Lowered, it is what `store` and `trim` come down to. Never above that of the constructor. */
  set memoryMax(octets: number) {
    this.#memoryMax = octets;
    const hot = hotIn(octets);
    // The bound grows back slowly: not for every step of it are all records made anew.
    if (hot < this.#hot.memory || hot >= this.#hot.memory * 2) this.#hot = new HotStore(hot);
  }

  /** The cell for this question and variant, fresh or not; the caller looks at `endsAtMs`. */
  find(question: Question, variant: number): Cell | undefined {
    const cell = this.#cells?.get(keyOf(question, variant));
    if (cell === undefined || isFor(cell, question, variant)) return cell;
    this.counters.collisions++;
    return undefined;
  }

  /** Line in `hot` of a fresh answer that was judged by this policy for this group; NO_RECORD when there is none. */
  findHot(
    question: Question,
    variant: number,
    group: number,
    generation: number,
    phase: number,
    nowMs: number,
  ): number {
    const key = keyOf(question, variant);
    const line = this.#hot.find(key, question, variant, group, generation, phase, nowMs);
    if (line !== NO_RECORD && this.#hot.countHit(line)) this.#cells?.get(key);
    return line;
  }

  /** Makes a record in `hot` of a cell that `find` returned; see `HotStore.put`. */
  keepHot(question: Question, cell: Cell, group: number, ending: object, text: Float64Array): void {
    this.#hot.put(keyOf(question, cell.variant), cell, group, ending, text);
  }

  /** Keeps `cell` for the question it answers. A cell larger than an eighth of the cache is not kept. */
  store(question: Question, cell: Cell): void {
    const cells = this.#cells;
    if (cells === null) return;
    const key = keyOf(question, cell.variant);
    const { memory } = cell;
    if (cell.failure !== null) {
      this.#forgetFailures(cells, cell.storedAtMs);
      this.#failures.add(key, cell.endsAtMs);
    }
    if (memory > this.#memoryMax / 8) {
      cells.delete(key);
      return;
    }
    // What lies above a bound that was lowered goes in steps (`trim`): all at once would hold up the thread.
    const above = Math.min(this.memory + memory - this.#memoryMax, Math.max(memory, STEP_WITH_STORE));
    this.#giveUp(above);
    cells.set(key, cell);
  }

  /**
   * A failure that is over answers nothing. Left to age, those of a flood of random names below a silent domain would push out
   * answers that are asked for.
   */
  #forgetFailures(cells: LRUCache<number, Cell>, nowMs: number): void {
    for (let i = 0; i < FAILURES_WITH_STORE && this.#failures.hasEnded(nowMs); i++) {
      const key = this.#failures.take();
      const cell = cells.peek(key);
      // An answer may have come since, or the same failure again.
      if (cell !== undefined && cell.failure !== null && cell.endsAtMs <= nowMs) cells.delete(key);
    }
  }

  /** Gives up the least recently used above the bound, at most so many octets of them or a cell more. */
  trim(octets: number): void {
    this.#giveUp(Math.min(octets, this.memory - this.#memoryMax));
  }

  #giveUp(octets: number): void {
    const cells = this.#cells;
    if (cells === null || octets <= 0) return;
    const until = cells.calculatedSize - octets;
    while (cells.size > 0 && cells.calculatedSize > until) cells.pop();
  }

  forget(question: Question, variant: number): void {
    this.#cells?.delete(keyOf(question, variant));
  }

  clear(): void {
    this.#cells?.clear();
  }
}

/** Octets for the hot store: a power of two, or 0. */
function hotIn(memoryMax: number): number {
  const octets = 2 ** Math.floor(Math.log2(memoryMax * HOT_PART));
  return octets >= HOT_MIN ? Math.min(octets, HOT_MAX) : 0;
}

/** Whether a cell answers exactly this question: hashes may meet, names may not. */
const isFor = (cell: Cell, question: Question, variant: number): boolean =>
  cell.type === question.type &&
  cell.variant === variant &&
  cell.name.length === question.length &&
  sameOctets(cell.name, 0, question.name, 0, question.length);

/** An int32: Node keeps those as they are, while a larger number would be an object. */
const keyOf = (question: Question, variant: number): number =>
  (Math.imul(question.suffixHash[0] ^ (question.type * 0x9e3779b1), 0x85ebca6b) ^
    Math.imul(variant + 1, 0xc2b2ae35)) |
  0;
