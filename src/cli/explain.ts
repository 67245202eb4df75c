/** `sallyport explain`: which rules competed for a name, which won, and what the client would get. */
import { Command } from 'commander';
import { type ExplainedContest, type ExplainedRule, explain } from '../explain.ts';
import { loadPolicy } from '../policy-loading.ts';
import { printFaults, readSettings, type SettingsFlags, withSettings } from './settings-flags.ts';

interface Flags extends SettingsFlags {
  readonly type: string;
  readonly client: string;
  readonly at?: string;
  readonly json?: boolean;
}

export function explainCommand(): Command {
  return withSettings(new Command('explain'))
    .description('say what a client would get for a name, and why; exit 3 when it is denied')
    .argument('<name>', 'the name that is asked')
    .option('-t, --type <type>', 'query type', 'A')
    .option('--client <address>', 'address of the client', '127.0.0.1')
    .option('--at <time>', 'judge as of this time (ISO 8601)')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Examples:
  sallyport explain registry.npmjs.org
  sallyport explain www.example.com --type TXT --client 10.20.0.7
  sallyport explain old.example.com --at 2027-03-31T00:00:00Z

This judges the policy files as they are now. What a running Sallyport has in force says
curl 'http://127.0.0.1:8053/explain?name=…'; what its tunnel detector holds, "sallyport verdicts".`,
    )
    .action(explainName);
}

/** Denied, as opposed to a mistake in the arguments (2) or a faulty policy (1). */
const EXIT_DENIED = 3;

function explainName(name: string, flags: Flags): void {
  const settings = readSettings(flags, flags.json);
  if (settings === null) return;
  const nowMs = flags.at === undefined ? Date.now() : Date.parse(flags.at);
  if (Number.isNaN(nowMs)) {
    console.error(`"${flags.at}" is not a time; write for example 2026-12-31T00:00:00Z`);
    process.exitCode = 2;
    return;
  }
  const loaded = loadPolicy(settings, { hashSeed: 0, generation: 1, nowMs });
  if (!('compiled' in loaded)) {
    printFaults(loaded.faults, flags.json ?? false);
    process.exitCode = 1;
    return;
  }
  const contest = explain(loaded.policy, 0, { name, type: flags.type, client: flags.client }, nowMs);
  if ('fault' in contest) {
    console.error(contest.fault);
    process.exitCode = 2;
    return;
  }
  console.log(flags.json ? JSON.stringify(contest, null, 2) : describe(contest));
  const isDenied = contest.verdict === 'refuse' || (contest.verdict === 'deny' && !contest.observed);
  if (isDenied) process.exitCode = EXIT_DENIED;
}

function describe(contest: ExplainedContest): string {
  const { rule, cause } = contest;
  const lines = [
    `${contest.name} ${contest.type} asked by ${contest.client}`,
    `  group      ${contest.group ?? 'none: no group has this address'}${contest.mode === 'observe' ? ' (observe)' : ''}`,
    `  verdict    ${contest.verdict.toUpperCase()}${cause === null ? '' : ` (${cause})`}${contest.observed ? ', observed only' : ''}`,
    `  response   ${contest.response}`,
  ];
  if (rule !== null)
    lines.push(`  rule       ${rule.id} at ${rule.file}:${rule.line}`, `  reason     ${rule.reason}`);
  if (rule?.expires) lines.push(`  expires    ${rule.expires}`);
  if (rule?.owner) lines.push(`  owner      ${rule.owner}`);
  if (contest.contestants.length === 0) {
    if (contest.group !== null && contest.verdict !== 'local')
      lines.push('', 'No rule of this group mentions the name.');
    return lines.join('\n');
  }
  lines.push('', 'Rules that spoke:');
  for (const { rule: one, pattern, outcome, why } of contest.contestants) {
    lines.push(
      `  ${outcome === 'won' ? '✔' : '✘'} ${one.action} ${pattern}  ${placeOf(one)}`,
      `      ${why}`,
    );
  }
  return lines.join('\n');
}

const placeOf = ({ id, file, line }: ExplainedRule): string => `${id} (${file}:${line})`;
