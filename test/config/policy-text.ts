/** Policies as text, for tests: read and joined as `loadPolicies` does, without files but for lists. */
import type { Fault } from '../../src/config/fault.ts';
import { joinPolicies, type PolicyOutcome } from '../../src/config/load-policies.ts';
import { readPolicy } from '../../src/config/policy-reader.ts';
import { readYaml } from '../../src/config/yaml-source.ts';

/** The moment at which the tests take place. */
export const NOW_MS = Date.UTC(2026, 10, 21);

/** Texts joined as files `a.yaml`, `b.yaml`, …; lists are sought in `directory`. */
export function joinTexts(texts: readonly string[], directory = '.'): PolicyOutcome {
  const parts = texts.map((text, index) =>
    readPolicy(readYaml(`${'abcdef'[index]}.yaml`, text), directory, NOW_MS),
  );
  const outcome = joinPolicies(parts, ['default', 'vpc'], []);
  return 'faults' in outcome ? outcome : { ...outcome, files: [] };
}

export const faultsOf = (outcome: PolicyOutcome): readonly Fault[] =>
  'faults' in outcome ? outcome.faults : outcome.warnings;

/** A fault on one line: `a.yaml:3:5 fault sets.base.allow[0]: what; instead`. */
export const brief = (fault: Fault): string =>
  `${fault.file}:${fault.line}:${fault.column} ${fault.severity} ${fault.path}: ${fault.what}; ${fault.instead}`;
