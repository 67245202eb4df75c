/**
 * Judges questions by a compiled policy.
 *
 * A question is looked up suffix by suffix, from the whole name towards the root. What speaks, in order of weight:
 *
 *    1. a deny rule of a set
 *    2. a local zone that the group may ask, the longest
 *    3. a deny list
 *    4. an allow rule or list
 *    5. nothing: denied
 */
import type { Question } from '../wire/index.ts';
import { Contest, NONE, Stage } from './contest.ts';
import type {
  CompiledPolicy,
  DenyCause,
  DenyResponse,
  Explanation,
  GroupDescription,
  GroupIndex,
  LocalAnswer,
  Policy,
  Verdict,
} from './contract.ts';
import { DEFAULT_POOL, descriptionOf, type PolicyDescription } from './description.ts';
import { explain } from './explain.ts';
import { ENTRY_NONE, NameTable } from './layout.ts';
import { LocalZone } from './local-zone.ts';
import { findGroup } from './prefixes.ts';
import { mayReach, type ReachFilter } from './reach-filter.ts';

export const openPolicy = (compiled: CompiledPolicy): Policy => new OpenedPolicy(compiled);

/** For a client of no group, which the query path refuses before it asks. */
const NO_GROUP: Verdict = Object.freeze<Verdict>({
  action: 'deny',
  rule: null,
  cause: 'not-listed',
  response: { kind: 'refused' },
  observed: false,
  pool: DEFAULT_POOL,
});

const NODATA: DenyResponse = Object.freeze<DenyResponse>({ kind: 'nodata' });

/** The kinds of verdict that one rule (or none) can lead to. */
const Kind = {
  ALLOW: 0,
  NOT_LISTED: 1,
  DENIED: 2,
  TYPE: 3,
  EXPIRED: 4,
  CHARACTERS: 5,
  ANCESTOR: 6,
  EXACT: 7,
} as const;
const KIND_COUNT = 8;
const CAUSES: readonly DenyCause[] = [
  'not-listed',
  'not-listed',
  'denied',
  'type',
  'expired',
  'characters',
  'ancestor',
];

class OpenedPolicy implements Policy {
  readonly generation: number;
  readonly groups: readonly GroupDescription[];
  readonly #description: PolicyDescription;
  readonly #table: NameTable;
  readonly #contest: Contest;
  readonly #reach: ReachFilter;
  readonly #setOrders: readonly Uint16Array[];
  /** Without them the first deny that is met is the verdict, and no suffix behind it need be looked up. */
  readonly #mayStopAtDeny: boolean;
  /** When rules end, milliseconds since 1970, growing; few policies have more than a handful. */
  readonly #ends: Float64Array;
  readonly #zones: readonly LocalZone[];
  readonly #zoneVerdicts: readonly Verdict[];
  /** For each group, by rule + 1: its verdicts by kind, response and pool. Made when first needed, then kept. */
  readonly #verdicts: readonly Map<number, Verdict[]>[];

  constructor(compiled: CompiledPolicy) {
    const description = descriptionOf(compiled);
    this.generation = compiled.generation;
    this.groups = description.groups;
    this.#description = description;
    this.#table = new NameTable(compiled.memory, description.layout);
    this.#contest = new Contest(this.#table, description);
    this.#reach = description.reach;
    this.#setOrders = description.setOrders;
    this.#mayStopAtDeny = description.zones.length === 0 && !description.hasRoutes;
    this.#ends = description.expiresAtMs.filter(Number.isFinite).sort();
    this.#zones = description.zones.map(({ zone, rrsets }) => new LocalZone(zone, rrsets));
    this.#zoneVerdicts = description.zones.map((_, zone) => Object.freeze({ action: 'local', zone }));
    this.#verdicts = description.groups.map(() => new Map());
  }

  phaseAt(nowMs: number): number {
    const ends = this.#ends;
    let phase = 0;
    while (phase < ends.length && ends[phase] <= nowMs) phase++;
    return phase;
  }

  groupOf(address: Uint8Array, length: number): GroupIndex {
    return findGroup(this.#description.prefixes, address, length);
  }

  judge(group: GroupIndex, question: Question, nowMs: number): Verdict {
    if (group < 0 || group >= this.#setOrders.length) return NO_GROUP;
    const contest = this.#contest;
    const table = this.#table;
    const orders = this.#setOrders[group];
    const { name, length, labelAt, labelCount, suffixHash } = question;
    contest.begin();
    for (let label = 0; label <= labelCount; label++) {
      if (label > 0 && !mayReach(this.#reach, suffixHash[label])) continue;
      const at = label === labelCount ? length - 1 : labelAt[label];
      const found = table.find(suffixHash[label], name, at, length);
      if (found === ENTRY_NONE) continue;
      contest.enter(found, label, orders, question, nowMs);
      if (this.#mayStopAtDeny && (contest.denyRule !== NONE || contest.denyList !== NONE)) break;
    }
    return this.#decide(group, orders);
  }

  explain(group: GroupIndex, question: Question, nowMs: number): Explanation {
    const verdict = this.judge(group, question, nowMs);
    return explain(this.#description, this.#table, this.#contest, verdict, group, question, nowMs);
  }

  answerLocally(zone: number, question: Question): LocalAnswer {
    return this.#zones[zone].answer(question);
  }

  #decide(group: GroupIndex, orders: Uint16Array): Verdict {
    const contest = this.#contest;
    if (contest.zone !== NONE && contest.denyRule === NONE) return this.#zoneVerdicts[contest.zone];
    const deny = contest.zone === NONE ? contest.strongestDeny(orders) : contest.denyRule;
    if (deny !== NONE) return this.#verdictOf(group, deny, Kind.DENIED);
    switch (contest.allowStage) {
      case Stage.COVERS:
        return this.#verdictOf(group, contest.allow, contest.isExact ? Kind.EXACT : Kind.ALLOW);
      case Stage.CHARACTERS:
        return this.#verdictOf(group, contest.allow, Kind.CHARACTERS);
      case Stage.OTHER_TYPE:
        return this.#verdictOf(group, contest.allow, Kind.TYPE);
      case Stage.ENDED:
        return this.#verdictOf(group, contest.allow, Kind.EXPIRED);
      default:
        return this.#verdictOf(group, NONE, contest.isAncestor ? Kind.ANCESTOR : Kind.NOT_LISTED);
    }
  }

  #verdictOf(group: GroupIndex, rule: number, kind: number): Verdict {
    const { pool, isAncestor } = this.#contest;
    const shape = (pool * 2 + (isAncestor ? 1 : 0)) * KIND_COUNT + kind;
    const ofRule = this.#verdicts[group].get(rule + 1);
    return ofRule?.[shape] ?? this.#makeVerdict(group, rule, kind, shape);
  }

  #makeVerdict(group: GroupIndex, rule: number, kind: number, shape: number): Verdict {
    const { pool, isAncestor } = this.#contest;
    const { rules, pools, groups } = this.#description;
    const description = rule === NONE ? null : rules[rule];
    const poolName = pools[pool];
    let verdict: Verdict;
    if ((kind === Kind.ALLOW || kind === Kind.EXACT) && description !== null) {
      verdict = { action: 'allow', rule: description, pool: poolName, isExact: kind === Kind.EXACT };
    } else {
      const own = kind === Kind.DENIED ? description!.answer : null;
      const response = own ?? groups[group].answer;
      // An NXDOMAIN speaks for all types of a name and for all names below it (RFC 2308 section 5, RFC 8020). A
      // client that keeps it must not lose what is allowed there.
      const isForOneType =
        kind === Kind.TYPE || (kind === Kind.DENIED && own === null && description!.types !== null);
      const mustExist =
        kind === Kind.ANCESTOR || (response.kind === 'nxdomain' && (isAncestor || isForOneType));
      verdict = {
        action: 'deny',
        rule: description,
        cause: CAUSES[kind],
        response: mustExist ? NODATA : response,
        observed: groups[group].mode === 'observe',
        pool: poolName,
      };
    }
    const ofGroup = this.#verdicts[group];
    const ofRule = ofGroup.get(rule + 1) ?? [];
    ofRule[shape] = Object.freeze(verdict);
    ofGroup.set(rule + 1, ofRule);
    return verdict;
  }
}
