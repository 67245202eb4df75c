/**
 * Stored responses, bounded by octets of memory, least recently used out first.
 *
 * Cells are found by an int32 hash of name, type and variant and then verified: two questions with one hash share a
 * place, the later one takes it, and the collision is counted. The hash is seeded with a secret of the process.
 */
import { LRUCache } from 'lru-cache';
import { type Question, sameOctets } from '../wire/index.ts';
import type { Cell } from './cell.ts';

export interface CacheCounters {
  evictions: number;
  collisions: number;
}

/** Places of the front; a power of two. */
const FRONT_LENGTH = 8192;
/** A hit in the front counts as a use for the order of eviction only once in so many times. */
const TOUCH_EVERY = 16;
/** Octets given up with a store beyond what it needs itself, while the cache is above its bound. */
const STEP_WITH_STORE = 16 * 1024;

export class ResponseCache {
  /**
   * The cells hit last, found by the low bits of their key: most queries are for few names, and a look-up here costs a
   * third of one in the ordered map behind it. A cell stands here only while it stands there.
   */
  readonly #front: (Cell | undefined)[] = new Array(FRONT_LENGTH).fill(undefined);
  readonly counters: CacheCounters = { evictions: 0, collisions: 0 };
  /** Most octets it may hold. Lowered, it is what `store` and `trim` come down to. Never above that of the constructor. */
  memoryMax: number;
  readonly #cells: LRUCache<number, Cell> | null;

  /** `memoryMax` in octets; 0 keeps nothing. */
  constructor(memoryMax: number) {
    this.memoryMax = memoryMax;
    this.#cells =
      memoryMax === 0
        ? null
        : new LRUCache<number, Cell>({
            maxSize: memoryMax,
            maxEntrySize: Math.max(1, Math.floor(memoryMax / 8)),
            sizeCalculation: (cell) => cell.memory,
            dispose: (cell, key, why) => {
              if (why === 'evict') this.counters.evictions++;
              if (this.#front[key & (FRONT_LENGTH - 1)] === cell)
                this.#front[key & (FRONT_LENGTH - 1)] = undefined;
            },
          });
  }

  get size(): number {
    return this.#cells?.size ?? 0;
  }

  get memory(): number {
    return this.#cells?.calculatedSize ?? 0;
  }

  /** The cell for this question and variant, fresh or not; the caller looks at `endsAtMs`. */
  find(question: Question, variant: number): Cell | undefined {
    const key = keyOf(question, variant);
    const place = key & (FRONT_LENGTH - 1);
    const near = this.#front[place];
    if (near !== undefined && isFor(near, question, variant)) {
      if (near.hits % TOUCH_EVERY === 0) this.#cells?.get(key);
      return near;
    }
    const cell = this.#cells?.get(key);
    if (cell === undefined) return undefined;
    if (isFor(cell, question, variant)) {
      this.#front[place] = cell;
      return cell;
    }
    this.counters.collisions++;
    return undefined;
  }

  /** Keeps `cell` for the question it answers. A cell larger than an eighth of the cache is not kept. */
  store(question: Question, cell: Cell): void {
    const cells = this.#cells;
    if (cells === null) return;
    const key = keyOf(question, cell.variant);
    const { memory } = cell;
    if (memory > this.memoryMax / 8) {
      cells.delete(key);
      return;
    }
    // What lies above a bound that was lowered goes in steps (`trim`): all at once would hold up the thread.
    const above = Math.min(cells.calculatedSize + memory - this.memoryMax, Math.max(memory, STEP_WITH_STORE));
    this.#giveUp(above);
    cells.set(key, cell);
  }

  /** Gives up the least recently used above the bound, at most so many octets of them or a cell more. */
  trim(octets: number): void {
    this.#giveUp(Math.min(octets, this.memory - this.memoryMax));
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

/** Whether a cell answers exactly this question: hashes may meet, names may not. */
const isFor = (cell: Cell, question: Question, variant: number): boolean =>
  cell.type === question.type &&
  cell.variant === variant &&
  cell.nameLength === question.length &&
  sameOctets(cell.octets, 0, question.name, 0, question.length);

/** An int32: Node keeps those as they are, while a larger number would be an object. */
const keyOf = (question: Question, variant: number): number =>
  (Math.imul(question.suffixHash[0] ^ (question.type * 0x9e3779b1), 0x85ebca6b) ^
    Math.imul(variant + 1, 0xc2b2ae35)) |
  0;
