/**
 * May this answer go back? Every name that an alias chain passed through is judged: a deny rule on any of them denies the
 * answer, and a rule may demand more (`cname: inspect | same-site`). Targets of HTTPS and SVCB records count as steps.
 */
import { createRequire } from 'node:module';
import type { Answer } from '../answer/index.ts';
import type { Policy, RuleDescription, Verdict } from '../policy/index.ts';
import { nameText, Question, Rrtype } from '../wire/index.ts';

export interface BlockedAlias {
  readonly target: string;
  readonly rule: RuleDescription | null;
  readonly why: string;
}

export class AliasJudge {
  /** A question of its own: the one of the query at hand is still needed. */
  readonly #question: Question;

  constructor(hashSeed: number) {
    this.#question = new Question(hashSeed);
  }

  /** What the policy says of an alias target. */
  verdictOn(policy: Policy, group: number, target: Uint8Array, type: number, wallMs: number): Verdict {
    return policy.judge(group, this.#question.set(target, type), wallMs);
  }

  /** The first target that may not be reached, or null. `verdict` is that of the question itself. */
  firstBlocked(
    policy: Policy,
    group: number,
    verdict: Verdict,
    qname: Uint8Array,
    type: number,
    answer: Answer,
    wallMs: number,
  ): BlockedAlias | null {
    if (answer.targets.length === 0 || (verdict.action === 'deny' && verdict.observed)) return null;
    const demand = verdict.action === 'allow' ? verdict.rule.cname : 'trust';
    for (const target of answer.targets) {
      // A rule for A or AAAA is what a service target will be asked with next.
      const asked = type === Rrtype.HTTPS || type === Rrtype.SVCB ? Rrtype.A : type;
      const said = this.verdictOn(policy, group, target, asked, wallMs);
      if (said.action === 'deny' && said.cause === 'denied') {
        return { target: nameText(target), rule: said.rule, why: said.rule?.reason ?? 'denied' };
      }
      if (demand === 'inspect' && said.action === 'deny') {
        return {
          target: nameText(target),
          rule: null,
          why: 'the alias leads to a name that is not allowed itself',
        };
      }
      if (demand === 'same-site' && !isSameSite(qname, target)) {
        return { target: nameText(target), rule: null, why: 'the alias leads out of its registrable domain' };
      }
    }
    return null;
  }
}

type Domains = typeof import('tldts');
let domains: Domains | null = null;

/** Whether two names have one registrable domain. The list of suffixes is loaded when a rule first asks for it. */
function isSameSite(left: Uint8Array, right: Uint8Array): boolean {
  domains ??= createRequire(import.meta.url)('tldts') as Domains;
  const { getDomain } = domains;
  const site = getDomain(nameText(left), { allowPrivateDomains: true });
  return site !== null && site === getDomain(nameText(right), { allowPrivateDomains: true });
}
