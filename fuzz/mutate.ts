/** Changes to messages, repeatable from a seed. */

/** A small generator (mulberry32): the same seed gives the same run. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to but not including `bound`. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }
}

/** Octets that have a meaning somewhere in a message. */
const TELLING = [
  0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 15, 16, 28, 39, 41, 46, 47, 63, 64, 65, 127, 128, 191, 192, 255,
];

const joined = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));

function once(octets: Uint8Array, others: readonly Uint8Array[], chance: Chance): Uint8Array {
  const at = chance.below(octets.length);
  const copy = octets.slice();
  switch (chance.below(11)) {
    case 0:
      copy[at] = chance.below(256);
      return copy;
    case 1:
      copy[at] = chance.pick(TELLING);
      return copy;
    case 2:
      copy[at] ^= 1 << chance.below(8);
      return copy;
    case 3: // A pointer, mostly near.
      copy[at] = 0xc0 | (chance.below(4) === 0 ? chance.below(64) : 0);
      if (at + 1 < copy.length) copy[at + 1] = chance.below(256);
      return copy;
    case 4: // A count of the header.
      copy[4 + chance.below(8)] = chance.pick([0, 1, 2, 3, 255]);
      return copy.length > 12 ? copy : octets.slice();
    case 5:
      return octets.slice(0, at);
    case 6:
      return joined(
        octets.subarray(0, at),
        octets.subarray(Math.min(octets.length, at + 1 + chance.below(12))),
      );
    case 7:
      return joined(octets, octets.subarray(at));
    case 8: // Two octets as a length.
      if (at + 1 < copy.length) {
        copy[at] = 0;
        copy[at + 1] = chance.below(80);
      }
      return copy;
    case 9: {
      const other = chance.pick(others);
      return other.length === 0
        ? copy
        : joined(octets.subarray(0, at), other.subarray(chance.below(other.length)));
    }
    default: // The same again in the middle.
      return joined(octets.subarray(0, at), octets.subarray(chance.below(at + 1), at), octets.subarray(at));
  }
}

/** `octets` after one to six changes, at most `most` octets long. */
export function mutate(
  octets: Uint8Array,
  others: readonly Uint8Array[],
  chance: Chance,
  most: number,
): Uint8Array {
  let changed = octets;
  for (let changes = 1 + chance.below(6); changes > 0 && changed.length > 0; changes--) {
    changed = once(changed, others, chance);
  }
  return changed.slice(0, most);
}
