/** What crosses the door of the detect room: profiles, alarms, charges and verdicts. */

/** How closely a rule wants its names watched; `strict` also holds below every shared suffix. */
export type Profile = 'default' | 'strict' | 'off';

/** What a client is known by: an IPv6 client by its /64, because it picks the rest itself. */
export interface ClientKey {
  readonly a: number;
  readonly b: number;
}

/** Why a query must not leave. Made once for each verdict; repeated denials carry the same object. */
export interface Alarm {
  readonly rule: AlarmRule;
  readonly scope: Scope;
  /** Zone held to account, presentation form. */
  readonly zone: string;
  /** Bits counted against the bound that was broken. */
  readonly scoreBits: number;
  readonly limitBits: number;
  readonly untilMs: number;
  /** Sentences for people. */
  readonly evidence: readonly string[];
}

export type AlarmRule =
  /** One name carries more than a name may. */
  | 'name'
  /** The names of the last hour. */
  | 'burst'
  /** The answers of the last hour. */
  | 'download'
  /** The choice and order of names that were asked before. */
  | 'order'
  /** The names of a day, of 30 days, of all clients, of all new zones. */
  | 'day'
  | 'month'
  | 'domain'
  | 'form'
  | 'client';

export type Scope = 'client+domain' | 'domain' | 'client';
/**
 * `hold`: for a while, questions of this client that were answered before are answered again from what is kept, so that they do not
 * leave. Nobody is told.
 */
export type Action = 'alert' | 'block' | 'hold';

/** Forms that ordinary services use in everybody's zones. */
export type Form =
  | 'plain'
  /** Below or at a label with an underscore: selectors, validation, directories. More of it is free in each zone. */
  | 'underscore'
  /** Below `_msdcs`: sites and GUIDs of an Active Directory. Charged less. */
  | 'directory'
  /** An address in an SPF macro (RFC 7208 section 7): charged to its client and zone only, and less. */
  | 'spf'
  /** A name with a top-level domain of its own, behind which a search list has put the zone. Charged less. */
  | 'search'
  /** One label of 7 to 15 letters, as browsers ask to see whether a network answers anything. */
  | 'probe';

/** What is known of a zone. */
export type Standing =
  /** No history here. */
  | 'stranger'
  /** Asked for half a day by three clients or more. */
  | 'established'
  /** On the list of popular domains. */
  | 'popular'
  /** A shipped profile knows this name's form. */
  | 'service'
  /** A tenant of a suffix that strangers share. */
  | 'shared'
  /** Such a suffix itself, for names without labels below the tenant's. */
  | 'suffix';

/**
 * What one query that leaves adds. One object per fast path, filled anew by each `check`; copied for the
 * detector thread.
 */
export interface Charge {
  /** The query was not let out. */
  denied: boolean;
  clientA: number;
  clientB: number;
  zoneA: number;
  zoneB: number;
  nowMs: number;
  bits: number;
  payloadBits: number;
  octets: number;
  type: number;
  /** Multiple of the ordinary budget this zone has. */
  trust: number;
  standing: Standing;
  form: Form;
  /** Another client asked this name before, this one never: bits that were charged to the zone are given back. */
  sharedBits: number;
  /** Nobody here asked this zone before, as far as is remembered. */
  isNewZone: boolean;
  /** For a new zone: bits of the domain's own label that read like data. From 40 on it looks made by an algorithm. */
  generatedBits: number;
  /** This client asked this name before: `bits` is then 1, and what the choice says is counted by `order.ts`. */
  isRepeat: boolean;
  /** Hash of name and type. */
  symbol: number;
  /** Several clients ask names of this form. */
  isSharedForm: boolean;
  /** Estimate of how many clients ask the zone. */
  zoneClients: number;
  /** Several clients take the zone for their own network's: it is their directory's, or stands in their search list. */
  isHome: boolean;
  /** Form of the name: equal for names whose labels have equal class and length. */
  shape: number;
}

/** What a block is found by: the keys that its scope names count, the others are ignored. */
export interface Block {
  readonly scope: Scope;
  readonly clientA: number;
  readonly clientB: number;
  readonly zoneA: number;
  readonly zoneB: number;
}

/** A decision of the slow view, to be applied by every fast path (they share one memory: once is enough). */
export interface Verdict extends Block {
  readonly action: Action;
  readonly rule: AlarmRule;
  readonly scoreBits: number;
  readonly limitBits: number;
  readonly firstSeenMs: number;
  readonly decidedAtMs: number;
  readonly untilMs: number;
  readonly evidence: readonly string[];
}
