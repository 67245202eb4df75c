/** Writing a kept body into a response with TTLs that are not its own. */
import type { Answer } from '../answer/index.ts';
import { copyOctets, putU32, u16, u32 } from '../wire/index.ts';

/** Copies the body with every TTL set to `ttlSeconds`: for stale answers (RFC 8767 section 4). */
export function writeStale(answer: Answer, octets: Uint8Array, at: number, ttlSeconds: number): number {
  const end = copyOctets(answer.body, 0, octets, at, answer.body.length);
  for (const place of answer.ttlAt) putU32(octets, at + place, ttlSeconds);
  return end;
}

/** Takes `ageSeconds` off every TTL of a body that stands at `to`; their places, 2 octets each, are `places[from … end)`. */
export function ageTtls(
  into: Uint8Array,
  to: number,
  places: Uint8Array,
  from: number,
  end: number,
  ageSeconds: number,
): void {
  for (let i = from; i < end; i += 2) {
    const ttlAt = to + u16(places, i);
    const left = u32(into, ttlAt) - ageSeconds;
    putU32(into, ttlAt, left > 0 ? left : 0);
  }
}
