/**
 * DNS over HTTPS for clients that speak HTTP/1.1: Node's own server does the protocol, this file the limits and the
 * meaning.
 */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Socket } from 'node:net';
import { type BinaryAddress, readAddress } from '../address.ts';
import type { CloseReason, StreamTransport } from '../contract.ts';
import type { Closable } from '../hub.ts';
import type { Tracked } from '../limits.ts';
import type { Origin } from '../messages.ts';
import type { DohHub } from './doh-hub.ts';
import { freshSeconds } from './freshness.ts';
import { forwardedClient } from './peer.ts';
import {
  BUSY,
  CODING_UNKNOWN,
  DNS_MESSAGE,
  HEADERS_LENGTH_MAX,
  HOST_TWICE,
  type HttpFault,
  judgeHead,
  judgeMessage,
  MALFORMED_BODY,
  MESSAGE_LENGTH_MAX,
  MESSAGE_TOO_LONG,
  METHOD_NOT_ALLOWED,
  queryRoom,
  readQuery,
  VERSION_UNKNOWN,
} from './request.ts';

/** Octets of a refused body that are read to their end. */
const THROWN_AWAY_MAX = 2 ** 20;
const UNKNOWN: BinaryAddress = { octets: new Uint8Array(16), length: 4 };

/** Serves HTTP/1.1 on sockets that the listener has accepted. */
export class Http1Service {
  readonly #hub: DohHub;
  readonly #server: Server;
  readonly #connections = new WeakMap<Socket, Http1Connection>();

  constructor(hub: DohHub) {
    this.#hub = hub;
    this.#server = createServer({
      maxHeaderSize: HEADERS_LENGTH_MAX,
      keepAliveTimeout: 0,
      requestTimeout: 0,
    });
    this.#server.on('request', (request, response) => {
      const connection = this.#connections.get(request.socket);
      if (connection === undefined) request.socket.destroy();
      else connection.take(request, response);
    });
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      this.#connections.get(socket as Socket)?.failed(error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400);
    });
  }

  accept(socket: Socket, clientName: string): void {
    const connection = new Http1Connection(socket, this.#hub, clientName);
    this.#connections.set(socket, connection);
    if (!socket.destroyed) this.#server.emit('connection', socket);
  }
}

/** After these the connection ends: where the next request begins is in doubt, or there was too much. */
const LAST: ReadonlySet<HttpFault> = new Set([
  VERSION_UNKNOWN,
  CODING_UNKNOWN,
  HOST_TWICE,
  MALFORMED_BODY,
  BUSY,
]);

/** What Node's parser lets pass and a server must not (RFC 9112 sections 2.3, 3.2 and 6.1). */
function judgeFraming({ httpVersionMajor, headers, rawHeaders }: IncomingMessage): HttpFault | null {
  if (httpVersionMajor !== 1) return VERSION_UNKNOWN;
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return CODING_UNKNOWN;
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) if (/^host$/i.test(rawHeaders[i])) hosts++;
  return hosts > 1 ? HOST_TWICE : null;
}

/** One connection, as the limits see it. */
class Http1Connection implements Tracked, Closable {
  readonly address: string;
  readonly peer: BinaryAddress;
  readonly peerPort: number;
  readonly clientName: string;
  readonly hub: DohHub;
  readonly #socket: Socket;
  readonly #openedMs: number;
  #lastActiveMs: number;
  #exchanges = 0;
  #requests = 0;
  #request: IncomingMessage | null = null;
  /** The exchange whose request is not here in full and has not been refused. */
  #reading: Http1Exchange | null = null;
  /** Octets read when the last request was complete: more of them are the beginning of the next. */
  #octetsRead = 0;
  #begunMs = 0;
  #unread = 0;
  #stalledSinceMs = 0;
  #finishing: CloseReason | null = null;
  #finishingMs = 0;
  #reason: CloseReason | null = null;

  constructor(socket: Socket, hub: DohHub, clientName: string) {
    this.address = socket.remoteAddress ?? '';
    this.peer = readAddress(this.address) ?? UNKNOWN;
    this.peerPort = socket.remotePort ?? 0;
    this.clientName = clientName;
    this.hub = hub;
    this.#socket = socket;
    this.#openedMs = this.#lastActiveMs = hub.limits.now();
    socket.on('error', () => {});
    socket.on('close', this.#onClose);
    hub.enter(this);
    if (!hub.limits.admit(this)) this.shut('client-limit');
  }

  get busy(): boolean {
    return this.#exchanges > 0;
  }

  get lastActiveMs(): number {
    return this.#lastActiveMs;
  }

  get unread(): number {
    return this.#socket.writableLength;
  }

  take(request: IncomingMessage, response: ServerResponse): void {
    this.#exchanges++;
    response.on('close', this.#onResponseClosed);
    const exchange = new Http1Exchange(this, request, response);
    this.#request = request;
    this.#reading = exchange;
    if (++this.#requests >= this.hub.limits.settings.queriesMax) {
      response.setHeader('connection', 'close');
      this.finish('spent');
    }
    // Pipelining is served, but not without bound: responses wait for the ones before them.
    if (this.#exchanges > this.hub.limits.settings.inFlightMax) exchange.refuse(BUSY);
    else exchange.begin();
  }

  /** What came is not HTTP/1.1. A request whose body it was has that for an answer; what was asked before is answered. */
  failed(status: 400 | 431): void {
    if (this.#reading !== null) {
      this.#reading.refuse(MALFORMED_BODY);
    } else if (!this.busy && this.#request?.complete !== false && this.#socket.writable) {
      this.hub.countError(status);
      this.#socket.write(
        `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
      );
    }
    this.finish('malformed');
  }

  /** A request is here in full, or its rest will not be looked at. */
  requestEnded(): void {
    this.#reading = null;
    this.#lastActiveMs = this.hub.limits.now();
    this.#octetsRead = this.#socket.bytesRead;
    this.#begunMs = 0;
  }

  check(nowMs: number): void {
    const { settings, idleMs } = this.hub.limits;
    this.#lookAtInput(nowMs);
    this.#lookAtOutput(nowMs);
    const stalled = this.#stalledSinceMs > 0 && nowMs - this.#stalledSinceMs > settings.slowReaderMs;
    const slow = this.#begunMs > 0 && nowMs - this.#begunMs > settings.messageMs;
    if (stalled) this.shut('slow-reader');
    else if (slow && (this.#reading !== null || this.#finishing === null)) this.shut('slow-message');
    else if (this.#finishing !== null && !this.busy && nowMs - this.#finishingMs > settings.slowReaderMs) {
      this.shut(this.#finishing);
    } else if (this.#finishing !== null) return;
    else if (nowMs - this.#openedMs > settings.ageMs) this.finish('spent');
    else if (!this.busy && nowMs - this.#lastActiveMs > idleMs) this.finish('idle');
  }

  finish(reason: CloseReason): void {
    if (this.#finishing !== null) return;
    this.#finishing = reason;
    this.#finishingMs = this.hub.limits.now();
    this.#endWhenDone();
  }

  shut(reason: CloseReason): void {
    this.#reason ??= reason;
    this.#socket.destroy();
  }

  #lookAtInput(nowMs: number): void {
    if (this.#socket.bytesRead === this.#octetsRead) this.#begunMs = 0;
    else if (this.#begunMs === 0) this.#begunMs = nowMs;
  }

  /** Unread output as the coarse timer sees it: it stalls when it did not get less since the last look. */
  #lookAtOutput(nowMs: number): void {
    const unread = this.#socket.writableLength;
    this.hub.limits.countUnread(unread - this.#unread);
    if (unread === 0 || unread < this.#unread) this.#stalledSinceMs = 0;
    else if (this.#stalledSinceMs === 0) this.#stalledSinceMs = nowMs;
    this.#unread = unread;
  }

  #endWhenDone(): void {
    if (this.#finishing === null || this.busy) return;
    this.#reason ??= this.#finishing;
    this.#socket.destroySoon();
  }

  readonly #onResponseClosed = (): void => {
    this.#exchanges--;
    this.#endWhenDone();
  };

  readonly #onClose = (): void => {
    this.hub.limits.countUnread(-this.#unread);
    this.#unread = 0;
    this.hub.limits.leave(this);
    this.hub.leave(this, this.#reason ?? this.#finishing ?? 'peer');
  };
}

/** One request and its response. */
class Http1Exchange implements Origin {
  readonly transport: StreamTransport = 'doh';
  readonly peer: Uint8Array;
  readonly peerLength: 4 | 16;
  readonly peerPort: number;
  readonly clientName: string;
  readonly restMs = -1;
  gone = false;
  readonly #connection: Http1Connection;
  readonly #hub: DohHub;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  /** Path and query. */
  readonly #url: string;
  #parts: Buffer[] = [];
  #length = 0;

  constructor(connection: Http1Connection, request: IncomingMessage, response: ServerResponse) {
    const { hub, address, peer } = connection;
    const list = request.headers['x-forwarded-for'];
    const named = Array.isArray(list) ? list.join(',') : list;
    const client = forwardedClient(named, address, hub.isTrustedProxy);
    this.peer = (client ?? peer).octets;
    this.peerLength = (client ?? peer).length;
    this.peerPort = client === null ? connection.peerPort : 0;
    this.clientName = connection.clientName;
    this.#connection = connection;
    this.#hub = hub;
    this.#request = request;
    this.#response = response;
    // The whole URL, as proxies are asked, says the same (RFC 9112 section 3.2.2).
    const { url = '' } = request;
    this.#url = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?]*/i, '');
    response.sendDate = false;
    response.on('error', () => {});
    response.on('close', () => {
      this.gone = true;
    });
    request.on('error', () => {});
  }

  begin(): void {
    const { method = '', headers } = this.#request;
    const head = {
      method,
      url: this.#url,
      contentType: headers['content-type'],
      contentLength: headers['content-length'],
    };
    const fault = judgeFraming(this.#request) ?? judgeHead(head, this.#hub.path);
    if (fault !== null) {
      this.refuse(fault);
      return;
    }
    this.#request.on('data', this.#onData);
    this.#request.on('end', method === 'POST' ? this.#onPosted : this.#onAsked);
  }

  refuse(fault: HttpFault): void {
    const { status, text } = fault;
    this.#hub.countError(status);
    this.#request.off('data', this.#onData);
    this.#request.removeAllListeners('end');
    this.#parts = [];
    // A very long body that nobody will read is not waited for. Others are, octet for octet thrown away: a connection that
    // ends with octets unread is reset, and the reset may reach the client before the status does (RFC 9112 section 9.6).
    const { complete, headers } = this.#request;
    const unread = !complete && !(Number(headers['content-length'] ?? Number.NaN) <= THROWN_AWAY_MAX);
    this.#response.writeHead(status, {
      'content-type': 'text/plain',
      'content-length': Buffer.byteLength(text),
      ...(fault === METHOD_NOT_ALLOWED ? { allow: 'GET, HEAD, POST' } : {}),
      ...(unread || LAST.has(fault) ? { connection: 'close' } : {}),
    });
    this.#response.end(this.#request.method === 'HEAD' ? undefined : text);
    this.#request.resume();
    this.#connection.requestEnded();
  }

  answer(octets: Uint8Array, length: number): void {
    const { counters } = this.#hub;
    counters.inFlight--;
    if (this.gone) {
      counters.cancelled++;
      return;
    }
    counters.responses++;
    this.#response.writeHead(200, {
      'content-type': DNS_MESSAGE,
      'content-length': length,
      'cache-control': `max-age=${freshSeconds(octets, length)}`,
    });
    this.#response.end(this.#request.method === 'HEAD' ? undefined : Buffer.from(octets.subarray(0, length)));
  }

  forgo(): void {
    const { counters } = this.#hub;
    counters.inFlight--;
    counters.discarded++;
    // HTTP/1.1 has no other way to leave one request unanswered.
    this.#connection.shut('peer');
  }

  readonly #onData = (part: Buffer): void => {
    this.#length += part.length;
    if (this.#length > MESSAGE_LENGTH_MAX) this.refuse(MESSAGE_TOO_LONG);
    else this.#parts.push(part);
  };

  readonly #onPosted = (): void => {
    const body = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#handOver(body, body.length);
  };

  readonly #onAsked = (): void => {
    this.#parts = [];
    const length = readQuery(this.#url, this.#hub.path);
    if (typeof length === 'number') this.#handOver(queryRoom, length);
    else this.refuse(length);
  };

  #handOver(octets: Uint8Array, length: number): void {
    const { limits, counters, onMessage } = this.#hub;
    this.#connection.requestEnded();
    const fault = judgeMessage(octets, 0, length);
    if (fault !== null) {
      this.refuse(fault);
      return;
    }
    const message = limits.messages.take(length, this);
    if (message === null) {
      this.refuse(BUSY);
      return;
    }
    message.octets.set(octets.subarray(0, length));
    counters.inFlight++;
    counters.queries++;
    onMessage(message);
    this.#hub.batchEnded(1);
  }
}
