/** The portable engine: node:dgram and nothing else. Same interface, same semantics, more time for each datagram. */
import type { Engine } from './datagram.ts';
import { connectPortable } from './portable-connected.ts';
import { PortableSocket } from './portable-socket.ts';

export function openPortable(): Engine {
  return {
    name: 'portable',
    listen: (options) => PortableSocket.open(options),
    connect: connectPortable,
  };
}
