/** From policy files to a compiled policy: joins `config`, which knows what is written, and `policy`, which compiles it. */
import { type Fault, faultOfList, judgeWildcard, loadPolicies, type Settings } from './config/index.ts';
import {
  type CompiledPolicy,
  compilePolicy,
  type ListSummary,
  openPolicy,
  type Policy,
  type RuleDescription,
} from './policy/index.ts';
import { withSpecialUse } from './special-use.ts';
import { nameText, Rrtype } from './wire/index.ts';

export interface LoadedPolicy {
  readonly compiled: CompiledPolicy;
  readonly policy: Policy;
  /** Warnings and notices. */
  readonly faults: readonly Fault[];
  readonly files: readonly string[];
  readonly lists: readonly ListSummary[];
  /** Rules as they were written, and names that came from lists. */
  readonly ruleCount: number;
  readonly rules: readonly RuleDescription[];
  /** Owners of addresses in the local zones that the files have; the built-in zones are not among them. */
  readonly localNames: readonly string[];
}

export interface PolicyLoading {
  readonly hashSeed: number;
  readonly generation: number;
  readonly nowMs: number;
  /** For who only judges names: the settings need not have the pools that the policy sends them to. */
  readonly anyPool?: boolean;
}

/** The compiled policy of these settings, or everything that is wrong with it. Throws for no content of any file. */
export function loadPolicy(
  settings: Settings,
  { hashSeed, generation, nowMs, anyPool = false }: PolicyLoading,
): LoadedPolicy | { readonly faults: readonly Fault[] } {
  const loaded = loadPolicies({
    paths: settings.policies,
    pools: anyPool ? null : Object.keys(settings.upstreams),
    nowMs,
  });
  if (!('source' in loaded)) return { faults: loaded.faults };
  const {
    compiled,
    faults: listFaults,
    lists,
  } = compilePolicy(withSpecialUse(loaded.source, settings), {
    hashSeed,
    generation,
    judgeWildcard,
  });
  const faults = [...loaded.warnings, ...listFaults.map(faultOfList)];
  if (listFaults.some(({ severity }) => severity === 'error')) return { faults };
  const rules = loaded.source.sets.flatMap((set) => [
    ...set.rules.map(({ description }) => description),
    ...set.lists.map(({ description }) => description),
  ]);
  const written = loaded.source.sets.reduce((sum, set) => sum + set.rules.length, 0);
  const listed = lists.reduce((sum, { names }) => sum + names, 0);
  return {
    compiled,
    policy: openPolicy(compiled),
    faults,
    files: loaded.files,
    lists,
    ruleCount: written + listed,
    rules,
    localNames: loaded.source.local.flatMap(({ rrsets }) =>
      rrsets.filter(({ type }) => type === Rrtype.A).map(({ owner }) => nameText(owner)),
    ),
  };
}
