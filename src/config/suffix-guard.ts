/**
 * Wildcards that reach too far. Whoever may ask `*.com` may ask a name of any attacker; so may, for a few cents, whoever
 * may ask `*.s3.amazonaws.com`. The Public Suffix List (inside `tldts`) knows both kinds: registries, and the shared
 * suffixes of hosting companies in its private part.
 */
import { createRequire } from 'node:module';
import type { ListFault, PatternSource } from '../policy/index.ts';
import { nameText } from '../wire/index.ts';

export type Reach =
  | 'one-owner'
  /** At or above a suffix below which anybody can register. */
  | 'public'
  /** At or above a suffix that a company shares among its customers. */
  | 'shared';

/** Top-level names that nobody can register below (RFC 2606, 6761, 6762, 7686, 8375, 9476; ICANN's `internal`). */
const NOT_DELEGATED = new Set([
  'alt',
  'corp',
  'example',
  'home',
  'internal',
  'invalid',
  'local',
  'localhost',
  'mail',
  'onion',
  'test',
]);

/** Names of companies that have shared suffixes of the list below them. */
const ABOVE_SHARED = new Set([
  'aliyuncs.com',
  'amazonaws.com',
  'amazonaws.com.cn',
  'azure.com',
  'azure.net',
  'backblazeb2.com',
  'core.windows.net',
  'googleapis.com',
  'linodeobjects.com',
  'myqcloud.com',
  'oraclecloud.com',
  'windows.net',
]);

/** How far the wildcard reaches; a pattern without wildcard reaches one owner. */
export const reachOf = ({ kind, name }: PatternSource): Reach =>
  kind === 'exact' ? 'one-owner' : reachBelow(nameText(name));

/** What is wrong with a wildcard in an allow list, for `compilePolicy`; `name` is what stands behind the star or plus. */
export function judgeWildcard(name: string): Pick<ListFault, 'severity' | 'problem' | 'instead'> | null {
  const reach = reachBelow(name.replace(/(?<=.)\.$/, ''));
  if (reach === 'one-owner') return null;
  const instead =
    'the names that are needed; in a rule a wildcard may have "unsafeWildcard: why this is right"';
  if (reach === 'public') {
    return {
      severity: 'error',
      problem: `a wildcard over "${name}" covers names that anybody can register`,
      instead,
    };
  }
  return {
    severity: 'warning',
    problem: `a wildcard over "${name}" covers names of all customers of a shared service`,
    instead,
  };
}

/** Loaded with the first wildcard. */
let suffixes: typeof import('tldts') | null = null;

function reachBelow(name: string): Reach {
  if (name === '.') return 'public';
  if (ABOVE_SHARED.has(name)) return 'shared';
  suffixes ??= createRequire(import.meta.url)('tldts') as typeof import('tldts');
  const found = suffixes.parse(name, {
    allowPrivateDomains: true,
    validateHostname: false,
    extractHostname: false,
  });
  if (found.publicSuffix !== name) return 'one-owner';
  if (found.isPrivate === true) return 'shared';
  // The list's last rule makes every unknown top-level name a suffix; only the reserved ones are known to be nobody's.
  return NOT_DELEGATED.has(name) ? 'one-owner' : 'public';
}
