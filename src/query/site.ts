/**
 * Everything the path takes from one compiled policy, prepared: frozen, replaced whole. A query keeps the site it began
 * with.
 */
import type { AuditLog } from '../audit/index.ts';
import type { GroupDescription, Policy, Verdict } from '../policy/index.ts';
import type { DetectorProfile, TunnelResponse } from './contract.ts';
import { allowEnding, denyEnding, type Ending, endingOf, type OutcomeName } from './outcome.ts';

export interface SiteLimits {
  readonly clientDeadlineMs: number;
  readonly forwarderDeadlineMs: number;
  /** What alarms of the detector do, by profile, in groups that say nothing of it. */
  readonly tunnels: Readonly<Record<'default' | 'strict', Omit<TunnelResponse, 'group' | 'groupKey'>>>;
  /** Profile of rules that name none. */
  readonly defaultProfile: DetectorProfile;
  /** Names that give something away are denied in groups that enforce; groups that observe only record it. */
  readonly denySecrets: boolean;
}

/** What stops a query for what its name says. */
type ObservedCause = 'tunnel' | 'secret';

/** One group of a site: its endings are made when they are first needed, one for each verdict. */
export class GroupView {
  readonly description: GroupDescription;
  /** Stable over reloads for the same group name: part of the cache key. */
  readonly view: number;
  readonly deadlineMs: number;
  /** What a name that gives something away meets here; null: nothing but its entry. */
  readonly onSecret: 'deny' | 'observe' | null;
  readonly #tunnels: Readonly<Record<'default' | 'strict', TunnelResponse>>;
  readonly #audit: AuditLog;
  readonly #byCause = new Map<string, Ending>();
  #lastVerdict: Verdict | null = null;
  #lastEnding: Ending | null = null;
  readonly #byVerdict = new Map<Verdict, Ending>();
  readonly #byOutcome = new Map<OutcomeName, Ending>();

  constructor(description: GroupDescription, view: number, limits: SiteLimits, audit: AuditLog) {
    this.description = description;
    this.view = view;
    this.deadlineMs = description.forwarder ? limits.forwarderDeadlineMs : limits.clientDeadlineMs;
    this.#tunnels = tunnelsOf(description, limits);
    this.onSecret = limits.denySecrets ? (description.mode === 'enforce' ? 'deny' : 'observe') : null;
    this.#audit = audit;
  }

  /** What alarms of the detector do here; groups that observe only record them. */
  tunnelResponse(profile: DetectorProfile): TunnelResponse {
    return this.#tunnels[profile === 'strict' ? 'strict' : 'default'];
  }

  /** An answered query that would have been stopped for what its name says. */
  observed(cause: ObservedCause): Ending {
    return this.#kept(`observe ${cause}`, () => allowEnding(this.description.name, null, cause, this.#audit));
  }

  /** A query that is stopped for what its name says. */
  denial(cause: ObservedCause | 'quarantine'): Ending {
    return this.#kept(`deny ${cause}`, () =>
      denyEnding(this.description, cause, null, this.description.answer, this.#audit),
    );
  }

  #kept(key: string, make: () => Ending): Ending {
    let ending = this.#byCause.get(key);
    if (ending === undefined) {
      ending = make();
      this.#byCause.set(key, ending);
    }
    return ending;
  }

  /** How a query with this verdict ends when nothing else stops it. */
  ending(verdict: Verdict): Ending {
    // Most queries of a group end like the one before.
    if (verdict === this.#lastVerdict && this.#lastEnding !== null) return this.#lastEnding;
    let ending = this.#byVerdict.get(verdict);
    if (ending === undefined) {
      ending = this.#make(verdict);
      this.#byVerdict.set(verdict, ending);
    }
    this.#lastVerdict = verdict;
    this.#lastEnding = ending;
    return ending;
  }

  outcome(name: OutcomeName): Ending {
    let ending = this.#byOutcome.get(name);
    if (ending === undefined) {
      ending = endingOf(name, this.description.name, this.#audit);
      this.#byOutcome.set(name, ending);
    }
    return ending;
  }

  #make(verdict: Verdict): Ending {
    const name = this.description.name;
    if (verdict.action === 'local') return this.outcome('local');
    if (verdict.action === 'allow') return allowEnding(name, verdict.rule, null, this.#audit);
    if (verdict.observed) return allowEnding(name, verdict.rule, verdict.cause, this.#audit);
    return denyEnding(this.description, verdict.cause, verdict.rule, verdict.response, this.#audit);
  }
}

/** What a group says of alarms stands before what the settings say. */
function tunnelsOf(
  { name, mode, tunnels }: GroupDescription,
  { tunnels: general, defaultProfile }: SiteLimits,
): Readonly<Record<'default' | 'strict', TunnelResponse>> {
  const of = (profile: 'default' | 'strict'): TunnelResponse => {
    const own = profile === 'strict' ? (tunnels?.strictAction ?? tunnels?.action) : tunnels?.action;
    const { action, holdSeconds, namesPerMinute } = general[profile];
    return {
      group: name,
      groupKey: hashOf(name),
      action: mode === 'observe' ? 'alert' : (own ?? action),
      holdSeconds: tunnels?.holdSeconds ?? holdSeconds,
      namesPerMinute: tunnels?.namesPerMinute ?? namesPerMinute,
    };
  };
  return { default: of(defaultProfile === 'strict' ? 'strict' : 'default'), strict: of('strict') };
}

const hashOf = (text: string): number =>
  [...text].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 0x01000193), 0x811c9dc5);

export class Site {
  readonly policy: Policy;
  readonly groups: readonly GroupView[];
  readonly #audit: AuditLog;
  readonly #byOutcome = new Map<OutcomeName, Ending>();

  constructor(policy: Policy, viewOf: (group: string) => number, limits: SiteLimits, audit: AuditLog) {
    this.policy = policy;
    this.groups = policy.groups.map(
      (description) => new GroupView(description, viewOf(description.name), limits, audit),
    );
    this.#audit = audit;
  }

  /** Endings of queries whose client is in no group, or whose group was not looked up. */
  outcome(name: OutcomeName): Ending {
    let ending = this.#byOutcome.get(name);
    if (ending === undefined) {
      ending = endingOf(name, null, this.#audit);
      this.#byOutcome.set(name, ending);
    }
    return ending;
  }
}
