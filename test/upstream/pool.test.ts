/** Which server is asked, and what a pool does when it runs out of something. */
import { describe, expect, test } from 'vitest';
import { openEngine } from '../../src/net/index.ts';
import { openUpstreams } from '../../src/upstream/index.ts';
import { ask } from './asking.ts';
import { reply, type Script, scriptedServer } from './scripted-server.ts';
import { closeLater, pooled, sleep, world } from './world.ts';

const good: Script = (query) => query.send(reply(query));
const late =
  (ms: number): Script =>
  (query) =>
    void setTimeout(() => query.send(reply(query)), ms);
const questions = (server: { queries: readonly { name: string }[] }): number =>
  server.queries.filter(({ name }) => name !== '').length;

describe('a pool', () => {
  test('in order asks the first server while it answers', async () => {
    const { upstreams, servers } = await world([late(30), good], { pool: { strategy: 'ordered' } });
    for (let i = 0; i < 20; i++) await ask(upstreams, `n${i}.example.com`);
    expect(servers.map(questions)).toEqual([20, 0]);
  });

  test('in order gives the first server its retransmissions, then asks the second', async () => {
    const { upstreams, servers } = await world([() => undefined, good], { pool: { strategy: 'ordered' } });
    const told = await ask(upstreams, 'www.example.com');
    expect(told.failure).toBeNull();
    expect(questions(servers[0])).toBe(3);
    expect(
      new Set(servers[0].queries.filter(({ name }) => name !== '').map(({ id, port }) => `${id} ${port}`))
        .size,
    ).toBe(1);
  });

  test('at random asks all servers alike', async () => {
    const { upstreams, servers } = await world([good, good, good], { pool: { strategy: 'random' } });
    for (let i = 0; i < 300; i++) await ask(upstreams, `n${i}.example.com`);
    for (const server of servers) expect(Math.abs(questions(server) - 100)).toBeLessThan(45);
  });

  test('by speed asks the fastest, and now and then another', async () => {
    const { upstreams, servers } = await world([late(60), late(5), late(60)]);
    for (let i = 0; i < 200; i++) await ask(upstreams, `n${i}.example.com`);
    const [slow, fast, slower] = servers.map(questions);
    expect(fast).toBeGreaterThan(180);
    expect(slow + slower).toBeGreaterThan(1);
    expect(slow + slower).toBeLessThan(60);
  });

  test('by speed hedges: a server that now and then is slow is covered by another', async () => {
    let count = 0;
    const faltering: Script = (query) => late(count++ % 20 === 19 ? 400 : 8)(query);
    const { upstreams } = await world([faltering, faltering]);
    const waits: number[] = [];
    for (let i = 0; i < 200; i++) waits.push((await ask(upstreams, `n${i}.example.com`)).ms);
    expect(Math.max(...waits.slice(40))).toBeLessThan(150);
    expect(upstreams.counters.hedged).toBeGreaterThan(2);
    expect(upstreams.counters.hedged).toBeLessThan(80);
  });

  test('by speed leaves alone a server that says SERVFAIL to everything', async () => {
    const { upstreams, servers } = await world([(query) => query.send(reply(query, { rcode: 2 })), late(10)]);
    for (let i = 0; i < 100; i++) expect((await ask(upstreams, `n${i}.example.com`)).rcode).toBe(0);
    expect(questions(servers[0])).toBeLessThan(30);
  });

  test('without servers says unreachable, and the log says why', async () => {
    const { upstreams, events } = await pooled({ servers: [] });
    const told = await ask(upstreams, 'www.example.com');
    expect(told.failure).toBe('unreachable');
    expect(told.ms).toBeLessThan(100);
    expect(events).toEqual([{ event: 'pool-empty', pool: 'test' }]);
  });

  test('is not there under another name, and cannot be there twice', async () => {
    const { upstreams } = await pooled({ servers: [] });
    expect(upstreams.pool('other')).toBeUndefined();
    const engine = (await openEngine('portable')).engine;
    const pools = [
      { name: 'same', servers: [] },
      { name: 'same', servers: [] },
    ];
    await expect(openUpstreams({ engine, pools, log: () => undefined })).rejects.toThrow(
      /"same" is there twice/,
    );
  });

  test.each([
    {
      name: 'a host name for a plain server',
      server: { transport: 'udp' as const, address: 'dns.example', port: 53 },
      says: /not an IPv4 or IPv6 literal/,
    },
    {
      name: 'a link-local address with a zone',
      server: { transport: 'udp' as const, address: 'fe80::1%lo', port: 53 },
      says: /not an IPv4 or IPv6 literal/,
    },
    {
      name: 'a missing file of authorities',
      server: { transport: 'tls' as const, address: '127.0.0.1', port: 853, caFile: '/nowhere/ca.pem' },
      says: /cannot be read; give a PEM file/,
    },
  ])('with $name is refused', async ({ server, says }) => {
    await expect(pooled({ servers: [server] })).rejects.toThrow(says);
  });
});

describe.each(['native', 'portable'] as const)('over %s sockets', (engine) => {
  test('a server on IPv6 is asked', async () => {
    const server = closeLater(await scriptedServer(good, { address: '::1' }));
    const { upstreams } = await pooled(
      { servers: [{ transport: 'udp', address: '::1', port: server.port }] },
      engine,
    );
    const told = await ask(upstreams, 'www.example.com');
    expect(told.failure).toBeNull();
    expect(told.server).toBe(`[::1]:${server.port}`);
  });

  test('late and double replies are no mismatches, and teach that the server lives', async () => {
    const { upstreams } = await world([late(260)], { engine });
    const told = await ask(upstreams, 'www.example.com', { budgetMs: 100 });
    expect(told.failure).toBe('timeout');
    const waits = await Promise.all(Array.from({ length: 5 }, (_, i) => ask(upstreams, `n${i}.example.com`)));
    expect(waits.every(({ failure }) => failure === null)).toBe(true);
    await sleep(700);
    expect(upstreams.state()[0]).toMatchObject({ mismatched: 0, healthy: true });
    expect(upstreams.inFlight).toBe(0);
  });

  test('closing leaves no descriptor and no timer', async () => {
    const before = handles('Timeout').length;
    const server = await scriptedServer((query) =>
      query.send(reply(query, { truncated: query.transport === 'udp' })),
    );
    const opened = await openUpstreams({
      engine: (await openEngine(engine)).engine,
      pools: [{ name: 'test', servers: [{ transport: 'udp', address: '127.0.0.1', port: server.port }] }],
      log: () => undefined,
    });
    await Promise.all(Array.from({ length: 30 }, (_, i) => ask(opened, `n${i}.example.com`)));
    server.script = () => undefined;
    const waiting = ask(opened, 'silent.example.com');
    await opened.close();
    expect((await waiting).failure).not.toBeNull();
    await server.close();
    await sleep(50);
    expect(handles('Timeout').length).toBeLessThanOrEqual(before);
    expect([...handles('UDP'), ...handles('TCP'), ...handles('Poll')]).toEqual([]);
  });
});

const handles = (kind: string): string[] =>
  process.getActiveResourcesInfo().filter((name) => name.includes(kind));

test('without descriptors for sockets a question is an overload, and later ones are served', async () => {
  const { engine } = await openEngine('portable');
  let isExhausted = true;
  const server = closeLater(await scriptedServer(good));
  const upstreams = closeLater(
    await openUpstreams({
      engine: {
        name: engine.name,
        listen: engine.listen.bind(engine),
        connect: async (options) => {
          if (isExhausted) throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
          return engine.connect(options);
        },
      },
      pools: [{ name: 'test', servers: [{ transport: 'udp', address: '127.0.0.1', port: server.port }] }],
      log: () => undefined,
    }),
  );
  const told = await ask(upstreams, 'www.example.com');
  expect(told.failure).toBe('overload');
  expect(told.ms).toBeLessThan(100);
  isExhausted = false;
  await sleep(1000);
  expect((await ask(upstreams, 'www.example.com')).failure).toBeNull();
});

test('a flood of questions leaves memory where it was', async () => {
  const { upstreams, servers } = await world([() => undefined], { room: { inFlightMax: 500 }, tcp: false });
  const counts = { overload: 0, timeout: 0 };
  const flood = async (rounds: number): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      const told = await Promise.all(
        Array.from({ length: 1000 }, (_, i) =>
          ask(upstreams, `x${round}-${i}.example.com`, { budgetMs: 40 }),
        ),
      );
      for (const { failure } of told) counts[failure as 'overload']++;
      servers[0].queries.length = 0;
    }
  };
  await flood(10);
  const before = process.memoryUsage().heapUsed;
  await flood(20);
  expect(counts.overload + counts.timeout).toBe(30_000);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(40 << 20);
  expect(upstreams.inFlight).toBeLessThanOrEqual(500);
});
