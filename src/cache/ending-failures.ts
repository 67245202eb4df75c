/**
 * Where failures are stored, in the order in which they came: a ring of keys and ends, made at startup.
 *
 * A hint and no more. When the ring is full the oldest place is forgotten, and its failure goes as every cell goes that nobody
 * asks for. One that is remembered longer holds up those behind it until it ends itself.
 */

/** Failures of a second or two, when questions fail as fast as they can be asked. */
const LENGTH = 1 << 14;

export class EndingFailures {
  readonly #keys = new Int32Array(LENGTH);
  readonly #endsAtMs = new Float64Array(LENGTH);
  /** Numbers of places, not yet folded into the ring. */
  #first = 0;
  #next = 0;

  /** `endsAtMs` on the monotonic clock. */
  add(key: number, endsAtMs: number): void {
    if (this.#next - this.#first === LENGTH) this.#first++;
    const place = this.#next++ & (LENGTH - 1);
    this.#keys[place] = key;
    this.#endsAtMs[place] = endsAtMs;
  }

  /** Whether the oldest is over. */
  hasEnded(nowMs: number): boolean {
    return this.#first < this.#next && this.#endsAtMs[this.#first & (LENGTH - 1)] <= nowMs;
  }

  /** The key of the oldest, which leaves the ring. The caller has seen that there is one. */
  take(): number {
    return this.#keys[this.#first++ & (LENGTH - 1)];
  }
}
