/**
 * Response-rate limiting (RRL) for UDP: whose address is forged gets our responses without having asked. Counted are
 * networks, /24 and /56, since a forger may vary the address within the network he floods.
 *
 * A token bucket for each network, kept as the one moment at which the bucket would be full again (the generic cell rate
 * algorithm): a response moves it by its share of a second, and one that would move it past the burst is over the limit.
 *
 *    cell   tag: hash of the network │ full: that moment, in microseconds modulo 2^32
 *
 * The table has a fixed size and is shared by all workers, because the kernel spreads one client over them by its port.
 * Writers do not lock: a lost update lets one response more through. A network has four cells to stand in; the one that
 * has been full for longest gives way to a new network, whose bucket begins full.
 */
const CELL_COUNT = 65_536;
const CELL_WORDS = 2;
const WAYS = 4;
/** A tag's first bits choose its four cells. */
const SET_SHIFT = 32 - Math.log2(CELL_COUNT / WAYS);
/** The bucket holds as much as is refilled in so many microseconds. */
const BURST_US = 1_000_000;
/** A thread takes its time once a turn: beside another it may be behind by so much. */
const BEHIND_US = 2_000_000;
/** What lies further ahead is from before the clock went round. */
const AHEAD_MAX_US = BURST_US + BEHIND_US;

export const createRateTable = (): SharedArrayBuffer =>
  new SharedArrayBuffer(CELL_COUNT * CELL_WORDS * Int32Array.BYTES_PER_ELEMENT);

export interface RateLimitOptions {
  /** Made by `createRateTable`. */
  readonly table: SharedArrayBuffer;
  /** Responses a second for one network, at least 1. */
  readonly perSecond: number;
  readonly seed: number;
  /** Whether groups of forwarders are limited as well. */
  readonly includesForwarders: boolean;
}

export class RateLimit {
  readonly includesForwarders: boolean;
  readonly #cells: Int32Array;
  readonly #seed: number;
  readonly #stepUs: number;
  readonly #offsetMs: number;
  #slips = false;

  constructor({ table, perSecond, seed, includesForwarders }: RateLimitOptions) {
    this.#cells = new Int32Array(table);
    this.#seed = seed;
    this.#stepUs = Math.max(1, Math.round(1_000_000 / perSecond));
    this.includesForwarders = includesForwarders;
    // `performance.now` begins with its thread; the table needs one clock for all of them. A thread that has to wait for the
    // processor between the two readings is behind by as much.
    this.#offsetMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();
  }

  /** Takes one response from the network of `client`; false when it is over its limit. `nowMs`: `performance.now()`. */
  take(client: Uint8Array, length: number, nowMs: number): boolean {
    const cells = this.#cells;
    const nowUs = ((nowMs + this.#offsetMs) * 1000) | 0;
    const tag = this.#tagOf(client, length);
    const first = (tag >>> SET_SHIFT) * WAYS * CELL_WORDS;
    let at = first;
    let longest = -1;
    for (let cell = first; cell < first + WAYS * CELL_WORDS; cell += CELL_WORDS) {
      if (cells[cell] === tag) {
        at = cell;
        longest = -1;
        break;
      }
      const sinceFull = sinceUs(nowUs, cells[cell + 1]);
      if (sinceFull <= longest) continue;
      longest = sinceFull;
      at = cell;
    }
    if (longest !== -1) {
      cells[at] = tag;
      cells[at + 1] = nowUs;
    }
    const ahead = (cells[at + 1] - nowUs) | 0;
    const owed = ahead < 0 || ahead > AHEAD_MAX_US ? 0 : ahead;
    if (owed + this.#stepUs > BURST_US) return false;
    cells[at + 1] = (nowUs + owed + this.#stepUs) | 0;
    return true;
  }

  /** Every second response over the limit is sent, empty and truncated: a real client comes back over TCP. */
  slips(): boolean {
    this.#slips = !this.#slips;
    return this.#slips;
  }

  #tagOf(client: Uint8Array, length: number): number {
    const octets = length === 4 ? 3 : 7;
    let hash = this.#seed ^ length;
    for (let i = 0; i < octets; i++) hash = Math.imul(hash ^ client[i], 0x5bd1e995) ^ (hash >>> 15);
    // Zero is an empty cell.
    return Math.imul(hash ^ (hash >>> 13), 0x9e3779b1) | 1;
  }
}

/** Microseconds for which a bucket has been full; 0 while it is not. */
function sinceUs(nowUs: number, fullUs: number): number {
  const since = (nowUs - fullUs) | 0;
  return since > 0 ? since : since < -AHEAD_MAX_US ? 0x7fffffff : 0;
}
