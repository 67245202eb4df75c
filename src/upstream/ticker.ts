/** One timer for everything that waits. It runs only while something does. */
import { TICK_MS } from './wheel.ts';

/** A tick that comes so late tells of a pause of the process, not of the upstreams. */
const STALL_MS = 60;

export class Ticker {
  readonly #now: () => number;
  readonly #tick: (nowMs: number) => void;
  #timer: NodeJS.Timeout | null = null;
  #isArmed = false;
  #armedMs = 0;
  #hasYielded = false;
  #isStopped = false;

  constructor(now: () => number, tick: (nowMs: number) => void) {
    this.#now = now;
    this.#tick = tick;
  }

  /** Has `tick` called once, TICK_MS from the first call since it last was. */
  arm(): void {
    if (this.#isArmed || this.#isStopped) return;
    this.#isArmed = true;
    this.#armedMs = this.#now();
    if (this.#timer === null) this.#timer = setTimeout(this.#ring, TICK_MS);
    else this.#timer.refresh();
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  readonly #ring = (): void => {
    this.#isArmed = false;
    const nowMs = this.#now();
    // After a pause of the whole process the replies are there but not yet read: they come first.
    const isLate = nowMs - this.#armedMs > STALL_MS && !this.#hasYielded;
    this.#hasYielded = isLate;
    if (isLate) this.arm();
    else this.#tick(nowMs);
  };
}
