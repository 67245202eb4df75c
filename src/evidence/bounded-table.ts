/**
 * Rows by key, never more than a fixed number: a log of any length is read in bounded memory. What came when the table
 * was full is counted, and the report says so.
 */
export interface Listing<Row> {
  readonly rows: readonly Row[];
  /** Rows that were counted and are not listed. */
  readonly omitted: number;
  /** Records that found the table full: they are in the totals and in no row. */
  readonly uncounted: number;
}

export class BoundedTable<Row> {
  readonly #rows = new Map<string, Row>();
  readonly #rowsMax: number;
  uncounted = 0;

  constructor(rowsMax: number) {
    this.#rowsMax = rowsMax;
  }

  /** The row of this key, made when it is new; null when there is no room, which is counted. */
  row(key: string, make: () => Row): Row | null {
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    if (this.#rows.size >= this.#rowsMax) {
      this.uncounted++;
      return null;
    }
    const row = make();
    this.#rows.set(key, row);
    return row;
  }

  get(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  get size(): number {
    return this.#rows.size;
  }

  values(): Iterable<Row> {
    return this.#rows.values();
  }

  /** The first `count` rows in the order of `compare`. */
  list(count: number, compare: (left: Row, right: Row) => number): Listing<Row> {
    return listing([...this.#rows.values()].sort(compare), count, this.uncounted);
  }
}

export const listing = <Row>(rows: readonly Row[], count: number, uncounted = 0): Listing<Row> => ({
  rows: rows.slice(0, count),
  omitted: Math.max(0, rows.length - count),
  uncounted,
});

/** Numbers by word, for the few words that one row has: groups, causes. Words beyond the bound are under `…`. */
export class Counts {
  readonly #counts = new Map<string, number>();

  add(word: string, count = 1): void {
    const key = this.#counts.has(word) || this.#counts.size < WORDS_MAX ? word : '…';
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
  }

  /** Most frequent first; equal ones in the order of the alphabet, so that a report is the same when made again. */
  get entries(): readonly WordCount[] {
    return [...this.#counts]
      .map(([word, count]) => ({ word, count }))
      .sort((left, right) => right.count - left.count || byText(left.word, right.word));
  }
}

const WORDS_MAX = 32;

export interface WordCount {
  readonly word: string;
  readonly count: number;
}

export const byText = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);
