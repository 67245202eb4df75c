/**
 * One HTTP/2 connection that carries DNS over HTTPS (RFC 9113, RFC 8484).
 *
 * Written for this one purpose because a general HTTP/2 stack costs several times what answering from cache does. `Http2Reader` reads the
 * frames; here is what they mean: every complete query is handed over at once, and the responses of a turn leave in one
 * write.
 *
 * What a hostile client may do is counted: streams at once, resets, control frames, header octets, body octets, unread output.
 * A stream that the client gave up is marked gone, so that work on it stops.
 */
import type { Socket } from 'node:net';
import { copyOctets } from '../../wire/index.ts';
import { type BinaryAddress, readAddress } from '../address.ts';
import type { CloseReason, StreamBound, StreamTransport } from '../contract.ts';
import type { Closable } from '../hub.ts';
import { takeIn } from '../intake.ts';
import type { Tracked } from '../limits.ts';
import { Output } from '../output.ts';
import type { DohHub } from './doh-hub.ts';
import { freshSeconds } from './freshness.ts';
import { HeaderDecoder } from './hpack.ts';
import { type ExchangeHost, Http2Exchange } from './http2-exchange.ts';
import {
  ErrorCode,
  FRAME_LENGTH_MAX,
  FrameType,
  Setting,
  writeAnswerHead,
  writeData,
  writeFaultHead,
  writeGoaway,
  writeNumber,
  writePingAck,
  writeSettings,
  writeSettingsAck,
} from './http2-frames.ts';
import { Http2Head } from './http2-head.ts';
import { type FrameTaker, Http2Reader } from './http2-reader.ts';
import { forwardedClient } from './peer.ts';
import {
  BUSY,
  HEADERS_LENGTH_MAX,
  HEADERS_TOO_LONG,
  type HttpFault,
  judgeHead,
  judgeMessage,
  MESSAGE_LENGTH_MAX,
  MESSAGE_TOO_LONG,
  METHOD_NOT_ALLOWED,
  queryRoom,
  readQuery,
} from './request.ts';

/** In this span of time `resetsMax` streams may be reset before the client is asked to go (docs/limits.md). */
const RESETS_SPAN_MS = 30_000;
/** Frames that ask for work and bring no query, such as PING: so many may be sent before a query earns more. */
const PATIENCE_MAX = 1000;
const PATIENCE_PER_QUERY = 10;
/** Octets of bodies in all that a client may have us keep, likewise of URLs, and of one body with its padding. */
const RECEIVE_WINDOW = 131_072;
const STREAM_RECEIVE_WINDOW = 131_072;
const DEFAULT_WINDOW = 65_535;
const WINDOW_MAX = 0x7fff_ffff;
/** Streams we reset are remembered, because what the client sent before it knew is no fault: so many, or `streamsMax`. */
const REMEMBERED_MIN = 100;

const EMPTY = Buffer.alloc(0);
const UNKNOWN: BinaryAddress = { octets: new Uint8Array(16), length: 4 };

/** Read to the end before the next is read: one for all connections of the thread. */
const head = new Http2Head();

export class Http2Connection implements Tracked, Closable, ExchangeHost, FrameTaker {
  readonly transport: StreamTransport = 'doh';
  readonly address: string;
  readonly peer: Uint8Array;
  readonly peerLength: 4 | 16;
  readonly peerPort: number;
  readonly clientName: string;
  readonly #socket: Socket;
  readonly #hub: DohHub;
  readonly #output: Output;
  readonly #reader = new Http2Reader(this);
  readonly #decoder = new HeaderDecoder();
  readonly #streams = new Map<number, Http2Exchange>();
  /** Exchanges with a response that flow control holds back, oldest first. */
  readonly #blocked = new Set<Http2Exchange>();
  readonly #resetByUs = new Set<number>();
  readonly #openedMs: number;
  #lastActiveMs: number;
  /** When the chunk at hand came. */
  #chunkMs = 0;
  #lastStream = 0;
  #sendWindow = DEFAULT_WINDOW;
  #streamSendWindow = DEFAULT_WINDOW;
  /** What the SETTINGS at hand say it is to be. */
  #streamSendWindowAsked = DEFAULT_WINDOW;
  #receiveWindow = RECEIVE_WINDOW;
  #consumed = 0;
  /** Octets of URLs that wait for the end of their requests. */
  #urlsLength = 0;
  #blockedLength = 0;
  #blockedSinceMs = 0;
  #inFlight = 0;
  #queries = 0;
  #handed = 0;
  #patience = PATIENCE_MAX;
  #resets = 0;
  #resetsSinceMs = 0;
  #paused = false;
  #resuming = false;
  #finishing: CloseReason | null = null;
  #finishingMs = 0;
  /** Nothing more is read: the client broke the protocol, or has sent all it will. */
  #deaf = false;
  #reason: CloseReason | null = null;
  #gone = false;

  constructor(socket: Socket, hub: DohHub, clientName: string) {
    const { limits } = hub;
    this.address = socket.remoteAddress ?? '';
    const peer = readAddress(this.address) ?? UNKNOWN;
    this.peer = peer.octets;
    this.peerLength = peer.length;
    this.peerPort = socket.remotePort ?? 0;
    this.clientName = clientName;
    this.#socket = socket;
    this.#hub = hub;
    this.#output = new Output(socket, limits, this.#onProgress);
    this.#openedMs = this.#lastActiveMs = limits.now();
    takeIn(socket, this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('error', ignore);
    socket.on('close', this.#onClose);
    hub.enter(this);
    if (!limits.admit(this)) {
      this.shut('client-limit');
      return;
    }
    writeSettings(this.#output, [
      [Setting.MAX_CONCURRENT_STREAMS, limits.settings.streamsMax],
      [Setting.INITIAL_WINDOW_SIZE, STREAM_RECEIVE_WINDOW],
      [Setting.MAX_HEADER_LIST_SIZE, HEADERS_LENGTH_MAX],
    ]);
    writeNumber(this.#output, FrameType.WINDOW_UPDATE, 0, RECEIVE_WINDOW - DEFAULT_WINDOW);
  }

  get busy(): boolean {
    return this.#inFlight > 0;
  }

  get lastActiveMs(): number {
    return this.#lastActiveMs;
  }

  get unread(): number {
    return this.#output.unread + this.#blockedLength;
  }

  // --- Responses ---------------------------------------------------------------------------------------------------

  respond(exchange: Http2Exchange, octets: Uint8Array, length: number): void {
    const { counters } = this.#hub;
    if (exchange.gone) {
      counters.cancelled++;
    } else {
      counters.responses++;
      const { stream, headOnly } = exchange;
      writeAnswerHead(this.#output, stream, length, freshSeconds(octets, length), headOnly);
      if (headOnly) this.#ended(exchange);
      else this.#send(exchange, octets, length);
    }
    this.#finished();
  }

  forgo(exchange: Http2Exchange): void {
    this.#hub.counters.discarded++;
    if (!exchange.gone) this.#reset(exchange.stream, ErrorCode.CANCEL);
    this.#finished();
  }

  /** Sends a body as far as flow control allows, and keeps the rest. */
  #send(exchange: Http2Exchange, octets: Uint8Array, length: number): void {
    const sent = this.#sendPart(exchange, octets, 0, length);
    if (sent === length) {
      this.#ended(exchange);
    } else if (
      this.#socket.readableEnded ||
      this.#blockedLength + length - sent > this.#hub.limits.settings.unreadMax
    ) {
      // A client that asks and does not open its window makes us keep its responses: not without bound, and not for one
      // that sends no more and so can never open it.
      this.#resetAtBound(exchange.stream, 'output', ErrorCode.ENHANCE_YOUR_CALM);
    } else {
      exchange.pending = octets.slice(sent, length);
      exchange.pendingAt = 0;
      this.#blocked.add(exchange);
      this.#countBlocked(length - sent);
      if (this.#blockedSinceMs === 0) this.#blockedSinceMs = this.#hub.limits.now();
    }
  }

  /** Writes DATA frames from `from` on and returns how far it came. */
  #sendPart(exchange: Http2Exchange, octets: Uint8Array, from: number, end: number): number {
    while (from < end) {
      const part = Math.min(end - from, this.#sendWindow, exchange.sendWindow, FRAME_LENGTH_MAX);
      if (part <= 0) return from;
      writeData(this.#output, exchange.stream, octets, from, from + part, from + part === end);
      this.#sendWindow -= part;
      exchange.sendWindow -= part;
      from += part;
    }
    return from;
  }

  /** A window has opened: sends what it held back. */
  #unblock(): void {
    for (const exchange of this.#blocked) {
      if (this.#sendWindow <= 0) break;
      const { pending, pendingAt } = exchange;
      if (pending === null) continue;
      const sent = this.#sendPart(exchange, pending, pendingAt, pending.length);
      this.#countBlocked(pendingAt - sent);
      if (sent > pendingAt) this.#blockedSinceMs = this.#hub.limits.now();
      exchange.pendingAt = sent;
      if (sent === pending.length) this.#ended(exchange);
    }
    if (this.#blocked.size === 0) this.#blockedSinceMs = 0;
    this.#endWhenDone();
  }

  #refuse(exchange: Http2Exchange, fault: HttpFault): void {
    const { stream, headOnly } = exchange;
    const { status, text } = fault;
    this.#hub.countError(status);
    this.#patience--;
    const body = Buffer.from(text, 'latin1');
    writeFaultHead(
      this.#output,
      stream,
      status,
      body.length,
      fault === METHOD_NOT_ALLOWED ? 'GET, HEAD, POST' : null,
      headOnly,
    );
    // The body of a response to HEAD is announced and not sent.
    if (headOnly) this.#ended(exchange);
    else this.#send(exchange, body, body.length);
  }

  /** The response is sent. A request that was not read to its end is cut off without blame (RFC 9113 section 8.1). */
  #ended(exchange: Http2Exchange): void {
    if (exchange.requestEnded) this.#forget(exchange);
    else this.#reset(exchange.stream, ErrorCode.NO_ERROR);
  }

  #resetAtBound(stream: number, bound: StreamBound, code: number): void {
    this.#hub.counters.streamsReset[bound]++;
    this.#reset(stream, code);
  }

  #reset(stream: number, code: number): void {
    writeNumber(this.#output, FrameType.RST_STREAM, stream, code);
    if (this.#resetByUs.size >= Math.max(REMEMBERED_MIN, this.#hub.limits.settings.streamsMax)) {
      for (const oldest of this.#resetByUs) {
        this.#resetByUs.delete(oldest);
        break;
      }
    }
    this.#resetByUs.add(stream);
    const exchange = this.#streams.get(stream);
    if (exchange !== undefined) this.#forget(exchange);
    // Resets that the client brings about with faults of its own cost us what its own resets cost (CVE-2025-8671).
    if (code !== ErrorCode.NO_ERROR) this.#countReset();
  }

  #forget(exchange: Http2Exchange): void {
    exchange.gone = true;
    this.#streams.delete(exchange.stream);
    this.#dropRequest(exchange);
    if (this.#blocked.delete(exchange) && exchange.pending !== null) {
      this.#countBlocked(exchange.pendingAt - exchange.pending.length);
      exchange.pending = null;
    }
  }

  /** What a shut window makes us keep counts as output that is not read: for this client, and for all of them. */
  #countBlocked(difference: number): void {
    this.#blockedLength += difference;
    this.#hub.limits.countUnread(difference);
  }

  #countReset(): void {
    const nowMs = this.#hub.limits.now();
    if (nowMs - this.#resetsSinceMs > RESETS_SPAN_MS) {
      this.#resetsSinceMs = nowMs;
      this.#resets = 0;
    }
    if (++this.#resets > this.#hub.limits.settings.resetsMax) this.fail(ErrorCode.ENHANCE_YOUR_CALM, true);
  }

  #finished(): void {
    this.#inFlight--;
    this.#hub.counters.inFlight--;
    this.#endWhenDone();
  }

  // --- Reading -----------------------------------------------------------------------------------------------------

  readonly #onData = (octets: Buffer, length: number): void => {
    if (!this.#deaf) this.#advance(octets.subarray(0, length));
  };

  /** Reads a chunk, or with an empty one what was kept, and ends the batch that it brought. */
  #advance(chunk: Buffer): void {
    this.#handed = 0;
    this.#chunkMs = this.#hub.limits.now();
    this.#reader.read(chunk, this.#chunkMs);
    if (this.#handed > 0) {
      this.#lastActiveMs = this.#chunkMs;
      this.#hub.batchEnded(this.#handed);
    }
    this.#replenish();
    this.#output.flush();
    this.#endWhenDone();
  }

  mayRead(): boolean {
    if (this.#output.unread < this.#hub.limits.settings.unreadMax) return true;
    if (!this.#paused) {
      this.#paused = true;
      this.#hub.counters.paused++;
      this.#socket.pause();
    }
    return false;
  }

  takeData(stream: number, ends: boolean, length: number, octets: Buffer, at: number, end: number): void {
    // Padding counts in the window although nobody reads it. A body is consumed only when its request is complete, so
    // that what a client makes us keep is bounded by the window of the connection.
    this.#receiveWindow -= length;
    this.#consumed += length;
    const exchange = this.#streams.get(stream);
    if (stream > this.#lastStream) {
      this.fail(ErrorCode.PROTOCOL_ERROR);
    } else if (this.#receiveWindow < 0) {
      this.fail(ErrorCode.FLOW_CONTROL_ERROR);
    } else if (exchange === undefined) {
      this.#late(stream);
    } else if (exchange.requestEnded) {
      this.#reset(stream, ErrorCode.STREAM_CLOSED);
    } else {
      this.#body(exchange, ends, octets, at, end);
    }
  }

  #body(exchange: Http2Exchange, ends: boolean, octets: Buffer, at: number, end: number): void {
    if (end === at && !ends) this.takeNothing();
    if (exchange.bodyLength + end - at > MESSAGE_LENGTH_MAX) {
      exchange.requestEnded = ends;
      this.#refuse(exchange, exchange.fault ?? MESSAGE_TOO_LONG);
    } else if (ends && exchange.bodyLength === 0) {
      this.#requestEnded(exchange, octets, at, end);
    } else {
      if (end > at) {
        exchange.addBody(octets, at, end);
        this.#consumed -= end - at;
      }
      if (ends) this.#requestEnded(exchange, exchange.body ?? EMPTY, 0, exchange.bodyLength);
    }
  }

  takeHeaders(
    stream: number,
    ends: boolean,
    selfDependent: boolean,
    block: Buffer,
    at: number,
    end: number,
  ): void {
    head.clear();
    // The fields of a request that is refused are read all the same: the table of the decoder follows the client's.
    if (!this.#decoder.decode(block, at, end, head)) {
      this.fail(ErrorCode.COMPRESSION_ERROR);
    } else if (stream > this.#lastStream) {
      this.#lastStream = stream;
      if (selfDependent) this.#reset(stream, ErrorCode.PROTOCOL_ERROR);
      else this.#request(stream, ends);
    } else {
      this.#trailers(stream, ends);
    }
  }

  #trailers(stream: number, ends: boolean): void {
    const exchange = this.#streams.get(stream);
    if (exchange === undefined) {
      this.#late(stream);
    } else if (exchange.requestEnded) {
      this.#reset(stream, ErrorCode.STREAM_CLOSED);
    } else if (!ends || !head.isTrailer) {
      this.#reset(stream, ErrorCode.PROTOCOL_ERROR);
    } else {
      this.#requestEnded(exchange, exchange.body ?? EMPTY, 0, exchange.bodyLength);
    }
  }

  /** A frame for a stream that is over: no fault when the client could not know that we had reset it. */
  #late(stream: number): void {
    if (this.#resetByUs.has(stream)) this.takeNothing();
    else this.fail(ErrorCode.STREAM_CLOSED);
  }

  #request(stream: number, ends: boolean): void {
    if (this.#finishing !== null) {
      this.#reset(stream, ErrorCode.REFUSED_STREAM);
      return;
    }
    if (this.#streams.size >= this.#hub.limits.settings.streamsMax) {
      this.#resetAtBound(stream, 'streams', ErrorCode.REFUSED_STREAM);
      return;
    }
    if (!head.complete) {
      this.#reset(stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    const { path, isTrustedProxy } = this.#hub;
    const { method, contentLength, forwardedFor } = head;
    const fault = head.tooLong ? HEADERS_TOO_LONG : judgeHead(head, path);
    const exchange = new Http2Exchange(
      this,
      stream,
      this.#chunkMs,
      this.#streamSendWindow,
      {
        url: method === 'POST' || fault !== null ? '' : head.url,
        headOnly: method === 'HEAD',
        announced: contentLength === undefined ? -1 : Number(contentLength),
      },
      forwardedFor === undefined ? null : forwardedClient(forwardedFor, this.address, isTrustedProxy),
    );
    this.#streams.set(stream, exchange);
    this.#urlsLength += exchange.url.length;
    if (!ends && this.#urlsLength > RECEIVE_WINDOW) {
      this.#resetAtBound(stream, 'urls', ErrorCode.ENHANCE_YOUR_CALM);
      return;
    }
    if (ends) {
      if (fault === null) this.#requestEnded(exchange, EMPTY, 0, 0);
      else exchange.requestEnded = true;
    }
    if (fault === null) return;
    // The body is read to its end first, unless it is said to be long: clients lose the status of a response whose
    // stream is reset behind it, and what is malformed further on shall be called that.
    if (exchange.requestEnded || exchange.announced > MESSAGE_LENGTH_MAX) this.#refuse(exchange, fault);
    else exchange.fault = fault;
  }

  /** The request is complete; its body is octets[at … end). */
  #requestEnded(exchange: Http2Exchange, octets: Uint8Array, at: number, end: number): void {
    exchange.requestEnded = true;
    if (exchange.announced >= 0 && exchange.announced !== end - at) {
      this.#reset(exchange.stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    if (exchange.fault !== null) {
      this.#refuse(exchange, exchange.fault);
    } else if (exchange.url !== '') {
      const length = readQuery(exchange.url, this.#hub.path);
      if (typeof length === 'number') this.#handOver(exchange, queryRoom, 0, length);
      else this.#refuse(exchange, length);
    } else {
      this.#handOver(exchange, octets, at, end - at);
    }
    this.#dropRequest(exchange);
  }

  #dropRequest(exchange: Http2Exchange): void {
    this.#urlsLength -= exchange.url.length;
    exchange.url = '';
    this.#consumed += exchange.bodyLength;
    exchange.bodyLength = 0;
    exchange.body = null;
  }

  #handOver(exchange: Http2Exchange, octets: Uint8Array, at: number, length: number): void {
    const { limits, counters, onMessage } = this.#hub;
    const fault = judgeMessage(octets, at, length);
    if (fault !== null) {
      this.#refuse(exchange, fault);
      return;
    }
    const message = limits.messages.take(length, exchange);
    if (message === null) {
      this.#refuse(exchange, BUSY);
      return;
    }
    copyOctets(octets, at, message.octets, 0, length);
    this.#inFlight++;
    this.#handed++;
    counters.inFlight++;
    counters.queries++;
    this.#patience = Math.min(PATIENCE_MAX, this.#patience + PATIENCE_PER_QUERY);
    onMessage(message);
    if (++this.#queries >= limits.settings.queriesMax) this.finish('spent');
  }

  takePriority(stream: number, dependency: number): void {
    if (dependency === stream) this.takeFault(stream, ErrorCode.PROTOCOL_ERROR);
    else this.takeNothing();
  }

  takeFault(stream: number, code: number): void {
    // A stream that is not open cannot be reset (RFC 9113 section 5.1), so its fault is one of the connection.
    if (this.#streams.has(stream)) this.#reset(stream, code);
    else this.fail(code);
  }

  takeReset(stream: number): void {
    if (stream > this.#lastStream) {
      this.fail(ErrorCode.PROTOCOL_ERROR);
      return;
    }
    const exchange = this.#streams.get(stream);
    if (exchange !== undefined) this.#forget(exchange);
    // Behind its own reset nothing may follow, whatever we had sent.
    this.#resetByUs.delete(stream);
    this.#countReset();
  }

  takeSetting(setting: number, value: number): number {
    if (setting === Setting.ENABLE_PUSH && value > 1) return ErrorCode.PROTOCOL_ERROR;
    // We never send frames longer than the least that every client takes, so a larger size changes nothing.
    const isFrameSize = value >= FRAME_LENGTH_MAX && value <= 0xff_ffff;
    if (setting === Setting.MAX_FRAME_SIZE && !isFrameSize) return ErrorCode.PROTOCOL_ERROR;
    if (setting !== Setting.INITIAL_WINDOW_SIZE) return ErrorCode.NO_ERROR;
    if (value > WINDOW_MAX) return ErrorCode.FLOW_CONTROL_ERROR;
    this.#streamSendWindowAsked = value;
    return ErrorCode.NO_ERROR;
  }

  takeSettingsEnd(): void {
    this.takeNothing();
    // Once for a frame: one of 16 kB could change the windows of all streams 2730 times.
    this.#changeWindows(this.#streamSendWindowAsked - this.#streamSendWindow);
    if (this.#deaf) return;
    writeSettingsAck(this.#output);
    this.#unblock();
  }

  #changeWindows(difference: number): void {
    if (difference === 0) return;
    this.#streamSendWindow += difference;
    for (const exchange of this.#streams.values()) {
      exchange.sendWindow += difference;
      if (exchange.sendWindow > WINDOW_MAX) {
        this.fail(ErrorCode.FLOW_CONTROL_ERROR);
        return;
      }
    }
  }

  takePing(octets: Buffer, at: number): void {
    this.takeNothing();
    if (!this.#deaf) writePingAck(this.#output, octets, at);
  }

  takeWindowUpdate(stream: number, increment: number): void {
    if (stream > this.#lastStream) {
      this.fail(ErrorCode.PROTOCOL_ERROR);
      return;
    }
    this.takeNothing();
    if (stream === 0) {
      this.#sendWindow += increment;
      if (increment === 0) this.fail(ErrorCode.PROTOCOL_ERROR);
      else if (this.#sendWindow > WINDOW_MAX) this.fail(ErrorCode.FLOW_CONTROL_ERROR);
    } else {
      const exchange = this.#streams.get(stream);
      if (exchange === undefined) return;
      exchange.sendWindow += increment;
      if (increment === 0) this.#reset(stream, ErrorCode.PROTOCOL_ERROR);
      else if (exchange.sendWindow > WINDOW_MAX) this.#reset(stream, ErrorCode.FLOW_CONTROL_ERROR);
    }
    if (!this.#deaf && this.#blocked.size > 0) this.#unblock();
  }

  /** Too many frames that bring us nothing are an attack. */
  takeNothing(): void {
    if (--this.#patience < 0) this.fail(ErrorCode.ENHANCE_YOUR_CALM, true);
  }

  /** Opens the connection's window again when a quarter of it is free again. Each stream's is wide enough for any message. */
  #replenish(): void {
    if (this.#consumed < RECEIVE_WINDOW / 4 || this.#deaf) return;
    writeNumber(this.#output, FrameType.WINDOW_UPDATE, 0, this.#consumed);
    this.#receiveWindow += this.#consumed;
    this.#consumed = 0;
  }

  readonly #onProgress = (): void => {
    if (this.#paused && !this.#resuming && this.#output.unread < this.#hub.limits.settings.unreadMax) {
      this.#resuming = true;
      setImmediate(this.#readOn);
    }
    this.#endWhenDone();
  };

  readonly #readOn = (): void => {
    this.#resuming = false;
    if (this.#gone) return;
    this.#paused = false;
    this.#advance(EMPTY);
    if (!this.#paused) this.#socket.resume();
  };

  // --- Endings -----------------------------------------------------------------------------------------------------

  check(nowMs: number): void {
    const { settings, idleMs } = this.#hub.limits;
    const { stalledSinceMs } = this.#output;
    const stalled = stalledSinceMs > 0 && nowMs - stalledSinceMs > settings.slowReaderMs;
    const blocked = this.#blockedSinceMs > 0 && nowMs - this.#blockedSinceMs > settings.slowReaderMs;
    const waitedMs = nowMs - Math.max(this.#finishingMs, this.#lastActiveMs);
    if (stalled || blocked) this.shut('slow-reader');
    else if (this.#finishing !== null && !this.busy && waitedMs > settings.slowReaderMs)
      this.shut(this.#finishing);
    else if (this.#finishing !== null) return;
    else if (this.#isSlow(nowMs, settings.messageMs)) this.shut('slow-message');
    else if (nowMs - this.#openedMs > settings.ageMs) this.finish('spent');
    else if (this.#streams.size === 0 && nowMs - this.#lastActiveMs > idleMs) this.finish('idle');
  }

  /** Part of a frame, of a header block or of a request is here, and the rest has not come in time. */
  #isSlow(nowMs: number, messageMs: number): boolean {
    if (this.#paused) return false;
    if (nowMs - this.#reader.waitingSinceMs > messageMs) return true;
    for (const exchange of this.#streams.values()) {
      if (!exchange.requestEnded && nowMs - exchange.openedMs > messageMs) return true;
    }
    return false;
  }

  finish(reason: CloseReason): void {
    if (this.#finishing !== null || this.#gone) return;
    this.#finishing = reason;
    this.#finishingMs = this.#hub.limits.now();
    writeGoaway(this.#output, this.#lastStream, ErrorCode.NO_ERROR);
    if (reason === 'shutdown' && this.#streams.size === 0) this.#reason = reason;
    this.#endWhenDone();
  }

  shut(reason: CloseReason): void {
    this.#reason ??= reason;
    this.#socket.destroy();
  }

  /** The client broke the protocol: says so, gives up every stream and reads no more. */
  fail(code: number, isAbuse = false): void {
    if (this.#deaf) return;
    const reason = isAbuse ? 'abuse' : 'malformed';
    this.#deaf = true;
    this.#reader.stop();
    for (const exchange of [...this.#streams.values()]) this.#forget(exchange);
    this.#finishing = reason;
    this.#reason ??= reason;
    this.#finishingMs = this.#hub.limits.now();
    writeGoaway(this.#output, this.#lastStream, code);
    this.#endWhenDone();
    // What still comes is thrown away; closing with unread input would reset the connection before GOAWAY is read.
    this.#socket.resume();
  }

  /**
   * The last word is said: closes. Not while a response waits for its window or its query is being worked on, nor while
   * the last word still waits for a write to be taken: over TLS each write stays open for a while.
   */
  #endWhenDone(): void {
    if (this.#finishing === null || this.#streams.size > 0 || this.#gone) return;
    this.#output.flush();
    if (this.#output.unread > 0) return;
    if (this.#reason === 'shutdown') this.#socket.destroySoon();
    else this.#socket.end();
  }

  /** The client sends no more but may still read: answers what it asked in full, as far as its windows are open, then closes. */
  readonly #onEnd = (): void => {
    for (const exchange of [...this.#streams.values()]) {
      if (!exchange.requestEnded || exchange.pending !== null) this.#forget(exchange);
    }
    this.finish('peer');
  };

  readonly #onClose = (): void => {
    this.#gone = true;
    this.#deaf = true;
    for (const exchange of [...this.#streams.values()]) this.#forget(exchange);
    this.#output.close();
    this.#hub.limits.leave(this);
    this.#hub.leave(this, this.#reason ?? this.#finishing ?? 'peer');
  };
}

/** Errors of a connection end it; 'close' follows and does the rest. */
function ignore(): void {}
