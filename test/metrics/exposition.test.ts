import { describe, expect, test } from 'vitest';
import { DURATION_BUCKETS_US } from '../../src/metrics/catalogue.ts';
import {
  At,
  createCounters,
  createExposition,
  decisionAt,
  describeFamilies,
  type MetricsSources,
  openCounters,
  type UpstreamSample,
} from '../../src/metrics/index.ts';
import { parsePage } from './exposition-page.ts';

const server = (fields: Partial<UpstreamSample>): UpstreamSample => ({
  pool: 'default',
  server: '192.0.2.53',
  healthy: true,
  rttMs: 12,
  inFlight: 1,
  asked: 10,
  answered: 9,
  timeouts: 1,
  errors: 0,
  mismatched: 0,
  truncated: 0,
  ...fields,
});

function sources(fields: Partial<MetricsSources> = {}): MetricsSources {
  const workers = [openCounters(createCounters()), openCounters(createCounters())];
  return {
    workers: () => workers,
    upstreams: () => [],
    policy: () => ({
      generation: 3,
      rules: 41,
      reloadsOk: 2,
      reloadsFailed: 1,
      isLastReloadOk: false,
      loadedAtSeconds: 1_800_000_000.5,
      exceptionsActive: 4,
      exceptionsExpiringSeconds: 86_400,
    }),
    build: { version: '0.1.0', engine: 'native' },
    ...fields,
  };
}

const pageOf = async (from: MetricsSources) => parsePage(await createExposition(from).render());

describe('the page', () => {
  test('describes each family once, with help, a unit and a suffix that fits its type', async () => {
    const families = await pageOf(sources({ upstreams: () => [server({})] }));
    expect([...families.keys()]).toEqual(describeFamilies(sources()).map(({ name }) => name));
    for (const { name, type, help } of families.values()) {
      expect(name).toMatch(/^sallyport_[a-z_]+$/);
      expect(help.length, name).toBeGreaterThan(10);
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
    }
  });

  test('adds the workers together', async () => {
    const from = sources();
    for (const counters of from.workers()) {
      counters.query(0, false, 1);
      counters.columns[At.cacheHitsDenial]! += 5;
      counters.columns[At.inFlight] = 7;
    }
    const families = await pageOf(from);
    expect(families.get('sallyport_queries_total')!.samples).toEqual([
      { name: 'sallyport_queries_total', labels: { transport: 'udp', family: '1', type: 'A' }, value: 2 },
    ]);
    expect(families.get('sallyport_cache_hits_total')!.samples).toContainEqual({
      name: 'sallyport_cache_hits_total',
      labels: { type: 'denial' },
      value: 10,
    });
    expect(families.get('sallyport_in_flight')!.samples[0]!.value).toBe(14);
  });

  test('folds types and rcodes without a name of their own', async () => {
    const from = sources();
    from.workers()[0]!.query(1, true, 65_399);
    from.workers()[0]!.finished(22, decisionAt('deny', 'tunnel'), 10);
    const families = await pageOf(from);
    expect(families.get('sallyport_queries_total')!.samples[0]!.labels).toEqual({
      transport: 'tcp',
      family: '2',
      type: 'other',
    });
    expect(families.get('sallyport_responses_total')!.samples[0]!.labels).toEqual({ rcode: 'other' });
    expect(families.get('sallyport_policy_decisions_total')!.samples[0]!.labels).toEqual({
      action: 'deny',
      cause: 'tunnel',
    });
  });

  test('has a histogram whose buckets grow, end at +Inf, and agree with the count', async () => {
    const from = sources();
    const allowed = decisionAt('allow', null);
    for (const us of [10, 60, 60, 700_000, 90_000_000]) from.workers()[0]!.finished(0, allowed, us);
    const { samples } = (await pageOf(from)).get('sallyport_request_duration_seconds')!;
    const buckets = samples.filter(({ name }) => name.endsWith('_bucket'));
    expect(buckets.map(({ labels }) => labels['le'])).toEqual([
      ...DURATION_BUCKETS_US.map((us) => String(us / 1e6)),
      '+Inf',
    ]);
    expect(buckets.map(({ value }) => value)).toEqual([1, ...Array(12).fill(3), 4, 4, 4, 5]);
    expect(samples.find(({ name }) => name.endsWith('_count'))!.value).toBe(5);
    expect(samples.find(({ name }) => name.endsWith('_sum'))!.value).toBeCloseTo(90.70013, 5);
  });

  test('joins what each worker says of a server: healthy only when all say so, the longest round trip, sums', async () => {
    const families = await pageOf(
      sources({
        upstreams: () => [
          server({ rttMs: 8 }),
          server({ rttMs: 30, healthy: false }),
          server({ pool: 'vpc' }),
        ],
      }),
    );
    const values = (name: string) =>
      families.get(`sallyport_upstream_${name}`)!.samples.map(({ value }) => value);
    expect(values('healthy')).toEqual([0, 1]);
    expect(values('rtt_seconds')).toEqual([0.03, 0.012]);
    expect(values('queries_total')).toEqual([20, 10]);
  });

  test('escapes what an operator named', async () => {
    const pool = 'a "quoted" \\ pool\nwith a line end';
    const families = await pageOf(sources({ upstreams: () => [server({ pool })] }));
    expect(families.get('sallyport_upstream_healthy')!.samples[0]!.labels['pool']).toBe(pool);
  });

  test('leaves the time to the next expiry out when nothing expires', async () => {
    const now = sources().policy();
    const families = await pageOf(sources({ policy: () => ({ ...now, exceptionsExpiringSeconds: null }) }));
    expect(families.get('sallyport_exceptions_expiring_seconds')!.samples).toEqual([]);
  });

  test('carries families of other rooms and refuses a name twice', async () => {
    const family = {
      name: 'list_age_seconds',
      type: 'counter',
      help: 'Alarms of the detector.',
      samples: () => [{ labels: { detector: 'name' }, value: 2 }],
    } as const;
    expect(
      (await pageOf(sources({ more: [family] }))).get('sallyport_list_age_seconds')!.samples[0]!.value,
    ).toBe(2);
    expect(() => createExposition(sources({ more: [family, family] }))).toThrow(/already been registered/);
  });
});
