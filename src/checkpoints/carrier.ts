/**
 * Carries checkpoints to one place. Of each worker at most one waits, the newest: it covers all that were before it, so
 * nothing grows while the place is away, and nothing is lost but how finely it can tell when.
 *
 *    take ──▶ waiting: worker → newest ──▶ put ── ok ──▶ next after `everyMs`
 *                      ▲                    └ failed ──▶ next after 1 s, 2 s, … 60 s
 *                      └─────────────────────┘ what a newer one has not replaced waits again
 */
import type { CarrierState, Checkpoint, Place } from './contract.ts';

const PAUSE_MS_MIN = 1000;
const PAUSE_MS_MAX = 60_000;

export class Carrier {
  readonly #place: Place;
  readonly #everyMs: number;
  readonly #onTrouble: (why: string | null) => void;
  readonly #waiting = new Map<number, Checkpoint>();
  #timer: NodeJS.Timeout | null = null;
  #putting: Promise<void> | null = null;
  #underWay = 0;
  /** Monotonic. */
  #nextAtMs = 0;
  #pauseMs = 0;
  #closed = false;
  #sent = 0;
  #failures = 0;
  #superseded = 0;
  #lastAtMs: number | null = null;
  #trouble: string | null = null;

  /** `onTrouble` is told why checkpoints stopped arriving, and null when they arrive again. */
  constructor(place: Place, everyMs: number, onTrouble: (why: string | null) => void) {
    this.#place = place;
    this.#everyMs = everyMs;
    this.#onTrouble = onTrouble;
  }

  get state(): CarrierState {
    return {
      kind: this.#place.kind,
      where: this.#place.where,
      sent: this.#sent,
      failures: this.#failures,
      superseded: this.#superseded,
      waiting: this.#waiting.size + this.#underWay,
      lastAt: this.#lastAtMs === null ? null : new Date(this.#lastAtMs).toISOString(),
      trouble: this.#trouble,
    };
  }

  take(checkpoint: Checkpoint): void {
    if (this.#waiting.has(checkpoint.worker)) this.#superseded++;
    this.#waiting.set(checkpoint.worker, checkpoint);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#timer !== null || this.#putting !== null || this.#waiting.size === 0 || this.#closed) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        void this.#put();
      },
      Math.max(0, this.#nextAtMs - performance.now()),
    );
    this.#timer.unref();
  }

  #put(): Promise<void> {
    this.#putting ??= this.#putWaiting().finally(() => {
      this.#putting = null;
      this.#schedule();
    });
    return this.#putting;
  }

  async #putWaiting(): Promise<void> {
    const checkpoints = [...this.#waiting.values()].sort((left, right) => left.worker - right.worker);
    if (checkpoints.length === 0) return;
    this.#waiting.clear();
    this.#underWay = checkpoints.length;
    try {
      await this.#place.put(checkpoints);
    } catch (error) {
      this.#fail(checkpoints, error instanceof Error ? error.message : String(error));
      return;
    } finally {
      this.#underWay = 0;
    }
    this.#sent += checkpoints.length;
    this.#lastAtMs = Date.now();
    this.#pauseMs = 0;
    this.#nextAtMs = performance.now() + this.#everyMs;
    if (this.#trouble !== null) this.#onTrouble(null);
    this.#trouble = null;
  }

  #fail(checkpoints: readonly Checkpoint[], why: string): void {
    this.#failures++;
    for (const checkpoint of checkpoints) {
      // The newest wins: what came while this one was on its way is later.
      if (this.#waiting.has(checkpoint.worker)) this.#superseded++;
      else this.#waiting.set(checkpoint.worker, checkpoint);
    }
    this.#pauseMs = Math.min(PAUSE_MS_MAX, Math.max(PAUSE_MS_MIN, this.#pauseMs * 2));
    this.#nextAtMs = performance.now() + this.#pauseMs;
    if (this.#trouble === null) this.#onTrouble(why);
    this.#trouble = why;
  }

  /** Sends what waits once more, for at most `graceMs`. */
  async close(graceMs: number): Promise<void> {
    const last = async (): Promise<void> => {
      await this.#putting;
      this.#closed = true;
      if (this.#timer !== null) clearTimeout(this.#timer);
      await this.#put();
    };
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([last(), grace]);
    clearTimeout(timer);
    this.#closed = true;
  }
}
