/** DNS over TCP (RFC 1035 section 4.2.2, RFC 7766). */
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { Listener, StreamListenerOptions } from './contract.ts';
import { Hub } from './hub.ts';
import { listen } from './shared-port.ts';
import { StreamConnection } from './stream-connection.ts';

/** Opens a TCP listener; rejects with the kernel's error when the address cannot be bound. */
export async function openTcpListener(options: StreamListenerOptions): Promise<Listener> {
  const hub = new Hub('tcp', options);
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  server.on('connection', (socket) => {
    hub.counters.accepted++;
    new StreamConnection(socket, hub);
  });
  await listen(server, options.address, options.port, options.reusePort);
  server.on('error', options.onError);
  return listenerOf(server, hub);
}

/** The public face of a listening server and its hub. */
export function listenerOf(server: Server, hub: Hub): Listener {
  const { address, port } = server.address() as AddressInfo;
  return {
    transport: hub.transport,
    address,
    port,
    counters: hub.counters,
    connections: () => hub.counters.open,
    close: async (graceMs) => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await hub.empty(graceMs);
      await closed;
    },
  };
}
