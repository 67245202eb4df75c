/**
 * Reads the settings: the file, over it SALLYPORT_* variables, over them flags. Every fault of all three is gathered;
 * with one of them nothing starts.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Override, type OverrideFault, readEnvironment, readFlags } from './environment.ts';
import { type Fault, type Path, pathText, sortFaults } from './fault.ts';
import { jsonSchema, keysAt } from './schema-keys.ts';
import { Settings } from './settings.ts';
import { shapeFaults, valueAt } from './shape-faults.ts';
import { plain, readYaml, type YamlSource } from './yaml-source.ts';

const SETTINGS_FILE = 'sallyport.yaml';

export interface SettingsRequest {
  /** File to read; it must exist. Without it: SALLYPORT_CONFIG, else `sallyport.yaml` if there is one. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Flags by dotted path, e.g. `{'cache.memory': '16MiB', 'listen.addresses': ['127.0.0.1:0']}`. */
  readonly overrides?: Readonly<Record<string, unknown>> | undefined;
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** File that was read, or null: defaults, variables and flags only. */
  readonly file: string | null;
}

/** Settings, or all faults. Paths in the file are relative to the file, others to the working directory. */
export function loadSettings(
  request: SettingsRequest,
): LoadedSettings | { readonly faults: readonly Fault[] } {
  const { source, file } = readSettingsFile(request);
  const fromEnvironment = readEnvironment(request.env, SCHEMA);
  const fromFlags = readFlags(request.overrides ?? {}, SCHEMA);
  const faults: Fault[] = [
    ...source.faults,
    ...[...fromEnvironment.faults, ...fromFlags.faults].map((fault) => overrideFault(fault, [])),
  ];

  const overrides = [...fromEnvironment.overrides, ...fromFlags.overrides];
  const written = isMapping(source.value) ? structuredClone(source.value) : source.value;
  if (isMapping(written)) for (const override of overrides) assign(written, override);

  const parsed = Settings.safeParse(written);
  if (!parsed.success) {
    for (const found of shapeFaults(parsed.error.issues, written, (path) => keysAt(SCHEMA, path, written))) {
      const override = overrides.findLast(({ path }) => startsWith(found.path, path));
      faults.push(
        override === undefined
          ? source.fault('fault', found.path, found.what, found.instead, found.inKey ? 'key' : 'value')
          : overrideFault({ origin: override.origin, what: found.what, instead: found.instead }, found.path),
      );
    }
  }
  if (!parsed.success || faults.length > 0) return { faults: sortFaults(faults) };
  return { settings: resolvePaths(parsed.data, file, overrides), file };
}

const SCHEMA = jsonSchema(Settings);

function readSettingsFile(request: SettingsRequest): { source: YamlSource; file: string | null } {
  const named = request.file ?? request.env['SALLYPORT_CONFIG'];
  const file = named ?? SETTINGS_FILE;
  if (file === '') {
    const origin = request.file === undefined ? 'SALLYPORT_CONFIG' : '--config';
    const unread = plain(origin, []);
    const instead = 'write the path of a settings file, or leave it out';
    return { source: plain(origin, [unread.fault('fault', [], 'the path is empty', instead)]), file };
  }
  try {
    return { source: readYaml(file, readFileSync(file, 'utf8')), file };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (named === undefined && code === 'ENOENT') return { source: plain(file, []), file: null };
    const what = code === 'ENOENT' ? 'there is no such file' : `the file cannot be read (${code})`;
    const unread = plain(file, []);
    const instead = 'write the path of a settings file, for example sallyport.yaml';
    return { source: plain(file, [unread.fault('fault', [], what, instead)]), file };
  }
}

const overrideFault = (fault: OverrideFault, path: Path): Fault => ({
  severity: 'fault',
  file: fault.origin,
  line: 0,
  column: 0,
  path: pathText(path),
  what: fault.what,
  instead: fault.instead,
  excerpt: null,
});

type Mapping = Record<string, unknown>;

const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Puts a value where its path says. What stands in the way and is no mapping stays, and is a fault of the schema. */
function assign(root: Mapping, override: Override): void {
  let current = root;
  for (const step of override.path.slice(0, -1)) {
    if (!Object.hasOwn(current, step)) current[step] = {};
    const next = current[step];
    if (!isMapping(next)) return;
    current = next;
  }
  current[override.path.at(-1) ?? ''] = override.value;
}

const startsWith = (path: Path, beginning: Path): boolean =>
  beginning.every((step, index) => path[index] === step) && path.length >= beginning.length;

/** Settings that are paths of files or directories; `*` is every key or place of a list. */
const FILE_SETTINGS: readonly Path[] = [
  ['listen', 'tls', 'certificate'],
  ['listen', 'tls', 'key'],
  ['listen', 'tls', 'clientCa'],
  ['listen', 'https', 'certificate'],
  ['listen', 'https', 'key'],
  ['listen', 'https', 'clientCa'],
  ['http', 'tokenFile'],
  ['policies'],
  ['upstreams', '*', 'caFile'],
  ['audit', 'directory'],
  ['audit', 'pseudonymKeyFile'],
  ['audit', 'pseudonyms', 'directory'],
  ['audit', 'encryptTo'],
  ['audit', 'checkpoints', '*', 'file'],
  ['audit', 'checkpoints', '*', 'caFile'],
  ['audit', 'checkpoints', '*', 'tokenFile'],
  ['ship', '*', 'socket'],
  ['ship', '*', 'caFile'],
  ['ship', '*', 'certificate'],
  ['ship', '*', 'key'],
  ['ship', '*', 'password', 'file'],
  ['ship', '*', 'sasl', 'password', 'file'],
  ['ship', '*', 'headers', '*', 'file'],
  ['detect', 'stateDirectory'],
];

function resolvePaths(settings: Settings, file: string | null, overrides: readonly Override[]): Settings {
  const besideFile = file === null ? process.cwd() : dirname(resolve(file));
  for (const path of FILE_SETTINGS.flatMap((pattern) => pathsOf(settings, pattern))) {
    const value = valueAt(settings, path);
    if (value === undefined) continue;
    const isOverridden = overrides.some((override) => startsWith(path, override.path));
    const base = isOverridden ? process.cwd() : besideFile;
    const resolved = Array.isArray(value)
      ? value.map((one) => (isPem(one) ? String(one) : resolve(base, String(one))))
      : resolve(base, String(value));
    (valueAt(settings, path.slice(0, -1)) as Mapping)[String(path.at(-1))] = resolved;
  }
  return settings;
}

/** The paths that a pattern with `*` stands for. */
function pathsOf(settings: Settings, pattern: Path): Path[] {
  const at = pattern.indexOf('*');
  if (at === -1) return [pattern];
  const inner = valueAt(settings, pattern.slice(0, at));
  if (typeof inner !== 'object' || inner === null) return [];
  return Object.keys(inner).flatMap((key) =>
    pathsOf(settings, [...pattern.slice(0, at), key, ...pattern.slice(at + 1)]),
  );
}

/** A key may stand in the settings itself where a path may. */
const isPem = (value: unknown): boolean => String(value).includes('-----BEGIN');
