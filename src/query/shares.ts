/**
 * Who takes how much: counts by the last labels of a name, in a table of fixed size. A flood of random names below one
 * domain (water torture) shows as one large count, whatever the random labels are; a bound on the count keeps room for
 * everybody else.
 *
 *    a1b2c3 . torture . example . test        last three labels: the narrow share
 *             ╰────────────────────────╯
 *                       ╰──────────────╯      last two labels: the wide share
 *
 * Two lengths, because a flood may stand at either: below a name of two labels every name of three is a new one. No
 * list of public suffixes is asked: the wide share of `co.uk` is large enough for all of it.
 *
 * Names that meet in one place of the table share a bound. Hashes are seeded with a secret of the process, so nobody
 * can choose whom to meet.
 */
import type { Question } from '../wire/index.ts';

const NARROW_LABELS = 3;
const WIDE_LABELS = 2;

export class Shares {
  readonly #counts: Int32Array;
  readonly #shift: number;

  /** `bits`: the table has 2 to the power of that many places. */
  constructor(bits = 15) {
    this.#counts = new Int32Array(1 << bits);
    this.#shift = 32 - bits;
  }

  /** Place of the name's last three labels; of the whole name when it is shorter. `salt` tells owners of shares apart. */
  narrow(question: Question, salt = 0): number {
    return this.#place(question, NARROW_LABELS, salt);
  }

  /** Place of the name's last two labels. */
  wide(question: Question, salt = 0): number {
    return this.#place(question, WIDE_LABELS, salt);
  }

  at(place: number): number {
    return this.#counts[place];
  }

  add(place: number): void {
    this.#counts[place]++;
  }

  remove(place: number): void {
    this.#counts[place]--;
  }

  #place({ labelCount, suffixHash }: Question, labels: number, salt: number): number {
    const hash = suffixHash[labelCount > labels ? labelCount - labels : 0];
    return Math.imul(hash ^ Math.imul(salt, 0x85ebca6b), 0x9e3779b1) >>> this.#shift;
  }
}
