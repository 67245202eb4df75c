/** TCP to a server: framing, pipelining, order, connections that end (RFC 7766). */
import { describe, expect, test } from 'vitest';
import { ask, marksOf } from './asking.ts';
import { type Query, reply, type Script, scriptedServer } from './scripted-server.ts';
import { closeLater, pooled, sleep } from './world.ts';

const good: Script = (query) => query.send(reply(query));

async function overTcp(script: Script) {
  const server = closeLater(await scriptedServer(script));
  const opened = await pooled({ servers: [{ transport: 'tcp', address: '127.0.0.1', port: server.port }] });
  return { server, ...opened };
}

const framed = (query: Query): Buffer => {
  const message = reply(query);
  const frame = Buffer.alloc(2 + message.length);
  frame.writeUInt16BE(message.length);
  message.copy(frame, 2);
  return frame;
};

describe('a TCP server', () => {
  test('is asked over one connection that is kept', async () => {
    const { upstreams, server } = await overTcp(good);
    for (let i = 0; i < 10; i++) expect((await ask(upstreams, `n${i}.example.com`)).failure).toBeNull();
    expect(server.connections()).toBe(1);
    expect(server.queries.every(({ transport }) => transport === 'tcp')).toBe(true);
  });

  test('may answer in any order', async () => {
    const held: Query[] = [];
    const { upstreams } = await overTcp((query) => {
      held.push(query);
      if (held.length < 40) return;
      for (const each of held.splice(0).reverse()) {
        each.send(reply(each, { addresses: [`192.0.2.${Number(each.name.split('.')[0].slice(1))}`] }));
      }
    });
    const told = await Promise.all(Array.from({ length: 40 }, (_, i) => ask(upstreams, `n${i}.example.com`)));
    expect(told.map((each) => marksOf(each)[0])).toEqual(
      Array.from({ length: 40 }, (_, i) => `192.0.2.${i}`),
    );
  });

  test('never sees an id twice while it is in flight', async () => {
    const { upstreams, server } = await overTcp(() => undefined);
    const waiting = Array.from({ length: 300 }, (_, i) =>
      ask(upstreams, `n${i}.example.com`, { budgetMs: 600 }),
    );
    await sleep(300);
    const byConnection = new Map<number, number[]>();
    for (const { port, id } of server.queries)
      byConnection.set(port, [...(byConnection.get(port) ?? []), id]);
    for (const ids of byConnection.values()) {
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids.length).toBeLessThanOrEqual(100);
    }
    expect(server.queries).toHaveLength(300);
    expect(byConnection.size).toBe(3);
    await Promise.all(waiting);
  });

  test('may cut its frames at any octet', async () => {
    const { upstreams, server } = await overTcp(good);
    await ask(upstreams, 'www.example.com');
    const frameLength = framed(server.queries[0]).length;
    for (let cut = 1; cut < frameLength; cut++) {
      server.script = (query) => {
        const frame = framed(query);
        query.raw(frame.subarray(0, cut));
        setTimeout(() => query.raw(frame.subarray(cut)), 2);
      };
      const told = await ask(upstreams, 'www.example.com');
      expect(told.failure).toBeNull();
    }
    expect(server.connections()).toBe(1);
  });

  test('may send octet by octet, and many replies in one segment', async () => {
    const { upstreams, server } = await overTcp((query) => {
      for (const octet of framed(query)) query.raw(Buffer.from([octet]));
    });
    expect((await ask(upstreams, 'www.example.com')).failure).toBeNull();
    const held: Query[] = [];
    server.script = (query) => {
      held.push(query);
      if (held.length === 20) query.raw(Buffer.concat(held.map(framed)));
    };
    const told = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(upstreams, `n${i}.example.com`)));
    expect(told.every(({ failure }) => failure === null)).toBe(true);
  });

  test('may answer with 64 kB', async () => {
    const addresses = Array.from({ length: 2040 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    // A record of a private type fills the message to the last octet.
    const fill = (message: Buffer): Buffer => {
      const head = Buffer.from([0, 0xff, 0x01, 0, 1, 0, 0, 0, 0, 0, 0]);
      const data = Buffer.alloc(65_535 - message.length - head.length);
      head.writeUInt16BE(data.length, 9);
      message.writeUInt16BE(message.readUInt16BE(10) + 1, 10);
      return Buffer.concat([message, head, data]);
    };
    const { upstreams } = await overTcp((query) => query.send(reply(query, { addresses, edit: fill })));
    const told = await Promise.all(Array.from({ length: 5 }, (_, i) => ask(upstreams, `n${i}.example.com`)));
    for (const each of told) {
      expect(each.message).toHaveLength(65_535);
      expect(marksOf(each)).toEqual(addresses);
    }
  });

  test('that closes after each reply is connected to again', async () => {
    const { upstreams, server } = await overTcp((query) => {
      query.send(reply(query));
      query.connection?.end();
    });
    for (let i = 0; i < 5; i++) {
      expect((await ask(upstreams, `n${i}.example.com`)).failure).toBeNull();
      await sleep(10);
    }
    expect(server.connections()).toBe(5);
  });

  test('that closes with questions in flight is asked them again', async () => {
    let isFirst = true;
    const { upstreams, server } = await overTcp((query) => {
      if (!isFirst) query.send(reply(query));
      else if (server.queries.length === 8) {
        isFirst = false;
        query.connection?.destroy();
      }
    });
    const told = await Promise.all(Array.from({ length: 8 }, (_, i) => ask(upstreams, `n${i}.example.com`)));
    expect(told.every(({ failure }) => failure === null)).toBe(true);
    expect(server.connections()).toBe(2);
  });

  test('that closes every time in mid-message is given up on', async () => {
    const { upstreams, server } = await overTcp((query) => {
      query.raw(Buffer.from([1, 0, 1, 2, 3]));
      setImmediate(() => query.connection?.destroy());
    });
    const told = await ask(upstreams, 'www.example.com', { budgetMs: 1500 });
    expect(told.failure).not.toBeNull();
    expect(server.queries.filter(({ name }) => name !== '').length).toBeLessThanOrEqual(8);
  });

  test('that sends what was not asked loses the connection, and the question is asked again', async () => {
    const { upstreams, server } = await overTcp((query) => {
      if (server.connections() > 1) query.send(reply(query));
      else for (let i = 1; i < 6; i++) query.send(reply(query, { id: query.id ^ i }));
    });
    const told = await ask(upstreams, 'www.example.com');
    expect(told.failure).toBeNull();
    expect(upstreams.state()[0].mismatched).toBeGreaterThanOrEqual(3);
  });

  test('whose connection is stuck is asked over another one', async () => {
    let stuckPort = 0;
    const { upstreams, server } = await overTcp((query) => {
      if (stuckPort === 0) stuckPort = query.port;
      if (query.port !== stuckPort || server.queries.length < 3) query.send(reply(query));
    });
    await ask(upstreams, 'a.example.com');
    await ask(upstreams, 'b.example.com');
    const told = await ask(upstreams, 'c.example.com');
    expect(told.failure).toBeNull();
    expect(told.ms).toBeLessThan(900);
    expect((await ask(upstreams, 'd.example.com')).ms).toBeLessThan(100);
    expect(server.connections()).toBe(2);
  });

  test('that is not there is told as unreachable', async () => {
    const server = await scriptedServer(good);
    await server.close();
    const { upstreams } = await pooled({
      servers: [{ transport: 'tcp', address: '127.0.0.1', port: server.port }],
    });
    const told = await ask(upstreams, 'www.example.com');
    expect(told.failure).toBe('unreachable');
    expect(told.ms).toBeLessThan(100);
  });

  test('has a late reply thrown away, not taken for the next question', async () => {
    const { upstreams, server } = await overTcp((query) => {
      setTimeout(() => query.send(reply(query, { addresses: ['203.0.113.66'] })), 250);
    });
    expect((await ask(upstreams, 'www.example.com', { budgetMs: 100 })).failure).toBe('timeout');
    server.script = good;
    const told: string[][] = [];
    for (let i = 0; i < 30; i++) {
      told.push(marksOf(await ask(upstreams, 'www.example.com')));
      await sleep(10);
    }
    expect(told.flat().every((mark) => mark === '192.0.2.1')).toBe(true);
    expect(upstreams.state()[0].mismatched).toBe(0);
  });
});
