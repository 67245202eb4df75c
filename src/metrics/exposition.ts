/**
 * The page that Prometheus reads (text exposition format 0.0.4). prom-client writes it: a registry is made once, and each
 * of its metrics gathers its samples when the page is asked for, so nothing is kept twice and nothing is spent between
 * scrapes.
 */
import type { Metric, Registry } from 'prom-client';
import {
  ACTIONS,
  At,
  CAUSES,
  DECISIONS_AT,
  DURATION_AT,
  DURATION_BUCKETS_US,
  DURATION_SUM_AT,
  FAMILIES,
  PLAIN,
  QUERIES_AT,
  RCODES,
  RESPONSES_AT,
  TRANSPORTS,
  TYPES,
} from './catalogue.ts';
import type { Counters } from './counters.ts';

const PREFIX = 'sallyport_';

/** One number of a family. `suffix` is `_bucket`, `_sum` or `_count` in histograms. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly suffix?: string;
}

/** All numbers that share a name. `name` is without the prefix. */
export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  samples(): readonly Sample[];
}

/** An upstream server, as the upstream room describes it. */
export interface UpstreamSample {
  readonly pool: string;
  readonly server: string;
  readonly healthy: boolean;
  readonly rttMs: number;
  readonly inFlight: number;
  readonly asked: number;
  readonly answered: number;
  readonly timeouts: number;
  readonly errors: number;
  readonly mismatched: number;
  readonly truncated: number;
}

export interface PolicySample {
  readonly generation: number;
  readonly rules: number;
  readonly reloadsOk: number;
  readonly reloadsFailed: number;
  /** Whether the last reload put its policy into force; true before the first. */
  readonly isLastReloadOk: boolean;
  /** When the policy in force was read, seconds since 1970. */
  readonly loadedAtSeconds: number;
  /** Rules with an `expires` that has not passed. */
  readonly exceptionsActive: number;
  /** Seconds until the next of them ends; null when there is none. */
  readonly exceptionsExpiringSeconds: number | null;
}

/** Where the numbers come from; every function is called once for each scrape. */
export interface MetricsSources {
  /** Counters of each worker, in order; the index is the label `worker`. */
  workers(): readonly Counters[];
  /** Upstream servers as last reported by each worker: a server may stand once for each worker. */
  upstreams(): readonly UpstreamSample[];
  policy(): PolicySample;
  readonly build: { readonly version: string; readonly engine: string };
  /** What other rooms publish besides. */
  readonly more?: readonly Family[];
}

export interface Exposition {
  readonly contentType: string;
  render(): Promise<string>;
}

/** As prom-client's registry says it. */
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * The page of these sources. Throws when two families share a name. The registry is built, and prom-client loaded, with
 * the first page: data threads and the start do without it.
 */
export function createExposition(sources: MetricsSources): Exposition {
  const all = families(sources);
  const names = new Set<string>();
  for (const { name } of all) {
    if (names.has(name)) throw new Error(`the metric ${PREFIX}${name} has already been registered`);
    names.add(name);
  }
  let registry: Promise<Registry> | null = null;
  return {
    contentType: CONTENT_TYPE,
    async render() {
      registry ??= createRegistry(all);
      return (await registry).metrics();
    },
  };
}

async function createRegistry(all: readonly Family[]): Promise<Registry> {
  const { Registry } = await import('prom-client');
  const registry = new Registry();
  for (const family of all) registry.registerMetric(asMetric(family));
  return registry;
}

/** The published names, with prefix, in order: for the reference page and its test. */
export const describeFamilies = (sources: MetricsSources): { name: string; type: string; help: string }[] =>
  families(sources).map(({ name, type, help }) => ({ name: PREFIX + name, type, help }));

function families(sources: MetricsSources): Family[] {
  return [
    queries(sources),
    responses(sources),
    decisions(sources),
    duration(sources),
    ...plain(sources),
    ...perWorker(sources),
    ...upstream(sources),
    ...policy(sources),
    build(sources),
    ...(sources.more ?? []),
  ];
}

/** prom-client asks a metric for nothing but its name and `get`: what it would add, storage by label, is not wanted here. */
function asMetric(family: Family): Metric {
  const name = PREFIX + family.name;
  const metric = {
    name,
    async get() {
      const values = family.samples().map(({ labels, value, suffix }) => ({
        labels,
        value,
        metricName: suffix === undefined ? name : name + suffix,
      }));
      return { name, help: family.help, type: family.type, aggregator: 'sum', values };
    },
    reset() {},
  };
  return metric as unknown as Metric;
}

function sum(sources: MetricsSources, at: number): number {
  let total = 0;
  for (const { columns } of sources.workers()) total += columns[at]!;
  return total;
}

function queries(sources: MetricsSources): Family {
  const labels = TRANSPORTS.flatMap((transport) =>
    FAMILIES.flatMap((family) => TYPES.map(([type]) => ({ transport, family, type }))),
  );
  return {
    name: 'queries_total',
    type: 'counter',
    help: 'Queries taken up, by transport, address family (1 IPv4, 2 IPv6) and type.',
    samples: () => seen(sources, labels, QUERIES_AT),
  };
}

function responses(sources: MetricsSources): Family {
  const labels = RCODES.map(([rcode]) => ({ rcode }));
  return {
    name: 'responses_total',
    type: 'counter',
    help: 'Responses sent, by response code.',
    samples: () => seen(sources, labels, RESPONSES_AT),
  };
}

function decisions(sources: MetricsSources): Family {
  const labels = ACTIONS.flatMap((action) => CAUSES.map((cause) => ({ action, cause })));
  return {
    name: 'policy_decisions_total',
    type: 'counter',
    help: 'What was decided about queries, and why.',
    samples: () => seen(sources, labels, DECISIONS_AT),
  };
}

/** Of a run of columns, those that were ever counted: most combinations of labels never occur. */
function seen(sources: MetricsSources, labels: readonly Sample['labels'][], at: number): Sample[] {
  return labels
    .map((each, index) => ({ labels: each, value: sum(sources, at + index) }))
    .filter(({ value }) => value > 0);
}

function duration(sources: MetricsSources): Family {
  return {
    name: 'request_duration_seconds',
    type: 'histogram',
    help: 'Time from the arrival of a query to its response.',
    samples: () => {
      let count = 0;
      const buckets = [...DURATION_BUCKETS_US, Number.POSITIVE_INFINITY].map((boundUs, index) => {
        count += sum(sources, DURATION_AT + index);
        return {
          labels: { le: boundUs === Number.POSITIVE_INFINITY ? '+Inf' : String(boundUs / 1e6) },
          value: count,
          suffix: '_bucket',
        };
      });
      return [
        ...buckets,
        { labels: {}, value: sum(sources, DURATION_SUM_AT) / 1e6, suffix: '_sum' },
        { labels: {}, value: count, suffix: '_count' },
      ];
    },
  };
}

function plain(sources: MetricsSources): Family[] {
  const rowsByName = grouped(PLAIN, ([, , name]) => name);
  return [...rowsByName].map(([name, rows]) => ({
    name,
    type: rows[0]![1],
    help: rows[0]![4],
    samples: () => rows.map(([column, , , labels]) => ({ labels, value: sum(sources, At[column]) })),
  }));
}

function perWorker(sources: MetricsSources): Family[] {
  const each = (samples: (counters: Counters, worker: string) => Sample[]): Sample[] =>
    sources.workers().flatMap((counters, index) => samples(counters, String(index)));
  return [
    {
      name: 'audit_healthy',
      type: 'gauge',
      help: 'Whether the last audit entries of the worker were kept (1) or not (0).',
      samples: () =>
        each(({ columns }, worker) => [{ labels: { worker }, value: columns[At.auditHealthy]! }]),
    },
    {
      name: 'event_loop_lag_seconds',
      type: 'gauge',
      help: 'How late the event loop of the worker ran over the last second.',
      samples: () =>
        each(({ columns }, worker) => [
          { labels: { worker, quantile: '0.5' }, value: columns[At.lagP50Us]! / 1e6 },
          { labels: { worker, quantile: '0.99' }, value: columns[At.lagP99Us]! / 1e6 },
          { labels: { worker, quantile: '0.999' }, value: columns[At.lagP999Us]! / 1e6 },
          { labels: { worker, quantile: '1' }, value: columns[At.lagMaxUs]! / 1e6 },
        ]),
    },
  ];
}

function upstream(sources: MetricsSources): Family[] {
  const family = (
    name: string,
    type: Family['type'],
    help: string,
    value: (reports: readonly UpstreamSample[]) => number,
  ): Family => ({
    name: `upstream_${name}`,
    type,
    help,
    samples: () =>
      [...byServer(sources.upstreams())].map(([, reports]) => ({
        labels: { pool: reports[0]!.pool, server: reports[0]!.server },
        value: value(reports),
      })),
  });
  const total =
    (field: 'asked' | 'answered' | 'timeouts' | 'errors' | 'mismatched' | 'truncated' | 'inFlight') =>
    (reports: readonly UpstreamSample[]): number =>
      reports.reduce((sum, report) => sum + report[field], 0);
  return [
    family(
      'healthy',
      'gauge',
      'Whether every worker holds the server for healthy (1) or not (0).',
      (reports) => (reports.every(({ healthy }) => healthy) ? 1 : 0),
    ),
    family(
      'rtt_seconds',
      'gauge',
      'Smoothed round-trip time, the longest of the workers.',
      (reports) => Math.max(...reports.map(({ rttMs }) => rttMs)) / 1000,
    ),
    family('in_flight', 'gauge', 'Questions sent and not yet answered.', total('inFlight')),
    family('queries_total', 'counter', 'Questions sent, retransmissions included.', total('asked')),
    family('responses_total', 'counter', 'Replies that matched their question.', total('answered')),
    family('timeouts_total', 'counter', 'Questions that no reply came for in time.', total('timeouts')),
    family('errors_total', 'counter', 'Errors of the sockets.', total('errors')),
    family(
      'mismatched_total',
      'counter',
      'Replies that matched a socket but not its question: forged, or late.',
      total('mismatched'),
    ),
    family(
      'truncated_total',
      'counter',
      'Replies that were truncated and asked for again over TCP.',
      total('truncated'),
    ),
  ];
}

const byServer = (reports: readonly UpstreamSample[]): Map<string, UpstreamSample[]> =>
  grouped(reports, ({ pool, server }) => JSON.stringify([pool, server]));

function policy(sources: MetricsSources): Family[] {
  const one = (
    name: string,
    type: Family['type'],
    help: string,
    samples: (policy: PolicySample) => Sample[],
  ): Family => ({
    name,
    type,
    help,
    samples: () => samples(sources.policy()),
  });
  const bare = (value: number): Sample[] => [{ labels: {}, value }];
  return [
    one('policy_generation', 'gauge', 'Number of the policy in force; grows with every reload.', (now) =>
      bare(now.generation),
    ),
    one('policy_rules', 'gauge', 'Rules of the policy in force.', (now) => bare(now.rules)),
    one('policy_reloads_total', 'counter', 'Reloads of the policy, by result.', (now) => [
      { labels: { result: 'ok' }, value: now.reloadsOk },
      { labels: { result: 'fault' }, value: now.reloadsFailed },
    ]),
    one(
      'policy_last_reload_successful',
      'gauge',
      '0 when the last reload was refused and an older policy is in force.',
      (now) => bare(now.isLastReloadOk ? 1 : 0),
    ),
    one(
      'policy_loaded_timestamp_seconds',
      'gauge',
      'When the policy in force was read, its lists with it.',
      (now) => bare(now.loadedAtSeconds),
    ),
    one('exceptions_active', 'gauge', 'Rules with an end that is still to come.', (now) =>
      bare(now.exceptionsActive),
    ),
    one(
      'exceptions_expiring_seconds',
      'gauge',
      'Time until the next of them ends; absent when there is none.',
      (now) => (now.exceptionsExpiringSeconds === null ? [] : bare(now.exceptionsExpiringSeconds)),
    ),
  ];
}

const build = ({ build }: MetricsSources): Family => ({
  name: 'build_info',
  type: 'gauge',
  help: 'Always 1; the labels say what runs.',
  samples: () => [
    { labels: { version: build.version, node: process.version, engine: build.engine }, value: 1 },
  ],
});

/** Things by key, in the order they first came (`Map.groupBy` is not in Node 20). */
function grouped<T>(things: readonly T[], keyOf: (thing: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const thing of things) {
    const key = keyOf(thing);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [thing]);
    else group.push(thing);
  }
  return groups;
}
