/** Flags that every command shares which reads settings: apart from their reading, which loads much more. */
import { type Command, Option } from 'commander';

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
