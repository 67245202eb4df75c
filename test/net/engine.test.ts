import { afterEach, describe, expect, test } from 'vitest';
import type { DatagramSocket, DatagramSocketOptions } from '../../src/net/index.ts';
import { openEngine } from '../../src/net/index.ts';
import { mayReusePort } from '../../src/net/portable-open.ts';
import { Client, runnableEngines, until } from './harness.ts';

const platform = Object.getOwnPropertyDescriptor(process, 'platform') as PropertyDescriptor;
const arch = Object.getOwnPropertyDescriptor(process, 'arch') as PropertyDescriptor;
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  Object.defineProperty(process, 'platform', platform);
  Object.defineProperty(process, 'arch', arch);
  await Promise.all(closers.splice(0).map((close) => close()));
});

describe('openEngine', () => {
  test('gives the portable engine when it is asked for', async () => {
    expect(await openEngine('portable')).toMatchObject({ engine: { name: 'portable' }, reason: 'asked for' });
  });

  test.each([
    { machine: { platform: 'darwin' }, reason: /not used on darwin/ },
    { machine: { arch: 'riscv64' }, reason: /no system call numbers known for riscv64/ },
  ])('says why it is not native on $machine', async ({ machine, reason }) => {
    for (const [key, value] of Object.entries(machine)) Object.defineProperty(process, key, { value });
    const opened = await openEngine('auto');
    expect(opened.engine.name).toBe('portable');
    expect(opened.reason).toMatch(reason);
    await expect(openEngine('native')).rejects.toThrow(/cannot run here \(.*\); choose auto or portable/);
  });

  test.runIf(process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch))(
    'takes the native one on this machine',
    async () => {
      expect(await openEngine('auto')).toMatchObject({ engine: { name: 'native' }, reason: null });
    },
  );
});

describe('mayReusePort', () => {
  test.each([
    { version: '20.19.0', may: false },
    { version: '22.11.9', may: false },
    { version: '22.12.0', may: true },
    { version: '23.0.1', may: false },
    { version: '23.1.0', may: true },
    { version: '24.0.0', may: true },
  ])('is $may on Node $version', ({ version, may }) => {
    expect(mayReusePort(version)).toBe(may);
  });
});

describe.each(await runnableEngines())('sharing a port with the %s engine', (name) => {
  const listen = async (port: number): Promise<DatagramSocket> => {
    const { engine } = await openEngine(name);
    const options: DatagramSocketOptions = {
      address: '127.0.0.1',
      port,
      reusePort: true,
      slots: 64,
      bufferLength: 1 << 18,
      onError: () => undefined,
      onBatch: (datagrams, count) => {
        for (let i = 0; i < count; i++) socket.reply(datagrams[i]);
        socket.flush();
      },
    };
    const socket: DatagramSocket = await engine.listen(options);
    closers.push(() => socket.close());
    return socket;
  };
  const can = name === 'native' || (mayReusePort(process.versions.node) && process.platform === 'linux');

  test.runIf(can)('spreads clients over the sockets', async () => {
    const first = await listen(0);
    const second = await listen(first.local.port);
    const clients = await Promise.all(Array.from({ length: 40 }, () => Client.open('127.0.0.1')));
    for (const each of clients) closers.push(() => each.close());
    for (const each of clients) await each.send(Buffer.from('?'), first.local.port, '127.0.0.1');
    await until(() => clients.every(({ received }) => received.length === 1), '40 replies');
    // The chance that forty source ports all hash to one of two sockets is 2^-39.
    expect(first.counters.received).toBeGreaterThan(0);
    expect(second.counters.received).toBeGreaterThan(0);
    expect(first.counters.received + second.counters.received).toBe(40);
  });

  test.runIf(!can)('is refused with what to do instead', async () => {
    await expect(listen(0)).rejects.toThrow(/cannot share a port on Node .*; run one worker, or Node 22\.12/);
  });
});
