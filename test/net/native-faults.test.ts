/** What a kernel does on bad days, played by a libc whose calls are replaced one by one. */
import { afterEach, describe, expect, test } from 'vitest';
import type { BatchHandler, Datagram, DatagramSocketOptions } from '../../src/net/index.ts';
import type { Libc } from '../../src/net/libc.ts';
import { EAGAIN, ECONNREFUSED, EINTR, loadLibc } from '../../src/net/libc.ts';
import { openNativeOn } from '../../src/net/native.ts';
import { ConnectedSockets } from '../../src/net/native-connected.ts';
import { Opener } from '../../src/net/native-open.ts';
import { NativeSocket } from '../../src/net/native-socket.ts';
import { Watch } from '../../src/net/watch.ts';
import { Client, scripted, settle, until } from './harness.ts';

const EPERM = 1;
const ENOSYS = 38;
const ENOBUFS = 105;

const loaded = await loadLibc();
const skipped = loaded.libc === null ? loaded.reason : null;
if (skipped !== null) console.log(`native engine not tested: ${skipped}`);
const real = loaded.libc as Libc;

const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

async function client(): Promise<Client> {
  const opened = await Client.open('127.0.0.1');
  closers.push(() => opened.close());
  return opened;
}

function listen(
  libc: Libc,
  options: Partial<DatagramSocketOptions> & { onBatch: BatchHandler },
): NativeSocket {
  const socket = new NativeSocket(libc, new Opener(libc), new Watch(libc), {
    address: '127.0.0.1',
    port: 0,
    reusePort: false,
    slots: 128,
    bufferLength: 1 << 20,
    onError: (error) => {
      throw error;
    },
    ...options,
  });
  closers.push(() => socket.close());
  return socket;
}

describe.skipIf(skipped !== null)('openNativeOn', () => {
  test.each([
    { call: 'recvmmsg', reason: 'trying recvmmsg: ENOSYS' },
    { call: 'sendmmsg', reason: 'trying sendmmsg: ENOSYS' },
    { call: 'socket', reason: 'open a UDP socket for IPv4: ENOSYS' },
  ])('is not native in a sandbox without $call', ({ call, reason }) => {
    let isLast = false;
    const libc: Libc = {
      ...real,
      [call]: () => {
        isLast = true;
        return -1;
      },
      errno: () => (isLast ? ENOSYS : real.errno()),
    };
    expect(openNativeOn(libc)).toEqual({ reason });
  });
});

describe.skipIf(skipped !== null)('sending replies', () => {
  test.each([
    {
      name: 'goes on where the kernel stopped',
      script: [{ sends: 2 }, { sends: 1 }],
      arrive: '0123456789',
      unsent: 0,
    },
    {
      name: 'tries again when interrupted',
      script: [{ errno: EINTR }, { sends: 4 }, { errno: EINTR }],
      arrive: '0123456789',
      unsent: 0,
    },
    {
      name: 'passes over the one that is refused',
      script: [{ sends: 3 }, { errno: EPERM }],
      arrive: '012456789',
      unsent: 1,
    },
    {
      name: 'passes over the first and the last',
      script: [{ errno: ECONNREFUSED }, { sends: 8 }, { errno: ENOBUFS }],
      arrive: '12345678',
      unsent: 2,
    },
    {
      name: 'gives up the rest when the buffer is full',
      script: [{ sends: 4 }, { errno: EAGAIN }],
      arrive: '0123',
      unsent: 6,
    },
  ])('$name', async ({ script, arrive, unsent }) => {
    const held: Datagram[] = [];
    const libc = scripted(real, script);
    const server = listen(libc, {
      onBatch: (datagrams, count) => {
        held.push(...datagrams.slice(0, count));
      },
    });
    const asking = await client();
    for (const digit of '0123456789') await asking.send(Buffer.from(digit), server.local.port, '127.0.0.1');
    await until(() => held.length === 10, 'ten datagrams');
    for (const datagram of held) server.reply(datagram);
    server.flush();
    expect(server.counters).toMatchObject({ sent: 10 - unsent, unsent });
    expect(server.freeSlots).toBe(128);
    await until(() => asking.received.length === arrive.length, 'what was sent');
    expect(asking.received.map(({ message }) => message.toString()).join('')).toBe(arrive);
  });

  test('takes at most 64 in one call', async () => {
    const held: Datagram[] = [];
    const libc = scripted(real, []);
    const server = listen(libc, {
      onBatch: (datagrams, count) => {
        held.push(...datagrams.slice(0, count));
      },
    });
    const asking = await client();
    for (let i = 0; i < 100; i++) await asking.send(Buffer.from('?'), server.local.port, '127.0.0.1');
    await until(() => held.length === 100, '100 datagrams');
    for (const datagram of held) server.reply(datagram);
    server.flush();
    expect(libc.asked).toEqual([64, 36]);
    await until(() => asking.received.length === 100, '100 replies');
  });
});

describe.skipIf(skipped !== null)('draining', () => {
  test.each([
    { name: 'with slots', slots: 128, batches: 4, received: 256, noSlot: 0 },
    { name: 'with fewer slots than a batch', slots: 10, batches: 4, received: 40, noSlot: 0 },
  ])('stops after four batches while more keeps coming, $name', ({ slots, batches, received, noSlot }) => {
    const endless: Libc = { ...real, recvmmsg: (_fd, _headers, count) => count };
    const server: NativeSocket = listen(endless, {
      slots,
      onBatch: (datagrams, count) => {
        for (let i = 0; i < count; i++) server.release(datagrams[i]);
      },
    });
    server.drain();
    expect(server.counters).toMatchObject({ batches, received, noSlot });
    expect(server.freeSlots).toBe(slots);
  });

  test('stops after four batches that found no slot', () => {
    const endless: Libc = { ...real, recvmmsg: (_fd, _headers, count) => count };
    const server = listen(endless, { slots: 1, onBatch: () => undefined });
    server.drain();
    expect(server.counters).toMatchObject({ received: 1, noSlot: 3 * 64 });
  });

  test('reports an error of the socket and serves on', async () => {
    const errors: (string | undefined)[] = [];
    const heard: string[] = [];
    let failures = 1;
    let errno: number | null = null;
    const libc: Libc = {
      ...real,
      recvmmsg: (fd, headers, count) => {
        errno = failures-- > 0 ? ENOBUFS : null;
        return errno === null ? real.recvmmsg(fd, headers, count) : -1;
      },
      errno: () => errno ?? real.errno(),
    };
    const server: NativeSocket = listen(libc, {
      onError: (error: NodeJS.ErrnoException) => errors.push(error.code),
      onBatch: (datagrams, count) => {
        for (let i = 0; i < count; i++) {
          heard.push(Buffer.from(datagrams[i].octets.subarray(0, datagrams[i].length)).toString());
          server.release(datagrams[i]);
        }
      },
    });
    const asking = await client();
    await asking.send(Buffer.from('still here'), server.local.port, '127.0.0.1');
    await until(() => heard.length === 1, 'the datagram');
    expect(errors).toEqual(['ENOBUFS']);
    expect(heard).toEqual(['still here']);
  });
});

describe.skipIf(skipped !== null)('a connected socket', () => {
  const dial = (libc: Libc, port: number) => {
    const events: string[] = [];
    const sockets = new ConnectedSockets(libc, new Opener(libc), new Watch(libc));
    const socket = sockets.connect({
      peer: { address: '127.0.0.1', port },
      bufferLength: 1 << 18,
      onDatagram: (octets, at, length) =>
        events.push(Buffer.from(octets.subarray(at, at + length)).toString()),
      onBatchEnd: () => undefined,
      onError: (error) => events.push(error.code ?? error.message),
    });
    closers.push(() => socket.close());
    return { socket, events };
  };

  test('sends the datagram whose place an earlier refusal took', async () => {
    const peer = await client();
    const { socket, events } = dial(scripted(real, [{ errno: ECONNREFUSED }]), peer.port);
    socket.send(Buffer.from('a'), 1);
    socket.send(Buffer.from('b'), 1);
    socket.flush();
    await until(() => peer.received.length === 2, 'both');
    expect(peer.received.map(({ message }) => message.toString())).toEqual(['a', 'b']);
    expect(events).toEqual(['ECONNREFUSED']);
  });

  test('loses one datagram, not its queue, to a firewall', async () => {
    const peer = await client();
    const { socket, events } = dial(scripted(real, [{ sends: 1 }, { errno: EPERM }]), peer.port);
    for (const letter of 'abc') socket.send(Buffer.from(letter), 1);
    socket.flush();
    await until(() => peer.received.length === 2, 'the others');
    expect(peer.received.map(({ message }) => message.toString())).toEqual(['a', 'c']);
    expect(events).toEqual(['EPERM']);
  });

  test('throws away what strangers sent before it had a peer', async () => {
    const peer = await client();
    const aside = new Opener(real);
    // Stretches the moment between getting a port and getting a peer, which the kernel has inside of connect.
    const slow: Libc = {
      ...real,
      connect: (fd, address, length) => {
        aside.bind(fd, Uint8Array.of(127, 0, 0, 1), { address: '127.0.0.1', port: 0 });
        const stranger = dial(real, aside.localPort(fd)).socket;
        for (let i = 0; i < 65; i++) stranger.send(Buffer.from('forged'), 6);
        stranger.flush();
        return real.connect(fd, address, length);
      },
    };
    const { socket, events } = dial(slow, peer.port);
    await settle();
    await peer.send(Buffer.from('true'), socket.localPort, '127.0.0.1');
    await until(() => events.length > 0, 'an answer');
    expect(events).toEqual(['true']);
  });
});
