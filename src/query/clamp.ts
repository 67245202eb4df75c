/** Bounds on how long an answer may be kept and shown. */
import type { Answer } from '../answer/index.ts';
import { putU32, Rcode, u32 } from '../wire/index.ts';
import type { DetectorProfile } from './contract.ts';

export interface TtlBounds {
  readonly ttlMinSeconds: number;
  /** The floor by profile. Under the strict one negative answers are raised too: a repeat that leaves is a signal. */
  readonly ttlMinStrictSeconds: number;
  /** What `default` means. */
  readonly defaultProfile: DetectorProfile;
  readonly ttlMaxSeconds: number;
  readonly negativeTtlMaxSeconds: number;
}

/**
 * Brings every TTL of the body within the bounds, in place, and returns for how many seconds the answer may be kept: 0
 * for what must not be. The ordinary floor raises only what may be kept at all; the strict one also what has TTL 0 or, being
 * negative, no SOA (RFC 2308 section 5 advises against keeping that, for the sake of those who would ask again).
 */
export function clampTtls(answer: Answer, bounds: TtlBounds, profile: DetectorProfile): number {
  if (answer.rcode !== Rcode.NOERROR && answer.rcode !== Rcode.NXDOMAIN) return 0;
  const isStrict = (profile === 'default' ? bounds.defaultProfile : profile) === 'strict';
  const floor = isStrict ? Math.max(bounds.ttlMinSeconds, bounds.ttlMinStrictSeconds) : bounds.ttlMinSeconds;
  const most = answer.negative
    ? Math.min(bounds.ttlMaxSeconds, bounds.negativeTtlMaxSeconds)
    : bounds.ttlMaxSeconds;
  const least = Math.min(floor, most);
  for (const at of answer.ttlAt) {
    const ttl = u32(answer.body, at);
    const within = ttl > most ? most : ttl < least ? least : ttl;
    if (within !== ttl) putU32(answer.body, at, within);
  }
  // A negative answer without SOA has no life of its own to raise.
  if (answer.ttlSeconds === 0 && ((answer.negative && !isStrict) || least === 0)) return 0;
  return Math.max(least, Math.min(most, answer.ttlSeconds));
}
