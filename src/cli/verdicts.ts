/**
 * `sallyport verdicts` and `sallyport release`: what the tunnel detector of a running Sallyport holds, and ending it by
 * hand. Both ask its HTTP server, whose address and token stand in the settings.
 */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { Settings } from '../config/index.ts';
import { readSettings, type SettingsFlags } from './settings-flags.ts';

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

/** Nothing was held, as opposed to a mistake in the arguments (2) or a server that cannot be asked (1). */
const EXIT_NOTHING_HELD = 3;
const TIMEOUT_MS = 5000;

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
  const answer = await ask(flags, '/api/verdicts', null);
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
  const answer = await ask(flags, '/api/release', { client, zone });
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

function describe(verdict: Verdict): string {
  const { rule, state, bits, limitBits, since, until, evidence } = verdict;
  const unit = rule === 'download' ? 'octets' : 'bits';
  return [
    `${state.padEnd(8)}  ${whom(verdict)}  ${rule}: ${bits} ${unit} of ${limitBits}`,
    `          since ${since}, until ${until}`,
    ...evidence.map((sentence) => `          ${sentence}`),
  ].join('\n');
}

/** The answer as JSON; null after what went wrong was printed and the exit code set. */
async function ask(flags: Flags, path: string, body: object | null): Promise<{ body: unknown } | null> {
  const settings = readSettings(flags, flags.json);
  if (settings === null) return null;
  const server = serverOf(settings);
  const fail = (why: string, exitCode = 1): null => {
    console.error(why);
    process.exitCode = exitCode;
    return null;
  };
  if (!settings.http.enabled)
    return fail('HTTP is switched off in the settings (http.enabled), so nobody can be asked; switch it on');
  let token: string | null;
  try {
    token = readToken(settings);
  } catch (error) {
    return fail(`the token cannot be read (http.tokenFile): ${(error as Error).message}`);
  }
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(`${server}${path}`, {
      method: body === null ? 'GET' : 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === null ? {} : { body: JSON.stringify(body) }),
    });
    answer = await response.json();
  } catch (error) {
    const { cause, message } = error as Error;
    const why = cause instanceof Error ? cause.message : message;
    return fail(`no Sallyport answers at ${server} (${why}); is it running? Name its address with --http`);
  }
  if (response.ok) return { body: answer };
  const { error = 'no reason given' } = (answer ?? {}) as { error?: string };
  if (response.status === 401)
    return fail(
      `${server} asks for another token: set http.token or http.tokenFile as in the server's settings`,
    );
  if (response.status === 404) return fail(error, EXIT_NOTHING_HELD);
  return fail(
    response.status === 400 ? error : `${server}: ${response.status}, ${error}`,
    response.status === 400 ? 2 : 1,
  );
}

/** Whoever listens everywhere is asked on loopback. */
function serverOf({ http }: Settings): string {
  const { host, port } = http.listen;
  const asked = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${asked.includes(':') ? `[${asked}]` : asked}:${port}`;
}

function readToken({ http }: Settings): string | null {
  if (http.tokenFile !== undefined) return readFileSync(http.tokenFile, 'utf8').trim();
  return http.token ?? null;
}
