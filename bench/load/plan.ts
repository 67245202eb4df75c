/** What a load generator is told, and what it tells in the end. Both are one line of JSON. */
import type { Kind } from './names.ts';

export interface LoadPlan {
  readonly address: string;
  readonly port: number;
  readonly sockets: number;
  /** Most queries in flight on each socket. */
  readonly window: number;
  /** Ends after this time; 0: no end. */
  readonly seconds: number;
  /** Ends after so many queries; 0: no end. */
  readonly queries: number;
  /** Queries a second; 0: as many as the window lets pass. */
  readonly rate: number;
  /** Kinds in the order they are asked, again and again. */
  readonly mix: readonly Kind[];
  /** Numbers of each kind. */
  readonly numbers: Readonly<Partial<Record<Kind, NumberRange>>>;
  /** After so long without a response a query counts as lost. */
  readonly timeoutMs: number;
  /** File to write the answered numbers to, SERVFAIL apart: for each kind in `KINDS` order, a bit set after its length in octets. */
  readonly record: string | null;
}

/** From `first` on without end, or, when `count` is above 0, round and round through 0 to `count` − 1. */
export interface NumberRange {
  readonly first: number;
  readonly count: number;
}

/** What happened in a tenth of a second. */
export interface LoadSample {
  /** Wall clock of its end, milliseconds since 1970. */
  readonly atMs: number;
  readonly received: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

export interface LoadResult {
  readonly seconds: number;
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  /** Responses to no query of ours, or to one already answered or given up. */
  readonly unexpected: number;
  /** Responses of each kind, by rcode. */
  readonly rcodes: Readonly<Record<Kind, Readonly<Record<string, number>>>>;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
  readonly timeline: readonly LoadSample[];
}

export const SAMPLE_MS = 100;
