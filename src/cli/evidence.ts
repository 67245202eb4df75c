/**
 * `sallyport evidence`: one report for a period, as a page and as JSON, signed on request. Exit 0 when the log is whole, 1 when it is not
 * (the report is written all the same, and says so), 2 when something that was given cannot be used.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import {
  type AuditReport,
  plainText,
  readRecords,
  segmentNames,
  type Unsealer,
  verifyAudit,
} from '../audit/index.ts';
import { Activity, makeReport, readSigningKey, renderPage, reportText, sign } from '../evidence/index.ts';
import { type LoadedPolicy, loadPolicy } from '../policy-loading.ts';
import { VERSION } from '../version.ts';
import { Progress, readTime, requireLog, unsealerOf, withDecryptKey } from './audit-flags.ts';
import { readKeys, splitCheckpoints } from './audit-verify.ts';
import { verifyEvidenceCommand } from './evidence-verify.ts';
import { printFaults, readSettings, type SettingsFlags } from './settings-flags.ts';
import { Unusable, usable } from './unusable.ts';

interface Flags extends Pick<SettingsFlags, 'config' | 'policy' | 'audit'> {
  readonly from?: number;
  readonly to?: number;
  readonly key?: string;
  readonly checkpoint?: readonly string[];
  readonly out?: string;
  readonly json?: boolean;
  readonly sign?: string;
  readonly decryptKey?: readonly string[];
}

const OUT = 'var/evidence';
const PERIOD_MS = 30 * 86_400_000;

export function evidenceCommand(): Command {
  return withDecryptKey(new Command('evidence'))
    .exitOverride()
    .description('write a report for a period: rules, exceptions, denials, alarms, integrity; signed')
    .option('-c, --config <file>', 'settings file (default: SALLYPORT_CONFIG, else ./sallyport.yaml)')
    .option('-p, --policy <path>', 'policy file or directory instead of those of the settings', gather)
    .option('--audit <directory>', 'where the log is (default: audit.directory of the settings)')
    .option(
      '--from <time>',
      'begin of the period: 2026-01-31, or 7d ago (default: 30 days before --to)',
      readTime,
    )
    .option('--to <time>', 'its end, not included (default: now)', readTime)
    .option('-k, --key <file or hex>', 'trusted first public keys of the log: a copy of keys.pub')
    .option('--checkpoint <files...>', 'checkpoints kept elsewhere; without them a missing end may go unseen')
    .option('--out <directory>', `where the files are written (default: ${OUT})`)
    .option('--json', 'the report as JSON on standard output; files only with --out')
    .option('--sign <file>', 'sign with this Ed25519 private key (PEM)')
    .addCommand(verifyEvidenceCommand())
    .action((flags: Flags) => evidence(flags));
}

const gather = (value: string, before: readonly string[] = []): string[] => [...before, value];

function evidence(flags: Flags): void {
  try {
    report(flags, Date.now());
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    console.error(plainText(`sallyport evidence: ${error.message}`));
    process.exitCode = 2;
  }
}

function report(flags: Flags, nowMs: number): void {
  const toMs = flags.to ?? nowMs;
  const fromMs = flags.from ?? toMs - PERIOD_MS;
  if (fromMs >= toMs)
    throw new Unusable('--from is not before --to; write for example --from 2026-01-01 --to 2026-02-01');
  const signingKey = flags.sign === undefined ? null : readUsable(flags.sign, readSigningKey);
  const toFiles = flags.json !== true || flags.out !== undefined;
  if (signingKey !== null && !toFiles)
    throw new Unusable('--sign writes a file beside the report; write --out too');
  const keys = flags.key === undefined ? null : usable(() => readKeys(flags.key as string));
  const checkpoints = (flags.checkpoint ?? []).flatMap((file) => readUsable(file, splitCheckpoints));
  const settings = readSettings(flags, flags.json);
  if (settings === null) return;
  const directory = settings.audit.directory;
  // With a trusted key an empty directory is a log that has disappeared: that is for the check to say.
  if (keys === null || !existsSync(directory)) usable(() => requireLog(directory));
  const loaded = loadPolicy(settings, { hashSeed: 0, generation: 1, nowMs });
  if (!('compiled' in loaded)) {
    printFaults(loaded.faults, flags.json ?? false);
    process.exitCode = 1;
    return;
  }
  const base = `evidence-${stamp(fromMs)}-${stamp(toMs)}`;
  const out = flags.out ?? OUT;
  if (toFiles) prepare(out, base);

  const unsealer = usable(() => unsealerOf(flags));
  const check = checkLog(directory, keys, checkpoints, unsealer);
  const { activity, unread } = readActivity(directory, fromMs, toMs, unsealer);
  const made = makeReport({
    version: VERSION,
    fromMs,
    toMs,
    nowMs,
    auditDirectory: directory,
    settings,
    groups: loaded.policy.groups,
    rules: loaded.rules,
    policyFiles: hashFiles(loaded),
    activity,
    check,
    hasKeys: keys !== null,
    checkpointCount: checkpoints.filter((line) => line.trim() !== '').length,
    unread,
    signer: signingKey?.publicKey ?? null,
  });
  if (!made.integrity.ok) process.exitCode = 1;
  if (toFiles) {
    const page = renderPage(made);
    const text = reportText(made, { file: `${base}.html`, sha256: sha256(page) });
    write(out, `${base}.html`, page);
    write(out, `${base}.json`, text);
    if (signingKey !== null) write(out, `${base}.json.sig`, sign(Buffer.from(text), signingKey));
  }
  if (flags.json) process.stdout.write(reportText(made, null));
  else {
    const endings = signingKey === null ? '.html and .json' : '.html, .json and .json.sig';
    console.log(plainText(`${join(out, base)}${endings}`));
    console.log(
      `queries ${made.summary.queries}, denied ${made.summary.denied}, alarms ${made.summary.alarms}, first-seen destinations ${made.firstSeen.destinations}`,
    );
    if (!made.integrity.ok) console.log('The log is NOT whole; the report says where.');
  }
}

function checkLog(
  directory: string,
  keys: ReadonlyMap<number, string> | null,
  checkpoints: readonly string[],
  unsealer: Unsealer | null,
): AuditReport {
  const progress = new Progress(directory);
  const check = verifyAudit(directory, {
    ...(keys === null ? {} : { keys }),
    checkpoints,
    ...(unsealer === null ? {} : { unsealer }),
    onSegment: (file) => progress.step(file),
  });
  progress.end();
  return check;
}

/** Reads the log once, from its beginning: what is new in the period is new against all before it. */
function readActivity(
  directory: string,
  fromMs: number,
  toMs: number,
  unsealer: Unsealer | null,
): { activity: Activity; unread: string | null } {
  const activity = new Activity(fromMs);
  if (segmentNames(directory).length === 0) return { activity, unread: null };
  const progress = new Progress(directory);
  let at = '';
  try {
    const step = (file: string): void => {
      at = file;
      progress.step(file);
    };
    const filter = { untilMs: toMs, notes: 'also' } as const;
    for (const found of readRecords(directory, filter, step, unsealer)) activity.add(found);
    return { activity, unread: null };
  } catch (error) {
    // A segment that cannot be read ends the reading; what was read is reported, and that it is not all.
    return { activity, unread: `${at}: ${error instanceof Error ? error.message : String(error)}` };
  } finally {
    progress.end();
  }
}

const hashFiles = ({ files, lists }: LoadedPolicy): { file: string; sha256: string }[] =>
  [...new Set([...files, ...lists.map(({ file }) => file)])].map((file) => ({
    file,
    sha256: sha256(readFileSync(file)),
  }));

const sha256 = (octets: string | Uint8Array): string => createHash('sha256').update(octets).digest('hex');

/** `20261121T091011Z` */
const stamp = (atMs: number): string => `${new Date(atMs).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;

/** The directory is there, and nothing in it would be written over: a report that was signed stays what it was. */
function prepare(out: string, base: string): void {
  usable(() => mkdirSync(out, { recursive: true, mode: 0o700 }));
  if (!statSync(out).isDirectory()) throw new Unusable(`${out} is a file; give a directory to --out`);
  for (const ending of ['.html', '.json', '.json.sig']) {
    const file = join(out, `${base}${ending}`);
    if (existsSync(file)) throw new Unusable(`${file} is there already; give another --out, or move it away`);
  }
}

/** For the owner alone: the report may hold client addresses. */
const write = (out: string, name: string, content: string | Uint8Array): void =>
  writeFileSync(join(out, name), content, { flag: 'wx', mode: 0o600 });

const readUsable = <T>(file: string, read: (text: string) => T): T => {
  const text = usable(() => readFileSync(file, 'utf8'));
  try {
    return read(text);
  } catch (error) {
    throw new Unusable(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
};
