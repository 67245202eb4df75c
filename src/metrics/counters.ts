/**
 * The counters of one worker: columns over shared memory, written by that worker alone and read by the control thread
 * when it is scraped. One writer means that a plain increment is enough; a reader may be one increment behind, and an
 * aligned 8-octet store is never seen half done on the machines that Node runs on.
 *
 * The control thread makes the memory and keeps it when a worker is replaced: a counter must not fall.
 */
import {
  At,
  COLUMN_COUNT,
  DURATION_AT,
  DURATION_BUCKETS_US,
  DURATION_SUM_AT,
  queryAt,
  responseAt,
} from './catalogue.ts';

/** Memory for one worker's counters, all zero. */
export const createCounters = (): SharedArrayBuffer => {
  const memory = new SharedArrayBuffer(COLUMN_COUNT * Float64Array.BYTES_PER_ELEMENT);
  // A worker that has not written anything yet has failed to write nothing: it is healthy until it says otherwise.
  new Float64Array(memory)[At.auditHealthy] = 1;
  return memory;
};

/** Opens the memory made by `createCounters`, on either side. Throws when it is of another build. */
export function openCounters(memory: SharedArrayBuffer): Counters {
  const expected = COLUMN_COUNT * Float64Array.BYTES_PER_ELEMENT;
  if (memory.byteLength !== expected) {
    throw new Error(
      `counters need ${expected} octets of shared memory, these are ${memory.byteLength}: make them with createCounters()`,
    );
  }
  return new Counters(memory);
}

export class Counters {
  /** The columns; where each stands is in `At` and in the functions that end in `At`. */
  readonly columns: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.columns = new Float64Array(memory);
  }

  /** A query was taken up. `transport` indexes TRANSPORTS. */
  query(transport: number, ipv6: boolean, type: number): void {
    this.columns[queryAt(transport, ipv6, type)]!++;
  }

  /** A response was made, `latencyUs` microseconds after its query arrived; `decision` comes from `decisionAt`. */
  finished(rcode: number, decision: number, latencyUs: number): void {
    const columns = this.columns;
    columns[responseAt(rcode)]!++;
    columns[decision]!++;
    columns[durationAt(latencyUs)]!++;
    columns[DURATION_SUM_AT]! += latencyUs;
  }

  /** A query ended without a response; `decision` comes from `decisionAt`. */
  dropped(decision: number): void {
    this.columns[decision]!++;
  }
}

/** Column of the histogram bucket. The common case, an answer from cache, leaves the loop at once. */
export function durationAt(latencyUs: number): number {
  let bucket = 0;
  while (bucket < DURATION_BUCKETS_US.length && latencyUs > DURATION_BUCKETS_US[bucket]!) bucket++;
  return DURATION_AT + bucket;
}
