/**
 * The reply that nearly all replies are: addresses owned by the question, and at most an empty OPT. It says the same as
 * the reader of all replies does (test/answer/properties.test.ts holds them against each other), in one pass.
 */
import {
  additionalCount,
  answerCount,
  authorityCount,
  copyOctets,
  fixedRdataLength,
  HEADER_LENGTH,
  putU32,
  type Question,
  Rcode,
  Rrclass,
  Rrtype,
  rcodeOf,
  sameOctets,
  skipName,
  u16,
  u32,
} from '../wire/index.ts';
import type { Answer } from './answer.ts';

/** More records than this are left to the other reader. */
const RECORDS_MAX = 16;
/** Pointer to the question, type, class, TTL, length. */
const FIXED_LENGTH = 12;
const POINTER_TO_QUESTION = 0xc000 | HEADER_LENGTH;
const OPT_LENGTH = 11;

const NO_TARGETS: readonly Uint8Array[] = [];
const NO_OCTETS = new Uint8Array(0);

/** The answer of `message[0 … length)`, or null where it takes the reader of all replies to tell. */
export function readPlain(
  message: Uint8Array,
  length: number,
  question: Question,
  trusted: boolean,
): Answer | null {
  const { type } = question;
  const rdataLength = fixedRdataLength(type);
  const count = answerCount(message);
  const additional = additionalCount(message);
  if (rdataLength === -1 || count === 0 || count > RECORDS_MAX || authorityCount(message) !== 0) return null;
  if (rcodeOf(message) !== Rcode.NOERROR || additional > 1) return null;
  const nameEnd = HEADER_LENGTH + question.length;
  if (skipName(message, HEADER_LENGTH, length) !== nameEnd) return null;
  const start = nameEnd + 4;
  const end = start + count * (FIXED_LENGTH + rdataLength);
  if (end + additional * OPT_LENGTH !== length) return null;
  if (additional === 1 && !isEmptyOpt(message, end)) return null;
  let ttlSeconds = 0x7fffffff;
  for (let at = start; at < end; at += FIXED_LENGTH + rdataLength) {
    if (u16(message, at) !== POINTER_TO_QUESTION || u16(message, at + 2) !== type) return null;
    if (u16(message, at + 4) !== Rrclass.IN || u16(message, at + 10) !== rdataLength) return null;
    const ttl = u32(message, at + 6);
    // The top bit makes it 0 (RFC 2181 section 8).
    ttlSeconds = Math.min(ttlSeconds, ttl > 0x7fffffff ? 0 : ttl);
    if (hasTwin(message, start, at, FIXED_LENGTH + rdataLength)) return null;
  }
  const body = new Uint8Array(end - start);
  copyOctets(message, start, body, 0, body.length);
  const ttlAt = new Uint16Array(count);
  // One TTL for the set (RFC 2181 section 5.2).
  for (let i = 0; i < count; i++) {
    ttlAt[i] = i * (FIXED_LENGTH + rdataLength) + 6;
    putU32(body, ttlAt[i], ttlSeconds);
  }
  // As the other reader does: the random case of the question is ours, and pointers must not show it.
  copyOctets(question.name, 0, message, HEADER_LENGTH, question.length);
  return {
    rcode: Rcode.NOERROR,
    answerCount: count,
    authorityCount: 0,
    body,
    ttlAt,
    ttlSeconds,
    targets: NO_TARGETS,
    aliasCount: 0,
    complete: true,
    negative: false,
    authenticated: trusted && (message[3] & 0x20) !== 0,
    extendedErrors: NO_OCTETS,
  };
}

/** Whether one of the records from `start` on has the rdata of the one at `at`: the set has to lose one of them. */
function hasTwin(message: Uint8Array, start: number, at: number, recordLength: number): boolean {
  const dataAt = at + FIXED_LENGTH;
  const length = recordLength - FIXED_LENGTH;
  for (let other = start; other < at; other += recordLength)
    if (sameOctets(message, other + FIXED_LENGTH, message, dataAt, length)) return true;
  return false;
}

/** Root, OPT, any size, rcode bits of 0, version and flags as they are, no options. */
const isEmptyOpt = (message: Uint8Array, at: number): boolean =>
  message[at] === 0 &&
  u16(message, at + 1) === Rrtype.OPT &&
  message[at + 5] === 0 &&
  u16(message, at + 9) === 0;
