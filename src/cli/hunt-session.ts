/**
 * The detector over a log: the fast path and the slow view joined as a running resolver joins them, with the clock of
 * the log. A question that was answered within the last minute comes from a cache, as it would there.
 */
import {
  type Alarm,
  createDetectMemory,
  createFastPath,
  createSlowView,
  type FastPath,
  HOLD_SECONDS_MAX,
  type Profile,
  type SlowView,
} from '../detect/index.ts';
import { NameError, nameOctets, Question } from '../wire/index.ts';
import type { HuntRecord } from './hunt-records.ts';
import { Answered, type Key, Pairs } from './hunt-tables.ts';

/** What a policy says of a question, when the caller has one; without it every name is allowed. */
export type Judge = (
  question: Question,
  client: Uint8Array,
  clientLength: number,
  nowMs: number,
) => 'allow' | 'deny';

export interface HuntVerdict {
  readonly type: 'verdict';
  readonly client: string;
  readonly domain: string;
  readonly action: string;
  /** Bits counted against the bound that was broken. */
  readonly score: number;
  readonly rule: string;
  readonly scope: string;
  readonly firstSeen: string;
  readonly decidedAt: string;
  /** Queries and octets below the domain that had left before the verdict. */
  readonly queriesBefore: number;
  readonly octetsBefore: number;
  readonly evidence: readonly string[];
}

export interface HuntDenial {
  readonly type: 'query';
  readonly line: number;
  readonly action: 'deny';
  readonly file?: string;
}

export interface HuntOptions {
  readonly profile: Profile;
  readonly judge?: Judge;
  readonly onVerdict: (verdict: HuntVerdict) => void;
  readonly onDenial?: (record: HuntRecord, by: 'policy' | 'detector') => void;
  /** Told of each name that no resolver would take up, and what is wrong with it. */
  readonly onUnreadable?: (record: HuntRecord, fault: string) => void;
}

const CACHE_MS = 60_000;
/** How old an answer may be that a running resolver gives where questions are held. */
const HOLD_MS = HOLD_SECONDS_MAX * 1000;
const SEED = 0x53414c59;

export class HuntSession {
  queries = 0;
  deniedQueries = 0;
  /** Those that would have left for an upstream. */
  forwardedQueries = 0;
  /** Answered from what is kept, past its time. */
  heldQueries = 0;
  flaggedPairs = 0;
  unreadable = 0;
  readonly #options: HuntOptions;
  readonly #fast: FastPath;
  readonly #slow: SlowView;
  readonly #question = new Question(SEED);
  readonly #client = new Uint8Array(16);
  readonly #pairs = new Pairs();
  readonly #answered = new Answered();
  /** The question at hand, and its client and zone. */
  readonly #asked: Key = { a: 0, b: 0 };
  readonly #pair: Key = { a: 0, b: 0 };
  readonly #zone = (): string => this.#fast.zoneText(this.#question);

  constructor(options: HuntOptions) {
    this.#options = options;
    this.#fast = createFastPath({ seed: SEED, memory: createDetectMemory() });
    this.#slow = createSlowView();
  }

  get pairs(): number {
    return this.#pairs.count;
  }

  /** Records must come in order of time. */
  feed(record: HuntRecord): void {
    const name = octetsOf(record.name);
    if (typeof name === 'string') {
      // No resolver takes such a name up, so it is neither forwarded nor a matter for the detector.
      this.queries++;
      this.unreadable++;
      this.#options.onUnreadable?.(record, name);
      return;
    }
    const question = this.#question.set(name, record.type);
    const length = clientOctets(record.client, this.#client);
    if (record.isAnswer === true) {
      this.#observe(record, length);
      return;
    }
    this.queries++;
    const { judge, profile } = this.#options;
    if (judge !== undefined && judge(question, this.#client, length, record.atMs) === 'deny') {
      this.#deny(record, 'policy');
      return;
    }
    // As in the query path: what a cache answers is not checked, for nothing leaves.
    this.#readKey();
    const age = record.atMs - this.#answered.find(this.#asked);
    if (age < CACHE_MS) return;
    if (age < HOLD_MS && this.#fast.holds(question, this.#client, length, record.atMs) && profile !== 'off') {
      this.heldQueries++;
      return;
    }
    const alarm = this.#fast.check(question, this.#client, length, record.atMs, profile);
    const pair = this.#pairOf(record, length);
    if (alarm !== null) {
      this.#flag(record, pair, alarm);
      this.#deny(record, 'detector');
      return;
    }
    this.#answered.note(this.#asked, record.atMs);
    this.forwardedQueries++;
    const { charge } = this.#fast;
    this.#pairs.noteLeft(pair, charge.octets);
    const verdict = this.#slow.note(charge, this.#zone);
    if (verdict !== null) {
      const zone = this.#zone();
      this.#fast.apply(verdict, zone);
      if (verdict.action === 'block') this.#flag(record, pair, { ...verdict, zone });
    }
    this.#observe(record, length);
  }

  #observe(record: HuntRecord, length: number): void {
    if (record.octets === 0) return;
    const alarm = this.#fast.observe(
      this.#question,
      this.#client,
      length,
      record.atMs,
      this.#options.profile,
      Math.max(0, record.rcode),
      record.octets,
      record.distinctAnswers,
    );
    if (alarm !== null) this.#flag(record, this.#pairOf(record, length), alarm);
  }

  /** Of the zone that the last check or observation held to account. An IPv6 client counts with all of its octets here. */
  #pairOf(record: HuntRecord, clientLength: number): number {
    const { zoneA, zoneB } = this.#fast.charge;
    let a = zoneA;
    let b = zoneB;
    for (let i = 0; i < clientLength; i++) {
      a = Math.imul(a ^ this.#client[i], 0x01000193) ^ (a >>> 13);
      b = Math.imul(b ^ this.#client[i], 0x85ebca6b) ^ (b >>> 15);
    }
    this.#pair.a = a;
    this.#pair.b = b;
    return this.#pairs.open(this.#pair, record.atMs);
  }

  #flag(record: HuntRecord, pair: number, alarm: Alarm): void {
    if (!this.#pairs.flag(pair)) return;
    this.flaggedPairs++;
    const domain = this.#zone();
    this.#options.onVerdict({
      type: 'verdict',
      client: record.client,
      domain,
      action:
        alarm.scope === 'client'
          ? 'block new domains for client'
          : `block domain for ${alarm.scope === 'domain' ? 'all' : 'client'}`,
      score: Math.round(alarm.scoreBits * 10) / 10,
      rule: alarm.rule,
      scope: alarm.scope,
      firstSeen: new Date(this.#pairs.firstMs(pair)).toISOString(),
      decidedAt: new Date(record.atMs).toISOString(),
      queriesBefore: this.#pairs.queries(pair),
      octetsBefore: this.#pairs.octets(pair),
      evidence: alarm.evidence,
    });
  }

  #deny(record: HuntRecord, by: 'policy' | 'detector'): void {
    this.deniedQueries++;
    this.#options.onDenial?.(record, by);
  }

  /** The key of name and type: the question's own hash, and a second one. */
  #readKey(): void {
    const { name, length, hash, type } = this.#question;
    let b = type;
    for (let i = 0; i < length; i++) b = Math.imul(b ^ name[i], 0x85ebca6b) ^ (b >>> 13);
    this.#asked.a = (hash ^ (hash >>> 16) ^ Math.imul(type, 0x9e3779b1)) | 0;
    this.#asked.b = b | 0;
  }
}

/**
 * The name in octets, or what is wrong with it. Sensors that lose octets leave empty labels behind, which are passed over;
 * what JSON has written as a letter beyond Latin-1 was UTF-8.
 */
function octetsOf(text: string): Uint8Array | string {
  try {
    const whole =
      text.includes('..') || text.startsWith('.')
        ? text.replace(/\.{2,}/g, '.').replace(/^\.(?=.)/, '')
        : text;
    return nameOctets(
      whole.replace(BEYOND_LATIN_1, (letter) => Buffer.from(letter, 'utf8').toString('latin1')),
    );
  } catch (error) {
    if (error instanceof NameError) return error.message;
    throw error;
  }
}

const BEYOND_LATIN_1 = /[\u0100-\u{10ffff}]/gu;

/** Writes the address to `into` and returns its length; a client that is no address is known by a hash of its text. */
export function clientOctets(text: string, into: Uint8Array): number {
  const v4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (v4 !== null) {
    for (let i = 0; i < 4; i++) into[i] = Number(v4[i + 1]);
    return 4;
  }
  if (text.includes(':') && readIpv6(text, into)) return 16;
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  into[0] = hash >>> 24;
  into[1] = hash >>> 16;
  into[2] = hash >>> 8;
  into[3] = hash;
  return 4;
}

function readIpv6(text: string, into: Uint8Array): boolean {
  const [head, tail, more] = text.split('%')[0].split('::');
  if (more !== undefined) return false;
  const groups = (part: string | undefined): number[] =>
    part === undefined || part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const left = groups(head);
  const right = groups(tail);
  if (left.length + right.length > 8 || [...left, ...right].some((group) => !(group >= 0 && group <= 0xffff)))
    return false;
  const all = [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
  for (let i = 0; i < 8; i++) {
    into[2 * i] = all[i] >>> 8;
    into[2 * i + 1] = all[i];
  }
  return true;
}
