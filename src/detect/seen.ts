/**
 * What has been seen before: names, and the words each zone's names are made of, with how often. A fixed table of
 * fingerprints in shared memory, eight to a set.
 *
 *    entry   tag (20 bits) | logarithm of a word's count, or who asked a name first (4 bits) | day (8 bits)
 *
 * A full set gives up the entry that was not met for the longest time. Flooding the table makes it forget, and what is
 * forgotten is charged again: a flood costs the flooder, it hides nothing. A wrong hit needs 20 equal bits in one set.
 */
const WAYS = 8;
const COUNT_MAX = 15;

export class Seen {
  readonly #entries: Int32Array;
  /** Sets for each of the 2³² values of a hash. */
  readonly #scale: number;

  /** `memory`: a multiple of 32 octets; zero-filled or shared with other threads. */
  constructor(memory: SharedArrayBuffer) {
    this.#entries = new Int32Array(memory);
    this.#scale = this.#entries.length / WAYS / 0x1_0000_0000;
  }

  /**
   * The logarithm (base 2, at most 15) of how often the pair of hashes was added, or the bits it was marked with; −1 when it was not. A hit is marked as
   * met on `day` (days since 1970).
   */
  find(hashA: number, hashB: number, day: number): number {
    const at = Math.floor((hashA >>> 0) * this.#scale) * WAYS;
    const tag = tagOf(hashB);
    const entries = this.#entries;
    for (let i = at; i < at + WAYS; i++) {
      const entry = entries[i];
      if (entry >>> 12 === tag) {
        if ((entry & 255) !== (day & 255)) entries[i] = (entry & ~255) | (day & 255);
        return (entry >>> 8) & 15;
      }
    }
    return -1;
  }

  has(hashA: number, hashB: number, day: number): boolean {
    return this.find(hashA, hashB, day) >= 0;
  }

  /** Adds the pair, or counts it once more: by chance, so that four bits hold counts up to 32,768 (Morris 1978). */
  add(hashA: number, hashB: number, day: number, chance: number): void {
    this.#put(hashA, hashB, day, chance, 0);
  }

  /** Adds the pair with four bits of the caller's in the place of the count; leaves them alone when it is there. */
  mark(hashA: number, hashB: number, day: number, bits: number): void {
    this.#put(hashA, hashB, day, -1, bits);
  }

  #put(hashA: number, hashB: number, day: number, chance: number, bits: number): void {
    const at = Math.floor((hashA >>> 0) * this.#scale) * WAYS;
    const tag = tagOf(hashB);
    const entries = this.#entries;
    let oldest = at;
    let age = -1;
    for (let i = at; i < at + WAYS; i++) {
      const entry = entries[i];
      if (entry >>> 12 === tag) {
        const count = (entry >>> 8) & 15;
        const more = chance >= 0 && count < COUNT_MAX && (chance & ((1 << count) - 1)) === 0 ? 256 : 0;
        entries[i] = ((entry & ~255) | (day & 255)) + more;
        return;
      }
      if (entry === 0) {
        oldest = i;
        age = 0x10000;
        continue;
      }
      // Among equals the tag decides, so that no position of a set is overwritten again and again.
      const rank = (((day - entry) & 255) << 8) | (((entry >>> 12) ^ hashB) & 0x7f);
      if (rank > age) {
        age = rank;
        oldest = i;
      }
    }
    entries[oldest] = (tag << 12) | ((bits & 15) << 8) | (day & 255);
  }
}

/** 20 bits that are never 0, which marks an empty entry. */
const tagOf = (hash: number): number => (hash >>> 12) | 1;
