/**
 * How much may be asked again. A pool whose server is silent for one zone would otherwise multiply a flood of names of
 * that zone; where replies do come, every one of them pays for a later retransmission.
 */
const BURST = 80;
const PER_QUESTION = 0.3;
const PER_ANSWER = 1;
const PER_SECOND = 5;
/**
 * Tokens a later retransmission leaves to the first ones, while questions come. When none has come for QUIET_MS there is
 * nobody to leave them to: what a burst has left waiting goes as replies bring tokens back.
 */
const RESERVE = 10;
const QUIET_MS = 100;

export class RetryBudget {
  #tokens = BURST;
  #filledMs = 0;
  #askedMs = Number.NEGATIVE_INFINITY;
  /** Times the answer was no. */
  denied = 0;

  asked(nowMs: number): void {
    this.#askedMs = nowMs;
    this.#tokens = Math.min(BURST, this.#tokens + PER_QUESTION);
  }

  answered(): void {
    this.#tokens = Math.min(BURST, this.#tokens + PER_ANSWER);
  }

  /** Whether a question that has sent `messages` already may send one more. */
  take(messages: number, nowMs: number): boolean {
    if (nowMs > this.#filledMs) {
      this.#tokens = Math.min(BURST, this.#tokens + ((nowMs - this.#filledMs) * PER_SECOND) / 1000);
      this.#filledMs = nowMs;
    }
    const reserve = nowMs - this.#askedMs > QUIET_MS ? 0 : RESERVE * Math.max(0, messages - 1);
    if (this.#tokens < 1 + reserve) {
      this.denied++;
      return false;
    }
    this.#tokens--;
    return true;
  }

  /** Nothing was sent after all. */
  giveBack(): void {
    this.#tokens++;
  }
}

/** At most so many a second, a second's worth at once. */
export class Rate {
  readonly #perSecond: number;
  #tokens: number;
  #filledMs = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
  }

  take(nowMs: number): boolean {
    if (nowMs > this.#filledMs) {
      const filled = this.#tokens + ((nowMs - this.#filledMs) * this.#perSecond) / 1000;
      this.#tokens = Math.min(this.#perSecond, filled);
      this.#filledMs = nowMs;
    }
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
