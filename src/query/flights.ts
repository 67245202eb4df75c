/**
 * Questions on their way to an upstream, and who waits for each: identical questions are merged, so that a flood of one
 * name costs one upstream query and gives a forger one chance (birthday attacks).
 *
 * A flight outlives its clients: when the last of them has had its SERVFAIL, the reply is still awaited for the cache.
 */
import type { Answer } from '../answer/index.ts';
import type { Cell } from '../cache/index.ts';
import type { Verdict } from '../policy/index.ts';
import type { Asker, UpstreamFailure, UpstreamQuestion } from '../upstream/contract.ts';
import { copyOctets, type Question, sameOctets } from '../wire/index.ts';
import type { Finding } from './contract.ts';
import type { Query } from './query.ts';
import { Shares } from './shares.ts';
import type { Site } from './site.ts';

/** Where flights come back to. */
export interface FlightHome {
  answered(flight: Flight, message: Uint8Array, length: number, server: string, trusted: boolean): boolean;
  failed(flight: Flight, failure: UpstreamFailure, server: string): void;
}

/** One question on its way: what is asked upstream, and who is told there, in one object. */
export class Flight implements UpstreamQuestion, Asker {
  readonly #home: FlightHome;
  readonly key: number;
  readonly name: Uint8Array;
  readonly nameLength: number;
  readonly type: number;
  readonly variant: number;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
  /** Site and group of the query that began it: by these the answer is judged. */
  readonly site: Site;
  readonly group: number;
  readonly startedAtMs: number;
  /** What was said of the question, and the phase of the policy in which it holds (`Policy.phaseAt`). */
  readonly verdict: Verdict;
  readonly phase: number;
  /** Pool that is asked now; an alias may lead to another. */
  pool: string;
  /** Pool of the question itself: the cache is keyed by it. */
  readonly firstPool: string;
  /** An answer past its time, given when nothing better comes (RFC 8767). */
  stale: Cell | null = null;
  /** Chain so far, when it was cut at a name of another pool. */
  prefix: Answer | null = null;
  restarts = 0;
  /** Why the last reply could not be used, and whose it was. */
  unusable: { readonly why: string; readonly server: string } | null = null;
  /** Asks whether we are well (`. NS`): answered here when no upstream does. */
  isHealthProbe = false;
  /** Nobody waited when it began: what it was asked for is still in the cache. */
  isPrefetch = false;
  /** What its name gives away, in the case of a query that shows it. */
  finding: Finding | null;
  /** Where it is counted, in `Flights`. */
  narrowShare = 0;
  wideShare = 0;
  poolCount: PoolCount | null = null;
  /** A reply or a failure has come: nobody joins any more. */
  isOver = false;
  /** First of the queries that wait, linked by `nextInFlight`. */
  waiting: Query | null = null;
  /** The next flight in the same bucket. */
  next: Flight | null = null;

  constructor(
    home: FlightHome,
    question: Question,
    variant: number,
    query: Query,
    verdict: Verdict,
    phase: number,
    pool: string,
  ) {
    this.#home = home;
    this.key = keyOf(question, variant);
    this.name = new Uint8Array(question.length);
    copyOctets(question.name, 0, this.name, 0, question.length);
    this.nameLength = question.length;
    this.verdict = verdict;
    this.phase = phase;
    this.type = question.type;
    this.variant = variant;
    this.dnssecOk = query.dnssecOk;
    this.checkingDisabled = query.checkingDisabled;
    this.site = query.site;
    this.group = query.group;
    this.startedAtMs = query.arrivedAtMs;
    this.pool = pool;
    this.firstPool = pool;
    this.finding = query.finding ?? null;
  }

  /** Begun by an alias of a local zone: what is asked is the rest of a chain of ours, and nothing of it is kept. */
  get beginsHere(): boolean {
    return this.variant < 0;
  }

  /** Whether anybody is still there to be answered. A prefetch is for those who will ask. */
  get isWanted(): boolean {
    if (this.isPrefetch) return true;
    for (let query = this.waiting; query !== null; query = query.nextInFlight)
      if (query.message === null || !query.message.cancelled) return true;
    return false;
  }

  answered(message: Uint8Array, length: number, server: string, trusted: boolean): boolean {
    return this.#home.answered(this, message, length, server, trusted);
  }

  failed(failure: UpstreamFailure, server: string): void {
    this.#home.failed(this, failure, server);
  }

  addWaiting(query: Query): void {
    query.nextInFlight = this.waiting;
    this.waiting = query;
  }

  removeWaiting(query: Query): void {
    if (this.waiting === query) {
      this.waiting = query.nextInFlight;
    } else {
      for (let at = this.waiting; at !== null; at = at.nextInFlight) {
        if (at.nextInFlight !== query) continue;
        at.nextInFlight = query.nextInFlight;
        break;
      }
    }
    query.nextInFlight = null;
  }
}

/** Flights of one pool. */
interface PoolCount {
  flights: number;
}

interface FlightBounds {
  /** Most flights in all. One pool may have half of them, so that a silent one leaves room for the others. */
  readonly flights: number;
  /** Most flights for names with the same last three labels; twice as many for the same last two. */
  readonly flightsPerDomain: number;
}

/** As many as flights are allowed, up to this. */
const BUCKETS_MAX = 65_536;

/**
 * All flights of one worker, found by question, variant and site. They come and go with every miss, in chains from an array of
 * buckets: a Map would be made anew every few thousand.
 */
export class Flights {
  readonly #buckets: (Flight | null)[];
  readonly #mask: number;
  readonly #shares = new Shares();
  /** Pools are those of the settings, so their counts need no bound of their own. */
  readonly #byPool = new Map<string, PoolCount>();
  readonly #bounds: FlightBounds;
  size = 0;

  constructor(bounds: FlightBounds) {
    this.#bounds = bounds;
    const count = 2 ** Math.ceil(Math.log2(Math.max(1, bounds.flights)));
    this.#mask = Math.min(count, BUCKETS_MAX) - 1;
    this.#buckets = new Array(this.#mask + 1).fill(null);
  }

  /** The bound that keeps a question from being asked, or null. */
  fullFor(question: Question, pool: string): 'flights' | 'pool' | 'domain' | null {
    const { flights, flightsPerDomain } = this.#bounds;
    if (this.size >= flights) return 'flights';
    if (this.#countOf(pool).flights >= Math.max(1, flights >> 1)) return 'pool';
    const shares = this.#shares;
    if (shares.at(shares.narrow(question)) >= flightsPerDomain) return 'domain';
    return shares.at(shares.wide(question)) >= 2 * flightsPerDomain ? 'domain' : null;
  }

  find(question: Question, variant: number, site: Site): Flight | null {
    const key = keyOf(question, variant);
    for (let flight = this.#buckets[key & this.#mask]; flight !== null; flight = flight.next) {
      if (
        flight.key === key &&
        flight.type === question.type &&
        flight.variant === variant &&
        flight.site === site &&
        flight.name.length === question.length &&
        sameOctets(flight.name, 0, question.name, 0, question.length)
      ) {
        return flight;
      }
    }
    return null;
  }

  /** `question` is the one the flight was made for. */
  add(flight: Flight, question: Question): void {
    const bucket = flight.key & this.#mask;
    flight.next = this.#buckets[bucket];
    this.#buckets[bucket] = flight;
    this.size++;
    flight.narrowShare = this.#shares.narrow(question);
    flight.wideShare = this.#shares.wide(question);
    this.#shares.add(flight.narrowShare);
    this.#shares.add(flight.wideShare);
    flight.poolCount = this.#countOf(flight.firstPool);
    flight.poolCount.flights++;
  }

  remove(flight: Flight): void {
    const bucket = flight.key & this.#mask;
    let before: Flight | null = null;
    let at = this.#buckets[bucket];
    for (; at !== flight && at !== null; at = at.next) before = at;
    if (at === null) return;
    if (before === null) this.#buckets[bucket] = flight.next;
    else before.next = flight.next;
    flight.next = null;
    this.#forget(flight);
  }

  #forget(flight: Flight): void {
    this.size--;
    this.#shares.remove(flight.narrowShare);
    this.#shares.remove(flight.wideShare);
    if (flight.poolCount !== null) flight.poolCount.flights--;
  }

  #countOf(pool: string): PoolCount {
    let count = this.#byPool.get(pool);
    if (count === undefined) {
      count = { flights: 0 };
      this.#byPool.set(pool, count);
    }
    return count;
  }
}

const keyOf = (question: Question, variant: number): number =>
  (Math.imul(question.suffixHash[0] ^ question.type, 0x85ebca6b) ^ Math.imul(variant + 1, 0xc2b2ae35)) | 0;

/** Queries that wait, in the order in which their time runs out: all of one list have the same patience. */
export class WaitingList {
  oldest: Query | null = null;
  #newest: Query | null = null;
  size = 0;

  add(query: Query): void {
    query.waitingBefore = this.#newest;
    query.waitingAfter = null;
    if (this.#newest === null) this.oldest = query;
    else this.#newest.waitingAfter = query;
    this.#newest = query;
    this.size++;
  }

  remove(query: Query): void {
    if (query.waitingBefore === null) this.oldest = query.waitingAfter;
    else query.waitingBefore.waitingAfter = query.waitingAfter;
    if (query.waitingAfter === null) this.#newest = query.waitingBefore;
    else query.waitingAfter.waitingBefore = query.waitingBefore;
    query.waitingBefore = null;
    query.waitingAfter = null;
    this.size--;
  }
}
