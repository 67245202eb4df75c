/**
 * What the policy room is handed to compile: a policy that `config` has already validated and normalised. Names are
 * canonical octets (A-labels, lower case, closing zero), references between sections are resolved or at least known to
 * exist, defaults of sets are filled in. Only list files come as they are, because a million lines are read here, in
 * octets, straight into the compiled form.
 */
import type { DenyResponse, GroupTunnels, LocalRrset, RuleDescription } from './contract.ts';

/** How a name pattern reaches: `example.com`, `*.example.com`, `+.example.com`. */
export type PatternKind = 'exact' | 'below' | 'both';

export interface PatternSource {
  readonly kind: PatternKind;
  /** Canonical name without the star or plus. */
  readonly name: Uint8Array;
  /** As it was written, for people. */
  readonly text: string;
}

export interface RuleSource {
  readonly description: RuleDescription;
  readonly patterns: readonly PatternSource[];
  /** `any` accepts every octet in a name; `hostname` letters, digits, hyphen and underscore only. */
  readonly characters: 'hostname' | 'any';
}

export type ListFormat = 'names' | 'hosts' | 'rpz';

export interface ListSource {
  /** One description for the whole list; `file` is the list file, `line` 1. */
  readonly description: RuleDescription;
  /** The list file, decompressed. Not kept: the caller may let go of it when `compilePolicy` returns. */
  readonly octets: Uint8Array;
  readonly format: ListFormat;
  /** How a line without a prefix is read. */
  readonly match: 'as-written' | 'exact' | 'both';
}

/** A set in the order it was written; rules before lists. */
export interface SetSource {
  readonly name: string;
  readonly rules: readonly RuleSource[];
  readonly lists: readonly ListSource[];
}

export interface ClientPrefix {
  /** 4 or 16 octets; bits behind the prefix are ignored. */
  readonly address: Uint8Array;
  readonly prefixLength: number;
}

export interface GroupSource {
  readonly name: string;
  readonly clients: readonly ClientPrefix[];
  /** Names of sets; earlier sets win ties. */
  readonly sets: readonly string[];
  readonly mode: 'enforce' | 'observe';
  readonly answer: DenyResponse;
  readonly forwarder: boolean;
  readonly contact: string | null;
  readonly tunnels: GroupTunnels | null;
}

export interface LocalZoneSource {
  readonly zone: Uint8Array;
  /** Names of the groups that may ask it, or null for all. */
  readonly groups: readonly string[] | null;
  /** As `parseLocalZone` returns them. */
  readonly rrsets: readonly LocalRrset[];
}

export interface RouteSource {
  readonly suffix: Uint8Array;
  readonly pool: string;
}

export interface PolicySource {
  readonly sets: readonly SetSource[];
  readonly groups: readonly GroupSource[];
  readonly local: readonly LocalZoneSource[];
  readonly via: readonly RouteSource[];
}

/**
 * What is wrong with a line of a list. A `warning` leaves that line out and the list in force; an `error` means that
 * the list as a whole cannot be trusted (no line could be read, or so few that the format must be another) and the
 * policy must not go into force.
 */
export interface ListFault {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  /** Line from 1, or null when the whole file is meant. */
  readonly line: number | null;
  readonly problem: string;
  /** What to write instead. */
  readonly instead: string;
}

/** What is wrong with a record of a local zone; such a zone must not go into force. */
export interface RecordFault {
  /** Position in the lines handed over, from 0. */
  readonly index: number;
  readonly problem: string;
  /** What to write instead. */
  readonly instead: string;
}
