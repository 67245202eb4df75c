/**
 * DNS over HTTPS (RFC 8484) on HTTP/2 and HTTP/1.1, over TLS, or without TLS behind a proxy on the same machine that
 * ends it.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { Arrival } from './arrival.ts';
import type { Listener, StreamListenerOptions } from './contract.ts';
import { DohHub, type DohOptions } from './http/doh-hub.ts';
import { Http1Service } from './http/http1.ts';
import { Http2Connection } from './http/http2-connection.ts';
import { type SecureOptions, secureServer } from './secure-server.ts';
import { listen } from './shared-port.ts';
import { listenerOf } from './tcp.ts';

export type HttpsListenerOptions = StreamListenerOptions &
  DohOptions &
  ((SecureOptions & { readonly plain?: false }) | { readonly plain: true });

/** Opens a DoH listener; rejects when the address cannot be bound, throws when the certificate cannot be used. */
export async function openHttpsListener(options: HttpsListenerOptions): Promise<Listener> {
  const hub = new DohHub(options);
  const http1 = new Http1Service(hub);
  const accept = (socket: Socket, http2: boolean, clientName: string): void => {
    if (http2) new Http2Connection(socket, hub, clientName);
    else http1.accept(socket, clientName);
  };
  if (options.plain === true) {
    const server = plainServer(hub, accept);
    await bind(server, options);
    return listenerOf(server, hub);
  }
  const { server, reload } = secureServer(hub, options, ['h2', 'http/1.1'], (socket, clientName) => {
    accept(socket, socket.alpnProtocol === 'h2', clientName);
  });
  await bind(server, options);
  return { ...listenerOf(server, hub), reloadCertificate: reload };
}

async function bind(server: Server, options: HttpsListenerOptions): Promise<void> {
  await listen(server, options.address, options.port, options.reusePort);
  server.on('error', options.onError);
}

/** Tells HTTP/2 "with prior knowledge" (RFC 9113 section 3.3) from HTTP/1.1 by the first octets. */
function plainServer(
  hub: DohHub,
  accept: (socket: Socket, http2: boolean, clientName: string) => void,
): Server {
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  server.on('connection', (socket) => {
    hub.counters.accepted++;
    const arrival = new Arrival(socket, hub, 'idle');
    const left = (): void => arrival.shut('peer');
    socket.once('end', left);
    socket.once('data', (chunk: Buffer) => {
      socket.off('end', left);
      socket.pause();
      socket.unshift(chunk);
      arrival.done();
      // No method of HTTP/1.1 is called PRI. A first chunk of one or two octets of it would be taken for HTTP/1.1.
      accept(socket, chunk.toString('latin1', 0, 3) === 'PRI', '');
      process.nextTick(() => socket.resume());
    });
  });
  return server;
}
