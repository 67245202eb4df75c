/**
 * Which of the rules that match a name wins. One contest serves all questions of a thread, one after the other.
 *
 * A rule that has ended, that does not cover the type, or that does not accept the characters of the name does not
 * compete; how far it came says why the name is denied when no other rule wins. Among those that compete the most
 * specific wins: nearest to the leaf, `example.com` before `+.example.com`, then the order of sets and of rules.
 */
import { type Question, Rrtype } from '../wire/index.ts';
import { type PolicyDescription, RuleFlag } from './description.ts';
import { EntryKind, type NameTable } from './layout.ts';

/** How far a rule that matches came; the further, the more it says about why the name is denied. */
export const Stage = { ENDED: 1, OTHER_TYPE: 2, CHARACTERS: 3, COVERS: 4 } as const;
export type Stage = (typeof Stage)[keyof typeof Stage];

export const NONE = -1;

export class Contest {
  /** The strongest explicit deny rule, deny list and allow rule, or NONE. */
  denyRule = NONE;
  denyList = NONE;
  allow = NONE;
  /** How far `allow` came. */
  allowStage = 0;
  /** The longest local zone that the group may ask, or NONE. */
  zone = NONE;
  /** The pool of the longest route; 0 is the default, which a route may lead to as well. */
  pool = 0;
  #isRouted = false;
  /** Something below the name is allowed. */
  isAncestor = false;

  readonly #table: NameTable;
  readonly #description: PolicyDescription;
  readonly #setOf: Uint32Array;
  readonly #flags: Uint16Array;
  readonly #expiresAtMs: Float64Array;
  readonly #listOf: Uint32Array;
  readonly #ruleCount: number;
  /** For each list with exceptions: the contest in which one was met last, and at which label. */
  readonly #exceptIn: Uint32Array;
  readonly #exceptAt: Uint8Array;
  #number = 0;
  #denyRuleRank = 0;
  #denyListRank = 0;
  #allowRank = 0;

  constructor(table: NameTable, description: PolicyDescription) {
    this.#table = table;
    this.#description = description;
    this.#setOf = description.setOf;
    this.#flags = description.flags;
    this.#expiresAtMs = description.expiresAtMs;
    this.#listOf = description.listOf;
    this.#ruleCount = description.rules.length;
    this.#exceptIn = new Uint32Array(description.setOf.length);
    this.#exceptAt = new Uint8Array(description.setOf.length);
  }

  begin(): void {
    this.denyRule = NONE;
    this.denyList = NONE;
    this.allow = NONE;
    this.allowStage = 0;
    this.zone = NONE;
    this.pool = 0;
    this.#isRouted = false;
    this.isAncestor = false;
    this.#number = (this.#number + 1) >>> 0;
    if (this.#number === 0) this.#exceptIn.fill(0xffff_ffff);
  }

  /** Whether the pattern of `allow` names the whole name. */
  get isExact(): boolean {
    // Ranks 0 and 1 are the name itself, as `example.com` and as `+.example.com`.
    return this.#allowRank <= 1;
  }

  /** Enters all that is said at the suffix that begins at `label`: an entry or `~chain`. */
  enter(found: number, label: number, orders: Uint16Array, question: Question, nowMs: number): void {
    if (found > 0) {
      this.#enterOne(found, label, orders, question, nowMs);
      return;
    }
    const { chains } = this.#table;
    for (let index = ~found; index >= 0; index = chains[index * 2 + 1]) {
      this.#enterOne(chains[index * 2], label, orders, question, nowMs);
    }
  }

  #enterOne(entry: number, label: number, orders: Uint16Array, question: Question, nowMs: number): void {
    const kind = entry & 15;
    const index = entry >>> 4;
    if (kind === EntryKind.ROUTE) {
      if (!this.#isRouted) this.pool = index;
      this.#isRouted = true;
      return;
    }
    if (orders[this.#setOf[index]] === 0) return;
    switch (kind) {
      case EntryKind.EXACT:
        if (label === 0) this.#compete(index, 0, 0, orders, question, nowMs);
        return;
      case EntryKind.BOTH:
        this.#compete(index, label, label * 2 + 1, orders, question, nowMs);
        return;
      case EntryKind.BELOW:
        if (label > 0) this.#compete(index, label, label * 2 + 1, orders, question, nowMs);
        return;
      case EntryKind.EXCEPT_EXACT:
        if (label === 0) this.#except(index, label);
        return;
      case EntryKind.EXCEPT_BELOW:
        if (label > 0) this.#except(index, label);
        return;
      case EntryKind.ANCESTOR:
        if (label === 0 && nowMs < this.#expiresAtMs[index]) this.isAncestor = true;
        return;
      case EntryKind.ZONE:
        if (this.zone === NONE) this.zone = index - this.#ruleCount;
        return;
    }
  }

  /** A rule matches. The smaller the rank, the more specific. */
  #compete(
    rule: number,
    label: number,
    rank: number,
    orders: Uint16Array,
    question: Question,
    nowMs: number,
  ): void {
    const flags = this.#flags[rule];
    const stage = this.stageOf(rule, label, question, nowMs);
    if ((flags & RuleFlag.DENY) === 0) {
      if (stage < this.allowStage) return;
      if (stage === this.allowStage && !this.#isStronger(rule, rank, this.allow, this.#allowRank, orders))
        return;
      this.allow = rule;
      this.allowStage = stage;
      this.#allowRank = rank;
      return;
    }
    if (stage !== Stage.COVERS || this.isExcepted(rule, label)) return;
    if ((flags & RuleFlag.LISTED) === 0) {
      if (!this.#isStronger(rule, rank, this.denyRule, this.#denyRuleRank, orders)) return;
      this.denyRule = rule;
      this.#denyRuleRank = rank;
    } else {
      if (!this.#isStronger(rule, rank, this.denyList, this.#denyListRank, orders)) return;
      this.denyList = rule;
      this.#denyListRank = rank;
    }
  }

  /** The more specific of the deny rule and the deny list, or NONE. */
  strongestDeny(orders: Uint16Array): number {
    const { denyRule, denyList } = this;
    if (denyRule === NONE) return denyList;
    return this.#isStronger(denyList, this.#denyListRank, denyRule, this.#denyRuleRank, orders)
      ? denyList
      : denyRule;
  }

  #isStronger(rule: number, rank: number, other: number, otherRank: number, orders: Uint16Array): boolean {
    if (rule === NONE || other === NONE) return other === NONE;
    if (rank !== otherRank) return rank < otherRank;
    const order = orders[this.#setOf[rule]];
    const otherOrder = orders[this.#setOf[other]];
    return order === otherOrder ? rule < other : order < otherOrder;
  }

  /** `label`: where the pattern that matched begins. */
  stageOf(rule: number, label: number, question: Question, nowMs: number): Stage {
    const flags = this.#flags[rule];
    if ((flags & RuleFlag.EXPIRES) !== 0 && nowMs >= this.#expiresAtMs[rule]) return Stage.ENDED;
    if ((flags & RuleFlag.EVERY_TYPE) !== 0) return Stage.COVERS;
    if (!this.#coversType(rule, flags, question.type)) return Stage.OTHER_TYPE;
    if ((flags & (RuleFlag.ANY_CHARACTERS | RuleFlag.DENY)) !== 0) return Stage.COVERS;
    // What equals a plain pattern is plain; only the labels in front of it are looked at.
    const isPlainBehind = (flags & RuleFlag.PLAIN_NAMES) !== 0 && label < question.labelCount;
    const end = isPlainBehind ? question.labelAt[label] : question.length - 1;
    return hasUnusualOctets(question.name, end) ? Stage.CHARACTERS : Stage.COVERS;
  }

  #coversType(rule: number, flags: number, type: number): boolean {
    if ((flags & RuleFlag.DEFAULT_TYPES) !== 0) {
      // The types of DEFAULT_ALLOW_TYPES.
      return (
        type === Rrtype.A ||
        type === Rrtype.AAAA ||
        type === Rrtype.HTTPS ||
        type === Rrtype.CNAME ||
        type === Rrtype.SVCB
      );
    }
    const types = this.#description.rules[rule].types;
    if (types === null) return false;
    for (let i = 0; i < types.length; i++) if (types[i] === type) return true;
    // ANY asks for the denied type too.
    return type === Rrtype.ANY && (flags & RuleFlag.DENY) !== 0;
  }

  #except(list: number, label: number): void {
    if (this.#exceptIn[list] === this.#number) return;
    this.#exceptIn[list] = this.#number;
    this.#exceptAt[list] = label;
  }

  /** Whether the zone of this deny rule has an exception that is nearer to the name than `label`. */
  isExcepted(rule: number, label: number): boolean {
    if ((this.#flags[rule] & RuleFlag.HAS_EXCEPTIONS) === 0) return false;
    const list = this.#listOf[rule];
    return this.#exceptIn[list] === this.#number && this.#exceptAt[list] < label;
  }
}

/** 1 for lower-case letters, digits, hyphen and underscore. */
const USUAL = Uint8Array.from({ length: 256 }, (_, octet) =>
  Number((octet >= 97 && octet <= 122) || (octet >= 48 && octet <= 57) || octet === 45 || octet === 95),
);

/** Whether the labels before `end` have octets other than letters, digits, hyphen and underscore. */
export function hasUnusualOctets(name: Uint8Array, end: number): boolean {
  for (let at = 0; at < end; ) {
    const labelEnd = at + name[at];
    while (at++ < labelEnd) if (USUAL[name[at]] === 0) return true;
  }
  return false;
}
