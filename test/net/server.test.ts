import { afterEach, describe, expect, test } from 'vitest';
import type { Datagram, DatagramSocket, DatagramSocketOptions, EngineName } from '../../src/net/index.ts';
import { openEngine } from '../../src/net/index.ts';
import { Client, hasIpv6, until } from './harness.ts';

const ENGINES: EngineName[] = ['native', 'portable'];
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
});
