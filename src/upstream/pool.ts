/** Servers that stand in for one another, and which of them a question goes to next. */
import type { Asked } from './attempt.ts';
import type { Asker, UpstreamPool, UpstreamQuestion } from './contract.ts';
import type { PoolOptions, Strategy } from './options.ts';
import { randomBelow } from './random.ts';
import { Rate, RetryBudget } from './retry-budget.ts';
import type { Server } from './server.ts';

/** One question in so many goes to a server that is not the fastest, to learn how fast it is by now. */
const EXPLORE = 32;
/** Questions a second that are sent to servers believed down. */
const DOWN_PER_SECOND = 20;

export class Pool implements UpstreamPool {
  readonly name: string;
  readonly servers: readonly Server[];
  readonly strategy: Strategy;
  readonly budget = new RetryBudget();
  readonly #downRate = new Rate(DOWN_PER_SECOND);
  readonly #hasEncrypted: boolean;
  readonly #ask: (pool: Pool, question: UpstreamQuestion, deadlineMs: number, asker: Asker) => void;

  constructor(
    options: PoolOptions,
    servers: readonly Server[],
    ask: (pool: Pool, question: UpstreamQuestion, deadlineMs: number, asker: Asker) => void,
  ) {
    this.name = options.name;
    this.strategy = options.strategy ?? 'fastest';
    this.servers = servers;
    this.#hasEncrypted = servers.some((server) => server.isEncrypted);
    this.#ask = ask;
  }

  ask(question: UpstreamQuestion, deadlineMs: number, asker: Asker): void {
    this.#ask(this, question, deadlineMs, asker);
  }

  /** The next server that was not tried, or null. One that is down is tried only when nobody else is left to wait for. */
  choose(asked: Asked, nowMs: number): Server | null {
    if (asked.only !== null) return (asked.tried & asked.only.bit) === 0 ? asked.only : null;
    const encryptedUp =
      this.#hasEncrypted && this.servers.some((server) => server.isEncrypted && server.down === null);
    const explores =
      this.strategy === 'fastest' &&
      this.servers.length > 1 &&
      asked.tried === 0 &&
      randomBelow(EXPLORE) === 0;
    const atRandom = this.strategy === 'random' || explores;
    let best: Server | null = null;
    let candidates = 0;
    for (const server of this.servers) {
      if ((asked.tried & server.bit) !== 0 || server.down !== null) continue;
      if (!server.isReachable) continue;
      // Without `strict` a plain server stands in, but only while no encrypted one is up.
      if (encryptedUp && !server.isEncrypted) continue;
      candidates++;
      if (best === null) best = server;
      else if (atRandom) best = randomBelow(candidates) === 0 ? server : best;
      else if (this.strategy === 'fastest' && server.score < best.score) best = server;
    }
    if (best !== null || asked.attempts.length > 0 || asked.heard) return best;
    return this.#chooseDown(asked, encryptedUp, nowMs);
  }

  /** Whether a server that was not tried is up, so that asking it as well is worth a short wait. */
  hasAnother(asked: Asked): boolean {
    if (asked.only !== null) return false;
    for (const server of this.servers)
      if ((asked.tried & server.bit) === 0 && server.down === null) return true;
    return false;
  }

  /** How long to wait for a server before another one is asked as well; Infinity when there is none. */
  hedgeMs(asked: Asked, server: Server): number {
    if (this.strategy === 'ordered' || asked.only !== null) return Number.POSITIVE_INFINITY;
    let least = this.strategy === 'random' ? server.roundTrip.hedgeMs : Number.POSITIVE_INFINITY;
    let hasAnother = false;
    for (const other of this.servers) {
      if (other.down !== null) continue;
      if ((asked.tried & other.bit) === 0) hasAnother = true;
      // A slow server that is tried out must not cost more time than the fastest would.
      if (this.strategy === 'fastest') least = Math.min(least, other.roundTrip.hedgeMs);
    }
    return hasAnother ? least : Number.POSITIVE_INFINITY;
  }

  /** A server may come back to what waits for it. */
  get mayRecover(): boolean {
    for (const { down } of this.servers) if (down === 'silent') return true;
    return false;
  }

  /** First sockets are on their way. */
  get isOpening(): boolean {
    for (const { ports } of this.servers) if (ports?.isOpening === true) return true;
    return false;
  }

  /** Some server is up that is reached by a connection, whose room comes back as replies come. */
  get hasStreams(): boolean {
    for (const { ports, down } of this.servers) if (ports === null && down === null) return true;
    return false;
  }

  #chooseDown(asked: Asked, encryptedUp: boolean, nowMs: number): Server | null {
    for (const server of this.servers) {
      if ((asked.tried & server.bit) !== 0 || server.down === null || !server.isReachable) continue;
      if (encryptedUp && !server.isEncrypted) continue;
      return this.#downRate.take(nowMs) ? server : null;
    }
    return null;
  }
}
