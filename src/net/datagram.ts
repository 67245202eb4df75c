/**
 * Datagrams in batches behind one interface, served by two engines: `native` (recvmmsg and sendmmsg through koffi) and
 * `portable` (node:dgram). See docs/decisions/0001-doorbell.md.
 *
 * A slot's octets hold a received datagram and then, in place, the response to it: nothing is copied between the two.
 * Every datagram handed to `onBatch` is given back exactly once, by `reply` or by `release`; until then its slot is
 * taken, so the number of slots bounds what can be in flight.
 */

/** Room for one datagram. Sallyport advertises 1232 octets (RFC 6891), so nothing longer is due. */
export const DATAGRAM_CAPACITY = 2112;

/** Sending more than a slot holds, or a length that is no number, is a bug of the caller. */
export function checkLength(length: number): void {
  if (length >= 0 && length <= DATAGRAM_CAPACITY) return;
  throw new RangeError(`net: a datagram of ${length} octets; 0 to ${DATAGRAM_CAPACITY} can be sent`);
}

/** An address in binary: 4 octets for IPv4, 16 for IPv6, never IPv4-mapped. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** One slot of a server socket, made at start and used again and again. */
export interface Datagram {
  /** Index of the slot, 0 to `slots` − 1, so that a caller can keep columns of its own beside it. */
  readonly slot: number;
  /** Memory of the slot, DATAGRAM_CAPACITY octets: the query, later the response. */
  readonly octets: Uint8Array;
  /** Octets received; the caller sets it to the octets to send before `reply`. */
  length: number;
  /** True when the datagram was longer than the slot and its end is lost. */
  truncated: boolean;
  /** The peer's address: octets 0–3 (IPv4) or 0–15 (IPv6) of this view. */
  readonly peer: Uint8Array;
  /** 4 or 16. */
  peerLength: number;
  peerPort: number;
}

/** A batch: `datagrams[0]` to `datagrams[count - 1]`. The array belongs to the socket and changes after the call. */
export type BatchHandler = (datagrams: readonly Datagram[], count: number) => void;

export interface DatagramSocketOptions {
  /** An IPv4 or IPv6 literal; `0.0.0.0` and `::` listen on every address and answer from the one that was asked. */
  readonly address: string;
  readonly port: number;
  /** Share the port with the other workers (SO_REUSEPORT). */
  readonly reusePort: boolean;
  /** Slots made at start: most datagrams held at once. */
  readonly slots: number;
  /** SO_RCVBUF and SO_SNDBUF in octets; the kernel may give less. */
  readonly bufferLength: number;
  readonly onBatch: BatchHandler;
  /** Errors of the socket after it was opened (the socket stays open). */
  readonly onError: (error: Error) => void;
}

/** What a socket has done, read when metrics are scraped. Numbers only grow. */
export interface DatagramCounters {
  batches: number;
  received: number;
  sent: number;
  /** Dropped on arrival because every slot was taken. */
  noSlot: number;
  /** Responses the kernel would not take (buffer full, unreachable peer). */
  unsent: number;
}

/** A listening socket. */
export interface DatagramSocket {
  readonly engine: EngineName;
  readonly local: Endpoint;
  readonly counters: DatagramCounters;
  /** Slots not in use. */
  readonly freeSlots: number;
  /** Queues `length` octets of the slot for its peer. The slot is free again after the `flush` that sends it. */
  reply(datagram: Datagram): void;
  /** Gives a slot back unanswered. */
  release(datagram: Datagram): void;
  /** Sends everything queued. The caller has by then written the audit entries. */
  flush(): void;
  close(): Promise<void>;
}

export interface ConnectedSocketOptions {
  readonly peer: Endpoint;
  readonly bufferLength: number;
  /**
   * `octets[at … at + length)` is one received datagram, valid only during the call. Called for each datagram of a
   * batch, then `onBatchEnd` once.
   */
  readonly onDatagram: (octets: Uint8Array, at: number, length: number) => void;
  readonly onBatchEnd: () => void;
  /** ECONNREFUSED and the like, as reported by the kernel for a connected socket (ICMP). */
  readonly onError: (error: NodeJS.ErrnoException) => void;
}

/** A UDP socket connected to one upstream: the kernel drops datagrams of every other source. */
export interface ConnectedSocket {
  readonly localPort: number;
  /** Queues a copy of `octets[0 … length)`; flushes by itself when the queue is full. */
  send(octets: Uint8Array, length: number): void;
  flush(): void;
  close(): void;
}

export type EngineName = 'native' | 'portable';

/** Opens sockets of one kind. */
export interface Engine {
  readonly name: EngineName;
  listen(options: DatagramSocketOptions): Promise<DatagramSocket>;
  connect(options: ConnectedSocketOptions): Promise<ConnectedSocket>;
}
