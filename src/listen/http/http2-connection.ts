/**
 * One HTTP/2 connection that carries DNS over HTTPS (RFC 9113, RFC 8484).
 *
 * Written for this one purpose because a general HTTP/2 stack costs several times what answering from cache does. It
 * reads frames in place, hands every complete query over at once, and puts the responses of a turn into one write.
 *
 * What a hostile client may do is counted: streams at once, resets, control frames, header octets, body octets, unread output.
 * A stream that the client gave up is marked gone, so that work on it stops.
 */
import type { Socket } from 'node:net';
import { copyOctets, u16, u32 } from '../../wire/index.ts';
import { type BinaryAddress, readAddress } from '../address.ts';
import type { CloseReason, StreamTransport } from '../contract.ts';
import type { Closable } from '../hub.ts';
import type { Tracked } from '../limits.ts';
import { Output } from '../output.ts';
import type { DohHub } from './doh-hub.ts';
import { freshSeconds } from './freshness.ts';
import { HeaderDecoder } from './hpack.ts';
import { type ExchangeHost, Http2Exchange } from './http2-exchange.ts';
import {
  ErrorCode,
  Flag,
  FRAME_HEADER,
  FRAME_LENGTH_MAX,
  FrameType,
  PREFACE,
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
import { forwardedClient } from './peer.ts';
import {
  BUSY,
  HEADERS_LENGTH_MAX,
  HEADERS_TOO_LONG,
  type HttpFault,
  judgeHead,
  MESSAGE_LENGTH_MAX,
  MESSAGE_TOO_LONG,
  MESSAGE_TOO_SHORT,
  METHOD_NOT_ALLOWED,
  queryRoom,
  readQuery,
} from './request.ts';

/** Streams at once (RELIABILITY section 3). */
const STREAMS_MAX = 100;
/** Streams that may be reset in a span of time before the client is asked to go. */
const RESETS_MAX = 200;
const RESETS_SPAN_MS = 30_000;
/** Compressed octets of one header block, CONTINUATION included. */
const BLOCK_LENGTH_MAX = 2 * FRAME_LENGTH_MAX;
/** CONTINUATION frames of one header block. */
const CONTINUATIONS_MAX = 8;
/** Frames that ask for work and bring no query, such as PING: so many may be sent before a query earns more. */
const PATIENCE_MAX = 1000;
const PATIENCE_PER_QUERY = 10;
/** Octets of bodies in all that a client may have us keep, and of one of them with its padding. */
const RECEIVE_WINDOW = 131_072;
const STREAM_RECEIVE_WINDOW = 131_072;
const DEFAULT_WINDOW = 65_535;
const WINDOW_MAX = 0x7fff_ffff;
/** Streams we reset are remembered, because what the client sent before it knew is no fault. */
const REMEMBERED_MAX = 100;

const EMPTY = Buffer.alloc(0);
const UNKNOWN: BinaryAddress = { octets: new Uint8Array(16), length: 4 };

/** Read to the end before the next is read: one for all connections of the thread. */
const head = new Http2Head();

export class Http2Connection implements Tracked, Closable, ExchangeHost {
  readonly transport: StreamTransport = 'doh';
  readonly address: string;
  readonly peer: Uint8Array;
  readonly peerLength: 4 | 16;
  readonly peerPort: number;
  readonly clientName: string;
  readonly #socket: Socket;
  readonly #hub: DohHub;
  readonly #output: Output;
  readonly #decoder = new HeaderDecoder();
  readonly #streams = new Map<number, Http2Exchange>();
  /** Exchanges with a response that flow control holds back, oldest first. */
  readonly #blocked = new Set<Http2Exchange>();
  readonly #resetByUs = new Set<number>();
  readonly #openedMs: number;
  #lastActiveMs: number;
  /** When the chunk at hand came. */
  #chunkMs = 0;
  /** A frame that is not complete, and what came behind it while reading was paused. */
  #held: Buffer = EMPTY;
  #heldSinceMs = 0;
  #prefaceSeen = false;
  #settingsSeen = false;
  #lastStream = 0;
  /** A header block that goes on in CONTINUATION frames. */
  #block: Buffer = EMPTY;
  #blockStream = 0;
  #blockSinceMs = 0;
  #blockEndsStream = false;
  #continuations = 0;
  #sendWindow = DEFAULT_WINDOW;
  #streamSendWindow = DEFAULT_WINDOW;
  #frameLengthMax = FRAME_LENGTH_MAX;
  #receiveWindow = RECEIVE_WINDOW;
  #consumed = 0;
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
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('error', ignore);
    socket.on('close', this.#onClose);
    hub.enter(this);
    if (!limits.admit(this)) {
      this.shut('client-limit');
      return;
    }
    writeSettings(this.#output, [
      [Setting.MAX_CONCURRENT_STREAMS, STREAMS_MAX],
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
    } else if (this.#blockedLength + length - sent > this.#hub.limits.settings.unreadMax) {
      // A client that asks and does not open its window makes us keep its responses: not without bound.
      this.#reset(exchange.stream, ErrorCode.ENHANCE_YOUR_CALM);
    } else {
      exchange.pending = octets.slice(sent, length);
      exchange.pendingAt = 0;
      this.#blocked.add(exchange);
      this.#blockedLength += length - sent;
      if (this.#blockedSinceMs === 0) this.#blockedSinceMs = this.#hub.limits.now();
    }
  }

  /** Writes DATA frames from `from` on and returns how far it came. */
  #sendPart(exchange: Http2Exchange, octets: Uint8Array, from: number, end: number): number {
    while (from < end) {
      const part = Math.min(end - from, this.#sendWindow, exchange.sendWindow, this.#frameLengthMax);
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
      this.#blockedLength -= sent - pendingAt;
      if (sent > pendingAt) this.#blockedSinceMs = this.#hub.limits.now();
      exchange.pendingAt = sent;
      if (sent === pending.length) this.#ended(exchange);
    }
    if (this.#blocked.size === 0) this.#blockedSinceMs = 0;
    this.#endWhenDone();
  }

  #refuse(exchange: Http2Exchange, fault: HttpFault): void {
    const { httpErrors } = this.#hub.counters;
    const { stream, headOnly } = exchange;
    const { status, text } = fault;
    httpErrors[status] = (httpErrors[status] ?? 0) + 1;
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

  #reset(stream: number, code: number): void {
    writeNumber(this.#output, FrameType.RST_STREAM, stream, code);
    if (this.#resetByUs.size >= REMEMBERED_MAX) {
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
    this.#dropBody(exchange);
    if (this.#blocked.delete(exchange) && exchange.pending !== null) {
      this.#blockedLength -= exchange.pending.length - exchange.pendingAt;
      exchange.pending = null;
    }
  }

  #countReset(): void {
    const nowMs = this.#hub.limits.now();
    if (nowMs - this.#resetsSinceMs > RESETS_SPAN_MS) {
      this.#resetsSinceMs = nowMs;
      this.#resets = 0;
    }
    if (++this.#resets > RESETS_MAX) this.#fail(ErrorCode.ENHANCE_YOUR_CALM, 'abuse');
  }

  #finished(): void {
    this.#inFlight--;
    this.#hub.counters.inFlight--;
    this.#endWhenDone();
  }

  // --- Reading -----------------------------------------------------------------------------------------------------

  readonly #onData = (chunk: Buffer): void => {
    if (this.#deaf) return;
    this.#advance(this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]));
  };

  #advance(input: Buffer): void {
    const heldBefore = this.#held.length;
    this.#held = EMPTY;
    this.#handed = 0;
    this.#chunkMs = this.#hub.limits.now();
    const at = this.#readFrames(input);
    if (this.#handed > 0) {
      this.#lastActiveMs = this.#chunkMs;
      this.#hub.batchEnded(this.#handed);
    }
    if (at < input.length && !this.#deaf) {
      // A copy, so that a few octets do not keep a whole chunk in memory.
      this.#held = Buffer.from(input.subarray(at));
      if (heldBefore === 0 || at > 0) this.#heldSinceMs = this.#chunkMs;
    } else {
      this.#heldSinceMs = 0;
    }
    this.#replenish();
    this.#output.flush();
    this.#endWhenDone();
  }

  /** Reads whole frames and returns the position behind them. */
  #readFrames(input: Buffer): number {
    let at = 0;
    if (!this.#prefaceSeen) {
      const length = Math.min(input.length, PREFACE.length);
      if (input.compare(PREFACE, 0, length, 0, length) !== 0) {
        this.#fail(ErrorCode.PROTOCOL_ERROR);
        return 0;
      }
      if (length < PREFACE.length) return 0;
      this.#prefaceSeen = true;
      at = PREFACE.length;
    }
    while (input.length - at >= FRAME_HEADER) {
      if (this.#output.unread >= this.#hub.limits.settings.unreadMax) {
        this.#pause();
        return at;
      }
      const length = (input[at] << 16) | u16(input, at + 1);
      if (length > FRAME_LENGTH_MAX) {
        this.#fail(ErrorCode.FRAME_SIZE_ERROR);
        return at;
      }
      const end = at + FRAME_HEADER + length;
      if (end > input.length) return at;
      this.#frame(
        input[at + 3],
        input[at + 4],
        u32(input, at + 5) & WINDOW_MAX,
        input,
        at + FRAME_HEADER,
        end,
      );
      if (this.#deaf) return at;
      at = end;
    }
    return at;
  }

  #frame(type: number, flags: number, stream: number, input: Buffer, at: number, end: number): void {
    // Nothing may come between the parts of a header block, and SETTINGS come first (RFC 9113 sections 3.4 and 4.3).
    const inBlock = this.#blockStream !== 0;
    const inPlace = inBlock
      ? stream === this.#blockStream
      : this.#settingsSeen || type === FrameType.SETTINGS;
    if (!inPlace || inBlock !== (type === FrameType.CONTINUATION)) {
      this.#fail(ErrorCode.PROTOCOL_ERROR);
      return;
    }
    switch (type) {
      case FrameType.DATA:
        this.#data(flags, stream, input, at, end);
        break;
      case FrameType.HEADERS:
        this.#headers(flags, stream, input, at, end);
        break;
      case FrameType.CONTINUATION:
        this.#continuation(flags, stream, input, at, end);
        break;
      case FrameType.PRIORITY:
        this.#priority(stream, input, at, end);
        break;
      case FrameType.RST_STREAM:
        this.#rstStream(stream, end - at);
        break;
      case FrameType.SETTINGS:
        this.#settings(flags, stream, input, at, end);
        break;
      case FrameType.PING:
        this.#ping(flags, stream, input, at, end);
        break;
      case FrameType.GOAWAY:
        if (stream !== 0 || end - at < 8) this.#fail(ErrorCode.PROTOCOL_ERROR);
        break;
      case FrameType.WINDOW_UPDATE:
        this.#windowUpdate(stream, input, at, end);
        break;
      case FrameType.PUSH_PROMISE:
        this.#fail(ErrorCode.PROTOCOL_ERROR);
        break;
      default:
        this.#bother();
    }
  }

  #data(flags: number, stream: number, input: Buffer, at: number, end: number): void {
    const length = end - at;
    // Padding counts in the window although nobody reads it. A body is consumed only when its request is complete, so
    // that what a client makes us keep is bounded by the window of the connection.
    this.#receiveWindow -= length;
    this.#consumed += length;
    if (stream === 0 || stream > this.#lastStream) {
      this.#fail(ErrorCode.PROTOCOL_ERROR);
      return;
    }
    if (this.#receiveWindow < 0) {
      this.#fail(ErrorCode.FLOW_CONTROL_ERROR);
      return;
    }
    const exchange = this.#streams.get(stream);
    if (exchange === undefined || exchange.requestEnded) {
      if (exchange !== undefined) this.#reset(stream, ErrorCode.STREAM_CLOSED);
      else if (!this.#resetByUs.has(stream)) this.#fail(ErrorCode.STREAM_CLOSED);
      else this.#bother();
      return;
    }
    if ((flags & Flag.PADDED) !== 0) {
      const padding = length > 0 ? input[at++] : 0;
      end -= padding;
      if (length === 0 || end < at) {
        this.#fail(ErrorCode.PROTOCOL_ERROR);
        return;
      }
    }
    const last = (flags & Flag.END_STREAM) !== 0;
    if (end === at && !last) this.#bother();
    if (exchange.bodyLength + end - at > MESSAGE_LENGTH_MAX) {
      exchange.requestEnded = last;
      this.#refuse(exchange, MESSAGE_TOO_LONG);
    } else if (last && exchange.bodyLength === 0) {
      this.#requestEnded(exchange, input, at, end);
    } else {
      if (end > at) {
        exchange.addBody(input, at, end);
        this.#consumed -= end - at;
      }
      if (last) this.#requestEnded(exchange, exchange.body ?? EMPTY, 0, exchange.bodyLength);
    }
  }

  #headers(flags: number, stream: number, input: Buffer, at: number, end: number): void {
    if (stream % 2 === 0) {
      this.#fail(ErrorCode.PROTOCOL_ERROR);
      return;
    }
    let padding = 0;
    if ((flags & Flag.PADDED) !== 0) padding = at < end ? input[at++] : 255;
    let selfDependent = false;
    if ((flags & Flag.PRIORITY) !== 0) {
      selfDependent = end - at >= 5 && (u32(input, at) & WINDOW_MAX) === stream;
      at += 5;
    }
    end -= padding;
    if (end < at) {
      this.#fail(ErrorCode.PROTOCOL_ERROR);
      return;
    }
    const endsStream = (flags & Flag.END_STREAM) !== 0;
    if ((flags & Flag.END_HEADERS) !== 0) {
      this.#blockRead(stream, endsStream, input, at, end);
      if (selfDependent && !this.#deaf) this.#reset(stream, ErrorCode.PROTOCOL_ERROR);
    } else {
      this.#block = Buffer.from(input.subarray(at, end));
      this.#blockStream = stream;
      this.#blockSinceMs = this.#chunkMs;
      this.#blockEndsStream = endsStream;
      this.#continuations = 0;
    }
  }

  #continuation(flags: number, stream: number, input: Buffer, at: number, end: number): void {
    if (++this.#continuations > CONTINUATIONS_MAX || this.#block.length + end - at > BLOCK_LENGTH_MAX) {
      this.#fail(ErrorCode.ENHANCE_YOUR_CALM, 'abuse');
      return;
    }
    const block = Buffer.concat([this.#block, input.subarray(at, end)]);
    if ((flags & Flag.END_HEADERS) === 0) {
      this.#block = block;
      return;
    }
    this.#block = EMPTY;
    this.#blockStream = 0;
    this.#blockRead(stream, this.#blockEndsStream, block, 0, block.length);
  }

  /** A header block is complete: a new request, or fields behind a body. */
  #blockRead(stream: number, endsStream: boolean, block: Buffer, at: number, end: number): void {
    head.clear();
    if (!this.#decoder.decode(block, at, end, head)) {
      this.#fail(ErrorCode.COMPRESSION_ERROR);
      return;
    }
    if (stream > this.#lastStream) {
      this.#lastStream = stream;
      this.#request(stream, endsStream);
      return;
    }
    const exchange = this.#streams.get(stream);
    if (exchange === undefined) {
      if (!this.#resetByUs.has(stream)) this.#fail(ErrorCode.STREAM_CLOSED);
      else this.#bother();
    } else if (exchange.requestEnded) {
      this.#reset(stream, ErrorCode.STREAM_CLOSED);
    } else if (!endsStream || !head.isTrailer) {
      this.#reset(stream, ErrorCode.PROTOCOL_ERROR);
    } else {
      this.#requestEnded(exchange, exchange.body ?? EMPTY, 0, exchange.bodyLength);
    }
  }

  #request(stream: number, endsStream: boolean): void {
    if (this.#finishing !== null || this.#streams.size >= STREAMS_MAX) {
      this.#reset(stream, ErrorCode.REFUSED_STREAM);
      return;
    }
    if (!head.complete) {
      this.#reset(stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    const { path, isTrustedProxy } = this.#hub;
    const { method, contentLength, forwardedFor } = head;
    const exchange = new Http2Exchange(
      this,
      stream,
      this.#chunkMs,
      this.#streamSendWindow,
      {
        url: method === 'POST' ? '' : head.url,
        headOnly: method === 'HEAD',
        announced: contentLength === undefined ? -1 : Number(contentLength),
      },
      forwardedFor === undefined ? null : forwardedClient(forwardedFor, this.address, isTrustedProxy),
    );
    this.#streams.set(stream, exchange);
    const fault = head.tooLong ? HEADERS_TOO_LONG : judgeHead(head, path);
    if (endsStream) {
      if (fault === null) this.#requestEnded(exchange, EMPTY, 0, 0);
      else exchange.requestEnded = true;
    }
    if (fault !== null) this.#refuse(exchange, fault);
  }

  /** The request is complete; its body is octets[at … end). */
  #requestEnded(exchange: Http2Exchange, octets: Uint8Array, at: number, end: number): void {
    exchange.requestEnded = true;
    if (exchange.announced >= 0 && exchange.announced !== end - at) {
      this.#reset(exchange.stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    if (exchange.url !== '') {
      const length = readQuery(exchange.url, this.#hub.path);
      if (typeof length === 'number') this.#handOver(exchange, queryRoom, 0, length);
      else this.#refuse(exchange, length);
    } else {
      this.#handOver(exchange, octets, at, end - at);
    }
    this.#dropBody(exchange);
  }

  #dropBody(exchange: Http2Exchange): void {
    this.#consumed += exchange.bodyLength;
    exchange.bodyLength = 0;
    exchange.body = null;
  }

  #handOver(exchange: Http2Exchange, octets: Uint8Array, at: number, length: number): void {
    const { limits, counters, onMessage } = this.#hub;
    if (length < 12) {
      this.#refuse(exchange, MESSAGE_TOO_SHORT);
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

  #priority(stream: number, input: Buffer, at: number, end: number): void {
    if (stream === 0) this.#fail(ErrorCode.PROTOCOL_ERROR);
    else if (end - at !== 5) this.#streamFault(stream, ErrorCode.FRAME_SIZE_ERROR);
    else if ((u32(input, at) & WINDOW_MAX) === stream) this.#streamFault(stream, ErrorCode.PROTOCOL_ERROR);
    else this.#bother();
  }

  #rstStream(stream: number, length: number): void {
    if (length !== 4) {
      this.#fail(ErrorCode.FRAME_SIZE_ERROR);
    } else if (stream === 0 || stream > this.#lastStream) {
      this.#fail(ErrorCode.PROTOCOL_ERROR);
    } else {
      const exchange = this.#streams.get(stream);
      if (exchange !== undefined) this.#forget(exchange);
      this.#countReset();
    }
  }

  #settings(flags: number, stream: number, input: Buffer, at: number, end: number): void {
    const length = end - at;
    if (stream !== 0) {
      this.#fail(ErrorCode.PROTOCOL_ERROR);
      return;
    }
    if ((flags & Flag.ACK) !== 0 ? length !== 0 : length % 6 !== 0) {
      this.#fail(ErrorCode.FRAME_SIZE_ERROR);
      return;
    }
    this.#bother();
    if ((flags & Flag.ACK) !== 0) return;
    this.#settingsSeen = true;
    for (; at < end; at += 6) {
      const code = this.#setting(u16(input, at), u32(input, at + 2));
      if (code !== ErrorCode.NO_ERROR) {
        this.#fail(code);
        return;
      }
    }
    writeSettingsAck(this.#output);
    this.#unblock();
  }

  /** Takes one setting over and returns NO_ERROR, or why it may not be. */
  #setting(setting: number, value: number): number {
    if (setting === Setting.ENABLE_PUSH && value > 1) return ErrorCode.PROTOCOL_ERROR;
    if (setting === Setting.MAX_FRAME_SIZE) {
      if (value < FRAME_LENGTH_MAX || value > 0xff_ffff) return ErrorCode.PROTOCOL_ERROR;
      // Longer frames than the least that every client takes would gain us nothing.
      this.#frameLengthMax = FRAME_LENGTH_MAX;
    }
    if (setting === Setting.INITIAL_WINDOW_SIZE) {
      if (value > WINDOW_MAX) return ErrorCode.FLOW_CONTROL_ERROR;
      for (const exchange of this.#streams.values()) {
        exchange.sendWindow += value - this.#streamSendWindow;
        if (exchange.sendWindow > WINDOW_MAX) return ErrorCode.FLOW_CONTROL_ERROR;
      }
      this.#streamSendWindow = value;
    }
    return ErrorCode.NO_ERROR;
  }

  #ping(flags: number, stream: number, input: Buffer, at: number, end: number): void {
    if (stream !== 0) {
      this.#fail(ErrorCode.PROTOCOL_ERROR);
    } else if (end - at !== 8) {
      this.#fail(ErrorCode.FRAME_SIZE_ERROR);
    } else {
      this.#bother();
      if ((flags & Flag.ACK) === 0 && !this.#deaf) writePingAck(this.#output, input, at);
    }
  }

  #windowUpdate(stream: number, input: Buffer, at: number, end: number): void {
    if (end - at !== 4) {
      this.#fail(ErrorCode.FRAME_SIZE_ERROR);
      return;
    }
    if (stream > this.#lastStream) {
      this.#fail(ErrorCode.PROTOCOL_ERROR);
      return;
    }
    this.#bother();
    const increment = u32(input, at) & WINDOW_MAX;
    if (stream === 0) {
      this.#sendWindow += increment;
      if (increment === 0) this.#fail(ErrorCode.PROTOCOL_ERROR);
      else if (this.#sendWindow > WINDOW_MAX) this.#fail(ErrorCode.FLOW_CONTROL_ERROR);
    } else {
      const exchange = this.#streams.get(stream);
      if (exchange === undefined) return;
      exchange.sendWindow += increment;
      if (increment === 0) this.#reset(stream, ErrorCode.PROTOCOL_ERROR);
      else if (exchange.sendWindow > WINDOW_MAX) this.#reset(stream, ErrorCode.FLOW_CONTROL_ERROR);
    }
    if (!this.#deaf && this.#blocked.size > 0) this.#unblock();
  }

  /** Opens the connection's window again when a quarter of it is free again. Each stream's is wide enough for any message. */
  #replenish(): void {
    if (this.#consumed < RECEIVE_WINDOW / 4 || this.#deaf) return;
    writeNumber(this.#output, FrameType.WINDOW_UPDATE, 0, this.#consumed);
    this.#receiveWindow += this.#consumed;
    this.#consumed = 0;
  }

  /** A fault of one stream; of a stream that is not there it is the connection's. */
  #streamFault(stream: number, code: number): void {
    if (this.#streams.has(stream)) this.#reset(stream, code);
    else this.#fail(code);
  }

  /** A frame came that is allowed and brings us nothing. Too many of them are an attack. */
  #bother(): void {
    if (--this.#patience < 0) this.#fail(ErrorCode.ENHANCE_YOUR_CALM, 'abuse');
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#hub.counters.paused++;
    this.#socket.pause();
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
    this.#advance(this.#held);
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
    if (this.#held.length > 0 && nowMs - this.#heldSinceMs > messageMs) return true;
    if (this.#blockStream !== 0 && nowMs - this.#blockSinceMs > messageMs) return true;
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
    if (reason === 'shutdown' && this.#streams.size === 0) {
      this.#reason = reason;
      this.#output.flush();
      this.#socket.destroySoon();
    } else {
      this.#endWhenDone();
    }
  }

  shut(reason: CloseReason): void {
    this.#reason ??= reason;
    this.#socket.destroy();
  }

  /** The client broke the protocol: says so, gives up every stream and reads no more. */
  #fail(code: number, reason: CloseReason = 'malformed'): void {
    if (this.#deaf) return;
    this.#deaf = true;
    this.#held = EMPTY;
    for (const exchange of [...this.#streams.values()]) this.#forget(exchange);
    this.#finishing = reason;
    this.#reason ??= reason;
    this.#finishingMs = this.#hub.limits.now();
    writeGoaway(this.#output, this.#lastStream, code);
    this.#output.flush();
    this.#socket.end();
    // What still comes is thrown away; closing with unread input would reset the connection before GOAWAY is read.
    this.#socket.resume();
  }

  /** The last word is said: closes. Not while a response waits for its window or its query is being worked on. */
  #endWhenDone(): void {
    if (this.#finishing === null || this.#streams.size > 0 || this.#gone) return;
    this.#output.flush();
    if (this.#output.unread === 0) this.#socket.end();
  }

  /** The client sends no more but may still read: answers what it asked in full, then closes. */
  readonly #onEnd = (): void => {
    for (const exchange of [...this.#streams.values()]) if (!exchange.requestEnded) this.#forget(exchange);
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
