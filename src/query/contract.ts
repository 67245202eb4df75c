/** What the path needs of the rooms that it must not know: the detector and the upstreams are handed in. */
import type { Redaction } from '../audit/contract.ts';
import type { TunnelAction } from '../policy/index.ts';
import type { Upstreams } from '../upstream/contract.ts';
import type { Question } from '../wire/index.ts';

export type { Asker, UpstreamFailure, UpstreamPool, Upstreams } from '../upstream/contract.ts';

/** Why a name may not leave: data rides in it. */
export interface Alarm {
  /** In words, at most 16: octets counted, names, window, rule. */
  readonly evidence: readonly string[];
}

/** What alarms do in one group, for names under one profile. */
export interface TunnelResponse {
  readonly group: string;
  /** A hash of its name, the same in all threads. */
  readonly groupKey: number;
  readonly action: TunnelAction;
  /** How long it holds after the last query that it stops. */
  readonly holdSeconds: number;
  /** `throttle`: new names a minute, client and zone. */
  readonly namesPerMinute: number;
}

export type DetectorProfile = 'default' | 'strict' | 'off';

export interface Detector {
  /**
   * Whether this name may leave, asked on cache misses only and before forwarding. `client` is 4 or 16 octets, `nowMs` the
   * wall clock. A clean name costs next to nothing (`bench/detect/cost.ts`).
   */
  check(
    question: Question,
    client: Uint8Array,
    clientLength: number,
    profile: DetectorProfile,
    response: TunnelResponse,
    nowMs: number,
  ): Alarm | null;
  /** After an alarm of `check`: whether the query must not leave. Counts the names that `throttle` lets pass. */
  denies(response: TunnelResponse, nowMs: number): boolean;
  /** Until when this client is in quarantine, milliseconds since 1970; 0 when it is not. Asked with every query. */
  quarantinedUntilMs(question: Question, client: Uint8Array, clientLength: number, nowMs: number): number;
  /**
   * Whether this client has told this zone enough for a day by choosing among known questions, so that one that was answered before is
   * answered again from what is kept. Asked on cache misses whose answer has run out, before `check`.
   */
  holds(question: Question, client: Uint8Array, clientLength: number, nowMs: number): boolean;
  /** What came back for a question that was let through. `octets`: length of the answer's body; `answers`: its records. */
  observe(
    question: Question,
    client: Uint8Array,
    clientLength: number,
    profile: DetectorProfile,
    response: TunnelResponse,
    rcode: number,
    octets: number,
    answers: number,
    nowMs: number,
  ): void;
}

/** The detector of installations that have switched it off. */
export const NO_DETECTOR: Detector = {
  check: () => null,
  denies: ({ action }) => action !== 'alert',
  quarantinedUntilMs: () => 0,
  holds: () => false,
  observe: () => undefined,
};

/** What a name gives away. Made for the few names that do. */
export interface Finding {
  readonly kinds: readonly string[];
  /** What the audit writes in place of the name. */
  readonly redaction: Redaction;
}

/** Looks for secrets and personal data in names, and keeps them out of what is written. */
export interface SecretWatch {
  /** The name at `at` of `octets`: uncompressed, in the case of the query where there is one. */
  examine(octets: Uint8Array, at: number): Finding | null;
  /** The same for octets in which no question can be read: `marks` stand for them. Null when they may be written. */
  examineUnreadable(octets: Uint8Array): (Finding & { readonly marks: string | null }) | null;
  /** Rdata in words, redacted: what it says of names, and the rest where it repeats what the question gave away. */
  redactRdata(type: number, text: string, asked: Finding | null): string;
  /** A query with a finding has ended. `group` is null when it was not looked up. */
  note(
    finding: Finding,
    client: Uint8Array,
    clientLength: number,
    group: string | null,
    isDenied: boolean,
  ): void;
}

/** For installations that neither look for secrets nor redact them. */
export const NO_SECRETS: SecretWatch = {
  examine: () => null,
  examineUnreadable: () => null,
  redactRdata: (_type, text) => text,
  note: () => undefined,
};

export interface Clock {
  /** Monotonic, milliseconds with fractions. */
  nowMs(): number;
  /** Wall clock, milliseconds since 1970. */
  wallMs(): number;
}

export type PathUpstreams = Pick<Upstreams, 'pool' | 'flush'>;
