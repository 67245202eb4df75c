/** Flags that every command shares which reads settings, and reading them. */
import { type Command, Option } from 'commander';
import { type Fault, formatFaults, loadSettings, type Settings } from '../config/index.ts';

export interface SettingsFlags {
  readonly config?: string;
  readonly listen?: readonly string[];
  readonly http?: string;
  readonly policy?: readonly string[];
  readonly upstream?: readonly string[];
  readonly audit?: string;
  readonly workers?: string;
  readonly io?: string;
  readonly set?: readonly string[];
}

const gather = (value: string, before: readonly string[] = []): string[] => [...before, value];

/** Adds the flags to a command. */
export function withSettings(command: Command): Command {
  return command
    .option('-c, --config <file>', 'settings file (default: SALLYPORT_CONFIG, else ./sallyport.yaml)')
    .option('-l, --listen <address:port>', 'serve plain DNS here, UDP and TCP; may be repeated', gather)
    .option('--http <address:port>', 'serve metrics, health, explain and reload here')
    .option('-p, --policy <path>', 'policy file or directory; may be repeated', gather)
    .option('-u, --upstream <server>', 'server of the pool "default"; may be repeated', gather)
    .option('--audit <directory>', 'write the audit here')
    .option('--workers <n>', 'data threads, or "auto"')
    .addOption(new Option('--io <engine>', 'socket engine').choices(['auto', 'native', 'portable']))
    .option(
      '--set <path=value>',
      'any other setting, e.g. --set cache.memory=16MiB; may be repeated',
      gather,
    );
}

/** The settings, or null after every fault was printed and the exit code set. */
export function readSettings(flags: SettingsFlags, asJson = false): Settings | null {
  const overrides: Record<string, unknown> = {};
  if (flags.listen !== undefined) overrides['listen.addresses'] = flags.listen;
  if (flags.http !== undefined) overrides['http.listen'] = flags.http;
  if (flags.policy !== undefined) overrides['policies'] = flags.policy;
  if (flags.upstream !== undefined) overrides['upstreams.default.servers'] = flags.upstream;
  if (flags.audit !== undefined) overrides['audit.directory'] = flags.audit;
  if (flags.workers !== undefined)
    overrides['workers'] = /^\d+$/.test(flags.workers) ? Number(flags.workers) : flags.workers;
  if (flags.io !== undefined) overrides['io'] = flags.io;
  for (const setting of flags.set ?? []) {
    const equals = setting.indexOf('=');
    if (equals < 1) {
      console.error(`--set ${setting}: write it as path=value, for example --set cache.memory=16MiB`);
      process.exitCode = 2;
      return null;
    }
    overrides[setting.slice(0, equals)] = scalar(setting.slice(equals + 1));
  }
  const loaded = loadSettings({ file: flags.config, env: process.env, overrides });
  if ('settings' in loaded) return loaded.settings;
  printFaults(loaded.faults, asJson);
  process.exitCode = 1;
  return null;
}

/** Text of a flag as YAML would read it: numbers and booleans are not strings. */
function scalar(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^-?\d+$/.test(text) ? Number(text) : text;
}

export function printFaults(faults: readonly Fault[], asJson: boolean): void {
  if (asJson)
    console.log(
      JSON.stringify({ ok: !faults.some(({ severity }) => severity === 'fault'), faults }, null, 2),
    );
  else if (faults.length > 0) console.error(formatFaults(faults));
}
