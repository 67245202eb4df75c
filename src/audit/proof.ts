/**
 * Proofs of few hashes about a log of many records (RFC 9162 section 2.1): that a record is in the log that a checkpoint
 * speaks of, and that the log of one checkpoint is the beginning of that of another. Who checks needs the proof and the
 * checkpoints, not the log.
 */
import { createHash } from 'node:crypto';
import { openBox, readSealed, type SealedLine, type Unsealer } from './unseal.ts';
import { verifyAudit } from './verify.ts';
import type { LeafPlace } from './verify-report.ts';

export interface InclusionProof {
  readonly kind: 'inclusion';
  readonly worker: number;
  readonly record: number;
  /** The leaf: the lines that are hashed together, as they stand in the file. */
  readonly leaf: { readonly index: number; readonly lines: string };
  readonly tree: { readonly size: number; readonly root: string };
  /** Hashes in hex, from the leaf towards the root. */
  readonly path: readonly string[];
  /** Where the record is encrypted: the key of its line (and of no other), in hex. It opens the whole batch in that line. */
  readonly lineKey?: string;
}

export interface ConsistencyProof {
  readonly kind: 'consistency';
  readonly worker: number;
  readonly older: { readonly size: number; readonly root: string };
  readonly newer: { readonly size: number; readonly root: string };
  readonly path: readonly string[];
}

/** Why a proof cannot be made, in words. */
export class ProofError extends Error {}

type ReadLines = (file: string, at: number, end: number) => string;

/** Leaves of one worker's log in order, up to its newest checkpoint. Throws ProofError when the log does not verify: nothing is proved of such a log. */
export function leavesOf(directory: string, worker: number): LeafPlace[] {
  const leaves: LeafPlace[] = [];
  const report = verifyAudit(directory, {
    onLeaf: (of, leaf) => {
      if (of === worker) leaves.push(leaf);
    },
  });
  if (!report.ok)
    throw new ProofError(`the log does not verify: ${report.faults[0].file}: ${report.faults[0].what}`);
  if (leaves.length === 0)
    throw new ProofError(`there are no records of worker ${worker} under any block line yet`);
  if (leaves[0].index !== 0) {
    throw new ProofError(
      'the first segments of the log are gone; proofs need every leaf since the beginning',
    );
  }
  // What no checkpoint covers cannot be proved to anybody.
  return leaves.slice(0, report.workers.find((one) => one.worker === worker)?.lastCheckpoint?.size ?? 0);
}

export function proveInclusion(
  leaves: readonly LeafPlace[],
  worker: number,
  record: number,
  readLines: ReadLines,
  unsealer: Unsealer | null = null,
): InclusionProof {
  const leaf = leaves.find(({ from, to }) => record >= from && record < to);
  if (leaf === undefined) {
    throw new ProofError(
      `record ${record} is not under a checkpoint; the last one that is, is ${(leaves.at(-1)?.to ?? 1) - 1}`,
    );
  }
  if (leaf.actual !== leaf.hash) {
    throw new ProofError(
      `records beside record ${record}, or it itself, were erased: the lines that its leaf was made of are gone`,
    );
  }
  const hashes = leaves.map(({ hash }) => Buffer.from(hash, 'hex'));
  const lines = readLines(leaf.file, leaf.at, leaf.end);
  const sealed = sealedWith(lines, record);
  const lineKey = sealed === null ? undefined : unsealer?.keyOf(sealed).toString('hex');
  return {
    kind: 'inclusion',
    worker,
    record,
    ...(lineKey === undefined ? {} : { lineKey }),
    leaf: { index: leaf.index, lines },
    tree: { size: hashes.length, root: rootOf(hashes, 0, hashes.length).toString('hex') },
    path: inclusionPath(hashes, leaf.index, 0, hashes.length).map(hex),
  };
}

export function proveConsistency(
  leaves: readonly LeafPlace[],
  worker: number,
  olderSize: number,
  newerSize: number,
): ConsistencyProof {
  if (!(olderSize > 0 && olderSize <= newerSize && newerSize <= leaves.length)) {
    throw new ProofError(
      `sizes must be 1 ≤ older ≤ newer ≤ ${leaves.length}; these are ${olderSize} and ${newerSize}`,
    );
  }
  const hashes = leaves.map(({ hash }) => Buffer.from(hash, 'hex'));
  return {
    kind: 'consistency',
    worker,
    older: { size: olderSize, root: hex(rootOf(hashes, 0, olderSize)) },
    newer: { size: newerSize, root: hex(rootOf(hashes, 0, newerSize)) },
    path: consistencyPath(hashes, olderSize, 0, newerSize, true).map(hex),
  };
}

/** Whether a proof holds. That its roots are those of signed checkpoints is for the caller to see. */
export function isProven(proof: InclusionProof | ConsistencyProof): boolean {
  return proof.kind === 'inclusion' ? isIncluded(proof) : isConsistent(proof);
}

/** The sealed line that holds a record; null when it stands in plain text, or nowhere. */
function sealedWith(lines: string, record: number): SealedLine | null {
  return (
    lines
      .split('\n')
      .map(readSealed)
      .find((line) => line !== null && record >= line.seq && record < line.seq + line.count) ?? null
  );
}

/** The line of the record that a proof is about; null when it is encrypted and the proof does not open it. Throws otherwise. */
export function provenRecord({ leaf, record, lineKey }: InclusionProof): string | null {
  const sealed = sealedWith(leaf.lines, record);
  if (sealed !== null && lineKey === undefined) return null;
  const text =
    sealed === null ? leaf.lines : openBox(sealed, Buffer.from(lineKey ?? '', 'hex')).toString('utf8');
  const found = text
    .split('\n')
    .find((line) => /^\{(?:"type":"[^"]*",)?"seq":(\d+),/.exec(line)?.[1] === String(record));
  if (found === undefined) throw new ProofError(`the lines of the proof do not hold record ${record}`);
  return found;
}

/** RFC 9162 section 2.1.3.2. */
function isIncluded(proof: InclusionProof): boolean {
  const { leaf, tree, path } = proof;
  if (leaf.index >= tree.size) return false;
  try {
    provenRecord(proof);
  } catch {
    return false;
  }
  let hash = sha256(LEAF, Buffer.from(leaf.lines, 'utf8'));
  let index = leaf.index;
  let last = tree.size - 1;
  for (const step of path) {
    if (last === 0) return false;
    const sibling = Buffer.from(step, 'hex');
    if (index % 2 === 1 || index === last) {
      hash = sha256(NODE, sibling, hash);
      while (index % 2 === 0 && index !== 0) {
        index = half(index);
        last = half(last);
      }
    } else {
      hash = sha256(NODE, hash, sibling);
    }
    index = half(index);
    last = half(last);
  }
  return last === 0 && hex(hash) === tree.root;
}

/** RFC 9162 section 2.1.4.2. */
function isConsistent({ older, newer, path }: ConsistencyProof): boolean {
  if (older.size === newer.size) return path.length === 0 && older.root === newer.root;
  const steps = path.map((step) => Buffer.from(step, 'hex'));
  let index = older.size - 1;
  let last = newer.size - 1;
  while (index % 2 === 1) {
    index = half(index);
    last = half(last);
  }
  // A complete older tree is its own first step.
  const first = index === 0 ? Buffer.from(older.root, 'hex') : steps.shift();
  if (first === undefined) return false;
  let olderHash: Buffer = first;
  let newerHash: Buffer = first;
  for (const step of steps) {
    if (last === 0) return false;
    if (index % 2 === 1 || index === last) {
      olderHash = sha256(NODE, step, olderHash);
      newerHash = sha256(NODE, step, newerHash);
      while (index % 2 === 0 && index !== 0) {
        index = half(index);
        last = half(last);
      }
    } else {
      newerHash = sha256(NODE, newerHash, step);
    }
    index = half(index);
    last = half(last);
  }
  return last === 0 && hex(olderHash) === older.root && hex(newerHash) === newer.root;
}

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const half = (value: number): number => Math.floor(value / 2);
const hex = (octets: Buffer): string => octets.toString('hex');

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** The largest power of two below `size`, which is at least 2. */
const split = (size: number): number => 2 ** Math.floor(Math.log2(size - 1));

function rootOf(leaves: readonly Buffer[], from: number, to: number): Buffer {
  if (to - from === 1) return leaves[from];
  const middle = from + split(to - from);
  return sha256(NODE, rootOf(leaves, from, middle), rootOf(leaves, middle, to));
}

/** PATH of RFC 9162 section 2.1.3.1. */
function inclusionPath(leaves: readonly Buffer[], index: number, from: number, to: number): Buffer[] {
  if (to - from === 1) return [];
  const middle = from + split(to - from);
  return index < middle
    ? [...inclusionPath(leaves, index, from, middle), rootOf(leaves, middle, to)]
    : [...inclusionPath(leaves, index, middle, to), rootOf(leaves, from, middle)];
}

/** SUBPROOF of RFC 9162 section 2.1.4.1; `size` counts from the beginning, `isWhole` while the older tree is whole here. */
function consistencyPath(
  leaves: readonly Buffer[],
  size: number,
  from: number,
  to: number,
  isWhole: boolean,
): Buffer[] {
  if (size === to) return isWhole ? [] : [rootOf(leaves, from, to)];
  const middle = from + split(to - from);
  return size <= middle
    ? [...consistencyPath(leaves, size, from, middle, isWhole), rootOf(leaves, middle, to)]
    : [...consistencyPath(leaves, size, middle, to, false), rootOf(leaves, from, middle)];
}
