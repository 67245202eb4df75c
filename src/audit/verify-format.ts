/** The words of the format as `verify` understands them, and what it needs to judge them. */
import { createHash, createPublicKey, verify as verifySignature } from 'node:crypto';

export const LEAF_LINES = 32;
export const NEWLINE = 10;
export const SEGMENT_NAME = /^w(\d+)-(\d{8,})-\d{8}T\d{9}Z\.ndjson(\.gz|\.zst)?$/;
export const HASH = /^[0-9a-f]{64}$/;
/** A checkpoint line, what of it is signed, and the signature. */
export const SIGNED = /^(\{"type":"checkpoint",.*),"sig":"([0-9a-f]{128})"\}$/s;
const CONTEXT = 'sallyport audit checkpoint 1\n';
export const RECORD_PREFIX = Buffer.from('{"seq":');
export const TYPE_PREFIX = Buffer.from('{"type":"');

/** Where a header says that the segment before it ends, if more may lie behind; infinite otherwise. */
export function tornEnd(octets: Buffer): number {
  const end = octets.indexOf(NEWLINE);
  const previous =
    end < 0 ? null : (parse(octets.toString('utf8', 0, end))?.['previous'] as Record<string, unknown>);
  if (previous?.['torn'] !== true || typeof previous['octets'] !== 'number') return Number.POSITIVE_INFINITY;
  return previous['octets'];
}

export const numberOf = (file: string): number => Number(SEGMENT_NAME.exec(file)?.[2]);

/** When a segment was begun, as its name has it, in the form of its header: `2026-11-21T09:10:11.123Z`. */
export const timeInName = (file: string): string =>
  file.replace(/^.*-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z\..*$/, '$1-$2-$3T$4:$5:$6.$7Z');

export function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

export const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

export const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** RFC 9162 section 2.1.1, kept as the roots of complete subtrees. */
export class Roots {
  size = 0;
  subtrees: Buffer[] = [];

  add(leaf: Buffer): void {
    let hash = leaf;
    for (let rest = this.size; rest % 2 === 1; rest = (rest - 1) / 2)
      hash = sha256(NODE, this.subtrees.pop()!, hash);
    this.subtrees.push(hash);
    this.size++;
  }

  root(): string {
    if (this.subtrees.length === 0) return sha256().toString('hex');
    return this.subtrees.reduceRight((right, left) => sha256(NODE, left, right)).toString('hex');
  }
}

export const isHashes = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((hash) => typeof hash === 'string' && HASH.test(hash));

export function startsWith(octets: Buffer, at: number, prefix: Buffer): boolean {
  return (
    octets.length >= at + prefix.length &&
    octets.compare(prefix, 0, prefix.length, at, at + prefix.length) === 0
  );
}

/** Whether the line at `at`, which begins with its type, is a record of the log about itself. */
export function isNote(octets: Buffer, at: number): boolean {
  const type = octets.toString('latin1', at + TYPE_PREFIX.length, at + TYPE_PREFIX.length + 10);
  return !/^(segment|block|checkpoint)/.test(type);
}

/** A number in decimal as the writer writes it; NaN for anything else. */
export function readNumber(octets: Buffer, at: number): number {
  let value = 0;
  for (let i = at; i < at + 17; i++) {
    const digit = octets[i] - 48;
    if (!(digit >= 0 && digit <= 9)) return i > at && octets[i] === 0x2c ? value : Number.NaN;
    value = value * 10 + digit;
  }
  return Number.NaN;
}

/** The fixed octets before an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410 section 4). */
const KEY_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

export function isSigned(text: string, signature: string, key: string): boolean {
  try {
    const publicKey = createPublicKey({
      key: Buffer.concat([KEY_PREFIX, Buffer.from(key, 'hex')]),
      format: 'der',
      type: 'spki',
    });
    return verifySignature(null, Buffer.from(CONTEXT + text), publicKey, Buffer.from(signature, 'hex'));
  } catch {
    return false;
  }
}
