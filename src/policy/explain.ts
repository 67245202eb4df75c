/** The contest behind a verdict, told to people. */
import { nameText, type Question, typeName } from '../wire/index.ts';
import { type Contest, Stage } from './contest.ts';
import type { Contestant, Explanation, GroupIndex, RuleDescription, Verdict } from './contract.ts';
import { DEFAULT_ALLOW_TYPES, type PolicyDescription } from './description.ts';
import { ENTRY_NONE, EntryKind, entryIndex, entryKind, type NameTable } from './layout.ts';

/** A rule that matches, with what decides between rules. */
interface Match {
  readonly index: number;
  readonly rule: RuleDescription;
  readonly pattern: string;
  readonly label: number;
  readonly rank: number;
  readonly order: number;
}

/** `contest` has just judged this very question. */
export function explain(
  description: PolicyDescription,
  table: NameTable,
  contest: Contest,
  verdict: Verdict,
  group: GroupIndex,
  question: Question,
  nowMs: number,
): Explanation {
  const matches =
    group < 0 || group >= description.groups.length ? [] : collect(description, table, group, question);
  matches.sort(
    (left, right) => left.rank - right.rank || left.order - right.order || left.index - right.index,
  );
  const winner = verdict.action === 'local' ? null : verdict.rule;
  const contestants = matches.map((match): Contestant => {
    const { rule, pattern } = match;
    const isWinner = rule === winner && match === matches.find((other) => other.rule === rule);
    const why = isWinner
      ? whyWon(verdict, rule, question, nowMs)
      : whyLost(contest, match, verdict, matches, question, nowMs);
    return { rule, pattern, outcome: isWinner && isDecisive(verdict) ? 'won' : 'lost', why };
  });
  return { verdict, group: description.groups[group] ?? null, contestants };
}

/** A rule that is named in a denial for its type or end is named as a loser. */
const isDecisive = (verdict: Verdict): boolean =>
  verdict.action === 'allow' || (verdict.action === 'deny' && verdict.cause === 'denied');

function whyWon(verdict: Verdict, rule: RuleDescription, question: Question, nowMs: number): string {
  if (verdict.action === 'deny' && verdict.cause !== 'denied')
    return whyNotCovering(verdict.cause, rule, question, nowMs);
  return verdict.action === 'deny' ? 'deny beats allow' : 'most specific rule that covers the question';
}

function whyLost(
  contest: Contest,
  match: Match,
  verdict: Verdict,
  matches: readonly Match[],
  question: Question,
  nowMs: number,
): string {
  const { rule } = match;
  const stage = contest.stageOf(match.index, match.label, question, nowMs);
  if (stage === Stage.ENDED) return whyNotCovering('expired', rule, question, nowMs);
  if (stage === Stage.OTHER_TYPE) return whyNotCovering('type', rule, question, nowMs);
  if (stage === Stage.CHARACTERS) return whyNotCovering('characters', rule, question, nowMs);
  if (rule.action === 'deny' && contest.isExcepted(match.index, match.label))
    return 'the same zone lets a closer name pass';
  if (verdict.action === 'local') return 'a local zone answers; only a deny rule of a set stands above it';
  const winner = matches.find((other) => other.rule === verdict.rule);
  if (winner === undefined) return 'not asked';
  if (winner.rule.action === 'deny' && rule.action === 'allow') return 'deny beats allow';
  if (match.rank > winner.rank) return `less specific than ${winner.pattern}`;
  return `written after ${winner.rule.id}`;
}

function whyNotCovering(cause: string, rule: RuleDescription, question: Question, nowMs: number): string {
  switch (cause) {
    case 'expired': {
      const end = new Date(rule.expiresAtMs ?? nowMs).toISOString();
      return `expired ${end.endsWith('T00:00:00.000Z') ? end.slice(0, 10) : end}`;
    }
    case 'type': {
      const types = rule.types ?? DEFAULT_ALLOW_TYPES;
      return `covers ${types.map(typeName).join(', ')} only, not ${typeName(question.type)}`;
    }
    default:
      return 'the name has octets other than letters, digits, hyphen and underscore, and the rule does not accept them';
  }
}

function collect(
  description: PolicyDescription,
  table: NameTable,
  group: GroupIndex,
  question: Question,
): Match[] {
  const orders = description.setOrders[group];
  const matches: Match[] = [];
  for (let label = 0; label <= question.labelCount; label++) {
    const at = label === question.labelCount ? question.length - 1 : question.labelAt[label];
    for (const entry of entriesOf(
      table,
      table.find(question.suffixHash[label], question.name, at, question.length),
    )) {
      const kind = entryKind(entry);
      if (kind > EntryKind.BELOW) continue;
      if (label === 0 ? kind === EntryKind.BELOW : kind === EntryKind.EXACT) continue;
      const index = entryIndex(entry);
      const order = orders[description.setOf[index]];
      if (order === 0) continue;
      const name = nameText(question.name, at);
      const pattern =
        kind === EntryKind.EXACT
          ? name
          : `${kind === EntryKind.BOTH ? '+' : '*'}.${name === '.' ? '' : name}`;
      const rank = label * 2 + (kind === EntryKind.EXACT ? 0 : 1);
      matches.push({ index, rule: description.rules[index], pattern, label, rank, order });
    }
  }
  return matches;
}

function* entriesOf(table: NameTable, found: number): Generator<number> {
  if (found === ENTRY_NONE) return;
  if (found > 0) yield found;
  else
    for (let index = ~found; index >= 0; index = table.chains[index * 2 + 1]) yield table.chains[index * 2];
}
