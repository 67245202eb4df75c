/**
 * The rules of the Public Suffix List (publicsuffix.org), as canonical names with flags, to be compiled into a suffix table.
 *
 * They come from the data file inside `tldts`, which its public interface offers only for text; reading text on the
 * query path would cost an allocation per query. Its shape is checked when it is read, and a test compares the outcome
 * with tldts' own answer, so a release that moves the file is noticed before it ships.
 */
import { createRequire } from 'node:module';
import { NAME_LENGTH_MAX } from '../wire/index.ts';

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

const ASTERISK = '*';

/**
 * Calls `mark` with every rule, and with every name between a rule and the root. A name may come twice, with flags that
 * are to be joined. `name` is the caller's only during the call.
 */
export function eachPublicSuffix(mark: (name: Uint8Array, at: number, flags: number) => void): void {
  const trie = readTrie();
  const { edgeStart, edgeLength, edgeChild, nodeFlags, labelText } = trie;
  const edgeAt = new Uint32Array(edgeLength.length + 1);
  for (let edge = 0; edge < edgeLength.length; edge++) edgeAt[edge + 1] = edgeAt[edge] + edgeLength[edge];
  // Names grow towards their beginning: what stands behind `at` is the parent's.
  const name = new Uint8Array(NAME_LENGTH_MAX);
  const root = NAME_LENGTH_MAX - 1;
  const walk = (node: number, at: number, isException: boolean): void => {
    for (let edge = edgeStart[node]; edge < edgeStart[node + 1]; edge++) {
      const from = edgeAt[edge];
      const length = edgeLength[edge];
      const child = edgeChild[edge];
      const flags = nodeFlags[child];
      if (length === 1 && labelText[from] === ASTERISK) {
        if (at !== root)
          mark(name, at, INNER | ((flags & PRIVATE) !== 0 ? WILDCARD_PRIVATE : WILDCARD_ICANN));
        continue;
      }
      const start = at - length - 1;
      // U-labels stand beside their A-labels, and only these are asked for.
      if (start < 0 || !writeLabel(name, start, labelText, from, length)) continue;
      mark(name, start, INNER | (flags === 0 ? 0 : isException ? EXCEPTION : flags));
      walk(child, start, isException);
    }
  };
  walk(trie.rulesRoot, root, false);
  walk(trie.exceptionsRoot, root, true);
}

/** False for a label with other than visible ASCII characters. */
function writeLabel(name: Uint8Array, at: number, text: string, from: number, length: number): boolean {
  name[at] = length;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(from + i);
    if (unit < 0x21 || unit > 0x7e) return false;
    name[at + 1 + i] = unit;
  }
  return true;
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
