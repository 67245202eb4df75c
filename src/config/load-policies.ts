/**
 * Reads the policy files and joins them: references between sections and files, clients that two groups claim, what
 * cannot be meant. What comes out is what the policy room compiles; with one fault nothing comes out.
 */
import { dirname } from 'node:path';
import {
  type GroupTunnels,
  type ListFault,
  type PolicySource,
  parseLocalZone,
  type RecordFault,
} from '../policy/index.ts';
import { type Fault, nearestWord, type Path, sortFaults } from './fault.ts';
import type { Group } from './policy-document.ts';
import { findFiles, readPolicyFile, whole } from './policy-files.ts';
import { type LocatedZone, type PolicyPart, readPolicy } from './policy-reader.ts';
import { findEmptyGroups, findUnusedSets, findVainRoutes } from './policy-sense.ts';
import type { YamlSource } from './yaml-source.ts';

export interface PolicyRequest {
  /** Files, or directories whose *.yaml files are all read. */
  readonly paths: readonly string[];
  /** Names of the upstream pools in the settings; null for who only judges names, and forwards none. */
  readonly pools: readonly string[] | null;
  /** Wall clock, milliseconds since 1970: tells what has expired. */
  readonly nowMs: number;
}

export interface LoadedPolicies {
  readonly source: PolicySource;
  /** Warnings and notices: the policy holds, and somebody should look. */
  readonly warnings: readonly Fault[];
  /** The YAML files that were read; list files are not among them. */
  readonly files: readonly string[];
}

export type PolicyOutcome = LoadedPolicies | { readonly faults: readonly Fault[] };

/** The joined policy, or every fault and warning of all files. Never throws for what was written. */
export function loadPolicies(request: PolicyRequest): PolicyOutcome {
  const { files, faults } = findFiles(request.paths);
  const parts = files.map((file) => readPolicy(readPolicyFile(file), dirname(file), request.nowMs));
  const outcome = joinPolicies(parts, request.pools, faults);
  return 'faults' in outcome ? outcome : { ...outcome, files };
}

/** Joins what was read from files; `found` are faults that are known already. */
export function joinPolicies(
  parts: readonly PolicyPart[],
  pools: readonly string[] | null,
  found: readonly Fault[],
):
  | { readonly source: PolicySource; readonly warnings: readonly Fault[] }
  | { readonly faults: readonly Fault[] } {
  const sets = parts.flatMap((part) => part.sets);
  const groups = parts.flatMap((part) => part.groups);
  const zones = parts.flatMap((part) => part.zones);
  const routes = parts.flatMap((part) => part.routes);
  const setNames = sets.map(({ name }) => name);
  const groupNames = groups.map(({ name }) => name);

  const local = zones.map((zone) => ({
    zone,
    read: parseLocalZone(zone.zone, zone.ttlSeconds, zone.records),
  }));
  const isReadable = parts.every((part) => part.faults.every(({ severity }) => severity !== 'fault'));
  const faults = [
    ...found,
    ...parts.flatMap((part) => part.faults),
    ...repeated(
      'set',
      sets.map((set) => ({ ...set, key: set.name })),
    ),
    ...repeated(
      'group',
      groups.map((group) => ({ ...group, key: group.name })),
    ),
    ...repeated(
      'local zone',
      zones.map((zone) => ({ ...zone, key: keyOf(zone.zone), name: zone.text })),
    ),
    ...repeated(
      'route',
      routes.map((route) => ({ ...route, key: keyOf(route.suffix), name: route.text })),
    ),
    ...groups.flatMap(({ source, path, group }) =>
      unknown('set', source, [...path, 'sets'], group.sets, setNames),
    ),
    ...zones.flatMap(({ source, path, groups }) =>
      unknown('group', source, [...path, 'groups'], groups ?? [], groupNames),
    ),
    ...routes.flatMap(({ source, path, pool }) => unknownPool(source, [...path, 'pool'], pool, pools)),
    ...claimedTwice(parts),
    ...local.flatMap(({ zone, read }) => recordFaults(zone, read.faults)),
    ...(groups.length === 0 && isReadable && found.length === 0 ? [nobody(parts)] : []),
    // What cannot be meant is only said of a policy that can be read: half a policy leaves half its sets unused.
    ...(isReadable
      ? [...findUnusedSets(sets, groups), ...findEmptyGroups(groups), ...findVainRoutes(routes, sets, groups)]
      : []),
  ];
  const sorted = sortFaults(faults);
  if (sorted.some(({ severity }) => severity === 'fault')) return { faults: sorted };
  return {
    warnings: sorted,
    source: {
      sets: sets.map(({ name, rules, lists }) => ({ name, rules, lists })),
      groups: groups.map(({ name, group, answer, clients }) => ({
        name,
        clients: clients.map(({ prefix }) => prefix),
        sets: group.sets,
        mode: group.mode,
        answer,
        forwarder: group.forwarder,
        contact: group.contact ?? null,
        tunnels: tunnelsOf(group),
      })),
      local: local.map(({ zone, read }) => ({ zone: zone.zone, groups: zone.groups, rrsets: read.rrsets })),
      via: routes.map(({ suffix, pool }) => ({ suffix, pool })),
    },
  };
}

function tunnelsOf({ tunnels }: Group): GroupTunnels | null {
  if (tunnels === undefined) return null;
  const { action, strictAction, hold, namesPerMinute } = tunnels;
  return {
    action: action ?? null,
    strictAction: strictAction ?? null,
    holdSeconds: hold === undefined ? null : hold / 1000,
    namesPerMinute: namesPerMinute ?? null,
  };
}

const keyOf = (name: Uint8Array): string => Buffer.from(name).toString('latin1');

interface Placed {
  readonly key: string;
  readonly name: string;
  readonly source: YamlSource;
  readonly path: Path;
}

/** What is written a second time, in the same file or another. */
function repeated(kind: string, all: readonly Placed[]): Fault[] {
  const first = new Map<string, Placed>();
  return all.flatMap((one) => {
    const before = first.get(one.key);
    if (before === undefined) {
      first.set(one.key, one);
      return [];
    }
    const place = `${before.source.file}:${before.source.lineOf(before.path)}`;
    const instead = `write another name, or put both into one ${kind}`;
    return [
      one.source.fault(
        'fault',
        one.path,
        `there is a ${kind} "${one.name}" already, in ${place}`,
        instead,
        'key',
      ),
    ];
  });
}

function unknown(
  kind: string,
  source: YamlSource,
  path: Path,
  names: readonly string[],
  known: readonly string[],
): Fault[] {
  return names.flatMap((name, index) => {
    if (known.includes(name)) return [];
    return [
      source.fault('fault', [...path, index], `there is no ${kind} "${name}"`, suggest(kind, name, known)),
    ];
  });
}

function unknownPool(source: YamlSource, path: Path, pool: string, pools: readonly string[] | null): Fault[] {
  if (pools === null || pools.includes(pool)) return [];
  const known = suggest('pool', pool, pools);
  const instead = `${known}, or define it in the settings: upstreams: {${pool}: {servers: [192.0.2.53]}}`;
  return [source.fault('fault', path, `the settings have no pool "${pool}" of upstreams`, instead)];
}

function suggest(kind: string, name: string, known: readonly string[]): string {
  const near = nearestWord(name, known);
  if (near !== null) return `write "${near}"`;
  return known.length === 0
    ? `define a ${kind} "${name}", or remove the name`
    : `write one of: ${known.slice(0, 20).join(', ')}`;
}

/** Clients that stand in two groups with the same prefix: neither would be the longest. */
function claimedTwice(parts: readonly PolicyPart[]): Fault[] {
  const owners = new Map<string, { group: string; place: string }>();
  return parts.flatMap((part) =>
    part.groups.flatMap(({ name, source, clients }) =>
      clients.flatMap(({ prefix, path, text }) => {
        const key = `${keyOf(prefix.address)}/${prefix.prefixLength}`;
        const owner = owners.get(key);
        if (owner === undefined) {
          owners.set(key, { group: name, place: `${source.file}:${source.lineOf(path)}` });
          return [];
        }
        if (owner.group === name)
          return [source.fault('warning', path, `"${text}" stands in this group twice`, 'remove it')];
        const what = `"${text}" belongs to the group "${owner.group}" already (${owner.place})`;
        return [
          source.fault(
            'fault',
            path,
            what,
            'remove it from one of the two, or write a longer prefix for one',
          ),
        ];
      }),
    ),
  );
}

function recordFaults({ source, path }: LocatedZone, faults: readonly RecordFault[]): Fault[] {
  return faults.map(({ index, problem, instead }) =>
    source.fault('fault', [...path, 'records', index], problem, imperative(instead)),
  );
}

/** A fault of a list file, as the policy room found it while compiling. */
export const faultOfList = ({ severity, file, line, problem, instead }: ListFault): Fault => ({
  severity: severity === 'error' ? 'fault' : 'warning',
  file,
  line: line ?? 0,
  column: line === null ? 0 : 1,
  path: '',
  what: problem,
  instead: imperative(instead),
  excerpt: null,
});

/** The policy room says what to write as a noun; here it becomes a sentence. */
const imperative = (instead: string): string =>
  instead === '' || /^(write|correct|remove|use|put|fetch|split) /.test(instead)
    ? instead
    : `write ${instead}`;

const nobody = (parts: readonly PolicyPart[]): Fault => {
  const file = parts.length === 0 ? 'policies' : parts.map((part) => part.source.file).join(', ');
  return whole(
    file,
    'the policy has no group, so nobody could ask anything',
    'write for example "groups: {everyone: {clients: [127.0.0.0/8], sets: [base]}}"',
  );
};
