/**
 * How many file descriptors this process may have open. A table of connections that is larger fills up in the kernel
 * first, and then nothing can be closed in favour of a new client: Node never hears of it.
 */
import { readFileSync } from 'node:fs';

/** Connections of the whole process that fit beside `reserved` other descriptors, at most `wanted` and at least 1. */
export function connectionsWithin(wanted: number, reserved: number): number {
  return Math.max(1, Math.min(wanted, descriptorsMax() - reserved));
}

/** The soft limit, which Node raises to the hard one as it starts; Infinity where there is no way to know. */
export function descriptorsMax(): number {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
