/** Replies of one length to one peer go out as one message that the kernel cuts up (UDP_SEGMENT). */
import { afterEach, describe, expect, test } from 'vitest';
import type { Datagram } from '../../src/net/index.ts';
import type { Libc } from '../../src/net/libc.ts';
import { EAGAIN, EINTR, EINVAL, EIO, loadLibc } from '../../src/net/libc.ts';
import { Opener } from '../../src/net/native-open.ts';
import { NativeSocket } from '../../src/net/native-socket.ts';
import { knowsTrains } from '../../src/net/try-out.ts';
import { Watch } from '../../src/net/watch.ts';
import { type Act, Client, hasIpv6, scripted, until } from './harness.ts';

const loaded = await loadLibc();
const real = loaded.libc as Libc;
const isKnown = loaded.libc !== null && knowsTrains(real, new Opener(real));
if (!isKnown) console.log('trains not tested: this kernel does not know UDP_SEGMENT');

const EPERM = 1;

const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

async function client(address = '127.0.0.1'): Promise<Client> {
  const opened = await Client.open(address);
  closers.push(() => opened.close());
  return opened;
}

/** A server that keeps what it gets; its kernel answers `sendmmsg` from a script first. `asked`: messages of each call. */
function listen(script: readonly Act[] = [], address = '127.0.0.1') {
  const held: Datagram[] = [];
  const libc = scripted(real, script);
  const options = {
    address,
    port: 0,
    reusePort: false,
    slots: 256,
    bufferLength: 4 << 20,
    onBatch: (datagrams: readonly Datagram[], count: number) => void held.push(...datagrams.slice(0, count)),
    onError: (error: Error) => {
      throw error;
    },
  };
  const server = new NativeSocket(libc, new Opener(libc), new Watch(libc), options, true);
  closers.push(() => server.close());
  return { server, held, asked: libc.asked };
}

/** Asks with each text from its client, one after the other, and sends all texts back in one flush. */
async function echo(
  { server, held }: ReturnType<typeof listen>,
  questions: readonly (readonly [Client, string])[],
  address = '127.0.0.1',
): Promise<void> {
  for (const [from, text] of questions) await from.send(Buffer.from(text), server.local.port, address);
  await until(() => held.length === questions.length, 'all questions');
  for (const datagram of held.splice(0)) server.reply(datagram);
  server.flush();
}

const texts = (heard: Client): string[] => heard.received.map(({ message }) => message.toString());

describe.skipIf(!isKnown)('replies of one flush', () => {
  test('of one length to one peer are one message for the kernel, and arrive one by one', async () => {
    const asking = await client();
    const listening = listen();
    const sent = Array.from({ length: 50 }, (_, i) => `q${String(i).padStart(3, '0')}`);
    await echo(
      listening,
      sent.map((text) => [asking, text] as const),
    );
    await until(() => asking.received.length === 50, 'fifty replies');
    expect(texts(asking)).toEqual(sent);
    expect(listening.asked).toEqual([1]);
    expect(listening.server.counters).toMatchObject({ sent: 50, unsent: 0 });
    expect(listening.server.freeSlots).toBe(256);
  });

  test('of many lengths to several peers reach whom they are for, as they are', async () => {
    const clients = await Promise.all([client(), client(), client('127.0.0.2')]);
    const listening = listen();
    const questions = Array.from({ length: 180 }, (_, i) => {
      const text = `${i}:`.padEnd(4 + ((i * 7) % 5) * 250, 'x');
      return [clients[i % 3], text] as const;
    });
    await echo(listening, questions);
    for (const each of clients) {
      const own = questions.filter(([from]) => from === each).map(([, text]) => text);
      await until(() => each.received.length === own.length, 'every reply');
      expect(texts(each).sort()).toEqual(own.sort());
      expect(new Set(each.received.map(({ port }) => port))).toEqual(new Set([listening.server.local.port]));
    }
    expect(listening.asked).toHaveLength(3);
    expect(listening.asked.reduce((sum, count) => sum + count)).toBeLessThan(60);
    expect(listening.server.counters).toMatchObject({ sent: 180, unsent: 0 });
  });

  test('that are all different go as they did before', async () => {
    const asking = await client();
    const listening = listen();
    const sent = Array.from({ length: 20 }, (_, i) => 'y'.repeat(i + 1));
    await echo(
      listening,
      sent.map((text) => [asking, text] as const),
    );
    await until(() => asking.received.length === 20, 'twenty replies');
    expect(texts(asking)).toEqual(sent);
    expect(listening.asked).toEqual([20]);
  });

  test('longer than one message may be are cut into several', async () => {
    const asking = await client();
    const listening = listen();
    const sent = Array.from({ length: 64 }, (_, i) => `${i}`.padEnd(1232, 'z'));
    await echo(
      listening,
      sent.map((text) => [asking, text] as const),
    );
    await until(() => asking.received.length === 64, 'all replies');
    expect(texts(asking)).toEqual(sent);
    expect(listening.asked).toEqual([2]);
  });

  test('come from the address that was asked', async () => {
    const asking = await client();
    const listening = listen([], '0.0.0.0');
    const { server, held } = listening;
    for (let i = 0; i < 30; i++) {
      await asking.send(
        Buffer.from(`w${String(i).padStart(2, '0')}`),
        server.local.port,
        `127.0.0.${3 + (i % 3)}`,
      );
    }
    await until(() => held.length === 30, 'all questions');
    for (const datagram of held.splice(0)) server.reply(datagram);
    server.flush();
    await until(() => asking.received.length === 30, 'all replies');
    for (const { message, address } of asking.received) {
      expect(address).toBe(`127.0.0.${3 + (Number(message.toString().slice(1)) % 3)}`);
    }
    expect(listening.asked).toEqual([3]);
  });

  test.skipIf(!hasIpv6).each(['::1', '::'])('hold over IPv6 on %s', async (address) => {
    const asking = await client('::1');
    const listening = listen([], address);
    const sent = Array.from({ length: 40 }, (_, i) => `v${String(i).padStart(2, '0')}`);
    await echo(
      listening,
      sent.map((text) => [asking, text] as const),
      '::1',
    );
    await until(() => asking.received.length === 40, 'forty replies');
    expect(texts(asking)).toEqual(sent);
    expect(listening.asked).toEqual([1]);
  });
});

describe.skipIf(!isKnown)('a kernel that', () => {
  // Three trains: four replies of one octet, three of two, two of three.
  const QUESTIONS = ['a', 'b', 'c', 'd', 'ee', 'ff', 'gg', 'hhh', 'iii'];

  test.each<{ name: string; script: Act[]; arrive: string[]; asked: number[] }>([
    { name: 'stops after one', script: [{ sends: 1 }], arrive: QUESTIONS, asked: [3, 2] },
    { name: 'is interrupted', script: [{ errno: EINTR }], arrive: QUESTIONS, asked: [3, 3] },
    {
      name: 'refuses one',
      script: [{ sends: 1 }, { errno: EPERM }],
      arrive: ['a', 'b', 'c', 'd', 'hhh', 'iii'],
      asked: [3, 2, 1],
    },
    {
      name: 'has no room',
      script: [{ sends: 1 }, { errno: EAGAIN }],
      arrive: ['a', 'b', 'c', 'd'],
      asked: [3, 2],
    },
    {
      name: 'cannot cut up what goes this way gets them one by one',
      script: [{ sends: 1 }, { errno: EIO }],
      arrive: QUESTIONS,
      asked: [3, 2, 1, 1, 1, 1],
    },
    {
      name: 'cannot, and has room for one only',
      script: [{ errno: EINVAL }, { sends: 1 }, { errno: EAGAIN }],
      arrive: ['a'],
      asked: [3, 1, 1],
    },
  ])('$name', async ({ script, arrive, asked }) => {
    const asking = await client();
    const listening = listen(script);
    await echo(
      listening,
      QUESTIONS.map((text) => [asking, text] as const),
    );
    await until(() => asking.received.length === arrive.length, 'what was sent');
    expect(texts(asking)).toEqual(arrive);
    expect(listening.asked).toEqual(asked);
    const { sent, unsent } = listening.server.counters;
    expect([sent, unsent]).toEqual([arrive.length, QUESTIONS.length - arrive.length]);
    expect(listening.server.freeSlots).toBe(256);
  });

  test('cannot cut up is not asked to for a while', async () => {
    const asking = await client();
    const listening = listen([{ errno: EIO }]);
    const questions = ['a', 'b'].map((text) => [asking, text] as const);
    await echo(listening, questions);
    await echo(listening, questions);
    await until(() => asking.received.length === 4, 'all replies');
    expect(listening.asked).toEqual([1, 1, 1, 2]);
  });

  test('sends a train as one long datagram is not trusted with trains', () => {
    const memories: { readonly address: number; readonly octets: Uint8Array }[] = [];
    let sent = 0;
    const libc: Libc = {
      ...real,
      addressOf: (octets) => {
        const address = real.addressOf(octets);
        memories.push({ address, octets });
        return address;
      },
      // As a kernel does that does not know the option: it passes over the control data.
      sendmmsg: (fd, headers, count) => {
        const memory = memories.find(({ address }) => address === headers);
        if (memory === undefined) throw new Error('headers at an unknown address');
        memory.octets.fill(0, 40, 48);
        sent = real.sendmmsg(fd, headers, count);
        return sent;
      },
    };
    expect(knowsTrains(libc, new Opener(libc))).toBe(false);
    expect(sent).toBe(1);
  });

  test('refuses the option is not trusted with trains', () => {
    const libc: Libc = { ...real, sendmmsg: () => -1, errno: () => EINVAL };
    expect(knowsTrains(libc, new Opener(libc))).toBe(false);
  });
});
