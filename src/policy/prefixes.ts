/**
 * From a client's address to its group. Prefixes nest, so they cut the address space into ranges, each of which has one
 * longest prefix; the ranges are worked out when the policy is compiled and a client is found by halving.
 *
 *    10.0.0.0/8 → a, 10.1.0.0/16 → b      starts  0.0.0.0  10.0.0.0  10.1.0.0  10.2.0.0  11.0.0.0
 *                                         groups  −1       a         b         a         −1
 *
 * Addresses are four words of 32 bits. IPv4 has a table of its own, so that `::/0` means IPv6 and no more; there it stands
 * as ::ffff:0:0/96, because a socket for both families reports it so.
 */

export interface PrefixEntry {
  /** 4 or 16 octets. */
  readonly address: Uint8Array;
  readonly prefixLength: number;
  readonly group: number;
}

export interface PrefixTable {
  readonly four: RangeTable;
  readonly six: RangeTable;
}

export interface RangeTable {
  /** Four words for each range: its first address. */
  readonly starts: Uint32Array;
  readonly groups: Int32Array;
}

const isMapped = (a: number, b: number, c: number): boolean => a === 0 && b === 0 && c === 0xffff;

type Words = readonly [number, number, number, number];

const MAPPED: Words = [0, 0, 0xffff, 0];

export function buildPrefixTable(entries: readonly PrefixEntry[]): PrefixTable {
  const prefixes = entries.map(({ address, prefixLength, group }): Prefix => {
    const length = address.length === 4 ? prefixLength + 96 : prefixLength;
    const words = mask(wordsOf(address), length);
    return { words, length, group, end: next(words, length) };
  });
  const isFour = ({ words, length }: Prefix): boolean =>
    length >= 96 && isMapped(words[0], words[1], words[2]);
  return {
    four: buildRangeTable(prefixes.filter(isFour)),
    six: buildRangeTable(prefixes.filter((prefix) => !isFour(prefix))),
  };
}

interface Prefix {
  readonly words: Words;
  readonly length: number;
  readonly group: number;
  /** The first address behind it, or null at the end of the address space. */
  readonly end: Words | null;
}

function buildRangeTable(prefixes: readonly Prefix[]): RangeTable {
  const starts: Words[] = [[0, 0, 0, 0], ...prefixes.map((prefix) => prefix.words)];
  for (const { end } of prefixes) if (end !== null) starts.push(end);
  starts.sort(compare);
  // Outer prefixes come before the ones inside them, so the innermost open prefix is always the last one pushed.
  const sorted = prefixes
    .map((prefix, order) => ({ ...prefix, order }))
    .sort(
      (left, right) =>
        compare(left.words, right.words) || left.length - right.length || right.order - left.order,
    );
  const open: (typeof sorted)[number][] = [];
  const words: number[] = [];
  const groups: number[] = [];
  let taken = 0;
  for (const [i, start] of starts.entries()) {
    if (i > 0 && compare(start, starts[i - 1]) === 0) continue;
    while (open.length > 0 && isPast(start, open[open.length - 1].end)) open.pop();
    for (; taken < sorted.length && compare(sorted[taken].words, start) === 0; taken++)
      open.push(sorted[taken]);
    const group = open.length === 0 ? -1 : open[open.length - 1].group;
    if (groups.length > 0 && groups[groups.length - 1] === group) continue;
    words.push(...start);
    groups.push(group);
  }
  return { starts: Uint32Array.from(words), groups: Int32Array.from(groups) };
}

/** The group of the address in the first `length` (4 or 16) octets, −1 when no prefix has it. Allocates nothing. */
export function findGroup(table: PrefixTable, address: Uint8Array, length: number): number {
  let a = 0;
  let b = 0;
  let c = 0xffff;
  let d: number;
  if (length === 4) {
    d = word(address, 0);
  } else if (length === 16) {
    a = word(address, 0);
    b = word(address, 4);
    c = word(address, 8);
    d = word(address, 12);
  } else {
    return -1;
  }
  const { starts, groups } = isMapped(a, b, c) ? table.four : table.six;
  let low = 0;
  let high = groups.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    const at = middle * 4;
    const order = starts[at] - a || starts[at + 1] - b || starts[at + 2] - c || starts[at + 3] - d;
    if (order <= 0) low = middle;
    else high = middle - 1;
  }
  return groups[low];
}

const word = (octets: Uint8Array, at: number): number =>
  ((octets[at] << 24) | (octets[at + 1] << 16) | (octets[at + 2] << 8) | octets[at + 3]) >>> 0;

const wordsOf = (address: Uint8Array): Words =>
  address.length === 4
    ? [MAPPED[0], MAPPED[1], MAPPED[2], word(address, 0)]
    : [word(address, 0), word(address, 4), word(address, 8), word(address, 12)];

/** Bits of word `index` that belong to a prefix of `length` bits. */
function maskOf(index: number, length: number): number {
  const bits = Math.min(32, Math.max(0, length - index * 32));
  return bits === 0 ? 0 : (0xffff_ffff << (32 - bits)) >>> 0;
}

const mask = (words: Words, length: number): Words => [
  (words[0] & maskOf(0, length)) >>> 0,
  (words[1] & maskOf(1, length)) >>> 0,
  (words[2] & maskOf(2, length)) >>> 0,
  (words[3] & maskOf(3, length)) >>> 0,
];

/** The first address behind a prefix, or null when it reaches the end of the address space. */
function next(words: Words, length: number): Words | null {
  const result = [...words] as [number, number, number, number];
  for (let bit = length - 1; bit >= 0; bit--) {
    const index = bit >>> 5;
    const value = 2 ** (31 - (bit & 31));
    if (Math.floor(result[index] / value) % 2 === 0) {
      result[index] += value;
      return result;
    }
    result[index] -= value;
  }
  return null;
}

const compare = (left: Words, right: Words): number =>
  left[0] - right[0] || left[1] - right[1] || left[2] - right[2] || left[3] - right[3];

const isPast = (start: Words, end: Words | null): boolean => end !== null && compare(start, end) >= 0;
