/** One stored response. What it holds is fixed when it is stored: an answer from cache never renews its life. */
import type { Answer } from '../answer/index.ts';

/** Octets that a cell costs beyond its body: object, views and the cache's own columns, measured. */
const CELL_OVERHEAD = 700;

/** A failure that is remembered for a moment, so that its question is not asked again at once (RFC 9520). */
export type StoredFailure = 'timeout' | 'unreachable' | 'unusable' | 'upstreamRcode';

export class Cell {
  readonly name: Uint8Array;
  readonly type: number;
  /** View, DO and CD, packed by `variantOf`. */
  readonly variant: number;
  /** Upstream pool it came from: another pool's data is never served in its place. */
  readonly pool: string;
  readonly server: string;
  readonly answer: Answer;
  /** Monotonic clock, milliseconds. */
  readonly storedAtMs: number;
  readonly endsAtMs: number;
  /** Generation of the policy that judged its aliases; under another they are judged again. */
  judgedBy: number;
  /** What its answers look like in the audit; rendered when it is first needed. */
  detail: Uint8Array | null = null;
  /** The part of an audit line that is alike at every hit, and the ending (`query/outcome.ts`) it was made for. */
  tail: Uint8Array | null = null;
  tailOf: object | null = null;
  /** Not an answer but the memory of a failure. */
  failure: StoredFailure | null = null;
  /** How often it was served. */
  hits = 0;

  constructor(
    name: Uint8Array,
    type: number,
    variant: number,
    pool: string,
    server: string,
    answer: Answer,
    storedAtMs: number,
    ttlSeconds: number,
    judgedBy: number,
  ) {
    this.name = name;
    this.type = type;
    this.variant = variant;
    this.pool = pool;
    this.server = server;
    this.answer = answer;
    this.storedAtMs = storedAtMs;
    this.endsAtMs = storedAtMs + ttlSeconds * 1000;
    this.judgedBy = judgedBy;
  }

  /** Octets of memory, for the cache's bound. */
  get memory(): number {
    const { body, ttlAt, targets, extendedErrors } = this.answer;
    let octets = CELL_OVERHEAD + this.name.length + body.length + ttlAt.byteLength + extendedErrors.length;
    for (const target of targets) octets += 120 + target.length;
    // The audit detail is about as long as the body in hex; it comes later and is counted beforehand.
    return octets + 160 + body.length;
  }
}

/** What changes an answer besides name and type: the client's view of the policy, DO and CD. */
export const variantOf = (view: number, dnssecOk: boolean, checkingDisabled: boolean): number =>
  (view << 2) | (dnssecOk ? 2 : 0) | (checkingDisabled ? 1 : 0);
