/**
 * How many queries of each client wait for an upstream: one client's flood of misses must not take every place.
 * Addresses are kept as a keyed 32-bit hash; two clients that share one share a bound, which errs on the safe side.
 *
 * A client may be a whole house behind one address. When its places are taken, a query for a domain that has few of them
 * gets the place of the oldest query of the domain that has most; only who asks for more of the same is turned away.
 */
import type { Question } from '../wire/index.ts';
import type { Query } from './query.ts';
import { Shares } from './shares.ts';

/** Queries of a client that are looked at to find one that yields: the oldest ones, where a flood shows. */
const LOOKED_AT_MAX = 256;

/** The waiting queries of one client, oldest first. */
export interface ClientQueue {
  readonly key: number;
  count: number;
  oldest: Query | null;
  newest: Query | null;
}

export class PendingByClient {
  readonly #queues = new Map<number, ClientQueue>();
  readonly #shares = new Shares();
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Whether the client of this query has fewer than `max` queries waiting. */
  hasRoom(query: Query, max: number): boolean {
    const queue = this.#queues.get(this.#keyOf(query));
    return queue === undefined || queue.count < max;
  }

  /** The waiting query of the same client that should make room for this one, or null when its own domain has most. */
  whoYields(query: Query, question: Question): Query | null {
    const key = this.#keyOf(query);
    const shares = this.#shares;
    const narrow = shares.at(shares.narrow(question, key)) + 1;
    let most = weight(narrow, shares.at(shares.wide(question, key)) + 1);
    let yields: Query | null = null;
    let at = this.#queues.get(key)?.oldest ?? null;
    for (let i = 0; at !== null && i < LOOKED_AT_MAX; i++, at = at.clientAfter) {
      const its = weight(shares.at(at.narrowShare), shares.at(at.wideShare));
      if (its <= most) continue;
      most = its;
      yields = at;
    }
    return yields;
  }

  add(query: Query, question: Question): void {
    const key = this.#keyOf(query);
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = { key, count: 0, oldest: null, newest: null };
      this.#queues.set(key, queue);
    }
    query.clientQueue = queue;
    query.clientBefore = queue.newest;
    query.clientAfter = null;
    if (queue.newest === null) queue.oldest = query;
    else queue.newest.clientAfter = query;
    queue.newest = query;
    queue.count++;
    query.narrowShare = this.#shares.narrow(question, key);
    query.wideShare = this.#shares.wide(question, key);
    this.#shares.add(query.narrowShare);
    this.#shares.add(query.wideShare);
  }

  remove(query: Query): void {
    const queue = query.clientQueue;
    if (queue === null) return;
    if (query.clientBefore === null) queue.oldest = query.clientAfter;
    else query.clientBefore.clientAfter = query.clientAfter;
    if (query.clientAfter === null) queue.newest = query.clientBefore;
    else query.clientAfter.clientBefore = query.clientBefore;
    query.clientQueue = null;
    query.clientBefore = null;
    query.clientAfter = null;
    if (--queue.count === 0) this.#queues.delete(queue.key);
    this.#shares.remove(query.narrowShare);
    this.#shares.remove(query.wideShare);
  }

  /** Clients with a query waiting. */
  get size(): number {
    return this.#queues.size;
  }

  #keyOf({ client, clientLength }: Query): number {
    let hash = this.#seed;
    for (let i = 0; i < clientLength; i++) hash = Math.imul(hash ^ client[i], 0x5bd1e995) ^ (hash >>> 15);
    return hash;
  }
}

/** How much a domain has of its client's places. The last two labels weigh half: many domains may share them. */
const weight = (narrow: number, wide: number): number => Math.max(narrow, wide >> 1);
