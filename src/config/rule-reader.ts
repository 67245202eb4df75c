/** The rules and lists of one set: patterns, types, ends, reasons, and how far wildcards reach. */
import { dirname, isAbsolute, join, resolve } from 'node:path';
import type { ListSource, PatternSource, RuleDescription, RuleSource } from '../policy/index.ts';
import { typeName, typeOf } from '../wire/index.ts';
import { readExpiry } from './expiry.ts';
import { nearestWord, type Path } from './fault.ts';
import { readListFile } from './list-file.ts';
import { hasOddOctets, readPattern, storedForm } from './pattern.ts';
import { AllowRule, DenyRule, NameList, RuleSet } from './policy-document.ts';
import { type Report, readDenyAnswer, salvage } from './policy-parts.ts';
import { valueAt } from './shape-faults.ts';
import { reachOf } from './suffix-guard.ts';
import type { YamlSource } from './yaml-source.ts';

export interface LocatedSet {
  readonly name: string;
  readonly source: YamlSource;
  readonly path: Path;
  readonly rules: readonly RuleSource[];
  readonly lists: readonly ListSource[];
}

type Action = 'allow' | 'deny';
/** What allow rules, deny rules and lists have in common, once each has its defaults. */
type Written = Partial<AllowRule> & Partial<DenyRule> & Partial<Pick<NameList, 'answer'>>;
type SetDefaults = Pick<RuleSet, 'reason' | 'expires' | 'owner' | 'ticket' | 'processor'>;

/** Line numbers in one fault. */
const LINES_SHOWN_MAX = 10;

const SOON_MS = 14 * 86_400_000;

/** Reads a set; what cannot be read is left out and reported. */
export function readSet(
  report: Report,
  path: Path,
  raw: unknown,
  directory: string,
  nowMs: number,
): LocatedSet {
  const { allow: _allow, deny: _deny, lists: _lists, ...own } = isMapping(raw) ? raw : {};
  const defaults: SetDefaults = salvage(RuleSet, own) ?? {};
  const reader = new RuleReader(report, path, raw, defaults, nowMs);
  const rules = (['allow', 'deny'] as const).flatMap((action) =>
    items(raw, action).flatMap((item, index) => reader.readRule(action, index, item)),
  );
  const lists = items(raw, 'lists').flatMap((item, index) => reader.readList(index, item, directory));
  reader.reportMissingReasons();
  return { name: String(path.at(-1)), source: report.source, path, rules, lists };
}

type Mapping = Record<string, unknown>;
const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function items(raw: unknown, key: string): unknown[] {
  const value = valueAt(raw, [key]);
  return Array.isArray(value) ? value : [];
}

class RuleReader {
  readonly #report: Report;
  readonly #path: Path;
  readonly #raw: unknown;
  readonly #defaults: SetDefaults;
  readonly #nowMs: number;
  /** Action and line of each pattern of the set, to notice what is written twice. */
  readonly #seen = new Map<string, { action: Action; line: number }>();

  constructor(report: Report, path: Path, raw: unknown, defaults: SetDefaults, nowMs: number) {
    this.#report = report;
    this.#path = path;
    this.#raw = raw;
    this.#defaults = defaults;
    this.#nowMs = nowMs;
  }

  readRule(action: Action, index: number, item: unknown): RuleSource[] {
    const path: Path = [...this.#path, action, index];
    const written: Written | null =
      typeof item === 'string'
        ? item.trim() === ''
          ? null
          : { name: item.trim() }
        : salvage(action === 'allow' ? AllowRule : DenyRule, item);
    if (written === null) return [];

    const texts: [string, Path][] = typeof item === 'string' ? [[item.trim(), path]] : namesOf(written, path);
    if (
      texts.length === 0 &&
      valueAt(item, ['name']) === undefined &&
      valueAt(item, ['names']) === undefined
    ) {
      this.#report.add('fault', path, {
        what: 'the rule names nothing',
        instead: 'write "name: example.com" or "names: [a.example, b.example]"',
      });
    }
    let profile = written.profile;
    const patterns = texts.flatMap(([text, at]) => {
      const pattern = readPattern(text);
      if ('what' in pattern) {
        this.#report.add('fault', at, pattern);
        return [];
      }
      this.#noteStoredForm(pattern, at);
      this.#noteRepetition(action, pattern, at);
      if (action === 'allow') {
        this.#checkCharacters(written, pattern, at);
        if (this.#checkReach(written, pattern, at)) profile ??= 'strict';
      }
      return [pattern];
    });
    this.#checkUnsafe(action, written, patterns, path);
    const description = this.#describe(action, `${action}/${index}`, path, item, written);
    return [
      {
        description: {
          ...description,
          profile: profile ?? 'default',
          patterns: patterns.map((pattern) => pattern.text),
        },
        patterns,
        characters: written.characters ?? 'hostname',
      },
    ];
  }

  readList(index: number, item: unknown, directory: string): ListSource[] {
    const path: Path = [...this.#path, 'lists', index];
    const list = salvage(NameList, item);
    if (list === null) return [];
    const octets = readListFile(resolve(directory, list.file), list.file);
    if ('what' in octets) this.#report.add('fault', [...path, 'file'], octets);
    const description = this.#describe(list.action, `lists/${index}`, path, item, list);
    if ('what' in octets) return [];
    return [
      {
        description: {
          ...description,
          profile: list.profile ?? 'default',
          file: this.#besidePolicy(list.file),
          line: 1,
        },
        octets,
        format: list.format,
        match: list.match,
      },
    ];
  }

  /** A list file as people find it: from the place from which the policy file is named. */
  #besidePolicy(file: string): string {
    return isAbsolute(file) ? file : join(dirname(this.#report.source.file), file);
  }

  #describe(action: Action, place: string, path: Path, item: unknown, written: Written): RuleDescription {
    const set = String(this.#path.at(-1));
    const processor = written.processor ?? this.#defaults.processor ?? null;
    return {
      id: `${set}/${place}`,
      set,
      action,
      reason: this.#reasonOf(written, item, path),
      patterns: [],
      types: this.#typesOf(written, path),
      expiresAtMs: this.#endOf(written, path),
      owner: written.owner ?? this.#defaults.owner ?? null,
      ticket: written.ticket ?? this.#defaults.ticket ?? null,
      processor: processor === null ? null : { ...processor, agreement: processor.agreement ?? null },
      cname: written.cname ?? 'trust',
      profile: 'default',
      answer:
        written.answer === undefined
          ? null
          : readDenyAnswer(this.#report, [...path, 'answer'], written.answer),
      file: this.#report.source.file,
      line: this.#report.source.lineOf(path),
    };
  }

  #reasonOf(written: Written, item: unknown, path: Path): string {
    const reason = written.reason ?? this.#defaults.reason;
    if (reason !== undefined) return reason;
    // A reason of the wrong kind was reported with the shape; it is not missing as well.
    const isReported =
      valueAt(item, ['reason']) !== undefined || valueAt(this.#raw, ['reason']) !== undefined;
    if (!isReported) this.#withoutReason.push(path);
    return '';
  }

  readonly #withoutReason: Path[] = [];

  /** Rules without a reason, as one fault: a set of bare names that lacks its reason would bury all others. */
  reportMissingReasons(): void {
    const [first, ...others] = this.#withoutReason;
    if (first === undefined) return;
    const lines = [...new Set(others.map((path) => this.#report.source.lineOf(path)))];
    const more =
      lines.length > LINES_SHOWN_MAX ? `${lines.slice(0, LINES_SHOWN_MAX).join(', ')}, …` : lines.join(', ');
    const what =
      others.length === 0
        ? 'the rule has no reason'
        : `the rule has no reason, nor have ${others.length} more of this set (line ${more})`;
    this.#report.add('fault', first, {
      what,
      instead: 'write "reason: why this is so" on the rule or on its set',
    });
  }

  #typesOf(written: Written, path: Path): number[] | null {
    if (written.types === undefined) return null;
    const types = written.types.flatMap((text, index) => {
      const type = typeOf(text.toUpperCase());
      if (type !== undefined && !UNASKABLE.has(type)) return [type];
      const at: Path = [...path, 'types', index];
      if (type !== undefined) {
        this.#report.add('fault', at, {
          what: `${typeName(type)} is refused at the door, whatever a rule says`,
          instead: 'remove it',
        });
        return [];
      }
      const near = nearestWord(text, COMMON_TYPES);
      const instead =
        near === null ? 'write a name such as A, AAAA, TXT or MX, or TYPE and a number' : `write ${near}`;
      this.#report.add('fault', at, { what: `"${text}" is not a query type`, instead });
      return [];
    });
    return [...new Set(types)].sort((left, right) => left - right);
  }

  #endOf(written: Written, path: Path): number | null {
    const text = written.expires ?? this.#defaults.expires;
    if (text === undefined) return null;
    const at: Path = written.expires === undefined ? [...this.#path, 'expires'] : [...path, 'expires'];
    const end = readExpiry(text);
    if ('what' in end) {
      this.#reportOnce('fault', at, end);
      return null;
    }
    const leftMs = end.atMs - this.#nowMs;
    if (leftMs <= 0) {
      this.#reportOnce('warning', at, {
        what: `this expired on ${text} and holds no longer`,
        instead: 'remove it, or write a later date and who agreed to it',
      });
    } else if (leftMs <= SOON_MS) {
      const days = Math.ceil(leftMs / 86_400_000);
      this.#reportOnce('notice', at, {
        what: `this expires in ${days} day${days === 1 ? '' : 's'}, on ${text}`,
        instead: 'write a later date if it is still needed',
      });
    }
    return end.atMs;
  }

  readonly #reported = new Set<string>();

  /** The end of a set is looked at for each of its rules and reported once. */
  #reportOnce(
    severity: 'fault' | 'warning' | 'notice',
    path: Path,
    complaint: { what: string; instead: string },
  ): void {
    const key = JSON.stringify(path);
    if (this.#reported.has(key)) return;
    this.#reported.add(key);
    this.#report.add(severity, path, complaint);
  }

  #noteStoredForm(pattern: PatternSource, path: Path): void {
    const stored = storedForm(pattern);
    if (stored === null) return;
    this.#report.add('notice', path, {
      what: `"${pattern.text}" is asked and stored as "${stored}"`,
      instead: 'look whether every letter is the one you mean',
    });
  }

  #noteRepetition(action: Action, pattern: PatternSource, path: Path): void {
    const key = `${pattern.kind} ${Buffer.from(pattern.name).toString('latin1')}`;
    const first = this.#seen.get(key);
    const line = this.#report.source.lineOf(path);
    if (first === undefined) {
      this.#seen.set(key, { action, line });
      return;
    }
    const what =
      first.action === action
        ? `"${pattern.text}" stands on line ${first.line} already`
        : `"${pattern.text}" is allowed on line ${first.line} and denied here; the denial wins`;
    this.#report.add('warning', path, { what, instead: 'remove one of the two' });
  }

  #checkCharacters(written: Written, pattern: PatternSource, path: Path): void {
    if (written.characters === 'any' || !hasOddOctets(pattern.name)) return;
    const what = `no query can match "${pattern.text}": names carry letters, digits, hyphens and underscores only`;
    this.#report.add('fault', path, {
      what,
      instead: 'write "characters: any" on the rule if the name really has others',
    });
  }

  /** Whether the pattern reaches names of several owners and so deserves the strict profile. */
  #checkReach(written: Written, pattern: PatternSource, path: Path): boolean {
    const reach = reachOf(pattern);
    if (reach === 'one-owner') return false;
    if (reach === 'public' && written.unsafeWildcard === undefined) {
      const what = `"${pattern.text}" covers names that anybody can register`;
      this.#report.add('fault', path, {
        what,
        instead: 'write the names that are needed, or "unsafeWildcard: why this is right" on the rule',
      });
    } else if (written.unsafeWildcard === undefined) {
      const watched =
        written.profile === undefined
          ? 'it is watched with the strict profile'
          : `it is watched with the profile "${written.profile}"`;
      const what = `"${pattern.text}" covers names of all customers of a shared service; ${watched}`;
      this.#report.add('warning', path, {
        what,
        instead: 'write the one name that is needed, or "unsafeWildcard: why this is right" on the rule',
      });
    }
    return true;
  }

  #checkUnsafe(action: Action, written: Written, patterns: readonly PatternSource[], path: Path): void {
    if (action !== 'allow' || written.unsafeWildcard === undefined || patterns.length === 0) return;
    if (patterns.some((pattern) => reachOf(pattern) !== 'one-owner')) return;
    this.#report.add(
      'warning',
      [...path, 'unsafeWildcard'],
      { what: 'no name of this rule needs unsafeWildcard', instead: 'remove it' },
      'key',
    );
  }
}

const namesOf = (written: Written, path: Path): [string, Path][] => [
  ...(written.name === undefined ? [] : [[written.name, [...path, 'name']] as [string, Path]]),
  ...(written.names ?? []).map((text, index): [string, Path] => [text, [...path, 'names', index]]),
];

/** Types that no query may have or that are no types of records (RFC 6895 section 3.1); ANY has its own answer. */
const UNASKABLE = new Set([41, 249, 250, 251, 252, 253, 254]);

const COMMON_TYPES = [
  'A',
  'AAAA',
  'ANY',
  'CAA',
  'CNAME',
  'DNSKEY',
  'DS',
  'HTTPS',
  'MX',
  'NAPTR',
  'NS',
  'PTR',
  'SOA',
  'SRV',
  'SSHFP',
  'SVCB',
  'TLSA',
  'TXT',
  'URI',
];
