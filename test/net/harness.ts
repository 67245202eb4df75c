/** What the tests of both engines share: a plain node:dgram client, and waiting with a limit. */
import type { Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import type { EngineName } from '../../src/net/index.ts';
import { openEngine } from '../../src/net/index.ts';
import type { Libc } from '../../src/net/libc.ts';

export interface Received {
  readonly message: Buffer;
  readonly address: string;
  readonly port: number;
}

/** A client that keeps what it gets, so that a test can ask after the fact. */
export class Client {
  readonly received: Received[] = [];
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (message, peer) => this.received.push({ message, ...peer }));
    socket.on('error', () => undefined);
  }

  static async open(address: string): Promise<Client> {
    const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 4 << 20 });
    socket.bind(0, address);
    await once(socket, 'listening');
    return new Client(socket);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(octets: Uint8Array, port: number, address: string): Promise<void> {
    return new Promise((done, fail) => {
      this.#socket.send(octets, port, address, (error) => (error === null ? done() : fail(error)));
    });
  }

  async close(): Promise<void> {
    const closed = once(this.#socket, 'close');
    this.#socket.close();
    await closed;
  }
}

/** Waits until `isSo`, or fails after `limitMs` with `what`. */
export async function until(isSo: () => boolean, what: string, limitMs = 5_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms for ${what}`);
    await new Promise((wake) => setTimeout(wake, 2));
  }
}

/** Lets whatever is on its way arrive; for showing that nothing does. */
export const settle = (ms = 60): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

/** Whether this machine has ::1, which containers often lack. */
export const hasIpv6 = Object.values(networkInterfaces()).some((infos) =>
  infos?.some(({ address }) => address === '::1'),
);

/** The engines that this machine can run. */
export async function runnableEngines(): Promise<EngineName[]> {
  const { engine, reason } = await openEngine('auto');
  if (engine.name === 'native') return ['native', 'portable'];
  console.log(`native engine not tested: ${reason}`);
  return ['portable'];
}

/** What a scripted kernel does with one call of `sendmmsg`. */
export type Act = { readonly sends: number } | { readonly errno: number };

/** A kernel that answers `sendmmsg` from a script, so many sent at most or an error, and then is the real one. */
export function scripted(real: Libc, script: readonly Act[]): Libc & { readonly asked: number[] } {
  const asked: number[] = [];
  let errno: number | null = null;
  return {
    ...real,
    asked,
    sendmmsg: (fd, headers, count) => {
      const act = script[asked.length];
      asked.push(count);
      errno = null;
      if (act === undefined) return real.sendmmsg(fd, headers, count);
      if ('sends' in act) return real.sendmmsg(fd, headers, Math.min(count, act.sends));
      errno = act.errno;
      return -1;
    },
    errno: () => errno ?? real.errno(),
  };
}
