import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import {
  type CloseReason,
  ConnectionLimits,
  type LimitSettings,
  type Listener,
  openTcpListener,
} from '../../src/listen/index.ts';
import { Client } from './client.ts';
import { type Echo, echo, framed, idsOf, query, type Treatment, until } from './echo.ts';

const listeners: Listener[] = [];
const clients: Client[] = [];

async function open(
  settings: Partial<LimitSettings>,
  treat?: Treatment,
): Promise<Echo & { listener: Listener }> {
  const path = echo(settings, treat);
  const listener = await openTcpListener(path);
  listeners.push(listener);
  return Object.assign(path, { listener });
}

async function client(listener: Listener, from?: string): Promise<Client> {
  const made = await Client.tcp(listener.port, from);
  clients.push(made);
  return made;
}

const closedFor = (listener: Listener, reason: CloseReason): Promise<void> =>
  until(`a connection closed: ${reason}`, () => listener.counters.closed[reason] > 0);

const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

afterEach(async () => {
  for (const made of clients.splice(0)) made.socket.destroy();
  for (const listener of listeners.splice(0)) {
    await listener.close(0);
    expect(listener.connections()).toBe(0);
  }
});

describe('a full table', () => {
  test('closes the connection that has been idle longest, not the new one', async () => {
    const { listener, limits } = await open({ clientsMax: 3 });
    const made: Client[] = [];
    for (const host of [1, 2, 3]) {
      const a = await client(listener, `127.0.0.${host}`);
      a.send(query(host));
      await a.gets(1);
      made.push(a);
    }
    // The first is used again, so the second has been idle longest.
    made[0].send(query(9));
    await made[0].gets(2);
    const fresh = await client(listener, '127.0.0.4');
    fresh.send(query(4));
    expect(idsOf(await fresh.gets(1))).toEqual([4]);
    await until('the second to be closed', () => made[1].ended || made[1].closed);
    expect(made.map((a) => a.ended || a.closed)).toEqual([false, true, false]);
    expect([listener.counters.closed.evicted, limits.connections]).toEqual([1, 3]);
  });

  test('closes a half-sent one before one whose query is being worked on', async () => {
    const held: (() => void)[] = [];
    const path = await open({ clientsMax: 2 }, (_message, answer) => held.push(answer));
    const busy = await client(path.listener, '127.0.0.1');
    busy.send(query(1));
    await until('the query', () => held.length === 1);
    const half = await client(path.listener, '127.0.0.2');
    half.socket.write(framed(query(2)).subarray(0, 9));
    await client(path.listener, '127.0.0.3');
    await until('the half-sent one to be closed', () => half.ended || half.closed);
    held[0]();
    expect(idsOf(await busy.gets(1))).toEqual([1]);
  });

  test('of one client closes its own, and its new one when all of its own are at work', async () => {
    const held: (() => void)[] = [];
    const { listener } = await open({ clientsPerAddress: 2 }, (message, answer) =>
      message.octets[1] === 1 ? held.push(answer) : answer(),
    );
    const other = await client(listener, '127.0.0.9');
    const [one, two] = [await client(listener), await client(listener)];
    one.send(query(1));
    await until('the query', () => held.length === 1);
    const three = await client(listener);
    await until('the idle one to be closed', () => two.ended || two.closed);
    three.send(query(1));
    await until('the second query', () => held.length === 2);
    const four = await client(listener);
    await until('the new one to be closed', () => four.ended || four.closed);
    expect(listener.counters.closed['client-limit']).toBe(2);
    for (const answer of held) answer();
    other.send(query(3));
    for (const a of [one, three, other]) await a.gets(1);
  });

  test('lets a forwarder have more than its share', async () => {
    const { listener } = await open({
      clientsPerAddress: 1,
      isForwarder: (address) => address === '127.0.0.8',
    });
    const made = [await client(listener, '127.0.0.8'), await client(listener, '127.0.0.8')];
    for (const a of made) a.send(query(1));
    for (const a of made) await a.gets(1);
    expect(listener.connections()).toBe(2);
  });

  test('is one table for all listeners that share it', async () => {
    const path = echo({ clientsPerAddress: 2 });
    const [one, two] = [await openTcpListener(path), await openTcpListener(path)];
    listeners.push(one, two);
    const first = await client(one);
    await client(one);
    await client(two);
    await until('the first to be closed', () => first.ended || first.closed);
    expect(path.limits.connections).toBe(2);
  });
});

describe('time', () => {
  test('an idle connection is closed', async () => {
    const { listener } = await open({ idleMs: 200 });
    const a = await client(listener);
    a.send(query(1));
    await a.gets(1);
    await until('the end', () => a.ended);
    a.socket.end();
    await closedFor(listener, 'idle');
  });

  test.each([
    { name: 'half the places are taken', connections: 5, idleMs: 30_000 },
    { name: 'three quarters are', connections: 75, of: 100, idleMs: 15_000 },
    { name: 'nine of ten are', connections: 9, idleMs: 6_000 },
    { name: 'all are', connections: 10, idleMs: 500 },
  ])('rest is $idleMs ms when $name', ({ connections, of = 10, idleMs }) => {
    const limits = new ConnectionLimits({ clientsMax: of, clientsPerAddress: 1000 });
    const made = Array.from({ length: connections }, () => ({
      address: '192.0.2.1',
      busy: false,
      lastActiveMs: 0,
      unread: 0,
      check: () => {},
      shut: () => {},
    }));
    for (const one of made) limits.admit(one);
    expect(limits.idleMs).toBeCloseTo(idleMs);
    for (const one of made) limits.leave(one);
    expect(limits.connections).toBe(0);
  });

  test('slowloris: a message that comes octet by octet must still be complete in time', async () => {
    const { listener } = await open({ messageMs: 300 });
    const a = await client(listener);
    const octets = framed(query(1));
    for (let i = 0; i < octets.length && !a.ended && !a.closed; i++) {
      a.socket.write(octets.subarray(i, i + 1));
      await rest(60);
    }
    await closedFor(listener, 'slow-message');
    expect(listener.counters.queries).toBe(0);
  });

  test('a connection ends after its life, its queries answered', async () => {
    const { listener } = await open({ ageMs: 100 }, (_message, answer) => setTimeout(answer, 700));
    const a = await client(listener);
    a.send(query(1));
    await until('the end', () => a.ended);
    expect(idsOf(a.messages)).toEqual([1]);
    a.socket.end();
    await closedFor(listener, 'spent');
  });

  test('a connection ends after its share of queries, all of them answered', async () => {
    const { listener } = await open({ queriesMax: 10 });
    const a = await client(listener);
    a.send(...Array.from({ length: 15 }, (_, i) => query(i)));
    await until('the end', () => a.ended);
    expect(idsOf(a.messages)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    a.socket.end();
    await closedFor(listener, 'spent');
  });

  test('a client that never closes is not waited for', async () => {
    const { listener } = await open({ queriesMax: 1, slowReaderMs: 200 });
    const a = await client(listener);
    a.send(query(1));
    await until('the end', () => a.ended);
    await closedFor(listener, 'spent');
  });
});

describe('a pipeline', () => {
  test('is not read further while 100 of its queries are in flight', async () => {
    const held: (() => void)[] = [];
    const path = await open({}, (_message, answer) => held.push(answer));
    const a = await client(path.listener);
    a.send(...Array.from({ length: 250 }, (_, i) => query(i)));
    await until('a hundred queries', () => held.length === 100);
    await rest(50);
    expect([held.length, path.listener.counters.paused > 0]).toEqual([100, true]);
    for (let answered = 0; answered < 250; answered++) {
      await until('the next query', () => held.length > 0);
      held.shift()?.();
    }
    expect(idsOf(await a.gets(250))).toEqual(Array.from({ length: 250 }, (_, i) => i));
  });

  test('that ends in a half-close is answered in full', async () => {
    const { listener } = await open({ inFlightMax: 10 }, (_message, answer) => setTimeout(answer, 2));
    const a = await client(listener);
    a.socket.end(framed(...Array.from({ length: 250 }, (_, i) => query(i))));
    await until('the end', () => a.closed);
    expect(idsOf(a.messages)).toEqual(Array.from({ length: 250 }, (_, i) => i));
    expect(listener.counters.closed.peer).toBe(1);
  });

  test('waits when every message slot of the thread is taken', async () => {
    const held: (() => void)[] = [];
    const { listener, limits } = await open({ messagesMax: 5 }, (_message, answer) => held.push(answer));
    const [a, b] = [await client(listener), await client(listener)];
    a.send(...Array.from({ length: 20 }, (_, i) => query(i)));
    b.send(query(77));
    await until('five queries', () => held.length === 5);
    await rest(30);
    expect([held.length, limits.messages.taken]).toEqual([5, 5]);
    for (let answered = 0; answered < 21; answered++) {
      await until('the next query', () => held.length > 0);
      held.shift()?.();
    }
    await a.gets(20);
    expect(idsOf(await b.gets(1))).toEqual([77]);
    expect(limits.messages.taken).toBe(0);
  });

  test('of one client does not hold up another', async () => {
    const { listener } = await open({});
    const [flood, other] = [await client(listener), await client(listener)];
    flood.send(...Array.from({ length: 5000 }, (_, i) => query(i)));
    const startMs = performance.now();
    other.send(query(1));
    await other.gets(1);
    expect(performance.now() - startMs).toBeLessThan(1000);
    await flood.gets(5000);
  });
});

describe('a client that never reads', () => {
  const large = new Uint8Array(60_000).fill(7);
  const answerLarge: Treatment = (message) => {
    message.octets = large;
    message.length = large.length;
    message.respond();
  };

  test('500 answers of 60 kB: little memory, then closed', async () => {
    const { listener, limits } = await open({ slowReaderMs: 700 }, answerLarge);
    const socket = connect({ port: listener.port, host: '127.0.0.1' });
    socket.on('error', () => {});
    socket.pause();
    const before = process.memoryUsage();
    socket.write(framed(...Array.from({ length: 500 }, (_, i) => query(i))));
    let most = 0;
    await until('reading to stop', () => {
      most = Math.max(most, limits.unread);
      return listener.counters.paused > 0;
    });
    await rest(100);
    const after = process.memoryUsage();
    // One answer more than the bound, because the last one is not cut.
    expect(limits.unread).toBeLessThanOrEqual(256 * 1024 + 60_002);
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(8 * 1024 * 1024);
    await closedFor(listener, 'slow-reader');
    expect(limits.unread).toBe(0);
    socket.destroy();
  });

  test('who reads on in time loses nothing', async () => {
    const { listener } = await open({}, answerLarge);
    const a = await client(listener);
    a.socket.pause();
    a.send(...Array.from({ length: 200 }, (_, i) => query(i)));
    await until('reading to stop', () => listener.counters.paused > 0);
    await rest(50);
    a.socket.resume();
    await until('all answers', () => a.received.length === 200 * 60_002, 10_000);
    expect(listener.counters.closed['slow-reader']).toBe(0);
  });

  test('many of them together are bounded, the greediest goes first', async () => {
    const { listener, limits } = await open({ unreadTotalMax: 1_000_000 }, answerLarge);
    const sockets = Array.from({ length: 8 }, () => {
      const socket = connect({ port: listener.port, host: '127.0.0.1' });
      socket.on('error', () => {});
      socket.pause();
      socket.write(framed(...Array.from({ length: 500 }, (_, i) => query(i))));
      return socket;
    });
    await closedFor(listener, 'slow-reader');
    await rest(100);
    expect(limits.unread).toBeLessThanOrEqual(1_000_000 + 60_002);
    for (const socket of sockets) socket.destroy();
  });
});

describe('many connections', () => {
  test('400 idle and half-sent ones leave room for a new client within a second', async () => {
    const { listener } = await open({ clientsMax: 300, clientsPerAddress: 50 });
    await Promise.all(
      Array.from({ length: 400 }, async (_, i) => {
        const a = await client(listener, `127.0.1.${1 + (i % 20)}`);
        if (i % 2 === 0) a.socket.write(Buffer.from([0, 40, 1, 2]));
      }),
    );
    const startMs = performance.now();
    const fresh = await client(listener, '127.0.2.1');
    fresh.send(query(1));
    await fresh.gets(1);
    expect(performance.now() - startMs).toBeLessThan(1000);
    expect(listener.connections()).toBeLessThanOrEqual(300);
  });

  test('a storm of resets leaves nothing behind', async () => {
    const { listener, limits, seen } = await open({ clientsPerAddress: 1000 }, (_message, answer) =>
      setTimeout(answer, 3),
    );
    for (let round = 0; round < 5; round++) {
      await Promise.all(
        Array.from({ length: 40 }, async () => {
          const a = await client(listener);
          a.send(...Array.from({ length: 30 }, (_, i) => query(i)));
          await rest(round);
          a.socket.resetAndDestroy();
        }),
      );
    }
    await until('all to be gone', () => listener.connections() === 0 && listener.counters.inFlight === 0);
    expect(seen.length).toBe(listener.counters.responses + listener.counters.cancelled);
    expect([limits.connections, limits.unread, limits.messages.taken]).toEqual([0, 0, 0]);
  });
});
