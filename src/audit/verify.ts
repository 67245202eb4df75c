/**
 * Whether a log is what was written. It reads nothing but the files, shares no code with the writer but the reading of
 * compressed files, and needs no network. What it finds is named with file, octet and line.
 *
 * What is checked, for each worker:
 *    · segments are numbered without a gap, each header names the end of the segment before it
 *    · records are numbered without a hole
 *    · every octet lies in a leaf whose hash is listed, and the leaves add up to the root that each checkpoint states
 *    · each checkpoint is signed by the key that the one before it left in charge, beginning with the trusted one
 *    · the root is what checkpoints kept elsewhere, `*.head` files and the logs of other workers say it was
 */
import { readdirSync } from 'node:fs';
import { claimsOf } from './verify-claims.ts';
import { numberOf, SEGMENT_NAME } from './verify-format.ts';
import type { AuditReport, Fault, VerifyOptions } from './verify-report.ts';
import { WorkerCheck } from './verify-worker.ts';

/** Reads and checks every segment in `directory`. Throws only when the directory cannot be read. */
export function verifyAudit(directory: string, options: VerifyOptions = {}): AuditReport {
  const names = readdirSync(directory);
  const faults: Fault[] = [];
  const remarks: string[] = [];
  const claims = claimsOf(directory, names, options.checkpoints ?? [], faults);
  const byWorker = new Map<number, string[]>();
  for (const file of names.sort()) {
    const worker = SEGMENT_NAME.exec(file)?.[1];
    if (worker === undefined) continue;
    const files = byWorker.get(Number(worker)) ?? [];
    files.push(file);
    byWorker.set(Number(worker), files);
  }
  for (const worker of options.keys?.keys() ?? []) {
    if (!byWorker.has(worker)) byWorker.set(worker, []);
  }
  for (const { worker } of claims) if (!byWorker.has(worker)) byWorker.set(worker, []);

  const checks = [...byWorker].map(([worker, files]) => {
    const check = new WorkerCheck(directory, worker, options, claims, faults, remarks);
    check.segments(files.sort((left, right) => numberOf(left) - numberOf(right)));
    check.end();
    return check;
  });
  for (const check of checks) {
    for (const mention of check.mentions) {
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
