/** A socket connected to one upstream, on node:dgram. The kernel chooses a random source port. */
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import { IPV4_LENGTH } from './address.ts';
import type { ConnectedSocket, ConnectedSocketOptions } from './datagram.ts';
import { checkLength, DATAGRAM_CAPACITY } from './datagram.ts';
import { literal } from './endpoint.ts';
import { createDgram, setBuffers } from './portable-open.ts';

/** Most datagrams that one socket queues before it sends by itself. */
const QUEUE_COUNT = 64;

/** Opens the socket; messages are listened to only once the kernel filters for the peer. */
export async function connectPortable(options: ConnectedSocketOptions): Promise<ConnectedSocket> {
  const { peer, bufferLength } = options;
  const address = literal(peer);
  const socket = createDgram(address.length === IPV4_LENGTH, {});
  try {
    const connected = once(socket, 'connect');
    socket.connect(peer.port, peer.address);
    await connected;
  } catch (error) {
    socket.close();
    throw error;
  }
  setBuffers(socket, bufferLength);
  return new PortableConnected(socket, options);
}

class PortableConnected implements ConnectedSocket {
  readonly localPort: number;
  readonly #socket: Socket;
  readonly #options: ConnectedSocketOptions;
  readonly #queue: Buffer[] = [];
  #isEnding = false;
  #closed = false;

  constructor(socket: Socket, options: ConnectedSocketOptions) {
    this.#socket = socket;
    this.#options = options;
    this.localPort = socket.address().port;
    socket.on('message', (message) => this.#accept(message));
    socket.on('error', (error) => this.#tell(error));
  }

  send(octets: Uint8Array, length: number): void {
    if (this.#closed) return;
    checkLength(length);
    if (this.#queue.length === QUEUE_COUNT) this.flush();
    this.#queue.push(Buffer.from(octets.subarray(0, length)));
  }

  flush(): void {
    for (const message of this.#queue) {
      this.#socket.send(message, (error) => {
        if (error !== null) this.#tell(error);
      });
    }
    this.#queue.length = 0;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.length = 0;
    this.#socket.close();
  }

  #accept(message: Buffer): void {
    // Longer than a slot of the native engine: refused alike, so that both engines accept the same.
    if (this.#closed || message.length > DATAGRAM_CAPACITY) return;
    if (!this.#isEnding) {
      this.#isEnding = true;
      setImmediate(this.#endBatch);
    }
    this.#options.onDatagram(message, 0, message.length);
  }

  readonly #endBatch = (): void => {
    this.#isEnding = false;
    this.#options.onBatchEnd();
  };

  #tell(error: NodeJS.ErrnoException): void {
    if (!this.#closed) this.#options.onError(error);
  }
}
