/**
 * Names that are answered here and never forwarded, whatever the policy files say of the rest: special-use names
 * (RFC 6761, 6762, 7686, 8375, 9462, 9476, 9665), the locally served reverse zones (RFC 6303, 7793), the names by which
 * clients ask whether they may go past this resolver, and the one by which dnsdist asks whether it is well.
 *
 * A policy that speaks of such a zone itself (allows a name in it, routes it, serves it) knows better: the built-in zone
 * then makes way.
 */
import { domainToASCII } from 'node:url';
import type { Settings } from './config/index.ts';
import {
  type LocalZoneSource,
  type PolicySource,
  parseLocalZone,
  type RuleDescription,
  type RuleSource,
} from './policy/index.ts';
import { isAtOrBelow, nameOctets, sameName } from './wire/index.ts';

const TTL_SECONDS = 3600;

/** Zones with nothing in them: every name below is NXDOMAIN, at once. */
const EMPTY_ZONES = [
  'invalid',
  'test',
  'local',
  'onion',
  'alt',
  'internal',
  'home.arpa',
  'service.arpa',
  'empty.as112.arpa',
  '0.in-addr.arpa',
  '10.in-addr.arpa',
  '254.169.in-addr.arpa',
  '168.192.in-addr.arpa',
  '2.0.192.in-addr.arpa',
  '100.51.198.in-addr.arpa',
  '113.0.203.in-addr.arpa',
  '255.255.255.255.in-addr.arpa',
  ...range(16, 31).map((octet) => `${octet}.172.in-addr.arpa`),
  ...range(64, 127).map((octet) => `${octet}.100.in-addr.arpa`),
  `${'0.'.repeat(32)}ip6.arpa`,
  'd.f.ip6.arpa',
  ...['8', '9', 'a', 'b'].map((nibble) => `${nibble}.e.f.ip6.arpa`),
  '8.b.d.0.1.0.0.2.ip6.arpa',
];

const LOOPBACK_IP6 = `1.${'0.'.repeat(31)}ip6.arpa`;

const ZONES_WITH_RECORDS: readonly { readonly zone: string; readonly records: readonly string[] }[] = [
  { zone: 'localhost', records: ['@ A 127.0.0.1', '@ AAAA ::1', '* A 127.0.0.1', '* AAAA ::1'] },
  { zone: '127.in-addr.arpa', records: ['1.0.0 PTR localhost.'] },
  { zone: LOOPBACK_IP6, records: ['@ PTR localhost.'] },
  // By this name dnsdist tries whether we are well, and with `mustResolve` it wants an address. Its addresses are no secret.
  { zone: 'a.root-servers.net', records: ['@ A 198.41.0.4', '@ AAAA 2001:503:ba3e::2:30'] },
];

/**
 * Canaries: an address for one of these would send clients to another resolver. NXDOMAIN where the group enforces, NODATA
 * where it only observes.
 */
const CANARIES = [
  'use-application-dns.net',
  'mask.icloud.com',
  'mask-h2.icloud.com',
  'mask.apple-dns.net',
  'doh.dns.apple.com',
];

const CANARY_SET = 'built-in';
const CANARY_REASON = 'Clients would leave this resolver for another one.';

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/** The policy with its built-in zones and rules. */
export function withSpecialUse(source: PolicySource, settings: Settings): PolicySource {
  const spokenOf = namesOf(source);
  const isFree = (zone: string): boolean => {
    const octets = nameOctets(zone);
    return !spokenOf.some((name) => isAtOrBelow(name, octets));
  };
  const zones = [
    ...EMPTY_ZONES.map((zone) => ({ zone, records: [] })),
    ...ZONES_WITH_RECORDS,
    { zone: 'resolver.arpa', records: discoveryRecords(settings) },
    ...CANARIES.map((zone) => ({ zone, records: [] })),
  ].filter(({ zone }) => isFree(zone));
  const canaries = CANARIES.filter(isFree);
  const known = source.sets.some(({ name }) => name === CANARY_SET);
  return {
    ...source,
    sets: known
      ? source.sets
      : [...source.sets, { name: CANARY_SET, rules: [canaryRule(canaries)], lists: [] }],
    groups: source.groups.map((group) =>
      known || group.mode === 'observe' ? group : { ...group, sets: [...group.sets, CANARY_SET] },
    ),
    local: [...source.local, ...zones.map(localZone)],
  };
}

/** Every name that rules, routes and zones of the policy speak of; lists are for feeds and speak for nothing. */
function namesOf({ sets, via, local }: PolicySource): Uint8Array[] {
  return [
    ...sets.flatMap(({ rules }) =>
      rules
        .filter(({ description }) => description.action === 'allow')
        .flatMap(({ patterns }) => patterns.map(({ name }) => name)),
    ),
    ...via.map(({ suffix }) => suffix),
    ...local.map(({ zone }) => zone),
  ].filter((name) => !sameName(name, 0, ROOT, 0));
}

const ROOT = Uint8Array.of(0);

function localZone({ zone, records }: { zone: string; records: readonly string[] }): LocalZoneSource {
  const octets = nameOctets(zone);
  const { rrsets, faults } = parseLocalZone(octets, TTL_SECONDS, records);
  if (faults.length > 0) throw new Error(`the built-in zone ${zone} is broken: ${JSON.stringify(faults)}`);
  return { zone: octets, groups: null, rrsets };
}

function canaryRule(names: readonly string[]): RuleSource {
  const description: RuleDescription = {
    id: `${CANARY_SET}/deny/0`,
    set: CANARY_SET,
    action: 'deny',
    reason: CANARY_REASON,
    patterns: names.map((name) => `+.${name}`),
    types: null,
    expiresAtMs: null,
    owner: null,
    ticket: null,
    processor: null,
    cname: 'trust',
    profile: 'default',
    answer: { kind: 'nxdomain' },
    file: 'built in',
    line: 0,
  };
  const patterns = names.map((name) => ({
    kind: 'both' as const,
    name: nameOctets(name),
    text: `+.${name}`,
  }));
  return { description, patterns, characters: 'any' };
}

/**
 * Discovery of our own encrypted listeners (RFC 9462). Without a name that their certificates carry there is nothing
 * that a client could verify, and the zone stays empty: NODATA, so that clients stay as they are.
 */
function discoveryRecords({ listen }: Settings): string[] {
  const name = listen.name === undefined ? '' : domainToASCII(listen.name.replace(/\.$/, ''));
  // The name exists in any case: NODATA, not NXDOMAIN, is what the RFC asks for.
  const records: string[] = ['_dns TXT "Designated resolvers are SVCB records."'];
  if (name === '') return records;
  const { tls, https } = listen;
  // Without TLS it is reached through a proxy, whose address and port we do not know.
  const doh = https.plain ? undefined : https.addresses.find(hasPort);
  const dot = tls.addresses.find(hasPort);
  if (doh !== undefined)
    records.push(`_dns SVCB 1 ${name}. alpn=h2 port=${doh.port} dohpath=${https.path}{?dns}`);
  if (dot !== undefined) records.push(`_dns SVCB 2 ${name}. alpn=dot port=${dot.port}`);
  return records;
}

/** Port 0 is whichever is free when the socket is opened, and not known here. */
const hasPort = ({ port }: { readonly port: number }): boolean => port !== 0;
