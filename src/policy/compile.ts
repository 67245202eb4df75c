/** From rules as they were written to shared memory that every worker reads. */
import { hashLabel, nameLength } from '../wire/index.ts';
import { hasUnusualOctets } from './contest.ts';
import type {
  CompiledPolicy,
  DenyResponse,
  GroupDescription,
  LocalRrset,
  RuleDescription,
} from './contract.ts';
import { DEFAULT_POOL, type PolicyDescription, RuleFlag } from './description.ts';
import { ENTRY_INDEX_MAX, EntryKind, entryIndex, entryKind, entryOf } from './layout.ts';
import { type ListAction, ListedName } from './list-reader.ts';
import { estimateList, type ListSummary, readList } from './lists.ts';
import { buildPrefixTable } from './prefixes.ts';
import { buildReachFilter } from './reach-filter.ts';
import type { ListFault, ListSource, PatternKind, PolicySource, RuleSource } from './source.ts';
import { TableBuilder } from './table-builder.ts';

export interface CompileOptions {
  /** Secret of this process; the same that its `Question` objects are made with. */
  readonly hashSeed: number;
  readonly generation: number;
  /** What is wrong with a wildcard of an allow *list*, for the public-suffix guard. `name` in presentation form. */
  readonly judgeWildcard?: (name: string) => Pick<ListFault, 'severity' | 'problem' | 'instead'> | null;
  /** For tests that force collisions. */
  readonly hashLabel?: typeof hashLabel;
}

export interface Compilation {
  readonly compiled: CompiledPolicy;
  /** With an `error` among them the policy must not go into force. */
  readonly faults: readonly ListFault[];
  /** One for each list, in the order of sets and lists. */
  readonly lists: readonly ListSummary[];
}

export function compilePolicy(source: PolicySource, options: CompileOptions): Compilation {
  return new Compiler(source, options).compile();
}

/** The responses that a response policy zone may choose for a name, each a rule beside the one of its list. */
const ZONE_ACTIONS = ['nxdomain', 'nodata', 'drop'] as const;

const KINDS: Record<PatternKind, EntryKind> = {
  exact: EntryKind.EXACT,
  below: EntryKind.BELOW,
  both: EntryKind.BOTH,
};

class Compiler {
  readonly #source: PolicySource;
  readonly #options: CompileOptions;
  readonly #hash: typeof hashLabel;
  readonly #table: TableBuilder;
  readonly #name = new ListedName();
  readonly #faults: ListFault[] = [];
  readonly #summaries: ListSummary[] = [];
  readonly #rules: RuleDescription[] = [];
  readonly #setOf: number[] = [];
  readonly #flags: number[] = [];
  readonly #expiresAtMs: number[] = [];
  readonly #listOf: number[] = [];
  readonly #pools: string[] = [DEFAULT_POOL];
  /** Hashes of the names that say something of names below them. */
  readonly #reaching: number[] = [];

  constructor(source: PolicySource, options: CompileOptions) {
    this.#source = source;
    this.#options = options;
    this.#hash = options.hashLabel ?? hashLabel;
    let names = 64;
    let octets = 1024;
    for (const set of source.sets) {
      for (const rule of set.rules) {
        names += rule.patterns.length * 2;
        for (const pattern of rule.patterns) octets += pattern.name.length;
      }
      for (const list of set.lists) {
        const estimate = estimateList(list);
        names += estimate.names;
        octets += estimate.octets;
      }
    }
    this.#table = new TableBuilder(names, octets);
  }

  compile(): Compilation {
    const { sets, via } = this.#source;
    for (const [number, set] of sets.entries()) {
      for (const rule of set.rules) this.#addRule(number, rule);
      for (const list of set.lists) this.#addList(number, list);
    }
    const zones = this.#addZones();
    for (const { suffix, pool } of via) this.#addRoute(suffix, pool);
    const { memory, layout } = this.#table.finish();
    const description: PolicyDescription = {
      layout,
      rules: this.#rules,
      setOf: Uint32Array.from(this.#setOf),
      flags: Uint16Array.from(this.#flags),
      expiresAtMs: Float64Array.from(this.#expiresAtMs),
      listOf: Uint32Array.from(this.#listOf),
      setOrders: this.#source.groups.map((group) => this.#orderSets(group.name, group.sets)),
      groups: this.#source.groups.map(describeGroup),
      prefixes: buildPrefixTable(
        this.#source.groups.flatMap(({ clients }, group) => clients.map((client) => ({ ...client, group }))),
      ),
      zones,
      pools: this.#pools,
      hasRoutes: via.length > 0,
      reach: buildReachFilter(this.#reaching),
    };
    const { generation, hashSeed } = this.#options;
    return {
      compiled: { generation, hashSeed, memory, description },
      faults: this.#faults,
      lists: this.#summaries,
    };
  }

  #newRule(set: number, description: RuleDescription, flags: number, list?: number): number {
    const rule = this.#setOf.length;
    if (rule > ENTRY_INDEX_MAX) throw new RangeError(`a policy has at most ${ENTRY_INDEX_MAX} rules`);
    this.#rules.push(description);
    this.#pushColumns(
      set,
      flagsOf(description) | flags,
      description.expiresAtMs ?? Number.POSITIVE_INFINITY,
      list ?? rule,
    );
    return rule;
  }

  #pushColumns(set: number, flags: number, expiresAtMs: number, list: number): void {
    this.#setOf.push(set);
    this.#flags.push(flags);
    this.#expiresAtMs.push(expiresAtMs);
    this.#listOf.push(list);
  }

  #addRule(set: number, source: RuleSource): void {
    const rule = this.#newRule(
      set,
      source.description,
      source.characters === 'any' ? RuleFlag.ANY_CHARACTERS : 0,
    );
    for (const { kind, name } of source.patterns) {
      this.#name.set(name);
      this.#name.hashSuffixes(this.#options.hashSeed, this.#hash);
      this.#addName(this.#name, KINDS[kind], rule, source.description.action === 'allow');
    }
  }

  #addList(set: number, list: ListSource): void {
    const { description, format } = list;
    const isZone = format === 'rpz';
    const rule = this.#newRule(set, description, RuleFlag.LISTED | (isZone ? RuleFlag.HAS_EXCEPTIONS : 0));
    // A fixed number of rules for each zone keeps rule numbers the same whatever its records say.
    const byAction: Partial<Record<ListAction, number>> = {};
    for (const kind of isZone ? ZONE_ACTIONS : []) {
      const variant = describeZoneAction(description, kind);
      byAction[kind] = this.#newRule(set, variant, RuleFlag.LISTED | RuleFlag.HAS_EXCEPTIONS, rule);
    }
    const isAllow = description.action === 'allow';
    const summary = readList(list, this.#options.judgeWildcard, this.#faults, (listed) => {
      listed.hashSuffixes(this.#options.hashSeed, this.#hash);
      if (listed.action === 'passthru') this.#addException(listed, rule);
      if (listed.action === 'listed' || (isAllow && listed.action === 'passthru')) {
        this.#addName(listed, listed.kind, rule, isAllow);
      } else if (listed.action !== 'passthru') {
        this.#addName(listed, listed.kind, byAction[listed.action] ?? rule, false);
      }
    });
    this.#summaries.push(summary);
  }

  #addException(listed: ListedName, rule: number): void {
    const kind = listed.kind === EntryKind.EXACT ? EntryKind.EXCEPT_EXACT : EntryKind.EXCEPT_BELOW;
    this.#put(listed, entryOf(kind, rule), kind === EntryKind.EXCEPT_BELOW);
  }

  #addName(name: ListedName, kind: EntryKind, rule: number, isAllow: boolean): void {
    const nameAt = this.#put(name, entryOf(kind, rule), kind !== EntryKind.EXACT);
    if (!isAllow) return;
    if (hasUnusualOctets(name.name, name.length - 1)) this.#flags[rule] &= ~RuleFlag.PLAIN_NAMES;
    this.#markAncestors(name, nameAt, kind === EntryKind.EXACT ? 1 : 0, rule);
  }

  /** `isReaching`: says something of the names below. */
  #put(name: ListedName, entry: number, isReaching: boolean): number {
    if (isReaching) this.#reaching.push(name.suffixHash[0]);
    return this.#table.add(name.suffixHash[0], name.name, 0, name.length, entry);
  }

  /**
   * Notes on every name above an allowed one that something allowed is below it. A name already marked by a rule of the
   * same set that lasts as long has had all names above it marked too, so most rules stop at once.
   */
  #markAncestors(name: ListedName, nameAt: number, from: number, rule: number): void {
    const table = this.#table;
    for (let label = from; label <= name.labelCount; label++) {
      const at = name.labelAt[label];
      const slot = table.find(name.suffixHash[label], name.name, at);
      let isMarked = false;
      const isReplaced =
        slot >= 0 &&
        table.replace(slot, (entry) => {
          if (entryKind(entry) !== EntryKind.ANCESTOR || this.#setOf[entryIndex(entry)] !== this.#setOf[rule])
            return 0;
          isMarked = this.#expiresAtMs[entryIndex(entry)] >= this.#expiresAtMs[rule];
          return isMarked ? entry : entryOf(EntryKind.ANCESTOR, rule);
        });
      if (isMarked) return;
      if (!isReplaced) table.addTail(name.suffixHash[label], nameAt + at, entryOf(EntryKind.ANCESTOR, rule));
    }
  }

  #addZones(): { zone: Uint8Array; rrsets: LocalRrset[] }[] {
    return this.#source.local.map(({ zone, rrsets }, index) => {
      const rule = this.#rules.length + index;
      this.#pushColumns(
        this.#source.sets.length + index,
        RuleFlag.EVERY_TYPE,
        Number.POSITIVE_INFINITY,
        rule,
      );
      this.#name.set(zone);
      this.#name.hashSuffixes(this.#options.hashSeed, this.#hash);
      const nameAt = this.#put(this.#name, entryOf(EntryKind.ZONE, rule), true);
      this.#markAncestors(this.#name, nameAt, 1, rule);
      // Copies: a view would drag the buffer behind it into every worker.
      return { zone: new Uint8Array(zone), rrsets: rrsets.map(copyRrset) };
    });
  }

  #addRoute(suffix: Uint8Array, pool: string): void {
    let number = this.#pools.indexOf(pool);
    if (number < 0) number = this.#pools.push(pool) - 1;
    this.#name.set(suffix);
    this.#name.hashSuffixes(this.#options.hashSeed, this.#hash);
    this.#put(this.#name, entryOf(EntryKind.ROUTE, number), true);
  }

  #orderSets(group: string, included: readonly string[]): Uint16Array {
    const { sets, local } = this.#source;
    const orders = new Uint16Array(sets.length + local.length);
    let order = 0;
    for (const name of included) {
      const set = sets.findIndex((candidate) => candidate.name === name);
      if (set < 0) throw new RangeError(`group ${group} includes set ${name}, which does not exist`);
      if (orders[set] === 0) orders[set] = ++order;
    }
    for (const [index, zone] of local.entries()) {
      if (zone.groups === null || zone.groups.includes(group)) orders[sets.length + index] = ++order;
    }
    return orders;
  }
}

function flagsOf(description: RuleDescription): number {
  const isDeny = description.action === 'deny';
  // Until a pattern shows that it is not.
  let flags: number = isDeny ? RuleFlag.DENY : RuleFlag.PLAIN_NAMES;
  if (description.expiresAtMs !== null) flags |= RuleFlag.EXPIRES;
  if (description.types !== null) flags |= RuleFlag.OWN_TYPES;
  else flags |= isDeny ? RuleFlag.EVERY_TYPE : RuleFlag.DEFAULT_TYPES;
  return flags;
}

/** The rule behind the records of a zone with one response. What the operator wrote as `answer` stands above it. */
function describeZoneAction(list: RuleDescription, kind: (typeof ZONE_ACTIONS)[number]): RuleDescription {
  const answer: DenyResponse = list.action === 'deny' && list.answer !== null ? list.answer : { kind };
  const types = list.action === 'deny' ? list.types : null;
  return { ...list, id: `${list.id}/${kind}`, action: 'deny', types, answer };
}

const describeGroup = ({
  name,
  mode,
  answer,
  forwarder,
  contact,
  sets,
  tunnels,
}: GroupDescription): GroupDescription => ({
  name,
  mode,
  answer,
  forwarder,
  contact,
  sets: [...sets],
  tunnels: tunnels === null ? null : { ...tunnels },
});

const copyRrset = ({ owner, type, ttlSeconds, rdata }: LocalRrset): LocalRrset => ({
  owner: owner.slice(0, nameLength(owner)),
  type,
  ttlSeconds,
  rdata: rdata.map((octets) => new Uint8Array(octets)),
});
