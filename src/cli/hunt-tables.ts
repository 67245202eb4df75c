/**
 * What a hunt keeps of a log that may have any number of lines: typed arrays keyed by 64 bits of hash, no object for an entry.
 *
 *    answered   questions and when they were answered last, a fixed number, eight to a set
 *    pairs      clients and zones, 24 octets each; grows, for the summary counts them all
 */

/** Two hashes that find an entry; unequal names that agree in both are one in 10¹⁹. */
export interface Key {
  a: number;
  b: number;
}

const WAYS = 8;
const SETS = 1 << 16;

/** As a resolver's cache has it: when each question was answered last. A full set forgets the oldest. */
export class Answered {
  readonly #keys = new Int32Array(SETS * WAYS * 2);
  readonly #atMs = new Float64Array(SETS * WAYS);

  /** Milliseconds since 1970; −∞ for a question that is not known. */
  find(key: Key): number {
    const at = this.#slotOf(key);
    return at < 0 ? Number.NEGATIVE_INFINITY : this.#atMs[at];
  }

  note(key: Key, atMs: number): void {
    let at = this.#slotOf(key);
    if (at < 0) {
      at = (key.a & (SETS - 1)) * WAYS;
      for (let way = at + 1; way < (key.a & (SETS - 1)) * WAYS + WAYS; way++)
        if (this.#atMs[way] < this.#atMs[at]) at = way;
      this.#keys[2 * at] = key.a;
      this.#keys[2 * at + 1] = key.b;
    }
    this.#atMs[at] = atMs;
  }

  #slotOf({ a, b }: Key): number {
    const keys = this.#keys;
    const first = (a & (SETS - 1)) * WAYS;
    for (let at = first; at < first + WAYS; at++)
      if (keys[2 * at] === a && keys[2 * at + 1] === b && this.#atMs[at] !== 0) return at;
    return -1;
  }
}

const FLAGGED = 0x8000_0000;
const QUERIES_MAX = 0x7fff_ffff;

/** Pairs of client and zone: since when, how much left before a verdict, and whether there was one. */
export class Pairs {
  /** Pairs that were opened. */
  count = 0;
  #mask = (1 << 16) - 1;
  #keys = new Int32Array(2 * (this.#mask + 1));
  #firstMs = new Float64Array(this.#mask + 1);
  #octets = new Uint32Array(this.#mask + 1);
  /** Queries in 31 bits; the highest says that there is a verdict. */
  #queries = new Uint32Array(this.#mask + 1);

  /** Position of the pair until the next `open`; made when it is not there. */
  open(key: Key, atMs: number): number {
    const at = this.#slotOf(key);
    if (this.#keys[2 * at] !== 0) return at;
    if (++this.count * 4 > this.#mask * 3) {
      this.#grow();
      return this.#fill(this.#slotOf(key), key, atMs);
    }
    return this.#fill(at, key, atMs);
  }

  firstMs(at: number): number {
    return this.#firstMs[at];
  }

  queries(at: number): number {
    return this.#queries[at] & QUERIES_MAX;
  }

  octets(at: number): number {
    return this.#octets[at];
  }

  noteLeft(at: number, octets: number): void {
    if (this.queries(at) < QUERIES_MAX) this.#queries[at]++;
    this.#octets[at] = Math.min(0xffff_ffff, this.#octets[at] + octets);
  }

  /** Marks that there is a verdict; false when there was one before. */
  flag(at: number): boolean {
    if (this.#queries[at] >= FLAGGED) return false;
    this.#queries[at] += FLAGGED;
    return true;
  }

  #fill(at: number, { a, b }: Key, atMs: number): number {
    this.#keys[2 * at] = a | 1;
    this.#keys[2 * at + 1] = b;
    this.#firstMs[at] = atMs;
    return at;
  }

  #slotOf({ a, b }: Key): number {
    const keys = this.#keys;
    let at = (b ^ (a >>> 15)) & this.#mask;
    while (keys[2 * at] !== 0 && (keys[2 * at] !== (a | 1) || keys[2 * at + 1] !== b))
      at = (at + 1) & this.#mask;
    return at;
  }

  #grow(): void {
    const [keys, firstMs, octets, queries] = [this.#keys, this.#firstMs, this.#octets, this.#queries];
    const size = 2 * (this.#mask + 1);
    this.#mask = size - 1;
    this.#keys = new Int32Array(2 * size);
    this.#firstMs = new Float64Array(size);
    this.#octets = new Uint32Array(size);
    this.#queries = new Uint32Array(size);
    for (let from = 0; from < queries.length; from++) {
      if (keys[2 * from] === 0) continue;
      const key = { a: keys[2 * from], b: keys[2 * from + 1] };
      const at = this.#fill(this.#slotOf(key), key, firstMs[from]);
      this.#octets[at] = octets[from];
      this.#queries[at] = queries[from];
    }
  }
}
