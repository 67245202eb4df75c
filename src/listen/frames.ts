/**
 * Finding messages in a stream where each is preceded by its length in two octets (RFC 1035 section 4.2.2), however
 * the octets are cut into chunks (RFC 7766 section 8).
 *
 * Whole messages are read straight from the chunk they came in. Only one that is cut is gathered in memory that grows
 * with what has really arrived: a length alone reserves nothing.
 */
import { copyOctets, HEADER_LENGTH } from '../wire/index.ts';

/** What `next` returns instead of a length. */
export const NO_MESSAGE = -1;
/** The announced length is less than a header: nobody who speaks DNS sends that. */
export const TOO_SHORT = -2;

const NOTHING = new Uint8Array(0);
const HELD_AT_FIRST = 256;

export class FrameReader {
  #chunk: Uint8Array = NOTHING;
  #at = 0;
  #end = 0;
  /** A cut message from its length octets on, in [0, #heldLength). */
  #held: Uint8Array = NOTHING;
  #heldLength = 0;

  /** True while part of a message is here and the rest is awaited. Meaningful after `next` returned NO_MESSAGE. */
  get begun(): boolean {
    return this.#heldLength > 0;
  }

  /** Takes the next octets[0 … length). They may be used again when `keep` has been called. */
  push(octets: Uint8Array, length: number): void {
    const left = this.#end - this.#at;
    if (left > 0) {
      // What was read stopped short of the end, and more came all the same (several TLS records in one read do so).
      const joined = new Uint8Array(left + length);
      joined.set(this.#chunk.subarray(this.#at, this.#end));
      joined.set(octets.subarray(0, length), left);
      octets = joined;
      length += left;
    }
    this.#chunk = octets;
    this.#at = 0;
    this.#end = length;
  }

  /** Copies what is not read yet, so that the octets that `push` brought are free again. */
  keep(): void {
    if (this.#at === this.#end) return;
    // Of a Buffer `slice` would be a view.
    this.#chunk = new Uint8Array(this.#chunk.subarray(this.#at, this.#end));
    this.#end -= this.#at;
    this.#at = 0;
  }

  /** Length in octets of the message that `read` would give, or NO_MESSAGE, or TOO_SHORT. */
  next(): number {
    if (this.#heldLength > 0) return this.#nextHeld();
    const chunk = this.#chunk;
    const at = this.#at;
    const left = this.#end - at;
    if (left >= 2) {
      const length = (chunk[at] << 8) | chunk[at + 1];
      if (length < HEADER_LENGTH) return TOO_SHORT;
      if (left >= length + 2) return length;
    }
    if (left > 0) this.#hold(left);
    this.#chunk = NOTHING;
    this.#at = 0;
    this.#end = 0;
    return NO_MESSAGE;
  }

  /** Copies the message that `next` announced to the start of `into`. */
  read(into: Uint8Array, length: number): void {
    if (this.#heldLength > 0) {
      copyOctets(this.#held, 2, into, 0, length);
      this.#held = NOTHING;
      this.#heldLength = 0;
    } else {
      copyOctets(this.#chunk, this.#at + 2, into, 0, length);
      this.#at += length + 2;
    }
  }

  /** Fills the cut message from the chunk, as far as it goes and no further. */
  #nextHeld(): number {
    if (this.#heldLength < 2) this.#hold(1);
    if (this.#heldLength < 2) return NO_MESSAGE;
    const length = (this.#held[0] << 8) | this.#held[1];
    if (length < HEADER_LENGTH) return TOO_SHORT;
    this.#hold(length + 2 - this.#heldLength);
    return this.#heldLength === length + 2 ? length : NO_MESSAGE;
  }

  /** Moves up to `count` octets from the chunk to what is held. */
  #hold(count: number): void {
    const moved = Math.min(count, this.#end - this.#at);
    const needed = this.#heldLength + moved;
    if (needed > this.#held.length) {
      const larger = new Uint8Array(Math.max(needed, HELD_AT_FIRST, this.#heldLength * 2));
      larger.set(this.#held.subarray(0, this.#heldLength));
      this.#held = larger;
    }
    copyOctets(this.#chunk, this.#at, this.#held, this.#heldLength, moved);
    this.#heldLength = needed;
    this.#at += moved;
  }
}
