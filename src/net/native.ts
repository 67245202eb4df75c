/** The native engine: batches through recvmmsg and sendmmsg. One for each thread. */
import type { Engine } from './datagram.ts';
import { loadLibc } from './libc.ts';
import { ConnectedSockets } from './native-connected.ts';
import { Opener } from './native-open.ts';
import { NativeSocket } from './native-socket.ts';
import { Watch } from './watch.ts';

/** The engine, or the reason why this machine cannot run it. */
export async function openNative(): Promise<Engine | { readonly reason: string }> {
  const loaded = await loadLibc();
  if (loaded.libc === null) return { reason: loaded.reason };
  const { libc } = loaded;
  const opener = new Opener(libc);
  const watch = new Watch(libc);
  const connected = new ConnectedSockets(libc, opener, watch);
  return {
    name: 'native',
    listen: async (options) => new NativeSocket(libc, opener, watch, options),
    connect: async (options) => connected.connect(options),
    connectNow: (options) => connected.connect(options),
  };
}
