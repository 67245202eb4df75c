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
}

interface Pair {
  firstMs: number;
  queries: number;
  octets: number;
  flagged: boolean;
}

const CACHE_MS = 60_000;
/** How old an answer may be that a running resolver gives where questions are held. */
const HOLD_MS = HOLD_SECONDS_MAX * 1000;
const CACHE_MAX = 500_000;
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
  readonly #pairs = new Map<string, Pair>();
  readonly #answered = new Map<string, number>();

  constructor(options: HuntOptions) {
    this.#options = options;
    this.#fast = createFastPath({ seed: SEED, memory: createDetectMemory() });
    this.#slow = createSlowView();
  }

  get pairs(): number {
    return this.#pairs.size;
  }

  /** Records must come in order of time. */
  feed(record: HuntRecord): void {
    const name = octetsOf(record.name);
    if (name === null) {
      // No resolver takes such a name up, so it is neither forwarded nor a matter for the detector.
      this.queries++;
      this.unreadable++;
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
    if (this.#isCached(record, CACHE_MS)) return;
    if (
      this.#isCached(record, HOLD_MS) &&
      this.#fast.holds(question, this.#client, length, record.atMs) &&
      profile !== 'off'
    ) {
      this.heldQueries++;
      return;
    }
    const alarm = this.#fast.check(question, this.#client, length, record.atMs, profile);
    const domain = this.#fast.zoneText(question);
    const pair = this.#pairOf(record, domain);
    if (alarm !== null) {
      this.#flag(record, domain, pair, alarm);
      this.#deny(record, 'detector');
      return;
    }
    this.#cache(record);
    this.forwardedQueries++;
    const { charge } = this.#fast;
    pair.queries++;
    pair.octets += charge.octets;
    const verdict = this.#slow.note(charge, domain);
    if (verdict !== null) {
      this.#fast.apply(verdict, domain);
      if (verdict.action === 'block') {
        this.#flag(record, domain, pair, { ...verdict, zone: domain });
      }
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
    if (alarm !== null) this.#flag(record, alarm.zone, this.#pairOf(record, alarm.zone), alarm);
  }

  #pairOf(record: HuntRecord, domain: string): Pair {
    const key = `${record.client} ${domain}`;
    let pair = this.#pairs.get(key);
    if (pair === undefined) {
      pair = { firstMs: record.atMs, queries: 0, octets: 0, flagged: false };
      this.#pairs.set(key, pair);
    }
    return pair;
  }

  #flag(record: HuntRecord, domain: string, pair: Pair, alarm: Alarm): void {
    if (pair.flagged) return;
    pair.flagged = true;
    this.flaggedPairs++;
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
      firstSeen: new Date(pair.firstMs).toISOString(),
      decidedAt: new Date(record.atMs).toISOString(),
      queriesBefore: pair.queries,
      octetsBefore: pair.octets,
      evidence: alarm.evidence,
    });
  }

  #deny(record: HuntRecord, by: 'policy' | 'detector'): void {
    this.deniedQueries++;
    this.#options.onDenial?.(record, by);
  }

  /** Whether the answer was fetched less than `ageMs` ago. */
  #isCached(record: HuntRecord, ageMs: number): boolean {
    const fetchedMs = this.#answered.get(cacheKey(record));
    return fetchedMs !== undefined && fetchedMs + ageMs > record.atMs;
  }

  #cache(record: HuntRecord): void {
    const key = cacheKey(record);
    // Taken out first, so that the oldest stand first.
    this.#answered.delete(key);
    if (this.#answered.size >= CACHE_MAX) this.#answered.delete(this.#answered.keys().next().value as string);
    this.#answered.set(key, record.atMs);
  }
}

const cacheKey = (record: HuntRecord): string => `${record.type} ${record.name.toLowerCase()}`;

/** The name in octets; sensors that lose octets leave empty labels behind, which are passed over. */
function octetsOf(text: string): Uint8Array | null {
  try {
    return nameOctets(
      text.includes('..') || text.startsWith('.')
        ? text.replace(/\.{2,}/g, '.').replace(/^\.(?=.)/, '')
        : text,
    );
  } catch (error) {
    if (error instanceof NameError) return null;
    throw error;
  }
}

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
