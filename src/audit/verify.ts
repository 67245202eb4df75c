/**
 * Whether a log is what was written. It reads nothing but the files, shares no code with the writer but the reading of
 * compressed files, and needs no network. What it finds is named with file, octet and line.
 *
 * What is checked, for each worker:
 *    · segments are numbered without a gap, each header names the end of the segment before it
 *    · records are numbered without a hole
 *    · every octet lies in a leaf whose hash is listed, and the leaves add up to the root that each checkpoint states
 *    · each checkpoint is signed by the key that the one before it left in charge, beginning with the trusted one; a key that
 *      was announced elsewhere than in the log counts from where it was announced, and not before
 *    · nothing stands behind the checkpoint that closes a segment
 *    · the root is what checkpoints kept elsewhere, `*.head` files and the logs of other workers say it was
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { decompress } from './compress.ts';
import { claimsOf } from './verify-claims.ts';
import { numberOf, SEGMENT_NAME } from './verify-format.ts';
import type { AuditReport, Fault, VerifyOptions } from './verify-report.ts';
import { WorkerCheck } from './verify-worker.ts';

/**
 * Reads and checks every segment in `directory`, as long as it is when this begins. Throws only when the directory cannot be
 * read.
 */
export function verifyAudit(directory: string, options: VerifyOptions = {}): AuditReport {
  // The log may be written meanwhile. What one worker's log says of another's before the first look, the second look has.
  const before = lookAt(directory);
  const faults: Fault[] = [];
  const remarks: string[] = [];
  const claims = claimsOf(directory, [...before.keys()], options.checkpoints ?? [], faults);
  const ends = lookAt(directory);
  const names = [...ends.keys()];
  const byWorker = new Map<number, string[]>();
  for (const file of names.sort()) {
    const worker = SEGMENT_NAME.exec(file)?.[1];
    if (worker === undefined || isSecondCopy(directory, file, names, remarks)) continue;
    const files = byWorker.get(Number(worker)) ?? [];
    files.push(file);
    byWorker.set(Number(worker), files);
  }
  for (const worker of options.keys?.keys() ?? []) {
    if (!byWorker.has(worker)) byWorker.set(worker, []);
  }
  for (const { worker } of claims) if (!byWorker.has(worker)) byWorker.set(worker, []);

  const checks = [...byWorker].map(([worker, files]) => {
    const check = new WorkerCheck(directory, worker, options, claims, ends, faults, remarks);
    check.segments(files.sort((left, right) => numberOf(left) - numberOf(right)));
    check.end();
    return check;
  });
  for (const check of checks) {
    for (const mention of check.mentions) {
      const { file, offset } = mention.place;
      if (!isCompressed(file) && offset >= (before.get(file) ?? 0)) continue;
      checks.find((other) => other.worker === mention.worker)?.isAsMentioned(mention);
      if (!byWorker.has(mention.worker)) {
        faults.push({
          ...mention.place,
          what: `mentions worker ${mention.worker}, of which there is no log`,
        });
      }
    }
  }
  if (checks.length === 0) remarks.push(`${directory} holds no segments`);
  return { ok: faults.length === 0, workers: checks.map((check) => check.report()), faults, remarks };
}

const isCompressed = (file: string): boolean => /\.(gz|zst)$/.test(file);

/** Every file of a directory, and how long it is. */
function lookAt(directory: string): Map<string, number> {
  return new Map(
    readdirSync(directory).map((file) => {
      const size = statSync(join(directory, file), { throwIfNoEntry: false })?.size;
      return [file, size ?? 0] as const;
    }),
  );
}

/**
 * Whether a compressed segment lies beside the plain one it was made from: a crash came between making the one and removing
 * the other. Is it another, it is looked at as a segment of its own, which has no place in the log.
 */
function isSecondCopy(directory: string, file: string, names: readonly string[], remarks: string[]): boolean {
  const plain = file.replace(/\.(gz|zst)$/, '');
  if (!isCompressed(file) || !names.includes(plain)) return false;
  try {
    const octets = decompress(file, readFileSync(join(directory, file)));
    if (!octets.equals(readFileSync(join(directory, plain)))) return false;
  } catch {
    return false;
  }
  remarks.push(`${file} is ${plain} once more; "sallyport audit compress" removes one of them`);
  return true;
}
