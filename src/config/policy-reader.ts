/**
 * One policy file: its shape by zod, then everything that needs a second look at the text, so that all faults of the
 * file are known at once. A part with a broken field is looked at without that field.
 */
import type { DenyResponse } from '../policy/index.ts';
import { type Prefix, readPrefix } from './address.ts';
import type { Fault, Path } from './fault.ts';
import { readName } from './pattern.ts';
import { Group, LocalZone, PolicyDocument, Route } from './policy-document.ts';
import { Report, readDenyAnswer, salvage } from './policy-parts.ts';
import { type LocatedSet, readSet } from './rule-reader.ts';
import { type JsonSchema, jsonSchema, keysAt } from './schema-keys.ts';
import { shapeFaults, valueAt } from './shape-faults.ts';
import type { YamlSource } from './yaml-source.ts';

export interface LocatedGroup {
  readonly name: string;
  readonly source: YamlSource;
  readonly path: Path;
  readonly group: Group;
  readonly answer: DenyResponse;
  /** Those that could be read, each with its place in `clients`. */
  readonly clients: readonly { readonly prefix: Prefix; readonly path: Path; readonly text: string }[];
}

export interface LocatedZone {
  readonly source: YamlSource;
  readonly path: Path;
  /** Canonical name of the apex. */
  readonly zone: Uint8Array;
  readonly text: string;
  readonly records: readonly string[];
  readonly ttlSeconds: number;
  readonly groups: readonly string[] | null;
}

export interface LocatedRoute {
  readonly source: YamlSource;
  readonly path: Path;
  readonly suffix: Uint8Array;
  readonly text: string;
  readonly pool: string;
}

/** What one file gives; the parts that could be read, and every fault found so far. */
export interface PolicyPart {
  readonly source: YamlSource;
  readonly sets: readonly LocatedSet[];
  readonly groups: readonly LocatedGroup[];
  readonly zones: readonly LocatedZone[];
  readonly routes: readonly LocatedRoute[];
  readonly faults: readonly Fault[];
}

/** Made for the first fault: most policies have none. */
let policySchema: JsonSchema | null = null;
function schemaOfPolicy(): JsonSchema {
  policySchema ??= jsonSchema(PolicyDocument);
  return policySchema;
}

/** Reads one file; `nowMs` (since 1970) tells what has expired, `directory` where its list files are. */
export function readPolicy(source: YamlSource, directory: string, nowMs: number): PolicyPart {
  const report = new Report(source);
  if (source.faults.length > 0)
    return { source, sets: [], groups: [], zones: [], routes: [], faults: source.faults };
  const parsed = PolicyDocument.safeParse(source.value);
  if (!parsed.success) {
    const found = shapeFaults(parsed.error.issues, source.value, (path) => keysAt(schemaOfPolicy(), path));
    for (const fault of found) report.add('fault', fault.path, fault, fault.inKey ? 'key' : 'value');
  }
  return {
    source,
    sets: entries(source, 'sets').map(([path, raw]) => readSet(report, path, raw, directory, nowMs)),
    groups: entries(source, 'groups').flatMap(([path, raw]) => readGroup(report, path, raw)),
    zones: entries(source, 'local').flatMap(([path, raw]) => readZone(report, path, raw)),
    routes: entries(source, 'via').flatMap(([path, raw]) => readRoute(report, path, raw)),
    faults: report.faults,
  };
}

/** The entries of a section of the document, a mapping or a list, each with its path. */
function entries(source: YamlSource, section: string): [Path, unknown][] {
  const value = valueAt(source.value, [section]);
  if (typeof value !== 'object' || value === null) return [];
  const keys: (string | number)[] = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return keys.map((key) => [[section, key], valueAt(value, [key])]);
}

function readGroup(report: Report, path: Path, raw: unknown): LocatedGroup[] {
  const group = salvage(Group, raw);
  if (group === null) return [];
  const clients = group.clients.flatMap((text, index) => {
    const at: Path = [...path, 'clients', index];
    const prefix = readPrefix(text);
    if (!('what' in prefix)) return [{ prefix, path: at, text }];
    report.add('fault', at, prefix);
    return [];
  });
  const answer = readDenyAnswer(report, [...path, 'answer'], group.answer);
  return [{ name: String(path.at(-1)), source: report.source, path, group, answer, clients }];
}

function readZone(report: Report, path: Path, raw: unknown): LocatedZone[] {
  const zone = salvage(LocalZone, raw);
  if (zone === null) return [];
  const name = readName(zone.zone);
  if ('what' in name) {
    report.add('fault', [...path, 'zone'], name);
    return [];
  }
  return [
    {
      source: report.source,
      path,
      zone: name.octets,
      text: zone.zone,
      records: zone.records,
      ttlSeconds: Math.ceil(zone.ttl / 1000),
      groups: zone.groups ?? null,
    },
  ];
}

function readRoute(report: Report, path: Path, raw: unknown): LocatedRoute[] {
  const route = salvage(Route, raw);
  if (route === null) return [];
  const name = readName(route.suffix);
  if ('what' in name) {
    report.add('fault', [...path, 'suffix'], name);
    return [];
  }
  return [{ source: report.source, path, suffix: name.octets, text: route.suffix, pool: route.pool }];
}
