/**
 * What a client says by choosing among names it has asked before: which of them, in which type, after which.
 *
 * A coder that knows the history of the pair predicts the question that followed the last time. It has cost a bit or less
 * when that is right, and otherwise the logarithm of how many questions there are besides; how often it is right is learnt
 * (Krichevsky and Trofimov 1981), so a list that is gone through in one order costs next to nothing. What this coder
 * needs is what a sender can say at most by choice and order; when a query leaves is not counted.
 *
 *    pairs      24 octets: key, last, level, the last question, hits and misses, questions
 *    questions  16 octets: key, last, –, the question that followed
 *
 * Not kept over a restart: a list is learnt again within a round.
 */
import { drained, LAST, Ledger, OWN, WEIGHT } from './ledger.ts';
import { DAY, LIMITS } from './limits.ts';

const PAIR_COLUMNS = 5;
const PAIR = { LEVEL: WEIGHT, PREVIOUS: OWN, GUESSES: 3, QUESTIONS: 4 } as const;
const QUESTION_COLUMNS = 3;
const FOLLOWER = OWN;

/** Guesses are halved beyond this, so that the coder follows what changes. */
const GUESSES_MAX = 1024;

export class Order {
  readonly #pairs: Ledger;
  readonly #questions: Ledger;
  /** Of the last `note`: bits of the last day, and how many questions the client has below the zone. */
  level = 0;
  questions = 0;

  constructor(pairs: number, questions: number) {
    this.#pairs = new Ledger(new ArrayBuffer(Ledger.octets(pairs, PAIR_COLUMNS)), PAIR_COLUMNS);
    this.#questions = new Ledger(
      new ArrayBuffer(Ledger.octets(questions, QUESTION_COLUMNS)),
      QUESTION_COLUMNS,
    );
  }

  /** Octets of its tables. */
  get memory(): number {
    return this.#pairs.ints.byteLength + this.#questions.ints.byteLength;
  }

  /** Takes in a question that left again. `symbol`: hash of name and type. */
  note(pairA: number, pairB: number, symbol: number, now: number): void {
    const { ints, floats } = this.#pairs;
    const row = this.#pairs.open(pairA, pairB, now);
    const { ints: followers } = this.#questions;
    let isKnown = this.#questions.find(pairA ^ symbol, pairB + symbol) >= 0;
    const own = this.#questions.open(pairA ^ symbol, pairB + symbol, now);
    followers[own + LAST] = now;
    if (!isKnown) ints[row + PAIR.QUESTIONS]++;
    const previous = ints[row + PAIR.PREVIOUS];
    const guesses = ints[row + PAIR.GUESSES];
    let hits = guesses >>> 16;
    let misses = guesses & 0xffff;
    const before = this.#questions.find(pairA ^ previous, pairB + previous);
    isKnown = before >= 0 && followers[before + FOLLOWER] === symbol;
    const total = hits + misses + 1;
    const count = ints[row + PAIR.QUESTIONS];
    let bits: number;
    if (isKnown) {
      bits = Math.log2(total / (hits + 0.5));
      hits++;
    } else {
      bits = Math.log2(total / (misses + 0.5)) + Math.log2(Math.max(1, count - 1));
      misses++;
    }
    // Whose questions are not remembered has one question, which says nothing.
    if (count <= 1) bits = 0;
    if (before >= 0) followers[before + FOLLOWER] = symbol;
    if (hits + misses > GUESSES_MAX) {
      hits >>>= 1;
      misses >>>= 1;
    }
    ints[row + PAIR.GUESSES] = (hits << 16) | misses;
    ints[row + PAIR.PREVIOUS] = symbol;
    this.level = drained(floats[row + PAIR.LEVEL], now - ints[row + LAST], LIMITS.order, DAY) + bits;
    this.questions = count;
    floats[row + PAIR.LEVEL] = this.level;
    ints[row + LAST] = now;
  }

  /** Forgets what was counted for a pair. */
  clear(pairA: number, pairB: number): void {
    const row = this.#pairs.find(pairA, pairB);
    if (row >= 0) this.#pairs.floats[row + PAIR.LEVEL] = 0;
  }
}
