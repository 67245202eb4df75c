/**
 * Settings from variables and flags. `cache.serveStale.enabled` is SALLYPORT_CACHE_SERVE_STALE_ENABLED; the name of a
 * pool stands in upper case with `_` for `-`; lists are separated by commas.
 */
import { nearestWord, type Path, pathText } from './fault.ts';
import { type JsonSchema, schemasAt } from './schema-keys.ts';

const PREFIX = 'SALLYPORT_';
/** Variables that are not settings: SALLYPORT_CONFIG names the file itself. */
const OTHERS = new Set(['SALLYPORT_CONFIG']);
/**
 * Kubernetes and Docker put the addresses of services into every pod: a service named `sallyport` or `sallyport-http` gives
 * SALLYPORT_SERVICE_HOST, SALLYPORT_PORT_53_UDP_ADDR, SALLYPORT_HTTP_PORT and more. They are nobody's misspelling.
 */
const OF_SERVICES =
  /^SALLYPORT_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

export interface Override {
  /** Variable or flag, for faults. */
  readonly origin: string;
  readonly path: Path;
  readonly value: unknown;
}

export interface OverrideFault {
  readonly origin: string;
  readonly what: string;
  readonly instead: string;
}

export interface Overrides {
  readonly overrides: readonly Override[];
  readonly faults: readonly OverrideFault[];
}

/** Every SALLYPORT_* variable as a path and a value, or what is wrong with its name. */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  schema: JsonSchema,
): Overrides {
  const leaves = leafPaths(schema, []);
  const overrides: Override[] = [];
  const faults: OverrideFault[] = [];
  for (const [name, text] of Object.entries(env).sort()) {
    if (!name.startsWith(PREFIX) || OTHERS.has(name) || OF_SERVICES.test(name) || text === undefined)
      continue;
    const path = leaves.map((leaf) => matchName(name, leaf)).find((found) => found !== null);
    if (path === undefined || path === null) {
      const near = nearestWord(name, [...leaves.map(variableName), ...OTHERS]);
      const instead = near === null ? 'see docs/settings.md for the variables' : `write ${near}`;
      faults.push({ origin: name, what: `there is no setting behind ${name}`, instead });
    } else {
      overrides.push({ origin: name, path, value: coerce(text, schemasAt(schema, path)) });
    }
  }
  return { overrides, faults };
}

/** Flags by dotted path (`cache.memory`, `upstreams.default.servers`); text is read as in variables. */
export function readFlags(flags: Readonly<Record<string, unknown>>, schema: JsonSchema): Overrides {
  const overrides: Override[] = [];
  const faults: OverrideFault[] = [];
  for (const [name, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    const path = name.split('.');
    const schemas = schemasAt(schema, path);
    if (schemas.length === 0) {
      const near = nearestWord(name, leafPaths(schema, []).map(pathText));
      const instead = near === null ? 'see docs/settings.md for the settings' : `write ${near}`;
      faults.push({ origin: name, what: `there is no setting "${name}"`, instead });
    } else {
      overrides.push({
        origin: name,
        path,
        value: typeof value === 'string' ? coerce(value, schemas) : value,
      });
    }
  }
  return { overrides, faults };
}

/** Variable of a setting; a free name stands as `<POOL>`. */
export const variableName = (path: Path): string =>
  PREFIX + path.map((step) => (step === ANY ? '<POOL>' : upperSnake(String(step)))).join('_');

const ANY = '*';

/** Paths of all settings that are not mappings. A step `*` stands for a free name. */
export function leafPaths(schema: JsonSchema, above: Path): Path[] {
  const free = schema.additionalProperties ? leafPaths(schema.additionalProperties, [...above, ANY]) : [];
  const named = Object.entries(schema.properties ?? {}).flatMap(([key, inner]) =>
    leafPaths(inner, [...above, key]),
  );
  return schema.type === 'object' ? [...named, ...free] : [above];
}

function matchName(name: string, leaf: Path): Path | null {
  const free = leaf.indexOf(ANY);
  if (free === -1) return name === variableName(leaf) ? leaf : null;
  const [before, after] = variableName(leaf).split('<POOL>');
  if (!name.startsWith(before) || !name.endsWith(after) || name.length <= before.length + after.length)
    return null;
  const middle = name.slice(before.length, name.length - after.length);
  return leaf.map((step, index) => (index === free ? middle.toLowerCase().replaceAll('_', '-') : step));
}

const upperSnake = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

/** Text as the kind of value that the setting takes; what does not fit stays text and is refused by the schema. */
function coerce(text: string, schemas: readonly JsonSchema[]): unknown {
  const kinds = new Set(schemas.map((schema) => schema.type));
  if (kinds.has('array'))
    return text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  if (kinds.has('boolean') && /^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  if ((kinds.has('integer') || kinds.has('number')) && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  return text;
}
