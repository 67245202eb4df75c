/**
 * How much a name says: bits of the labels below its zone, beyond what the zone's names said before.
 *
 * A label is read as words between hyphens and underscores, letters followed by a number being two words. A word costs
 *
 *    nothing new     the whole name was asked before: 0
 *    known word      the logarithm of how rare it is among the words the zone has shown
 *    common word     the same where the zone has shown it, at most the logarithm of how many common words there are
 *    new word        what the character model asks for it, at most what its alphabet can hold (hex 4 bits an octet, …)
 *
 * That is the price list of an adaptive coder, so `bits` bounds from above what the name can carry to someone who knows
 * the same history (after Paxson et al. 2013). `payload` is the share of it that reads like encoded data rather than
 * like words; loud channels are cut by it, slow ones by `bits`.
 */
import { hashLabel, type Question } from '../wire/index.ts';
import { COMMON_TOKEN_BITS, COMMON_TOKENS } from './common-tokens.ts';
import { spread } from './keys.ts';
import { TRIGRAM_COSTS } from './ngrams.ts';
import type { Seen } from './seen.ts';
import {
  SYMBOL_COUNT,
  SYMBOL_DIGIT_0,
  SYMBOL_HYPHEN,
  SYMBOL_OTHER,
  SYMBOL_UNDERSCORE,
  SYMBOLS,
} from './symbols.ts';

/** Most words of one name that are looked at one by one; 255 octets hold at most 127. */
const WORDS_MAX = 128;

/** Words with more characters than this are charged by alphabet alone once the model has seen so many. */
const DIGIT_BITS = 3.3219;
const HEX_BITS = 4;
const LETTER_BITS = 4.7004;
const ALNUM_BITS = 5.1699;
const OTHER_BITS = 8;

/** Bits a character below which a word reads like language, and above which it reads like data. */
const LANGUAGE_RATE = 3.5;
const DATA_RATE = 5.0;
const LANGUAGE_SHARE = 0.3;

/** Marks a name that a client has had an answer to. */
const ANSWER_MARK = 0x510e527f;

/** What the choice of one of 8,500 popular domains says. */
const POPULAR_BITS = 13;

/** What a name behind a search list still says, as it is asked by itself next; and when it was before. */
const SEARCH_SHARE = 0.4;
const KNOWN_SEARCH_SHARE = 0.25;
/** Words of a language in such a name, in the data-like share. */
const SEARCH_LANGUAGE_SHARE = 0.1;

/** What is known beforehand of the name with this hash. */
export type StandingOf = (hash: number) => 'popular' | 'suffix' | 'none';

const LOG2 = Float32Array.from({ length: 4096 }, (_, n) => Math.log2(n + 2));
/** log2(n + 2) without a call for small n. */
export const log2 = (n: number): number => (n < 4096 ? LOG2[n] : Math.log2(n + 2));

/** Reads questions one after the other; its fields describe the last one. Allocates nothing after it is made. */
export class Content {
  /** Upper bound of what the name says. */
  bits = 0;
  /** The part of `bits` that reads like encoded data. */
  payload = 0;
  /** Of the last `weighLabel`. */
  labelBits = 0;
  /** Octets of the labels below the zone, with their length octets. */
  octets = 0;
  /** Longest word, octets. */
  longest = 0;
  /** Words not met in the zone before. */
  newWords = 0;
  /** Octets other than letters, digits, hyphen and underscore. */
  oddOctets = 0;
  /** Labels below the zone. */
  labels = 0;
  /** Class and length of each label, hashed: equal for names of one form. */
  shape = 0;
  isNewName = false;
  /** What stands below the zone ends in a top-level domain: a name that a search list has made longer. */
  isSearch = false;
  /** The leftmost label is 7 to 15 letters, and whatever stands behind it is known. */
  isProbe = false;
  /** This client asked the name before. */
  isRepeat = false;
  /** The name was asked before, but never by this client. */
  isShared = false;
  readonly #seen: Seen;
  readonly #common: Int32Array;
  readonly #seed: number;
  readonly #standingOf: StandingOf;
  /** Hashes of the words of this name that are to be learnt. */
  readonly #words = new Int32Array(WORDS_MAX);
  #wordCount = 0;
  #nameA = 0;
  #nameB = 0;
  #zone = 0;
  #client = 0;

  /** `standingOf`: whether the name with this hash is a popular domain or a public suffix. */
  constructor(seen: Seen, seed: number, standingOf: StandingOf) {
    this.#seen = seen;
    this.#standingOf = standingOf;
    this.#seed = seed;
    this.#common = new Int32Array(4096);
    for (const token of COMMON_TOKENS) {
      let hash = seed;
      for (let i = 0; i < token.length; i++) hash = step(hash, token.charCodeAt(i));
      const word = spread(hash);
      for (let slot = word & 4095; ; slot = (slot + 1) & 4095) {
        if (this.#common[slot] === word) break;
        if (this.#common[slot] === 0) {
          this.#common[slot] = word;
          break;
        }
      }
    }
  }

  /**
   * Reads labels 0 to `labels` − 1, which lie below the zone. `zone`: hash of the zone. `zoneWords`: how many words the zone
   * has shown. `client`: hash of who asks. `day`: days since 1970.
   */
  read(
    question: Question,
    labels: number,
    zone: number,
    zoneWords: number,
    client: number,
    day: number,
  ): void {
    this.bits = 0;
    this.payload = 0;
    this.longest = 0;
    this.newWords = 0;
    this.oddOctets = 0;
    this.shape = 0;
    this.labels = labels;
    this.#wordCount = 0;
    this.#zone = zone;
    this.isNewName = false;
    this.isShared = false;
    this.isRepeat = false;
    this.isProbe = false;
    this.isSearch = false;
    this.octets = 0;
    if (labels <= 0) return;
    const { name, labelAt } = question;
    const end = labels === question.labelCount ? question.length - 1 : labelAt[labels];
    this.octets = end;
    // A second hash of the name, for the question's own is only 32 bits wide.
    let second = this.#seed ^ 0x2f0b4a27;
    for (let i = 0; i < end; i++) second = step(second, name[i]);
    const below = second;
    for (let i = end; i < question.length - 1; i++) second = step(second, name[i]);
    this.#nameA = spread(question.suffixHash[0]);
    this.#nameB = spread(second);
    this.#client = client;
    const first = this.#seen.find(this.#nameA, this.#nameB, day);
    if (first >= 0) {
      // One client in sixteen is taken for the first: it is charged a repeat where it would have been given something back.
      this.isRepeat = first === (client & 15) || this.#seen.has(this.#nameA ^ client, this.#nameB, day);
      this.isShared = !this.isRepeat;
      if (this.isShared) this.isSearch = this.#endsLikeDomain(question, labels);
      return;
    }
    this.isNewName = true;
    this.isSearch = this.#endsLikeDomain(question, labels);
    const own = this.isSearch ? this.#popularAt(question, labels) : labels;
    if (own < labels) {
      this.bits += POPULAR_BITS;
      this.payload += POPULAR_BITS * LANGUAGE_SHARE;
    }
    for (let label = 0; label < own; label++) {
      this.#readLabel(name, labelAt[label] + 1, labelAt[label] + 1 + name[labelAt[label]], zoneWords, day);
      if (label === 0) this.isProbe = this.newWords === 1 && isProbeLabel(name);
    }
    if (this.newWords > 1) this.isProbe = false;
    if (this.isSearch)
      this.bits *= this.#isKnownBySelf(question, labels, below, day) ? KNOWN_SEARCH_SHARE : SEARCH_SHARE;
    // How many labels there are, and where words end, is a choice too.
    this.bits += labels;
  }

  /** A resolver's search list puts a zone behind names that are asked by themselves too. */
  #endsLikeDomain({ name, labelAt, labelCount, seed }: Question, labels: number): boolean {
    if (labels < 2 || labels >= labelCount) return false;
    const first = name[labelAt[labels - 1] + 1];
    return (
      first >= 97 && first <= 122 && this.#standingOf(hashLabel(seed, name, labelAt[labels - 1])) === 'suffix'
    );
  }

  /** The same without a look at words or history, where the owner of the zone is trusted with whatever it is told. */
  skim(question: Question, labels: number): void {
    const end = labels === question.labelCount ? question.length - 1 : question.labelAt[labels];
    this.labels = labels;
    this.octets = end;
    this.bits = end * 5;
    this.payload = this.bits;
    this.longest = 0;
    this.newWords = 0;
    this.oddOctets = 0;
    this.shape = 0;
    this.isNewName = false;
    this.isShared = false;
    this.isRepeat = false;
    this.isProbe = false;
    this.isSearch = false;
  }

  /** The label at which a popular domain begins that ends the labels below the zone; `labels` when none does. */
  #popularAt(question: Question, labels: number): number {
    let hash = question.seed;
    for (let label = labels - 1; label >= Math.max(0, labels - 3); label--) {
      hash = hashLabel(hash, question.name, question.labelAt[label]);
      if (label < labels - 1 && this.#standingOf(hash) === 'popular') return label;
    }
    return labels;
  }

  #isKnownBySelf(question: Question, labels: number, second: number, day: number): boolean {
    let hash = question.seed;
    for (let label = labels - 1; label >= 0; label--)
      hash = hashLabel(hash, question.name, question.labelAt[label]);
    return this.#seen.has(spread(hash), spread(second), day);
  }

  /** Hash of the name that `read` saw last. */
  get nameHash(): number {
    return this.#nameA;
  }

  /** Remembers the name, who asked it, and its words, once it leaves. Returns how many words it showed the zone. */
  learn(day: number): number {
    if (this.isShared) this.#seen.mark(this.#nameA ^ this.#client, this.#nameB, day, 0);
    if (!this.isNewName) return 0;
    const chance = this.#nameB >>> 4;
    this.#seen.mark(this.#nameA, this.#nameB, day, this.#client);
    for (let i = 0; i < this.#wordCount; i++) {
      const word = this.#words[i];
      this.#seen.add(
        spread(word ^ this.#zone),
        Math.imul(word, 0x85ebca6b) ^ this.#zone,
        day,
        chance >>> (i & 7),
      );
    }
    return this.#wordCount;
  }

  /** Whether this client had an answer to the name before; remembers that it has now. */
  hadAnswer(question: Question, client: number, day: number): boolean {
    let second = this.#seed ^ 0x2f0b4a27;
    for (let i = 0; i < question.length - 1; i++) second = step(second, question.name[i]);
    const a = spread(question.suffixHash[0]) ^ client ^ ANSWER_MARK;
    const b = spread(second ^ question.type);
    const had = this.#seen.has(a, b, day);
    if (!had) this.#seen.mark(a, b, day, 0);
    return had;
  }

  /** Sets `labelBits` to the data-like bits of the one label at `at`, whatever was seen; leaves the other fields alone. */
  weighLabel(name: Uint8Array, at: number): void {
    const end = at + 1 + name[at];
    let a = 0;
    let b = 0;
    let cost = 0;
    let digits = 0;
    for (let i = at + 1; i < end; i++) {
      const symbol = SYMBOLS[name[i]];
      cost += TRIGRAM_COSTS[(a * SYMBOL_COUNT + b) * SYMBOL_COUNT + symbol];
      if (symbol >= SYMBOL_DIGIT_0 && symbol < SYMBOL_HYPHEN) digits++;
      a = b;
      b = symbol;
    }
    const length = end - at - 1;
    // Into a field: what a function returns is boxed where it is not inlined.
    this.labelBits = length === 0 ? 0 : (cost / 16) * shareOfData(cost / 16 / length, length, digits);
  }

  #readLabel(name: Uint8Array, at: number, end: number, zoneWords: number, day: number): void {
    let start = at;
    let classes = 0;
    for (let i = at; i <= end; i++) {
      const symbol = i === end ? 0 : SYMBOLS[name[i]];
      if (symbol === SYMBOL_OTHER) this.oddOctets++;
      const isBreak = i === end || symbol === SYMBOL_HYPHEN || symbol === SYMBOL_UNDERSCORE;
      if (!isBreak) {
        classes |= symbol >= SYMBOL_DIGIT_0 ? 2 : 1;
        continue;
      }
      if (i > start) this.#readRun(name, start, i, zoneWords, day);
      start = i + 1;
    }
    this.shape = step(this.shape, ((end - at) << 2) | classes);
  }

  /** A run without hyphens: one word, or letters and the number behind them as two. */
  #readRun(name: Uint8Array, at: number, end: number, zoneWords: number, day: number): void {
    let digitsAt = end;
    while (digitsAt > at && SYMBOLS[name[digitsAt - 1]] >= SYMBOL_DIGIT_0 && name[digitsAt - 1] <= 57)
      digitsAt--;
    let isSplit = digitsAt > at && digitsAt < end && end - digitsAt <= 6;
    for (let i = at; isSplit && i < digitsAt; i++) if (SYMBOLS[name[i]] >= SYMBOL_DIGIT_0) isSplit = false;
    if (!isSplit) {
      this.#readWord(name, at, end, zoneWords, day);
      return;
    }
    this.#readWord(name, at, digitsAt, zoneWords, day);
    this.#readWord(name, digitsAt, end, zoneWords, day);
  }

  #readWord(name: Uint8Array, at: number, end: number, zoneWords: number, day: number): void {
    const length = end - at;
    let hash = this.#seed;
    let a = 0;
    let b = 0;
    let cost = 0;
    let digits = 0;
    let hex = 0;
    let odd = 0;
    for (let i = at; i < end; i++) {
      const octet = name[i];
      const symbol = SYMBOLS[octet];
      hash = step(hash, octet);
      cost += TRIGRAM_COSTS[(a * SYMBOL_COUNT + b) * SYMBOL_COUNT + symbol];
      a = b;
      b = symbol;
      if (symbol >= SYMBOL_DIGIT_0 && symbol < SYMBOL_HYPHEN) {
        digits++;
        hex++;
      } else if (symbol <= 6) hex++;
      else if (symbol === SYMBOL_OTHER) odd++;
    }
    cost += TRIGRAM_COSTS[(a * SYMBOL_COUNT + b) * SYMBOL_COUNT];
    if (length > this.longest) this.longest = length;
    const word = spread(hash);
    const isCommon = this.#isCommon(word);
    const count = this.#seen.find(spread(word ^ this.#zone), Math.imul(word, 0x85ebca6b) ^ this.#zone, day);
    if (this.#wordCount < WORDS_MAX) this.#words[this.#wordCount++] = word;
    if (count >= 0) {
      const bits = Math.max(1, log2(zoneWords) - count) + 0.5;
      this.bits += isCommon ? Math.min(bits, COMMON_TOKEN_BITS) : bits;
      if (!isCommon) this.payload += bits * (this.isSearch ? SEARCH_LANGUAGE_SHARE : LANGUAGE_SHARE);
      return;
    }
    if (isCommon) {
      this.bits += COMMON_TOKEN_BITS;
      return;
    }
    this.newWords++;
    let capacity: number;
    if (digits === length) capacity = DIGIT_BITS;
    else if (odd > 0) capacity = OTHER_BITS;
    else if (hex === length && length >= 4) capacity = HEX_BITS;
    else capacity = digits === 0 ? LETTER_BITS : ALNUM_BITS;
    const model = cost / 16;
    const bits = Math.min(model, capacity * length) + 1;
    this.bits += bits;
    const share = shareOfData(model / length, length, digits);
    this.payload += bits * (this.isSearch && share <= LANGUAGE_SHARE ? SEARCH_LANGUAGE_SHARE : share);
  }

  #isCommon(word: number): boolean {
    for (let slot = word & 4095; this.#common[slot] !== 0; slot = (slot + 1) & 4095) {
      if (this.#common[slot] === word) return true;
    }
    return false;
  }
}

/** The first label of the name: 7 to 15 letters. */
function isProbeLabel(name: Uint8Array): boolean {
  const length = name[0];
  if (length < 7 || length > 15) return false;
  for (let i = 1; i <= length; i++) if (SYMBOLS[name[i]] >= SYMBOL_DIGIT_0) return false;
  return true;
}

/** How much of a new word reads like data: by bits a character, less for short words and plain numbers. */
function shareOfData(rate: number, length: number, digits: number): number {
  if (digits === length) return length <= 3 ? 0.3 : length <= 8 ? 0.5 : 1;
  if (rate <= LANGUAGE_RATE) return LANGUAGE_SHARE;
  const share =
    rate >= DATA_RATE
      ? 1
      : LANGUAGE_SHARE + ((1 - LANGUAGE_SHARE) * (rate - LANGUAGE_RATE)) / (DATA_RATE - LANGUAGE_RATE);
  return length <= 4 ? share * 0.6 : share;
}

const step = (hash: number, octet: number): number => Math.imul(hash ^ octet, 0x01000193) ^ (hash >>> 13);
