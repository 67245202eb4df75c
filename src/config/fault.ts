/**
 * A fault in what a person wrote: where it stands, what is wrong, and what to write instead. Nothing in `config` is
 * thrown at a person; every reader gathers faults and shows them all at once.
 */

/** fault: nothing starts; warning: it starts and probably does not do what was meant; notice: worth knowing. */
export type Severity = 'fault' | 'warning' | 'notice';

export interface Fault {
  readonly severity: Severity;
  /** File as the person named it; for a variable or a flag its name. */
  readonly file: string;
  /** From 1; 0 when the place has no lines (a variable, a flag, a file that cannot be read). */
  readonly line: number;
  /** From 1; 0 as above. */
  readonly column: number;
  /** Where in the document: `sets.base.allow[2].expires`; empty for the whole document. */
  readonly path: string;
  /** What is wrong, as a sentence without its final dot. */
  readonly what: string;
  /** What to write instead. */
  readonly instead: string;
  /** The line of the file, for the caret; null when there is none. */
  readonly excerpt: string | null;
}

/** What is wrong with a piece of text, before it is known where it stands. */
export interface Complaint {
  readonly what: string;
  readonly instead: string;
}

export type Path = readonly (string | number)[];

/** `['sets', 'base', 'allow', 2]` as `sets.base.allow[2]`; keys that are not plain words are quoted. */
export function pathText(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[\w-]+$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

const EXCERPT_LENGTH_MAX = 160;

/** Faults for a terminal: place, sentence, the offending line with a caret, and what to write. */
export function formatFaults(faults: readonly Fault[]): string {
  return faults.map(formatFault).join('\n\n');
}

function formatFault(fault: Fault): string {
  const place = fault.line > 0 ? `${fault.file}:${fault.line}:${fault.column}` : fault.file;
  const path = fault.path === '' ? '' : ` at ${fault.path}`;
  const lines = [`${printable(place)}: ${fault.severity}${printable(path)}`, `  ${printable(fault.what)}.`];
  if (fault.excerpt !== null && fault.excerpt.length <= EXCERPT_LENGTH_MAX) {
    const number = String(fault.line);
    const margin = ' '.repeat(number.length);
    const before = ' '.repeat(displayWidth(fault.excerpt.slice(0, fault.column - 1)));
    lines.push(`    ${number} | ${printable(fault.excerpt)}`, `    ${margin} | ${before}^`);
  }
  if (fault.instead !== '') lines.push(`  ${printable(fault.instead)}.`);
  return lines.join('\n');
}

/** A tab is shown as two spaces, so that the caret stands under its character. */
const displayWidth = (text: string): number => printable(text).length;

/** Control characters would let a policy file write to the terminal of whoever checks it. */
const printable = (text: string): string =>
  text
    .replaceAll('\t', '  ')
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '\ufffd');

/** Sorts by file and place, gravest first on the same line, so that a reader goes through a file once. */
export function sortFaults(faults: readonly Fault[]): Fault[] {
  const rank = { fault: 0, warning: 1, notice: 2 };
  return [...faults].sort(
    (left, right) =>
      (left.file < right.file ? -1 : left.file > right.file ? 1 : 0) ||
      left.line - right.line ||
      left.column - right.column ||
      rank[left.severity] - rank[right.severity],
  );
}

/** The candidate a person most likely meant, or null when none is near (edit distance at most a third of the word). */
export function nearestWord(word: string, candidates: Iterable<string>): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  const wanted = word.toLowerCase();
  for (const candidate of candidates) {
    const lower = candidate.toLowerCase();
    // Longer words are not compared: the distance costs the product of both lengths.
    if (wanted.length > 100 || lower.length > 100) continue;
    const distance = editDistance(wanted, lower);
    if (distance < bestDistance && distance < Math.max(wanted.length, lower.length)) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours between two words. */
function editDistance(left: string, right: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, j) => j);
  for (let i = 1; i <= left.length; i++) {
    const row = [i];
    for (let j = 1; j <= right.length; j++) {
      const same = left[i - 1] === right[j - 1];
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1];
      if (swapped) row[j] = Math.min(row[j], beforeLast[j - 2] + 1);
    }
    beforeLast = last;
    last = row;
  }
  return last[right.length];
}
