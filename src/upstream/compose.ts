/**
 * The message to an upstream, built from nothing: no octet of a client's message is in it but the canonical name, the
 * type, DO and CD.
 *
 *    header    id (set by the carrier) · RD, CD if asked · one question · one additional
 *    question  name, its letters in random case where the server keeps case (0x20) · type · IN
 *    OPT       size 1232, DO if asked; cookie (RFC 7873) and padding to 128 (RFC 8467) where they apply
 */
import {
  CD,
  copyOctets,
  EdnsOption,
  HEADER_LENGTH,
  putU16,
  RD,
  Rrclass,
  Rrtype,
  writeHeader,
} from '../wire/index.ts';
import type { Attempt } from './attempt.ts';
import { UDP_SIZE } from './options.ts';
import { randomWord } from './random.ts';

/** RFC 8467 section 4.1: queries are padded to a multiple of 128 octets. */
const PADDING_BLOCK = 128;
const OPT_LENGTH = 11;
const DO = 0x8000;

/** Octets of a cookie: `client` is always 8, `server` 8 to 32 or none yet. */
export interface Cookie {
  readonly client: Uint8Array;
  readonly server: Uint8Array;
  serverLength: number;
}

/** What `compose` asks of a question. */
interface Askable {
  readonly name: Uint8Array;
  readonly nameLength: number;
  readonly type: number;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
}

/** Writes `attempt.message`; `attempt.edns` and `attempt.mixedCase` say how. The id stays zero. */
export function compose(attempt: Attempt, asked: Askable, cookie: Cookie | null, padded: boolean): void {
  const { message } = attempt;
  const flags = (RD << 8) | (asked.checkingDisabled ? CD : 0);
  writeHeader(message, 0, flags, 1, 0, 0, attempt.edns ? 1 : 0);
  copyOctets(asked.name, 0, message, HEADER_LENGTH, asked.nameLength);
  let at = HEADER_LENGTH + asked.nameLength;
  if (attempt.mixedCase) mixCase(message, HEADER_LENGTH, at);
  at = putU16(message, at, asked.type);
  at = putU16(message, at, Rrclass.IN);
  attempt.questionEnd = at;
  attempt.cookie = attempt.edns && cookie !== null;
  attempt.length = attempt.edns ? writeOpt(message, at, asked.dnssecOk, cookie, padded) : at;
}

function writeOpt(
  message: Uint8Array,
  start: number,
  dnssecOk: boolean,
  cookie: Cookie | null,
  padded: boolean,
): number {
  let at = start;
  message[at++] = 0;
  at = putU16(message, at, Rrtype.OPT);
  at = putU16(message, at, UDP_SIZE);
  at = putU16(message, at, 0);
  at = putU16(message, at, dnssecOk ? DO : 0);
  const lengthAt = at;
  at += 2;
  if (cookie !== null) {
    at = putU16(message, at, EdnsOption.COOKIE);
    at = putU16(message, at, 8 + cookie.serverLength);
    at = copyOctets(cookie.client, 0, message, at, 8);
    at = copyOctets(cookie.server, 0, message, at, cookie.serverLength);
  }
  if (padded) {
    const padding = (PADDING_BLOCK - ((at + 4) % PADDING_BLOCK)) % PADDING_BLOCK;
    at = putU16(message, at, EdnsOption.PADDING);
    at = putU16(message, at, padding);
    message.fill(0, at, at + padding);
    at += padding;
  }
  putU16(message, lengthAt, at - start - OPT_LENGTH);
  return at;
}

/**
 * Turns letters to upper case by the toss of a coin each. A label's length octet is at most 63 and so is never taken
 * for a letter.
 */
function mixCase(message: Uint8Array, at: number, end: number): void {
  let bits = 0;
  let left = 0;
  for (; at < end; at++) {
    const octet = message[at];
    if (octet < 0x61 || octet > 0x7a) continue;
    if (left === 0) {
      bits = randomWord();
      left = 32;
    }
    if ((bits & 1) !== 0) message[at] = octet - 32;
    bits >>>= 1;
    left--;
  }
}
