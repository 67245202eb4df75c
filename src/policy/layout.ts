/**
 * The memory of a compiled policy: one open-addressing hash table from names to what is said of them, and the names.
 *
 *    hashes   int32[slots]        hash of the name in this slot, 0 when vacant
 *    cells    int32[2 × slots]    where its name begins in `names` · entry
 *    chains   int32[2 × chained]  entry · index of the next pair, −1 at the end
 *    names    uint8[…]            canonical names; an ancestor is stored as a tail of the name below it
 *
 * Hashes stand apart from the rest because most questions about a suffix end with "not here": a probe that fails
 * reads one line of the smallest array. An entry says one thing: its low four bits are an EntryKind, the rest is the
 * number of a rule or of a pool. A name of which more than one thing is said holds `~index` into `chains` instead.
 *
 * The slot of a hash is its share of the 2³² possible values times the number of slots, so that a table need not
 * be a power of two and memory follows the number of rules.
 */
export const EntryKind = {
  /** A rule for this name only. */
  EXACT: 1,
  /** A rule for this name and everything below. */
  BOTH: 2,
  /** A rule for everything below. */
  BELOW: 3,
  /** A response policy zone says nothing of this name, whatever it says of names above. */
  EXCEPT_EXACT: 4,
  EXCEPT_BELOW: 5,
  /** There are allowed names below; the rule is one of the set that lasts longest. */
  ANCESTOR: 6,
  /** Apex of a local zone; the rule is the one that stands for the zone. */
  ZONE: 7,
  /** Everything from here down goes to a pool. */
  ROUTE: 8,
} as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

export const ENTRY_NONE = 0;
export const ENTRY_INDEX_MAX = 0x7ff_ffff;

export const entryOf = (kind: EntryKind, index: number): number => (index << 4) | kind;
export const entryKind = (entry: number): EntryKind => (entry & 15) as EntryKind;
export const entryIndex = (entry: number): number => entry >>> 4;

/** Where the parts begin, in octets from the start of the memory. */
export interface TableLayout {
  readonly slots: number;
  readonly hashesAt: number;
  readonly cellsAt: number;
  readonly namesAt: number;
  readonly namesLength: number;
  readonly chainsAt: number;
  readonly chainCount: number;
  /** Names in the table. */
  readonly nameCount: number;
}

/** The table as a reader sees it. Shared between threads; nobody writes to it any more. */
export class NameTable {
  readonly slots: number;
  readonly scale: number;
  readonly hashes: Int32Array;
  readonly cells: Int32Array;
  readonly chains: Int32Array;
  readonly names: Uint8Array;

  constructor(memory: SharedArrayBuffer, layout: TableLayout) {
    this.slots = layout.slots;
    this.scale = layout.slots / 0x1_0000_0000;
    this.hashes = new Int32Array(memory, layout.hashesAt, layout.slots);
    this.cells = new Int32Array(memory, layout.cellsAt, layout.slots * 2);
    this.chains = new Int32Array(memory, layout.chainsAt, layout.chainCount * 2);
    this.names = new Uint8Array(memory, layout.namesAt, layout.namesLength);
  }

  /**
   * What is said of the canonical name from `at` to `end` (behind its closing zero) with this suffix hash: an entry,
   * `~chain`, or ENTRY_NONE.
   */
  find(hash: number, name: Uint8Array, at: number, end: number): number {
    const { hashes, cells, slots } = this;
    const wanted = hash === 0 ? 1 : hash;
    let slot = Math.floor((wanted >>> 0) * this.scale);
    for (;;) {
      const found = hashes[slot];
      if (found === 0) return ENTRY_NONE;
      if (found === wanted && this.#isNameAt(cells[slot * 2], name, at, end)) return cells[slot * 2 + 1];
      if (++slot === slots) slot = 0;
    }
  }

  /** Octet by octet: lengths are among the octets, and a name that is longer or shorter differs at a zero. */
  #isNameAt(nameAt: number, name: Uint8Array, at: number, end: number): boolean {
    const { names } = this;
    for (; at < end; at++, nameAt++) if (names[nameAt] !== name[at]) return false;
    return true;
  }
}
