/**
 * How queries end: the one table from outcome to rcode, extended error, counter and audit word.
 *
 * An `Ending` is made once for each outcome, group and rule, and handed out by reference: finishing a query looks up,
 * and makes nothing.
 */
import type { AuditLog } from '../audit/index.ts';
import { decisionAt } from '../metrics/index.ts';
import type { DenyCause, DenyResponse, RuleDescription } from '../policy/index.ts';
import { Ede, edeOption, Rcode } from '../wire/index.ts';

/** Outcomes that do not depend on a rule. */
export const OUTCOMES = {
  malformed: { verdict: 'malformed', cause: null, rcode: Rcode.FORMERR, ede: null },
  opcode: { verdict: 'refuse', cause: 'opcode', rcode: Rcode.NOTIMP, ede: null },
  version: { verdict: 'refuse', cause: 'edns', rcode: Rcode.BADVERS, ede: null },
  class: {
    verdict: 'refuse',
    cause: 'class',
    rcode: Rcode.REFUSED,
    ede: [Ede.NOT_SUPPORTED, 'class IN only'],
  },
  transfer: {
    verdict: 'refuse',
    cause: 'meta-type',
    rcode: Rcode.REFUSED,
    ede: [Ede.NOT_SUPPORTED, 'no zone transfers'],
  },
  noType: {
    verdict: 'refuse',
    cause: 'meta-type',
    rcode: Rcode.FORMERR,
    ede: [Ede.INVALID_QUERY_TYPE, 'no type of records'],
  },
  signed: {
    verdict: 'refuse',
    cause: 'signed',
    rcode: Rcode.NOTAUTH,
    ede: [Ede.NOT_SUPPORTED, 'no TSIG keys'],
  },
  /** A query without a question that asks for a server cookie. */
  cookie: { verdict: 'local', cause: 'cookie', rcode: Rcode.NOERROR, ede: null },
  metaType: { verdict: 'refuse', cause: 'meta-type', rcode: Rcode.NOTIMP, ede: null },
  recursion: {
    verdict: 'refuse',
    cause: 'recursion',
    rcode: Rcode.REFUSED,
    ede: [Ede.NOT_AUTHORITATIVE, 'recursion was not desired, and the cache is not for looking into'],
  },
  client: {
    verdict: 'refuse',
    cause: 'client',
    rcode: Rcode.REFUSED,
    ede: [Ede.PROHIBITED, 'this client is in no group'],
  },
  any: { verdict: 'local', cause: 'any', rcode: Rcode.NOERROR, ede: null },
  local: { verdict: 'local', cause: null, rcode: -1, ede: null },
  timeout: {
    verdict: 'fail',
    cause: 'timeout',
    rcode: Rcode.SERVFAIL,
    ede: [Ede.NO_REACHABLE_AUTHORITY, 'no upstream answered in time'],
  },
  unreachable: {
    verdict: 'fail',
    cause: 'unreachable',
    rcode: Rcode.SERVFAIL,
    ede: [Ede.NETWORK_ERROR, 'no upstream could be reached'],
  },
  unusable: {
    verdict: 'fail',
    cause: 'unusable',
    rcode: Rcode.SERVFAIL,
    ede: [Ede.INVALID_DATA, 'the upstream answered with what cannot be used'],
  },
  /** Aliases of local zones that lead in a circle, or on and on. */
  localAlias: {
    verdict: 'fail',
    cause: 'unusable',
    rcode: Rcode.SERVFAIL,
    ede: [Ede.INVALID_DATA, 'the aliases of local zones lead nowhere'],
  },
  upstreamRcode: {
    verdict: 'fail',
    cause: 'unusable',
    rcode: Rcode.SERVFAIL,
    ede: [Ede.NO_REACHABLE_AUTHORITY, 'the upstream answered with an error'],
  },
  overload: {
    verdict: 'fail',
    cause: 'overload',
    rcode: Rcode.SERVFAIL,
    ede: [Ede.OTHER, 'too many queries in flight'],
  },
  limit: {
    verdict: 'fail',
    cause: 'limit',
    // A shortage that passes, not a policy: REFUSED would end the search of some clients (docs/limits.md).
    rcode: Rcode.SERVFAIL,
    ede: [Ede.OTHER, 'too many queries of this client in flight'],
  },
  domain: {
    verdict: 'fail',
    cause: 'limit',
    rcode: Rcode.SERVFAIL,
    ede: [Ede.OTHER, 'too many questions for this domain in flight'],
  },
  /** Over the response rate; the row is the same for what is dropped and for what slips out truncated. */
  rate: { verdict: 'drop', cause: 'limit', rcode: Rcode.NOERROR, ede: null },
  /** The connection or HTTP stream ended before the answer came. */
  gone: { verdict: 'drop', cause: 'gone', rcode: Rcode.NOERROR, ede: null },
  audit: { verdict: 'fail', cause: 'audit', rcode: Rcode.SERVFAIL, ede: [Ede.OTHER, 'audit unavailable'] },
  bug: { verdict: 'fail', cause: 'bug', rcode: Rcode.SERVFAIL, ede: [Ede.OTHER, 'internal error'] },
} as const satisfies Record<string, OutcomeRow>;

interface OutcomeRow {
  readonly verdict: string;
  readonly cause: string | null;
  readonly rcode: number;
  readonly ede: readonly [number, string] | null;
}

export type OutcomeName = keyof typeof OUTCOMES;

/** All that a query takes from how it ends. */
export interface Ending {
  readonly rcode: number;
  /** EDNS option with the extended error, or null. */
  readonly ede: Uint8Array | null;
  /** What a denied client gets; null for all other endings. */
  readonly response: DenyResponse | null;
  /** Members of the audit line. */
  readonly audit: Uint8Array;
  /** Column of the decision in the metrics. */
  readonly decision: number;
}

export function endingOf(name: OutcomeName, group: string | null, audit: AuditLog): Ending {
  const row: OutcomeRow = OUTCOMES[name];
  return {
    rcode: row.rcode,
    ede: row.ede === null ? null : edeOption(row.ede[0], row.ede[1]),
    response: null,
    audit: audit.renderOutcome({
      group,
      verdict: row.verdict,
      cause: row.cause,
      rule: null,
      reason: null,
      ede: row.ede === null ? null : row.ede[0],
      observed: false,
    }),
    decision: decisionAt(row.verdict, row.cause),
  };
}

/** An allowed query; `wouldDeny` when an `observe` group's policy would have denied it. */
export function allowEnding(
  group: string,
  rule: RuleDescription | null,
  wouldDeny: string | null,
  audit: AuditLog,
): Ending {
  return {
    rcode: Rcode.NOERROR,
    ede: null,
    response: null,
    audit: audit.renderOutcome({
      group,
      verdict: wouldDeny === null ? 'allow' : 'observe',
      cause: wouldDeny,
      rule: rule?.id ?? null,
      reason: rule?.reason ?? null,
      ede: null,
      observed: wouldDeny !== null,
    }),
    decision: decisionAt(wouldDeny === null ? 'allow' : 'observe', wouldDeny),
  };
}

const RCODE_OF_RESPONSE = {
  nxdomain: Rcode.NXDOMAIN,
  nodata: Rcode.NOERROR,
  address: Rcode.NOERROR,
  refused: Rcode.REFUSED,
  drop: -1,
} as const;

/** Causes of the rules, and those of what is found in answers and names. */
type AnyDenyCause = DenyCause | 'answer' | 'tunnel' | 'secret' | 'quarantine';

const CAUSE_TEXT: Record<AnyDenyCause, string> = {
  'not-listed': 'not on the allow list',
  denied: 'denied',
  type: 'this type is not allowed for this name',
  expired: 'the rule that allowed it has expired',
  characters: 'the name has characters that its rule does not allow',
  ancestor: 'only names below this one are on the allow list',
  answer: 'the answer leads to a denied name',
  tunnel: 'the names look like a data channel',
  secret: 'a secret or personal data stands in the name',
  quarantine: 'this client is in quarantine',
};

/** A denied query. The extended error says why, which rule, and whom to ask (RFC 8914 code 15). */
export function denyEnding(
  group: { readonly name: string; readonly contact: string | null },
  cause: AnyDenyCause,
  rule: RuleDescription | null,
  response: DenyResponse,
  audit: AuditLog,
  why: string | null = null,
): Ending {
  const said = why ?? (rule === null || cause !== 'denied' ? CAUSE_TEXT[cause] : rule.reason);
  const from = rule === null ? `group ${group.name}` : `rule ${rule.id}`;
  const ask = group.contact === null ? '' : `; ask ${group.contact}`;
  return {
    rcode: RCODE_OF_RESPONSE[response.kind],
    ede: edeOption(Ede.BLOCKED, `${said} (${from})${ask}`),
    response,
    audit: audit.renderOutcome({
      group: group.name,
      verdict: response.kind === 'drop' ? 'drop' : 'deny',
      cause,
      rule: rule?.id ?? null,
      reason: why ?? rule?.reason ?? null,
      ede: Ede.BLOCKED,
      observed: false,
    }),
    decision: decisionAt(response.kind === 'drop' ? 'drop' : 'deny', cause),
  };
}
