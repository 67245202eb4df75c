/**
 * What the query path needs of the audit. An entry is appended while a query is finished; `commit` hands all entries
 * of a batch to the operating system; only then is the batch sent (DESIGN promise 2).
 */

/** Fields that vary from query to query; one object per worker, filled anew for each. */
export interface Entry {
  /** Wall clock, milliseconds since 1970. */
  atMs: number;
  /** Time from arrival to the end, microseconds. */
  latencyUs: number;
  transport: 'udp' | 'tcp' | 'dot' | 'doh';
  /** Client address: 4 or 16 octets, and port. */
  client: Uint8Array;
  clientLength: number;
  clientPort: number;
  /** DNS message id. */
  id: number;
  /** Rcode of the response; −1 when none was sent. */
  rcode: number;
  /** Octets of the response. */
  size: number;
  cached: boolean;
  /**
   * Rendered once and used for every query alike: a run of JSON members, from `,"group":…` on, without the closing
   * brace. Made by `renderOutcome`.
   */
  outcome: Uint8Array;
}

/** What is the same for all queries that end alike: rendered once, e.g. once per cached response. */
export interface OutcomeFields {
  readonly group: string | null;
  /** Canonical name; null when the query was unreadable. */
  readonly qname: Uint8Array | null;
  readonly qtype: number;
  readonly qclass: number;
  /** allow, deny, local, refuse, fail, drop, malformed, … (query/outcome.ts) */
  readonly verdict: string;
  readonly cause: string | null;
  readonly rule: string | null;
  readonly reason: string | null;
  readonly ede: number | null;
  /** Presentation form of answer rdata, `TYPE rdata`, at most 16. */
  readonly answers: readonly string[];
  readonly upstream: string | null;
  readonly observed: boolean;
  /** For unreadable queries: first 64 octets in hex, and SHA-256 of the whole. */
  readonly raw?: { readonly hex: string; readonly sha256: string };
}

export interface AuditLog {
  renderOutcome(fields: OutcomeFields): Uint8Array;
  /** Adds one entry to the open batch. Never throws, allocates nothing. */
  append(entry: Entry): void;
  /**
   * Hands the batch to the kernel (`bounded`), to the disk (`strict`), or to neither in time (`open`). `then(true)` once
   * it is where the mode promises; `then(false)` when it could not be kept: the entries are taken back, their numbers are
   * used again, and the caller must refuse what it was about to send. Called back before `commit` returns in `bounded`
   * and `open`.
   */
  commit(then: (kept: boolean) => void): void;
  /** Whether the last commit was kept; the health endpoint shows it. */
  readonly healthy: boolean;
  readonly counters: AuditCounters;
  close(): Promise<void>;
}

export interface AuditCounters {
  entries: number;
  octets: number;
  commits: number;
  failures: number;
  /** Queries refused because their entry could not be kept. */
  refused: number;
  rotations: number;
}
