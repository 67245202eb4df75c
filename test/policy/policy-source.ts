/** Policies for tests, written the way people write them. */
import type {
  GroupSource,
  ListSource,
  LocalZoneSource,
  PatternSource,
  PolicySource,
  RuleDescription,
  RuleSource,
} from '../../src/policy/index.ts';
import { parseLocalZone } from '../../src/policy/index.ts';
import { nameOctets, Question, typeOf } from '../../src/wire/index.ts';

export const SEED = 0x5a11;

export interface RuleText {
  readonly names: readonly string[];
  readonly types?: readonly string[];
  readonly expiresAtMs?: number;
  readonly answer?: RuleDescription['answer'];
  readonly characters?: 'any';
}

export interface ListText {
  readonly action: 'allow' | 'deny';
  readonly text: string;
  readonly format?: ListSource['format'];
  readonly match?: ListSource['match'];
  readonly types?: readonly string[];
  readonly expiresAtMs?: number;
  readonly answer?: RuleDescription['answer'];
}

export interface SetText {
  readonly allow?: readonly (string | RuleText)[];
  readonly deny?: readonly (string | RuleText)[];
  readonly lists?: readonly ListText[];
}

export interface PolicyText {
  readonly sets: Readonly<Record<string, SetText>>;
  /** Without groups, one named `all` includes every set and has every client. */
  readonly groups?: Readonly<
    Record<string, Partial<Omit<GroupSource, 'clients'>> & { readonly clients?: readonly string[] }>
  >;
  readonly local?: readonly {
    readonly zone: string;
    readonly groups?: readonly string[];
    readonly records?: readonly string[];
  }[];
  readonly via?: Readonly<Record<string, string>>;
}

export function policySource(text: PolicyText): PolicySource {
  const groups = text.groups ?? { all: { sets: Object.keys(text.sets), clients: ['0.0.0.0/0', '::/0'] } };
  return {
    sets: Object.entries(text.sets).map(([name, set]) => ({
      name,
      rules: [...rulesOf(name, 'allow', set.allow ?? []), ...rulesOf(name, 'deny', set.deny ?? [])],
      lists: (set.lists ?? []).map((list, i) => listOf(name, i, list)),
    })),
    groups: Object.entries(groups).map(([name, group]) => ({
      name,
      sets: group.sets ?? Object.keys(text.sets),
      mode: group.mode ?? 'enforce',
      answer: group.answer ?? { kind: 'nxdomain' },
      forwarder: group.forwarder ?? false,
      contact: group.contact ?? null,
      tunnels: null,
      clients: (group.clients ?? []).map(prefixOf),
    })),
    local: (text.local ?? []).map(({ zone, groups: names, records }): LocalZoneSource => {
      const apex = nameOctets(zone);
      const { rrsets, faults } = parseLocalZone(apex, 300, records ?? []);
      if (faults.length > 0) throw new Error(faults[0].problem);
      return { zone: apex, groups: names ?? null, rrsets };
    }),
    via: Object.entries(text.via ?? {}).map(([suffix, pool]) => ({ suffix: nameOctets(suffix), pool })),
  };
}

export function describeRule(
  id: string,
  action: 'allow' | 'deny',
  given: Partial<RuleDescription> = {},
): RuleDescription {
  return {
    id,
    set: id.split('/')[0],
    action,
    reason: 'a test',
    patterns: [],
    types: null,
    expiresAtMs: null,
    owner: null,
    ticket: null,
    processor: null,
    cname: 'trust',
    profile: 'default',
    answer: null,
    file: 'test.yaml',
    line: 1,
    ...given,
  };
}

const rulesOf = (
  set: string,
  action: 'allow' | 'deny',
  rules: readonly (string | RuleText)[],
): RuleSource[] =>
  rules.map((written, i) => {
    const rule: RuleText = typeof written === 'string' ? { names: [written] } : written;
    return {
      description: describeRule(`${set}/${action}/${i}`, action, {
        patterns: rule.names,
        types: typesOf(rule.types),
        expiresAtMs: rule.expiresAtMs ?? null,
        answer: rule.answer ?? null,
      }),
      patterns: rule.names.map(patternOf),
      characters: rule.characters ?? 'hostname',
    };
  });

const listOf = (set: string, i: number, list: ListText): ListSource => ({
  description: describeRule(`${set}/lists/${i}`, list.action, {
    types: typesOf(list.types),
    expiresAtMs: list.expiresAtMs ?? null,
    answer: list.answer ?? null,
    file: `list-${i}.txt`,
  }),
  octets: new TextEncoder().encode(list.text),
  format: list.format ?? 'names',
  match: list.match ?? 'as-written',
});

const typesOf = (types: readonly string[] | undefined): number[] | null =>
  types?.map((type) => typeOf(type) ?? 0) ?? null;

function patternOf(text: string): PatternSource {
  const kind = text.startsWith('*.') ? 'below' : text.startsWith('+.') ? 'both' : 'exact';
  return { kind, name: nameOctets((kind === 'exact' ? text : text.slice(2)) || '.'), text };
}

function prefixOf(text: string): { address: Uint8Array; prefixLength: number } {
  const [host, length] = text.split('/');
  const address = addressOf(host);
  return { address, prefixLength: length === undefined ? address.length * 8 : Number(length) };
}

/** Octets of an address; of IPv6 only with all eight words or one `::`. */
export function addressOf(text: string): Uint8Array {
  if (!text.includes(':')) return Uint8Array.from(text.split('.').map(Number));
  const [head, tail] = text.split('::').map((part) => part.split(':').filter((word) => word !== ''));
  const zeros = tail === undefined ? [] : Array<string>(8 - head.length - tail.length).fill('0');
  const words = [...head, ...zeros, ...(tail ?? [])].map((word) => Number.parseInt(word, 16));
  return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 255]));
}

export const ask = (name: string, type = 'A'): Question =>
  new Question(SEED).set(nameOctets(name), typeOf(type) ?? 0);
