/**
 * Queries that come over streams (TCP, DoT, DoH) and how the query path takes them.
 *
 * A listener hands each message over as it is complete, and says when a batch of them has been handed over
 * (`onBatchEnd`). The path answers at once or later, in any order; what it answers within one turn of the event
 * loop leaves in one write per connection.
 */

import type { ConnectionLimits } from './limits.ts';

export type StreamTransport = 'tcp' | 'dot' | 'doh';

/**
 * One message. The path puts the response in its place and calls `respond`, or calls `discard`; exactly one of the
 * two, exactly once, also when `cancelled`. After that the object belongs to the listener again and will carry
 * another message.
 */
export interface StreamMessage {
  /** Index of the slot, 0 to `messagesMax` − 1, unique among all listeners of a thread that share their limits. */
  readonly slot: number;
  /**
   * The query in [0, length), at least MESSAGE_ROOM octets of room. A longer response goes into a larger array that the
   * path puts here; it may use that array again as soon as `respond` has returned.
   */
  octets: Uint8Array;
  /** Octets of the query, at least 12; the path sets it to the octets of the response (at most 65535). */
  length: number;
  readonly transport: StreamTransport;
  /** The client's address: octets 0–3 (IPv4) or 0–15 (IPv6), never IPv4-mapped. Not to be kept past the message. */
  readonly peer: Uint8Array;
  readonly peerLength: 4 | 16;
  readonly peerPort: number;
  /** Subject of the client's certificate (common name), `''` when it showed none that was verified. */
  readonly clientName: string;
  /** True once the connection or HTTP stream is gone: work on it may stop, `respond` then sends nothing. */
  readonly cancelled: boolean;
  /** How long its connection may rest from now on, milliseconds; −1 where that is HTTP's affair (RFC 7828 section 3.2). */
  readonly restMs: number;
  /** For the path's own use. Kept from one message of the slot to the next, so that it is made only once. */
  context: unknown;
  /** Sends octets[0 … length). The audit entry is by then written. */
  respond(): void;
  /** No response: dropped by policy. Counted; over HTTP the stream is reset, else the connection just goes on. */
  discard(): void;
}

/** Octets of room that every message has. */
export const MESSAGE_ROOM = 4096;

export type MessageHandler = (message: StreamMessage) => void;

/** What a listener has done, read when metrics are scraped. All but the first two only grow. */
export interface ListenerCounters {
  /** Connections open now. */
  open: number;
  /** Messages handed over and not yet given back. */
  inFlight: number;
  accepted: number;
  queries: number;
  responses: number;
  /** Messages the path gave back by `discard`. */
  discarded: number;
  /** Responses that found their connection or stream gone. */
  cancelled: number;
  /** Connections closed by a limit or a fault of the client. */
  closed: Record<CloseReason, number>;
  /** Reading stopped for a while: too many in flight, or too much output that the client has not read. */
  paused: number;
  /** TLS handshakes finished, those of them that resumed a session, and those that failed or took too long. */
  handshakes: number;
  resumed: number;
  handshakesFailed: number;
  /** HTTP requests answered with another status than 200, by status. */
  httpErrors: Record<number, number>;
  /** HTTP/2 streams that were reset because a bound was met, by bound. */
  streamsReset: Record<StreamBound, number>;
}

/**
 * A bound on the streams of one HTTP/2 connection: how many at once, octets of URLs that wait for the end of their
 * requests, octets of responses behind shut windows.
 */
export type StreamBound = 'streams' | 'urls' | 'output';

/** Why a listener closed a connection. `peer` is the ordinary end: the client closed or reset it. */
export type CloseReason =
  | 'peer'
  | 'idle'
  | 'evicted'
  | 'client-limit'
  | 'slow-message'
  | 'slow-reader'
  | 'malformed'
  | 'spent'
  | 'handshake'
  | 'handshake-limit'
  | 'abuse'
  | 'shutdown';

/** Certificate chain and private key, PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** What every stream listener is opened with. */
export interface StreamListenerOptions {
  /** An IPv4 or IPv6 literal to listen on. */
  readonly address: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** Share the port with other threads (SO_REUSEPORT); see `portSharing` for what this platform can do. */
  readonly reusePort: boolean;
  /** Bounds and message slots, one object for all listeners of a thread. */
  readonly limits: ConnectionLimits;
  readonly onMessage: MessageHandler;
  /** Peers (addresses as Node writes them) whose TCP and DoT connections begin with a PROXY header; absent: none. */
  readonly isProxy?: (address: string) => boolean;
  /**
   * A batch has been handed over: what came with one read when it was much, else what came from all connections in one
   * turn of the event loop.
   */
  readonly onBatchEnd: () => void;
  /** Errors of the listening socket after it was opened (it stays open). */
  readonly onError: (error: Error) => void;
}

/** An open listening socket. */
export interface Listener {
  readonly transport: StreamTransport;
  readonly address: string;
  /** The port that is really bound, also when 0 was asked for. */
  readonly port: number;
  readonly counters: ListenerCounters;
  /** Connections open now. */
  connections(): number;
  /** New handshakes use this certificate; connections that stand are kept. Throws what is wrong, and keeps the old one. */
  reloadCertificate?(certificate: Certificate): void;
  /**
   * Accepts no more, answers what is in flight, closes what is idle, and after `graceMs` closes the rest. Resolves when
   * the last connection is gone.
   */
  close(graceMs: number): Promise<void>;
}
