/**
 * One stored response. What it holds is fixed when it is stored: an answer from cache never renews its life.
 *
 *    name     of the question
 *    octets   body │ place of each TTL in the body, 2 octets each
 *
 * Most cells are never asked for again, so what they cost to make counts. An array of up to 64 octets lies in V8's own heap
 * and is made in 50 ns; a longer one is memory of its own, and ten times as dear. Name and octets each are mostly short enough,
 * both together are not. What is asked for again has a record in the hot store, where all of it stands in one run.
 */
import type { Answer } from '../answer/index.ts';
import { copyOctets, putU16, u16 } from '../wire/index.ts';
import { ageTtls } from './serve.ts';

/** Octets that a cell costs beyond what it holds: objects, buffers, columns of the map; measured. */
const CELL_OVERHEAD = 1100;
/** Octets of the audit text that comes with the first hit, beyond the name. */
const TAIL_LENGTH = 500;
/** What every cell counts for, whatever it holds. */
const CELL_MEMORY_MIN = CELL_OVERHEAD + TAIL_LENGTH;

/** A failure that is remembered for a moment, so that its question is not asked again at once (RFC 9520). */
export type StoredFailure = 'timeout' | 'unreachable' | 'unusable' | 'upstreamRcode';

/** Where a cell comes from and how long it holds. */
export interface CellOrigin {
  /** Upstream pool: another pool's data is never served in its place. */
  readonly pool: string;
  readonly server: string;
  /** Monotonic clock, milliseconds. */
  readonly storedAtMs: number;
  readonly ttlSeconds: number;
  /** Generation of the policy that judged its aliases; under another they are judged again. */
  readonly judgedBy: number;
}

export class Cell implements Answer {
  readonly name: Uint8Array;
  readonly octets: Uint8Array;
  readonly bodyLength: number;
  readonly type: number;
  /** View, DO and CD, packed by `variantOf`. */
  readonly variant: number;
  readonly rcode: number;
  readonly answerCount: number;
  readonly authorityCount: number;
  readonly negative: boolean;
  readonly authenticated: boolean;
  readonly extendedErrors: Uint8Array;
  readonly targets: readonly Uint8Array[];
  readonly aliasCount: number;
  readonly complete = true;
  readonly pool: string;
  readonly server: string;
  /** With a fraction, and so an object of its own to V8: the other times are reckoned from it. */
  readonly storedAtMs: number;
  readonly ttlSeconds: number;
  /** So long before its end a hit is looked at more closely, whole milliseconds: there the name may be asked anew (prefetch). */
  lastPartMs = 0;
  judgedBy: number;
  /** Phase of that policy (how many of its rules had ended), and what it said of the question; null until it was asked. */
  phase = -1;
  verdict: object | null = null;
  /** The part of an audit line that is alike at every hit, and the ending (`query/outcome.ts`) it was made for. */
  tail: Float64Array | null = null;
  tailOf: object | null = null;
  /** What its name gives away, as the query path knows it. */
  finding: object | null = null;
  /** Not an answer but the memory of a failure. */
  failure: StoredFailure | null = null;
  /** How often it was served. */
  hits = 0;

  /** `name` is kept as it is, not copied. */
  constructor(name: Uint8Array, type: number, variant: number, answer: Answer, origin: CellOrigin) {
    const { body, ttlAt } = answer;
    const octets = new Uint8Array(body.length + ttlAt.length * 2);
    let at = copyOctets(body, 0, octets, 0, body.length);
    for (let i = 0; i < ttlAt.length; i++) at = putU16(octets, at, ttlAt[i]);
    this.name = name;
    this.octets = octets;
    this.bodyLength = body.length;
    this.type = type;
    this.variant = variant;
    this.rcode = answer.rcode;
    this.answerCount = answer.answerCount;
    this.authorityCount = answer.authorityCount;
    this.negative = answer.negative;
    this.authenticated = answer.authenticated;
    this.extendedErrors = answer.extendedErrors;
    this.targets = answer.targets;
    this.aliasCount = answer.aliasCount;
    this.pool = origin.pool;
    this.server = origin.server;
    this.storedAtMs = origin.storedAtMs;
    this.ttlSeconds = origin.ttlSeconds;
    this.judgedBy = origin.judgedBy;
  }

  get endsAtMs(): number {
    return this.storedAtMs + this.ttlSeconds * 1000;
  }

  /** From when on a hit is looked at more closely. */
  get dueAtMs(): number {
    return this.endsAtMs - this.lastPartMs;
  }

  /** A view of the body; for rare paths. */
  get body(): Uint8Array {
    return this.octets.subarray(0, this.bodyLength);
  }

  get ttlAt(): Uint16Array {
    const { octets, bodyLength } = this;
    const count = (octets.length - bodyLength) / 2;
    return Uint16Array.from({ length: count }, (_, i) => u16(octets, bodyLength + i * 2));
  }

  /** Copies the body to `at` with TTLs aged by `ageSeconds`; returns the position behind it. Room was checked before. */
  writeAged(into: Uint8Array, at: number, ageSeconds: number): number {
    const { octets, bodyLength } = this;
    const end = copyOctets(octets, 0, into, at, bodyLength);
    if (ageSeconds > 0) ageTtls(into, at, octets, bodyLength, octets.length, ageSeconds);
    return end;
  }

  /** Octets of memory, for the cache's bound. What comes with the first hit is counted beforehand. */
  get memory(): number {
    let octets = CELL_MEMORY_MIN + this.octets.length + this.name.length * 2 + this.extendedErrors.length;
    for (const target of this.targets) octets += 200 + target.length;
    return octets;
  }
}

/** What changes an answer besides name and type: the client's view of the policy, DO and CD. */
export const variantOf = (view: number, dnssecOk: boolean, checkingDisabled: boolean): number =>
  (view << 2) | (dnssecOk ? 2 : 0) | (checkingDisabled ? 1 : 0);
