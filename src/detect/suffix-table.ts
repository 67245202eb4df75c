/**
 * A table from names to what is known of them, looked up by the suffix hashes that a question carries anyway; every hit is
 * compared octet by octet.
 *
 *    slot    hash │ value │ where the name stands in `octets`
 *
 * It is filled at the start of every thread with some twenty thousand names, so filling makes no object for a name.
 */
import {
  copyOctets,
  hashLabel,
  NAME_LENGTH_MAX,
  nameLength,
  type Question,
  sameName,
} from '../wire/index.ts';

export class SuffixTable {
  readonly #seed: number;
  #mask = 0;
  #hashes = new Int32Array(0);
  #values = new Int32Array(0);
  #at = new Int32Array(0);
  #octets: Uint8Array = new Uint8Array(1 << 18);
  #end = 0;
  #count = 0;
  readonly #name = new Uint8Array(NAME_LENGTH_MAX);

  /** `seed`: that of the questions which will be looked up. `names`: about how many there will be. */
  constructor(seed: number, names: number) {
    this.#seed = seed | 0;
    this.#resize(names);
  }

  /** Adds `value`, not 0, to what is known of the canonical name at `at`. */
  add(name: Uint8Array, at: number, value: number): void {
    this.#put(name, at, this.#hashOf(name, at), value);
  }

  /** The same for a name as text, one octet a letter: host names in lower case without final dot. */
  addText(text: Uint8Array, from: number, to: number, value: number): void {
    const name = this.#name;
    let labelAt = 0;
    for (let at = from, end = 1; at <= to; at++) {
      if (at < to && text[at] !== 0x2e) {
        name[end++] = text[at];
        continue;
      }
      name[labelAt] = end - labelAt - 1;
      labelAt = end++;
    }
    name[labelAt] = 0;
    this.add(name, 0, value);
  }

  /** The value of a name by its hash alone: right but for one in four billion, and nobody outside knows the seed. */
  valueOf(hash: number): number {
    for (let slot = this.#home(hash); this.#values[slot] !== 0; slot = (slot + 1) & this.#mask)
      if (this.#hashes[slot] === hash) return this.#values[slot];
    return 0;
  }

  /** The value of the suffix that begins at `label`, or 0. */
  find(question: Question, label: number): number {
    const slot = this.#slotOf(question.suffixHash[label], question.name, question.labelAt[label]);
    return this.#values[slot];
  }

  #put(name: Uint8Array, at: number, hash: number, value: number): void {
    const slot = this.#slotOf(hash, name, at);
    if (this.#values[slot] !== 0) {
      this.#values[slot] |= value;
      return;
    }
    this.#hashes[slot] = hash;
    this.#values[slot] = value;
    this.#at[slot] = this.#end;
    const length = nameLength(name, at);
    if (this.#end + length > this.#octets.length) {
      const longer = new Uint8Array(this.#octets.length * 2);
      longer.set(this.#octets);
      this.#octets = longer;
    }
    this.#end = copyOctets(name, at, this.#octets, this.#end, length);
    if (++this.#count * 2 > this.#mask) this.#resize(this.#count * 2);
  }

  /** The slot of this name, or the empty one where it would stand. */
  #slotOf(hash: number, name: Uint8Array, at: number): number {
    let slot = this.#home(hash);
    while (this.#values[slot] !== 0) {
      if (this.#hashes[slot] === hash && sameName(this.#octets, this.#at[slot], name, at)) break;
      slot = (slot + 1) & this.#mask;
    }
    return slot;
  }

  #home(hash: number): number {
    return (hash ^ (hash >>> 15)) & this.#mask;
  }

  #resize(names: number): void {
    const [hashes, values, places] = [this.#hashes, this.#values, this.#at];
    let size = 1024;
    while (size < names * 3) size *= 2;
    this.#mask = size - 1;
    this.#hashes = new Int32Array(size);
    this.#values = new Int32Array(size);
    this.#at = new Int32Array(size);
    for (let i = 0; i < values.length; i++) {
      if (values[i] === 0) continue;
      let slot = this.#home(hashes[i]);
      while (this.#values[slot] !== 0) slot = (slot + 1) & this.#mask;
      this.#hashes[slot] = hashes[i];
      this.#values[slot] = values[i];
      this.#at[slot] = places[i];
    }
  }

  /** Hash of a canonical name, as a question with this seed has it: from the last label to the first. */
  #hashOf(name: Uint8Array, at: number): number {
    let labels = 0;
    for (let label = at; name[label] !== 0; label += name[label] + 1) this.#starts[labels++] = label;
    let hash = this.#seed;
    while (labels > 0) hash = hashLabel(hash, name, this.#starts[--labels]);
    return hash;
  }

  readonly #starts = new Uint16Array(NAME_LENGTH_MAX);
}
