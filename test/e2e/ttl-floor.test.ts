/** The floor of the strict profile in a running Sallyport: an answer with TTL 0 leaves once. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isInstalled, Serving, UnboundUpstream } from './processes.ts';

const POLICY = `
sets:
  work:
    reason: Needed for work.
    allow: [www.example.com, {name: +.strict.example.com, profile: strict}]
groups:
  here: {clients: [127.0.0.0/8], sets: [work]}
`;

describe.runIf(isInstalled('dig') && isInstalled('unbound'))('an answer with TTL 0', () => {
  let upstream: UnboundUpstream;
  let serving: Serving;

  beforeAll(async () => {
    upstream = await UnboundUpstream.start([
      'local-data: "www.example.com. 0 IN A 192.0.2.1"',
      'local-data: "www.strict.example.com. 0 IN A 192.0.2.2"',
    ]);
    serving = await Serving.start({
      policy: POLICY,
      upstream: `127.0.0.1:${upstream.port}`,
      settings: 'cache: {ttlMinStrict: 90s}\n',
    });
  });

  afterAll(async () => {
    await serving?.stop();
    await upstream?.stop();
  });

  test.each([
    { name: 'www.example.com', ttl: '0', cached: [false, false, false] },
    { name: 'www.strict.example.com', ttl: '90', cached: [false, true, true] },
  ])('is kept or not: $name', async ({ name, ttl, cached }) => {
    const { stdout } = await serving.dig(name, '+noall', '+answer');
    expect(stdout.split(/\s+/)[1]).toBe(ttl);
    for (let i = 0; i < 2; i++) await serving.dig(name);
    const entries = serving.entries().filter(({ qname }) => qname === name);
    expect(entries.map((entry) => entry['cached'])).toEqual(cached);
  });
});
