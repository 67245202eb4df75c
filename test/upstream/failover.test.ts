/** Servers that fall silent, lose datagrams, close their port and come back. */
import { describe, expect, test } from 'vitest';
import { ask, type Told } from './asking.ts';
import { reply, type Script, scriptedServer } from './scripted-server.ts';
import { closeLater, pooled, sleep, world } from './world.ts';

const good: Script = (query) => query.send(reply(query));
const silent: Script = () => undefined;
/** Loses messages on the way there and on the way back, by a generator that gives the same run each time. */
const losing = (share: number): Script => {
  let state = 12_345;
  const isLost = (): boolean => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % 1000 < share * 1000;
  };
  return (query) => {
    if (query.transport === 'udp' && (isLost() || isLost())) return;
    query.send(reply(query));
  };
};

const percentile = (told: readonly Told[], share: number): number => {
  const sorted = told.map(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
};

async function asks(upstreams: Parameters<typeof ask>[0], count: number, perSecond: number): Promise<Told[]> {
  const all: Promise<Told>[] = [];
  const begun = performance.now();
  for (let i = 0; i < count; i++) {
    all.push(ask(upstreams, `n${i}.example.com`));
    const wait = begun + ((i + 1) * 1000) / perSecond - performance.now();
    if (wait > 1) await sleep(wait);
  }
  return Promise.all(all);
}

describe.each(['native', 'portable'] as const)('over %s sockets', (engine) => {
  test('a closed port is told within 0.1 s', async () => {
    const { upstreams, servers } = await world([good], { engine });
    await servers[0].close();
    servers[0].close = async () => undefined;
    for (let i = 0; i < 3; i++) {
      const told = await ask(upstreams, `n${i}.example.com`);
      expect(told.failure).toBe('unreachable');
      expect(told.ms).toBeLessThan(100);
    }
    expect(upstreams.state()[0].healthy).toBe(false);
  });

  test('a closed port gives way to the next server at once', async () => {
    const { upstreams, servers } = await world([good, good], { engine, pool: { strategy: 'ordered' } });
    await servers[0].close();
    servers[0].close = async () => undefined;
    const told = await ask(upstreams, 'www.example.com');
    expect(told.failure).toBeNull();
    expect(told.ms).toBeLessThan(100);
  });

  test('a server that came back is used within a second, and what waited for it is answered', async () => {
    const { upstreams, servers, events } = await world([good], { engine });
    await ask(upstreams, 'before.example.com');
    servers[0].script = silent;
    const waiting = [
      ask(upstreams, 'a.example.com'),
      ask(upstreams, 'b.example.com'),
      ask(upstreams, 'c.example.com'),
    ];
    await sleep(1600);
    expect(upstreams.state()[0].healthy).toBe(false);
    waiting.push(ask(upstreams, 'd.example.com', { budgetMs: 3000 }));
    await sleep(100);
    servers[0].script = good;
    const back = performance.now();
    const told = await Promise.all(waiting);
    expect(performance.now() - back).toBeLessThan(1000);
    expect(told.map(({ failure }) => failure)).toEqual([null, null, null, null]);
    expect(events.map(({ event }) => event)).toEqual(['server-down', 'server-up']);
    expect(upstreams.state()[0].healthy).toBe(true);
  });
});

test('an address that nothing can be sent to does not stop the start', async () => {
  const { upstreams } = await pooled({
    servers: [{ transport: 'udp', address: '255.255.255.255', port: 53 }],
  });
  const told = await ask(upstreams, 'www.example.com', { budgetMs: 500 });
  expect(told.failure).toBe('unreachable');
});

test('with 20 % lost each way nothing is lost, and 99 of 100 come within 1.5 s', async () => {
  const { upstreams } = await world([losing(0.2)]);
  const told = await asks(upstreams, 400, 200);
  expect(told.filter(({ failure }) => failure !== null)).toHaveLength(0);
  expect(percentile(told, 0.99)).toBeLessThan(1500);
});

test('with 20 % lost each way on one of two servers, 99 of 100 come within 0.5 s', async () => {
  const { upstreams } = await world([losing(0.2), losing(0.2)]);
  const told = await asks(upstreams, 300, 200);
  expect(told.filter(({ failure }) => failure !== null)).toHaveLength(0);
  expect(percentile(told, 0.9)).toBeLessThan(500);
});

const flapping = (): Script => {
  const begun = performance.now();
  return (query) => {
    if (Math.floor((performance.now() - begun) / 1000) % 2 === 1) return;
    query.send(reply(query));
  };
};

test('a server that is silent every other second loses no question', async () => {
  const { upstreams } = await world([flapping()]);
  const told = await asks(upstreams, 400, 100);
  expect(told.filter(({ failure }) => failure !== null)).toHaveLength(0);
});

test('with a second server, one that is silent every other second delays 1 of 100 by half a second at most', async () => {
  const { upstreams } = await world([flapping(), good]);
  const told = await asks(upstreams, 400, 100);
  expect(told.filter(({ failure }) => failure !== null)).toHaveLength(0);
  expect(percentile(told, 0.99)).toBeLessThan(500);
});

test('one silent server of three costs no question, and soon no time', async () => {
  const { upstreams } = await world([good, silent, good]);
  const told = await asks(upstreams, 300, 150);
  expect(told.filter(({ failure }) => failure !== null)).toHaveLength(0);
  expect(percentile(told.slice(150), 0.99)).toBeLessThan(60);
  expect(upstreams.state().map(({ healthy }) => healthy)).toEqual([true, false, true]);
});

test('a flood of names that the server is silent about is sent 1.5 times at most, and hurts nobody else', async () => {
  const { upstreams, servers } = await world([
    (query) => {
      if (!query.name.endsWith('victim.example')) query.send(reply(query));
    },
  ]);
  const flood: Promise<Told>[] = [];
  const others: Promise<Told>[] = [];
  for (let i = 0; i < 800; i++) {
    flood.push(ask(upstreams, `x${i}.victim.example`));
    if (i % 40 === 0) others.push(ask(upstreams, `n${i}.example.com`));
    if (i % 4 === 3) await sleep(9);
  }
  const told = await Promise.all(others);
  expect(told.filter(({ failure }) => failure !== null)).toHaveLength(0);
  await Promise.all(flood);
  const sent = servers[0].queries.filter(({ name }) => name.endsWith('victim.example')).length;
  expect(sent).toBeLessThanOrEqual(800 * 1.5 + 30);
  expect(upstreams.state()[0].healthy).toBe(true);
  expect(upstreams.counters.retriesDenied).toBeGreaterThan(0);
});

test('while all servers are silent, new questions are sent at a limited rate', async () => {
  const { upstreams, servers } = await world([silent]);
  const first = [1, 2, 3, 4].map((i) => ask(upstreams, `n${i}.example.com`, { budgetMs: 1800 }));
  await sleep(1500);
  expect(upstreams.state()[0].healthy).toBe(false);
  const before = servers[0].queries.length;
  const later = Array.from({ length: 500 }, (_, i) => ask(upstreams, `m${i}.example.com`, { budgetMs: 500 }));
  const told = await Promise.all([...first, ...later]);
  expect(told.every(({ failure }) => failure === 'timeout')).toBe(true);
  expect(servers[0].queries.length - before).toBeLessThan(60);
});

describe('a bound', () => {
  test('on questions in flight in all is told as overload, and later ones are served', async () => {
    const { upstreams, servers } = await world([silent], { room: { inFlightMax: 16 } });
    const told = await Promise.all(
      Array.from({ length: 40 }, (_, i) => ask(upstreams, `n${i}.example.com`, { budgetMs: 300 })),
    );
    expect(told.filter(({ failure }) => failure === 'overload')).toHaveLength(24);
    servers[0].script = good;
    await sleep(3300);
    expect(upstreams.inFlight).toBe(0);
    expect((await ask(upstreams, 'www.example.com')).failure).toBeNull();
  });

  test('on questions in flight at a server is told as overload', async () => {
    const { upstreams } = await world([silent], { room: { serverInFlightMax: 16 } });
    const told = await Promise.all(
      Array.from({ length: 40 }, (_, i) => ask(upstreams, `n${i}.example.com`, { budgetMs: 300 })),
    );
    expect(told.filter(({ failure }) => failure === 'overload')).toHaveLength(24);
    expect(told.filter(({ failure }) => failure === 'timeout')).toHaveLength(16);
  });
});

test('a server that only comes up later is found', async () => {
  const { port, close } = await scriptedServer(good);
  await close();
  const { upstreams } = await pooled({ servers: [{ transport: 'udp', address: '127.0.0.1', port }] });
  expect((await ask(upstreams, 'www.example.com')).failure).toBe('unreachable');
  closeLater(await scriptedServer(good, { port }));
  await sleep(900);
  expect((await ask(upstreams, 'www.example.com')).failure).toBeNull();
});

test('closing tells everyone who waits and leaves nothing open', async () => {
  const { upstreams } = await world([silent]);
  const waiting = [ask(upstreams, 'a.example.com'), ask(upstreams, 'b.example.com')];
  await sleep(20);
  await upstreams.close();
  const told = await Promise.all(waiting);
  expect(told.every(({ failure }) => failure !== null)).toBe(true);
  expect((await ask(upstreams, 'c.example.com')).failure).toBe('overload');
  expect(upstreams.inFlight).toBe(0);
});
