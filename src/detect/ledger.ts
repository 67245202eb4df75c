/**
 * A fixed table of rows keyed by 64 bits, eight to a set, in shared memory so that every worker sees one view.
 *
 * The first half of the key picks the set, the second is kept in the row: a wrong hit needs 32 equal bits in one set, under a
 * seed that nobody outside knows.
 *
 * A full set gives up the row that owes least, debts fading slowly with the time since the last visit. So a row that
 * holds a debt is displaced only by rows that owe more, and an attacker who opens many accounts cannot make the ledger
 * forget one.
 * Writers do not lock: two workers that meet in one row may lose one of two charges, never the row.
 */
const WAYS = 8;

/** Columns every row begins with; a table adds its own behind. */
const TAG = 0;
/** Seconds since 1970 of the last visit. */
export const LAST = 1;
/** Float: what the row owes; decides who is evicted. */
export const WEIGHT = 2;

/** Bits a debt fades per second for the choice of a victim only: 216 a day. */
const FADE = 0.0025;

export class Ledger {
  readonly ints: Int32Array;
  readonly floats: Float32Array;
  readonly columns: number;
  /** Sets for each of the 2³² values of a key. */
  readonly #scale: number;
  /** Rows that were given up for others. */
  evictions = 0;

  constructor(memory: SharedArrayBuffer | ArrayBuffer, columns: number) {
    this.ints = new Int32Array(memory);
    this.floats = new Float32Array(memory);
    this.columns = columns;
    this.#scale = Math.floor(this.ints.length / columns / WAYS) / 0x1_0000_0000;
  }

  /** Octets for at least `rows` rows. */
  static octets(rows: number, columns: number): number {
    return Math.max(1, Math.ceil(rows / WAYS)) * WAYS * columns * 4;
  }

  /** Position of the row's first column, or −1. */
  find(keyA: number, keyB: number): number {
    const { ints, columns } = this;
    const tag = keyB | 1;
    let at = this.#firstOf(keyA);
    for (let way = 0; way < WAYS; way++, at += columns) if (ints[at] === tag) return at;
    return -1;
  }

  /** Position of the row, made when it is not there. A new row is zero but for its key and LAST. */
  open(keyA: number, keyB: number, nowSeconds: number): number {
    const { ints, columns } = this;
    const tag = keyB | 1;
    const first = this.#firstOf(keyA);
    let at = first;
    for (let way = 0; way < WAYS; way++, at += columns) if (ints[at] === tag) return at;
    return this.#make(first, tag, nowSeconds);
  }

  #make(first: number, tag: number, nowSeconds: number): number {
    const { ints, floats, columns } = this;
    let victim = first;
    let victimWeight = Number.POSITIVE_INFINITY;
    let at = first;
    for (let way = 0; way < WAYS; way++, at += columns) {
      if (ints[at + TAG] === 0) {
        victim = at;
        victimWeight = Number.NEGATIVE_INFINITY;
        break;
      }
      const weight = floats[at + WEIGHT] - (nowSeconds - ints[at + LAST]) * FADE;
      if (weight < victimWeight) {
        victim = at;
        victimWeight = weight;
      }
    }
    if (victimWeight !== Number.NEGATIVE_INFINITY) this.evictions++;
    ints[victim + TAG] = tag;
    ints[victim + LAST] = nowSeconds;
    for (let i = victim + WEIGHT; i < victim + columns; i++) ints[i] = 0;
    return victim;
  }

  #firstOf(keyA: number): number {
    return Math.floor((keyA >>> 0) * this.#scale) * WAYS * this.columns;
  }

  /** Rows in use; walks the table, for metrics and tests. */
  count(): number {
    let rows = 0;
    for (let at = TAG; at < this.ints.length; at += this.columns) if (this.ints[at] !== 0) rows++;
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
