import { networkInterfaces } from 'node:os';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { Datagram, DatagramSocket, DatagramSocketOptions, EngineName } from '../../src/net/index.ts';
import { DATAGRAM_CAPACITY, openEngine } from '../../src/net/index.ts';
import { Client, hasIpv6, runnableEngines, settle, until } from './harness.ts';

const ENGINES = await runnableEngines();
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

async function client(address: string): Promise<Client> {
  const opened = await Client.open(address);
  closers.push(() => opened.close());
  return opened;
}

/** A server whose handler gets the socket as well. */
async function serve(
  name: EngineName,
  onBatch: (socket: DatagramSocket, datagrams: readonly Datagram[], count: number) => void,
  options: Partial<DatagramSocketOptions> = {},
): Promise<DatagramSocket> {
  const { engine } = await openEngine(name);
  const socket: DatagramSocket = await engine.listen({
    address: '127.0.0.1',
    port: 0,
    reusePort: false,
    slots: 256,
    bufferLength: 4 << 20,
    onError: (error) => {
      throw error;
    },
    onBatch: (datagrams, count) => onBatch(socket, datagrams, count),
    ...options,
  });
  closers.push(() => socket.close());
  return socket;
}

/** Sends back what came, one octet longer. */
function echo(socket: DatagramSocket, datagrams: readonly Datagram[], count: number): void {
  for (let i = 0; i < count; i++) {
    const datagram = datagrams[i];
    datagram.octets[datagram.length++] = 0x21;
    socket.reply(datagram);
  }
  socket.flush();
}

describe.each(ENGINES)('a %s server socket', (name) => {
  test.each(['127.0.0.1', ...(hasIpv6 ? ['::1'] : [])])('answers on %s', async (address) => {
    const seen: number[][] = [];
    const server = await serve(
      name,
      (socket, datagrams, count) => {
        for (let i = 0; i < count; i++) {
          const { peer, peerLength, peerPort } = datagrams[i];
          seen.push([...peer.subarray(0, peerLength), peerPort]);
        }
        echo(socket, datagrams, count);
      },
      { address },
    );
    const asking = await client(address);
    await asking.send(Buffer.from('hello'), server.local.port, address);
    await until(() => asking.received.length === 1, 'the echo');
    expect(asking.received[0].message.toString()).toBe('hello!');
    expect(asking.received[0]).toMatchObject({ address, port: server.local.port });
    const octets = address === '::1' ? [...new Array(15).fill(0), 1] : [127, 0, 0, 1];
    expect(seen).toEqual([[...octets, asking.port]]);
    expect(server.freeSlots).toBe(256);
    expect(server.counters).toMatchObject({ batches: 1, received: 1, sent: 1, noSlot: 0, unsent: 0 });
  });

  test('gathers what arrived together, and answers in the order of the replies', async () => {
    const counts: number[] = [];
    const server = await serve(name, (socket, datagrams, count) => {
      counts.push(count);
      echo(socket, datagrams, count);
    });
    const asking = await client('127.0.0.1');
    const sent = Array.from({ length: 200 }, (_, i) => Buffer.from(`datagram ${i}`));
    await Promise.all(sent.map((octets) => asking.send(octets, server.local.port, '127.0.0.1')));
    await until(() => asking.received.length === 200, '200 echoes');
    expect(asking.received.map(({ message }) => message.toString())).toEqual(
      sent.map((octets) => `${octets}!`),
    );
    expect(Math.max(...counts)).toBeLessThanOrEqual(64);
    expect(server.counters.batches).toBeLessThan(30);
    expect(server.freeSlots).toBe(256);
  });

  test('counts what finds no slot, and serves again when slots come back', async () => {
    const held: Datagram[] = [];
    const server = await serve(
      name,
      (_, datagrams, count) => {
        held.push(...datagrams.slice(0, count));
      },
      { slots: 4 },
    );
    const asking = await client('127.0.0.1');
    const ask = () => asking.send(Buffer.from('?'), server.local.port, '127.0.0.1');
    for (let i = 0; i < 10; i++) await ask();
    await until(() => server.counters.noSlot === 6, 'six drops');
    expect(server.counters.received).toBe(4);
    expect(server.freeSlots).toBe(0);

    for (const datagram of held.splice(0)) server.release(datagram);
    expect(server.freeSlots).toBe(4);
    await ask();
    await until(() => held.length === 1, 'another datagram');
    expect(server.counters).toMatchObject({ received: 5, noSlot: 6, sent: 0 });
  });

  test('keeps a slot until the reply is sent, however long that takes', async () => {
    const held: Datagram[] = [];
    const server = await serve(name, (_, datagrams, count) => {
      held.push(...datagrams.slice(0, count));
    });
    const asking = await client('127.0.0.1');
    await asking.send(Buffer.from('late'), server.local.port, '127.0.0.1');
    await until(() => held.length === 1, 'the datagram');
    await settle();
    server.reply(held[0]);
    await settle();
    expect(asking.received).toEqual([]);
    expect(server.freeSlots).toBe(255);
    server.flush();
    await until(() => asking.received.length === 1, 'the reply');
    await until(() => server.freeSlots === 256, 'the slot');
  });

  test('refuses a second reply, a release after it, a datagram of another socket and one too long', async () => {
    const held: Datagram[] = [];
    const hold = (_: DatagramSocket, datagrams: readonly Datagram[], count: number) => {
      held.push(...datagrams.slice(0, count));
    };
    const server = await serve(name, hold);
    const other = await serve(name, hold);
    const asking = await client('127.0.0.1');
    await asking.send(Buffer.from('?'), server.local.port, '127.0.0.1');
    await until(() => held.length === 1, 'the datagram');
    const [datagram] = held;
    expect(() => other.release(datagram)).toThrow(/another socket/);
    for (const length of [DATAGRAM_CAPACITY + 1, -1, Number.NaN]) {
      datagram.length = length;
      expect(() => server.reply(datagram)).toThrow(RangeError);
    }
    datagram.length = 1;
    server.reply(datagram);
    expect(() => server.reply(datagram)).toThrow(/already replied/);
    expect(() => server.release(datagram)).toThrow(/already replied/);
    server.flush();
    await until(() => asking.received.length === 1, 'the one reply');
    expect(() => server.release(datagram)).toThrow(/is free/);
    expect(server.freeSlots).toBe(256);
  });

  test('says when a datagram was longer than its slot', async () => {
    const seen: { length: number; truncated: boolean }[] = [];
    const server = await serve(name, (socket, datagrams, count) => {
      for (let i = 0; i < count; i++) {
        seen.push({ length: datagrams[i].length, truncated: datagrams[i].truncated });
        socket.release(datagrams[i]);
      }
    });
    const asking = await client('127.0.0.1');
    for (const length of [3_000, DATAGRAM_CAPACITY, DATAGRAM_CAPACITY + 1, 0, 12]) {
      await asking.send(Buffer.alloc(length, 7), server.local.port, '127.0.0.1');
    }
    await until(() => seen.length === 5, 'five datagrams');
    expect(seen).toEqual([
      { length: DATAGRAM_CAPACITY, truncated: true },
      { length: DATAGRAM_CAPACITY, truncated: false },
      { length: DATAGRAM_CAPACITY, truncated: true },
      { length: 0, truncated: false },
      { length: 12, truncated: false },
    ]);
  });

  test('sends the others when one reply cannot be sent', async () => {
    const server = await serve(name, (socket, datagrams, count) => {
      for (let i = 0; i < count; i++) {
        const datagram = datagrams[i];
        if (datagram.octets[0] === 0x78) {
          // From a socket on the loopback nothing leads there; node:dgram goes by the port.
          datagram.peer.set([203, 0, 113, 1]);
          datagram.peerPort = 0;
        }
        socket.reply(datagram);
      }
      socket.flush();
    });
    const asking = await client('127.0.0.1');
    const sent = [...'abxcxxdex'].map((letter) => Buffer.from(letter));
    await Promise.all(sent.map((octets) => asking.send(octets, server.local.port, '127.0.0.1')));
    await until(() => asking.received.length === 5, 'five replies');
    await until(() => server.counters.unsent === 4, 'four refusals');
    expect(asking.received.map(({ message }) => message.toString()).join('')).toBe('abcde');
    expect(server.freeSlots).toBe(256);
    expect(server.counters.sent).toBe(5);
  });

  test('comes out of 10,000 datagrams in bursts with every slot', async () => {
    const server = await serve(name, echo, { slots: 100 });
    const { counters } = server;
    const clients = await Promise.all(Array.from({ length: 4 }, () => client('127.0.0.1')));
    const answered = () => clients.reduce((sum, each) => sum + each.received.length, 0);
    // As many at once as the kernel's default buffers hold, so that every datagram can be accounted for.
    for (let burst = 1; burst <= 25; burst++) {
      await Promise.all(
        clients.flatMap((each) =>
          Array.from({ length: 100 }, () => each.send(Buffer.from('burst'), server.local.port, '127.0.0.1')),
        ),
      );
      await until(() => counters.received + counters.noSlot === burst * 400, `burst ${burst}`);
    }
    await until(() => counters.sent === counters.received && answered() === counters.sent, 'the echoes');
    expect(counters.received).toBeGreaterThan(2_500);
    expect(counters.unsent).toBe(0);
    expect(server.freeSlots).toBe(100);
  });

  test('gives each datagram back once under any interleaving of replies, releases and flushes', async () => {
    const held: Datagram[] = [];
    const server = await serve(
      name,
      (_, datagrams, count) => {
        held.push(...datagrams.slice(0, count));
      },
      { slots: 16 },
    );
    const asking = await client('127.0.0.1');
    const step = fc.record({
      act: fc.constantFrom('ask', 'ask', 'reply', 'reply', 'release', 'flush'),
      pick: fc.nat(),
    });
    let serial = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
        asking.received.length = 0;
        const due: string[] = [];
        for (const { act, pick } of steps) {
          if (act === 'ask') {
            const { received, noSlot } = server.counters;
            await asking.send(Buffer.from(`${serial++}`), server.local.port, '127.0.0.1');
            await until(
              () => server.counters.received + server.counters.noSlot > received + noSlot,
              'arrival',
            );
          } else if (act === 'flush') {
            server.flush();
          } else if (held.length > 0) {
            const [datagram] = held.splice(pick % held.length, 1);
            if (act === 'release') server.release(datagram);
            else {
              due.push(Buffer.from(datagram.octets.subarray(0, datagram.length)).toString());
              server.reply(datagram);
            }
          }
        }
        for (const datagram of held.splice(0)) server.release(datagram);
        server.flush();
        await until(() => server.freeSlots === 16 && asking.received.length >= due.length, 'the replies');
        expect(asking.received.map(({ message }) => message.toString())).toEqual(due);
      }),
      { numRuns: 25 },
    );
  });

  test('forgets what is replied after it was closed', async () => {
    const held: Datagram[] = [];
    const server = await serve(name, (_, datagrams, count) => {
      held.push(...datagrams.slice(0, count));
    });
    const asking = await client('127.0.0.1');
    for (let i = 0; i < 2; i++) await asking.send(Buffer.from('?'), server.local.port, '127.0.0.1');
    await until(() => held.length === 2, 'two datagrams');
    await server.close();
    await server.close();
    server.reply(held[0]);
    server.release(held[1]);
    server.flush();
    expect(server.counters).toMatchObject({ sent: 0, unsent: 1 });
    expect(server.freeSlots).toBe(256);
  });

  test.each([
    {
      what: 'a name',
      options: { address: 'localhost' },
      says: /'localhost': expected an IPv4 or IPv6 literal/,
    },
    {
      what: 'a port out of range',
      options: { port: 65_536 },
      says: /port 65536: expected a whole number from 0 to/,
    },
    { what: 'no slots', options: { slots: 0 }, says: /0 slots; expected a whole number/ },
    {
      what: 'an address of somebody else',
      options: { address: '192.0.2.1' },
      says: /UDP 192\.0\.2\.1 port 0: EADDRNOTAVAIL; this machine has no such/,
    },
  ])('refuses $what and says what to write', async ({ options, says }) => {
    await expect(serve(name, echo, options)).rejects.toThrow(says);
  });

  test('says who is in the way when the port is taken', async () => {
    const first = await serve(name, echo);
    await expect(serve(name, echo, { port: first.local.port })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: expect.stringMatching(/another process listens there/),
    });
  });
});

/** Addresses of this machine that are no link-local ones, which would need a zone to be asked. */
const machineAddresses = (family: string): string[] =>
  Object.values(networkInterfaces()).flatMap((infos = []) =>
    infos.filter((info) => info.family === family && !info.scopeid).map(({ address }) => address),
  );

/** Only the kernel's packet information reaches the rest of 127.0.0.0/8; the portable engine knows interfaces. */
const loopbacks = Array.from({ length: 8 }, (_, i) => `127.0.0.${i + 2}`);

const askable = (name: EngineName): string[] => [
  ...machineAddresses('IPv4'),
  ...(name === 'native' ? loopbacks : []),
];

describe.each([
  ...ENGINES.map((name) => ({ name, address: '0.0.0.0', asked: askable(name) })),
  ...(hasIpv6 ? ENGINES.map((name) => ({ name, address: '::', asked: machineAddresses('IPv6') })) : []),
])('a $name server socket on $address', ({ name, address, asked }) => {
  test('answers from the address that was asked', async () => {
    const server = await serve(name, echo, { address });
    const asking = await client(address);
    for (let round = 0; round < 3; round++) {
      asking.received.length = 0;
      await Promise.all(asked.map((to) => asking.send(Buffer.from(to), server.local.port, to)));
      await until(() => asking.received.length === asked.length, `answers from ${asked.join(', ')}`);
      for (const { message, address: from } of asking.received) expect(message.toString()).toBe(`${from}!`);
    }
    expect(server.counters.unsent).toBe(0);
  });

  test('never shows a peer in the IPv4-mapped form', async () => {
    const seen: number[] = [];
    const server = await serve(
      name,
      (socket, datagrams, count) => {
        for (let i = 0; i < count; i++) seen.push(datagrams[i].peerLength);
        echo(socket, datagrams, count);
      },
      { address },
    );
    const asking = await client('127.0.0.1');
    await asking.send(Buffer.from('v4'), server.local.port, '127.0.0.1');
    await settle();
    expect(seen).toEqual(address === '::' ? [] : [4]);
  });
});
