/** Why a client gets what it gets: the contest of rules behind one question, as data for the CLI and `GET /explain`. */
import { addressOctets } from './net/index.ts';
import type { Policy, RuleDescription, Verdict } from './policy/index.ts';
import { NameError, nameOctets, nameText, Question, typeName, typeOf } from './wire/index.ts';

export interface ExplainedRule {
  readonly id: string;
  readonly action: 'allow' | 'deny';
  readonly reason: string;
  readonly expires: string | null;
  readonly owner: string | null;
  readonly ticket: string | null;
  readonly file: string;
  readonly line: number;
}

export interface ExplainedContest {
  readonly name: string;
  readonly type: string;
  readonly client: string;
  readonly group: string | null;
  readonly mode: string | null;
  readonly verdict: 'allow' | 'deny' | 'local' | 'refuse';
  readonly cause: string | null;
  readonly observed: boolean;
  readonly rule: ExplainedRule | null;
  /** What the client would get, in words. */
  readonly response: string;
  readonly pool: string | null;
  readonly contestants: readonly {
    readonly rule: ExplainedRule;
    readonly pattern: string;
    readonly outcome: 'won' | 'lost';
    readonly why: string;
  }[];
}

/** The contest, or what is wrong with the question and what to write instead. */
export function explain(
  policy: Policy,
  hashSeed: number,
  asked: { readonly name: string; readonly type: string; readonly client: string },
  nowMs: number,
): ExplainedContest | { readonly fault: string } {
  const type = typeOf(asked.type);
  if (type === undefined)
    return { fault: `"${asked.type}" is not a type; write for example A, TXT or TYPE65` };
  const client = addressOctets(asked.client);
  if (client === null)
    return { fault: `"${asked.client}" is not an IP address; write for example 192.0.2.7` };
  let name: Uint8Array;
  try {
    name = nameOctets(asked.name);
  } catch (error) {
    if (error instanceof NameError) return { fault: `${error.message}; write for example www.example.com` };
    throw error;
  }
  const group = policy.groupOf(client, client.length);
  const common = { name: nameText(name), type: typeName(type), client: asked.client };
  if (group < 0) {
    return {
      ...common,
      group: null,
      mode: null,
      verdict: 'refuse',
      cause: 'client',
      observed: false,
      rule: null,
      response: 'REFUSED: this client is in no group',
      pool: null,
      contestants: [],
    };
  }
  const contest = policy.explain(group, new Question(hashSeed).set(name, type), nowMs);
  const { verdict } = contest;
  const rule = verdict.action === 'local' ? null : verdict.rule;
  return {
    ...common,
    group: contest.group?.name ?? null,
    mode: contest.group?.mode ?? null,
    verdict: verdict.action,
    cause: verdict.action === 'deny' ? verdict.cause : null,
    observed: verdict.action === 'deny' && verdict.observed,
    rule: rule === null ? null : describe(rule),
    response: responseText(verdict),
    pool: verdict.action === 'local' ? null : verdict.pool,
    contestants: contest.contestants.map((one) => ({ ...one, rule: describe(one.rule) })),
  };
}

const describe = (rule: RuleDescription): ExplainedRule => ({
  id: rule.id,
  action: rule.action,
  reason: rule.reason,
  expires: rule.expiresAtMs === null ? null : new Date(rule.expiresAtMs).toISOString(),
  owner: rule.owner,
  ticket: rule.ticket,
  file: rule.file,
  line: rule.line,
});

function responseText(verdict: Verdict): string {
  if (verdict.action === 'local') return 'the answer of the local zone, with AA';
  if (verdict.action === 'allow') return `the answer of upstream pool "${verdict.pool}"`;
  if (verdict.observed) {
    return `the answer of upstream pool "${verdict.pool}", recorded as would-be denied (${verdict.cause})`;
  }
  const extra = 'with EDE 15 (Blocked) when the query has EDNS';
  switch (verdict.response.kind) {
    case 'nxdomain':
      return `NXDOMAIN and SOA, ${extra}`;
    case 'nodata':
      return `NODATA (NOERROR and SOA), ${extra}`;
    case 'refused':
      return `REFUSED, ${extra}`;
    case 'drop':
      return 'nothing: the query is dropped';
    case 'address':
      return `the address that the policy sets, ${extra}`;
  }
}
