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

/**
 * Shared suffixes that the Public Suffix List does not have, and names above those that it has: storage, registries and
 * functions of clouds, hosts of documents, and services that hand out a name to whoever wants to be called back.
 */
const SHARED = new Set(
  `
  aliyuncs.com amazonaws.com amazonaws.com.cn backblazeb2.com cloudflarestorage.com googleapis.com
  linodeobjects.com myqcloud.com oraclecloud.com r2.cloudflarestorage.com storage.googleapis.com wasabisys.com
  azure.com azure.net azurecr.io cloudapp.azure.com documents.azure.com scm.azurewebsites.net vault.azure.net
  windows.net core.windows.net database.windows.net dfs.core.windows.net queue.core.windows.net table.core.windows.net
  app.github.dev b-cdn.net firebaseio.com github.dev githubusercontent.com glitch.me googleusercontent.com
  atlassian.net sharepoint.com zendesk.com
  interact.sh loca.lt oastify.com pipedream.net serveo.net webhook.site
  `
    .trim()
    .split(/\s+/),
);

/** The same for each region of a cloud: `eu-central-1.amazonaws.com`, `dkr.ecr.eu-central-1.amazonaws.com`. */
const SHARED_BY_REGION = [
  /^(?:[a-z][a-z0-9-]*\.)*[a-z]{2}(?:-[a-z]+)+-\d\.amazonaws\.com(?:\.cn)?$/,
  /^s3(?:\.[a-z0-9-]+)?\.(?:wasabisys\.com|amazonaws\.com\.cn)$/,
  /^(?:oss-[a-z0-9-]+\.aliyuncs|cos\.[a-z-]+\.myqcloud)\.com$/,
  /^z\d+\.web\.core\.windows\.net$/,
];

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
  if (SHARED.has(name)) return 'shared';
  suffixes ??= createRequire(import.meta.url)('tldts') as typeof import('tldts');
  const found = suffixes.parse(name, {
    allowPrivateDomains: true,
    validateHostname: false,
    extractHostname: false,
  });
  if (found.publicSuffix !== name) {
    // What stands below a shared suffix is one customer's.
    const isOfRegion = found.isPrivate !== true && SHARED_BY_REGION.some((region) => region.test(name));
    return isOfRegion ? 'shared' : 'one-owner';
  }
  if (found.isPrivate === true) return 'shared';
  // The list's last rule makes every unknown top-level name a suffix; only the reserved ones are known to be nobody's.
  return NOT_DELEGATED.has(name) ? 'one-owner' : 'public';
}
