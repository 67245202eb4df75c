/**
 * Octets for responses too long for the place their query came in: used again and again, because 60 kB a piece left to
 * the garbage collector are megabytes before it looks.
 */
const LENGTH = 65_536;
/** Below this, octets of just the right length are made: they are cheap. */
const LENGTH_MIN = 8192;
const SPARE_MAX = 8;

const spare: Uint8Array[] = [];

/** At least `length` octets, at most 65 536; what they hold is left over from others. */
export function takeLarge(length: number): Uint8Array {
  return length < LENGTH_MIN ? new Uint8Array(length) : (spare.pop() ?? new Uint8Array(LENGTH));
}

/** Gives back what `takeLarge` gave; other octets are left alone. */
export function giveLarge(octets: Uint8Array): void {
  if (octets.length === LENGTH && spare.length < SPARE_MAX) spare.push(octets);
}
