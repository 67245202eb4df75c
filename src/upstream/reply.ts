/**
 * Whether a message is the reply to what was asked, and what its OPT says. Nothing of a reply is believed, or even
 * read, before its header and question have matched.
 */
import {
  additionalCount,
  answerCount,
  authorityCount,
  EdnsOption,
  fixedRdataLength,
  HEADER_LENGTH,
  lowerOctet,
  MALFORMED,
  NAME_LENGTH_MAX,
  nameLayoutOf,
  questionCount,
  Rcode,
  RECORD_FIXED_LENGTH,
  Rrtype,
  rcodeOf,
  readName,
  skipName,
  u16,
} from '../wire/index.ts';
import type { Attempt } from './attempt.ts';

export const Match = {
  /** Another question, or no reply at all. */
  NONE: 0,
  /** The question, but for the case of its letters. */
  FOLDED: 1,
  /** The question, octet for octet. */
  EXACT: 2,
} as const;
export type Match = (typeof Match)[keyof typeof Match];

/** Compares QR, opcode, QDCOUNT and the question. The id has been compared: by it the attempt was found. */
export function matchReply(attempt: Attempt, message: Uint8Array, length: number): Match {
  if (length < attempt.questionEnd) return Match.NONE;
  // QR must be set and the opcode QUERY; AA, TC and RD may be anything.
  if ((message[2] & 0xf8) !== 0x80 || questionCount(message) !== 1) return Match.NONE;
  const sent = attempt.message;
  const nameEnd = attempt.questionEnd - 4;
  let match: Match = Match.EXACT;
  for (let at = HEADER_LENGTH; at < nameEnd; at++) {
    if (message[at] === sent[at]) continue;
    if (lowerOctet(message[at]) !== lowerOctet(sent[at])) return Match.NONE;
    match = Match.FOLDED;
  }
  for (let at = nameEnd; at < attempt.questionEnd; at++) if (message[at] !== sent[at]) return Match.NONE;
  return match;
}

/** More records than this in one message cost more than they can be worth. */
const RECORDS_MAX = 2048;
/** Options are read in one pass, and there is an end to it. */
const OPTIONS_MAX = 64;

/** What `survey` found; one object serves every reply. */
export class Survey {
  /** Extended rcode, 12 bits (RFC 6891 section 6.1.3). */
  rcode = 0;
  hasOpt = false;
  /**
   * No answer, no SOA, but name servers: a server that does not go on itself tells us where to (RFC 2308 section 2.2). That is
   * not NODATA, and we do not iterate.
   */
  isReferral = false;
  /** Client subnet that nobody sent: such a reply is not to be used (RebirthDay). */
  hasSubnet = false;
  cookieAt = 0;
  /** Octets of the cookie option, 0 when there is none. */
  cookieLength = 0;
  readonly #name = new Uint8Array(NAME_LENGTH_MAX + 1);

  /**
   * Walks all records behind the question, to the end of the message. False when the message breaks its format: names of
   * answers, and those within their rdata, are followed to their ends.
   */
  read(message: Uint8Array, at: number, length: number): boolean {
    this.rcode = rcodeOf(message);
    this.hasOpt = false;
    this.isReferral = false;
    this.hasSubnet = false;
    this.cookieLength = 0;
    const answers = answerCount(message);
    const before = answers + authorityCount(message);
    const records = before + additionalCount(message);
    if (records > RECORDS_MAX) return false;
    let hasSoa = false;
    let hasServers = false;
    for (let i = 0; i < records; i++) {
      const owner = at;
      at = skipName(message, at, length);
      if (at === MALFORMED || at + RECORD_FIXED_LENGTH > length) return false;
      const type = u16(message, at);
      const dataAt = at + RECORD_FIXED_LENGTH;
      const end = dataAt + u16(message, at + 8);
      if (end > length) return false;
      if (type === Rrtype.SOA) hasSoa = true;
      if (type === Rrtype.NS && i < before) hasServers = true;
      if (i < answers && !this.#isSound(message, owner, type, dataAt, end)) return false;
      if (type === Rrtype.OPT) {
        // RFC 6891 section 6.1.1: one OPT, in the additional section, owned by the root.
        if (this.hasOpt || i < before || message[owner] !== 0) return false;
        this.hasOpt = true;
        this.rcode |= message[at + 4] << 4;
        if (!this.#readOptions(message, dataAt, end)) return false;
      }
      at = end;
    }
    this.isReferral = answers === 0 && hasServers && !hasSoa && this.rcode === Rcode.NOERROR;
    return at === length;
  }

  #isSound(message: Uint8Array, owner: number, type: number, dataAt: number, end: number): boolean {
    // Most owners are a pointer to the question, which has been compared.
    const isQuestion = message[owner] === 0xc0 && message[owner + 1] === HEADER_LENGTH;
    if (!isQuestion && readName(message, owner, dataAt, this.#name) === MALFORMED) return false;
    const fixed = fixedRdataLength(type);
    if (fixed !== -1) return end - dataAt === fixed;
    const layout = nameLayoutOf(type);
    if (layout === undefined) return true;
    let at = dataAt + layout.before;
    for (let left = layout.names; left > 0; left--) {
      if (readName(message, at, end, this.#name) === MALFORMED) return false;
      at = skipName(message, at, end);
    }
    return layout.after === -1 ? at <= end : at + layout.after === end;
  }

  #readOptions(message: Uint8Array, at: number, end: number): boolean {
    for (let count = 0; at < end; count++) {
      if (count === OPTIONS_MAX || at + 4 > end) return false;
      const code = u16(message, at);
      const length = u16(message, at + 2);
      at += 4;
      if (at + length > end) return false;
      if (code === EdnsOption.CLIENT_SUBNET) this.hasSubnet = true;
      if (code === EdnsOption.COOKIE) {
        this.cookieAt = at;
        this.cookieLength = length;
      }
      at += length;
    }
    return true;
  }
}
