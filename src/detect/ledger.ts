/**
 * A fixed table of rows keyed by 64 bits, eight to a set, in shared memory so that every worker sees one view.
 *
 *    keys of all rows │ columns of all rows: last visit, weight, and what the table adds
 *
 * The first half of the key picks the set, the second is kept, the eight of a set side by side so that finding one is a look
 * at one line of memory: a wrong hit needs 32 equal bits in one set, under a
 * seed that nobody outside knows.
 *
 * A full set gives up the row that owes least, debts fading slowly with the time since the last visit. So a row that
 * holds a debt is displaced only by rows that owe more, and an attacker who opens many accounts cannot make the ledger
 * forget one.
 * Writers do not lock: two workers that meet in one row may lose one of two charges, never the row.
 */
const WAYS = 8;

/** Columns that every row begins with; a table adds its own from `OWN` on. `LAST`: seconds since 1970 of the last visit. */
export const LAST = 0;
/** Float: what the row owes; decides who is evicted. */
export const WEIGHT = 1;
export const OWN = 2;

/** Bits a debt fades per second for the choice of a victim only: 216 a day. */
const FADE = 0.0025;

export class Ledger {
  readonly ints: Int32Array;
  readonly floats: Float32Array;
  readonly #rows: number;
  /** Columns of a row, without its key. */
  readonly #width: number;
  /** Sets for each of the 2³² values of a key. */
  readonly #scale: number;
  /** Rows that were given up for others. */
  evictions = 0;

  /** `memory`: as `octets` says, zero-filled or shared with other threads. */
  constructor(memory: SharedArrayBuffer | ArrayBuffer, columns: number) {
    this.ints = new Int32Array(memory);
    this.floats = new Float32Array(memory);
    this.#width = columns;
    this.#rows = Math.floor(this.ints.length / (columns + 1) / WAYS) * WAYS;
    this.#scale = this.#rows / WAYS / 0x1_0000_0000;
  }

  /** Octets for at least `rows` rows of so many columns. */
  static octets(rows: number, columns: number): number {
    return Math.max(1, Math.ceil(rows / WAYS)) * WAYS * (columns + 1) * 4;
  }

  /** Position of the row's first column, or −1. */
  find(keyA: number, keyB: number): number {
    const { ints } = this;
    const tag = keyB | 1;
    const first = this.#firstOf(keyA);
    for (let row = first; row < first + WAYS; row++)
      if (ints[row] === tag) return this.#rows + row * this.#width;
    return -1;
  }

  /** Position of the row, made when it is not there. A new row is zero but for LAST. */
  open(keyA: number, keyB: number, nowSeconds: number): number {
    const { ints } = this;
    const tag = keyB | 1;
    const first = this.#firstOf(keyA);
    for (let row = first; row < first + WAYS; row++)
      if (ints[row] === tag) return this.#rows + row * this.#width;
    return this.#make(first, tag, nowSeconds);
  }

  #make(first: number, tag: number, nowSeconds: number): number {
    const { ints, floats } = this;
    const width = this.#width;
    let victim = -1;
    for (let row = first; row < first + WAYS; row++) {
      if (ints[row] === 0) {
        victim = row;
        break;
      }
    }
    if (victim < 0) {
      let least = Number.POSITIVE_INFINITY;
      for (let row = first; row < first + WAYS; row++) {
        const at = this.#rows + row * width;
        const weight = floats[at + WEIGHT] - (nowSeconds - ints[at + LAST]) * FADE;
        if (weight < least) {
          victim = row;
          least = weight;
        }
      }
      // A weight that is no number is less than none: such a row is nobody's debt.
      if (victim < 0) victim = first;
      this.evictions++;
    }
    const at = this.#rows + victim * width;
    ints[victim] = tag;
    ints[at + LAST] = nowSeconds;
    for (let i = at + WEIGHT; i < at + width; i++) ints[i] = 0;
    return at;
  }

  #firstOf(keyA: number): number {
    return Math.floor((keyA >>> 0) * this.#scale) * WAYS;
  }

  /** Rows in use; walks the table, for metrics and tests. */
  count(): number {
    let rows = 0;
    for (let row = 0; row < this.#rows; row++) if (this.ints[row] !== 0) rows++;
    return rows;
  }
}

/** A level that drains `capacity` in `periodSeconds`, after `elapsedSeconds`. Silence pays debts no faster than this. */
export const drained = (
  level: number,
  elapsedSeconds: number,
  capacity: number,
  periodSeconds: number,
): number => {
  if (level <= 0 || elapsedSeconds <= 0) return level;
  const left = level - (elapsedSeconds * capacity) / periodSeconds;
  return left > 0 ? left : 0;
};
