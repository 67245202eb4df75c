/** Writing a stored answer into a response: the body as it was kept, its TTLs less its age. */
import type { Answer } from '../answer/index.ts';
import { copyOctets, putU32, u32 } from '../wire/index.ts';

/** Copies the body to `at` with TTLs aged by `ageSeconds`; returns the position behind it. Room was checked before. */
export function writeAged(answer: Answer, octets: Uint8Array, at: number, ageSeconds: number): number {
  const { body, ttlAt } = answer;
  const end = copyOctets(body, 0, octets, at, body.length);
  if (ageSeconds > 0) {
    for (let i = 0; i < ttlAt.length; i++) {
      const place = at + ttlAt[i];
      const left = u32(octets, place) - ageSeconds;
      putU32(octets, place, left > 0 ? left : 0);
    }
  }
  return end;
}

/** Copies the body with every TTL set to `ttlSeconds`: for stale answers (RFC 8767 section 4). */
export function writeStale(answer: Answer, octets: Uint8Array, at: number, ttlSeconds: number): number {
  const end = copyOctets(answer.body, 0, octets, at, answer.body.length);
  for (const place of answer.ttlAt) putU32(octets, at + place, ttlSeconds);
  return end;
}
