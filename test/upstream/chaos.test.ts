/**
 * Three servers that misbehave in every way at once, over both transports: each question is told once and in time, no
 * answer is another question's, and nothing is left behind.
 */
import { describe, expect, test } from 'vitest';
import { ask, marksOf, type Told } from './asking.ts';
import { type Query, reply, type Script } from './scripted-server.ts';
import { sleep, world } from './world.ts';

/** The address that belongs to a name, so that a swapped answer shows. */
function truthOf(name: string): string {
  let hash = 17;
  for (const character of name) hash = (Math.imul(hash, 31) + character.charCodeAt(0)) >>> 0;
  return `10.${(hash >> 16) & 255}.${(hash >> 8) & 255}.${hash & 255}`;
}

const truth = (query: Query): Buffer => reply(query, { addresses: [truthOf(query.name)] });
const lie = (query: Query, edit?: (message: Buffer) => Buffer): Buffer =>
  reply(query, { addresses: ['203.0.113.66'], ...(edit === undefined ? {} : { edit }) });
const set = (at: number, value: number) => (message: Buffer) => {
  message[at] = value;
  return message;
};

function chaos(seed: number): Script {
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
  const soon = (act: () => void): void => void setTimeout(act, random(40));
  const acts: ((query: Query) => void)[] = [
    () => undefined,
    (query) => soon(() => query.send(truth(query))),
    (query) => query.send(reply(query, { rcode: 2 })),
    (query) => query.send(reply(query, { rcode: 5 })),
    (query) => query.send(reply(query, { rcode: 1 })),
    (query) => query.send(reply(query, { rcode: 23 })),
    (query) => query.send(reply(query, { truncated: true })),
    (query) => query.send(lie(query, set(1, query.message[1] ^ 1))),
    (query) => query.send(lie(query, set(13, 0x7a))),
    (query) => query.send(lie(query, set(2, 0))),
    (query) => query.send(Buffer.alloc(random(300), random(256))),
    (query) => query.send(truth(query).subarray(0, 12 + random(20))),
    (query) => {
      for (let i = 0; i < 4; i++) query.send(truth(query));
    },
    (query) => {
      for (let i = 0; i < 70; i++) query.send(lie(query, set(0, query.message[0] ^ (i + 1))));
    },
    (query) => {
      query.send(lie(query, set(13, 0x7a)));
      soon(() => query.send(truth(query)));
    },
    (query) => {
      query.raw(truth(query).subarray(0, 9));
      soon(() => query.connection?.destroy());
    },
    (query) => {
      query.connection?.end();
    },
  ];
  return (query) => (random(2) === 0 ? query.send(truth(query)) : acts[random(acts.length)](query));
}

describe.each(['native', 'portable'] as const)('chaos over %s sockets', (engine) => {
  test.each(['fastest', 'ordered', 'random'] as const)('in a pool of strategy %s', async (strategy) => {
    const { upstreams, servers } = await world([chaos(1), chaos(2), chaos(3)], {
      engine,
      pool: { strategy, sockets: 8 },
      room: { socketQueriesMax: 40 },
    });
    const budgetMs = 1000;
    const told: Promise<[string, Told]>[] = [];
    for (let i = 0; i < 500; i++) {
      const name = `q${i}.example.com`;
      told.push(ask(upstreams, name, { budgetMs }).then((each) => [name, each]));
      if (i % 10 === 9) await sleep(12);
    }
    let answered = 0;
    for (const [name, each] of await Promise.all(told)) {
      expect(each.ms).toBeLessThan(budgetMs + 150);
      if (each.failure !== null || each.rcode !== 0) continue;
      answered++;
      expect([name, marksOf(each)]).toEqual([name, [truthOf(name)]]);
    }
    expect(answered).toBeGreaterThan(450);
    for (const server of servers) {
      const perName = new Map<string, number>();
      for (const { name } of server.queries) perName.set(name, (perName.get(name) ?? 0) + 1);
      perName.delete('');
      expect(Math.max(...perName.values())).toBeLessThanOrEqual(8);
    }
    const { counters } = upstreams;
    const ended =
      counters.answered + counters.timeout + counters.unusable + counters.unreachable + counters.overload;
    expect(ended).toBe(500);
    // Late replies are awaited for a while; seen once for each engine.
    if (strategy !== 'fastest') return;
    await sleep(3200);
    expect(upstreams.inFlight).toBe(0);
    for (const server of upstreams.state()) expect(server.inFlight).toBe(0);
  });
});
