/**
 * A fixed table of rows keyed by 64 bits, eight to a set, in shared memory so that every worker sees one view.
 *
 * A full set gives up the row that owes least, debts fading slowly with the time since the last visit. So a row that
 * holds a debt is displaced only by rows that owe more, and an attacker who opens many accounts cannot make the ledger
 * forget one.
 * Writers do not lock: two workers that meet in one row may lose one of two charges, never the row.
 */
const WAYS = 8;

/** Columns every row begins with; a table adds its own behind. */
export const KEY_A = 0;
export const KEY_B = 1;
/** Seconds since 1970 of the last visit. */
export const LAST = 2;
/** Float: what the row owes; decides who is evicted. */
export const WEIGHT = 3;

/** Bits a debt fades per second for the choice of a victim only: 216 a day. */
const FADE = 0.0025;

export class Ledger {
  readonly ints: Int32Array;
  readonly floats: Float32Array;
  readonly columns: number;
  readonly #setMask: number;
  /** Rows that were given up for others. */
  evictions = 0;

  constructor(memory: SharedArrayBuffer | ArrayBuffer, columns: number) {
    this.ints = new Int32Array(memory);
    this.floats = new Float32Array(memory);
    this.columns = columns;
    this.#setMask = Math.floor(this.ints.length / columns / WAYS) - 1;
  }

  /** Octets for at least `rows` rows: a power of two of sets. */
  static octets(rows: number, columns: number): number {
    let sets = 1;
    while (sets * WAYS < rows) sets *= 2;
    return sets * WAYS * columns * 4;
  }

  /** Position of the row's first column, or −1. */
  find(keyA: number, keyB: number): number {
    const { ints, columns } = this;
    const b = keyB | 1;
    let at = (keyA & this.#setMask) * WAYS * columns;
    for (let way = 0; way < WAYS; way++, at += columns)
      if (ints[at] === keyA && ints[at + KEY_B] === b) return at;
    return -1;
  }

  /** Position of the row, made when it is not there. A new row is zero but for its key and LAST. */
  open(keyA: number, keyB: number, nowSeconds: number): number {
    const { ints, floats, columns } = this;
    const b = keyB | 1;
    const first = (keyA & this.#setMask) * WAYS * columns;
    let victim = -1;
    let victimWeight = Number.POSITIVE_INFINITY;
    let isFree = false;
    let at = first;
    for (let way = 0; way < WAYS; way++, at += columns) {
      if (ints[at + KEY_B] === 0) {
        victim = at;
        victimWeight = Number.NEGATIVE_INFINITY;
        isFree = true;
        continue;
      }
      if (ints[at] === keyA && ints[at + KEY_B] === b) return at;
      const weight = floats[at + WEIGHT] - (nowSeconds - ints[at + LAST]) * FADE;
      if (weight < victimWeight) {
        victim = at;
        victimWeight = weight;
      }
    }
    if (!isFree) this.evictions++;
    ints.fill(0, victim, victim + columns);
    ints[victim] = keyA;
    ints[victim + KEY_B] = b;
    ints[victim + LAST] = nowSeconds;
    return victim;
  }

  /** Rows in use; walks the table, for metrics and tests. */
  count(): number {
    let rows = 0;
    for (let at = KEY_B; at < this.ints.length; at += this.columns) if (this.ints[at] !== 0) rows++;
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
