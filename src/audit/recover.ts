/**
 * Taking a worker's log up again: finds its last segment, the last whole line in it, cuts off what was torn by a crash,
 * and says where numbers, tree and segments go on.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, truncateSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { LEAF_LINES } from './block.ts';
import { decompress } from './compress.ts';
import { readSegmentName, type SegmentName } from './segment.ts';
import { leafHash, Tree } from './tree.ts';

/** The end of the segment before the one to come; stands in its header. */
export interface Previous {
  readonly file: string;
  /** Length of what counts of it. */
  readonly octets: number;
  /** Hashes, in hex, of the leaves from its last block line to its end. They are in the tree already. */
  readonly leaves: readonly string[];
  /** Present when more than `octets` may be in the file because it could not be cut. */
  readonly torn?: true;
}

export interface Resumption {
  /** Number of the next record. */
  readonly seq: number;
  /** Number of the next segment. */
  readonly segment: number;
  readonly tree: Tree;
  readonly previous: Previous | null;
  /** The newest public key (hex) that the log announces; null for a new log. */
  readonly key: string | null;
  /** Checkpoint lines of the last segment that announce a key. */
  readonly announcements: readonly string[];
  /** What was repaired; null after an orderly stop and for a new log. */
  readonly recovered: Recovered | null;
}

export interface Recovered {
  readonly file: string;
  /** Octets that were cut off behind the last whole line, or behind the one that closed the segment, and their SHA-256 in hex. */
  readonly tornOctets: number;
  readonly tornSha256: string | null;
}

/** A log whose end cannot be read. The operator decides: repair, or move it away and begin anew. */
export class AuditDamaged extends Error {}

const NEWLINE = 10;
const ENTRY_BEGINS = Buffer.from('{"seq":');
/**
 * So much of a segment's end is read line by line; entries before it are known by their beginning. What a power cut can
 * leave undone is younger than the last `fdatasync`, and no disk takes so much between two of them. Reading all of it
 * would take a second for a segment of 64 MiB, and nobody is answered meanwhile.
 */
const READ_WHOLE = 4 * 1024 * 1024;

const segmentsOf = (directory: string, worker: number): SegmentName[] =>
  readdirSync(directory)
    .map(readSegmentName)
    .filter((name) => name !== null && name.worker === worker)
    .map((name) => name as SegmentName)
    .sort((left, right) => left.number - right.number);

/** Throws AuditDamaged when the last segment's own beginning cannot be understood. */
export function resume(directory: string, worker: number): Resumption {
  const names = segmentsOf(directory, worker);
  let emptied: Recovered | null = null;
  for (let i = names.length - 1; i >= 0; i--) {
    const name = names[i];
    const path = join(directory, name.file);
    const octets = decompress(name.file, readFileSync(path));
    if (octets.indexOf(NEWLINE) < 0 && !name.compressed) {
      // The crash came while the segment was made: not even its header is whole, so nothing was ever promised of it.
      unlinkSync(path);
      emptied = { file: name.file, tornOctets: octets.length, tornSha256: sha256(octets) };
      continue;
    }
    const resumption = resumeAfter(octets, name, path);
    return { ...resumption, recovered: resumption.recovered ?? emptied };
  }
  return {
    seq: 1,
    segment: 1,
    tree: new Tree(),
    previous: null,
    key: null,
    announcements: [],
    recovered: emptied,
  };
}

interface Header {
  readonly type: string;
  readonly seq: number;
  readonly key: string;
  readonly tree: { readonly size: number; readonly frontier: readonly string[] };
}

function resumeAfter(octets: Buffer, name: SegmentName, path: string): Resumption {
  const damaged = (what: string): AuditDamaged =>
    new AuditDamaged(
      `${path}: ${what}; run "sallyport audit verify" and move the damaged log away before starting again`,
    );
  const header = parseObject(octets, 0, octets.indexOf(NEWLINE)) as Header | null;
  if (header?.type !== 'segment') throw damaged('its first line is not a segment header');
  let tree: Tree;
  try {
    tree = Tree.resume(header.tree.size, header.tree.frontier);
  } catch (error) {
    throw damaged(`its header cannot be used (${(error as Error).message})`);
  }

  let seq = header.seq;
  let blockAt = 0;
  let good = 0;
  let closed = false;
  let key = header.key;
  const announcements: string[] = [];
  // Nothing was ever written behind the checkpoint that closes a segment: what stands there is not taken into the log.
  for (let at = 0; at < octets.length && !closed; ) {
    const end = octets.indexOf(NEWLINE, at);
    if (end < 0) break;
    // Only the tail can be torn, and it lies behind the last block line: what was before has been hashed already.
    const entrySeq = at < octets.length - READ_WHOLE ? seqOfEntry(octets, at, end) : -1;
    if (entrySeq !== -1) {
      seq = entrySeq + 1;
      at = good = end + 1;
      continue;
    }
    const line = parseObject(octets, at, end) as Record<string, unknown> | null;
    if (line === null) break;
    if (line['type'] === 'block' || line['type'] === 'checkpoint') {
      for (const leaf of line['leaves'] as string[]) tree.add(leaf);
      blockAt = at;
      closed = line['closes'] === true;
      if (typeof line['next'] === 'string') {
        key = line['next'];
        announcements.push(octets.toString('utf8', at, end));
      }
    }
    if (typeof line['seq'] === 'number' && line['type'] !== 'segment') {
      seq = line['seq'] + (line['type'] === 'sealed' ? Number(line['count']) : 1);
    }
    at = good = end + 1;
  }

  let recovered: Recovered | null = null;
  if (good < octets.length || !closed) {
    const torn = octets.subarray(good);
    recovered = {
      file: name.file,
      tornOctets: torn.length,
      tornSha256: torn.length === 0 ? null : sha256(torn),
    };
    if (torn.length > 0) truncateSync(path, good);
  }
  const leaves = leavesBetween(octets, blockAt, good);
  for (const leaf of leaves) tree.add(leaf);
  return {
    seq,
    segment: name.number + 1,
    tree,
    previous: { file: name.file.replace(/\.(gz|zst)$/, ''), octets: good, leaves },
    key,
    announcements,
    recovered,
  };
}

/** Hashes of the leaves of the lines in `octets[at … end)`. */
function leavesBetween(octets: Buffer, at: number, end: number): string[] {
  // leafHash borrows the octet before a leaf, which the first leaf of a file does not have.
  const lines = Buffer.concat([Buffer.alloc(1), octets.subarray(at, end)]);
  const leaves: string[] = [];
  let leafAt = 1;
  let count = 0;
  for (let from = 1; from < lines.length; ) {
    from = lines.indexOf(NEWLINE, from) + 1;
    if (++count % LEAF_LINES === 0 || from === lines.length) {
      leaves.push(leafHash(lines, leafAt, from));
      leafAt = from;
    }
  }
  return leaves;
}

/** Number of the entry whose line is `octets[at … end)`, by its first members and last octet alone; −1 for other lines. */
function seqOfEntry(octets: Buffer, at: number, end: number): number {
  for (let i = 0; i < ENTRY_BEGINS.length; i++) if (octets[at + i] !== ENTRY_BEGINS[i]) return -1;
  let seq = 0;
  let digits = at + ENTRY_BEGINS.length;
  for (; octets[digits] >= 0x30 && octets[digits] <= 0x39; digits++) seq = seq * 10 + octets[digits] - 0x30;
  return octets[digits] === 0x2c && octets[end - 1] === 0x7d ? seq : -1;
}

const sha256 = (octets: Uint8Array): string => createHash('sha256').update(octets).digest('hex');

function parseObject(octets: Buffer, at: number, end: number): object | null {
  try {
    const value: unknown = JSON.parse(octets.toString('utf8', at, end));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
