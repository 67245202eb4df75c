/**
 * `sallyport verdicts` and `sallyport release`: what the tunnel detector of a running Sallyport holds, and ending it by
 * hand. Both ask its HTTP server, whose address and token stand in the settings.
 */
import { Command } from 'commander';
import { askServer, EXIT_NOTHING_HELD } from './ask-server.ts';
import type { SettingsFlags } from './settings-flags.ts';

interface Flags extends SettingsFlags {
  readonly json?: boolean;
  readonly client?: string;
  readonly zone?: string;
}

/** What of `GET /api/verdicts` is printed. */
interface Verdict {
  readonly client: string | null;
  readonly zone: string | null;
  readonly rule: string;
  readonly action: string;
  readonly group: string;
  readonly queriesBefore: number;
  readonly octetsBefore: number;
  readonly state: string;
  readonly bits: number;
  readonly limitBits: number;
  readonly since: string;
  readonly until: string;
  readonly evidence: readonly string[];
}

interface Released {
  readonly client: string | null;
  readonly zone: string | null;
}

export const verdictsCommand = (): Command =>
  asking(new Command('verdicts'))
    .description('list what the tunnel detector of a running Sallyport found, the newest first')
    .action(list);

export const releaseCommand = (): Command =>
  asking(new Command('release'))
    .description('end a verdict of the tunnel detector; exit 3 when nothing was held')
    .option('--client <address>', 'the client, as "sallyport verdicts" shows it')
    .option('--zone <name>', 'the zone, as "sallyport verdicts" shows it')
    .action(release);

function asking(command: Command): Command {
  return command
    .option('-c, --config <file>', 'settings file (default: SALLYPORT_CONFIG, else ./sallyport.yaml)')
    .option('--http <address:port>', 'where the running Sallyport serves HTTP (default: as in the settings)')
    .option('--json', 'as JSON');
}

async function list(flags: Flags): Promise<void> {
  const answer = await askServer(flags, '/api/verdicts', null);
  if (answer === null) return;
  const { verdicts } = answer.body as { verdicts: readonly Verdict[] };
  if (flags.json) console.log(JSON.stringify(verdicts, null, 2));
  else
    console.log(verdicts.length === 0 ? 'No verdicts since the start.' : verdicts.map(describe).join('\n'));
}

async function release(flags: Flags): Promise<void> {
  const { client, zone } = flags;
  if (client === undefined && zone === undefined) {
    console.error('what is to be released? Write --client 192.0.2.7, --zone example.com, or both');
    process.exitCode = 2;
    return;
  }
  const answer = await askServer(flags, '/api/release', { client, zone });
  if (answer === null) return;
  const { released, stillHeld } = answer.body as Record<'released' | 'stillHeld', readonly Released[]>;
  if (flags.json) console.log(JSON.stringify(answer.body, null, 2));
  else {
    for (const one of released) console.log(`released    ${whom(one)}`);
    for (const one of stillHeld) console.log(`still held  ${whom(one)}; release it by itself`);
  }
  if (released.length === 0) process.exitCode = EXIT_NOTHING_HELD;
}

const whom = ({ client, zone }: Released): string => `${client ?? 'every client'} → ${zone ?? 'every zone'}`;

/** What each action does, for people. */
const DOES: Readonly<Record<string, string>> = {
  alert: 'nothing is denied',
  throttle: 'a few new names a minute pass',
  block: 'its names are denied',
  'block-all': 'its names are denied to every client',
  quarantine: 'the client gets local names and names of exact rules',
};

/** An hour before the verdict is what most of them were counted over. */
const searchOf = ({ client, zone, since }: Verdict): string =>
  [
    ...(zone === null ? [] : [`--name '+.${zone}'`]),
    ...(client === null || client.includes('/') || client.startsWith('(') ? [] : [`--client ${client}`]),
    `--since ${new Date(Date.parse(since) - 3_600_000).toISOString()}`,
  ].join(' ');

const releaseOf = ({ client, zone }: Verdict): string =>
  [...(client === null ? [] : [`--client ${client}`]), ...(zone === null ? [] : [`--zone ${zone}`])].join(
    ' ',
  );

function describe(verdict: Verdict): string {
  const { rule, action, group, state, bits, limitBits, since, until, evidence } = verdict;
  const { queriesBefore, octetsBefore } = verdict;
  const unit = rule === 'download' ? 'octets' : 'bits';
  return [
    `${state.padEnd(8)}  ${whom(verdict)}  ${rule}: ${bits} ${unit} of ${limitBits}`,
    `          ${DOES[action] ?? action}, by what group ${group} says of tunnels`,
    `          since ${since}, until ${until}; ${queriesBefore} names of ${octetsBefore} octets had left before`,
    ...evidence.map((sentence) => `          ${sentence}`),
    `          its queries  sallyport audit query ${searchOf(verdict)}`,
    ...(state === 'held' ? [`          to end it    sallyport release ${releaseOf(verdict)}`] : []),
  ].join('\n');
}
