/** How many clients there are, counted in 64 bits of a row: each client sets one, by linear counting (Whang et al. 1990). */
const CLIENTS = Int32Array.from({ length: 65 }, (_, bits) =>
  bits < 64 ? Math.round(-64 * Math.log(1 - bits / 64)) : 400,
);

/** Estimate of how many clients set these bits; 400 stands for all that are more. */
export const estimate = (low: number, high: number): number => CLIENTS[count32(low) + count32(high)];

/** Sets the bit of a client in the two columns that begin at `at`. */
export function mark(columns: Int32Array, at: number, client: number): void {
  const bit = client & 63;
  columns[at + (bit >>> 5)] |= 1 << (bit & 31);
}

/** Bits that are set. */
export function count32(value: number): number {
  let v = value - ((value >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
