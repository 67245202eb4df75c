/**
 * The rules of the Public Suffix List (publicsuffix.org), as canonical names with flags, to be compiled into a suffix table.
 *
 * They come from the data file inside `tldts`, which its public interface offers only for text; reading text on the
 * query path would cost an allocation per query. Its shape is checked when it is read, and a test compares the outcome
 * with tldts' own answer, so a release that moves the file is noticed before it ships.
 */
import { createRequire } from 'node:module';
import { nameOctets } from '../wire/index.ts';

export const ICANN = 1;
export const PRIVATE = 2;
export const WILDCARD_ICANN = 4;
export const WILDCARD_PRIVATE = 8;
export const EXCEPTION = 16;
/** On the way to a rule; set on every entry. */
export const INNER = 32;

interface Trie {
  readonly nodeFlags: Uint8Array;
  readonly edgeStart: Uint16Array;
  readonly edgeLength: Uint8Array;
  readonly edgeChild: Uint16Array;
  readonly labelText: string;
  readonly rulesRoot: number;
  readonly exceptionsRoot: number;
}

export interface SuffixRule {
  readonly suffix: Uint8Array;
  flags: number;
}

/** Every rule, and every name between a rule and the root, once. */
export function publicSuffixRules(): SuffixRule[] {
  const trie = readTrie();
  const rules = new Map<string, SuffixRule>();
  const mark = (name: string, flags: number): void => {
    if (name === '' || !/^[\x21-\x7e]+$/.test(name)) return;
    const known = rules.get(name);
    if (known !== undefined) known.flags |= flags;
    else rules.set(name, { suffix: nameOctets(name), flags });
  };
  const edgeAt: number[] = [0];
  for (const length of trie.edgeLength) edgeAt.push(edgeAt[edgeAt.length - 1] + length);
  const walk = (node: number, name: string, isException: boolean): void => {
    for (let edge = trie.edgeStart[node]; edge < trie.edgeStart[node + 1]; edge++) {
      const label = trie.labelText.slice(edgeAt[edge], edgeAt[edge + 1]);
      const child = trie.edgeChild[edge];
      const flags = trie.nodeFlags[child];
      const longer = name === '' ? label : `${label}.${name}`;
      if (label === '*') {
        mark(name, INNER | ((flags & PRIVATE) !== 0 ? WILDCARD_PRIVATE : WILDCARD_ICANN));
        continue;
      }
      if (flags !== 0) mark(longer, INNER | (isException ? EXCEPTION : flags));
      else mark(longer, INNER);
      walk(child, longer, isException);
    }
  };
  walk(trie.rulesRoot, '', false);
  walk(trie.exceptionsRoot, '', true);
  return [...rules.values()];
}

function readTrie(): Trie {
  const trie = createRequire(import.meta.url)('tldts/dist/cjs/src/data/trie.js') as Partial<Trie>;
  const isWhole =
    trie.nodeFlags instanceof Uint8Array &&
    trie.edgeStart instanceof Uint16Array &&
    trie.edgeLength instanceof Uint8Array &&
    trie.edgeChild instanceof Uint16Array &&
    typeof trie.labelText === 'string' &&
    typeof trie.rulesRoot === 'number' &&
    typeof trie.exceptionsRoot === 'number';
  if (!isWhole)
    throw new Error('the installed tldts keeps its suffix data in another form; install tldts 7.5');
  return trie as Trie;
}
