import { createSocket } from 'node:dgram';
import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import type { ConnectedSocket, ConnectedSocketOptions, Engine } from '../../src/net/index.ts';
import { DATAGRAM_CAPACITY, openEngine } from '../../src/net/index.ts';
import { Client, hasIpv6, runnableEngines, settle, until } from './harness.ts';

const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

async function upstream(address: string): Promise<Client> {
  const opened = await Client.open(address);
  closers.push(() => opened.close());
  return opened;
}

/** A connected socket that writes down what happens to it. */
async function dial(
  engine: Engine,
  address: string,
  port: number,
  options: Partial<ConnectedSocketOptions> = {},
): Promise<{ socket: ConnectedSocket; events: string[] }> {
  const events: string[] = [];
  const socket = await engine.connect({
    peer: { address, port },
    bufferLength: 1 << 20,
    onDatagram: (octets, at, length) => events.push(Buffer.from(octets.subarray(at, at + length)).toString()),
    onBatchEnd: () => events.push('end'),
    onError: (error) => events.push(error.code ?? error.message),
    ...options,
  });
  closers.push(() => socket.close());
  return { socket, events };
}

const octetsOf = (text: string): Uint8Array => Buffer.from(text);

describe.each(await runnableEngines())('a %s connected socket', (name) => {
  test.each(['127.0.0.1', ...(hasIpv6 ? ['::1'] : [])])('asks and is answered on %s', async (address) => {
    const { engine } = await openEngine(name);
    const peer = await upstream(address);
    const { socket, events } = await dial(engine, address, peer.port);
    socket.send(octetsOf('one and more'), 3);
    socket.send(octetsOf('two'), 3);
    await settle(20);
    expect(peer.received).toEqual([]);
    socket.flush();
    await until(() => peer.received.length === 2, 'two datagrams');
    expect(peer.received.map(({ message }) => message.toString())).toEqual(['one', 'two']);
    expect(peer.received[0]).toMatchObject({ address, port: socket.localPort });

    await peer.send(octetsOf('answer'), socket.localPort, address);
    await until(() => events.includes('end'), 'the answer');
    expect(events).toEqual(['answer', 'end']);
  });

  test('copies what it queues, and sends by itself when the queue is full', async () => {
    const { engine } = await openEngine(name);
    const peer = await upstream('127.0.0.1');
    const { socket } = await dial(engine, '127.0.0.1', peer.port);
    const octets = new Uint8Array(3);
    for (let i = 0; i < 150; i++) {
      octets.fill(i);
      socket.send(octets, 3);
    }
    await until(() => peer.received.length === 128, 'two full queues');
    socket.flush();
    await until(() => peer.received.length === 150, 'the rest');
    expect(peer.received.map(({ message }) => message[2])).toEqual(Array.from({ length: 150 }, (_, i) => i));
  });

  test('hears nobody but its peer', async () => {
    const { engine } = await openEngine(name);
    const peer = await upstream('127.0.0.1');
    const stranger = await upstream('127.0.0.1');
    const sameHost = await upstream('127.0.0.1');
    const { socket, events } = await dial(engine, '127.0.0.1', peer.port);
    await stranger.send(octetsOf('forged'), socket.localPort, '127.0.0.1');
    await sameHost.send(octetsOf('forged too'), socket.localPort, '127.0.0.1');
    await settle();
    await peer.send(octetsOf('true'), socket.localPort, '127.0.0.1');
    await until(() => events.includes('end'), 'the true answer');
    expect(events).toEqual(['true', 'end']);
  });

  test('passes over a datagram longer than a slot', async () => {
    const { engine } = await openEngine(name);
    const peer = await upstream('127.0.0.1');
    const { socket, events } = await dial(engine, '127.0.0.1', peer.port);
    await peer.send(new Uint8Array(DATAGRAM_CAPACITY + 1), socket.localPort, '127.0.0.1');
    await peer.send(octetsOf('fits'), socket.localPort, '127.0.0.1');
    await until(() => events.includes('fits'), 'the one that fits');
    expect(events.filter((event) => event !== 'end')).toEqual(['fits']);
  });

  test('tells that nobody listens, and works once somebody does', async () => {
    const { engine } = await openEngine(name);
    const gone = await Client.open('127.0.0.1');
    const { port } = gone;
    await gone.close();
    const { socket, events } = await dial(engine, '127.0.0.1', port);
    socket.send(octetsOf('anyone?'), 7);
    socket.flush();
    await until(() => events.includes('ECONNREFUSED'), 'the refusal');

    const back = createSocket('udp4');
    closers.push(() => void back.close());
    const heard: string[] = [];
    back.on('message', (message) => heard.push(message.toString()));
    await new Promise<void>((done) => back.bind(port, '127.0.0.1', done));
    socket.send(octetsOf('and now?'), 8);
    socket.flush();
    await until(() => heard.length === 1, 'the second try');
    expect(heard).toEqual(['and now?']);
  });

  test('may be closed by whoever hears it, and is silent from then on', async () => {
    const { engine } = await openEngine(name);
    const peer = await upstream('127.0.0.1');
    const heard: string[] = [];
    const { socket } = await dial(engine, '127.0.0.1', peer.port, {
      onDatagram: (octets, at, length) => {
        heard.push(Buffer.from(octets.subarray(at, at + length)).toString());
        socket.close();
      },
    });
    const { localPort } = socket;
    await Promise.all(['a', 'b', 'c'].map((text) => peer.send(octetsOf(text), localPort, '127.0.0.1')));
    await settle();
    expect(heard).toEqual(['a']);
    socket.send(octetsOf('late'), 4);
    socket.flush();
    socket.close();
    await settle();
    expect(peer.received).toEqual([]);
  });

  test('can be one of hundreds, each with its own port', async () => {
    const { engine } = await openEngine(name);
    const peer = await upstream('127.0.0.1');
    const dialled = await Promise.all(
      Array.from({ length: 300 }, () => dial(engine, '127.0.0.1', peer.port)),
    );
    const ports = new Set(dialled.map(({ socket }) => socket.localPort));
    expect(ports.size).toBe(300);
    for (const { socket } of dialled) socket.send(octetsOf(`from ${socket.localPort}`), 10);
    for (const { socket } of dialled) socket.flush();
    await until(() => peer.received.length === 300, '300 datagrams');
    for (const { message, port } of peer.received) expect(message.toString()).toBe(`from ${port}`);
    await Promise.all(peer.received.map(({ port }) => peer.send(octetsOf(`to ${port}`), port, '127.0.0.1')));
    await until(() => dialled.every(({ events }) => events.length === 2), '300 answers');
    for (const { socket, events } of dialled) expect(events).toEqual([`to ${socket.localPort}`, 'end']);
  });

  test.runIf(process.platform === 'linux')('gives its descriptor back', async () => {
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    const { engine } = await openEngine(name);
    const peer = await upstream('127.0.0.1');
    const before = descriptors();
    for (let round = 0; round < 3; round++) {
      const dialled = await Promise.all(
        Array.from({ length: 50 }, () => dial(engine, '127.0.0.1', peer.port)),
      );
      expect(descriptors()).toBeGreaterThanOrEqual(before + 50);
      for (const { socket } of dialled) socket.close();
      await until(() => descriptors() <= before, 'the descriptors');
    }
  });

  test.each([
    {
      what: 'a name for a peer',
      address: 'localhost',
      port: 53,
      says: /'localhost': expected an IPv4 or IPv6 literal/,
    },
    {
      what: 'a port out of range',
      address: '127.0.0.1',
      port: 70_000,
      says: /port 70000: expected a whole number/,
    },
  ])('refuses $what', async ({ address, port, says }) => {
    const { engine } = await openEngine(name);
    await expect(dial(engine, address, port)).rejects.toThrow(says);
  });

  test('refuses a datagram longer than a slot', async () => {
    const { engine } = await openEngine(name);
    const peer = await upstream('127.0.0.1');
    const { socket } = await dial(engine, '127.0.0.1', peer.port);
    expect(() => socket.send(new Uint8Array(DATAGRAM_CAPACITY + 1), DATAGRAM_CAPACITY + 1)).toThrow(
      RangeError,
    );
  });
});
