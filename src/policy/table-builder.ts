/**
 * Fills the memory that `layout.ts` describes. Names are written where they will stay, so a million rules are held
 * once; only when the estimate of their number was wrong is the table laid out anew.
 */
import { sameName } from '../wire/index.ts';
import type { TableLayout } from './layout.ts';

/** Above this share of slots in use a table is laid out anew; a failing probe then looks at about five slots. */
const FILL_MAX = 0.68;
/** The share a table is laid out for. */
const FILL_TARGET = 0.58;
/** Below this share a finished table is laid out anew, so that memory follows what is in it. */
const FILL_MIN = 0.5;

const SLOTS_MIN = 16;
const NAMES_MIN = 1024;

export class TableBuilder {
  #memory: SharedArrayBuffer;
  #slots: number;
  #scale: number;
  #hashes: Int32Array;
  #cells: Int32Array;
  #names: Uint8Array;
  #chains = new Int32Array(64);
  #chainCount = 0;
  #nameCount = 0;
  #namesEnd = 0;

  /** `nameCount`: names expected; `namesLength`: octets they are expected to take. Both may be wrong. */
  constructor(nameCount: number, namesLength: number) {
    this.#slots = slotsFor(nameCount);
    this.#scale = this.#slots / 0x1_0000_0000;
    const length = Math.max(NAMES_MIN, namesLength);
    this.#memory = new SharedArrayBuffer(this.#slots * 12 + length);
    [this.#hashes, this.#cells, this.#names] = views(this.#memory, this.#slots);
  }

  /** The slot of this name, or −1 when it is not in the table. */
  find(hash: number, name: Uint8Array, at: number): number {
    const wanted = hash === 0 ? 1 : hash;
    let slot = Math.floor((wanted >>> 0) * this.#scale);
    for (;;) {
      const found = this.#hashes[slot];
      if (found === 0) return -1;
      if (found === wanted && sameName(name, at, this.#names, this.#cells[slot * 2])) return slot;
      if (++slot === this.#slots) slot = 0;
    }
  }

  /** Says `entry` of a name of `length` octets and returns where the name is kept. */
  add(hash: number, name: Uint8Array, at: number, length: number, entry: number): number {
    const slot = this.find(hash, name, at);
    if (slot >= 0) {
      this.#attach(slot, entry);
      return this.#cells[slot * 2];
    }
    const end = this.#namesEnd;
    if (end + length > this.#names.length) this.#layOut(this.#slots, (end + length) * 2);
    for (let i = 0; i < length; i++) this.#names[end + i] = name[at + i];
    this.#namesEnd = end + length;
    this.#insert(hash, end, entry);
    return end;
  }

  /** As `add`, for a name that is already kept as the tail of another. */
  addTail(hash: number, nameAt: number, entry: number): void {
    const slot = this.find(hash, this.#names, nameAt);
    if (slot >= 0) this.#attach(slot, entry);
    else this.#insert(hash, nameAt, entry);
  }

  /** Octets of all names kept so far; a view that the next `add` may outdate. */
  get names(): Uint8Array {
    return this.#names;
  }

  /**
   * Calls `visit` with every entry of a slot until it returns an entry to stand in the place of the one it was given.
   * Returns whether that happened.
   */
  replace(slot: number, visit: (entry: number) => number): boolean {
    const first = this.#cells[slot * 2 + 1];
    if (first > 0) {
      const changed = visit(first);
      if (changed === 0) return false;
      this.#cells[slot * 2 + 1] = changed;
      return true;
    }
    for (let index = ~first; index >= 0; index = this.#chains[index * 2 + 1]) {
      const changed = visit(this.#chains[index * 2]);
      if (changed === 0) continue;
      this.#chains[index * 2] = changed;
      return true;
    }
    return false;
  }

  finish(): { memory: SharedArrayBuffer; layout: TableLayout } {
    const chainsLength = this.#chainCount * 8;
    const tooRoomy = this.#nameCount < this.#slots * FILL_MIN && this.#slots > SLOTS_MIN;
    let chainsAt = align(this.#slots * 12 + this.#namesEnd);
    if (tooRoomy || chainsAt + chainsLength > this.#memory.byteLength) {
      this.#layOut(tooRoomy ? slotsFor(this.#nameCount) : this.#slots, this.#namesEnd + chainsLength + 8);
      chainsAt = align(this.#slots * 12 + this.#namesEnd);
    }
    new Int32Array(this.#memory, chainsAt, this.#chainCount * 2).set(
      this.#chains.subarray(0, this.#chainCount * 2),
    );
    const layout: TableLayout = {
      slots: this.#slots,
      hashesAt: 0,
      cellsAt: this.#slots * 4,
      namesAt: this.#slots * 12,
      namesLength: this.#namesEnd,
      chainsAt,
      chainCount: this.#chainCount,
      nameCount: this.#nameCount,
    };
    return { memory: this.#memory, layout };
  }

  #insert(hash: number, nameAt: number, entry: number): void {
    if (this.#nameCount + 1 > this.#slots * FILL_MAX) {
      this.#layOut(slotsFor(this.#nameCount * 1.3), this.#names.length);
    }
    this.#nameCount++;
    place(this.#hashes, this.#cells, this.#scale, hash === 0 ? 1 : hash, nameAt, entry);
  }

  /** Adds an entry behind those that are there, so that they stay in the order they were written. */
  #attach(slot: number, entry: number): void {
    const first = this.#cells[slot * 2 + 1];
    if (first === entry) return;
    // The first entry moves into the chain as well, so that a reader needs to know only two shapes.
    if (first > 0) {
      const moved = this.#chain(first);
      const added = this.#chain(entry);
      this.#chains[moved * 2 + 1] = added;
      this.#cells[slot * 2 + 1] = ~moved;
      return;
    }
    for (let index = ~first; ; index = this.#chains[index * 2 + 1]) {
      if (this.#chains[index * 2] === entry) return;
      if (this.#chains[index * 2 + 1] >= 0) continue;
      const added = this.#chain(entry);
      this.#chains[index * 2 + 1] = added;
      return;
    }
  }

  #chain(entry: number): number {
    const index = this.#chainCount++;
    if (index * 2 === this.#chains.length) {
      const larger = new Int32Array(this.#chains.length * 2);
      larger.set(this.#chains);
      this.#chains = larger;
    }
    this.#chains[index * 2] = entry;
    this.#chains[index * 2 + 1] = -1;
    return index;
  }

  #layOut(slots: number, namesLength: number): void {
    const memory = new SharedArrayBuffer(slots * 12 + Math.max(namesLength, this.#namesEnd));
    const [hashes, cells, names] = views(memory, slots);
    names.set(this.#names.subarray(0, this.#namesEnd));
    const scale = slots / 0x1_0000_0000;
    for (let slot = 0; slot < this.#slots; slot++) {
      const hash = this.#hashes[slot];
      if (hash !== 0) place(hashes, cells, scale, hash, this.#cells[slot * 2], this.#cells[slot * 2 + 1]);
    }
    this.#memory = memory;
    this.#slots = slots;
    this.#scale = scale;
    this.#hashes = hashes;
    this.#cells = cells;
    this.#names = names;
  }
}

/** A multiple of four, because cells and chains are read as int32. */
const align = (at: number): number => (at + 3) & ~3;

const slotsFor = (nameCount: number): number => Math.max(SLOTS_MIN, Math.ceil(nameCount / FILL_TARGET));

const views = (memory: SharedArrayBuffer, slots: number): [Int32Array, Int32Array, Uint8Array] => [
  new Int32Array(memory, 0, slots),
  new Int32Array(memory, slots * 4, slots * 2),
  new Uint8Array(memory, slots * 12),
];

function place(
  hashes: Int32Array,
  cells: Int32Array,
  scale: number,
  hash: number,
  nameAt: number,
  entry: number,
): void {
  let slot = Math.floor((hash >>> 0) * scale);
  while (hashes[slot] !== 0) if (++slot === hashes.length) slot = 0;
  hashes[slot] = hash;
  cells[slot * 2] = nameAt;
  cells[slot * 2 + 1] = entry;
}
