/**
 * `sallyport audit verify`: whether the log is what was written. Offline; exit 0 when it is, 1 when it is not, 2 when something
 * that was given cannot be used.
 */

import { existsSync, readFileSync } from 'node:fs';
import { Command } from 'commander';
import { plainText, verifyAudit, type WorkerReport } from '../audit/index.ts';
import { DIRECTORY, Progress, requireLog, unsealerOf, withDecryptKey } from './audit-flags.ts';
import { counted } from './counted.ts';
import { usable } from './unusable.ts';

interface Flags {
  readonly key?: string;
  readonly checkpoint?: readonly string[];
  readonly json?: boolean;
  readonly decryptKey?: readonly string[];
}

export const verifyCommand = (): Command =>
  withDecryptKey(new Command('verify'))
    .description('check every octet of the log; exit 1 and name the place when something was changed')
    .argument('[directory]', 'where the segments are', DIRECTORY)
    .option('-k, --key <file or hex>', 'trusted first public keys: a copy of keys.pub, or 64 hex digits')
    .option(
      '-p, --checkpoint <files...>',
      'checkpoints kept elsewhere, as a file, webhook or syslog receiver wrote them; without them a missing end may go unseen',
    )
    .option('--json', 'as JSON')
    .action(verify);

function verify(directory: string, flags: Flags): void {
  if (flags.key === undefined || !existsSync(directory)) requireLog(directory);
  const unsealer = unsealerOf(flags);
  const keys = flags.key === undefined ? null : usable(() => readKeys(flags.key as string));
  const checkpoints = (flags.checkpoint ?? []).flatMap((file) =>
    usable(() => splitCheckpoints(readFileSync(file, 'utf8'))),
  );
  const progress = new Progress(directory);
  const report = verifyAudit(directory, {
    ...(keys === null ? {} : { keys }),
    checkpoints,
    ...(unsealer === null ? {} : { unsealer }),
    onSegment: (file) => progress.step(file),
  });
  progress.end();
  if (!report.ok) process.exitCode = 1;
  if (flags.json) {
    console.log(JSON.stringify(report, null, 2));
    return;
  }
  for (const { file, line, offset, what } of report.faults) {
    console.log(plainText(`${file}:${line}: (octet ${offset}) ${what}`));
  }
  for (const remark of report.remarks) console.log(plainText(`note: ${remark}`));
  for (const one of report.workers) {
    console.log(plainText(summaryOf(one)));
  }
  const count = report.faults.length;
  console.log(report.ok ? 'The log is whole.' : `The log is NOT whole: ${counted(count, 'fault')}.`);
}

/** Since when, and until when somebody has signed for it: who expects more sees that it is missing. */
function summaryOf(one: WorkerReport): string {
  const { worker, segments, firstRecord, lastRecord, erased, checkpoints, lastCheckpoint, lastSigned } = one;
  if (segments === 0) return `worker ${worker}: no segments`;
  const gone = erased > 0 ? ` (${erased} erased on request)` : '';
  const last =
    lastCheckpoint === null ? '' : ` (the last, of ${lastCheckpoint.time}, covers record ${lastSigned})`;
  const records = lastRecord < firstRecord ? 'no records' : `records ${firstRecord} to ${lastRecord}`;
  return `worker ${worker}: ${counted(segments, 'segment')} since ${one.since}, ${records}${gone}, ${counted(checkpoints, 'signed checkpoint')}${last}, root ${one.root.slice(0, 16)}… of ${counted(one.leaves, 'leaf', 'leaves')}`;
}

/** A document that is JSON as a whole (what a webhook was sent) is one text; anything else is taken line by line. */
export function splitCheckpoints(text: string): string[] {
  try {
    JSON.parse(text);
    return [text];
  } catch {
    return text.split('\n');
  }
}

/** First public keys per worker, from a file or from the command line. Throws in words. */
export function readKeys(text: string): ReadonlyMap<number, string> {
  if (/^[0-9a-f]{64}$/.test(text)) return new Map([[0, text]]);
  if (!existsSync(text)) {
    throw new Error(
      `${text} is neither a file nor a key; give a copy of keys.pub, or 64 hex digits (a–f in small letters)`,
    );
  }
  const keys = new Map<number, string>();
  readFileSync(text, 'utf8')
    .split('\n')
    .forEach((line, i) => {
      if (line.trim() === '' || line.startsWith('#')) return;
      const match = /^w(\d+)\s+([0-9a-f]{64})$/.exec(line.trim());
      if (match === null) {
        throw new Error(`${text}:${i + 1}: this is no key; write "w0 " and 64 hex digits, as in keys.pub`);
      }
      // The first line of a worker is the one that was there first; later ones are of logs begun anew.
      const worker = Number(match[1]);
      if (!keys.has(worker)) keys.set(worker, match[2]);
    });
  if (keys.size === 0) throw new Error(`${text} holds no key; write "w0 " and 64 hex digits, as in keys.pub`);
  return keys;
}
