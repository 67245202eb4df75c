/**
 * What a policy says of a question, worked out from the rules as they are written: arrays of labels and loops over all
 * rules, no table, no hash, nothing remembered. The fast matcher must agree with it on everything.
 */
import type { ListSource, PolicySource, RuleDescription } from '../../src/policy/index.ts';
import { DEFAULT_ALLOW_TYPES } from '../../src/policy/index.ts';
import { Rrtype } from '../../src/wire/index.ts';

type Labels = readonly string[];

interface Statement {
  readonly rule: RuleDescription;
  readonly kind: 'exact' | 'below' | 'both';
  readonly name: Labels;
  readonly fromList: ListSource | null;
  readonly anyCharacters: boolean;
}

export interface PlainVerdict {
  readonly action: 'allow' | 'deny' | 'local';
  readonly zone?: number;
  readonly rule?: string | null;
  readonly cause?: string;
  readonly response?: string;
  readonly observed?: boolean;
  readonly pool?: string;
}

export interface PlainQuestion {
  readonly name: Uint8Array;
  readonly type: number;
}

export function plainJudge(
  source: PolicySource,
  group: number,
  question: PlainQuestion,
  nowMs: number,
): PlainVerdict {
  const name = labelsOf(question.name);
  const { sets, answer, mode, name: groupName } = source.groups[group];
  const statements: Statement[] = [];
  const exceptions: Statement[] = [];
  for (const setName of new Set(sets)) {
    const set = source.sets.find((candidate) => candidate.name === setName);
    for (const { description, patterns, characters } of set?.rules ?? []) {
      for (const pattern of patterns) {
        const { kind } = pattern;
        const anyCharacters = characters === 'any';
        statements.push({
          rule: description,
          kind,
          name: labelsOf(pattern.name),
          fromList: null,
          anyCharacters,
        });
      }
    }
    for (const list of set?.lists ?? []) readPlainly(list, statements, exceptions);
  }

  const speaking = statements.filter((statement) => matches(statement, name));
  const isCurrent = (rule: RuleDescription): boolean => rule.expiresAtMs === null || nowMs < rule.expiresAtMs;
  const covers = (rule: RuleDescription): boolean => {
    if (rule.types === null) return rule.action === 'deny' || DEFAULT_ALLOW_TYPES.includes(question.type);
    return rule.types.includes(question.type) || (rule.action === 'deny' && question.type === Rrtype.ANY);
  };
  const isPlain = name.every((label) => /^[a-z0-9_-]*$/.test(label));

  const denies = strongestFirst(
    speaking.filter(
      (statement) =>
        statement.rule.action === 'deny' &&
        isCurrent(statement.rule) &&
        covers(statement.rule) &&
        !exceptions.some(
          (other) =>
            other.fromList === statement.fromList &&
            matches(other, name) &&
            other.name.length > statement.name.length,
        ),
    ),
  );
  const explicitDeny = denies.find((statement) => statement.fromList === null);
  const routes = source.via.filter(({ suffix }) => isAtOrBelow(name, labelsOf(suffix)));
  const pool = routes.sort((left, right) => right.suffix.length - left.suffix.length)[0]?.pool ?? 'default';
  const openZones = source.local.filter(({ groups }) => groups === null || groups.includes(groupName));
  const zones = openZones.filter(({ zone }) => isAtOrBelow(name, labelsOf(zone)));
  const zone = zones.sort((left, right) => right.zone.length - left.zone.length)[0];

  const hasAllowedBelow =
    statements.some(
      ({ rule, kind, name: pattern, fromList }) =>
        rule.action === 'allow' &&
        isCurrent(rule) &&
        isAtOrBelow(pattern, name) &&
        (kind !== 'exact' || pattern.length > name.length) &&
        (fromList === null || rule === fromList.description),
    ) ||
    openZones.some(
      ({ zone: apex }) => labelsOf(apex).length > name.length && isAtOrBelow(labelsOf(apex), name),
    );

  const deny = (rule: RuleDescription | null, cause: string): PlainVerdict => {
    const own = cause === 'denied' ? (rule?.answer ?? null) : null;
    let response = (own ?? answer).kind;
    if (cause === 'ancestor') response = 'nodata';
    const speaksForOneType = cause === 'type' || (cause === 'denied' && own === null && rule?.types != null);
    if (response === 'nxdomain' && (hasAllowedBelow || speaksForOneType)) response = 'nodata';
    return { action: 'deny', rule: rule?.id ?? null, cause, response, observed: mode === 'observe', pool };
  };

  if (explicitDeny !== undefined && zone !== undefined) return deny(explicitDeny.rule, 'denied');
  if (zone !== undefined) return { action: 'local', zone: source.local.indexOf(zone) };
  if (denies.length > 0) return deny(denies[0].rule, 'denied');

  const allows = strongestFirst(speaking.filter(({ rule }) => rule.action === 'allow'));
  const current = allows.filter(({ rule }) => isCurrent(rule));
  const typed = current.filter(({ rule }) => covers(rule));
  const winner = typed.find(({ anyCharacters }) => anyCharacters || isPlain);
  if (winner !== undefined) return { action: 'allow', rule: winner.rule.id, pool };
  if (typed.length > 0) return deny(typed[0].rule, 'characters');
  if (current.length > 0) return deny(current[0].rule, 'type');
  if (allows.length > 0) return deny(allows[0].rule, 'expired');
  return deny(null, hasAllowedBelow ? 'ancestor' : 'not-listed');
}

/** Longer patterns first; at the name itself the plain name before the plus; else as written. */
function strongestFirst(statements: readonly Statement[]): Statement[] {
  const weight = ({ name, kind }: Statement): number => name.length * 2 + (kind === 'exact' ? 1 : 0);
  return [...statements].sort((left, right) => weight(right) - weight(left));
}

function matches({ kind, name: pattern }: Statement, name: Labels): boolean {
  if (!isAtOrBelow(name, pattern)) return false;
  if (kind === 'both') return true;
  return kind === 'exact' ? name.length === pattern.length : name.length > pattern.length;
}

const isAtOrBelow = (name: Labels, ancestor: Labels): boolean =>
  name.length >= ancestor.length &&
  ancestor.every((label, i) => label === name[name.length - ancestor.length + i]);

/** Lists as the tests make them: one plain statement a line, no comments, no faults. */
function readPlainly(list: ListSource, statements: Statement[], exceptions: Statement[]): void {
  const text = new TextDecoder().decode(list.octets);
  const bare = list.match === 'both' ? 'both' : 'exact';
  for (const line of text.split('\n').filter((content) => content !== '')) {
    const words = line.split(' ');
    if (list.format === 'hosts') {
      for (const name of words.slice(1)) statements.push(statementOf(list, list.description, bare, name));
    } else if (list.format === 'names') {
      if (line.startsWith('*.')) statements.push(statementOf(list, list.description, 'below', line.slice(2)));
      else if (line.startsWith('+.'))
        statements.push(statementOf(list, list.description, 'both', line.slice(2)));
      else statements.push(statementOf(list, list.description, bare, line));
    } else {
      readZoneLine(list, words, statements, exceptions);
    }
  }
}

function readZoneLine(
  list: ListSource,
  words: readonly string[],
  statements: Statement[],
  exceptions: Statement[],
): void {
  const [owner, , target] = words;
  const kind = owner.startsWith('*.') ? 'below' : 'exact';
  const name = kind === 'below' ? owner.slice(2) : owner;
  const { description } = list;
  if (target === 'rpz-passthru.') {
    exceptions.push(statementOf(list, description, kind, name));
    if (description.action === 'allow') statements.push(statementOf(list, description, kind, name));
    return;
  }
  const answerKind = target === '.' ? 'nxdomain' : target === '*.' ? 'nodata' : 'drop';
  const answer =
    description.action === 'deny' && description.answer !== null
      ? description.answer
      : ({ kind: answerKind } as const);
  const types = description.action === 'deny' ? description.types : null;
  const rule: RuleDescription = {
    ...description,
    id: `${description.id}/${answerKind}`,
    action: 'deny',
    answer,
    types,
  };
  statements.push(statementOf(list, rule, kind, name));
}

const statementOf = (
  list: ListSource,
  rule: RuleDescription,
  kind: Statement['kind'],
  name: string,
): Statement => ({
  rule,
  kind,
  name: name.split('.'),
  fromList: list,
  anyCharacters: false,
});

function labelsOf(name: Uint8Array): Labels {
  const labels: string[] = [];
  for (let at = 0; name[at] !== 0; at += name[at] + 1) {
    labels.push(String.fromCharCode(...name.slice(at + 1, at + 1 + name[at])));
  }
  return labels;
}
