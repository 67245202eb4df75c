/** `sallyport audit erase`: what a client asked, taken out of the log on request; the log still verifies, and says so. */
import { statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import {
  AuditInUse,
  type AuditLog,
  type AuditRecord,
  areRecorded,
  carryOut,
  type ErasurePlan,
  isErasureRequested,
  openAudit,
  plainText,
  planErasure,
  removeErasureRequest,
  requestsOf,
  segmentNames,
  writeErasureRequest,
} from '../audit/index.ts';
import { clientTexts, DIRECTORY, readTime, requireLog, unsealerOf, withDecryptKey } from './audit-flags.ts';

interface Flags {
  readonly client: string;
  readonly reason: string;
  readonly since?: number;
  readonly until?: number;
  readonly pseudonyms?: string;
  readonly dryRun?: boolean;
  readonly decryptKey?: readonly string[];
}

/** How long the writer of the log may take to record an erasure: a checkpoint is made each second by default. */
const WAIT_MS = 30_000;
const LOOK_MS = 50;

export const eraseCommand = (): Command =>
  withDecryptKey(new Command('erase'))
    .description(
      'take the entries of a client out of closed segments, and record in the chain that it was done',
    )
    .argument('[directory]', 'where the segments are', DIRECTORY)
    .requiredOption('-c, --client <address>', 'client address, or what stands in the log for it')
    .requiredOption('--reason <text>', 'why, for whoever verifies the log; no personal data', readReason)
    .option('--since <time>', 'not before: 2026-01-31T12:00:00Z, or 15m, 6h, 7d ago', readTime)
    .option('--until <time>', 'before, written likewise', readTime)
    .option(
      '--pseudonyms <path>',
      'keys of pseudonyms, a directory or a file, to find --client under (default: "pseudonyms" beside the log)',
    )
    .option('--dry-run', 'only say how many entries would be erased')
    .action(erase);

function readReason(text: string): string {
  if (text.trim() === '' || text.length > 512) {
    throw new InvalidArgumentError(
      'Write why, in at most 512 characters, as "request 2026-17 of the person concerned".',
    );
  }
  return text.trim();
}

async function erase(directory: string, flags: Flags): Promise<void> {
  requireLog(directory);
  requireOwner(directory);
  const unsealer = unsealerOf(flags);
  const clients = new Set(clientTexts(directory, flags.client, flags.pseudonyms));
  const matches = ({ client, time }: AuditRecord): boolean =>
    client !== undefined &&
    clients.has(client) &&
    (flags.since === undefined || Date.parse(time) >= flags.since) &&
    (flags.until === undefined || Date.parse(time) < flags.until);
  const by = userInfo().username;
  let count = 0;
  let segments = 0;
  for (const worker of new Set(segmentNames(directory).map((name) => name.worker))) {
    const ask = { directory, worker, matches, by, reason: flags.reason, unsealer };
    if (flags.dryRun === true) {
      const plan = planErasure(ask);
      count += plan.count;
      segments += plan.changes.length;
      tellOpen(plan);
      continue;
    }
    const writer = openWriter(directory, worker);
    try {
      const plan = planErasure(ask);
      await record(directory, worker, plan, writer);
      carryOut(plan, directory, unsealer);
      count += plan.count;
      segments += plan.changes.length;
      if (writer === null) tellOpen(plan);
    } finally {
      await writer?.close();
    }
  }
  const what = `${count} entries of ${flags.client} in ${segments} segments`;
  console.log(plainText(flags.dryRun === true ? `${what} would be erased.` : `${what} were erased.`));
  if (flags.dryRun !== true && count > 0) {
    console.log('Copies elsewhere (shipped records, exports, backups) are not touched by this.');
  }
}

/** What is written by another user could not be read or replaced by the service afterwards. */
function requireOwner(directory: string): void {
  const { uid } = statSync(directory);
  if (process.getuid === undefined || process.getuid() === uid) return;
  throw new Error(
    `${directory} belongs to user ${uid}; run this as that user (sudo -u '#${uid}' sallyport audit erase …)`,
  );
}

/** Opens a log that nobody writes, which closes its newest segment; null when a running Sallyport has it. */
function openWriter(directory: string, worker: number): AuditLog | null {
  try {
    return openAudit({ directory, worker, checkpointMs: 50, reserveOctets: 0 });
  } catch (error) {
    if (error instanceof AuditInUse) return null;
    throw error;
  }
}

/** Waits until the chain says what will be erased. Throws in words when its writer does not take it up. */
async function record(
  directory: string,
  worker: number,
  plan: ErasurePlan,
  writer: AuditLog | null,
): Promise<void> {
  for (const erasures of requestsOf(plan)) {
    writeErasureRequest(directory, worker, erasures);
    const deadline = performance.now() + WAIT_MS;
    while (isErasureRequested(directory, worker)) {
      if (performance.now() > deadline) {
        removeErasureRequest(directory, worker);
        const who = writer === null ? 'the running Sallyport' : 'the log';
        throw new Error(
          `${who} has not recorded the erasure within ${WAIT_MS / 1000} s, and nothing was erased; see /readyz and its log, and run the same command again`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    if (!areRecorded(directory, worker, erasures)) {
      throw new Error(
        'the request was taken away and no record of it made: nothing was erased; is somebody else at work there?',
      );
    }
  }
}

function tellOpen({ open }: ErasurePlan): void {
  if (open === null) return;
  console.error(
    `${open.count} more are in ${open.file}, which is still written to: run the same command again when it is closed (after audit.segmentAge, or a restart)`,
  );
  process.exitCode = 1;
}
