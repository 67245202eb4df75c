/**
 * Stored responses, bounded by octets of memory, least recently used out first.
 *
 *    places  hash of the key ──▶ slot ──▶ slot (the chain of slots with the same low bits)
 *    slot    cell │ key │ memory │ next in its chain │ newer │ older
 *
 * Cells are found by an int32 hash of name, type and variant and then verified: two questions with one hash share a
 * slot, the later one takes it, and the collision is counted. The hash is seeded with a secret of the process.
 *
 * Columns of its own, because every forwarded miss stores a cell and gives up another (bench/miss-path.ts): what is given
 * up has long left the processor's caches and is not looked at again.
 */
import { type Question, sameOctets } from '../wire/index.ts';
import { CELL_MEMORY_MIN, type Cell } from './cell.ts';

export interface CacheCounters {
  evictions: number;
  collisions: number;
}

/** A hit counts as a use for the order of eviction only once in so many times: most hits write nothing. */
const TOUCH_EVERY = 16;
/** Octets given up with a store beyond what it needs itself, while the cache is above its bound. */
const STEP_WITH_STORE = 16 * 1024;
const NONE = -1;

export class ResponseCache {
  readonly counters: CacheCounters = { evictions: 0, collisions: 0 };
  /** Most octets it may hold. Lowered, it is what `store` and `trim` come down to. Never above that of the constructor. */
  memoryMax: number;
  /** First slot of each chain. */
  readonly #places: Int32Array;
  readonly #mask: number;
  readonly #cells: (Cell | undefined)[];
  readonly #keys: Int32Array;
  readonly #octets: Int32Array;
  readonly #next: Int32Array;
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  /** First of the free slots, chained by `next`. */
  #free = 0;
  #newest = NONE;
  #oldest = NONE;
  #size = 0;
  #memory = 0;

  /** `memoryMax` in octets; 0 keeps nothing. */
  constructor(memoryMax: number) {
    this.memoryMax = memoryMax;
    const slots = Math.ceil(memoryMax / CELL_MEMORY_MIN) + 1;
    let places = 1;
    while (places < slots) places *= 2;
    this.#mask = places - 1;
    this.#places = new Int32Array(places).fill(NONE);
    this.#cells = new Array<Cell | undefined>(slots).fill(undefined);
    this.#keys = new Int32Array(slots);
    this.#octets = new Int32Array(slots);
    this.#next = new Int32Array(slots);
    for (let slot = 0; slot < slots; slot++) this.#next[slot] = slot + 1 < slots ? slot + 1 : NONE;
    this.#newer = new Int32Array(slots).fill(NONE);
    this.#older = new Int32Array(slots).fill(NONE);
  }

  get size(): number {
    return this.#size;
  }

  get memory(): number {
    return this.#memory;
  }

  /** The cell for this question and variant, fresh or not; the caller looks at `endsAtMs`. */
  find(question: Question, variant: number): Cell | undefined {
    const slot = this.#slotOf(keyOf(question, variant));
    if (slot === NONE) return undefined;
    const cell = this.#cells[slot] as Cell;
    if (!isFor(cell, question, variant)) {
      this.counters.collisions++;
      return undefined;
    }
    if (cell.hits % TOUCH_EVERY === 0 && slot !== this.#newest) {
      this.#unlink(slot);
      this.#link(slot);
    }
    return cell;
  }

  /** Keeps `cell` for the question it answers. A cell larger than an eighth of the cache is not kept. */
  store(question: Question, cell: Cell): void {
    const key = keyOf(question, cell.variant);
    const before = this.#slotOf(key);
    if (before !== NONE) this.#remove(before);
    const { memory } = cell;
    if (memory > this.memoryMax / 8) return;
    // What lies above a bound that was lowered goes in steps (`trim`): all at once would hold up the thread.
    const above = Math.min(this.#memory + memory - this.memoryMax, Math.max(memory, STEP_WITH_STORE));
    this.#giveUp(above);
    if (this.#free === NONE) return;
    const slot = this.#free;
    this.#free = this.#next[slot];
    this.#cells[slot] = cell;
    this.#keys[slot] = key;
    this.#octets[slot] = memory;
    this.#next[slot] = this.#places[key & this.#mask];
    this.#places[key & this.#mask] = slot;
    this.#link(slot);
    this.#size++;
    this.#memory += memory;
  }

  /** Gives up the least recently used above the bound, at most so many octets of them or a cell more. */
  trim(octets: number): void {
    this.#giveUp(Math.min(octets, this.#memory - this.memoryMax));
  }

  #giveUp(octets: number): void {
    const until = this.#memory - octets;
    while (this.#memory > until && this.#oldest !== NONE) {
      this.#remove(this.#oldest);
      this.counters.evictions++;
    }
  }

  forget(question: Question, variant: number): void {
    const slot = this.#slotOf(keyOf(question, variant));
    if (slot !== NONE) this.#remove(slot);
  }

  clear(): void {
    while (this.#oldest !== NONE) this.#remove(this.#oldest);
  }

  #slotOf(key: number): number {
    let slot = this.#places[key & this.#mask];
    while (slot !== NONE && this.#keys[slot] !== key) slot = this.#next[slot];
    return slot;
  }

  #remove(slot: number): void {
    const place = this.#keys[slot] & this.#mask;
    let at = this.#places[place];
    if (at === slot) {
      this.#places[place] = this.#next[slot];
    } else {
      while (this.#next[at] !== slot) at = this.#next[at];
      this.#next[at] = this.#next[slot];
    }
    this.#unlink(slot);
    this.#cells[slot] = undefined;
    this.#size--;
    this.#memory -= this.#octets[slot];
    this.#next[slot] = this.#free;
    this.#free = slot;
  }

  #link(slot: number): void {
    this.#older[slot] = this.#newest;
    this.#newer[slot] = NONE;
    if (this.#newest === NONE) this.#oldest = slot;
    else this.#newer[this.#newest] = slot;
    this.#newest = slot;
  }

  #unlink(slot: number): void {
    const newer = this.#newer[slot];
    const older = this.#older[slot];
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
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
