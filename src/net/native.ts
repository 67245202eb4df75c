/** The native engine: batches through recvmmsg and sendmmsg. One for each thread. */
import type { Engine } from './datagram.ts';
import * as c from './libc.ts';
import { ConnectedSockets } from './native-connected.ts';
import { Opener } from './native-open.ts';
import { NativeSocket } from './native-socket.ts';
import { knowsTrains, tryOut } from './try-out.ts';
import { Watch } from './watch.ts';

/** The engine, or the reason why this machine cannot run it. */
export async function openNative(): Promise<Engine | { readonly reason: string }> {
  const loaded = await c.loadLibc();
  if (loaded.libc === null) return { reason: loaded.reason };
  return openNativeOn(loaded.libc);
}

/** The engine on a library that was loaded; tests hand in one that misbehaves. */
export function openNativeOn(libc: c.Libc): Engine | { readonly reason: string } {
  const opener = new Opener(libc);
  const watch = new Watch(libc);
  const connected = new ConnectedSockets(libc, opener, watch);
  let withTrains: boolean;
  try {
    tryOut(libc, opener);
    withTrains = knowsTrains(libc, opener);
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
  return {
    name: 'native',
    listen: async (options) => new NativeSocket(libc, opener, watch, options, withTrains),
    connect: async (options) => connected.connect(options),
  };
}
