/** The rules of the policy beside what the log says of their use. */
import type { RuleDescription } from '../policy/index.ts';
import { typeName } from '../wire/index.ts';
import type { Activity } from './activity.ts';
import { byText, type Listing, listing } from './bounded-table.ts';
import { isOutsideEea } from './countries.ts';

/** Rows of one table of the report; beyond it rows are counted. */
export const LISTED_MAX = 500;
/** An allow list is the heart of the report, and longer. */
const RULES_LISTED_MAX = 5000;
const PATTERNS_MAX = 20;
const EXPIRING_DAYS = 14;
const DAY_MS = 86_400_000;

export interface Processor {
  readonly name: string;
  readonly country: string;
  readonly agreement: string | null;
  readonly outsideEea: boolean;
}

export interface RuleRow {
  readonly id: string;
  readonly action: 'allow' | 'deny';
  readonly patterns: readonly string[];
  readonly patternsOmitted: number;
  /** Query types, or null for the default of the policy. */
  readonly types: readonly string[] | null;
  readonly reason: string;
  readonly owner: string | null;
  readonly ticket: string | null;
  readonly expires: string | null;
  readonly processor: Processor | null;
  readonly file: string;
  readonly line: number;
  /** Queries of the period that it decided, and the last of them. */
  readonly queries: number;
  readonly lastUsed: string | null;
}

export type ExceptionState = 'ended before the period' | 'ended' | 'ends within 14 days' | 'in force';

export interface ExceptionRow extends RuleRow {
  readonly state: ExceptionState;
  /** Queries of the period that were denied because it had ended. */
  readonly queriesAfterEnd: number;
}

interface ProcessorRow extends Processor {
  readonly rules: readonly string[];
  readonly rulesOmitted: number;
  readonly queries: number;
}

interface UnknownRuleRow {
  readonly rule: string;
  readonly reason: string;
  readonly queries: number;
  readonly first: string;
  readonly last: string;
}

export interface RuleSections {
  readonly allowList: Listing<RuleRow> & {
    readonly rules: number;
    readonly withoutOwner: number;
    readonly ended: number;
  };
  readonly processors: Listing<ProcessorRow> & {
    readonly outsideEea: number;
    readonly withoutAgreement: number;
    readonly rulesWithout: number;
  };
  readonly exceptions: Listing<ExceptionRow> & {
    readonly granted: number;
    readonly used: number;
    readonly ended: number;
    readonly endedInPeriod: number;
    readonly ending: number;
  };
  readonly unused: Listing<RuleRow>;
  /** Rules that the log names and this policy does not have, or has with another reason: it was changed since. */
  readonly unknown: Listing<UnknownRuleRow>;
}

/** The period, and as of when a rule has ended; milliseconds since 1970. */
export interface Moments {
  readonly fromMs: number;
  readonly toMs: number;
  readonly nowMs: number;
}

export function ruleSections(
  rules: readonly RuleDescription[],
  activity: Activity,
  { fromMs, toMs, nowMs }: Moments,
): RuleSections {
  const rows = rules.map((rule) => rowOf(rule, activity));
  const allowed = rows.filter(({ action }) => action === 'allow');
  const exceptions = rules.flatMap((rule, i) => exceptionOf(rule, rows[i], activity, fromMs, nowMs));
  const isEnded = ({ expires }: RuleRow): boolean => expires !== null && Date.parse(expires) <= nowMs;
  const processors = processorsOf(allowed);
  const inState = (...states: ExceptionState[]): number =>
    exceptions.filter(({ state }) => states.includes(state)).length;
  return {
    allowList: {
      ...listing(allowed, RULES_LISTED_MAX),
      rules: allowed.length,
      withoutOwner: allowed.filter(({ owner }) => owner === null).length,
      ended: allowed.filter(isEnded).length,
    },
    processors: {
      ...listing(processors, LISTED_MAX),
      outsideEea: processors.filter(({ outsideEea }) => outsideEea).length,
      withoutAgreement: processors.filter(({ agreement }) => agreement === null).length,
      rulesWithout: allowed.filter(({ processor }) => processor === null).length,
    },
    exceptions: {
      ...listing(
        exceptions.sort((left, right) => byText(left.expires ?? '', right.expires ?? '')),
        LISTED_MAX,
      ),
      granted: exceptions.length,
      used: exceptions.filter(({ queries }) => queries > 0).length,
      ended: inState('ended', 'ended before the period'),
      endedInPeriod: rules.filter(
        ({ expiresAtMs: at }) => at !== null && at > fromMs && at <= Math.min(toMs, nowMs),
      ).length,
      ending: inState('ends within 14 days'),
    },
    unused: listing(
      rows.filter((row) => row.queries === 0),
      LISTED_MAX,
    ),
    unknown: unknownRules(rules, activity),
  };
}

function rowOf(rule: RuleDescription, activity: Activity): RuleRow {
  const use = activity.uses.get(useKey(rule));
  const { id, action, reason, owner, ticket, processor, file, line } = rule;
  return {
    id,
    action,
    patterns: rule.patterns.slice(0, PATTERNS_MAX),
    patternsOmitted: Math.max(0, rule.patterns.length - PATTERNS_MAX),
    types: rule.types === null ? null : rule.types.map(typeName),
    reason,
    owner,
    ticket,
    expires: rule.expiresAtMs === null ? null : new Date(rule.expiresAtMs).toISOString(),
    processor: processor === null ? null : { ...processor, outsideEea: isOutsideEea(processor.country) },
    file,
    line,
    queries: use?.queries ?? 0,
    lastUsed: use === undefined || use.queries === 0 ? null : use.last,
  };
}

/** Ids count positions, so a rule is only the same when its reason is: after an insertion an id is another rule's. */
const useKey = ({ id, reason }: { readonly id: string; readonly reason: string }): string =>
  `${id}\0${reason}`;

function exceptionOf(
  rule: RuleDescription,
  row: RuleRow,
  activity: Activity,
  fromMs: number,
  nowMs: number,
): ExceptionRow[] {
  const { expiresAtMs } = rule;
  if (expiresAtMs === null) return [];
  const queriesAfterEnd = activity.uses.get(useKey(rule))?.afterEnd ?? 0;
  return [{ ...row, state: stateOf(expiresAtMs, fromMs, nowMs), queriesAfterEnd }];
}

function stateOf(expiresAtMs: number, fromMs: number, nowMs: number): ExceptionState {
  if (expiresAtMs <= fromMs) return 'ended before the period';
  if (expiresAtMs <= nowMs) return 'ended';
  return expiresAtMs <= nowMs + EXPIRING_DAYS * DAY_MS ? 'ends within 14 days' : 'in force';
}

function processorsOf(rows: readonly RuleRow[]): ProcessorRow[] {
  const byKey = new Map<string, { processor: Processor; rules: string[]; queries: number }>();
  for (const { processor, id, queries } of rows) {
    if (processor === null) continue;
    const key = [processor.country, processor.name, processor.agreement ?? ''].join('\0');
    const known = byKey.get(key) ?? { processor, rules: [], queries: 0 };
    known.rules.push(id);
    known.queries += queries;
    byKey.set(key, known);
  }
  // Transfers to third countries first: they are what a reader of this section looks for.
  return [...byKey.values()]
    .map(({ processor, rules, queries }) => ({
      ...processor,
      rules: rules.slice(0, PATTERNS_MAX),
      rulesOmitted: Math.max(0, rules.length - PATTERNS_MAX),
      queries,
    }))
    .sort(
      (left, right) => Number(right.outsideEea) - Number(left.outsideEea) || byText(left.name, right.name),
    );
}

function unknownRules(rules: readonly RuleDescription[], activity: Activity): Listing<UnknownRuleRow> {
  const known = new Set(rules.map(useKey));
  const unknown = [...activity.uses.values()]
    .filter(({ rule, reason }) => !known.has(`${rule}\0${reason}`))
    .map(({ rule, reason, queries, afterEnd, first, last }) => ({
      rule,
      reason,
      queries: queries + afterEnd,
      first,
      last,
    }))
    .sort((left, right) => right.queries - left.queries || byText(left.rule, right.rule));
  return listing(unknown, LISTED_MAX, activity.uses.uncounted);
}
