/** One request of an HTTP/2 connection and its response. */

import type { BinaryAddress } from '../address.ts';
import type { StreamTransport } from '../contract.ts';
import type { Origin } from '../messages.ts';
import type { HttpFault } from './request.ts';
import { MESSAGE_LENGTH_MAX } from './request.ts';

/** What an exchange needs of its connection. */
export interface ExchangeHost {
  readonly transport: StreamTransport;
  readonly peer: Uint8Array;
  readonly peerLength: 4 | 16;
  readonly peerPort: number;
  readonly clientName: string;
  respond(exchange: Http2Exchange, octets: Uint8Array, length: number): void;
  forgo(exchange: Http2Exchange): void;
}

const BODY_AT_FIRST = 512;

export class Http2Exchange implements Origin {
  readonly transport: StreamTransport;
  readonly peer: Uint8Array;
  readonly peerLength: 4 | 16;
  readonly peerPort: number;
  readonly clientName: string;
  readonly restMs = -1;
  readonly stream: number;
  readonly openedMs: number;
  /** Of a GET or HEAD whose end is awaited; `''` for a POST, whose body holds the query. */
  url: string;
  readonly headOnly: boolean;
  /** Octets the client said it would send; −1 when it did not say. */
  readonly announced: number;
  /** Octets of DATA that we may still send on this stream; may be negative (RFC 9113 section 6.9.2). */
  sendWindow: number;
  /** The client has sent all of its request. */
  requestEnded = false;
  /** What is wrong with its head, told when its body has been read. */
  fault: HttpFault | null = null;
  /** Everything was sent, or the stream was reset. */
  gone = false;
  /** Octets of the body in `body`. */
  bodyLength = 0;
  body: Uint8Array | null = null;
  /** The part of the response that flow control holds back: pending[pendingAt … end). */
  pending: Uint8Array | null = null;
  pendingAt = 0;
  readonly #host: ExchangeHost;

  constructor(
    host: ExchangeHost,
    stream: number,
    openedMs: number,
    sendWindow: number,
    request: { readonly url: string; readonly headOnly: boolean; readonly announced: number },
    client: BinaryAddress | null,
  ) {
    this.#host = host;
    this.stream = stream;
    this.openedMs = openedMs;
    this.sendWindow = sendWindow;
    this.url = request.url;
    this.headOnly = request.headOnly;
    this.announced = request.announced;
    this.transport = host.transport;
    this.clientName = host.clientName;
    this.peer = client?.octets ?? host.peer;
    this.peerLength = client?.length ?? host.peerLength;
    this.peerPort = client === null ? host.peerPort : 0;
  }

  /** Adds a part of the body, which must fit `MESSAGE_LENGTH_MAX` in all. Memory grows with what has arrived. */
  addBody(octets: Uint8Array, from: number, to: number): void {
    const needed = this.bodyLength + to - from;
    if (this.body === null || needed > this.body.length) {
      const larger = new Uint8Array(
        Math.min(MESSAGE_LENGTH_MAX, Math.max(needed, BODY_AT_FIRST, this.bodyLength * 2)),
      );
      if (this.body !== null) larger.set(this.body.subarray(0, this.bodyLength));
      this.body = larger;
    }
    this.body.set(octets.subarray(from, to), this.bodyLength);
    this.bodyLength = needed;
  }

  answer(octets: Uint8Array, length: number): void {
    this.#host.respond(this, octets, length);
  }

  forgo(): void {
    this.#host.forgo(this);
  }
}
