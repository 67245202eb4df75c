/**
 * Which names a closed segment may hold, so that a search for a rare name reads few segments of many. It is a Bloom
 * filter (Bloom 1970) beside the segment: it says "no" for certain, or "perhaps". It is made from the segment, can be
 * made again at any time, and proves nothing.
 *
 *    w0-00000017-….idx    {"version":1,"octets":67108864,"bits":1048576,"names":104857}\n and then the bits
 *
 * In it are `=name` for each name that was asked, and `.ancestor` for each name above one. The index of an encrypted segment
 * is of no use to who cannot read that: its bits are decided by HMAC under a key derived from the segment's (HKDF-Expand with
 * `sallyport audit index 1`), and its head repeats for whom that is wrapped (`sealed`).
 */
import { createHmac } from 'node:crypto';
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SegmentName } from './segment.ts';
import { type Unsealer, unsealSegment } from './unseal.ts';

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

/** `indexKey`: of an encrypted segment; null for a plain one. */
function* positions(key: string, bits: number, indexKey: Buffer | null): Generator<number> {
  const digest = indexKey === null ? null : createHmac('sha256', indexKey).update(key).digest();
  const first = digest?.readUInt32LE(0) ?? hash(key, 0x811c9dc5);
  // Odd, so that the probes of a key do not fall on one another.
  const step = (digest?.readUInt32LE(4) ?? hash(key, 0x9747b28c)) | 1;
  for (let i = 0; i < PROBES; i++) yield (first + i * (step >>> 0)) % bits;
}

const indexKeyOf = (secret: Buffer): Buffer =>
  createHmac('sha256', secret).update('sallyport audit index 1\x01').digest();

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

/**
 * Writes the index of a closed segment whose octets are given, as they stand in the file. Returns how many names it knows.
 * Throws Sealed when they are encrypted and `unsealer` does not open them.
 */
export function writeIndex(
  directory: string,
  segment: SegmentName,
  octets: Buffer,
  unsealer: Unsealer | null = null,
): number {
  const names = namesIn(unsealSegment(segment.file, octets, unsealer));
  const { sealed } = parseHead(octets);
  const own = sealed === undefined ? null : (unsealer?.takeHeader({ sealed }) ?? null);
  const indexKey = own === null ? null : indexKeyOf(own.secret);
  const keys = new Set<string>();
  for (const name of names) {
    keys.add(`=${name}`);
    for (const ancestor of ancestorsOf(name)) keys.add(`.${ancestor}`);
  }
  const bits = Math.max(64, Math.ceil((keys.size * BITS_PER_KEY) / 8) * 8);
  const filter = Buffer.alloc(bits / 8);
  for (const key of keys) for (const at of positions(key, bits, indexKey)) filter[at >> 3] |= 1 << (at & 7);
  const members = { version: 1, octets: octets.length, bits, names: names.size };
  const head = `${JSON.stringify(own === null ? members : { ...members, sealed })}\n`;
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
export function mayHold(
  directory: string,
  segment: SegmentName,
  keys: readonly string[],
  unsealer: Unsealer | null = null,
): boolean {
  let octets: Buffer;
  try {
    octets = readFileSync(join(directory, indexName(segment)));
  } catch {
    return true;
  }
  const end = octets.indexOf(NEWLINE);
  const head = parseHead(octets);
  const { version, bits } = head;
  if (version !== 1 || typeof bits !== 'number' || octets.length !== end + 1 + bits / 8) return true;
  // An index of a segment that has grown since says nothing.
  if (!segment.compressed && sizeOf(join(directory, segment.file)) !== head.octets) return true;
  const own = head.sealed === undefined ? null : (unsealer?.takeHeader(head) ?? null);
  // Whoever cannot ask this index will be told why when the segment is read.
  if (head.sealed !== undefined && own === null) return true;
  const indexKey = own === null ? null : indexKeyOf(own.secret);
  return keys.some((key) => {
    for (const at of positions(key, bits, indexKey))
      if ((octets[end + 1 + (at >> 3)] & (1 << (at & 7))) === 0) return false;
    return true;
  });
}

/** −1 for a file that is not there (any more). */
const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? -1;

interface Head {
  readonly version?: unknown;
  readonly octets?: unknown;
  readonly bits?: unknown;
  readonly sealed?: unknown;
}

/** The first line of an index or a segment; empty when it is none. */
function parseHead(octets: Buffer): Head {
  try {
    return JSON.parse(octets.toString('utf8', 0, Math.max(0, octets.indexOf(NEWLINE)))) as Head;
  } catch {
    return {};
  }
}
