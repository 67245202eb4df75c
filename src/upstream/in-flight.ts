/**
 * Which attempt waits on which socket for which id.
 *
 *    key    socket index (15 bits) · message id (16 bits)
 *    place  position in `attempts` by a multiplied hash; the next free place when it is taken
 *
 * Open addressing in typed columns: a Map would allocate while it churns. Keys are made from random ids, so nobody
 * outside chooses where they fall. A place is freed by moving later ones back, so no tombstones gather.
 */
import type { Attempt } from './attempt.ts';

export class InFlight {
  readonly #keys: Int32Array;
  readonly #attempts: (Attempt | null)[];
  readonly #mask: number;
  readonly #shift: number;
  #count = 0;

  /** Room for `most` attempts; the columns are twice to four times that long. */
  constructor(most: number) {
    const bits = Math.max(4, Math.ceil(Math.log2(most * 2)));
    this.#keys = new Int32Array(1 << bits).fill(-1);
    this.#attempts = new Array<Attempt | null>(1 << bits).fill(null);
    this.#mask = (1 << bits) - 1;
    this.#shift = 32 - bits;
  }

  get count(): number {
    return this.#count;
  }

  find(key: number): Attempt | null {
    for (let place = this.#home(key); ; place = (place + 1) & this.#mask) {
      if (this.#keys[place] === key) return this.#attempts[place];
      if (this.#keys[place] === -1) return null;
    }
  }

  /** The caller has seen that `key` is free and that the table is not full. */
  add(key: number, attempt: Attempt): void {
    let place = this.#home(key);
    while (this.#keys[place] !== -1) place = (place + 1) & this.#mask;
    this.#keys[place] = key;
    this.#attempts[place] = attempt;
    this.#count++;
  }

  remove(key: number): void {
    let hole = this.#home(key);
    while (this.#keys[hole] !== key) {
      if (this.#keys[hole] === -1) return;
      hole = (hole + 1) & this.#mask;
    }
    this.#count--;
    for (let place = hole; ; ) {
      place = (place + 1) & this.#mask;
      if (this.#keys[place] === -1) break;
      // An entry may move into the hole unless its home lies between the hole and where it stands.
      const fromHome = (place - this.#home(this.#keys[place])) & this.#mask;
      if (fromHome >= ((place - hole) & this.#mask)) {
        this.#keys[hole] = this.#keys[place];
        this.#attempts[hole] = this.#attempts[place];
        hole = place;
      }
    }
    this.#keys[hole] = -1;
    this.#attempts[hole] = null;
  }

  /** Everything in flight, as a list that stays as it is while entries are removed. For rare events only. */
  all(): Attempt[] {
    return this.#attempts.filter((attempt) => attempt !== null);
  }

  #home(key: number): number {
    return Math.imul(key, 0x9e3779b1) >>> this.#shift;
  }
}
