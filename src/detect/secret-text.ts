/**
 * Characters to be looked at for secrets. What is decoded keeps the places of the characters it was decoded from, so that a
 * finding leads back to what is to be redacted, however deep it lay.
 */

/** Characters of a text that are looked at. */
export const TEXT_LENGTH_MAX = 1024;
/** Octets of a name, the closing zero included (RFC 1035 section 3.1). */
const NAME_LENGTH_MAX = 255;

export const DIGIT = 1;
export const HEX = 2;
export const BASE32 = 4;
/** Both alphabets of RFC 4648, the second with `-` and `_`. */
export const BASE64 = 8;
export const UPPER = 16;
/** Letters and digits: what a word is made of. */
export const WORD = 32;
/** What a token is written in: letters, digits, `_` and `-`. */
export const TOKEN = 64;

const classOf = (octet: number): number => {
  const c = String.fromCharCode(octet);
  return (
    (/\d/.test(c) ? DIGIT : 0) |
    (/[0-9a-f]/i.test(c) ? HEX : 0) |
    (/[a-z2-7]/i.test(c) ? BASE32 : 0) |
    (/[a-z0-9+/_-]/i.test(c) ? BASE64 : 0) |
    (/[A-Z]/.test(c) ? UPPER : 0) |
    (/[a-z0-9]/i.test(c) ? WORD : 0) |
    (/[a-z0-9_-]/i.test(c) ? TOKEN : 0)
  );
};

/** What an octet may be part of: a sum of the flags above. */
export const CLASS = Uint8Array.from({ length: 256 }, (_, octet) => classOf(octet));

export const LOWER = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet >= 65 && octet <= 90 ? octet + 32 : octet,
);

const DOT = 0x2e;

const SELF = Uint16Array.from({ length: TEXT_LENGTH_MAX }, (_, position) => position);

export class SecretText {
  readonly octets = new Uint8Array(TEXT_LENGTH_MAX);
  /**
   * Where each character begins and ends in the outermost text; what was decoded can have begun in one label and ended in
   * the next.
   */
  readonly places: Uint16Array;
  readonly ends: Uint16Array;
  /** 1 where a label ended before this character: a value may end there or begin, and may as well go on. */
  readonly cuts = new Uint8Array(TEXT_LENGTH_MAX);
  length = 0;
  /** Positions where a word begins. */
  readonly starts = new Uint16Array(TEXT_LENGTH_MAX);
  startCount = 0;
  /** Whether dots separate labels, over which a value may have been cut. */
  isName = false;
  /** Where the last two labels of a name begin: a value of unknown length is not taken to reach into them. */
  zoneAt = 0;

  constructor(isOutermost: boolean) {
    this.places = isOutermost ? SELF : new Uint16Array(TEXT_LENGTH_MAX);
    this.ends = isOutermost ? SELF : new Uint16Array(TEXT_LENGTH_MAX);
  }

  /**
   * Takes the name at `at` of `message` (wire form, uncompressed, well formed), with a dot for each length octet but the
   * first: `text[i]` is `message[at + i + 1]`.
   */
  setName(message: Uint8Array, at: number): void {
    const { octets } = this;
    const first = at + 1;
    let labelAt = 0;
    let to = 0;
    this.isName = true;
    this.zoneAt = 0;
    for (let left = message[at]; left > 0 && to < NAME_LENGTH_MAX; left = message[at + to]) {
      const end = to + left;
      if (to > 0) {
        octets[to - 1] = DOT;
        this.zoneAt = labelAt;
        labelAt = to;
      }
      for (; to < end; to++) octets[to] = message[first + to];
      to++;
    }
    this.length = to === 0 ? 0 : to - 1;
  }

  /** Takes octets as they are, names among them perhaps. What is too long is left out. */
  setOctets(octets: Uint8Array): void {
    this.isName = true;
    this.length = Math.min(octets.length, TEXT_LENGTH_MAX);
    this.zoneAt = this.length;
    for (let i = 0; i < this.length; i++) this.octets[i] = octets[i];
  }

  /** Whether a word goes on at `at`. */
  hasWordAt(at: number): boolean {
    return at < this.length && this.cuts[at] === 0 && (CLASS[this.octets[at]] & WORD) !== 0;
  }

  /** Lower-case characters of `[from, to)` that are of class `mask`: the value of a secret, however it was cut. */
  value(from: number, to: number, mask: number): string {
    let text = '';
    for (let i = from; i < to; i++) {
      const octet = this.octets[i];
      if (mask === 0 || (CLASS[octet] & mask) !== 0) text += String.fromCharCode(LOWER[octet]);
    }
    return text;
  }
}
