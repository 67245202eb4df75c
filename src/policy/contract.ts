/**
 * What the query path may ask of a compiled policy. A compiled policy is shared memory plus a small description, made
 * once in the control thread, handed to every worker, replaced whole and never edited.
 */
import type { Question } from '../wire/index.ts';

/** What a denied client gets. Addresses are in octets (4 and 16). */
export type DenyResponse =
  | { readonly kind: 'nxdomain' | 'nodata' | 'refused' | 'drop' }
  | { readonly kind: 'address'; readonly a: Uint8Array | null; readonly aaaa: Uint8Array | null };

/** Why a query is denied; the words stand in the audit and in metrics. */
export type DenyCause =
  /** No rule mentions the name: the answer that makes this an allow list. */
  | 'not-listed'
  /** A deny rule or a deny list. */
  | 'denied'
  /** The name is allowed, this type is not. */
  | 'type'
  /** The only rules that allow it are past their `expires`. */
  | 'expired'
  /** The name has octets other than letters, digits, hyphen and underscore and no rule that accepts them. */
  | 'characters'
  /** A name above an allowed one: NODATA, so that RFC 8020 does not cut off what is below. */
  | 'ancestor';

/** A rule as it was written, for audit, explain and evidence. One for a whole list file. */
export interface RuleDescription {
  /** Stable for the same text: `set/allow/3`, `set/lists/0`; stands in the audit as `rule`. */
  readonly id: string;
  readonly set: string;
  readonly action: 'allow' | 'deny';
  readonly reason: string;
  readonly patterns: readonly string[];
  readonly types: readonly number[] | null;
  /** Milliseconds since 1970, or null. */
  readonly expiresAtMs: number | null;
  readonly owner: string | null;
  readonly ticket: string | null;
  readonly processor: {
    readonly name: string;
    readonly country: string;
    readonly agreement: string | null;
  } | null;
  readonly cname: 'trust' | 'inspect' | 'same-site';
  readonly profile: 'default' | 'strict' | 'off';
  readonly answer: DenyResponse | null;
  /** Where it stands: file, and line from 1. */
  readonly file: string;
  readonly line: number;
}

/**
 * What the policy says of a query. Made when the policy is opened and handed out by reference: judging allocates
 * nothing, and two queries judged alike carry the very same object.
 */
export type Verdict =
  | {
      readonly action: 'allow';
      readonly rule: RuleDescription;
      readonly pool: string;
      /** The pattern that won names this very name: no label of it was free to choose. */
      readonly isExact: boolean;
    }
  | {
      readonly action: 'deny';
      readonly rule: RuleDescription | null;
      readonly cause: DenyCause;
      readonly response: DenyResponse;
      /** `observe` groups: recorded as denied, answered all the same, through this pool. */
      readonly observed: boolean;
      readonly pool: string;
    }
  /** A zone of `local:`; `zone` indexes `Policy.zones`. */
  | { readonly action: 'local'; readonly zone: number };

/** Index of a group within one policy. */
export type GroupIndex = number;

export interface GroupDescription {
  readonly name: string;
  readonly mode: 'enforce' | 'observe';
  readonly answer: DenyResponse;
  readonly forwarder: boolean;
  readonly contact: string | null;
  readonly sets: readonly string[];
  /** What alarms of the tunnel detector do to these clients, where it is not as the settings say; null: as they say. */
  readonly tunnels: GroupTunnels | null;
}

/**
 * What an alarm of the tunnel detector does to the client and zone it is about. `alert` denies nothing; `throttle` lets a
 * few new names a minute pass; `block` denies that client the zone, `block-all` denies it every client; `quarantine`
 * leaves the client local names and those that its group allows by name.
 */
export type TunnelAction = 'alert' | 'throttle' | 'block' | 'block-all' | 'quarantine';

export interface GroupTunnels {
  readonly action: TunnelAction | null;
  /** For names under the strict profile; null: as `action`. */
  readonly strictAction: TunnelAction | null;
  readonly holdSeconds: number | null;
  readonly namesPerMinute: number | null;
}

/** An RRset of a local zone: owner in canonical form; `rdata` uncompressed. */
export interface LocalRrset {
  readonly owner: Uint8Array;
  readonly type: number;
  readonly ttlSeconds: number;
  readonly rdata: readonly Uint8Array[];
}

/** What a local zone says to a question (RFC 1034 section 4.3.2, wildcards RFC 4592). */
export interface LocalAnswer {
  readonly rcode: 'NOERROR' | 'NXDOMAIN';
  readonly answers: readonly LocalRrset[];
  /** SOA for negative answers. */
  readonly authority: readonly LocalRrset[];
  /** Canonical name outside local zones to which an alias leads, or null. */
  readonly leadsTo: Uint8Array | null;
}

export interface Policy {
  /** Grows by one with every compiled policy of this process. */
  readonly generation: number;
  readonly groups: readonly GroupDescription[];
  /** Group of a client address (4 or 16 octets at the start of `address`), −1 when no group has it. */
  groupOf(address: Uint8Array, length: number): GroupIndex;
  /** `nowMs`: wall clock, milliseconds since 1970; rules end at that clock. Allocates nothing. */
  judge(group: GroupIndex, question: Question, nowMs: number): Verdict;
  /**
   * How many rules have ended by `nowMs`. While this number and the generation stay the same, so does every verdict:
   * what was judged may be used again.
   */
  phaseAt(nowMs: number): number;
  /** The answer of local zone `zone`. */
  answerLocally(zone: number, question: Question): LocalAnswer;
  /** The contest behind a verdict, for people: every rule that spoke, in order, and why each lost. */
  explain(group: GroupIndex, question: Question, nowMs: number): Explanation;
}

export interface Contestant {
  readonly rule: RuleDescription;
  /** The pattern that matched, e.g. `*.example.com`. */
  readonly pattern: string;
  readonly outcome: 'won' | 'lost';
  /** Why, in words: "deny beats allow", "less specific than …", "expired 2026-01-01", "covers A, AAAA only". */
  readonly why: string;
}

export interface Explanation {
  readonly verdict: Verdict;
  readonly group: GroupDescription | null;
  readonly contestants: readonly Contestant[];
}

/**
 * The transferable form of a compiled policy: structured-clone it to workers. `memory` is shared.
 * The fields behind `description` are the policy room's own.
 */
export interface CompiledPolicy {
  readonly generation: number;
  readonly hashSeed: number;
  readonly memory: SharedArrayBuffer;
  readonly description: unknown;
}
