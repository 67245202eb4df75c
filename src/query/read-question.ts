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
  Rrclass,
  Rrtype,
  skipName,
} from '../wire/index.ts';
import type { SecretWatch } from './contract.ts';
import type { OutcomeName } from './outcome.ts';
import type { Query } from './query.ts';

const STREAM_RESPONSE_MAX = 65_535;
/** Octets of an unreadable query that stand in its entry. */
const RAW_LENGTH_MAX = 64;

export class QuestionReader {
  readonly #edns = new Edns();
  readonly #udpSize: number;

  /** `udpSize`: most octets of a response over UDP. */
  constructor(udpSize: number) {
    this.#udpSize = udpSize;
  }

  /** Fills `query` and `question`; returns how the query ends when it cannot go on, else null. */
  read(query: Query, question: Question, truncated: boolean): OutcomeName | null {
    const { octets, length } = query;
    query.responseMax = query.isStream ? STREAM_RESPONSE_MAX : 512;
    question.length = 0;
    const isQuery = opcodeOf(octets) === Opcode.QUERY;
    const broken = isQuery ? 'malformed' : 'opcode';
    if (questionCount(octets) !== 1) {
      this.#readOptOnly(query);
      return broken;
    }
    const questionEnd = question.read(octets, length);
    if (questionEnd === MALFORMED) return broken;
    query.questionEnd = questionEnd;
    query.qtype = question.type;
    query.qclass = question.class;
    const isTransfer = question.type === Rrtype.IXFR || question.type === Rrtype.AXFR;
    // An IXFR carries its SOA in the authority section; it is refused all the same, but it is not malformed.
    if (isQuery && isTransfer) return 'transfer';
    if (answerCount(octets) !== 0 || authorityCount(octets) !== 0) return broken;
    const end = this.#edns.read(octets, questionEnd, length, additionalCount(octets));
    this.#takeEdns(query);
    if (end === MALFORMED || truncated) return broken;
    if (!isQuery) return 'opcode';
    if (this.#edns.version > 0) return 'version';
    if (question.class !== Rrclass.IN) return 'class';
    if (isMeta(question.type)) return 'metaType';
    return null;
  }

  /** A query with no question or several is not answered, but whether it spoke EDNS decides on the OPT of its error. */
  #readOptOnly(query: Query): void {
    const { octets, length } = query;
    let at = HEADER_LENGTH;
    for (let count = questionCount(octets); count > 0 && at !== MALFORMED; count--) {
      at = skipName(octets, at, length);
      if (at !== MALFORMED) at = at + 4 > length ? MALFORMED : at + 4;
    }
    if (at === MALFORMED || answerCount(octets) !== 0 || authorityCount(octets) !== 0) return;
    if (this.#edns.read(octets, at, length, additionalCount(octets)) !== MALFORMED) this.#takeEdns(query);
  }

  #takeEdns(query: Query): void {
    const edns = this.#edns;
    query.hasEdns = edns.present;
    if (!edns.present) return;
    query.dnssecOk = edns.dnssecOk;
    query.wantsPadding = edns.padding;
    if (!query.isStream) query.responseMax = Math.min(edns.udpSize, this.#udpSize);
    // The response is written over the place where the cookie stands.
    for (let i = 0; i < edns.cookieLength; i++) query.cookie[i] = query.octets[edns.cookieAt + i];
    query.cookieLength = edns.cookieLength;
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

/** Types that ask for no records of a name (RFC 6895 section 3.1), but for ANY. */
const isMeta = (type: number): boolean => type === 0 || type === Rrtype.OPT || (type >= 128 && type < 255);
