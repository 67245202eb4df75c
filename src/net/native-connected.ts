/**
 * Sockets connected to one upstream each. They come and go with the queries (a fresh source port is what an off-path
 * forger has to guess, RFC 5452 section 4.5), so everything large is shared by the sockets of a thread: the slots they
 * receive into and those they queue in.
 *
 * The source port is the kernel's choice: it draws at random from `net.ipv4.ip_local_port_range` and leaves out the
 * ports that the operator reserved.
 */
import type { ConnectedSocket, ConnectedSocketOptions } from './datagram.ts';
import { checkLength, DATAGRAM_CAPACITY } from './datagram.ts';
import { literal } from './endpoint.ts';
import type { Libc } from './libc.ts';
import * as c from './libc.ts';
import * as m from './mmsg.ts';
import type { Opener } from './native-open.ts';
import type { Watch, Watched } from './watch.ts';

const ROUNDS_MAX = 4;
/** Most datagrams that one socket queues before it sends by itself. */
const QUEUE_COUNT = 64;
/** Messages queued by all sockets of a thread together. */
const POOL_COUNT = 256;

/** Memory shared by the connected sockets of a thread, and how they are made. */
export class ConnectedSockets {
  readonly libc: Libc;
  readonly opener: Opener;
  readonly watch: Watch;
  readonly receiveSlab: m.Slab;
  readonly receive: m.Headers;
  readonly sendSlab: m.Slab;
  readonly send: m.Headers;
  /** Headers without memory behind them: the kernel throws the octets away. */
  readonly discard: m.Headers;
  readonly #free: number[] = [];
  readonly #queued = new Set<NativeConnected>();

  constructor(libc: Libc, opener: Opener, watch: Watch) {
    this.libc = libc;
    this.opener = opener;
    this.watch = watch;
    this.receiveSlab = new m.Slab(libc, m.BATCH_COUNT);
    this.receive = new m.Headers(libc, m.BATCH_COUNT);
    this.sendSlab = new m.Slab(libc, POOL_COUNT);
    this.send = new m.Headers(libc, QUEUE_COUNT);
    this.discard = new m.Headers(libc, m.BATCH_COUNT);
    for (let i = 0; i < m.BATCH_COUNT; i++) this.receiveSlab.bind(this.receive, i, i, false, false);
    for (let i = 0; i < POOL_COUNT; i++) this.#free.push(i);
  }

  connect(options: ConnectedSocketOptions): ConnectedSocket {
    return new NativeConnected(this, options);
  }

  /** A slot to queue in, for `socket`. When none is left, everybody's queue is sent first. */
  take(socket: NativeConnected): number {
    if (this.#free.length === 0) for (const each of this.#queued) each.flush();
    this.#queued.add(socket);
    return this.#free.pop() as number;
  }

  /** `socket` has sent or dropped its queue. */
  giveBack(socket: NativeConnected, slots: readonly number[]): void {
    this.#queued.delete(socket);
    for (const slot of slots) this.#free.push(slot);
  }
}

class NativeConnected implements ConnectedSocket, Watched {
  readonly localPort: number;
  readonly #shared: ConnectedSockets;
  readonly #options: ConnectedSocketOptions;
  readonly #fd: number;
  readonly #queue: number[] = [];
  #closed = false;

  constructor(shared: ConnectedSockets, options: ConnectedSocketOptions) {
    const { opener, libc, watch, discard } = shared;
    const { peer } = options;
    const address = literal(peer);
    this.#shared = shared;
    this.#options = options;
    this.#fd = opener.create(address.length);
    try {
      // Only what is received can pile up: a full queue of questions is far below the send buffer every socket has.
      opener.setReceiveBuffer(this.#fd, options.bufferLength);
      opener.connect(this.#fd, address, peer);
      this.localPort = opener.localPort(this.#fd);
      // Between getting a port and getting a peer the kernel takes datagrams of anybody. Nothing was asked yet, so
      // whatever lies there is forged.
      while (libc.recvmmsg(this.#fd, discard.address, m.BATCH_COUNT) === m.BATCH_COUNT);
      watch.add(this.#fd, this);
    } catch (error) {
      opener.close(this.#fd);
      throw error;
    }
  }

  send(octets: Uint8Array, length: number): void {
    if (this.#closed) return;
    checkLength(length);
    if (this.#queue.length === QUEUE_COUNT) this.flush();
    const { sendSlab } = this.#shared;
    const slot = this.#shared.take(this);
    const to = sendSlab.octets;
    const at = slot * DATAGRAM_CAPACITY;
    for (let i = 0; i < length; i++) to[at + i] = octets[i];
    sendSlab.iovs[slot * m.IOV_WORDS + m.IOV_LENGTH_WORD] = length;
    this.#queue.push(slot);
  }

  flush(): void {
    const count = this.#queue.length;
    if (count === 0) return;
    const { send, sendSlab } = this.#shared;
    for (let i = 0; i < count; i++) sendSlab.bind(send, i, this.#queue[i], false, false);
    const errno = this.#sendAll(count);
    this.#shared.giveBack(this, this.#queue);
    this.#queue.length = 0;
    // Told last: the callee may send or close.
    if (errno !== 0) this.#tell(errno, 'sendmmsg');
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#shared.giveBack(this, this.#queue);
    this.#queue.length = 0;
    this.#shared.watch.closeSocket(this.#fd);
  }

  drain(): void {
    const { libc, receive, receiveSlab } = this.#shared;
    for (let round = 0; round < ROUNDS_MAX && !this.#closed; round++) {
      const count = libc.recvmmsg(this.#fd, receive.address, m.BATCH_COUNT);
      if (count < 0) {
        const errno = libc.errno();
        if (errno === c.EAGAIN) return;
        if (errno !== c.EINTR) this.#tell(errno, 'recvmmsg');
        continue;
      }
      for (let i = 0; i < count && !this.#closed; i++) {
        const at = i * m.HEADER_WORDS;
        // One that is longer than a slot has lost its end and is no message; nothing that long was asked for.
        if ((receive.words[at + m.FLAGS_WORD] & c.MSG_TRUNC) !== 0) continue;
        const length = receive.words[at + m.LENGTH_WORD];
        this.#options.onDatagram(receiveSlab.octets, i * DATAGRAM_CAPACITY, length);
      }
      this.#options.onBatchEnd();
      if (count < m.BATCH_COUNT) return;
    }
  }

  /** Sends the first `count` headers; returns the first error that cost a datagram or was pending, or 0. */
  #sendAll(count: number): number {
    const { libc, send } = this.#shared;
    let at = 0;
    let firstErrno = 0;
    let isRetried = false;
    while (at < count) {
      const done = libc.sendmmsg(this.#fd, send.address + at * m.HEADER_LENGTH, count - at);
      if (done > 0) {
        at += done;
        isRetried = false;
        continue;
      }
      const errno = libc.errno();
      if (errno === c.EINTR) continue;
      if (firstErrno === 0) firstErrno = errno;
      if (errno === c.EAGAIN) break;
      // ECONNREFUSED tells of an earlier datagram and takes the place of sending this one: it is tried once more.
      if (errno === c.ECONNREFUSED && !isRetried) {
        isRetried = true;
        continue;
      }
      isRetried = false;
      at++;
    }
    return firstErrno;
  }

  #tell(errno: number, syscall: string): void {
    const { peer, onError } = this.#options;
    onError(c.systemError(errno, syscall, `UDP to ${peer.address} port ${peer.port}`));
  }
}
