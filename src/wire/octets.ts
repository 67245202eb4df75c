/**
 * Reading and writing integers in network order, inside a message and never past a length its caller has checked.
 *
 * Functions take `(octets, at)` rather than views: `subarray` costs about a hundred bytes and a call each time.
 */

/** What a reader returns for a message that breaks the format. Never a valid position or value. */
export const MALFORMED = -1;

export const u8 = (octets: Uint8Array, at: number): number => octets[at];

export const u16 = (octets: Uint8Array, at: number): number => (octets[at] << 8) | octets[at + 1];

export const u32 = (octets: Uint8Array, at: number): number =>
  ((octets[at] << 24) | (octets[at + 1] << 16) | (octets[at + 2] << 8) | octets[at + 3]) >>> 0;

/** Writes 16 bits and returns the position behind them. */
export function putU16(octets: Uint8Array, at: number, value: number): number {
  octets[at] = value >>> 8;
  octets[at + 1] = value;
  return at + 2;
}

/** Writes 32 bits and returns the position behind them. */
export function putU32(octets: Uint8Array, at: number, value: number): number {
  octets[at] = value >>> 24;
  octets[at + 1] = value >>> 16;
  octets[at + 2] = value >>> 8;
  octets[at + 3] = value;
  return at + 4;
}

/**
 * Copies `count` octets. A loop beats `Buffer.copy` and `set(subarray)` below about a hundred octets, which is
 * what names and records are; longer runs go through a view.
 */
export function copyOctets(
  from: Uint8Array,
  fromAt: number,
  to: Uint8Array,
  toAt: number,
  count: number,
): number {
  if (count > 128) {
    to.set(from.subarray(fromAt, fromAt + count), toAt);
  } else {
    for (let i = 0; i < count; i++) to[toAt + i] = from[fromAt + i];
  }
  return toAt + count;
}

/** Whether two runs of octets are the same. */
export function sameOctets(
  left: Uint8Array,
  leftAt: number,
  right: Uint8Array,
  rightAt: number,
  count: number,
): boolean {
  for (let i = 0; i < count; i++) if (left[leftAt + i] !== right[rightAt + i]) return false;
  return true;
}
