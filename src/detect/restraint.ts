/**
 * What a verdict can do short of ending a zone or beyond it, counted in memory that all threads share:
 *
 *    quarantine   clients, each until a time; read before every query, so that with nobody in it one number is compared
 *    throttle     how many names a client had for a zone in this minute
 */

/** Octets of the two tables. */
export const QUARANTINE_OCTETS = 16 + 1024 * 12;
export const THROTTLE_OCTETS = 16_384 * 4;

/** Words before the rows of the quarantine: when the last row ends, and the lock of writers. */
const ENDS = 0;
const LOCK = 1;
const HEAD = 4;
const COLUMNS = 3;
const PROBES = 16;
/** Milliseconds. */
const LOCK_TRIES = 50;
const ROWS = (QUARANTINE_OCTETS / 4 - HEAD) / COLUMNS;

/** Clients that get little more than local names, each until a time in seconds since 1970. */
export class Quarantine {
  readonly #ints: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#ints = new Int32Array(memory);
  }

  /** Whether anybody is in it. */
  isInForce(nowSeconds: number): boolean {
    return this.#ints[ENDS] > nowSeconds;
  }

  /** Until when, seconds since 1970; 0 for a client that is not in it. */
  untilOf(clientA: number, clientB: number): number {
    const at = this.#find(clientA, clientB);
    return at < 0 ? 0 : this.#ints[at + 2];
  }

  /** Where 16 clients share a place and all are in quarantine, the one that would leave first makes room. */
  add(clientA: number, clientB: number, untilSeconds: number): void {
    this.#locked((ints) => {
      let place = this.#find(clientA, clientB);
      for (let probe = 0, soonest = Number.POSITIVE_INFINITY; place < 0 && probe < PROBES; probe++) {
        const at = placeOf(clientA, probe);
        if (ints[at + 2] < soonest) soonest = ints[at + 2];
        if (probe === PROBES - 1) place = this.#endingAt(clientA, soonest);
      }
      ints[place] = clientA;
      ints[place + 1] = clientB;
      ints[place + 2] = untilSeconds;
      ints[ENDS] = Math.max(ints[ENDS], untilSeconds);
    });
  }

  /** False when the client was not in it. */
  release(clientA: number, clientB: number, nowSeconds: number): boolean {
    return this.#locked((ints) => {
      const at = this.#find(clientA, clientB);
      if (at < 0 || ints[at + 2] <= nowSeconds) return false;
      ints[at + 2] = 0;
      let ends = 0;
      for (let row = HEAD; row < HEAD + ROWS * COLUMNS; row += COLUMNS) ends = Math.max(ends, ints[row + 2]);
      ints[ENDS] = ends;
      return true;
    });
  }

  #endingAt(clientA: number, untilSeconds: number): number {
    for (let probe = 0; probe < PROBES; probe++) {
      const at = placeOf(clientA, probe);
      if (this.#ints[at + 2] === untilSeconds) return at;
    }
    return placeOf(clientA, 0);
  }

  #find(clientA: number, clientB: number): number {
    const ints = this.#ints;
    for (let probe = 0; probe < PROBES; probe++) {
      const at = placeOf(clientA, probe);
      if (ints[at] === clientA && ints[at + 1] === clientB && ints[at + 2] !== 0) return at;
    }
    return -1;
  }

  /** Verdicts are rare and rows short: two threads that meet wait for each other. The lock of a thread that ended is broken. */
  #locked<T>(change: (ints: Int32Array) => T): T {
    const ints = this.#ints;
    for (let tries = 0; Atomics.compareExchange(ints, LOCK, 0, 1) !== 0 && tries < LOCK_TRIES; tries++) {
      Atomics.wait(ints, LOCK, 1, 1);
    }
    try {
      return change(ints);
    } finally {
      Atomics.store(ints, LOCK, 0);
      Atomics.notify(ints, LOCK, 1);
    }
  }
}

const placeOf = (clientA: number, probe: number): number =>
  HEAD + (((clientA >>> 0) + probe) % ROWS) * COLUMNS;

/** Bits of a place that count names; the others are the minute. */
const COUNT_BITS = 12;
const COUNT_MAX = (1 << COUNT_BITS) - 1;

/** Names of this minute by client and zone. Pairs that meet in one place share what one of them may have. */
export class Throttle {
  readonly #places: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#places = new Int32Array(memory);
  }

  /** Whether this pair may have another name; it is counted then. */
  take(pairA: number, pairB: number, nowSeconds: number, most: number): boolean {
    const places = this.#places;
    const place = ((pairA ^ Math.imul(pairB, 0x9e3779b1)) >>> 0) % places.length;
    const minute = Math.floor(nowSeconds / 60) << COUNT_BITS;
    for (;;) {
      const before = Atomics.load(places, place);
      const isOfNow = (before & ~COUNT_MAX) === minute;
      const count = isOfNow ? before & COUNT_MAX : 0;
      if (count >= Math.min(most, COUNT_MAX)) return false;
      if (Atomics.compareExchange(places, place, before, minute | (count + 1)) === before) return true;
    }
  }
}
