/**
 * Mode `bounded`: no answer leaves before its record is written to the kernel, and at most 100 ms of records are not on
 * the disk.
 *
 *    commit ─▶ disk in time? ─ yes ─▶ write ─▶ then(true)
 *                  │ no
 *                  └▶ held, in order ─▶ caught up within half a second? ─ yes ─▶ write ─▶ then(true)
 *                                           └ no ─▶ then(false); what comes is refused at once until it has
 *
 * A batch that waits for the disk costs its clients some milliseconds; refusing it would cost them the answer
 * (docs/decisions/0002).
 */
import type { LogCore } from './core.ts';
import { countOf, type Mode, TOO_LARGE, TOO_SLOW, type Waiting } from './mode.ts';
import { failureText } from './trouble.ts';

/** How often held batches are looked at. */
const HOLD_TICK_MS = 5;

export class BoundedMode implements Mode {
  readonly #core: LogCore;
  #held: Waiting[] = [];
  #timer: NodeJS.Timeout | null = null;
  #sinceMs = 0;

  constructor(core: LogCore) {
    this.#core = core;
  }

  get isBusy(): boolean {
    return this.#timer !== null;
  }

  commit(then: (kept: boolean) => void): void {
    if (this.#mustHold()) {
      this.#hold(then);
      return;
    }
    const kept = this.#core.keep();
    then(kept);
    if (kept) this.#core.afterWrite();
  }

  writeOwn(): boolean {
    return this.#core.writeNow();
  }

  /** The disk is busy with records older than was promised; what comes now waits for it, and then for no one. */
  #mustHold(): boolean {
    if (this.#held.length > 0) return true;
    const { ledger, trouble, batch } = this.#core;
    // Once a batch had to be refused the rest is refused at once, until the disk has caught up.
    if (ledger.segment === null || trouble.probing || batch.doomed > 0 || trouble.why !== null) return false;
    return this.#core.isLate();
  }

  #hold(then: (kept: boolean) => void): void {
    const { batch, trouble, settings } = this.#core;
    if (batch.doomed > 0) {
      then(this.#core.takeBack(TOO_LARGE));
      return;
    }
    if (batch.open === 0) {
      then(trouble.why === null);
      return;
    }
    this.#held.push({ then, count: batch.close() });
    if (this.#timer !== null) return;
    this.#sinceMs = settings.monotonicMs();
    this.#timer = setInterval(() => this.#onTick(), HOLD_TICK_MS);
  }

  /** Lets go of what was held as soon as the disk has caught up, and refuses it when that takes too long. */
  #onTick(): void {
    const core = this.#core;
    const { ledger } = core;
    if (this.#held.length > 0 && ledger.segment !== null && core.isLate()) {
      // A poisoned segment has just taken what was held with it: see `onPoison`.
      const { monotonicMs, waitMsMax } = core.settings;
      if (monotonicMs() - this.#sinceMs < waitMsMax) return;
      ledger.dropWaiting();
      core.counters.failures++;
      this.refuseWaiting(TOO_SLOW);
    }
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#writeHeld();
  }

  #writeHeld(): void {
    const core = this.#core;
    const { ledger, batch, trouble } = core;
    const commits = this.#held;
    if (commits.length === 0) return;
    if (ledger.segment === null || trouble.probing) {
      ledger.dropWaiting();
      this.refuseWaiting(trouble.why ?? TOO_SLOW);
      return;
    }
    this.#held = [];
    const count = countOf(commits);
    const to = batch.seq - batch.open;
    const error = ledger.write();
    if (error !== null) {
      trouble.miss(count, failureText(error));
      core.stop(error);
      for (const commit of commits) commit.then(false);
      return;
    }
    core.kept(count, to);
    trouble.set(null);
    for (const commit of commits) commit.then(true);
    core.afterWrite();
  }

  refuseWaiting(why: string): void {
    const refused = this.#held;
    this.#held = [];
    this.#core.batch.rewind();
    this.#core.refuse(refused, why);
  }

  onPoison(why: string): void {
    this.refuseWaiting(why);
  }
}
