/**
 * Reading a query: header, question, EDNS. What is not one plain question of class IN ends here, before any rule is
 * looked at (RFC 9619, RFC 6891, RFC 8482).
 */
import { createHash } from 'node:crypto';
import type { AuditLog } from '../audit/index.ts';
import {
  additionalCount,
  answerCount,
  authorityCount,
  Edns,
  HEADER_LENGTH,
  MALFORMED,
  Opcode,
  opcodeOf,
  type Question,
  questionCount,
  RecordPlace,
  Rrclass,
  Rrtype,
  skipName,
  unknownKey,
} from '../wire/index.ts';
import type { SecretWatch } from './contract.ts';
import { type ForwarderOptions, takeForwardedClient } from './forwarded-client.ts';
import type { OutcomeName } from './outcome.ts';
import type { Query } from './query.ts';

const STREAM_RESPONSE_MAX = 65_535;
/** Octets of an unreadable query that stand in its entry. */
const RAW_LENGTH_MAX = 64;

export class QuestionReader {
  readonly #edns: Edns;
  readonly #forwarders: ForwarderOptions | null;
  readonly #record = new RecordPlace();
  readonly #udpSize: number;

  /** `udpSize`: most octets of a response over UDP. `forwarders`: who may say in EDNS which client asks, and how. */
  constructor(udpSize: number, forwarders: ForwarderOptions | null) {
    this.#forwarders = forwarders;
    this.#edns = new Edns(forwarders?.option ?? -1);
    this.#udpSize = udpSize;
  }

  /** Fills `query` and `question`; returns how the query ends when it cannot go on, else null. */
  read(query: Query, question: Question, truncated: boolean): OutcomeName | null {
    const { octets, length } = query;
    query.responseMax = query.isStream ? STREAM_RESPONSE_MAX : 512;
    question.length = 0;
    const isQuery = opcodeOf(octets) === Opcode.QUERY;
    const broken = isQuery ? 'malformed' : 'opcode';
    if (questionCount(octets) !== 1) return this.#readWithoutQuestion(query, broken, truncated);
    const questionEnd = question.read(octets, length);
    if (questionEnd === MALFORMED) return broken;
    query.questionEnd = questionEnd;
    query.qtype = question.type;
    query.qclass = question.class;
    const records = answerCount(octets) + authorityCount(octets);
    const at = records === 0 ? questionEnd : this.#skipRecords(octets, questionEnd, length, records);
    const isRead = this.#readAdditional(query, at);
    if (!isRead || truncated) return broken;
    if (!isQuery) return 'opcode';
    const edns = this.#edns;
    if (edns.version > 0) return 'version';
    // An IXFR carries its SOA in the authority section; it is refused all the same, but it is not malformed.
    if (question.type === Rrtype.IXFR || question.type === Rrtype.AXFR) return 'transfer';
    if (records !== 0) return 'malformed';
    if (edns.signatureAt !== -1) return this.#takeSignature(query, edns.signatureAt);
    if (question.class !== Rrclass.IN) return 'class';
    return unaskable(question.type);
  }

  /**
   * Without a question there is only one thing to ask for: a server cookie (RFC 7873 section 5.4). Everything else, and
   * several questions (RFC 9619), are errors; whether they speak EDNS decides on the OPT of the response.
   */
  #readWithoutQuestion(query: Query, broken: OutcomeName, truncated: boolean): OutcomeName {
    const { octets, length } = query;
    let at = HEADER_LENGTH;
    for (let count = questionCount(octets); count > 0 && at !== MALFORMED; count--) {
      at = skipName(octets, at, length);
      if (at !== MALFORMED) at = at + 4 > length ? MALFORMED : at + 4;
    }
    const records = answerCount(octets) + authorityCount(octets);
    if (at !== MALFORMED && records > 0) at = this.#skipRecords(octets, at, length, records);
    if (!this.#readAdditional(query, at) || truncated || broken !== 'malformed') return broken;
    if (this.#edns.version > 0) return 'version';
    const isCookieOnly = questionCount(octets) === 0 && records === 0 && query.cookieLength > 0;
    return isCookieOnly ? 'cookie' : 'malformed';
  }

  /** Position behind `count` records, or MALFORMED; an OPT among them is one in the wrong place. */
  #skipRecords(octets: Uint8Array, at: number, end: number, count: number): number {
    for (; count > 0 && at !== MALFORMED; count--) {
      at = this.#record.read(octets, at, end);
      if (at !== MALFORMED && this.#record.type === Rrtype.OPT) return MALFORMED;
    }
    return at;
  }

  /** Reads the additional section from `at`; false when it, or what is in front of it, is malformed. */
  #readAdditional(query: Query, at: number): boolean {
    const { octets, length } = query;
    if (at === MALFORMED) return false;
    const end = this.#edns.read(octets, at, length, additionalCount(octets));
    this.#takeEdns(query);
    return end !== MALFORMED;
  }

  /** A signed query is not answered unsigned: the client would throw that away (RFC 8945 section 5.2.1). */
  #takeSignature(query: Query, at: number): OutcomeName {
    query.signature = unknownKey(query.octets, at, query.length);
    return query.signature === null ? 'malformed' : 'signed';
  }

  #takeEdns(query: Query): void {
    const edns = this.#edns;
    query.hasEdns = edns.present;
    if (!edns.present) return;
    query.dnssecOk = edns.dnssecOk;
    query.wantsPadding = edns.padding;
    if (edns.keepalive && query.message !== null) query.keepaliveMs = query.message.restMs;
    if (!query.isStream) query.responseMax = Math.min(edns.udpSize, this.#udpSize);
    // The response is written over the place where the cookie stands.
    for (let i = 0; i < edns.cookieLength; i++) query.cookie[i] = query.octets[edns.cookieAt + i];
    query.cookieLength = edns.cookieLength;
    if (this.#forwarders !== null) takeForwardedClient(query, edns, this.#forwarders);
  }

  /** The first octets of a query without a readable question, and a digest of the whole, for its entry: before the response is written over it. */
  describeUnreadable(query: Query, audit: AuditLog, secrets: SecretWatch): Uint8Array {
    const octets = query.octets.subarray(0, query.length);
    const finding = secrets.examineUnreadable(octets);
    query.finding = finding;
    // The digest goes as well: without a key, numbers of cards could be tried until one fits.
    if (finding !== null && finding.marks !== null)
      return audit.renderDetail({ raw: { redacted: finding.marks } });
    const sha256 = createHash('sha256').update(octets).digest('hex');
    const hex = Buffer.from(octets.subarray(0, RAW_LENGTH_MAX)).toString('hex');
    return audit.renderDetail({ raw: { hex, sha256 } });
  }
}

/**
 * How a question for this type ends at once, or null when it is one for records of a name (RFC 6895 section 3.1). Those that
 * stand only in messages, and 0, are no questions at all (RFC 9824 section 3.5 for NXNAME); of the other types that ask for
 * something else only ANY means anything here.
 */
function unaskable(type: number): OutcomeName | null {
  switch (type) {
    case 0:
    case Rrtype.OPT:
    case Rrtype.NXNAME:
    case Rrtype.TKEY:
    case Rrtype.TSIG:
      return 'noType';
    default:
      return type > Rrtype.NXNAME && type < Rrtype.ANY ? 'metaType' : null;
  }
}
