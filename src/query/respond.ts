/**
 * Writing responses into the octets of their queries. Header and question stay in place; what follows is written anew.
 *
 *    header 12 │ question │ answer, authority │ OPT (where the query had one)
 *
 * A response that does not fit the client's size goes out empty with TC set, and the client comes back over TCP.
 */
import type { Answer } from '../answer/index.ts';
import { type Cell, type HotStore, writeStale } from '../cache/index.ts';
import {
  AA,
  AD,
  CD,
  copyOctets,
  EdnsOption,
  HEADER_LENGTH,
  nameOctets,
  OPT_LENGTH,
  putU16,
  putU32,
  QR,
  RA,
  Rrclass,
  Rrtype,
  TC,
  UDP_SIZE,
  writeOpt,
} from '../wire/index.ts';
import { takeLarge } from './large.ts';
import type { Query } from './query.ts';

const NO_OCTETS = new Uint8Array(0);

/** TTL and MINIMUM of the SOA under denials, seconds: a new allow rule is felt soon, and CoreDNS keeps at least 5 s. */
export const DENIED_TTL_SECONDS = 10;

/** Octets of a padded response are a multiple of this (RFC 8467 section 4.1). */
const PADDING_BLOCK = 468;

function soaRecord(): Uint8Array {
  const mname = nameOctets('policy.sallyport.invalid');
  const rname = nameOctets('hostmaster.sallyport.invalid');
  const rdataLength = mname.length + rname.length + 20;
  const record = new Uint8Array(12 + rdataLength);
  // The owner is the question's own name: below every zone that a forwarder in front may hold us to.
  let at = putU16(record, 0, 0xc000 | HEADER_LENGTH);
  at = putU16(record, at, Rrtype.SOA);
  at = putU16(record, at, Rrclass.IN);
  at = putU32(record, at, DENIED_TTL_SECONDS);
  at = putU16(record, at, rdataLength);
  at = copyOctets(mname, 0, record, at, mname.length);
  at = copyOctets(rname, 0, record, at, rname.length);
  for (const value of [1, 3600, 600, 86_400, DENIED_TTL_SECONDS]) at = putU32(record, at, value);
  return record;
}

/** The SOA that makes a denial a proper negative answer (RFC 2308 section 2). */
const DENIAL_SOA = soaRecord();

/** RFC 8482 section 4.2: what ANY is answered with. */
const HINFO_RFC8482 = Uint8Array.of(
  0xc0,
  HEADER_LENGTH,
  0,
  Rrtype.HINFO,
  0,
  Rrclass.IN,
  0,
  0,
  0x0e,
  0x10,
  0,
  9,
  7,
  0x52,
  0x46,
  0x43,
  0x38,
  0x34,
  0x38,
  0x32,
  0,
);

/** Makes sure that `octets` hold `length` octets from now on; only streams ever need more than their slot has. */
function makeRoom(query: Query, length: number): boolean {
  if (length <= query.octets.length) return true;
  if (query.message === null) return false;
  const larger = takeLarge(length);
  copyOctets(query.octets, 0, larger, 0, query.questionEnd);
  query.octets = larger;
  query.message.octets = larger;
  return true;
}

/** Octets that the OPT record will take, without padding. */
const optLength = (query: Query, ede: Uint8Array | null, kept: Uint8Array, cookie: Uint8Array): number =>
  query.hasEdns ? OPT_LENGTH + (ede === null ? 0 : ede.length) + kept.length + cookie.length : 0;

function writeCounts(query: Query, high: number, low: number, answers: number, authorities: number): void {
  const { octets } = query;
  octets[2] = high;
  octets[3] = low;
  putU16(octets, 4, query.questionEnd > HEADER_LENGTH ? 1 : 0);
  putU16(octets, 6, answers);
  putU16(octets, 8, authorities);
  putU16(octets, 10, query.hasEdns ? 1 : 0);
}

/** RD, RA, AD and CD have a meaning for the opcode QUERY only; under others they are no flags of ours to copy or set. */
const isOtherOpcode = (query: Query): boolean => (query.flagsHigh & 0x78) !== 0;

/** Third octet of a response: QR, opcode and RD as asked; the rest clear. */
const highFlags = (query: Query): number => QR | (query.flagsHigh & (isOtherOpcode(query) ? 0x78 : 0x79));

/** Fourth octet: RA always, CD as asked, Z clear. */
const lowFlags = (query: Query, rcode: number, authenticated: boolean): number =>
  isOtherOpcode(query)
    ? rcode & 15
    : RA |
      (query.checkingDisabled ? CD : 0) |
      (authenticated && (query.dnssecOk || query.authenticDesired) ? AD : 0) |
      (rcode & 15);

/** OPT, options and padding at `at`; returns the length of the response. */
function closeMessage(
  query: Query,
  at: number,
  rcode: number,
  ede: Uint8Array | null,
  kept: Uint8Array,
  cookie: Uint8Array,
): number {
  if (!query.hasEdns) return at;
  const { octets } = query;
  const optAt = at;
  at = writeOpt(octets, at, UDP_SIZE, rcode >> 4, query.dnssecOk);
  if (ede !== null) at = copyOctets(ede, 0, octets, at, ede.length);
  if (kept.length > 0) at = copyOctets(kept, 0, octets, at, kept.length);
  if (cookie.length > 0) at = copyOctets(cookie, 0, octets, at, cookie.length);
  if (query.keepaliveMs !== -1) at = tellKeepalive(query, at);
  if (query.wantsPadding && query.message !== null) at = pad(query, at);
  putU16(query.octets, optAt + OPT_LENGTH - 2, at - optAt - OPT_LENGTH);
  return at;
}

/** How long the connection may rest, in tenths of a second (RFC 7828 section 3.1). */
function tellKeepalive(query: Query, at: number): number {
  const end = at + 6;
  if (end > query.responseMax || !makeRoomKeeping(query, at, end)) return at;
  const { octets } = query;
  const valueAt = putU16(octets, putU16(octets, at, EdnsOption.TCP_KEEPALIVE), 2);
  return putU16(octets, valueAt, Math.min(0xffff, Math.floor(query.keepaliveMs / 100)));
}

/** Pads to a whole number of blocks, as far as the message may grow (RFC 7830 section 3). */
function pad(query: Query, at: number): number {
  const whole = Math.ceil((at + 4) / PADDING_BLOCK) * PADDING_BLOCK;
  const end = Math.min(whole, query.responseMax);
  if (end < at + 4 || !makeRoomKeeping(query, at, end)) return at;
  const { octets } = query;
  const dataAt = putU16(octets, putU16(octets, at, EdnsOption.PADDING), end - at - 4);
  octets.fill(0, dataAt, end);
  return end;
}

function makeRoomKeeping(query: Query, written: number, length: number): boolean {
  if (length <= query.octets.length) return true;
  if (query.message === null) return false;
  const larger = takeLarge(length);
  larger.set(query.octets.subarray(0, written));
  query.octets = larger;
  query.message.octets = larger;
  return true;
}

/** A response with nothing but the question: errors, refusals, and answers that did not fit (`truncated`). */
export function respondEmpty(
  query: Query,
  rcode: number,
  ede: Uint8Array | null,
  cookie: Uint8Array = NO_OCTETS,
  truncated = false,
): void {
  const at = query.questionEnd;
  // An extended error that does not fit is left out; the rcode says enough.
  const said = at + optLength(query, ede, NO_OCTETS, cookie) <= query.responseMax ? ede : null;
  makeRoom(query, at + optLength(query, said, NO_OCTETS, cookie));
  query.rcode = rcode;
  writeCounts(query, highFlags(query) | (truncated ? TC : 0), lowFlags(query, rcode, false), 0, 0);
  query.length = closeMessage(query, at, rcode, said, NO_OCTETS, cookie);
}

/** Puts one more record behind all others of an empty response, where there is room: a TSIG has to be the last. */
export function appendRecord(query: Query, record: Uint8Array): void {
  const at = query.length;
  const end = at + record.length;
  if (end > query.responseMax || !makeRoomKeeping(query, at, end)) return;
  copyOctets(record, 0, query.octets, at, record.length);
  putU16(query.octets, 10, query.hasEdns ? 2 : 1);
  query.length = end;
}

/** A denial with its SOA: NXDOMAIN, or NOERROR for NODATA. */
export function respondDenied(
  query: Query,
  rcode: number,
  ede: Uint8Array | null,
  cookie: Uint8Array = NO_OCTETS,
): void {
  const end = query.questionEnd + DENIAL_SOA.length;
  if (end + optLength(query, ede, NO_OCTETS, cookie) > query.responseMax) {
    // Still a denial, only without its reason; without the SOA if that is too long as well.
    if (end + optLength(query, null, NO_OCTETS, cookie) > query.responseMax) {
      respondEmpty(query, rcode, null, cookie);
      return;
    }
    ede = null;
  }
  makeRoom(query, end + optLength(query, ede, NO_OCTETS, cookie));
  query.rcode = rcode;
  writeCounts(query, highFlags(query), lowFlags(query, rcode, false), 0, 1);
  copyOctets(DENIAL_SOA, 0, query.octets, query.questionEnd, DENIAL_SOA.length);
  query.length = closeMessage(query, end, rcode, ede, NO_OCTETS, cookie);
}

/** A denial by address: one A or AAAA record with a short TTL. */
export function respondAddress(
  query: Query,
  type: number,
  address: Uint8Array,
  ede: Uint8Array | null,
  cookie: Uint8Array = NO_OCTETS,
): void {
  const end = query.questionEnd + 12 + address.length;
  const said = end + optLength(query, ede, NO_OCTETS, cookie) <= query.responseMax ? ede : null;
  makeRoom(query, end + optLength(query, said, NO_OCTETS, cookie));
  query.rcode = 0;
  writeCounts(query, highFlags(query), lowFlags(query, 0, false), 1, 0);
  const { octets } = query;
  let at = putU16(octets, query.questionEnd, 0xc000 | HEADER_LENGTH);
  at = putU16(octets, at, type);
  at = putU16(octets, at, Rrclass.IN);
  at = putU32(octets, at, DENIED_TTL_SECONDS);
  at = putU16(octets, at, address.length);
  copyOctets(address, 0, octets, at, address.length);
  query.length = closeMessage(query, end, 0, said, NO_OCTETS, cookie);
}

/** ANY for a name that may be asked: one small HINFO (RFC 8482). */
export function respondAny(query: Query, cookie: Uint8Array = NO_OCTETS, authoritative = false): void {
  const end = query.questionEnd + HINFO_RFC8482.length;
  makeRoom(query, end + optLength(query, null, NO_OCTETS, cookie));
  query.rcode = 0;
  writeCounts(query, highFlags(query) | (authoritative ? AA : 0), lowFlags(query, 0, false), 1, 0);
  copyOctets(HINFO_RFC8482, 0, query.octets, query.questionEnd, HINFO_RFC8482.length);
  query.length = closeMessage(query, end, 0, null, NO_OCTETS, cookie);
}

/** An answer of the moment, or a stale one. Returns false when it did not fit and TC was set instead. */
export function respondAnswer(
  query: Query,
  answer: Answer,
  staleTtlSeconds: number,
  authoritative: boolean,
  ede: Uint8Array | null,
  cookie: Uint8Array = NO_OCTETS,
): boolean {
  const { rcode } = answer;
  const end = query.questionEnd + answer.body.length;
  let kept = answer.extendedErrors;
  if (end + optLength(query, ede, kept, cookie) > query.responseMax) {
    kept = NO_OCTETS;
    if (end + optLength(query, ede, kept, cookie) > query.responseMax) {
      respondEmpty(query, rcode, ede, cookie, true);
      return false;
    }
  }
  makeRoom(query, end + optLength(query, ede, kept, cookie));
  query.rcode = rcode;
  writeCounts(
    query,
    highFlags(query) | (authoritative ? AA : 0),
    lowFlags(query, rcode, answer.authenticated),
    answer.answerCount,
    answer.authorityCount,
  );
  if (staleTtlSeconds > 0) writeStale(answer, query.octets, query.questionEnd, staleTtlSeconds);
  else copyOctets(answer.body, 0, query.octets, query.questionEnd, answer.body.length);
  query.length = closeMessage(query, end, rcode, ede, kept, cookie);
  return true;
}

/** An answer from cache: the same as `respondAnswer`, but reading the cell's one run of memory and nothing else. */
export function respondCell(query: Query, cell: Cell, ageSeconds: number, cookie: Uint8Array): void {
  const end = query.questionEnd + cell.bodyLength;
  if (end + optLength(query, null, cell.extendedErrors, cookie) > query.responseMax) {
    respondAnswer(query, aged(cell, ageSeconds), 0, false, null, cookie);
    return;
  }
  makeRoom(query, end + optLength(query, null, cell.extendedErrors, cookie));
  query.rcode = cell.rcode;
  writeCounts(
    query,
    highFlags(query),
    lowFlags(query, cell.rcode, cell.authenticated),
    cell.answerCount,
    cell.authorityCount,
  );
  cell.writeAged(query.octets, query.questionEnd, ageSeconds);
  query.length = closeMessage(query, end, cell.rcode, null, cell.extendedErrors, cookie);
}

/** An answer from the hot store, the same as `respondCell`; false when it does not fit, with nothing written. */
export function respondHot(
  query: Query,
  hot: HotStore,
  line: number,
  ageSeconds: number,
  cookie: Uint8Array,
): boolean {
  const end = query.questionEnd + hot.bodyLengthOf(line);
  const length = end + optLength(query, null, NO_OCTETS, cookie);
  if (length > query.responseMax) return false;
  makeRoom(query, length);
  const rcode = hot.rcodeOf(line);
  query.rcode = rcode;
  writeCounts(
    query,
    highFlags(query),
    lowFlags(query, rcode, hot.isAuthenticated(line)),
    hot.answerCountOf(line),
    hot.authorityCountOf(line),
  );
  hot.writeAged(line, query.octets, query.questionEnd, ageSeconds);
  query.length = closeMessage(query, end, rcode, null, NO_OCTETS, cookie);
  return true;
}

/** A copy of the cell's answer at its age, for the rare path that needs it as an answer. */
function aged(cell: Cell, ageSeconds: number): Answer {
  const body = new Uint8Array(cell.bodyLength);
  cell.writeAged(body, 0, ageSeconds);
  const { rcode, answerCount, authorityCount, ttlAt, ttlSeconds, targets, aliasCount } = cell;
  const { complete, negative, authenticated, extendedErrors } = cell;
  return {
    rcode,
    answerCount,
    authorityCount,
    body,
    ttlAt,
    ttlSeconds,
    targets,
    aliasCount,
    complete,
    negative,
    authenticated,
    extendedErrors,
  };
}
