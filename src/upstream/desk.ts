/**
 * The questions on the desk: taken up, scheduled, settled, put back; and their attempts.
 *
 *    take ──▶ waiting ── settle ──▶ lingering ── last attempt released, or LINGER_MS ──▶ free
 *                           └── no attempt left ─────────────────────────────────────────▲
 *
 * A settled question lingers while replies to it may still come, late or twice: its ids stay taken, what comes teaches
 * how fast a server is, and it is no sign of an attack.
 */
import { Asked, Attempt, Stock } from './attempt.ts';
import type { Asker } from './contract.ts';
import type { Pool } from './pool.ts';
import type { Ticker } from './ticker.ts';
import { Wheel } from './wheel.ts';

const LINGER_MS = 3000;
/** Beyond so many, questions do not linger: they would take the place of new ones. */
const LINGERING_MAX = 1024;
/** Attempts there are for each question, on average over all that wait. */
const ATTEMPTS_EACH = 3;

export class Desk {
  /** Every question object ever made, free ones included. */
  readonly all: Asked[] = [];
  readonly #asked: Stock<Asked>;
  readonly #attempts: Stock<Attempt>;
  readonly #wheel: Wheel<Asked>;
  readonly #ticker: Ticker;
  #lingering = 0;

  constructor(most: number, nowMs: number, ticker: Ticker) {
    this.#ticker = ticker;
    this.#wheel = new Wheel(nowMs);
    this.#asked = new Stock(most, () => {
      const asked = new Asked();
      this.all.push(asked);
      return asked;
    });
    this.#attempts = new Stock(most * ATTEMPTS_EACH, () => new Attempt());
  }

  /** Questions that wait, and those that linger. */
  get count(): number {
    return this.#asked.inUse;
  }

  /** `null` when the desk is full. */
  take(pool: Pool, asker: Asker, deadlineMs: number): Asked | null {
    const asked = this.#asked.take();
    asked?.begin(pool, asker, deadlineMs);
    return asked;
  }

  takeAttempt(): Attempt | null {
    return this.#attempts.take();
  }

  /** An attempt that never got on its way. */
  giveAttempt(attempt: Attempt): void {
    attempt.asked = null;
    this.#attempts.give(attempt);
  }

  /** Looks at the question again at `dueMs`, or at its deadline when that comes first. */
  schedule(asked: Asked, dueMs: number): void {
    this.#wheel.schedule(asked, asked.isLingering ? dueMs : Math.min(dueMs, asked.deadlineMs));
    this.#ticker.arm();
  }

  /** Hands over what is due, and has the clock go on while anything is left. */
  advance(nowMs: number, due: (asked: Asked) => void): void {
    this.#wheel.advance(nowMs, due);
    if (this.#wheel.count > 0) this.#ticker.arm();
  }

  /** Ends the wait. Returns who is to be told. */
  settle(asked: Asked, nowMs: number): Asker | null {
    const { asker } = asked;
    asked.done = true;
    asked.asker = null;
    asked.spare = null;
    this.#wheel.cancel(asked);
    if (this.#lingering >= LINGERING_MAX) this.releaseAll(asked);
    if (asked.attempts.length === 0) {
      this.#asked.give(asked);
    } else {
      this.#lingering++;
      asked.isLingering = true;
      this.schedule(asked, nowMs + LINGER_MS);
    }
    return asker;
  }

  /** Ends an attempt, and with the last one a lingering question. */
  release(attempt: Attempt): void {
    const { asked } = attempt;
    if (asked === null) return;
    if (attempt.place !== null) attempt.carrier?.forget(attempt);
    const last = asked.attempts.pop() as Attempt;
    if (last !== attempt) {
      asked.attempts[attempt.index] = last;
      last.index = attempt.index;
    }
    attempt.place = null;
    this.giveAttempt(attempt);
    if (!asked.isLingering || asked.attempts.length > 0) return;
    asked.isLingering = false;
    this.#lingering--;
    this.#wheel.cancel(asked);
    this.#asked.give(asked);
  }

  releaseAll(asked: Asked): void {
    while (asked.attempts.length > 0) this.release(asked.attempts[asked.attempts.length - 1]);
  }
}
