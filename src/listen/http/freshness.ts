/** How long a response may be kept by HTTP caches (RFC 8484 section 5.1). */
import {
  answerCount,
  authorityCount,
  HEADER_LENGTH,
  MALFORMED,
  questionCount,
  Rcode,
  Rrtype,
  rcodeOf,
  skipName,
  u16,
  u32,
} from '../../wire/index.ts';

/**
 * Seconds for `max-age`: the smallest TTL of the answer section; for NXDOMAIN and NODATA that of the SOA or its
 * MINIMUM, whichever is less (RFC 2308 section 5); 0 for every other response, and for one that breaks the format.
 */
export function freshSeconds(response: Uint8Array, length: number): number {
  if (length < HEADER_LENGTH) return 0;
  const rcode = rcodeOf(response);
  if (rcode !== Rcode.NOERROR && rcode !== Rcode.NXDOMAIN) return 0;
  let at = HEADER_LENGTH;
  for (let i = questionCount(response); i > 0; i--) {
    at = skipName(response, at, length);
    if (at === MALFORMED || at + 4 > length) return 0;
    at += 4;
  }
  const answers = answerCount(response);
  const records = answers > 0 ? answers : authorityCount(response);
  if (records === 0) return 0;
  let fresh = -1;
  for (let i = 0; i < records; i++) {
    const fixed = skipName(response, at, length);
    if (fixed === MALFORMED || fixed + 10 > length) return 0;
    at = fixed + 10 + u16(response, fixed + 8);
    if (at > length) return 0;
    const ttl = answers > 0 ? ttlOf(response, fixed) : negativeTtl(response, fixed, at);
    if (ttl >= 0 && (fresh < 0 || ttl < fresh)) fresh = ttl;
  }
  return Math.max(0, fresh);
}

/** A TTL with the top bit set counts as 0 (RFC 2181 section 8). */
function ttlOf(response: Uint8Array, fixed: number): number {
  const ttl = u32(response, fixed + 4);
  return ttl > 0x7fff_ffff ? 0 : ttl;
}

/** What a SOA allows, −1 for any other record. MINIMUM is the last of its fields. */
function negativeTtl(response: Uint8Array, fixed: number, end: number): number {
  if (u16(response, fixed) !== Rrtype.SOA || u16(response, fixed + 8) < 22) return -1;
  return Math.min(ttlOf(response, fixed), u32(response, end - 4));
}
