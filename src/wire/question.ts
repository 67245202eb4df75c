/**
 * The question of the query at hand, read once and kept in the form every later stage works on: canonical name,
 * where its labels start, and a hash of each of its suffixes.
 *
 *    name        03 w w w 07 e x a m p l e 00
 *    labelAt      0        4
 *    suffixHash   h(www.example)  h(example)
 *
 * One object serves all queries of a thread, one after the other: what must outlive a query is copied from it.
 * Hashes run from the root towards the leaf, so a policy can look up every ancestor without hashing it again. They are
 * seeded with a secret of the process: nobody outside can choose names that collide.
 */
import { HEADER_LENGTH } from './header.ts';
import { LABEL_COUNT_MAX, lowerOctet, NAME_LENGTH_MAX } from './name.ts';
import { MALFORMED, u16 } from './octets.ts';

export class Question {
  /** Canonical name, closing zero included; octets past `length` are left over from other queries. */
  readonly name = new Uint8Array(NAME_LENGTH_MAX + 1);
  /** Octets of `name`. */
  length = 0;
  /** Position in `name` of each label's length octet. */
  readonly labelAt = new Uint8Array(LABEL_COUNT_MAX + 1);
  labelCount = 0;
  /** Hash of the suffix that begins at each label; the entry at `labelCount` is the hash of the root. */
  readonly suffixHash = new Int32Array(LABEL_COUNT_MAX + 1);
  type = 0;
  class = 0;
  /** Seed of all hashes; the same in every thread of a process. */
  readonly seed: number;

  constructor(seed: number) {
    this.seed = seed | 0;
  }

  /** Hash of the whole name. */
  get hash(): number {
    return this.suffixHash[0];
  }

  /**
   * Reads the one question that stands behind the header and returns the position behind it, or MALFORMED.
   * A pointer in a question has nothing before it to point to, so only plain labels are accepted.
   */
  read(message: Uint8Array, end: number): number {
    const { name, labelAt } = this;
    let at = HEADER_LENGTH;
    let to = 0;
    let labels = 0;
    for (;;) {
      if (at >= end) return MALFORMED;
      const length = message[at];
      if (length === 0) break;
      if (length > 63 || at + length >= end || to + length + 1 >= NAME_LENGTH_MAX) return MALFORMED;
      labelAt[labels++] = to;
      name[to++] = length;
      at++;
      for (const labelEnd = at + length; at < labelEnd; at++) name[to++] = lowerOctet(message[at]);
    }
    name[to] = 0;
    this.length = to + 1;
    this.labelCount = labels;
    if (at + 5 > end) return MALFORMED;
    this.type = u16(message, at + 1);
    this.class = u16(message, at + 3);
    this.#hashSuffixes();
    return at + 5;
  }

  /** Takes a canonical name instead of a message: for alias targets, `explain` and offline tools. */
  set(canonical: Uint8Array, type: number, rrclass = 1, from = 0): this {
    let at = 0;
    let labels = 0;
    for (;;) {
      const length = canonical[from + at];
      this.name[at] = length;
      if (length === 0) break;
      this.labelAt[labels++] = at;
      for (let i = 1; i <= length; i++) this.name[at + i] = canonical[from + at + i];
      at += length + 1;
    }
    this.length = at + 1;
    this.labelCount = labels;
    this.type = type;
    this.class = rrclass;
    this.#hashSuffixes();
    return this;
  }

  #hashSuffixes(): void {
    const { name, labelAt, suffixHash } = this;
    let hash = this.seed;
    suffixHash[this.labelCount] = hash;
    for (let label = this.labelCount - 1; label >= 0; label--) {
      hash = hashLabel(hash, name, labelAt[label]);
      suffixHash[label] = hash;
    }
  }
}

/** Continues a suffix hash with one more label (length octet included) towards the leaf. Returns an int32. */
export function hashLabel(hash: number, name: Uint8Array, at: number): number {
  const end = at + name[at];
  for (let i = at; i <= end; i++) hash = Math.imul(hash ^ name[i], 0x5bd1e995) ^ (hash >>> 15);
  return hash;
}
