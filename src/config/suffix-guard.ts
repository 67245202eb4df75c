/**
 * Wildcards that reach too far. Whoever may ask `*.com` may ask a name of any attacker; so may, for a few cents, whoever
 * may ask `*.s3.amazonaws.com`. The Public Suffix List (inside `tldts`) knows both kinds: registries, and the shared
 * suffixes of hosting companies in its private part.
 */
import { parse } from 'tldts';
import type { PatternSource } from '../policy/index.ts';
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
export function reachOf(pattern: PatternSource): Reach {
  if (pattern.kind === 'exact') return 'one-owner';
  const name = nameText(pattern.name);
  if (name === '.') return 'public';
  const found = parse(name, { allowPrivateDomains: true, validateHostname: false, extractHostname: false });
  if (ABOVE_SHARED.has(name)) return 'shared';
  if (found.publicSuffix !== name) return 'one-owner';
  if (found.isPrivate === true) return 'shared';
  // The list's last rule makes every unknown top-level name a suffix; only the reserved ones are known to be nobody's.
  return NOT_DELEGATED.has(name) ? 'one-owner' : 'public';
}
