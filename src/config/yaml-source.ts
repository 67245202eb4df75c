/**
 * A YAML file as values and places: what was written, and line and column of every key and value. Aliases are
 * followed, bounded by the `yaml` package; nothing here throws for what a person wrote.
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLParseError,
} from 'yaml';
import { type Fault, type Path, pathText, type Severity } from './fault.ts';

/** Octets of a YAML file; rules by the thousand belong into list files. */
export const YAML_LENGTH_MAX = 16 * 1024 * 1024;

export interface YamlSource {
  /** File as the person named it. */
  readonly file: string;
  /** Plain values; an empty object when the file is empty or cannot be read as YAML. */
  readonly value: unknown;
  /** What the reader of YAML found wrong. */
  readonly faults: readonly Fault[];
  /** A fault at a path of the document, or at the nearest place above that exists. */
  fault(severity: Severity, path: Path, what: string, instead: string, place?: Place): Fault;
  /** Line from 1 of the value at the path, or of the nearest place above. */
  lineOf(path: Path): number;
}

/** Where the caret stands: under the value (default) or under its key. */
export type Place = 'value' | 'key';

const INSTEAD: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'write each key once, and put both values under it',
  TAB_AS_INDENT: 'indent with spaces, two for each level',
  BAD_INDENT: 'indent the keys of one mapping by the same number of spaces',
  MULTIPLE_DOCS: 'write one document in a file; remove the "---" between them',
  MISSING_CHAR: 'close what was opened, or put the text in quotes',
  BAD_ALIAS: 'put text that begins with "*" in quotes, for example "*.example.com"',
  BLOCK_AS_IMPLICIT_KEY:
    'put text that holds a colon in quotes, and let all keys of one mapping begin in the same column',
  MULTILINE_IMPLICIT_KEY: 'write "key: value" on one line',
};

/** Reads YAML text; `file` is only a name here. */
export function readYaml(file: string, text: string): YamlSource {
  const lines = new LineCounter();
  const faults: Fault[] = [];
  const at = (severity: Severity, offset: number, path: string, what: string, instead: string): Fault => {
    const { line, col } = lines.linePos(offset);
    // The counter answers 0 for text without any line.
    const place = { line: Math.max(line, 1), column: Math.max(col, 1) };
    return { severity, file, ...place, path, what, instead, excerpt: excerptAt(text, lines, place.line) };
  };
  if (text.length > YAML_LENGTH_MAX) {
    const what = `the file has ${text.length} characters; at most ${YAML_LENGTH_MAX} are read`;
    faults.push(
      at('fault', 0, '', what, 'move long lists of names into text files and name them under `lists`'),
    );
    return plain(file, faults);
  }

  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    stringKeys: true,
  });
  // Only now, because reading the document is what counts its lines.
  const undecoded = text.indexOf('\ufffd');
  if (undecoded !== -1) {
    faults.push(at('fault', undecoded, '', 'this is not UTF-8 text', 'save the file as UTF-8'));
    return plain(file, faults);
  }
  for (const error of firstErrors(document.errors, lines)) {
    const what = `this is not YAML: ${firstSentence(error.message)}`;
    faults.push(at('fault', error.pos[0], '', what, adviceFor(error)));
  }
  if (faults.length === 0) {
    // Most often not an alias at all, but a pattern that lacks its quotes.
    visit(document, {
      Alias: (_, alias) => {
        if (alias.resolve(document) !== undefined) return;
        const what = `"*${alias.source}" without quotes is a reference to something named "${alias.source}", which is not there`;
        faults.push(at('fault', startOf(alias) ?? 0, '', what, `put it in quotes: "*${alias.source}"`));
      },
    });
  }
  let value: unknown = {};
  if (faults.length === 0) {
    try {
      value = document.toJS({ maxAliasCount: 100 }) ?? {};
    } catch (error) {
      // Aliases of aliases, which grow without bound.
      const what = `the aliases of this file cannot be followed: ${firstSentence(String((error as Error).message))}`;
      faults.push(at('fault', 0, '', what, 'write the values out instead of using aliases'));
    }
  }

  const root = document.contents as Node | null;
  return {
    file,
    value,
    faults,
    fault: (severity, path, what, instead, place = 'value') =>
      at(severity, offsetOf(root, path, place), pathText(path), what, instead),
    lineOf: (path) => Math.max(lines.linePos(offsetOf(root, path, 'value')).line, 1),
  };

  function offsetOf(node: Node | null, path: Path, place: Place): number {
    let current = node;
    let offset = startOf(node) ?? 0;
    for (const [depth, step] of path.entries()) {
      if (isAlias(current)) current = current.resolve(document) as Node;
      const found = child(current, step);
      if (found === null) return offset;
      const wantsKey = place === 'key' && depth === path.length - 1;
      const value = startOf(found.value);
      offset = (wantsKey ? (found.key ?? value) : (value ?? found.key)) ?? offset;
      current = found.value;
    }
    return offset;
  }
}

/** A file of which nothing could be read, with the faults that say why. */
export function plain(file: string, faults: readonly Fault[]): YamlSource {
  const fault = (severity: Severity, path: Path, what: string, instead: string): Fault => ({
    severity,
    file,
    line: 0,
    column: 0,
    path: pathText(path),
    what,
    instead,
    excerpt: null,
  });
  return { file, value: {}, faults, fault, lineOf: () => 0 };
}

interface Child {
  /** Offset of the key; null in a sequence. */
  readonly key: number | null;
  readonly value: Node | null;
}

function child(node: Node | null, step: string | number): Child | null {
  if (isSeq(node)) {
    const item = node.items[Number(step)] as Node | undefined;
    return item === undefined ? null : { key: null, value: item };
  }
  if (!isMap(node)) return null;
  const pair = node.items.find((item: Pair) => isScalar(item.key) && String(item.key.value) === String(step));
  if (pair === undefined) return null;
  return { key: startOf(pair.key as unknown as Node), value: pair.value as Node | null };
}

const startOf = (node: Node | null): number | null => node?.range?.[0] ?? null;

const SECRET = /\b(?:token|password|authorization|x-[\w-]+)["']?\s*:|:\/\/[^/\s]*@/i;

function excerptAt(text: string, lines: LineCounter, line: number): string | null {
  const start = lines.lineStarts[line - 1] ?? 0;
  const end = text.indexOf('\n', start);
  const excerpt = text.slice(start, end === -1 ? undefined : end).replace(/\r$/, '');
  // A fault is copied into logs and tickets; a secret must not travel with it.
  return SECRET.test(excerpt) ? null : excerpt;
}

/** One error a line, without those that only follow from the first: the rest of a file after an open bracket. */
function firstErrors(errors: readonly YAMLParseError[], lines: LineCounter): YAMLParseError[] {
  const lineOf = (error: YAMLParseError): number => lines.linePos(error.pos[0]).line;
  return errors
    .filter(
      (error, index) =>
        index === 0 || (error.code !== 'UNEXPECTED_TOKEN' && lineOf(error) !== lineOf(errors[index - 1])),
    )
    .slice(0, ERROR_COUNT_MAX);
}

const ERROR_COUNT_MAX = 10;

function adviceFor(error: YAMLParseError): string {
  if (/ end with a [\]}]/.test(error.message)) return INSTEAD['MISSING_CHAR'];
  return INSTEAD[error.code] ?? 'check quotes, colons and indentation on this line';
}

const firstSentence = (message: string): string => message.split('\n')[0].replace(/[.:]$/, '');
