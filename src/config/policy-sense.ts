/** What is not wrong and yet can hardly be meant: sets nobody uses, groups without sets, routes no rule opens. */
import type { PatternSource } from '../policy/index.ts';
import { isAtOrBelow } from '../wire/index.ts';
import type { Fault } from './fault.ts';
import type { LocatedGroup, LocatedRoute } from './policy-reader.ts';
import type { LocatedSet } from './rule-reader.ts';

/** Sets that no group includes. */
export function findUnusedSets(sets: readonly LocatedSet[], groups: readonly LocatedGroup[]): Fault[] {
  const used = new Set(groups.flatMap(({ group }) => group.sets));
  return sets
    .filter(({ name }) => !used.has(name))
    .map(({ name, source, path }) =>
      source.fault(
        'warning',
        path,
        `no group uses the set "${name}"`,
        `write "${name}" under the sets of a group, or remove the set`,
        'key',
      ),
    );
}

/** Groups that enforce and have no set: their clients get local zones and nothing else. */
export function findEmptyGroups(groups: readonly LocatedGroup[]): Fault[] {
  return groups
    .filter(({ group }) => group.mode === 'enforce' && group.sets.length === 0)
    .map(({ name, source, path }) =>
      source.fault(
        'notice',
        path,
        `the group "${name}" has no sets, so every name is denied to it`,
        'write "sets: [base]" with the sets that hold for it, if it should not be cut off',
        'key',
      ),
    );
}

/** Routes to names that nobody may ask; none is vain while a list may allow it or a group only observes. */
export function findVainRoutes(
  routes: readonly LocatedRoute[],
  sets: readonly LocatedSet[],
  groups: readonly LocatedGroup[],
): Fault[] {
  const isOpen = sets.some(({ lists }) => lists.some(({ description }) => description.action === 'allow'));
  if (isOpen || groups.some(({ group }) => group.mode === 'observe')) return [];
  const patterns = sets.flatMap(({ rules }) =>
    rules.filter(({ description }) => description.action === 'allow').flatMap((rule) => rule.patterns),
  );
  return routes
    .filter(({ suffix }) => !patterns.some((pattern) => meets(pattern, suffix)))
    .map(({ source, path, text }) =>
      source.fault(
        'warning',
        [...path, 'suffix'],
        `no rule allows a name at or below "${text}", so nothing takes this route`,
        `write an allow rule, for example "+.${text}"; a route alone allows nothing`,
      ),
    );
}

/** Whether the pattern covers any name at or below the suffix. */
const meets = (pattern: PatternSource, suffix: Uint8Array): boolean =>
  isAtOrBelow(pattern.name, suffix) || (pattern.kind !== 'exact' && isAtOrBelow(suffix, pattern.name));
