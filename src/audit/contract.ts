/**
 * What the query path needs of the audit. An entry is appended while a query is finished; `commit` hands all entries
 * of a batch to the operating system; only then is the batch sent (docs/design.md, promise 2).
 */

import type { LineText } from './line-text.ts';

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
  /** Canonical name asked for, in `name[0 … nameLength)`; length 0 when the query was unreadable. Escaped by `append`. */
  name: Uint8Array;
  nameLength: number;
  qtype: number;
  qclass: number;
  /**
   * A run of JSON members, `,"group":…,"verdict":…`, without the closing brace, made by `renderOutcome` once for all
   * queries that end alike (one per verdict and group).
   */
  outcome: Uint8Array;
  /** The same for what a stored response adds (`,"answers":[…],"upstream":…`), made by `renderDetail` once per response. */
  detail: Uint8Array | null;
  /**
   * Everything from the name to the end of the line, made by `renderTail` for a response that is served again and again;
   * null: made from the fields above.
   */
  tail: LineText | null;
  /** Word at which the text in `tail` begins: it may stand among others. */
  tailAt: number;
  /** For a name that gives something away, made by `renderRedaction`; null for all others. */
  redaction: Redaction | null;
}

/** What stands in a line because its name gives something away. */
export interface Redaction {
  /** The name as the inside of a JSON string, with marks in place of what is not to be kept; null: as it is. */
  readonly qname: Uint8Array | null;
  /** A run of JSON members: `,"secrets":["jwt"]`. */
  readonly members: Uint8Array;
}

/** What is the same for all queries that end alike; rendered once per verdict and group. */
export interface OutcomeFields {
  readonly group: string | null;
  /** allow, deny, local, refuse, fail, drop, malformed, … (query/outcome.ts) */
  readonly verdict: string;
  readonly cause: string | null;
  readonly rule: string | null;
  readonly reason: string | null;
  readonly ede: number | null;
  /** Denied by an `observe` group, and answered all the same. */
  readonly observed: boolean;
}

/** IPv4 addresses in octets: `count` of them, the first at `at`, each `stride` behind the one before. */
export interface AddressRun {
  readonly octets: Uint8Array;
  readonly at: number;
  readonly stride: number;
  readonly count: number;
}

/** What one stored response, or one odd query, adds. */
export interface DetailFields {
  /** Instead of `answers` where all of them are A records: no text is made of them on the way. */
  readonly addresses?: AddressRun;
  /** Presentation form of answer rdata, `TYPE rdata`, at most 16. */
  readonly answers?: readonly string[];
  readonly upstream?: string;
  /** Answered from the cache, and the name asked upstream again because its life is about to end. */
  readonly prefetch?: boolean;
  /** Rcode of the upstream where it differs from what the client got. */
  readonly upstreamRcode?: string;
  /** For unreadable queries: first 64 octets in hex, and SHA-256 of the whole; neither of what gives something away. */
  readonly raw?: { readonly hex?: string; readonly sha256?: string; readonly redacted?: string };
  /** Evidence of the tunnel detector, in words. */
  readonly evidence?: readonly string[];
}

/** What a record other than an entry says; values as JSON has them. Texts are escaped when the line is written. */
export type NoteMembers = Readonly<Record<string, unknown>>;

export interface AuditLog {
  renderOutcome(fields: OutcomeFields): Uint8Array;
  /** With `addresses`, what is returned holds until the next call. */
  renderDetail(fields: DetailFields): Uint8Array;
  /** `tail` for entries that are alike in name, type, class, outcome and detail. */
  renderTail(entry: Entry): LineText;
  /** Adds one entry to the open batch. Never throws, allocates nothing. */
  append(entry: Entry): void;
  /**
   * Hands the batch to the kernel (`bounded`), to the disk (`strict`), or to neither in time (`open`). `then(true)` once
   * it is where the mode promises; `then(false)` when it could not be kept: the entries are taken back, their numbers are
   * used again, and the caller must refuse what it was about to send. Called back before `commit` returns in `open`, and
   * in `bounded` unless the disk is behind with what it owes: then within half a second.
   */
  commit(then: (kept: boolean) => void): void;
  /**
   * Adds a record of the log about itself or about the server: a verdict, an erasure, a loss on the way to a collector. It
   * is numbered, hashed and signed like every other; its line is `{"type":…,"seq":…,"time":…,"up":…,` and `members`.
   *
   * Never waits. It is written with the next batch, or within this turn of the event loop when none comes; when the log
   * cannot be written it waits for better times, in order. `kept` is called once it is where the mode promises, and never
   * when the process ends before. False when 256 wait already, or the log is closed: then the record is not kept, and the
   * next `gap` counts it (`notes`).
   *
   * Throws RangeError for what can be no record: a `type` other than `a-z` and `-`, or one of `segment`, `block`,
   * `checkpoint`; a member `type`, `seq`, `time` or `up`; more than 64 Ki characters.
   */
  note(type: string, members: NoteMembers, kept?: () => void): boolean;
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
  /** Mode `open`: queries answered although their entry could not be kept. */
  lost: number;
  rotations: number;
}
