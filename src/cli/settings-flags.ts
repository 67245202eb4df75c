/** Reading the settings with the flags that commands share. */
import { type Fault, formatFaults, loadSettings, type Settings } from '../config/index.ts';
import type { SettingsFlags } from './settings-options.ts';

export { type SettingsFlags, withSettings } from './settings-options.ts';

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
