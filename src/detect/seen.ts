/**
 * What has been seen before: names, and the words each zone's names are made of. A fixed table of fingerprints in
 * shared memory, eight to a set.
 *
 *    entry   tag (24 bits) | day (8 bits)
 *
 * A full set gives up the entry that was not met for the longest time. Flooding the table makes it forget, and what is
 * forgotten is charged again: a flood costs the flooder, it hides nothing. A wrong hit needs 24 equal bits in one set.
 */
const WAYS = 8;

export class Seen {
  readonly #entries: Uint32Array;
  readonly #setMask: number;

  /** `memory`: a power of two of octets, at least 32; zero-filled or shared with other threads. */
  constructor(memory: SharedArrayBuffer) {
    this.#entries = new Uint32Array(memory);
    this.#setMask = this.#entries.length / WAYS - 1;
  }

  /** Whether the pair of hashes was added; a hit is marked as met on `day` (days since 1970). */
  has(hashA: number, hashB: number, day: number): boolean {
    const at = (hashA & this.#setMask) * WAYS;
    const tag = tagOf(hashB);
    const entries = this.#entries;
    for (let i = at; i < at + WAYS; i++) {
      if (entries[i] >>> 8 === tag) {
        const now = ((tag << 8) | (day & 255)) >>> 0;
        if (entries[i] !== now) entries[i] = now;
        return true;
      }
    }
    return false;
  }

  add(hashA: number, hashB: number, day: number): void {
    const at = (hashA & this.#setMask) * WAYS;
    const tag = tagOf(hashB);
    const entries = this.#entries;
    let oldest = at;
    let age = -1;
    for (let i = at; i < at + WAYS; i++) {
      const entry = entries[i];
      if (entry === 0 || entry >>> 8 === tag) {
        oldest = i;
        break;
      }
      // Among equals the tag decides, so that no position of a set is overwritten again and again.
      const years = (((day - entry) & 255) << 8) | ((entry ^ hashB) & 0x7f);
      if (years > age) {
        age = years;
        oldest = i;
      }
    }
    entries[oldest] = ((tag << 8) | (day & 255)) >>> 0;
  }
}

/** 24 bits that are never 0, which marks an empty entry. */
const tagOf = (hash: number): number => (hash >>> 8) | 1;
