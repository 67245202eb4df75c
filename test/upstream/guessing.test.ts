/** What a guesser has to hit: id, port, letter case, cookie. */
import { describe, expect, test } from 'vitest';
import { ask, marksOf } from './asking.ts';
import { type Query, reply, type Script } from './scripted-server.ts';
import { sleep, world } from './world.ts';

const good: Script = (query) => query.send(reply(query));
const nameOf = ({ message, questionEnd }: Query): string => message.toString('latin1', 12, questionEnd - 4);

describe.each(['native', 'portable'] as const)('over %s sockets', (engine) => {
  test('ids and ports are spread, and ports give way to new ones', async () => {
    const { upstreams, servers } = await world([good], {
      engine,
      pool: { sockets: 16 },
      room: { socketQueriesMax: 50 },
    });
    for (let round = 0; round < 60; round++) {
      await Promise.all(Array.from({ length: 50 }, (_, i) => ask(upstreams, `n${round}-${i}.example.com`)));
    }
    // A retransmission has the id and port of the first message, which is what is looked at here.
    const asked = servers[0].queries.filter(({ name }) => name !== '');
    const queries = [...new Map(asked.map((query) => [query.name, query])).values()];
    expect(queries).toHaveLength(3000);
    // 3000 draws from 65536: 2932 different ones are expected, and bits are set half of the time.
    const ids = new Set(queries.map(({ id }) => id));
    expect(ids.size).toBeGreaterThan(2880);
    for (let bit = 0; bit < 16; bit++) {
      const set = queries.filter(({ id }) => (id >> bit) & 1).length;
      expect(Math.abs(set - 1500)).toBeLessThan(150);
    }
    // No id follows from the one before it: differences are spread as well.
    const steps = new Set(queries.slice(1).map(({ id }, i) => (id - queries[i].id) & 0xffff));
    expect(steps.size).toBeGreaterThan(2880);
    const perPort = new Map<number, number>();
    for (const { port } of queries) perPort.set(port, (perPort.get(port) ?? 0) + 1);
    expect(perPort.size).toBeGreaterThan(40);
    // A quarter more than the bound, and the run that was being sent meanwhile; twice that where the kernel gives out a port
    // that an earlier socket had.
    const most = [...perPort.values()].sort((a, b) => b - a);
    expect(most[2]).toBeLessThan(50 * 1.25 + 64);
    expect(most[0]).toBeLessThan(2 * (50 * 1.25 + 64));
    const early = new Set(queries.slice(0, 500).map(({ port }) => port));
    const late = queries.slice(2500).map(({ port }) => port);
    expect(late.some((port) => early.has(port))).toBe(false);
  });

  test('a port gives way to a new one after some seconds, its late reply still taken', async () => {
    const { upstreams, servers } = await world([good], {
      engine,
      pool: { sockets: 2 },
      room: { socketSecondsMax: 0.4 },
    });
    servers[0].script = (query) => setTimeout(() => query.send(reply(query)), 1200);
    const late = ask(upstreams, 'late.example.com');
    await sleep(1000);
    servers[0].script = good;
    for (let i = 0; i < 20; i++) await ask(upstreams, `n${i}.example.com`);
    expect((await late).failure).toBeNull();
    const [first, ...others] = servers[0].queries.filter(({ name }) => name !== '');
    const after = others.filter(({ name }) => name.startsWith('n')).map(({ port }) => port);
    expect(after).not.toContain(first.port);
  });

  test('a server that is asked now and then has many ports to be asked from', async () => {
    const { upstreams, servers } = await world([good], { engine });
    for (let i = 0; i < 400; i++) await ask(upstreams, `n${i}.example.com`);
    // 400 draws from 128 that are there after 32 of them: 121 different ones are expected.
    const ports = servers[0].queries.slice(40).map(({ port }) => port);
    expect(new Set(ports).size).toBeGreaterThan(100);
  });

  test('sockets are opened as the load grows, and are few when idle', async () => {
    const { upstreams, servers } = await world([good], {
      engine,
      pool: { sockets: 32 },
      room: { socketSecondsMax: 0.5, socketsAwake: 2 },
    });
    const ports = async (count: number): Promise<number> => {
      const before = servers[0].queries.length;
      for (let i = 0; i < count; i++) await ask(upstreams, `n${before + i}.example.com`);
      return new Set(servers[0].queries.slice(before).map(({ port }) => port)).size;
    };
    // So few that no interval of maintenance sees a load in them, however slow the machine.
    expect(await ports(8)).toBeLessThanOrEqual(2);
    for (let i = 0; i < 8; i++) {
      await ports(100);
      await sleep(60);
    }
    expect(await ports(200)).toBeGreaterThan(8);
    await sleep(1500);
    expect(await ports(8)).toBeLessThanOrEqual(4);
  });
});

test('a flood of guesses does not make us open sockets or write lines without end', async () => {
  const { upstreams, servers, events } = await world(
    [
      (query) => {
        if (query.transport === 'tcp') query.send(reply(query));
        else for (let i = 1; i <= 120; i++) query.send(reply(query, { id: query.id ^ i }));
      },
    ],
    { room: { socketsAwake: 2 } },
  );
  for (let i = 0; i < 100; i++) expect((await ask(upstreams, `n${i}.example.com`)).failure).toBeNull();
  expect(
    new Set(servers[0].queries.filter(({ transport }) => transport === 'udp').map(({ port }) => port)).size,
  ).toBeLessThan(80);
  expect(events.filter(({ event }) => event === 'flood').length).toBeLessThan(6);
});

test('a question whose time is over is not sent', async () => {
  const { upstreams, servers } = await world([good]);
  const told = await ask(upstreams, 'www.example.com', { budgetMs: 0 });
  expect(told.failure).toBe('timeout');
  expect(servers[0].queries).toHaveLength(0);
});

describe('letter case', () => {
  test('is mixed for a server that keeps it, and a reply in another case is then not believed', async () => {
    const { upstreams, servers } = await world([good]);
    for (let i = 0; i < 12; i++) await ask(upstreams, `www.example${i}.com`);
    const mixed = servers[0].queries.filter((query) => nameOf(query) !== nameOf(query).toLowerCase());
    expect(mixed.length).toBeGreaterThan(9);
    servers[0].script = (query) => {
      const message = reply(query, { addresses: ['203.0.113.66'] });
      for (let at = 12; at < query.questionEnd - 4; at++)
        if (message[at] >= 65 && message[at] <= 90) message[at] += 32;
      if (query.transport === 'udp') query.send(message);
      setTimeout(() => query.send(reply(query)), 30);
    };
    const told = await ask(upstreams, 'a-rather-long-label.example.com');
    expect(marksOf(told)).toEqual(['192.0.2.1']);
    expect(upstreams.state()[0].mismatched).toBeGreaterThan(0);
  });

  const folding: Script = (query) => {
    const message = reply(query);
    for (let at = 12; at < query.questionEnd - 4; at++)
      if (message[at] >= 65 && message[at] <= 90) message[at] += 32;
    query.send(message);
  };

  test('is left alone for a server that does not keep it', async () => {
    const { upstreams, servers } = await world([folding]);
    for (let i = 0; i < 20; i++) {
      expect((await ask(upstreams, `www.some-example${i}.com`)).failure).toBeNull();
    }
    expect(servers[0].queries.slice(2).every((query) => nameOf(query) === nameOf(query).toLowerCase())).toBe(
      true,
    );
    expect(upstreams.state()[0].mismatched).toBe(0);
  });

  test('is unlearnt over TCP for a server that kept it and does so no more', async () => {
    const { upstreams, servers } = await world([good]);
    for (let i = 0; i < 12; i++) await ask(upstreams, `www.example${i}.com`);
    servers[0].script = folding;
    const told = await ask(upstreams, 'a-rather-long-label.example.com');
    expect(told.failure).toBeNull();
    expect(told.ms).toBeLessThan(150);
    expect((await ask(upstreams, 'another-long-label.example.com')).ms).toBeLessThan(50);
  });

  test('is not mixed where the pool does without', async () => {
    const { upstreams, servers } = await world([good], { pool: { mixCase: false } });
    for (let i = 0; i < 12; i++) await ask(upstreams, `www.example${i}.com`);
    expect(servers[0].queries.every((query) => nameOf(query) === nameOf(query).toLowerCase())).toBe(true);
  });
});

/** The cookie option of a query, or null. Ours is the first option. */
function cookieOf({ message, questionEnd }: Query): Buffer | null {
  if (message.length < questionEnd + 15 || message.readUInt16BE(questionEnd + 11) !== 10) return null;
  const length = message.readUInt16BE(questionEnd + 13);
  return message.subarray(questionEnd + 15, questionEnd + 15 + length);
}

describe('a cookie', () => {
  const SERVER_COOKIE = Buffer.from('0123456789abcdef', 'hex');
  const withCookie: Script = (query) => {
    const cookie = cookieOf(query);
    const options =
      cookie === null ? [] : [{ code: 10, data: Buffer.concat([cookie.subarray(0, 8), SERVER_COOKIE]) }];
    query.send(reply(query, { options }));
  };

  test('is handed back to a server that gave one, and a reply without it is then not believed', async () => {
    const { upstreams, servers } = await world([withCookie], { pool: { mixCase: false } });
    for (let i = 0; i < 10; i++) await ask(upstreams, `www.example${i}.com`);
    expect(cookieOf(servers[0].queries[0])).toHaveLength(8);
    expect(cookieOf(servers[0].queries[9])?.subarray(8)).toEqual(SERVER_COOKIE);
    servers[0].script = (query) => {
      if (query.transport === 'udp') query.send(reply(query, { addresses: ['203.0.113.66'] }));
      setTimeout(() => withCookie(query), 30);
    };
    expect(marksOf(await ask(upstreams, 'www.example.com'))).toEqual(['192.0.2.1']);
  });

  test('is not sent again to a server that knows none', async () => {
    const { upstreams, servers } = await world([good]);
    for (let i = 0; i < 4; i++) await ask(upstreams, `www.example${i}.com`);
    expect(servers[0].queries.map((query) => cookieOf(query) !== null)).toEqual([true, false, false, false]);
  });

  test('that is bad is made good once', async () => {
    const { upstreams, servers } = await world([
      (query) => {
        const cookie = cookieOf(query) ?? Buffer.alloc(8);
        const isNew = cookie.subarray(8).equals(SERVER_COOKIE);
        const data = Buffer.concat([cookie.subarray(0, 8), SERVER_COOKIE]);
        query.send(reply(query, { rcode: isNew ? 0 : 23, options: [{ code: 10, data }] }));
      },
    ]);
    expect((await ask(upstreams, 'www.example.com')).rcode).toBe(0);
    expect(servers[0].queries).toHaveLength(2);
  });

  test('differs from server to server', async () => {
    const { upstreams, servers } = await world([good, good], { pool: { strategy: 'random' } });
    for (let i = 0; i < 20; i++) await ask(upstreams, `n${i}.example.com`);
    const first = servers.map(({ queries }) => cookieOf(queries[0])?.toString('hex'));
    expect(first[0]).toMatch(/^[0-9a-f]{16}$/);
    expect(first[0]).not.toBe(first[1]);
  });
});
