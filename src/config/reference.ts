/** What is published of the schemas: JSON Schema for editors and reference pages for people, made from the same lines. */
import { leafPaths, variableName } from './environment.ts';
import type { Path } from './fault.ts';
import { PolicyDocument } from './policy-document.ts';
import { type JsonSchema, jsonSchema } from './schema-keys.ts';
import { Settings } from './settings.ts';

/** Files by path relative to the top of the repository. */
export function publishedFiles(): ReadonlyMap<string, string> {
  const settings = jsonSchema(Settings);
  const policy = jsonSchema(PolicyDocument);
  return new Map([
    ['schema/sallyport.schema.json', `${JSON.stringify(settings, null, 2)}\n`],
    ['schema/policy.schema.json', `${JSON.stringify(policy, null, 2)}\n`],
    ['docs/settings.md', settingsPage(settings)],
    ['docs/policy.md', policyPage(policy)],
  ]);
}

const MADE = '<!-- Made by `npm run generate` from the schemas in src/config; do not edit. -->';

function settingsPage(schema: JsonSchema): string {
  const sections = Object.entries(schema.properties ?? {});
  const single = sections.filter(([, inner]) => inner.type !== 'object' && inner.items?.oneOf === undefined);
  const kinds = sections.filter(([, inner]) => inner.items?.oneOf !== undefined);
  const parts = sections.filter(([, inner]) => inner.type === 'object');
  return (
    [
      MADE,
      '# Settings',
      SETTINGS_PROSE,
      table(
        ['setting', 'value', 'default', 'meaning'],
        single.map(([key, inner]) => settingRow([key], inner)),
      ),
      ...parts.flatMap(([key, inner]) => [
        `## ${key}`,
        describe(inner),
        table(
          ['setting', 'value', 'default', 'meaning'],
          leafPaths(inner, []).flatMap((path) => settingRows(path, schemaAt(inner, path))),
        ),
      ]),
      ...kinds.flatMap(([key, inner]) => [
        `## ${key}`,
        `${describe(inner)} A list; what an entry may hold depends on its \`type\`. Lists of this kind stand in the file only.`,
        ...(inner.items?.oneOf ?? []).flatMap((kind) => [
          `### ${String(kind.properties?.['type']?.const)}`,
          fields(kind),
        ]),
      ]),
      '## Variables',
      'A variable overrides the file, a flag overrides the variable. Lists are separated by commas; `<POOL>` is the name of a pool in upper case, with `_` for `-`. `SALLYPORT_CONFIG` is the path of the settings file. Variables that Kubernetes makes for services (`SALLYPORT_SERVICE_HOST` and the like) are left alone; any other that begins with `SALLYPORT_` is a fault, because a misspelt one would otherwise be ignored.',
      table(
        ['variable', 'setting'],
        leafPaths(schema, [])
          .filter((path) => !isListOfObjects(schemaAt(schema, path)))
          .map((path) => [code(variableName(path)), code(dotted(path))]),
      ),
    ].join('\n\n') + '\n'
  );
}

const SETTINGS_PROSE = `Settings stand in one YAML file, \`sallyport.yaml\` in the working directory unless \`--config\` or \`SALLYPORT_CONFIG\` names another. Every
setting has a default, so an empty file is a valid one. \`sallyport check\` shows every fault at once, each with its line and what to write instead.
Settings are read at start; a reload (SIGHUP, \`POST /reload\`) reads policies, their lists and certificates again.

- Times are written with a unit: \`250ms\`, \`30s\`, \`5m\`, \`1h\`, \`7d\`. Sizes too: \`512KiB\`, \`64MiB\`, \`1GiB\` (powers of 1024) or \`kB\`, \`MB\`, \`GB\` (powers of 1000).
- Paths in the file are relative to the file, paths in variables and flags to the working directory.
- Addresses carry their port; IPv6 stands in brackets: \`[::1]:1053\`.
- Editors check the file while you write when it opens with \`# yaml-language-server: $schema=schema/sallyport.schema.json\`.`;

const settingRow = (path: Path, schema: JsonSchema): string[] => [
  code(dotted(path)),
  valueText(schema),
  schema.default === undefined ? '' : code(JSON.stringify(schema.default)),
  describe(schema),
];

/** A setting; for a list of mappings, the keys of its entries as well. */
const settingRows = (path: Path, schema: JsonSchema): string[][] => [
  settingRow(path, schema),
  ...Object.entries(schema.items?.properties ?? {}).map(([key, inner]) =>
    settingRow([...path.slice(0, -1), `${path.at(-1)}[]`, key], inner),
  ),
];

/** Such lists stand in the file only: no variable could hold one. */
const isListOfObjects = ({ items }: JsonSchema): boolean =>
  items?.type === 'object' || items?.oneOf !== undefined;

function schemaAt(schema: JsonSchema, path: Path): JsonSchema {
  return path.reduce<JsonSchema>(
    (inner, step) =>
      step === '*' ? inner.additionalProperties || inner : (inner.properties?.[step] ?? inner),
    schema,
  );
}

function policyPage(schema: JsonSchema): string {
  const { sets, groups, local, via } = schema.properties ?? {};
  const set = sets?.additionalProperties || {};
  const rule = (key: string): JsonSchema => (set.properties?.[key]?.items?.anyOf ?? []).find(isMapping) ?? {};
  const part = (title: string, prose: string, inner: JsonSchema): string[] => [title, prose, fields(inner)];
  return (
    [
      MADE,
      '# Policies',
      POLICY_PROSE,
      fields(schema),
      ...part('## sets', SETS_PROSE, set),
      ...part('### allow', 'A bare name is a rule of its own: `- registry.npmjs.org`.', rule('allow')),
      ...part('### deny', 'Deny rules beat allow rules, however specific those are.', rule('deny')),
      ...part('### lists', LISTS_PROSE, set.properties?.['lists']?.items ?? {}),
      ...part(
        '### processor',
        'Who processes personal data behind the name. A set may give it for all of its rules.',
        set.properties?.['processor'] ?? {},
      ),
      ...part('## groups', GROUPS_PROSE, groups?.additionalProperties || {}),
      ...part('## local', LOCAL_PROSE, local?.items ?? {}),
      ...part('## via', VIA_PROSE, via?.items ?? {}),
      '## What `sallyport check` says',
      CHECK_PROSE,
    ].join('\n\n') + '\n'
  );
}

const isMapping = (schema: JsonSchema): boolean => schema.type === 'object';

const POLICY_PROSE = `A policy says who may ask which names, and why. It is one or more YAML files, joined; a set or group stands in one of them only. What no rule
allows is denied.

| pattern | covers |
| --- | --- |
| \`example.com\` | that name only |
| \`*.example.com\` | everything below it at any depth, not the name itself |
| \`+.example.com\` | both |

Case does not matter. Names in other scripts (\`bücher.example\`) are converted to A-labels as browsers do (UTS 46, non-transitional). A star anywhere else is a
fault. So is a wildcard at or above a public suffix (\`*.com\`, \`*.co.uk\`): anybody can register a name below it. A wildcard on a suffix that a
company shares among its customers (\`*.github.io\`, \`*.s3.amazonaws.com\`, also \`*.eu-central-1.amazonaws.com\` above it) is a warning, and the tunnel detector watches it with its strict profile.

Editors check a policy while you write when it opens with \`# yaml-language-server: $schema=../schema/policy.schema.json\`.`;

const SETS_PROSE = `A set is a list of rules under a name. Every rule needs a \`reason\`, its own or that of its set: it stands in the audit, and a denied client sees it as
an extended DNS error. What a set gives besides (\`owner\`, \`ticket\`, \`processor\`, \`expires\`) holds for rules that give none.

\`\`\`yaml
sets:
  packages:
    reason: Builds install packages from the public registries.
    owner: platform@example.com
    allow:
      - registry.npmjs.org
      - name: mirror.example.com
        reason: Until the new mirror is up.
        expires: 2027-03-31
    deny:
      - name: +.exfil.example.net
        reason: Known destination of stolen data.
\`\`\`

When several rules match: a denial beats an allowance; among equals the most specific pattern wins, then the earlier set. \`sallyport explain NAME\` shows
the contest.`;

const LISTS_PROSE = `A list is a text file of names, plain or compressed with gzip, up to millions of lines. A line that cannot be read is reported and left out; a file in
which hardly a line can be read is a fault.

Of a response policy zone the names are read: \`CNAME .\` denies with NXDOMAIN, \`CNAME *.\` with NODATA, \`rpz-drop.\` with silence, data of its own with
what the group chooses; \`rpz-passthru.\` takes a name out of that zone, and in an allow list it is the names that are allowed. Each zone speaks for itself:
what one lets pass another may deny. So default deny is not a zone with \`* CNAME .\` here, it is what no rule allows. Triggers on addresses and name
servers are counted in a warning and left out.`;

const GROUPS_PROSE = `A group joins clients and sets. The longest prefix over all groups wins; the same prefix in two groups is a fault. A client that no group has is
refused. Begin in a network you do not know with \`mode: observe\`: everything is answered, and the audit says what would have been denied.`;

const LOCAL_PROSE = `Zones that Sallyport answers itself, without an upstream. A zone without SOA gets one.

\`\`\`yaml
local:
  - zone: corp.test
    records:
      - '@ MX 10 mail'
      - 'mail 300 A 192.0.2.25'
      - '*.apps CNAME ingress'
\`\`\``;

const VIA_PROSE = `Which upstream pool a name is asked at; the longest suffix wins, all else goes to the pool \`default\`. Pools stand in the settings. A route allows
nothing: a rule must.`;

const CHECK_PROSE = `Each line has the file, line and column, the path in the document, what is wrong and what to write instead.

| severity | for example |
| --- | --- |
| fault: the policy does not go into force, a running one stays | unknown keys, sets, groups or pools; a name with a port, a path or a star in the middle; a prefix with bits set behind it; a date that does not exist; a rule without reason; a wildcard at or above a public suffix |
| warning | a rule that has expired; a wildcard on a shared suffix; a set that no group uses; a route that no rule opens; a name both allowed and denied |
| notice | a rule that ends within 14 days; a group without sets; a name that was converted to A-labels |`;

function fields(schema: JsonSchema): string {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([key, inner]) => [
    code(key),
    valueText(inner),
    required.has(key) ? 'required' : plainDefault(inner),
    describe(inner),
  ]);
  return table(['key', 'value', 'default', 'meaning'], rows);
}

const plainDefault = (schema: JsonSchema): string =>
  schema.default === undefined ||
  JSON.stringify(schema.default) === '{}' ||
  JSON.stringify(schema.default) === '[]'
    ? ''
    : code(JSON.stringify(schema.default));

/** A description as Markdown: stars and angle brackets outside of code would be read as markup. */
const describe = (schema: JsonSchema): string =>
  (schema.description ?? '').replace(/(`[^`]*`)|([*<])/g, (_, quoted, mark) => quoted ?? `\\${mark}`);

const KIND_WORDS: readonly [RegExp, string][] = [
  [/ms\|s\|m\|h\|d/, 'time'],
  [/KiB\|MiB/, 'size'],
];

/** What may be written, in a few words. */
function valueText(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => code(String(value))).join(', ');
  if (schema.const !== undefined) return code(String(schema.const));
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(valueText))].join(' or ');
  if (schema.type === 'array') return `list of ${valueText(schema.items ?? {})}`;
  if (schema.type === 'object') return 'mapping';
  if (schema.type === 'boolean') return '`true`, `false`';
  if (schema.type === 'integer' || schema.type === 'number') return numberText(schema);
  if (schema.format === 'ipv4' || schema.format === 'ipv6') return 'address';
  return KIND_WORDS.find(([pattern]) => pattern.test(schema.pattern ?? ''))?.[1] ?? 'text';
}

const numberText = ({ minimum, maximum }: JsonSchema): string =>
  minimum === undefined || maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER
    ? 'number'
    : `${minimum} to ${maximum}`;

const dotted = (path: Path): string => path.map((step) => (step === '*' ? '<pool>' : String(step))).join('.');

const code = (text: string): string => `\`${text}\``;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
