/**
 * What is counted, where each number stands in a worker's memory, and the words it is published under.
 *
 * One Float64 column for each number, in runs:
 *
 *   plain      one column for each name of PLAIN
 *   queries    transport × family × type
 *   responses  one for each rcode of RCODES
 *   decisions  action × cause
 *   duration   one for each bucket of DURATION_BUCKETS_US, one beyond the last, then the sum in microseconds
 *
 * Labels come from the lists below and from nowhere else, so the number of series is fixed when this file is compiled:
 * no name, client or rule of a stranger's making can add one. The room imports no other, so code points are spelled here.
 */

import { type PlainRow, STREAM_ROWS } from './stream-rows.ts';

/** Transports of a query; the index is what the hot path passes. */
export const TRANSPORTS = ['udp', 'tcp', 'dot', 'doh'] as const;

/** Address families, numbered as CoreDNS numbers them: 1 is IPv4, 2 is IPv6. */
export const FAMILIES = ['1', '2'] as const;

/** Query types that are published by name. Every other type is `other`, the last of the list. */
export const TYPES = [
  ['A', 1],
  ['NS', 2],
  ['CNAME', 5],
  ['SOA', 6],
  ['NULL', 10],
  ['PTR', 12],
  ['HINFO', 13],
  ['MX', 15],
  ['TXT', 16],
  ['AAAA', 28],
  ['SRV', 33],
  ['NAPTR', 35],
  ['DS', 43],
  ['DNSKEY', 48],
  ['SVCB', 64],
  ['HTTPS', 65],
  ['ANY', 255],
  ['CAA', 257],
  ['other', -1],
] as const satisfies readonly (readonly [string, number])[];

/** Response codes that are published by name (RFC 1035, RFC 6891). */
export const RCODES = [
  ['NOERROR', 0],
  ['FORMERR', 1],
  ['SERVFAIL', 2],
  ['NXDOMAIN', 3],
  ['NOTIMP', 4],
  ['REFUSED', 5],
  ['BADVERS', 16],
  ['BADCOOKIE', 23],
  ['other', -1],
] as const satisfies readonly (readonly [string, number])[];

/** What was decided about a query: the `verdict` words of the audit. */
export const ACTIONS = [
  'allow',
  'deny',
  'observe',
  'local',
  'refuse',
  'fail',
  'drop',
  'malformed',
  'other',
] as const;

/** Why: the `cause` words of the audit. Unknown words are counted as `other`, so that nothing goes uncounted. */
export const CAUSES = [
  'none',
  'not-listed',
  'denied',
  'type',
  'expired',
  'characters',
  'ancestor',
  'tunnel',
  'secret',
  'quarantine',
  'answer',
  'client',
  'class',
  'opcode',
  'meta-type',
  'recursion',
  'special-use',
  'any',
  'edns',
  'signed',
  'cookie',
  'limit',
  'timeout',
  'unreachable',
  'unusable',
  'gone',
  'overload',
  'audit',
  'bug',
  'other',
] as const;

/** Upper bounds of the latency histogram in microseconds, each included in its bucket; growing. */
export const DURATION_BUCKETS_US = [
  50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
  2_500_000, 5_000_000,
] as const;

/**
 * Numbers with no labels that vary, or with one label whose values are fixed: column name, kind, published name, labels,
 * help. A family with several rows is published once, with the help of its first row. Gauges are added over workers too.
 */
export const PLAIN = [
  [
    'cacheHitsSuccess',
    'counter',
    'cache_hits_total',
    { type: 'success' },
    'Queries answered from the cache.',
  ],
  ['cacheHitsDenial', 'counter', 'cache_hits_total', { type: 'denial' }, ''],
  ['cacheHitsStale', 'counter', 'cache_hits_total', { type: 'stale' }, ''],
  ['cacheHitsHeld', 'counter', 'cache_hits_total', { type: 'held' }, ''],
  ['cacheMisses', 'counter', 'cache_misses_total', {}, 'Allowed queries that the cache could not answer.'],
  [
    'cacheSheds',
    'counter',
    'cache_sheds_total',
    {},
    'Times the bound of the cache was halved because little memory was left to the process.',
  ],
  [
    'cacheEvictions',
    'counter',
    'cache_evictions_total',
    {},
    'Responses put out of the cache for want of room.',
  ],
  [
    'cacheCollisions',
    'counter',
    'cache_collisions_total',
    {},
    'Cache keys whose hash met but whose question differed.',
  ],
  ['cacheEntries', 'gauge', 'cache_entries', {}, 'Responses in the cache.'],
  ['cacheOctets', 'gauge', 'cache_octets', {}, 'Memory of the cached responses, in octets.'],
  ['udpBatches', 'counter', 'udp_batches_total', {}, 'Batches in which datagrams arrived.'],
  [
    'udpReceived',
    'counter',
    'udp_datagrams_total',
    { direction: 'received' },
    'Datagrams of clients, received and sent.',
  ],
  ['udpSent', 'counter', 'udp_datagrams_total', { direction: 'sent' }, ''],
  [
    'udpNoSlot',
    'counter',
    'udp_no_slot_total',
    {},
    'Datagrams dropped on arrival because every slot was taken.',
  ],
  ['udpUnsent', 'counter', 'udp_unsent_total', {}, 'Responses that the kernel would not take.'],
  ...STREAM_ROWS,
  ['inFlight', 'gauge', 'in_flight', {}, 'Queries taken up and not yet answered.'],
  [
    'proxyFaults',
    'counter',
    'proxy_faults_total',
    {},
    'Datagrams of load balancers without a PROXY header that could be read: dropped.',
  ],
  ['truncated', 'counter', 'truncated_total', {}, 'Responses sent with TC, to be asked for again over TCP.'],
  [
    'prefetches',
    'counter',
    'prefetches_total',
    { outcome: 'asked' },
    'Names in the cache that were asked anew before their end, or were not because a bound was met.',
  ],
  ['prefetchesSkipped', 'counter', 'prefetches_total', { outcome: 'skipped' }, ''],
  ['coalesced', 'counter', 'coalesced_total', {}, 'Queries that joined an identical question in flight.'],
  [
    'limited',
    'counter',
    'limited_total',
    { bound: 'client' },
    'Times a bound on what may be in flight, or on the response rate, was met, by bound.',
  ],
  ['limitedDomain', 'counter', 'limited_total', { bound: 'domain' }, ''],
  ['limitedPool', 'counter', 'limited_total', { bound: 'pool' }, ''],
  ['limitedFlights', 'counter', 'limited_total', { bound: 'flights' }, ''],
  ['limitedSlots', 'counter', 'limited_total', { bound: 'slots' }, ''],
  ['rateSlipped', 'counter', 'limited_total', { bound: 'rate-slip' }, ''],
  ['rateDropped', 'counter', 'limited_total', { bound: 'rate-drop' }, ''],
  ['auditEntries', 'counter', 'audit_entries_total', {}, 'Audit entries handed to the operating system.'],
  ['auditOctets', 'counter', 'audit_octets_total', {}, 'Octets of audit entries.'],
  ['auditCommits', 'counter', 'audit_commits_total', {}, 'Batches of audit entries.'],
  [
    'auditFailures',
    'counter',
    'audit_failures_total',
    {},
    'Batches of audit entries that could not be written.',
  ],
  [
    'auditRefused',
    'counter',
    'audit_refused_total',
    {},
    'Queries refused because their entry could not be kept.',
  ],
  [
    'auditRotations',
    'counter',
    'audit_rotations_total',
    {},
    'Audit segments closed and followed by a new one.',
  ],
  ['auditLost', 'counter', 'audit_lost_total', {}, 'Entries that mode open could not keep.'],
  [
    'upstreamRetransmitted',
    'counter',
    'upstream_sends_total',
    { cause: 'retransmission' },
    'Messages to upstreams beyond the first of a question.',
  ],
  ['upstreamHedged', 'counter', 'upstream_sends_total', { cause: 'hedge' }, ''],
  ['upstreamOverTcp', 'counter', 'upstream_sends_total', { cause: 'tcp' }, ''],
  [
    'upstreamRetriesDenied',
    'counter',
    'upstream_retries_denied_total',
    {},
    'Retransmissions that had to wait because their budget was spent.',
  ],
  [
    'upstreamAbandoned',
    'counter',
    'upstream_abandoned_total',
    {},
    'Questions for which nothing more was sent because every client that waited had gone.',
  ],
  ['tunnelChecked', 'counter', 'tunnel_checked_total', {}, 'Names that the tunnel detector looked at.'],
  [
    'tunnelAlarms',
    'counter',
    'tunnel_alerts_total',
    { detector: 'fast' },
    'Alarms of the tunnel detector, and queries that a verdict of it held back.',
  ],
  ['tunnelBlocked', 'counter', 'tunnel_alerts_total', { detector: 'held' }, ''],
  [
    'tunnelThrottled',
    'counter',
    'tunnel_throttled_total',
    {},
    'Names that a verdict let pass because so many a minute may.',
  ],
  [
    'verdictAlert',
    'counter',
    'tunnel_verdicts_total',
    { action: 'alert' },
    'Verdicts of the fast path, by what the group does about them.',
  ],
  ['verdictThrottle', 'counter', 'tunnel_verdicts_total', { action: 'throttle' }, ''],
  ['verdictBlock', 'counter', 'tunnel_verdicts_total', { action: 'block' }, ''],
  ['verdictBlockAll', 'counter', 'tunnel_verdicts_total', { action: 'block-all' }, ''],
  ['verdictQuarantine', 'counter', 'tunnel_verdicts_total', { action: 'quarantine' }, ''],
  [
    'eventNewDestination',
    'counter',
    'events_total',
    { event: 'new-destination' },
    'A group asked a domain for the first time; generated-name: one that looks made by an algorithm; untold: beyond 20 a second and thread.',
  ],
  ['eventGeneratedName', 'counter', 'events_total', { event: 'generated-name' }, ''],
  ['eventUntold', 'counter', 'events_total', { event: 'untold' }, ''],
  [
    'tunnelDropped',
    'counter',
    'tunnel_charges_dropped_total',
    {},
    'Names that the slow view of the detector did not get to see.',
  ],
  [
    'secretApiKey',
    'counter',
    'secrets_total',
    { kind: 'api-key' },
    'Queries whose name gave something away, by what was found; what the cache answers is not counted again.',
  ],
  ['secretJwt', 'counter', 'secrets_total', { kind: 'jwt' }, ''],
  ['secretCard', 'counter', 'secrets_total', { kind: 'card' }, ''],
  ['secretIban', 'counter', 'secrets_total', { kind: 'iban' }, ''],
  ['secretMail', 'counter', 'secrets_total', { kind: 'e-mail' }, ''],
  ['secretPrivateKey', 'counter', 'secrets_total', { kind: 'private-key' }, ''],
  [
    'secretUntold',
    'counter',
    'secrets_untold_total',
    {},
    'Findings without a line in the log: it says the same at most once a minute, and at most 20 a second and thread.',
  ],
  ['bugs', 'counter', 'panics_total', {}, 'Exceptions caught around a query; each is a fault of Sallyport.'],
] as const satisfies readonly PlainRow[];

export type PlainName = (typeof PLAIN)[number][0];

/** Columns that say how one worker is, not how much it has done: never added over workers. */
const PER_WORKER = ['auditHealthy', 'lagP50Us', 'lagP99Us', 'lagP999Us', 'lagMaxUs'] as const;
export type PerWorkerName = (typeof PER_WORKER)[number];

/** Where each number stands: `columns[At.cacheMisses]++`. */
export const At = Object.freeze(
  Object.fromEntries(
    [...PLAIN.map(([column]) => column), ...PER_WORKER].map((column, index) => [column, index]),
  ),
) as Readonly<Record<PlainName | PerWorkerName, number>>;

const PLAIN_LENGTH = PLAIN.length + PER_WORKER.length;

/** Where each run begins. */
export const QUERIES_AT = PLAIN_LENGTH;
export const RESPONSES_AT = QUERIES_AT + TRANSPORTS.length * FAMILIES.length * TYPES.length;
export const DECISIONS_AT = RESPONSES_AT + RCODES.length;
export const DURATION_AT = DECISIONS_AT + ACTIONS.length * CAUSES.length;
export const DURATION_SUM_AT = DURATION_AT + DURATION_BUCKETS_US.length + 1;
export const COLUMN_COUNT = DURATION_SUM_AT + 1;

/** Column of a query: `transport` indexes TRANSPORTS, `type` is a code point. */
export const queryAt = (transport: number, ipv6: boolean, type: number): number =>
  QUERIES_AT +
  (transport * FAMILIES.length + (ipv6 ? 1 : 0)) * TYPES.length +
  (type < TYPE_INDEX.length ? TYPE_INDEX[type]! : TYPES.length - 1);

/** Column of a response. */
export const responseAt = (rcode: number): number =>
  RESPONSES_AT + (rcode < RCODE_INDEX.length ? RCODE_INDEX[rcode]! : RCODES.length - 1);

/**
 * Column of a decision. Looks words up, so it belongs where outcomes are made, not where queries are counted. Words that
 * are not in the lists count as `other`; a null cause as `none`.
 */
export function decisionAt(action: string, cause: string | null): number {
  const row = indexOrLast(ACTIONS, action);
  return DECISIONS_AT + row * CAUSES.length + indexOrLast(CAUSES, cause ?? 'none');
}

function indexOrLast(words: readonly string[], word: string): number {
  const index = words.indexOf(word);
  return index === -1 ? words.length - 1 : index;
}

const TYPE_INDEX = indexByCode(TYPES);
const RCODE_INDEX = indexByCode(RCODES);

/** Code point → place in the list; what is not in the list has the last place. */
function indexByCode(list: readonly (readonly [string, number])[]): Uint8Array {
  const largest = Math.max(...list.map(([, code]) => code));
  const index = new Uint8Array(largest + 1).fill(list.length - 1);
  for (const [place, [, code]] of list.entries()) if (code >= 0) index[code] = place;
  return index;
}
