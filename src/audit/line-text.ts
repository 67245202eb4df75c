/**
 * Texts that are copied into line after line, eight octets at a time. Alone, a loop over words takes half as long as `set` for
 * short texts and as long for long ones; within a whole batch the two could not be told apart.
 *
 *    words[0]      how many octets
 *    words[1 …]    the octets, eight in a word, the last word filled up with zeros
 *
 * No word is a NaN, whose bits a machine need not keep: that would take an octet 7F or FF, and these are in no text of the
 * log (DEL is escaped, FF does not occur in UTF-8).
 */

/** See above. Made by `lineTextOf`. */
export type LineText = Float64Array;

const WORD = 8;
/** What `putLineText` may write behind the text it puts. */
export const OVERRUN = WORD - 1;

export function lineTextOf(octets: Uint8Array): LineText {
  const text = new Float64Array(1 + Math.ceil(octets.length / WORD));
  text[0] = octets.length;
  new Uint8Array(text.buffer, WORD).set(octets);
  return text;
}

/**
 * Puts `text`, which may stand among others at word `from`, at `at` and returns the position behind it. Up to `OVERRUN` octets
 * behind that are overwritten.
 */
export function putLineText(text: LineText, into: DataView, at: number, from = 0): number {
  const length = text[from];
  const end = at + length;
  for (let i = from + 1, to = at; to < end; i++, to += WORD) into.setFloat64(to, text[i], true);
  return end;
}

/** The four decimal digits of 0 to 9999, as the octets of a word in network order. */
const DIGITS = Uint32Array.from({ length: 10_000 }, (_, value) => {
  const digit = (divisor: number): number => 48 + (Math.floor(value / divisor) % 10);
  return (digit(1000) << 24) | (digit(100) << 16) | (digit(10) << 8) | digit(1);
});

/**
 * Puts a whole number in decimal and returns the position behind it. Up to 3 octets behind that are overwritten. Negative
 * numbers and fractions do not occur; they are written as their floor, at least 0.
 */
export function putNumber(into: DataView, at: number, value: number): number {
  if (value < 10_000) {
    const whole = value > 0 ? value | 0 : 0;
    const digits = whole < 10 ? 1 : whole < 100 ? 2 : whole < 1000 ? 3 : 4;
    into.setUint32(at, DIGITS[whole] << ((4 - digits) * 8));
    return at + digits;
  }
  const high = Math.floor(value / 10_000);
  at = putNumber(into, at, high);
  into.setUint32(at, DIGITS[Math.floor(value) - high * 10_000]);
  return at + 4;
}

/** A number that counts up from line to line, with the text before it; its digits are kept, and the last one goes up. */
export class CountingText {
  readonly #words: Float64Array;
  readonly #octets: Uint8Array;
  readonly #view: DataView;
  readonly #digitsAt: number;
  #end = 0;
  #next = Number.NaN;

  constructor(before: string) {
    // Room for sixteen digits and their overrun.
    this.#octets = new Uint8Array(Math.ceil((before.length + 24) / WORD) * WORD);
    this.#words = new Float64Array(this.#octets.buffer);
    this.#view = new DataView(this.#octets.buffer);
    this.#digitsAt = new TextEncoder().encodeInto(before, this.#octets).written;
  }

  /** Puts the text and `value`; as `putLineText`. */
  put(into: DataView, at: number, value: number): number {
    if (value !== this.#next) this.#render(value);
    const end = this.#end;
    const words = this.#words;
    for (let i = 0, from = 0; from < end; i++, from += WORD) into.setFloat64(at + from, words[i], true);
    this.#count(value);
    return at + end;
  }

  #render(value: number): void {
    this.#end = putNumber(this.#view, this.#digitsAt, value);
  }

  #count(value: number): void {
    this.#next = value + 1;
    const octets = this.#octets;
    for (let at = this.#end - 1; at >= this.#digitsAt; at--) {
      if (octets[at] < 57) {
        octets[at]++;
        return;
      }
      octets[at] = 48;
    }
    // It has one digit more than before.
    this.#render(this.#next);
  }
}
