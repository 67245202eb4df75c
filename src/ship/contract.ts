/** What the parts of shipping know of one another. */
import type { AuditRecord } from '../audit/index.ts';

/** A record on its way: of which log, as an object, and as the line that JSON receivers get. */
export interface ShipRecord {
  /** Name of the resolver. */
  readonly host: string;
  /** Names the log of the worker for good: `(log, seq)` is a record's own, over hosts and new beginnings. */
  readonly log: string;
  readonly worker: number;
  readonly record: AuditRecord;
  /** The line of the log with `host`, `log` and `worker` before all other members. */
  readonly line: string;
}

/** One connection to a receiver. After a failure it is closed and another one is opened. */
export interface Sink {
  /**
   * Hands records over. Resolves once the receiver has acknowledged them, to how many of them it will not have if it says
   * so; for a sink with `settle`, once they are with the operating system. Rejects with Refused when the receiver will not have these records, with any other error when it
   * cannot be reached or is not well: the records are given again.
   */
  send(records: readonly ShipRecord[]): Promise<Partly | undefined>;
  /** Resolves once the receiver has read all that was sent. Only of protocols that acknowledge nothing else. */
  settle?(): Promise<void>;
  /** Lets go of the connection without waiting. */
  close(): void;
}

/** The receiver has taken a batch but for `refused` of its records, and does not say which. */
export interface Partly {
  readonly refused: number;
  readonly why: string;
}

/** The receiver has looked at records and will not have them, now or later. */
export class Refused extends Error {}

/** Octets of a batch and records in it; the receiver's own limits (Kafka: 1 MB a message) are above. */
export const BATCH_OCTETS = 512 * 1024;
export const BATCH_RECORDS = 1000;
/** A receiver that says nothing for so long is taken for gone. */
export const ANSWER_MS = 30_000;
export const CONNECT_MS = 10_000;

/** What went wrong, in words for people. */
export const failureText = (error: unknown): string => {
  if (error instanceof AggregateError && error.errors.length > 0) return failureText(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
};
