/**
 * Asking anew for names that are asked for often and about to end in the cache. It is off by default: then a name leaves
 * only when a client's query cannot be answered otherwise.
 *
 *    stored ────────────────────────────── 9/10 of its life ──────────── end
 *             hits are served                a hit is served, and the name asked upstream once
 *
 * What comes back is a new cell; the old one ends when it would have ended. A failure changes nothing.
 */
import type { Cell } from '../cache/index.ts';

export interface PrefetchLimits {
  /** Hits that a cell must have had. */
  readonly hits: number;
  /** Names asked anew in a second, in this worker. */
  readonly perSecond: number;
}

/** Lives shorter than this have no last tenth worth speaking of. */
const TTL_SECONDS_MIN = 10;
const LAST_PART = 0.1;

export class Prefetch {
  readonly #limits: PrefetchLimits;
  #tokens: number;
  #filledMs = Number.NEGATIVE_INFINITY;

  constructor(limits: PrefetchLimits) {
    this.#limits = limits;
    this.#tokens = limits.perSecond;
  }

  /** Sets from when on a hit may be the reason to ask again. */
  watch(cell: Cell): void {
    if (cell.negative || cell.failure !== null || cell.ttlSeconds < TTL_SECONDS_MIN) return;
    cell.lastPartMs = Math.floor(cell.ttlSeconds * 1000 * LAST_PART);
  }

  isWorth(cell: Cell): boolean {
    return cell.hits >= this.#limits.hits;
  }

  /** Takes one of the places of this second; false when they are taken. */
  take(nowMs: number): boolean {
    const { perSecond } = this.#limits;
    if (nowMs > this.#filledMs) {
      this.#tokens = Math.min(perSecond, this.#tokens + ((nowMs - this.#filledMs) * perSecond) / 1000);
      this.#filledMs = nowMs;
    }
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
