/**
 * Reads a reply whose header and question were matched, and writes what may be kept of it.
 *
 * Two passes: the first finds every record and checks it (a reply with one broken record is not used at all), the second
 * walks the alias chain over the found places. Work is bounded by RECORD_COUNT_MAX × ALIAS_COUNT_MAX.
 */
import {
  copyOctets,
  expandName,
  fixedRdataLength,
  HEADER_LENGTH,
  hasWholeStrings,
  MALFORMED,
  nameLayoutOf,
  nameLength,
  putU16,
  putU32,
  type Question,
  Rcode,
  RecordPlace,
  Rrclass,
  Rrtype,
  readName,
  sameName,
  sameNameFolded,
  sameOctets,
  skipName,
  u16,
  u32,
} from '../wire/index.ts';
import { ALIAS_COUNT_MAX, type Answer, RECORD_COUNT_MAX, RRSET_LENGTH_MAX, type Unusable } from './answer.ts';
import { readPlain } from './read-plain.ts';

export interface ReadOptions {
  /** The client asked for DNSSEC records: signatures and proofs are kept. */
  readonly dnssecOk: boolean;
  /** The reply came over an authenticated transport. */
  readonly trusted: boolean;
  /** Whether the chain may go on to this canonical name with the reply at hand. */
  readonly mayFollow: (target: Uint8Array) => boolean;
  /** An answer whose chain was cut: this reply is about its last target, and is added to it. */
  readonly continues?: Answer | undefined;
}

/** Most octets of extended errors kept from an upstream. */
const EXTENDED_ERRORS_LENGTH_MAX = 512;
/** A TTL of this many seconds or more counts as this many: no sum overflows. */
const TTL_SECONDS_MAX = 0x7fffffff;

/** Places from here on cannot be pointed to (RFC 1035 section 4.1.4: 14 bits). */
const POINTER_REACH = 0x4000;
const NO_TARGETS: readonly Uint8Array[] = [];

class BrokenReply extends Error {
  readonly why: Unusable;
  constructor(why: Unusable) {
    super(why);
    this.why = why;
  }
}

/** One reader for each thread: its columns and scratch memory are made once. */
export class AnswerReader {
  readonly #ownerAt = new Uint16Array(RECORD_COUNT_MAX);
  readonly #type = new Uint16Array(RECORD_COUNT_MAX);
  readonly #ttl = new Uint32Array(RECORD_COUNT_MAX);
  readonly #rdataAt = new Uint16Array(RECORD_COUNT_MAX);
  readonly #rdataLength = new Uint16Array(RECORD_COUNT_MAX);
  readonly #class = new Uint16Array(RECORD_COUNT_MAX);
  readonly #record = new RecordPlace();
  readonly #owner = new Uint8Array(256);
  readonly #current = new Uint8Array(256);
  /** The response as it is being written, question included so that offsets are final. Twice the largest message: rdata grows when names are expanded. */
  readonly #out = new Uint8Array(0x20000);
  readonly #ttlAt = new Uint16Array(RECORD_COUNT_MAX * 2);
  /** Places in `#out` (within POINTER_REACH) where uncompressed names begin that owners may point to. */
  readonly #nameAt: number[] = [];
  /** Where the TTLs of the set at hand stand in `#out`, and where the last record begins. */
  readonly #setAt: number[] = [];
  readonly #setHash: number[] = [];
  /** Of hashes; unknown to who sends replies. */
  #seed = 0;
  #recordAt = 0;
  #namesBefore = 0;
  #outAt = 0;
  #ttlCount = 0;
  #message: Uint8Array = this.#out;
  #end = 0;
  #ttlSeconds = 0;

  /**
   * The kept part of `message[0 … length)`, or why it cannot be used. Never throws for what an upstream sent. The name in
   * its question is overwritten in canonical form.
   */
  read(message: Uint8Array, length: number, question: Question, options: ReadOptions): Answer | Unusable {
    const plain =
      options.continues === undefined ? readPlain(message, length, question, options.trusted) : null;
    return plain ?? this.readAny(message, length, question, options);
  }

  /** The same for whatever a reply may be. */
  readAny(message: Uint8Array, length: number, question: Question, options: ReadOptions): Answer | Unusable {
    try {
      return this.#read(message, length, question, options);
    } catch (error) {
      if (error instanceof BrokenReply) return error.why;
      throw error;
    }
  }

  #read(message: Uint8Array, length: number, question: Question, options: ReadOptions): Answer {
    this.#message = message;
    this.#end = length;
    const asked = skipName(message, HEADER_LENGTH, length);
    if (asked === MALFORMED || asked + 4 > length) throw new BrokenReply('malformed record');
    // The question came back in the random case it was asked in; pointers into it must not show that to clients.
    const name = options.continues?.targets.at(-1) ?? question.name;
    if (asked - HEADER_LENGTH === nameLength(name))
      copyOctets(name, 0, message, HEADER_LENGTH, asked - HEADER_LENGTH);
    const answers = u16(message, 6);
    const authorities = u16(message, 8);
    if (answers + authorities > RECORD_COUNT_MAX) throw new BrokenReply('too many records');
    const additionalAt = this.#findRecords(asked + 4, answers + authorities);
    const { extendedRcode, extendedErrors } = this.#readAdditional(additionalAt, u16(message, 10));

    this.#begin(question, options.continues);
    const targets = options.continues === undefined ? [] : [...options.continues.targets];
    const before = options.continues?.answerCount ?? 0;
    let answerCount = before + this.#writeChain(question, answers, targets, options);
    const complete = this.#complete;
    const aliasCount = targets.length;
    const found = complete ? this.#writeRrset(question.type, answers, options.dnssecOk) : 0;
    if (complete && found === 0) this.#refuseLoneDname(answers);
    answerCount += found;
    if (found > 0) this.#collectServiceTargets(question.type, answers, targets);

    const rcode = extendedRcode | (message[3] & 15);
    // The name does not exist and here are its records: one of the two is false. (For CNAME the target may be meant.)
    if (rcode === Rcode.NXDOMAIN && found > 0 && question.type !== Rrtype.CNAME) {
      throw new BrokenReply('records under NXDOMAIN');
    }
    const negative = complete && found === 0;
    let authorityCount = 0;
    let ttlSeconds = answerCount > 0 ? this.#ttlSeconds : 0;
    if (complete) {
      const authority = this.#writeAuthority(answers, authorities, negative, options.dnssecOk);
      authorityCount = authority.count;
      // Without SOA a negative answer says nothing about how long it holds: not kept (RFC 2308 section 5).
      if (negative) {
        ttlSeconds = authority.soaTtlSeconds;
        if (answerCount > 0) ttlSeconds = Math.min(ttlSeconds, this.#ttlSeconds);
      }
    }
    if (rcode !== Rcode.NOERROR && rcode !== Rcode.NXDOMAIN) ttlSeconds = 0;
    const bodyAt = HEADER_LENGTH + question.length + 4;
    return {
      rcode,
      answerCount,
      authorityCount,
      body: this.#out.slice(bodyAt, this.#outAt),
      ttlAt: this.#ttlAt.slice(0, this.#ttlCount),
      ttlSeconds,
      targets: targets.length === 0 ? NO_TARGETS : targets,
      aliasCount,
      complete,
      negative,
      authenticated: options.trusted && (message[3] & 0x20) !== 0,
      extendedErrors,
    };
  }

  #complete = true;

  /** First pass: every record's place; returns the position behind them. */
  #findRecords(at: number, count: number): number {
    const record = this.#record;
    for (let i = 0; i < count; i++) {
      at = record.read(this.#message, at, this.#end);
      if (at === MALFORMED) throw new BrokenReply('malformed record');
      this.#ownerAt[i] = record.ownerAt;
      this.#type[i] = record.type;
      this.#class[i] = record.class;
      this.#ttl[i] = record.ttlSeconds;
      this.#rdataAt[i] = record.rdataAt;
      this.#rdataLength[i] = record.rdataLength;
    }
    return at;
  }

  /** The OPT record gives the upper bits of the rcode and extended errors; every other additional record is dropped. */
  #readAdditional(at: number, count: number): { extendedRcode: number; extendedErrors: Uint8Array } {
    const record = this.#record;
    const message = this.#message;
    let extendedRcode = 0;
    let seen = false;
    const kept: Uint8Array[] = [];
    let keptLength = 0;
    if (count > RECORD_COUNT_MAX) throw new BrokenReply('too many records');
    for (; count > 0; count--) {
      at = record.read(message, at, this.#end);
      if (at === MALFORMED) throw new BrokenReply('malformed record');
      if (record.type !== Rrtype.OPT) continue;
      if (seen || message[record.ownerAt] !== 0) throw new BrokenReply('malformed record');
      seen = true;
      extendedRcode = message[record.ttlAt] << 4;
      for (let option = record.rdataAt; option < at; ) {
        const optionEnd = option + 4 + (option + 4 <= at ? u16(message, option + 2) : 0xffff);
        if (optionEnd > at) throw new BrokenReply('malformed record');
        const isError = u16(message, option) === 15 && optionEnd - option >= 6;
        if (isError && keptLength + optionEnd - option <= EXTENDED_ERRORS_LENGTH_MAX) {
          kept.push(message.slice(option, optionEnd));
          keptLength += optionEnd - option;
        }
        option = optionEnd;
      }
    }
    if (at !== this.#end) throw new BrokenReply('octets behind the last record');
    return { extendedRcode, extendedErrors: keptLength === 0 ? NO_OCTETS : Buffer.concat(kept) };
  }

  #begin(question: Question, continues: Answer | undefined): void {
    const out = this.#out;
    const questionEnd = HEADER_LENGTH + question.length + 4;
    copyOctets(question.name, 0, out, HEADER_LENGTH, question.length);
    this.#nameAt.length = 0;
    this.#nameAt.push(HEADER_LENGTH);
    this.#complete = true;
    this.#seed = question.seed;
    this.#ttlCount = 0;
    this.#outAt = questionEnd;
    this.#ttlSeconds = TTL_SECONDS_MAX;
    const last = continues?.targets.at(-1);
    if (continues === undefined || last === undefined) {
      copyOctets(question.name, 0, this.#current, 0, question.length);
      return;
    }
    this.#outAt = copyOctets(continues.body, 0, out, questionEnd, continues.body.length);
    this.#ttlAt.set(continues.ttlAt);
    this.#ttlCount = continues.ttlAt.length;
    this.#ttlSeconds = continues.ttlSeconds;
    copyOctets(last, 0, this.#current, 0, last.length);
  }

  /** Aliases from `#current` on; leaves the name at the end of the chain in `#current`. Returns the records written. */
  #writeChain(question: Question, answers: number, targets: Uint8Array[], options: ReadOptions): number {
    let written = 0;
    for (;;) {
      const alias = this.#aliasOf(answers);
      if (alias === -1) return written;
      const length = readName(this.#message, this.#rdataAt[alias], this.#rdataEnd(alias), this.#owner);
      if (length === MALFORMED) throw new BrokenReply('malformed record');
      const target = this.#owner.slice(0, length);
      // The alias itself was asked for: nothing is followed, but where it was made from is still told.
      if (question.type === Rrtype.CNAME) return this.#writeDname(answers, target, options.dnssecOk);
      if (targets.length === ALIAS_COUNT_MAX) throw new BrokenReply('alias chain too long');
      written += this.#writeDname(answers, target, options.dnssecOk);
      written += this.#writeRrset(Rrtype.CNAME, answers, options.dnssecOk);
      if (sameName(target, 0, question.name, 0) || targets.some((seen) => sameName(seen, 0, target, 0))) {
        throw new BrokenReply('alias loop');
      }
      targets.push(target);
      copyOctets(target, 0, this.#current, 0, length);
      if (!options.mayFollow(target)) {
        this.#complete = false;
        return written;
      }
    }
  }

  /** Index of the alias at `#current`, −1 without one. Two different ones are a fault (RFC 2181 section 10.1). */
  #aliasOf(answers: number): number {
    let alias = -1;
    for (let i = 0; i < answers; i++) {
      if (this.#type[i] !== Rrtype.CNAME || !this.#isCurrent(i)) continue;
      if (alias !== -1 && !this.#sameRdataName(alias, i)) throw new BrokenReply('two aliases at one name');
      if (alias === -1) alias = i;
    }
    return alias;
  }

  #sameRdataName(left: number, right: number): boolean {
    const one = new Uint8Array(256);
    const two = new Uint8Array(256);
    return (
      readName(this.#message, this.#rdataAt[left], this.#rdataEnd(left), one) !== MALFORMED &&
      readName(this.#message, this.#rdataAt[right], this.#rdataEnd(right), two) !== MALFORMED &&
      sameName(one, 0, two, 0)
    );
  }

  /** Whether record `i` is owned by `#current` and of class IN. */
  #isCurrent(i: number): boolean {
    if (this.#class[i] !== Rrclass.IN) return false;
    const length = readName(this.#message, this.#ownerAt[i], this.#end, this.#owner);
    if (length === MALFORMED) throw new BrokenReply('malformed record');
    return sameName(this.#owner, 0, this.#current, 0);
  }

  /**
   * The DNAME from which a server made the alias from `#current` to `target`, with its signatures if wanted (RFC 6672 section 3.2:
   * it comes with the alias, asked for or not). One that would have made another alias is left out: resolvers in front
   * of us would make answers from it for names that nobody asked about.
   */
  #writeDname(answers: number, target: Uint8Array, signed: boolean): number {
    for (let i = 0; i < answers; i++) {
      if (this.#type[i] !== Rrtype.DNAME || this.#class[i] !== Rrclass.IN) continue;
      const length = readName(this.#message, this.#ownerAt[i], this.#end, this.#owner);
      if (length === MALFORMED) throw new BrokenReply('malformed record');
      const owner = this.#owner.slice(0, length);
      const below = this.#octetsBelow(owner);
      if (below <= 0) continue;
      const end = readName(this.#message, this.#rdataAt[i], this.#rdataEnd(i), this.#owner);
      if (end === MALFORMED) throw new BrokenReply('malformed record');
      if (target.length !== below + end || !sameName(target, below, this.#owner, 0)) continue;
      if (!this.#beginsAs(target, below)) continue;
      let written = this.#writeRecord(i, this.#ttl[i]);
      this.#ttlSeconds = Math.min(this.#ttlSeconds, this.#ttl[i]);
      for (let j = 0; signed && j < answers; j++) {
        if (this.#type[j] !== Rrtype.RRSIG || this.#covered(j) !== Rrtype.DNAME) continue;
        if (readName(this.#message, this.#ownerAt[j], this.#end, this.#owner) === MALFORMED) continue;
        if (sameName(this.#owner, 0, owner, 0)) written += this.#writeRecord(j, this.#ttl[j]);
      }
      return written;
    }
    return 0;
  }

  /**
   * A DNAME above `#current` says that it is an alias, and the alias has to come along (RFC 6672 section 3.1). Without it the
   * rest looks as if there was nothing.
   */
  #refuseLoneDname(answers: number): void {
    for (let i = 0; i < answers; i++) {
      if (this.#type[i] !== Rrtype.DNAME || this.#class[i] !== Rrclass.IN) continue;
      const length = readName(this.#message, this.#ownerAt[i], this.#end, this.#owner);
      if (length === MALFORMED) throw new BrokenReply('malformed record');
      if (this.#octetsBelow(this.#owner.subarray(0, length)) > 0)
        throw new BrokenReply('no alias beside its DNAME');
    }
  }

  /** Whether the first `length` octets of `#current` and of `name` are the same. */
  #beginsAs(name: Uint8Array, length: number): boolean {
    for (let i = 0; i < length; i++) if (name[i] !== this.#current[i]) return false;
    return true;
  }

  /** Octets that `#current` has before it becomes `name`: 0 when it is that name, −1 when it is not below it. */
  #octetsBelow(name: Uint8Array): number {
    const currentLength = nameLength(this.#current);
    let at = 0;
    while (currentLength - at > name.length) at += this.#current[at] + 1;
    return currentLength - at === name.length && sameName(this.#current, at, name, 0) ? at : -1;
  }

  /** All records of `type` at `#current`, with one TTL (RFC 2181 section 5.2), and their signatures if wanted. */
  #writeRrset(type: number, answers: number, signed: boolean): number {
    let ttl = TTL_SECONDS_MAX;
    let count = 0;
    for (let i = 0; i < answers; i++) {
      if (this.#type[i] !== type || !this.#isCurrent(i)) continue;
      if (++count > RRSET_LENGTH_MAX) throw new BrokenReply('too many records');
      ttl = Math.min(ttl, this.#ttl[i]);
    }
    if (count === 0) return 0;
    let written = 0;
    let signatures = 0;
    this.#setAt.length = 0;
    for (let i = 0; i < answers; i++) {
      const isSignature = signed && this.#type[i] === Rrtype.RRSIG && this.#covered(i) === type;
      if (!(this.#type[i] === type || isSignature) || !this.#isCurrent(i)) continue;
      if (isSignature && ++signatures > RRSET_LENGTH_MAX) throw new BrokenReply('too many records');
      written += this.#writeRecord(i, ttl);
      if (this.#isTwin()) written--;
      // One alias is written, however often the upstream repeated it.
      if (type === Rrtype.CNAME && !signed) break;
    }
    this.#ttlSeconds = Math.min(this.#ttlSeconds, ttl);
    return written;
  }

  /** Takes back the record just written when its set has it already (RFC 2181 section 5). */
  #isTwin(): boolean {
    const out = this.#out;
    // Compared from the type on, TTLs aside: owners are the same, but may be written as a name or as a pointer.
    const ttlAt = this.#bodyAt + this.#ttlAt[this.#ttlCount - 1];
    const length = this.#outAt - ttlAt;
    // Long records that differ at their ends only would be compared for milliseconds, so hashes are compared first.
    let hash = this.#seed;
    for (let at = ttlAt + 6; at < this.#outAt; at++)
      hash = Math.imul(hash ^ out[at], 0x5bd1e995) ^ (hash >>> 15);
    for (let i = 0; i < this.#setAt.length; i++) {
      const other = this.#setAt[i];
      const isSame =
        this.#setHash[i] === hash &&
        u16(out, other + 4) === length - 6 &&
        u16(out, other - 4) === u16(out, ttlAt - 4) &&
        sameOctets(out, other + 6, out, ttlAt + 6, length - 6);
      if (!isSame) continue;
      this.#ttlCount--;
      this.#outAt = this.#recordAt;
      this.#nameAt.length = this.#namesBefore;
      return true;
    }
    this.#setHash[this.#setAt.length] = hash;
    this.#setAt.push(ttlAt);
    return false;
  }

  #covered(i: number): number {
    return this.#rdataLength[i] >= 2 ? u16(this.#message, this.#rdataAt[i]) : -1;
  }

  #rdataEnd(i: number): number {
    return this.#rdataAt[i] + this.#rdataLength[i];
  }

  /**
   * Negative answers keep the SOA of a zone that holds the name; for clients that validate, proofs are kept too.
   * `soaTtlSeconds` is the lesser of the SOA's TTL and its MINIMUM (RFC 2308 section 5), 0 without one.
   */
  #writeAuthority(
    answers: number,
    authorities: number,
    negative: boolean,
    dnssecOk: boolean,
  ): { count: number; soaTtlSeconds: number } {
    let count = 0;
    let soaTtlSeconds = 0;
    let hasSoa = false;
    if (!negative && !dnssecOk) return { count, soaTtlSeconds };
    for (let i = answers; i < answers + authorities; i++) {
      const type = this.#type[i];
      if (this.#class[i] !== Rrclass.IN) continue;
      if (type === Rrtype.SOA && negative) {
        if (hasSoa || !this.#ownsCurrent(i)) continue;
        hasSoa = true;
        const minimum = this.#rdataLength[i] >= 22 ? u32(this.#message, this.#rdataEnd(i) - 4) : 0;
        soaTtlSeconds = Math.min(this.#ttl[i], minimum > TTL_SECONDS_MAX ? 0 : minimum);
        count += this.#writeRecord(i, soaTtlSeconds);
      } else if (dnssecOk && this.#isProof(i, negative)) {
        count += this.#writeRecord(i, this.#ttl[i]);
      }
    }
    return { count, soaTtlSeconds };
  }

  #isProof(i: number, negative: boolean): boolean {
    const type = this.#type[i] === Rrtype.RRSIG ? this.#covered(i) : this.#type[i];
    return type === Rrtype.NSEC || type === Rrtype.NSEC3 || (negative && type === Rrtype.SOA);
  }

  /** Whether the owner of record `i` is `#current` or above it. */
  #ownsCurrent(i: number): boolean {
    const length = readName(this.#message, this.#ownerAt[i], this.#end, this.#owner);
    if (length === MALFORMED) throw new BrokenReply('malformed record');
    return this.#octetsBelow(this.#owner.subarray(0, length)) !== -1;
  }

  #collectServiceTargets(type: number, answers: number, targets: Uint8Array[]): void {
    if (type !== Rrtype.HTTPS && type !== Rrtype.SVCB) return;
    for (let i = 0; i < answers; i++) {
      if (this.#type[i] !== type || !this.#isCurrent(i)) continue;
      const length = readName(this.#message, this.#rdataAt[i] + 2, this.#rdataEnd(i), this.#owner);
      if (length === MALFORMED) throw new BrokenReply('malformed record');
      // "." stands for the owner itself (RFC 9460 section 2.5).
      if (length > 1 && targets.length < ALIAS_COUNT_MAX * 2) targets.push(this.#owner.slice(0, length));
    }
  }

  #writeRecord(i: number, ttlSeconds: number): 1 {
    const out = this.#out;
    this.#recordAt = this.#outAt;
    this.#namesBefore = this.#nameAt.length;
    // A reply holds no more records than the columns do, but several of them make one answer.
    if (this.#ttlCount === this.#ttlAt.length) throw new BrokenReply('too many records');
    let at = this.#writeOwner(i);
    at = putU16(out, at, this.#type[i]);
    at = putU16(out, at, Rrclass.IN);
    this.#ttlAt[this.#ttlCount++] = at - this.#bodyAt;
    at = putU32(out, at, ttlSeconds);
    const rdataEnd = this.#writeRdata(i, at + 2);
    // A response longer than a message can be is not one; #out has room for the record that went over.
    if (rdataEnd > 0xffff) throw new BrokenReply('too many records');
    putU16(out, at, rdataEnd - at - 2);
    this.#outAt = rdataEnd;
    return 1;
  }

  get #bodyAt(): number {
    return HEADER_LENGTH + nameLength(this.#out, HEADER_LENGTH) + 4;
  }

  /** The owner: a pointer to the question or to an alias target already written, else the name itself. */
  #writeOwner(i: number): number {
    const out = this.#out;
    const at = this.#outAt;
    const length = expandName(this.#message, this.#ownerAt[i], this.#end, out, at);
    if (length === MALFORMED) throw new BrokenReply('malformed record');
    for (const known of this.#nameAt) {
      const knownLength = nameLength(out, known);
      // The SOA of a negative answer is often the question less its first labels.
      for (let skipped = 0, place = known; knownLength - skipped >= length; ) {
        // A pointer has 14 bits: the end of a name may lie beyond its reach though the beginning does not.
        if (place >= POINTER_REACH) break;
        if (length > 1 && knownLength - skipped === length && sameNameFolded(out, place, out, at)) {
          return putU16(out, at, 0xc000 | place);
        }
        if (out[place] === 0) break;
        skipped += out[place] + 1;
        place += out[place] + 1;
      }
    }
    if (at < POINTER_REACH && length > 1 && this.#nameAt.length < 16) this.#nameAt.push(at);
    return at + length;
  }

  /** Rdata with its names expanded; a length or form that the type cannot have makes the whole reply unusable. */
  #writeRdata(i: number, to: number): number {
    const message = this.#message;
    const rdataAt = this.#rdataAt[i];
    const rdataEnd = this.#rdataEnd(i);
    const type = this.#type[i];
    const form = nameLayoutOf(type);
    if (form === undefined) {
      const fixed = fixedRdataLength(type);
      if (fixed !== -1 && fixed !== this.#rdataLength[i]) throw new BrokenReply('malformed record');
      if (!hasWholeStrings(type, message, rdataAt, rdataEnd)) throw new BrokenReply('malformed record');
      return copyOctets(message, rdataAt, this.#out, to, this.#rdataLength[i]);
    }
    let at = rdataAt + form.before;
    if (at > rdataEnd) throw new BrokenReply('malformed record');
    to = copyOctets(message, rdataAt, this.#out, to, form.before);
    for (let name = 0; name < form.names; name++) {
      const next = skipName(message, at, rdataEnd);
      const length = next === MALFORMED ? MALFORMED : expandName(message, at, rdataEnd, this.#out, to);
      if (length === MALFORMED) throw new BrokenReply('malformed record');
      if (type === Rrtype.CNAME && to < POINTER_REACH && this.#nameAt.length < 16) this.#nameAt.push(to);
      to += length;
      at = next;
    }
    const rest = rdataEnd - at;
    if (form.after !== -1 && rest !== form.after) throw new BrokenReply('malformed record');
    return copyOctets(message, at, this.#out, to, rest);
  }
}

const NO_OCTETS = new Uint8Array(0);
