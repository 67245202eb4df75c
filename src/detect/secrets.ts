/**
 * Secrets and personal data inside names: keys of well-known forms, JSON web tokens, card numbers, IBANs, mail addresses; as
 * they stand, cut over labels, and inside hex, Base32 and Base64, also one in the other.
 *
 * Every name that is about to leave or was denied is looked at, so a name without a secret costs one pass over its octets
 * and makes no object (bench/detect/secrets.ts). Whatever the name is, the work is bounded: see `WORK_MAX`.
 *
 * Canonical names are lower-cased, and Base64 without its case is lost: callers hand in the case of the query where they
 * have it.
 */
import { Match, readCard, readIban, readJwt, readKey, readMail, type SecretKind } from './secret-forms.ts';
import { BASE32, BASE64, CLASS, DIGIT, HEX, LOWER, SecretText, UPPER, WORD } from './secret-text.ts';

export type { SecretKind } from './secret-forms.ts';
export type SecretEncoding = 'plain' | 'hex' | 'base32' | 'base64';

/** What was found. The value itself can be hashed and nothing else: no log or inspection shows it. */
export class Secret {
  readonly kind: SecretKind;
  /** What it looks like, e.g. `AWS access key id`. */
  readonly what: string;
  /** The outermost, when one lies in another. */
  readonly encoding: SecretEncoding;
  /** First and last label it was found in, counted from the leaf; in a text, its first and last position. */
  readonly first: number;
  readonly last: number;
  readonly #value: string;

  constructor({ kind, what, encoding, value }: Hit, first: number, last: number) {
    this.kind = kind;
    this.what = what;
    this.encoding = encoding;
    this.first = first;
    this.last = last;
    this.#value = value;
  }

  /** `hash` of the value: lower case, without separators, so that it is the same however the value was written. */
  hashed(hash: (value: string) => string): string {
    return hash(this.#value);
  }
}

/** Secrets that are told of one name. */
const SECRETS_MAX = 8;
/** Shortest text that can hold anything of the forms: an IBAN of Norway has 15 characters, a mail address has its `@`. */
const PLAIN_LENGTH_MIN = 14;
/** Characters that are taken for decoding in one name, all attempts together; beyond it nothing more is decoded. */
const WORK_MAX = 4096;
/** Encodings inside encodings. */
const DEPTH_MAX = 2;
/** Octets that must come out of a decoding before it is looked at. */
const DECODED_MIN = 8;
/** Octets at its head, such as a counter or a length, that need not be text. */
const ODD_MIN = 2;
/** A value that was cut goes on in the next label when this one is at least so long; hex goes on always. */
const CUT_LABEL_MIN = 8;

const AT_SIGN = 0x40;
const HYPHEN = 0x2d;
const DOT = 0x2e;
const LETTER_A = 0x61;
const LETTER_K = 0x6b;

interface Encoding {
  readonly name: SecretEncoding;
  readonly mask: number;
  readonly bits: number;
  /** Fewest characters that are decoded. */
  readonly least: number;
  readonly values: Uint8Array;
}

const valuesOf = (alphabet: string): Uint8Array => {
  const values = new Uint8Array(256);
  for (let i = 0; i < alphabet.length; i++) {
    values[alphabet.charCodeAt(i)] = i;
    // Base64 has both cases among its letters, the others mean the same by them.
    if (alphabet.length <= 32) values[alphabet.toUpperCase().charCodeAt(i)] = i;
  }
  return values;
};

const BASE64_VALUES = valuesOf('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
BASE64_VALUES[HYPHEN] = 62;
BASE64_VALUES[0x5f] = 63;

const HEXADECIMAL: Encoding = {
  name: 'hex',
  mask: HEX,
  bits: 4,
  least: 16,
  values: valuesOf('0123456789abcdef'),
};
const BASE_32: Encoding = {
  name: 'base32',
  mask: BASE32,
  bits: 5,
  least: 16,
  values: valuesOf('abcdefghijklmnopqrstuvwxyz234567'),
};
const BASE_64: Encoding = { name: 'base64', mask: BASE64, bits: 6, least: 12, values: BASE64_VALUES };

/** What was found, and where in the outermost text. */
class Hit {
  readonly kind: SecretKind;
  readonly what: string;
  readonly encoding: SecretEncoding;
  readonly from: number;
  readonly to: number;
  readonly value: string;

  constructor(
    kind: SecretKind,
    what: string,
    encoding: SecretEncoding,
    from: number,
    to: number,
    value: string,
  ) {
    this.kind = kind;
    this.what = what;
    this.encoding = encoding;
    this.from = from;
    this.to = to;
    this.value = value;
  }

  secret(first: number, last: number): Secret {
    return new Secret(this, first, last);
  }
}

const texts = Array.from({ length: DEPTH_MAX + 1 }, (_, depth) => new SecretText(depth === 0));
const match = new Match();
/** Positions of the characters that are decoded now. */
const run = new Uint16Array(texts[0].octets.length);
let work = 0;
let found: Hit[] = [];
const NOTHING: readonly Secret[] = Object.freeze([]);

/**
 * Secrets in the name at `at` of `message`: wire form, uncompressed, well formed; in the case of the query where the caller
 * has it. `first` and `last` of what is found are labels.
 */
export function findSecrets(message: Uint8Array, at = 0): readonly Secret[] {
  texts[0].setName(message, at);
  find();
  if (found.length === 0) return NOTHING;
  return found.map((hit) => hit.secret(labelOf(message, at, hit.from), labelOf(message, at, hit.to)));
}

/** The same for octets of any kind, and for the presentation form of records. `first` and `last` are positions. */
export function findSecretsInText(octets: Uint8Array): readonly Secret[] {
  texts[0].setOctets(octets);
  find();
  return found.length === 0 ? NOTHING : found.map((hit) => hit.secret(hit.from, hit.to));
}

/** The label in which the character at `position` of the text stands. */
function labelOf(message: Uint8Array, nameAt: number, position: number): number {
  let label = -1;
  for (let at = nameAt; at <= nameAt + position + 1 && message[at] !== 0; at += message[at] + 1) label++;
  return label;
}

function find(): void {
  work = WORK_MAX;
  if (found.length > 0) found = [];
  look(0, 'plain');
}

/** Looks for every form in one text, and then for what is encoded in it. */
function look(depth: number, encoding: SecretEncoding): void {
  const text = texts[depth];
  const { octets, cuts, starts, length } = text;
  const lastStart = length - PLAIN_LENGTH_MIN;
  let before = 0;
  let all = 0;
  let count = 0;
  for (let i = 0; i < length; i++) {
    const octet = octets[i];
    const kind = CLASS[octet];
    all |= kind;
    if (cuts[i] === 1) before = 0;
    let isFound = false;
    if ((before & WORD) === 0) {
      if ((kind & WORD) !== 0) starts[count++] = i;
      if (octet === AT_SIGN) isFound = readMail(text, i, match);
      else if (i <= lastStart) isFound = readForm(text, i, kind);
    } else if ((kind & WORD) === 0) {
      isFound = octet === AT_SIGN && readMail(text, i, match);
    } else if ((kind & DIGIT) !== 0) {
      // Digits behind letters; within hex they are nobody's card.
      isFound = (before & HEX) === 0 && i <= lastStart && readCard(text, i, match);
    } else if (LOWER[octet] === LETTER_K) {
      // `akia` in any place, the one form that is told from words by itself.
      isFound = i > 0 && LOWER[octets[i - 1]] === LETTER_A && i <= lastStart && readKey(text, i - 1, match);
    }
    if (isFound) {
      note(text, encoding);
      i = match.to - 1;
    }
    before = CLASS[octets[i]];
  }
  text.startCount = count;
  if (depth === DEPTH_MAX || lastStart < 0) return;
  // In hex and Base32 a letter means the same in both cases; Base64 without capitals has lost its case, or is none.
  decodeAll(depth, HEXADECIMAL, encoding);
  decodeAll(depth, BASE_32, encoding);
  if ((all & UPPER) !== 0) decodeAll(depth, BASE_64, encoding);
}

function readForm(text: SecretText, at: number, kind: number): boolean {
  if ((kind & DIGIT) !== 0) return readCard(text, at, match);
  return readKey(text, at, match) || readJwt(text, at, match) || readIban(text, at, match);
}

function note(text: SecretText, encoding: SecretEncoding): void {
  if (found.length === SECRETS_MAX) return;
  const { kind, what, from, to, mask } = match;
  const hit = new Hit(kind, what, encoding, text.places[from], text.ends[to - 1], text.value(from, to, mask));
  if (!found.some((known) => known.kind === kind && known.value === hit.value)) found.push(hit);
}

/** Decodes from every place where a word begins, but not again within what has been text already. */
function decodeAll(depth: number, form: Encoding, outer: SecretEncoding): void {
  const text = texts[depth];
  const { starts, startCount, length } = text;
  let done = 0;
  for (let i = 0; i < startCount && starts[i] + form.least <= length; i++) {
    if (starts[i] < done) continue;
    const count = collect(text, starts[i], form);
    if (count < form.least) continue;
    const taken = decode(text, texts[depth + 1], count, form);
    if (texts[depth + 1].length < DECODED_MIN) continue;
    done = run[taken - 1] + 1;
    look(depth + 1, outer === 'plain' ? form.name : outer);
  }
}

/** Puts the positions of the characters from `at` on that can belong to one value into `run`; returns how many. */
function collect(text: SecretText, at: number, { mask }: Encoding): number {
  const { octets, length, isName } = text;
  let count = 0;
  let labelAt = at;
  for (let i = at; i < length && work > 0; i++, work--) {
    const octet = octets[i];
    if ((CLASS[octet] & mask) !== 0) run[count++] = i;
    else if (octet === DOT && isName && (mask === HEX || i - labelAt >= CUT_LABEL_MIN)) labelAt = i + 1;
    else if (octet !== HYPHEN || mask !== HEX) break;
  }
  return count;
}

/** Decodes the run into `into`, as long as it reads like text: what was text up to there may hold a secret. Returns how many characters were taken. */
function decode(text: SecretText, into: SecretText, count: number, { bits, values }: Encoding): number {
  const { octets, places, ends, cuts } = text;
  let value = 0;
  let cut = 0;
  let held = 0;
  let length = 0;
  let odd = 0;
  let i = 0;
  for (; i < count; i++) {
    // A value that was cut ends in a character that is begun here and completed by what follows: no part of either.
    if (cuts[run[i]] === 1 || (i > 0 && run[i] > run[i - 1] + 1)) cut = 1;
    value = ((value << bits) | values[octets[run[i]]]) & 0xffff;
    held += bits;
    if (held < 8) continue;
    held -= 8;
    const octet = (value >> held) & 255;
    if (octet > 126 || (octet < 32 && octet !== 9 && octet !== 10 && octet !== 13)) {
      if (++odd > ODD_MIN + (length >> 3)) break;
    }
    into.octets[length] = octet;
    into.cuts[length] = cut;
    cut = 0;
    into.places[length] = places[run[Math.floor((length * 8) / bits)]];
    into.ends[length++] = ends[run[i]];
  }
  into.isName = false;
  into.zoneAt = length;
  into.length = length;
  return i;
}
