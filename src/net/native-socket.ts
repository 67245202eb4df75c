/**
 * A listening socket on recvmmsg and sendmmsg. Nothing is allocated and no octet is copied between receiving a
 * datagram and sending its reply: the headers of the two system calls point at the same slot.
 *
 * On a wildcard address the kernel tells with each datagram which address was asked (IP_PKTINFO, RFC 3542 for IPv6), and
 * the same control message, handed back with the reply, makes that address the source.
 */
import { IPV4_LENGTH } from './address.ts';
import type {
  Datagram,
  DatagramCounters,
  DatagramSocket,
  DatagramSocketOptions,
  Endpoint,
} from './datagram.ts';
import { checkLength, DATAGRAM_CAPACITY } from './datagram.ts';
import { isWildcard, literal } from './endpoint.ts';
import type { Libc } from './libc.ts';
import * as c from './libc.ts';
import * as m from './mmsg.ts';
import type { Opener } from './native-open.ts';
import { NAME_LENGTH_V4, NAME_LENGTH_V6 } from './native-open.ts';
import { checkSlots, Slots } from './slots.ts';
import { Trains } from './trains.ts';
import type { Watch, Watched } from './watch.ts';

/** Batches read in one turn of the event loop; the socket rings again if there is more. */
const ROUNDS_MAX = 4;

/** What the kernel says of a train that it cannot cut up on its way: an interface without checksums, a packet filter. */
const CANNOT_SEGMENT = new Set([c.EIO, c.EINVAL, c.EMSGSIZE, c.EOPNOTSUPP]);
/** So many batches are sent message by message before that is tried again. */
const SINGLY_FOR = 10_000;

/** Words of a control message before which the interface stands, and its length with padding. */
const CONTROL_V4 = { length: 32, interfaceWord: 4 };
const CONTROL_V6 = { length: 40, interfaceWord: 8 };

export class NativeSocket implements DatagramSocket, Watched {
  readonly engine = 'native';
  readonly local: Endpoint;
  readonly counters: DatagramCounters = { batches: 0, received: 0, sent: 0, noSlot: 0, unsent: 0 };
  readonly #options: DatagramSocketOptions;
  readonly #libc: Libc;
  readonly #watch: Watch;
  readonly #fd: number;
  readonly #nameLength: number;
  /** Null unless the address is a wildcard. */
  readonly #control: typeof CONTROL_V4 | null;
  readonly #slots: Slots;
  readonly #slab: m.Slab;
  readonly #datagrams: readonly Datagram[];
  readonly #batch: Datagram[];
  readonly #receive: m.Headers;
  /** Headers without memory behind them: the kernel throws the octets away. */
  readonly #discard: m.Headers;
  readonly #send: m.Headers;
  /** Octets of control data that came with the datagram of each slot: those expected, or 0. */
  readonly #controlLengths: Uint8Array;
  /** Null where the kernel cannot send replies of one length to one peer as one message. */
  readonly #trains: Trains | null;
  /** Batches that go without. */
  #singlyFor = 0;
  #queuedCount = 0;
  #closed = false;

  /** `withTrains`: whether the kernel was seen to know UDP_SEGMENT. */
  constructor(libc: Libc, opener: Opener, watch: Watch, options: DatagramSocketOptions, withTrains = false) {
    const address = literal(options);
    const isV4 = address.length === IPV4_LENGTH;
    const { slots } = options;
    checkSlots(slots);
    this.#libc = libc;
    this.#watch = watch;
    this.#options = options;
    this.#nameLength = isV4 ? NAME_LENGTH_V4 : NAME_LENGTH_V6;
    this.#control = isWildcard(address) ? (isV4 ? CONTROL_V4 : CONTROL_V6) : null;
    this.#slots = new Slots(slots);
    this.#slab = new m.Slab(libc, slots);
    this.#datagrams = this.#slab.datagrams(slots, address.length);
    this.#batch = this.#datagrams.slice(0, m.BATCH_COUNT);
    this.#controlLengths = new Uint8Array(slots);
    this.#receive = this.#makeHeaders(m.BATCH_COUNT);
    this.#send = this.#makeHeaders(slots);
    this.#discard = new m.Headers(libc, m.BATCH_COUNT);
    this.#trains = withTrains ? new Trains(libc, this.#slab, address.length) : null;
    this.#fd = openListener(opener, address, options);
    try {
      this.local = { address: options.address, port: opener.localPort(this.#fd) };
      watch.add(this.#fd, this);
    } catch (error) {
      opener.close(this.#fd);
      throw error;
    }
  }

  get freeSlots(): number {
    return this.#slots.freeCount;
  }

  reply(datagram: Datagram): void {
    const { slot, length } = datagram;
    this.#own(datagram);
    checkLength(length);
    this.#slots.enqueue(slot);
    const headers = this.#send;
    const i = this.#queuedCount++;
    const isControlled = this.#control !== null;
    if (headers.bound[i] !== slot) this.#slab.bind(headers, i, slot, true, isControlled);
    if (isControlled) headers.words[i * m.HEADER_WORDS + m.CONTROL_LENGTH_WORD] = this.#controlLengths[slot];
    this.#slab.iovs[slot * m.IOV_WORDS + m.IOV_LENGTH_WORD] = length;
  }

  release(datagram: Datagram): void {
    this.#own(datagram);
    this.#slots.release(datagram.slot);
  }

  flush(): void {
    const count = this.#queuedCount;
    if (count === 0) return;
    if (this.#closed) this.counters.unsent += count;
    else this.#sendAll(count);
    this.#queuedCount = 0;
    // Freed last to first, so that the stack gives them out in the order they had and the headers still point at them.
    for (let i = count - 1; i >= 0; i--) {
      const slot = this.#send.bound[i];
      this.#slab.iovs[slot * m.IOV_WORDS + m.IOV_LENGTH_WORD] = DATAGRAM_CAPACITY;
      this.#slots.freeQueued(slot);
    }
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#watch.closeSocket(this.#fd);
    }
    return Promise.resolve();
  }

  /** Reads what is there, a bounded number of batches, and hands each to its caller. */
  drain(): void {
    for (let round = 0; round < ROUNDS_MAX && !this.#closed; round++) {
      const free = Math.min(m.BATCH_COUNT, this.#slots.freeCount);
      const wanted = free === 0 ? m.BATCH_COUNT : free;
      const count = free === 0 ? this.#drop() : this.#take(wanted);
      // A short batch has emptied the socket; asking again would cost a system call to learn nothing.
      if (count < 0 ? !this.#mayGoOn() : count < wanted) return;
    }
  }

  /** Receives up to `wanted` datagrams into free slots and serves them. */
  #take(wanted: number): number {
    this.#stage(wanted);
    const count = this.#libc.recvmmsg(this.#fd, this.#receive.address, wanted);
    if (count <= 0) return count;
    for (let i = 0; i < count; i++) this.#batch[i] = this.#accept(i);
    this.counters.batches++;
    this.counters.received += count;
    this.#options.onBatch(this.#batch, count);
    return count;
  }

  /** Points the first `wanted` headers at the free slots that will be taken in this order. Mostly they do so already. */
  #stage(wanted: number): void {
    const { stack, freeCount } = this.#slots;
    const { bound } = this.#receive;
    const isControlled = this.#control !== null;
    for (let i = 0; i < wanted; i++) {
      const slot = stack[freeCount - 1 - i];
      if (bound[i] !== slot) this.#slab.bind(this.#receive, i, slot, true, isControlled);
    }
  }

  /** Takes the slot of header `i`, reads what the kernel wrote, and makes the header ready for the next time. */
  #accept(i: number): Datagram {
    const slot = this.#slots.take();
    const datagram = this.#datagrams[slot];
    const { words } = this.#receive;
    const at = i * m.HEADER_WORDS;
    datagram.length = words[at + m.LENGTH_WORD];
    datagram.truncated = (words[at + m.FLAGS_WORD] & c.MSG_TRUNC) !== 0;
    datagram.peerPort = this.#slab.portOf(slot);
    words[at + m.NAME_LENGTH_WORD] = this.#nameLength;
    const control = this.#control;
    if (control !== null) {
      this.#controlLengths[slot] = words[at + m.CONTROL_LENGTH_WORD] === control.length ? control.length : 0;
      words[at + m.CONTROL_LENGTH_WORD] = control.length;
      // Without the interface the reply follows the routing table; a link-local peer carries its scope in its name.
      this.#slab.control[(slot * m.CONTROL_STRIDE) / 4 + control.interfaceWord] = 0;
    }
    return datagram;
  }

  /** Reads into nowhere: with every slot taken, a queue left to grow old in the kernel helps nobody. */
  #drop(): number {
    const count = this.#libc.recvmmsg(this.#fd, this.#discard.address, m.BATCH_COUNT);
    if (count > 0) this.counters.noSlot += count;
    return count;
  }

  /** After a failed receive: true when another try makes sense in this turn. */
  #mayGoOn(): boolean {
    const errno = this.#libc.errno();
    if (errno === c.EINTR) return true;
    // Told once a turn: if it lasts, the socket rings again.
    if (errno !== c.EAGAIN) {
      this.#options.onError(c.systemError(errno, 'recvmmsg', `receive on UDP ${this.#where()}`));
    }
    return false;
  }

  /** Hands `count` messages to the kernel, batch by batch. One that it refuses is counted and passed over, the others go out. */
  #sendAll(count: number): void {
    for (let at = 0; at < count; at += m.BATCH_COUNT) {
      const length = Math.min(m.BATCH_COUNT, count - at);
      const trains = this.#gather(at, length);
      if (trains < length ? this.#sendTrains(at, length, trains) : this.#sendSingly(at, length)) continue;
      // With the send buffer full the rest would fare no better, and waiting would hold up every other client.
      this.counters.unsent += count - at - length;
      return;
    }
  }

  #gather(at: number, length: number): number {
    if (this.#trains === null || length === 1) return length;
    if (this.#singlyFor > 0) {
      this.#singlyFor--;
      return length;
    }
    return this.#trains.gather(this.#send, at, length, this.#control !== null);
  }

  /** False when the send buffer is full; what it had no room for is counted. */
  #sendSingly(from: number, count: number): boolean {
    const end = from + count;
    let at = from;
    while (at < end) {
      const done = this.#libc.sendmmsg(this.#fd, this.#send.address + at * m.HEADER_LENGTH, end - at);
      if (done > 0) {
        at += done;
        this.counters.sent += done;
        continue;
      }
      const errno = this.#libc.errno();
      if (errno === c.EINTR) continue;
      if (errno === c.EAGAIN) {
        this.counters.unsent += end - at;
        return false;
      }
      this.counters.unsent++;
      at++;
    }
    return true;
  }

  /** As `sendSingly`, for the trains that were gathered of these messages. */
  #sendTrains(from: number, count: number, trains: number): boolean {
    const gathered = this.#trains as Trains;
    let at = 0;
    while (at < trains) {
      const done = this.#libc.sendmmsg(
        this.#fd,
        gathered.headers.address + at * m.HEADER_LENGTH,
        trains - at,
      );
      for (let i = 0; i < done; i++) this.counters.sent += gathered.countOf(at++);
      if (done > 0) continue;
      const errno = this.#libc.errno();
      if (errno === c.EINTR) continue;
      if (errno === c.EAGAIN) {
        while (at < trains) this.counters.unsent += gathered.countOf(at++);
        return false;
      }
      if (gathered.countOf(at) === 1 || !CANNOT_SEGMENT.has(errno))
        this.counters.unsent += gathered.countOf(at);
      else if (!this.#sendApart(from, count, at)) {
        while (++at < trains) this.counters.unsent += gathered.countOf(at);
        return false;
      }
      at++;
    }
    return true;
  }

  /** Sends a train that the kernel would not cut up on this way message by message, and gathers none for a while. */
  #sendApart(from: number, count: number, train: number): boolean {
    this.#singlyFor = SINGLY_FOR;
    let hasRoom = true;
    for (let i = 0; i < count; i++) {
      if (this.#trains?.trainOf(i) !== train) continue;
      if (hasRoom) hasRoom = this.#sendSingly(from + i, 1);
      else this.counters.unsent++;
    }
    return hasRoom;
  }

  #makeHeaders(count: number): m.Headers {
    const headers = new m.Headers(this.#libc, count);
    for (let i = 0; i < count; i++) {
      const at = i * m.HEADER_WORDS;
      headers.words[at + m.NAME_LENGTH_WORD] = this.#nameLength;
      headers.words[at + m.CONTROL_LENGTH_WORD] = this.#control === null ? 0 : this.#control.length;
    }
    return headers;
  }

  #own(datagram: Datagram): void {
    if (this.#datagrams[datagram.slot] !== datagram) throw new Error('net: a datagram of another socket');
  }

  #where(): string {
    return `${this.local.address} port ${this.local.port}`;
  }
}

function openListener(opener: Opener, address: Uint8Array, options: DatagramSocketOptions): number {
  const fd = opener.create(address.length);
  try {
    opener.setReceiveBuffer(fd, options.bufferLength);
    opener.setSendBuffer(fd, options.bufferLength);
    const isV4 = address.length === IPV4_LENGTH;
    // IPv4 arrives on a socket of its own, so that no peer is ever seen in the mapped form.
    if (!isV4) opener.require(fd, c.IPPROTO_IPV6, c.IPV6_V6ONLY, 1, 'setting IPV6_V6ONLY');
    if (options.reusePort) opener.require(fd, c.SOL_SOCKET, c.SO_REUSEPORT, 1, 'setting SO_REUSEPORT');
    if (isWildcard(address)) {
      if (isV4) opener.require(fd, c.IPPROTO_IP, c.IP_PKTINFO, 1, 'setting IP_PKTINFO');
      else opener.require(fd, c.IPPROTO_IPV6, c.IPV6_RECVPKTINFO, 1, 'setting IPV6_RECVPKTINFO');
    }
    opener.bind(fd, address, options);
    return fd;
  } catch (error) {
    opener.close(fd);
    throw error;
  }
}
