/** What zod found wrong, in our words: what stands there, what is expected, which known key is nearest. */
import type { z } from 'zod';
import { nearestWord, type Path } from './fault.ts';

export interface ShapeFault {
  readonly path: Path;
  readonly what: string;
  readonly instead: string;
  /** The fault is in the key, not in its value. */
  readonly inKey: boolean;
}

type Issue = z.core.$ZodIssue;

/**
 * Translates issues; `value` is what was checked, `knownKeys` answers which keys the schema knows at a path (null: any).
 * A message of our own has the form "what; what to write".
 */
export function shapeFaults(
  issues: readonly Issue[],
  value: unknown,
  knownKeys: (path: Path) => readonly string[] | null,
): ShapeFault[] {
  return issues.flatMap((issue) => translate(issue, [], value, knownKeys));
}

function translate(
  issue: Issue,
  above: Path,
  value: unknown,
  knownKeys: (path: Path) => readonly string[] | null,
): ShapeFault[] {
  const path: Path = [...above, ...(issue.path as (string | number)[])];
  // A secret must not be shown, however wrong it is.
  const isSecret = SECRETS.has(String(path.at(-1))) || path.at(-2) === 'headers';
  const written = isSecret && issue.code !== 'invalid_key' ? HIDDEN : valueAt(value, path);
  const one = (what: string, instead: string, inKey = false): ShapeFault[] => [
    { path, what, instead, inKey },
  ];

  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey([...path, key], key, knownKeys(path) ?? []));
    case 'invalid_union': {
      const branches = issue.errors as readonly (readonly Issue[])[];
      // The branch that accepts this kind of value is the one the person meant: its faults are shown.
      const meant = branches.find((branch) => branch.length > 0 && !branch.some(isAboutTheWhole));
      if (meant !== undefined) return meant.flatMap((inner) => translate(inner, path, value, knownKeys));
      if (isOwn(issue.message)) return split(`${show(written)} ${issue.message}`, path, false);
      const forms = [
        ...new Set(branches.flatMap((branch) => branch.filter(isAboutTheWhole).map(expectation))),
      ];
      return one(`${show(written)} cannot stand here`, `write ${forms.join(' or ')}`);
    }
    case 'invalid_key':
      return issue.issues.flatMap((inner) => split(inner.message, path, true));
    case 'invalid_element':
      return issue.issues.flatMap((inner) => translate(inner, path, value, knownKeys));
    case 'invalid_type':
      if (written === undefined) return one(`"${path.at(-1)}" is missing`, `write ${expectation(issue)}`);
      if (isOwn(issue.message)) return split(`${show(written)} ${issue.message}`, path, false);
      if (written === null) return one('there is no value', `write ${expectation(issue)}, or remove the key`);
      return one(`${show(written)} cannot stand here`, `write ${expectation(issue)}`);
    case 'too_small':
    case 'too_big':
      if (isOwn(issue.message)) return split(issue.message, path, false);
      return one(tooMuchOrLittle(issue, written), boundText(issue));
    default:
      if (isOwn(issue.message)) {
        const needsValue = /^is /.test(issue.message);
        return split(needsValue ? `${show(written)} ${issue.message}` : issue.message, path, false);
      }
      return one(`${show(written)} cannot stand here`, `write ${expectation(issue)}`);
  }
}

/** The fault of a key that does not exist here. */
function unknownKey(path: Path, key: string, known: readonly string[]): ShapeFault {
  const near = nearestWord(key, known);
  const instead = near === null ? `the keys here are: ${known.join(', ')}` : `write "${near}"`;
  return { path, what: `there is no key "${key}" here`, instead, inKey: true };
}

const isOwn = (message: string): boolean => message.includes('; write');

function split(message: string, path: Path, inKey: boolean): ShapeFault[] {
  const at = message.lastIndexOf('; write');
  if (at === -1) return [{ path, what: message, instead: '', inKey }];
  return [{ path, what: message.slice(0, at), instead: message.slice(at + 2), inKey }];
}

const isAboutTheWhole = (issue: Issue): boolean =>
  issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value');

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  object: 'a mapping ("key: value" lines)',
  record: 'a mapping ("name: …" lines)',
  array: 'a list ("- item" lines, or [a, b])',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
};

function expectation(issue: Issue): string {
  if (issue.code === 'invalid_type') return KINDS[issue.expected] ?? issue.expected;
  if (issue.code === 'invalid_value') return listed(issue.values.map((value) => JSON.stringify(value)));
  if (issue.code === 'invalid_format' && (issue.format === 'ipv4' || issue.format === 'ipv6'))
    return 'an IP address';
  if (issue.code === 'invalid_format' && issue.format === 'starts_with') return 'text that begins with "/"';
  return 'something else';
}

const listed = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;

type BoundIssue = Extract<Issue, { code: 'too_small' | 'too_big' }>;

function tooMuchOrLittle(issue: BoundIssue, written: unknown): string {
  if (issue.origin === 'array')
    return issue.code === 'too_small' ? 'the list is empty' : 'the list is too long';
  if (issue.origin === 'string')
    return issue.code === 'too_small' ? 'the text is empty' : 'the text is too long';
  return `${show(written)} is too ${issue.code === 'too_small' ? 'little' : 'much'}`;
}

function boundText(issue: BoundIssue): string {
  const bound = issue.code === 'too_small' ? issue.minimum : issue.maximum;
  const side = issue.code === 'too_small' ? 'at least' : 'at most';
  if (issue.origin === 'array')
    return `write ${side} ${bound} entr${Number(bound) === 1 ? 'y' : 'ies'}, or remove the key`;
  if (issue.origin === 'string') return 'write some text, or remove the key';
  return `write ${side} ${bound}`;
}

const SHOWN_LENGTH_MAX = 60;

/** Keys whose values are secrets. */
const SECRETS = new Set(['token', 'password']);

const HIDDEN = Symbol('a value that is secret');

/** A value as the person wrote it, cut to a line. */
function show(value: unknown): string {
  if (value === HIDDEN) return 'this value';
  if (value === null || value === undefined) return 'an empty value';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
}

/** The value at a path of plain values, or undefined. */
export function valueAt(value: unknown, path: Path): unknown {
  let current = value;
  for (const step of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, step)) return undefined;
    current = (current as Record<string | number, unknown>)[step];
  }
  return current;
}
