/**
 * Unguessable numbers for ids, sockets and letter case, taken from the system's generator a few thousand octets at a
 * time, because one call for each query would cost more than the query.
 */
import { randomFillSync } from 'node:crypto';

const words = new Uint32Array(2048);
let next = words.length;

/** 32 random bits, 0 to 4294967295. */
export function randomWord(): number {
  if (next === words.length) {
    randomFillSync(words);
    next = 0;
  }
  const word = words[next];
  // Numbers that were used are not left in memory for a later reader.
  words[next++] = 0;
  return word;
}

/** A random whole number from 0 to `limit` − 1; `limit` at most 65536, where the bias is below 2^-16. */
export const randomBelow = (limit: number): number => Math.floor((randomWord() / 0x1_0000_0000) * limit);
