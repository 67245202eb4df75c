/** Bounds on how long an answer may be kept and shown. */
import type { Answer } from '../answer/index.ts';
import { putU32, Rcode, u32 } from '../wire/index.ts';

export interface TtlBounds {
  readonly ttlMinSeconds: number;
  readonly ttlMaxSeconds: number;
  readonly negativeTtlMaxSeconds: number;
}

/**
 * Brings every TTL of the body within the bounds, in place, and returns for how many seconds the answer may be kept: 0
 * for what must not be. The floor raises only what may be kept at all.
 */
export function clampTtls(answer: Answer, bounds: TtlBounds): number {
  if (answer.rcode !== Rcode.NOERROR && answer.rcode !== Rcode.NXDOMAIN) return 0;
  const most = answer.negative
    ? Math.min(bounds.ttlMaxSeconds, bounds.negativeTtlMaxSeconds)
    : bounds.ttlMaxSeconds;
  const least = Math.min(bounds.ttlMinSeconds, most);
  for (const at of answer.ttlAt) {
    const ttl = u32(answer.body, at);
    const within = ttl > most ? most : ttl < least ? least : ttl;
    if (within !== ttl) putU32(answer.body, at, within);
  }
  // A negative answer without SOA has no life of its own to raise.
  if (answer.ttlSeconds === 0 && (answer.negative || least === 0)) return 0;
  return Math.max(least, Math.min(most, answer.ttlSeconds));
}
