/** How long a server takes: a smoothed mean with its spread (RFC 6298), and the time that 95 of 100 replies keep. */

const RTO_MIN_MS = 100;
const RTO_MAX_MS = 400;
const HEDGE_MIN_MS = 20;
const HEDGE_MAX_MS = 400;

export class RoundTrip {
  /** Smoothed; 0 until the first reply. */
  smoothMs = 0;
  #spreadMs = 0;
  #slowMs = 0;

  learn(sampleMs: number): void {
    const sample = Math.max(sampleMs, 0.05);
    if (this.smoothMs === 0) {
      this.smoothMs = sample;
      this.#spreadMs = sample / 2;
      this.#slowMs = sample * 3;
      return;
    }
    this.#spreadMs += (Math.abs(sample - this.smoothMs) - this.#spreadMs) / 4;
    this.smoothMs += (sample - this.smoothMs) / 8;
    // Up by 19 steps for a slower reply, down by one for a quicker: in balance where 1 of 20 is slower.
    this.#slowMs *= sample > this.#slowMs ? 1.19 : 0.99;
  }

  /** Wait before the first retransmission. */
  get retransmitMs(): number {
    if (this.smoothMs === 0) return RTO_MAX_MS;
    return Math.min(RTO_MAX_MS, Math.max(RTO_MIN_MS, this.smoothMs + 4 * this.#spreadMs));
  }

  /** Wait before a second server is asked as well. */
  get hedgeMs(): number {
    if (this.smoothMs === 0) return RTO_MIN_MS;
    return Math.min(HEDGE_MAX_MS, Math.max(HEDGE_MIN_MS, this.#slowMs));
  }
}
