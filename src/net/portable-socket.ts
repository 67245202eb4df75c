/**
 * A listening socket on node:dgram. Datagrams are copied into slots as they arrive and handed over together from
 * `setImmediate`; a slot stays taken until the send callback, because the kernel may read it until then.
 *
 * node:dgram does not say which address was asked, so a wildcard is served by one socket for each address that the
 * machine's interfaces have when it is opened. Addresses that come later are not served, nor are those of 127.0.0.0/8
 * other than the one the loopback interface bears.
 */
import type { RemoteInfo, Socket } from 'node:dgram';
import type {
  Datagram,
  DatagramCounters,
  DatagramSocket,
  DatagramSocketOptions,
  Endpoint,
} from './datagram.ts';
import { checkLength, DATAGRAM_CAPACITY } from './datagram.ts';
import { closeDgram, openListeners, peerOctets } from './portable-open.ts';
import { checkSlots, Slots } from './slots.ts';

const BATCH_COUNT = 64;

export class PortableSocket implements DatagramSocket {
  readonly engine = 'portable';
  readonly local: Endpoint;
  readonly counters: DatagramCounters = { batches: 0, received: 0, sent: 0, noSlot: 0, unsent: 0 };
  readonly #options: DatagramSocketOptions;
  readonly #sockets: readonly Socket[];
  readonly #slots: Slots;
  readonly #datagrams: readonly Datagram[];
  readonly #batch: Datagram[];
  /** Where each slot's datagram came in and from whom, in the words of node:dgram. */
  readonly #origins: Socket[];
  readonly #peers: string[];
  readonly #arrived: Datagram[] = [];
  readonly #queued: Datagram[] = [];
  #closed: Promise<void> | null = null;

  static async open(options: DatagramSocketOptions): Promise<DatagramSocket> {
    checkSlots(options.slots);
    return new PortableSocket(await openListeners(options), options);
  }

  private constructor(sockets: readonly Socket[], options: DatagramSocketOptions) {
    const { slots } = options;
    this.#options = options;
    this.#sockets = sockets;
    this.#slots = new Slots(slots);
    this.#datagrams = makeDatagrams(slots);
    this.#batch = this.#datagrams.slice(0, BATCH_COUNT);
    this.#origins = new Array<Socket>(slots).fill(sockets[0]);
    this.#peers = new Array<string>(slots).fill('');
    this.local = { address: options.address, port: sockets[0].address().port };
    for (const socket of sockets) {
      socket.on('message', (message, peer) => this.#accept(socket, message, peer));
    }
  }

  get freeSlots(): number {
    return this.#slots.freeCount;
  }

  reply(datagram: Datagram): void {
    this.#own(datagram);
    checkLength(datagram.length);
    this.#slots.enqueue(datagram.slot);
    this.#queued.push(datagram);
  }

  release(datagram: Datagram): void {
    this.#own(datagram);
    this.#slots.release(datagram.slot);
  }

  flush(): void {
    for (const datagram of this.#queued) this.#send(datagram);
    this.#queued.length = 0;
  }

  close(): Promise<void> {
    this.#closed ??= Promise.all(this.#sockets.map(closeDgram)).then(() => undefined);
    return this.#closed;
  }

  #accept(socket: Socket, message: Buffer, peer: RemoteInfo): void {
    if (this.#slots.freeCount === 0) {
      this.counters.noSlot++;
      return;
    }
    const octets = peerOctets(peer.address);
    if (octets === null) return;
    const slot = this.#slots.take();
    const datagram = this.#datagrams[slot];
    datagram.truncated = message.length > DATAGRAM_CAPACITY;
    datagram.length = message.copy(datagram.octets, 0, 0, DATAGRAM_CAPACITY);
    datagram.peer.set(octets);
    datagram.peerLength = octets.length;
    datagram.peerPort = peer.port;
    this.#origins[slot] = socket;
    this.#peers[slot] = peer.address;
    if (this.#arrived.push(datagram) === 1) setImmediate(this.#serve);
  }

  readonly #serve = (): void => {
    const arrived = this.#arrived.splice(0, BATCH_COUNT);
    if (this.#arrived.length > 0) setImmediate(this.#serve);
    if (this.#closed !== null) {
      for (const datagram of arrived) this.#slots.release(datagram.slot);
      return;
    }
    for (let i = 0; i < arrived.length; i++) this.#batch[i] = arrived[i];
    this.counters.batches++;
    this.counters.received += arrived.length;
    this.#options.onBatch(this.#batch, arrived.length);
  };

  #send(datagram: Datagram): void {
    const { slot, octets, length, peerPort } = datagram;
    if (this.#closed !== null) {
      this.#sent(slot, false);
      return;
    }
    try {
      this.#origins[slot].send(octets, 0, length, peerPort, this.#peers[slot], (error) => {
        this.#sent(slot, error === null);
      });
    } catch {
      // A peer with port 0, which no reply can reach: node:dgram throws where the kernel would refuse.
      this.#sent(slot, false);
    }
  }

  #sent(slot: number, isSent: boolean): void {
    if (isSent) this.counters.sent++;
    else this.counters.unsent++;
    this.#slots.freeQueued(slot);
  }

  #own(datagram: Datagram): void {
    if (this.#datagrams[datagram.slot] !== datagram) throw new Error('net: a datagram of another socket');
  }
}

function makeDatagrams(count: number): Datagram[] {
  const octets = new Uint8Array(count * DATAGRAM_CAPACITY);
  return Array.from({ length: count }, (_, slot) => ({
    slot,
    octets: octets.subarray(slot * DATAGRAM_CAPACITY, (slot + 1) * DATAGRAM_CAPACITY),
    length: 0,
    truncated: false,
    peer: new Uint8Array(16),
    peerLength: 0,
    peerPort: 0,
  }));
}
