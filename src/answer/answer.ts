/**
 * What an upstream's reply comes down to: the alias chain that starts at the question, the records at its end, the SOA
 * of a negative answer, and nothing else: unasked records poisoned BIND, Unbound and Recursor in 2025 (CVE-2025-40778,
 * CVE-2025-11411, CVE-2025-59023).
 *
 * Records are written anew. `body` is what stands behind the question of a response; compression pointers in it point
 * into the question (always at octet 12) or into `body` itself, so it fits behind every question for the same name.
 */

/** Most alias steps followed for one question (BIND and Unbound: 11). */
export const ALIAS_COUNT_MAX = 11;
/** Most records of one RRset (CVE-2024-1737 was about the cost of large ones). */
export const RRSET_LENGTH_MAX = 256;
/** Most records read in one reply. */
export const RECORD_COUNT_MAX = 2048;

export interface Answer {
  readonly rcode: number;
  readonly answerCount: number;
  readonly authorityCount: number;
  /** Everything between the question and the OPT record. */
  readonly body: Uint8Array;
  /** Positions in `body` of every TTL, in order. */
  readonly ttlAt: Uint16Array;
  /** How long it may be kept, seconds: 0 when it may not. */
  readonly ttlSeconds: number;
  /** Canonical names the chain passed through after the question, and targets of HTTPS and SVCB records. */
  readonly targets: readonly Uint8Array[];
  /** How many of `targets` are alias steps; the rest are service targets. */
  readonly aliasCount: number;
  /** False when the chain was cut because its last target belongs to another pool: ask that name there and go on. */
  readonly complete: boolean;
  /** No records of the asked type at the end of the chain. */
  readonly negative: boolean;
  /** The upstream validated it and can be believed (AD over an authenticated transport). */
  readonly authenticated: boolean;
  /** Extended errors of the upstream as EDNS options, at most 512 octets, ready to be sent. */
  readonly extendedErrors: Uint8Array;
}

/** Why a reply cannot be used, in words for the audit. */
export type Unusable =
  | 'malformed record'
  | 'alias loop'
  | 'alias chain too long'
  | 'two aliases at one name'
  | 'no alias beside its DNAME'
  | 'too many records'
  | 'records under NXDOMAIN'
  | 'octets behind the last record';
