/**
 * Which names a closed segment may hold, so that a search for a rare name reads few segments of many. It is a Bloom
 * filter (Bloom 1970) beside the segment: it says "no" for certain, or "perhaps". It is made from the segment, can be
 * made again at any time, and proves nothing.
 *
 *    w0-00000017-….idx    {"version":1,"octets":67108864,"bits":1048576,"names":104857}\n and then the bits
 *
 * In it are `=name` for each name that was asked, and `.ancestor` for each name above one.
 */
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SegmentName } from './segment.ts';

/** Bits for each text, and how many of them are set: one "perhaps" in 120 is wrong. */
const BITS_PER_KEY = 10;
const PROBES = 7;
const NEWLINE = 10;
const QNAME = Buffer.from(',"qname":"');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The index of a segment, whether or not the segment has been compressed since. */
export const indexName = ({ file }: SegmentName): string =>
  `${file.replace(/\.ndjson(\.gz|\.zst)?$/, '')}.idx`;

/** FNV-1a over UTF-16 units, with a seed; the two hashes of a key decide all its bits. */
function hash(text: string, seed: number): number {
  let value = seed;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return (value ^ (value >>> 15)) >>> 0;
}

function* positions(key: string, bits: number): Generator<number> {
  const first = hash(key, 0x811c9dc5);
  // Odd, so that the probes of a key do not fall on one another.
  const step = hash(key, 0x9747b28c) | 1;
  for (let i = 0; i < PROBES; i++) yield (first + i * (step >>> 0)) % bits;
}

/** Every name asked in a segment, in presentation form. */
function namesIn(octets: Buffer): Set<string> {
  const names = new Set<string>();
  for (let at = octets.indexOf(QNAME); at >= 0; at = octets.indexOf(QNAME, at)) {
    const start = at + QNAME.length;
    let end = start;
    while (octets[end] !== QUOTE && end < octets.length) end += octets[end] === BACKSLASH ? 2 : 1;
    const text = octets.toString('latin1', start, end);
    names.add(text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text);
    at = end;
  }
  return names;
}

/** Positions behind each dot that separates two labels; a dot within a label has a backslash before it. */
function ancestorsOf(name: string): string[] {
  const ancestors: string[] = [];
  for (let i = 0; i < name.length; i++) {
    if (name[i] === '\\') i++;
    else if (name[i] === '.' && i + 1 < name.length) ancestors.push(name.slice(i + 1));
  }
  return ancestors;
}

/** Writes the index of a closed segment whose octets are given. Returns how many names it knows. */
export function writeIndex(directory: string, segment: SegmentName, octets: Buffer): number {
  const names = namesIn(octets);
  const keys = new Set<string>();
  for (const name of names) {
    keys.add(`=${name}`);
    for (const ancestor of ancestorsOf(name)) keys.add(`.${ancestor}`);
  }
  const bits = Math.max(64, Math.ceil((keys.size * BITS_PER_KEY) / 8) * 8);
  const filter = Buffer.alloc(bits / 8);
  for (const key of keys) for (const at of positions(key, bits)) filter[at >> 3] |= 1 << (at & 7);
  const head = `${JSON.stringify({ version: 1, octets: octets.length, bits, names: names.size })}\n`;
  const path = join(directory, indexName(segment));
  writeFileSync(`${path}.new`, Buffer.concat([Buffer.from(head), filter]), { mode: 0o640 });
  renameSync(`${path}.new`, path);
  return names.size;
}

export const hasIndex = (directory: string, segment: SegmentName): boolean =>
  existsSync(join(directory, indexName(segment)));

/**
 * Whether a segment may hold one of `keys` (`=name`, `.ancestor`). True when there is no index, or none that fits: then
 * the segment has to be read.
 */
export function mayHold(directory: string, segment: SegmentName, keys: readonly string[]): boolean {
  let octets: Buffer;
  try {
    octets = readFileSync(join(directory, indexName(segment)));
  } catch {
    return true;
  }
  const end = octets.indexOf(NEWLINE);
  let head: { version?: unknown; octets?: unknown; bits?: unknown };
  try {
    head = JSON.parse(octets.toString('latin1', 0, Math.max(0, end))) as typeof head;
  } catch {
    return true;
  }
  const { version, bits } = head;
  if (version !== 1 || typeof bits !== 'number' || octets.length !== end + 1 + bits / 8) return true;
  // An index of a segment that has grown since says nothing.
  if (!segment.compressed && statSync(join(directory, segment.file)).size !== head.octets) return true;
  return keys.some((key) => {
    for (const at of positions(key, bits))
      if ((octets[end + 1 + (at >> 3)] & (1 << (at & 7))) === 0) return false;
    return true;
  });
}
