/**
 * Whether the addresses to listen on are free. Data threads share their ports (SO_REUSEPORT), and the kernel lets any process
 * of the same user join such a port without a word: an older Sallyport that still runs would go on getting a share of the
 * queries, and judge them by its own policy. So each port is bound once without sharing, and let go, before the first thread.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { Endpoint, Settings } from './config/index.ts';

/** Rejects with EADDRINUSE for the first address that somebody has. Whatever else is wrong, listening itself will say. */
export async function demandFree({ addresses, tls, https }: Settings['listen']): Promise<void> {
  const chosen = ({ port }: Endpoint): boolean => port !== 0;
  const streams = [...addresses, ...tls.addresses, ...https.addresses].filter(chosen);
  await Promise.all([...addresses.filter(chosen).map(bindDatagram), ...streams.map(bindStream)]);
}

function bindDatagram({ host, port }: Endpoint): Promise<void> {
  const isIpv6 = host.includes(':');
  const socket = createSocket({ type: isIpv6 ? 'udp6' : 'udp4', ipv6Only: isIpv6 });
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      settle(error, resolve, reject);
    });
    socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve()));
  });
}

function bindStream({ host, port }: Endpoint): Promise<void> {
  const server = createServer((connection) => connection.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error) => settle(error, resolve, reject));
    server.listen({ host, port, exclusive: true, ipv6Only: host.includes(':') }, () =>
      server.close(() => resolve()),
    );
  });
}

function settle(error: NodeJS.ErrnoException, resolve: () => void, reject: (error: Error) => void): void {
  if (error.code === 'EADDRINUSE') reject(error);
  else resolve();
}
