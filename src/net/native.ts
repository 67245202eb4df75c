/** The native engine: batches through recvmmsg and sendmmsg. One for each thread. */
import { IPV4_LENGTH } from './address.ts';
import type { Engine } from './datagram.ts';
import type { Libc } from './libc.ts';
import { EAGAIN, loadLibc, systemError } from './libc.ts';
import { Headers } from './mmsg.ts';
import { ConnectedSockets } from './native-connected.ts';
import { Opener } from './native-open.ts';
import { NativeSocket } from './native-socket.ts';
import { Watch } from './watch.ts';

/** The engine, or the reason why this machine cannot run it. */
export async function openNative(): Promise<Engine | { readonly reason: string }> {
  const loaded = await loadLibc();
  if (loaded.libc === null) return { reason: loaded.reason };
  return openNativeOn(loaded.libc);
}

/** The engine on a library that was loaded; tests hand in one that misbehaves. */
export function openNativeOn(libc: Libc): Engine | { readonly reason: string } {
  const opener = new Opener(libc);
  const watch = new Watch(libc);
  const connected = new ConnectedSockets(libc, opener, watch);
  try {
    tryOut(libc, opener);
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
  return {
    name: 'native',
    listen: async (options) => new NativeSocket(libc, opener, watch, options),
    connect: async (options) => connected.connect(options),
  };
}

/** Sandboxes know fewer system calls than the library has functions: the batched ones are tried on an idle socket. */
function tryOut(libc: Libc, opener: Opener): void {
  const fd = opener.create(IPV4_LENGTH);
  try {
    const headers = new Headers(libc, 1);
    if (libc.recvmmsg(fd, headers.address, 1) >= 0 || libc.errno() !== EAGAIN) {
      throw systemError(libc.errno(), 'recvmmsg', 'trying recvmmsg');
    }
    if (libc.sendmmsg(fd, headers.address, 0) < 0)
      throw systemError(libc.errno(), 'sendmmsg', 'trying sendmmsg');
  } finally {
    opener.close(fd);
  }
}
