/**
 * How many queries of each client wait for an upstream: one client's flood of misses must not take every place.
 * Addresses are kept as a keyed 32-bit hash; two clients that share one share a bound, which errs on the safe side.
 */
export class PendingByClient {
  readonly #counts = new Map<number, number>();
  readonly #seed: number;
  readonly #max: number;

  constructor(max: number, seed: number) {
    this.#max = max;
    this.#seed = seed;
  }

  /** Takes one place; false when the client has all of its places. */
  take(client: Uint8Array, length: number, max = this.#max): boolean {
    const key = this.#keyOf(client, length);
    const count = this.#counts.get(key) ?? 0;
    if (count >= max) return false;
    this.#counts.set(key, count + 1);
    return true;
  }

  /** Gives a place back. */
  give(client: Uint8Array, length: number): void {
    const key = this.#keyOf(client, length);
    const count = this.#counts.get(key);
    if (count === undefined) return;
    if (count === 1) this.#counts.delete(key);
    else this.#counts.set(key, count - 1);
  }

  /** Clients with a query waiting. */
  get size(): number {
    return this.#counts.size;
  }

  #keyOf(client: Uint8Array, length: number): number {
    let hash = this.#seed;
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ client[i], 0x5bd1e995) ^ (hash >>> 15);
    return hash;
  }
}
