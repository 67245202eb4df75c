import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { type Listener, openTcpListener, type StreamMessage } from '../../src/listen/index.ts';
import { Client } from './client.ts';
import { type Echo, echo, framed, idsOf, query, until } from './echo.ts';

const run = promisify(execFile);

const listeners: Listener[] = [];
const clients: Client[] = [];

async function open(path: Echo): Promise<Listener> {
  const listener = await openTcpListener(path);
  listeners.push(listener);
  return listener;
}

async function client(listener: Listener, from?: string): Promise<Client> {
  const made = await Client.tcp(listener.port, from);
  clients.push(made);
  return made;
}

afterEach(async () => {
  for (const made of clients.splice(0)) made.socket.destroy();
  for (const listener of listeners.splice(0)) {
    await listener.close(0);
    // Nothing leaks: whatever a test did, all connections and messages are given back.
    expect(listener.connections()).toBe(0);
    expect(listener.counters.open).toBe(0);
  }
});

describe('a TCP listener (RFC 7766)', () => {
  test('answers a query and says who asked', async () => {
    const path = echo();
    const listener = await open(path);
    const a = await client(listener, '127.0.0.7');
    a.send(query(7));
    const [response] = await a.gets(1);
    expect(response.readUInt16BE(0)).toBe(7);
    expect(response[2] & 0x80).toBe(0x80);
    expect(path.seen).toEqual(['tcp 127.0.0.7']);
  });

  test('answers a pipeline in one batch', async () => {
    const path = echo();
    const listener = await open(path);
    const a = await client(listener);
    a.send(...Array.from({ length: 50 }, (_, i) => query(i)));
    expect(idsOf(await a.gets(50))).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(path.batches).toBeLessThan(5);
  });

  test.each([1, 2, 3, 7, 13, 14, 30, 31, 32, 61])(
    'understands messages cut every %i octets',
    async (step) => {
      const listener = await open(echo());
      const a = await client(listener);
      const octets = framed(query(1), query(2, 12), query(3, 300));
      for (let at = 0; at < octets.length; at += step) {
        a.socket.write(octets.subarray(at, at + step));
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(idsOf(await a.gets(3))).toEqual([1, 2, 3]);
      expect(a.messages[2].length).toBe(300);
    },
  );

  test('takes a message of 65535 octets', async () => {
    const listener = await open(echo());
    const a = await client(listener);
    a.send(query(9, 65_535, 5));
    const [response] = await a.gets(1);
    expect(response.length).toBe(65_535);
    expect(response.subarray(29).every((octet) => octet === 5)).toBe(true);
  });

  test('sends a response longer than the slot', async () => {
    const large = new Uint8Array(60_000).fill(9);
    const listener = await open(
      echo({}, (message) => {
        message.octets = large;
        message.length = large.length;
        message.respond();
      }),
    );
    const a = await client(listener);
    a.send(query(1), query(2));
    expect((await a.gets(2)).map((response) => response.length)).toEqual([60_000, 60_000]);
  });

  test('lets a later answer overtake an earlier one', async () => {
    const held: (() => void)[] = [];
    const listener = await open(
      echo({}, (message, answer) => (message.octets[1] === 1 ? held.push(answer) : answer())),
    );
    const a = await client(listener);
    a.send(query(1), query(2), query(3));
    expect(idsOf(await a.gets(2))).toEqual([2, 3]);
    for (const answer of held) answer();
    expect(idsOf(await a.gets(3))).toEqual([2, 3, 1]);
  });

  test('answers what was asked before a half-close, then closes', async () => {
    const listener = await open(echo({}, (_message, answer) => setTimeout(answer, 50)));
    const a = await client(listener);
    a.socket.end(framed(query(1), query(2)));
    expect(idsOf(await a.gets(2))).toEqual([1, 2]);
    await until('the connection to close', () => a.closed);
    expect(listener.counters.closed.peer).toBe(1);
  });

  test.each([
    { name: 'length 0', octets: '0000' },
    { name: 'length 11', octets: '000b0001020304050607080900' },
  ])('closes in silence on $name, after answering what came before', async ({ octets }) => {
    const listener = await open(echo({}, (_message, answer) => setTimeout(answer, 30)));
    const a = await client(listener);
    a.socket.write(Buffer.concat([framed(query(1)), Buffer.from(octets, 'hex')]));
    await until('the server to end', () => a.ended);
    expect(idsOf(a.messages)).toEqual([1]);
    a.socket.end();
    await until('the connection to be counted', () => listener.counters.closed.malformed === 1);
  });

  test('goes on after a query that is dropped by policy', async () => {
    const listener = await open(
      echo({}, (message, answer) => (message.octets[1] === 1 ? message.discard() : answer())),
    );
    const a = await client(listener);
    a.send(query(1), query(2));
    expect(idsOf(await a.gets(1))).toEqual([2]);
    expect(listener.counters).toMatchObject({ discarded: 1, responses: 1, queries: 2, inFlight: 0 });
  });

  test('tells the path that the client is gone, and sends nothing then', async () => {
    let held: StreamMessage | null = null;
    const listener = await open(
      echo({}, (message) => {
        held = message;
      }),
    );
    const a = await client(listener);
    a.send(query(1));
    await until('the query', () => held !== null);
    const message = held as unknown as StreamMessage;
    expect(message.cancelled).toBe(false);
    a.socket.resetAndDestroy();
    await until('the reset to be seen', () => message.cancelled);
    message.respond();
    expect(listener.counters).toMatchObject({ cancelled: 1, responses: 0, inFlight: 0, open: 0 });
    expect(() => message.respond()).toThrow('answered or discarded twice');
  });

  test('answers what is in flight when it closes', async () => {
    const path = echo({}, (_message, answer) => setTimeout(answer, 100));
    const listener = await open(path);
    const a = await client(listener);
    const idle = await client(listener);
    a.send(query(1));
    await until('the query', () => path.seen.length === 1);
    const closed = listener.close(2000);
    expect(idsOf(await a.gets(1))).toEqual([1]);
    await until('the idle connection to be closed', () => idle.ended);
    a.socket.end();
    await closed;
    expect(listener.connections()).toBe(0);
  });

  test('is heard on ::1, too', async () => {
    const path = { ...echo(), address: '::1' };
    const listener = await open(path);
    expect(listener.address).toBe('::1');
  });

  test('says which address is in use', async () => {
    const listener = await open(echo());
    await expect(openTcpListener({ ...echo(), port: listener.port })).rejects.toThrow('EADDRINUSE');
  });
});

const hasDig = spawnSync('dig', ['-v']).error === undefined;
if (!hasDig) console.log('dig is not installed: its tests are skipped');

describe.skipIf(!hasDig)('real clients', () => {
  test.each([
    { name: 'dig', command: ['dig', '+tcp', '+keepopen', '+tries=1', '@127.0.0.1', '-p'] },
    { name: 'kdig', command: ['kdig', '+tcp', '+keepopen', '@127.0.0.1', '-p'] },
  ])('$name keeps a connection open for several queries', async ({ command: [program, ...flags] }) => {
    const path = echo();
    const listener = await open(path);
    const names = ['one.example.com', 'two.example.com', 'three.example.com'];
    const { stdout } = await run(program, [...flags, String(listener.port), ...names]);
    expect(stdout.match(/status: NOERROR/g)?.length).toBe(3);
    expect(path.seen.length).toBe(3);
    expect(listener.counters.accepted).toBe(1);
  });
});

describe('a connection of a load balancer', () => {
  const HEADER = Buffer.from('0d0a0d0a000d0a515549540a2111000cc6336407c000023514e90035', 'hex');
  const behindProxies = async (): Promise<{ path: Echo; listener: Listener }> => {
    const path = echo();
    const listener = await open({ ...path, isProxy: (address: string) => address === '127.0.0.7' } as Echo);
    return { path, listener };
  };

  test.each([1, 5, 16, 27, 28, 29, 60])(
    'is the client its PROXY header names, cut every %i octets',
    async (step) => {
      const { path, listener } = await behindProxies();
      const a = await client(listener, '127.0.0.7');
      const all = Buffer.concat([HEADER, framed(query(1), query(2))]);
      for (let at = 0; at < all.length; at += step) {
        a.socket.write(all.subarray(at, at + step));
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(idsOf(await a.gets(2))).toEqual([1, 2]);
      expect(path.seen).toEqual(['tcp 198.51.100.7', 'tcp 198.51.100.7']);
    },
  );

  test('is closed when it begins otherwise, and nothing of it is a query', async () => {
    const { path, listener } = await behindProxies();
    const a = await client(listener, '127.0.0.7');
    a.send(query(1));
    await until('the connection to be closed', () => a.ended || a.closed);
    expect(path.seen).toEqual([]);
    expect(listener.counters.closed.malformed).toBe(1);
  });

  test('of anybody else has no header: it reads as a message that is too short', async () => {
    const { path, listener } = await behindProxies();
    const a = await client(listener, '127.0.0.8');
    a.socket.write(Buffer.concat([HEADER, framed(query(1))]));
    a.socket.end();
    await until('the connection to be closed', () => a.closed);
    expect(path.seen).toEqual([]);
  });
});
