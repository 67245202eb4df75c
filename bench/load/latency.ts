/** Times of responses in buckets about an eighth wide: percentiles of millions in a few hundred numbers. */
export class Latency {
  readonly #buckets = new Uint32Array(256);
  #count = 0;
  #maxUs = 0;

  add(us: number): void {
    this.#buckets[bucketOf(us)]!++;
    this.#count++;
    if (us > this.#maxUs) this.#maxUs = us;
  }

  /** Upper bound of the bucket in which the share lies, microseconds; 0 when nothing was added. */
  percentileUs(share: number): number {
    let left = Math.ceil(this.#count * share);
    for (const [bucket, count] of this.#buckets.entries()) {
      left -= count;
      if (left <= 0 && this.#count > 0) return Math.min(topOf(bucket), Math.ceil(this.#maxUs));
    }
    return 0;
  }

  get count(): number {
    return this.#count;
  }

  get maxUs(): number {
    return this.#maxUs;
  }

  reset(): void {
    this.#buckets.fill(0);
    this.#count = 0;
    this.#maxUs = 0;
  }
}

function bucketOf(us: number): number {
  const whole = us | 0;
  if (whole < 8) return whole < 0 ? 0 : whole;
  const exponent = 31 - Math.clz32(whole);
  return ((exponent - 2) << 3) | ((whole >> (exponent - 3)) & 7);
}

function topOf(bucket: number): number {
  if (bucket < 8) return bucket;
  const exponent = (bucket >> 3) + 2;
  return ((9 + (bucket & 7)) << (exponent - 3)) - 1;
}
