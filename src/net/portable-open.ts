/** Opening node:dgram sockets: options, bind, and the addresses that a wildcard stands for. */
import type { Socket, SocketOptions } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { addressOctets, IPV4_LENGTH } from './address.ts';
import type { DatagramSocketOptions, Endpoint } from './datagram.ts';
import { bindAdvice, isWildcard, literal } from './endpoint.ts';

/** Ports tried when a wildcard with port 0 finds the port of its first address taken on another. */
const TRIES_MAX = 8;

/** A socket for IP literals only, so that sending never goes through the resolver's thread pool. */
export function createDgram(isV4: boolean, more: Partial<SocketOptions>): Socket {
  const family = isV4 ? 4 : 6;
  return createSocket({
    type: isV4 ? 'udp4' : 'udp6',
    ...(isV4 ? {} : { ipv6Only: true }),
    lookup: (host, _options, done) => done(null, host, family),
    ...more,
  });
}

/** Buffers as large as the system lets us have; it need not let us. */
export function setBuffers(socket: Socket, bufferLength: number): void {
  try {
    socket.setRecvBufferSize(bufferLength);
    socket.setSendBufferSize(bufferLength);
  } catch {
    // macOS refuses what is above its limit instead of giving less: the default stays.
  }
}

/** The bound sockets of a listener: one, or one for each address of the machine for a wildcard. */
export async function openListeners(options: DatagramSocketOptions): Promise<Socket[]> {
  const octets = literal(options);
  const isV4 = octets.length === IPV4_LENGTH;
  if (options.reusePort && !mayReusePort(process.versions.node)) {
    throw new Error(
      `listen on UDP ${options.address}: the portable engine cannot share a port on Node ${process.versions.node}; ` +
        'run one worker, or Node 22.12, 23.1 or later',
    );
  }
  const addresses = isWildcard(octets) ? machineAddresses(isV4) : [options.address];
  for (let attempt = 1; ; attempt++) {
    const sockets: Socket[] = [];
    try {
      let { port } = options;
      for (const address of addresses) {
        const socket = await bindDgram(isV4, { address, port }, options);
        sockets.push(socket);
        port = socket.address().port;
      }
      return sockets;
    } catch (error) {
      await Promise.all(sockets.map(closeDgram));
      if (options.port !== 0 || attempt === TRIES_MAX) throw error;
    }
  }
}

async function bindDgram(isV4: boolean, local: Endpoint, options: DatagramSocketOptions): Promise<Socket> {
  // The option is newer than the types.
  const sharing = options.reusePort ? ({ reusePort: true } as Partial<SocketOptions>) : {};
  const socket = createDgram(isV4, sharing);
  try {
    const listening = once(socket, 'listening');
    socket.bind({ address: local.address, port: local.port, exclusive: true });
    await listening;
  } catch (error) {
    socket.close();
    const { code = '' } = error as NodeJS.ErrnoException;
    const doing = `listen on UDP ${local.address} port ${local.port}: ${code}`;
    throw Object.assign(new Error(doing + bindAdvice(code), { cause: error }), { code });
  }
  socket.on('error', options.onError);
  setBuffers(socket, options.bufferLength);
  return socket;
}

export async function closeDgram(socket: Socket): Promise<void> {
  const closed = once(socket, 'close');
  socket.close();
  await closed;
}

/** Whether this version of Node can set SO_REUSEPORT on a dgram socket (since 22.12 and 23.1). */
export function mayReusePort(version: string): boolean {
  const [major, minor] = version.split('.').map(Number);
  return major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
}

/** Every address of one family that an interface of this machine has, link-local ones with their zone. */
function machineAddresses(isV4: boolean): string[] {
  const addresses: string[] = [];
  for (const [name, infos] of Object.entries(networkInterfaces())) {
    for (const { family, address, scopeid } of infos ?? []) {
      if ((family === 'IPv4') !== isV4) continue;
      addresses.push(scopeid ? `${address}%${name}` : address);
    }
  }
  if (addresses.length === 0)
    throw new Error(`no interface of this machine has an ${isV4 ? 'IPv4' : 'IPv6'} address`);
  return addresses;
}

/** Octets of the address of a datagram's sender; its zone, where there is one, is left out. */
export function peerOctets(address: string): Uint8Array | null {
  const zoneAt = address.indexOf('%');
  return addressOctets(zoneAt < 0 ? address : address.slice(0, zoneAt));
}
