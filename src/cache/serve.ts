/** Writing a kept body into a response with TTLs that are not its own. */
import type { Answer } from '../answer/index.ts';
import { copyOctets, putU32 } from '../wire/index.ts';

/** Copies the body with every TTL set to `ttlSeconds`: for stale answers (RFC 8767 section 4). */
export function writeStale(answer: Answer, octets: Uint8Array, at: number, ttlSeconds: number): number {
  const end = copyOctets(answer.body, 0, octets, at, answer.body.length);
  for (const place of answer.ttlAt) putU32(octets, at + place, ttlSeconds);
  return end;
}
