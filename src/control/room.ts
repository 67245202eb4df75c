/**
 * What the HTTP server may ask of the process, and what it hands on. `main.ts` joins the two; the server knows no more of
 * Sallyport than this.
 */
import type { Fault } from '../config/index.ts';

export interface ReloadResult {
  /** False when the old policy stays in force. */
  readonly ok: boolean;
  /** Number of the policy that is in force now. */
  readonly generation: number;
  readonly rules: number;
  readonly tookMs: number;
  /** Each with its place and what to write instead; warnings stand here too when `ok`. */
  readonly faults: readonly Fault[];
}

/** A question as it stands in the address of `GET /explain`, not yet checked. */
export interface ExplainQuestion {
  readonly name: string;
  /** A type by name or as TYPEnnn. */
  readonly type: string;
  /** Address of the client, or null for the address that asks. */
  readonly client: string | null;
}

/** `answer` is written as JSON as it is; `fault` says what is wrong with the question and what to write instead. */
export type ExplainResult =
  | { readonly ok: true; readonly answer: unknown }
  | { readonly ok: false; readonly fault: string };

/** What `POST /api/release` names, not yet checked; at least one of the two. */
export interface ReleaseQuestion {
  /** Address of a client, or null for every client. */
  readonly client: string | null;
  readonly zone: string | null;
}

/** `answer` is written as JSON as it is; `fault` says what is wrong, with the status that suits it. */
export type ReleaseAnswer =
  | { readonly ok: true; readonly answer: unknown }
  | { readonly ok: false; readonly status: 400 | 404; readonly fault: string };

export interface ControlRoom {
  /** Whether the threads run: false asks a supervisor to start the process anew. A full disk is no reason for that. */
  alive(): boolean;
  /** Whether all is well, the audit included: false is red on a dashboard. */
  healthy(): boolean;
  /** What is not as it should be while queries are served all the same; empty when all is well. */
  degraded(): readonly string[];
  /** Parts that are not ready, in words that suit a line of text; empty when queries are welcome. */
  unready(): readonly string[];
  /** Policy, groups, upstreams, workers, audit and version, as JSON will show them. Holds no secrets. */
  state(): unknown;
  /** Reads the policies again. Does not throw: what is wrong is in the result. */
  reload(): Promise<ReloadResult>;
  explain(question: ExplainQuestion): ExplainResult;
  /** Verdicts of the tunnel detector, the newest first. */
  verdicts(): readonly unknown[];
  /** The newest events that are no verdicts, the newest first. */
  events(): readonly unknown[];
  /** Ends a verdict by hand. */
  release(question: ReleaseQuestion): ReleaseAnswer;
  metrics(): Promise<{ readonly contentType: string; readonly body: string }>;
}
