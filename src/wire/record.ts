/**
 * Resource records on the wire (RFC 1035 section 4.1.3) and their rdata, read without trust.
 *
 *    owner  type(2)  class(2)  ttl(4)  rdlength(2)  rdata
 *
 * Only the types of RFC 1035 and a few early ones may hold compressed names (RFC 3597 section 4); for those the places
 * of their names are known here, so that a record can be written anew without pointers into the message it came in.
 */
import { Rrtype } from './codes.ts';
import { skipName } from './name.ts';
import { MALFORMED, u16, u32 } from './octets.ts';

/** Octets between the owner and the rdata. */
export const RECORD_FIXED_LENGTH = 10;

/** One record's place in a message; one object is filled again and again. */
export class RecordPlace {
  ownerAt = 0;
  type = 0;
  class = 0;
  ttlAt = 0;
  /** TTL in seconds; a value with the top bit set counts as 0 (RFC 2181 section 8). */
  ttlSeconds = 0;
  rdataAt = 0;
  rdataLength = 0;

  /** Reads the record at `at` and returns the position behind it, or MALFORMED. */
  read(message: Uint8Array, at: number, end: number): number {
    const fixedAt = skipName(message, at, end);
    if (fixedAt === MALFORMED || fixedAt + RECORD_FIXED_LENGTH > end) return MALFORMED;
    this.ownerAt = at;
    this.type = u16(message, fixedAt);
    this.class = u16(message, fixedAt + 2);
    this.ttlAt = fixedAt + 4;
    const ttl = u32(message, fixedAt + 4);
    this.ttlSeconds = ttl > 0x7fffffff ? 0 : ttl;
    this.rdataAt = fixedAt + RECORD_FIXED_LENGTH;
    this.rdataLength = u16(message, fixedAt + 8);
    const next = this.rdataAt + this.rdataLength;
    return next > end ? MALFORMED : next;
  }
}

/**
 * Where names stand in the rdata of a type that may be compressed: octets before the first name, names in a row, and
 * whether octets may follow. Types not listed are copied octet for octet.
 */
export interface NameLayout {
  readonly before: number;
  readonly names: number;
  /** Octets that must follow the names; −1 for "any number". */
  readonly after: number;
}

const layout = (before: number, names: number, after: number): NameLayout => ({ before, names, after });

const NAME_LAYOUTS = new Map<number, NameLayout>([
  [Rrtype.NS, layout(0, 1, 0)],
  [Rrtype.MD, layout(0, 1, 0)],
  [Rrtype.MF, layout(0, 1, 0)],
  [Rrtype.CNAME, layout(0, 1, 0)],
  [Rrtype.SOA, layout(0, 2, 20)],
  [Rrtype.MB, layout(0, 1, 0)],
  [Rrtype.MG, layout(0, 1, 0)],
  [Rrtype.MR, layout(0, 1, 0)],
  [Rrtype.PTR, layout(0, 1, 0)],
  [Rrtype.MINFO, layout(0, 2, 0)],
  [Rrtype.MX, layout(2, 1, 0)],
  [Rrtype.RP, layout(0, 2, 0)],
  [Rrtype.AFSDB, layout(2, 1, 0)],
  [Rrtype.PX, layout(2, 2, 0)],
  [Rrtype.KX, layout(2, 1, 0)],
  [Rrtype.SRV, layout(6, 1, 0)],
  [Rrtype.DNAME, layout(0, 1, 0)],
  [Rrtype.NXT, layout(0, 1, -1)],
  [Rrtype.SIG, layout(18, 1, -1)],
]);

/** The layout of a type whose rdata may hold compressed names, or `undefined`. */
export const nameLayoutOf = (type: number): NameLayout | undefined => NAME_LAYOUTS.get(type);

/** Rdata lengths that a type must have; a record of another length is not one (RFC 1035 3.4.1, RFC 3596 2.2). */
export const fixedRdataLength = (type: number): number =>
  type === Rrtype.A ? 4 : type === Rrtype.AAAA ? 16 : -1;

/** Rdata that is made of character strings (RFC 1035 section 3.3): octets before the first, strings in a row, octets after. */
export interface StringLayout {
  readonly before: number;
  /** Least and most strings. */
  readonly least: number;
  readonly most: number;
  /** Whether something else follows them. */
  readonly open: boolean;
}

const strings = (before: number, least: number, most: number, open = false): StringLayout => ({
  before,
  least,
  most,
  open,
});

const STRING_LAYOUTS = new Map<number, StringLayout>([
  [Rrtype.TXT, strings(0, 1, Number.POSITIVE_INFINITY)],
  [Rrtype.SPF, strings(0, 1, Number.POSITIVE_INFINITY)],
  [Rrtype.HINFO, strings(0, 2, 2)],
  // RFC 3403 section 4.1: flags, services, regexp; a name follows.
  [Rrtype.NAPTR, strings(4, 3, 3, true)],
  // RFC 8659 section 4.1: the tag; the value follows without a length.
  [Rrtype.CAA, strings(1, 1, 1, true)],
]);

/** Whether the rdata of a type with character strings is made of whole ones; true for all other types. */
export function hasWholeStrings(type: number, message: Uint8Array, at: number, end: number): boolean {
  const layout = STRING_LAYOUTS.get(type);
  if (layout === undefined) return true;
  at += layout.before;
  let count = 0;
  while (at < end && count < layout.most) {
    at += message[at] + 1;
    count++;
  }
  return count >= layout.least && (layout.open ? at <= end : at === end);
}
