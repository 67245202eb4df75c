/**
 * Tells, mostly, whether a name above the one that is asked says anything of names below it: a wildcard, a local zone, a
 * route. Most do not (`com`, `example.com` of a list of plain names), and a bit in a small map answers that without a
 * look into the large table. A set bit means "perhaps": two names may share it.
 */

/** Bits for each name that reaches below itself; one in sixteen of the others is then looked up in vain. */
const BITS_PER_NAME = 16;
const BITS_MIN = 1024;
/** 256 KiB, which stays in the second cache of a processor; with more names more look-ups are in vain. */
const BITS_MAX = 2 ** 21;

export interface ReachFilter {
  readonly bits: Int32Array;
  /** The bits of a hash that are left of this are the number of its bit in the map. */
  readonly shift: number;
}

export function buildReachFilter(suffixHashes: readonly number[]): ReachFilter {
  let size = BITS_MIN;
  while (size < BITS_MAX && size < suffixHashes.length * BITS_PER_NAME) size *= 2;
  const bits = new Int32Array(size / 32);
  const shift = 32 - Math.log2(size);
  for (const hash of suffixHashes) bits[hash >>> (shift + 5)] |= 1 << (hash >>> shift);
  return { bits, shift };
}

/** False: nothing reaches below the name of this hash. */
export const mayReach = ({ bits, shift }: ReachFilter, hash: number): boolean =>
  (bits[hash >>> (shift + 5)] & (1 << (hash >>> shift))) !== 0;
