/** DNS over TLS (RFC 7858): the framing of TCP inside TLS. Padding of responses (RFC 8467) is the query path's. */
import type { Listener, StreamListenerOptions } from './contract.ts';
import { Hub } from './hub.ts';
import { type SecureOptions, secureServer } from './secure-server.ts';
import { listen } from './shared-port.ts';
import { StreamConnection } from './stream-connection.ts';
import { listenerOf } from './tcp.ts';

export type TlsListenerOptions = StreamListenerOptions & SecureOptions;

/** Opens a DoT listener; rejects when the address cannot be bound, throws when the certificate cannot be used. */
export async function openTlsListener(options: TlsListenerOptions): Promise<Listener> {
  const hub = new Hub('dot', options);
  const { server, reload } = secureServer(hub, options, ['dot'], (socket, clientName) => {
    new StreamConnection(socket, hub, clientName);
  });
  await listen(server, options.address, options.port, options.reusePort);
  server.on('error', options.onError);
  return { ...listenerOf(server, hub), reloadCertificate: reload };
}
