/** What travels beside the shared memory of a compiled policy: small, and copied to each worker. */
import { Rrtype } from '../wire/index.ts';
import type { CompiledPolicy, GroupDescription, LocalRrset, RuleDescription } from './contract.ts';
import type { TableLayout } from './layout.ts';
import type { PrefixTable } from './prefixes.ts';
import type { ReachFilter } from './reach-filter.ts';

/** Properties of a rule that judging looks at, one number a rule. */
export const RuleFlag = {
  DENY: 1,
  /** From a list file: a local zone stands above it. */
  LISTED: 2,
  /** Has an end; only then is the clock looked at. */
  EXPIRES: 4,
  /** Covers every type. */
  EVERY_TYPE: 8,
  /** Covers the types of DEFAULT_ALLOW_TYPES. */
  DEFAULT_TYPES: 16,
  /** Accepts every octet in a name. */
  ANY_CHARACTERS: 32,
  /** Names its types. */
  OWN_TYPES: 64,
  /** Of a response policy zone, whose closest match may be "say nothing". */
  HAS_EXCEPTIONS: 128,
  /** All its patterns are of usual characters. */
  PLAIN_NAMES: 256,
} as const;

/** What an allow rule covers that names no types: what a browser or a library asks to connect. */
export const DEFAULT_ALLOW_TYPES: readonly number[] = [
  Rrtype.A,
  Rrtype.AAAA,
  Rrtype.CNAME,
  Rrtype.SVCB,
  Rrtype.HTTPS,
];

export const DEFAULT_POOL = 'default';

export interface ZoneDescription {
  readonly zone: Uint8Array;
  readonly rrsets: readonly LocalRrset[];
}

/**
 * Rules are numbered as written, set by set; behind them one stands for each local zone, in a set of its own that
 * the groups include that may ask it. So zones need no second kind of permission.
 */
export interface PolicyDescription {
  readonly layout: TableLayout;
  readonly rules: readonly RuleDescription[];
  /** For each rule and zone: number of its set. */
  readonly setOf: Uint32Array;
  readonly flags: Uint16Array;
  readonly expiresAtMs: Float64Array;
  /** For each rule: the rule that stands for its whole list; itself for others. */
  readonly listOf: Uint32Array;
  /** For each group: place of each set in its order, from 1; 0 when it does not include it. */
  readonly setOrders: readonly Uint16Array[];
  readonly groups: readonly GroupDescription[];
  readonly prefixes: PrefixTable;
  readonly zones: readonly ZoneDescription[];
  /** Names of pools; the first is DEFAULT_POOL. */
  readonly pools: readonly string[];
  readonly hasRoutes: boolean;
  readonly reach: ReachFilter;
}

export const descriptionOf = (compiled: CompiledPolicy): PolicyDescription =>
  compiled.description as PolicyDescription;
