/**
 * Questions on their way to an upstream, and who waits for each: identical questions are merged, so that a flood of one
 * name costs one upstream query and gives a forger one chance (RELIABILITY: birthday attacks).
 *
 * A flight outlives its clients: when the last of them has had its SERVFAIL, the reply is still awaited for the cache.
 */
import type { Answer } from '../answer/index.ts';
import type { Cell } from '../cache/index.ts';
import { type Question, sameOctets } from '../wire/index.ts';
import type { Query } from './query.ts';
import type { Site } from './site.ts';

export class Flight {
  readonly key: number;
  readonly name: Uint8Array;
  readonly type: number;
  readonly variant: number;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
  /** Site and group of the query that began it: by these the answer is judged. */
  readonly site: Site;
  readonly group: number;
  readonly startedAtMs: number;
  /** Pool that is asked now; an alias may lead to another. */
  pool: string;
  /** Pool of the question itself: the cache is keyed by it. */
  readonly firstPool: string;
  /** An answer past its time, given when nothing better comes (RFC 8767). */
  stale: Cell | null = null;
  /** Chain so far, when it was cut at a name of another pool. */
  prefix: Answer | null = null;
  restarts = 0;
  /** A reply or a failure has come: nobody joins any more. */
  isOver = false;
  /** First of the queries that wait, linked by `nextInFlight`. */
  waiting: Query | null = null;
  /** The next flight with the same hash. */
  sameKey: Flight | null = null;

  constructor(question: Question, variant: number, query: Query, pool: string, nowMs: number) {
    this.key = keyOf(question, variant);
    this.name = question.name.slice(0, question.length);
    this.type = question.type;
    this.variant = variant;
    this.dnssecOk = query.dnssecOk;
    this.checkingDisabled = query.checkingDisabled;
    this.site = query.site;
    this.group = query.group;
    this.startedAtMs = nowMs;
    this.pool = pool;
    this.firstPool = pool;
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

/** All flights of one worker, found by question, variant and site. */
export class Flights {
  readonly #byKey = new Map<number, Flight>();
  size = 0;

  find(question: Question, variant: number, site: Site): Flight | null {
    let flight = this.#byKey.get(keyOf(question, variant)) ?? null;
    for (; flight !== null; flight = flight.sameKey) {
      if (
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

  add(flight: Flight): void {
    flight.sameKey = this.#byKey.get(flight.key) ?? null;
    this.#byKey.set(flight.key, flight);
    this.size++;
  }

  remove(flight: Flight): void {
    const first = this.#byKey.get(flight.key);
    if (first === undefined) return;
    this.size--;
    if (first === flight) {
      if (flight.sameKey === null) this.#byKey.delete(flight.key);
      else this.#byKey.set(flight.key, flight.sameKey);
      return;
    }
    for (let at = first; at.sameKey !== null; at = at.sameKey) {
      if (at.sameKey !== flight) continue;
      at.sameKey = flight.sameKey;
      return;
    }
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
