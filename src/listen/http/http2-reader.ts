/**
 * Reading HTTP/2 frames from chunks (RFC 9113 sections 4 and 6): their order, sizes, padding and header blocks are
 * checked here; what they mean for streams and windows is their taker's.
 *
 * Whole frames are read where they lie. What is left of a chunk is kept in a copy, so that a few octets do not hold a
 * whole chunk in memory.
 */
import { u16, u32 } from '../../wire/index.ts';
import { ErrorCode, Flag, FRAME_HEADER, FRAME_LENGTH_MAX, FrameType, PREFACE } from './http2-frames.ts';

/** Takes frames that are well formed by themselves. Positions are of the buffer that is handed over with them. */
export interface FrameTaker {
  /** False stops reading in front of the next frame. */
  mayRead(): boolean;
  /** A whole header block. `selfDependent`: its priority names the stream itself. */
  takeHeaders(
    stream: number,
    ends: boolean,
    selfDependent: boolean,
    block: Buffer,
    at: number,
    end: number,
  ): void;
  /** DATA without its padding; `length` is what it counts in the windows, with padding. */
  takeData(stream: number, ends: boolean, length: number, octets: Buffer, at: number, end: number): void;
  takePriority(stream: number, dependency: number): void;
  takeReset(stream: number): void;
  /** One setting; returns NO_ERROR, or why it cannot be. */
  takeSetting(setting: number, value: number): number;
  takeSettingsEnd(): void;
  takePing(octets: Buffer, at: number): void;
  takeWindowUpdate(stream: number, increment: number): void;
  /** A frame that is a fault of its stream and of no other. */
  takeFault(stream: number, code: number): void;
  /** A frame that is allowed and brings nothing: acknowledgements, unknown types. */
  takeNothing(): void;
  /** The connection cannot go on. `isAbuse`: nothing is malformed, there is only too much of it. */
  fail(code: number, isAbuse: boolean): void;
}

/** Compressed octets of one header block, CONTINUATION included. */
const BLOCK_LENGTH_MAX = 2 * FRAME_LENGTH_MAX;
/** CONTINUATION frames of one header block. */
const CONTINUATIONS_MAX = 8;
const STREAM_MASK = 0x7fff_ffff;
const EMPTY = Buffer.alloc(0);

export class Http2Reader {
  readonly #taker: FrameTaker;
  #held: Buffer = EMPTY;
  #heldSinceMs = 0;
  #prefaceSeen = false;
  #settingsSeen = false;
  /** A header block that goes on in CONTINUATION frames; its stream is 0 when there is none. */
  #block: Buffer = EMPTY;
  #blockStream = 0;
  #blockEndsStream = false;
  #blockSinceMs = 0;
  #continuations = 0;
  #nowMs = 0;
  #stopped = false;

  constructor(taker: FrameTaker) {
    this.#taker = taker;
  }

  /** Since when a part of a frame or of a header block waits for the rest; Infinity when none does. */
  get waitingSinceMs(): number {
    const held = this.#held.length > 0 ? this.#heldSinceMs : Number.POSITIVE_INFINITY;
    return this.#blockStream === 0 ? held : Math.min(held, this.#blockSinceMs);
  }

  /** Reads what was kept and the chunk, as far as frames are whole and the taker takes them. */
  read(chunk: Buffer, nowMs: number): void {
    const kept = this.#held.length;
    const input = kept === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = EMPTY;
    this.#nowMs = nowMs;
    const at = this.#readFrames(input);
    if (this.#stopped || at === input.length) return;
    this.#held = Buffer.from(input.subarray(at));
    if (kept === 0 || at > 0) this.#heldSinceMs = nowMs;
  }

  /** Reads nothing more, ever. */
  stop(): void {
    this.#stopped = true;
    this.#held = EMPTY;
    this.#block = EMPTY;
    this.#blockStream = 0;
  }

  /** Returns the position behind the last frame that was read. */
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
    while (input.length - at >= FRAME_HEADER && this.#taker.mayRead()) {
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
        u32(input, at + 5) & STREAM_MASK,
        input,
        at + FRAME_HEADER,
        end,
      );
      if (this.#stopped) return at;
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
        if (stream === 0) this.#fail(ErrorCode.PROTOCOL_ERROR);
        else if (end - at !== 5) this.#taker.takeFault(stream, ErrorCode.FRAME_SIZE_ERROR);
        else this.#taker.takePriority(stream, u32(input, at) & STREAM_MASK);
        break;
      case FrameType.RST_STREAM:
        if (end - at !== 4) this.#fail(ErrorCode.FRAME_SIZE_ERROR);
        else if (stream === 0) this.#fail(ErrorCode.PROTOCOL_ERROR);
        else this.#taker.takeReset(stream);
        break;
      case FrameType.SETTINGS:
        this.#settings(flags, stream, input, at, end);
        break;
      case FrameType.PING:
        this.#ping(flags, stream, input, at, end);
        break;
      case FrameType.GOAWAY:
        if (stream !== 0) this.#fail(ErrorCode.PROTOCOL_ERROR);
        else if (end - at < 8) this.#fail(ErrorCode.FRAME_SIZE_ERROR);
        else this.#taker.takeNothing();
        break;
      case FrameType.WINDOW_UPDATE:
        if (end - at !== 4) this.#fail(ErrorCode.FRAME_SIZE_ERROR);
        else this.#taker.takeWindowUpdate(stream, u32(input, at) & STREAM_MASK);
        break;
      case FrameType.PUSH_PROMISE:
        this.#fail(ErrorCode.PROTOCOL_ERROR);
        break;
      default:
        this.#taker.takeNothing();
    }
  }

  #data(flags: number, stream: number, input: Buffer, at: number, end: number): void {
    const length = end - at;
    if ((flags & Flag.PADDED) !== 0) {
      end -= length > 0 ? input[at++] : 1;
      if (end < at) {
        this.#fail(ErrorCode.PROTOCOL_ERROR);
        return;
      }
    }
    if (stream === 0) this.#fail(ErrorCode.PROTOCOL_ERROR);
    else this.#taker.takeData(stream, (flags & Flag.END_STREAM) !== 0, length, input, at, end);
  }

  #headers(flags: number, stream: number, input: Buffer, at: number, end: number): void {
    // Clients open streams with odd numbers.
    if (stream % 2 === 0) {
      this.#fail(ErrorCode.PROTOCOL_ERROR);
      return;
    }
    let padding = 0;
    if ((flags & Flag.PADDED) !== 0) padding = at < end ? input[at++] : 1;
    let selfDependent = false;
    if ((flags & Flag.PRIORITY) !== 0) {
      selfDependent = end - at >= 5 && (u32(input, at) & STREAM_MASK) === stream;
      at += 5;
    }
    end -= padding;
    if (end < at) {
      this.#fail(ErrorCode.PROTOCOL_ERROR);
      return;
    }
    const ends = (flags & Flag.END_STREAM) !== 0;
    if ((flags & Flag.END_HEADERS) !== 0) {
      this.#taker.takeHeaders(stream, ends, selfDependent, input, at, end);
      return;
    }
    this.#block = Buffer.from(input.subarray(at, end));
    this.#blockStream = stream;
    this.#blockEndsStream = ends;
    this.#blockSinceMs = this.#nowMs;
    this.#continuations = 0;
  }

  #continuation(flags: number, stream: number, input: Buffer, at: number, end: number): void {
    if (++this.#continuations > CONTINUATIONS_MAX || this.#block.length + end - at > BLOCK_LENGTH_MAX) {
      this.#fail(ErrorCode.ENHANCE_YOUR_CALM, true);
      return;
    }
    const block = Buffer.concat([this.#block, input.subarray(at, end)]);
    if ((flags & Flag.END_HEADERS) === 0) {
      this.#block = block;
      return;
    }
    this.#block = EMPTY;
    this.#blockStream = 0;
    this.#taker.takeHeaders(stream, this.#blockEndsStream, false, block, 0, block.length);
  }

  #settings(flags: number, stream: number, input: Buffer, at: number, end: number): void {
    const length = end - at;
    const isAck = (flags & Flag.ACK) !== 0;
    if (stream !== 0) {
      this.#fail(ErrorCode.PROTOCOL_ERROR);
    } else if (isAck ? length !== 0 : length % 6 !== 0) {
      this.#fail(ErrorCode.FRAME_SIZE_ERROR);
    } else if (isAck) {
      this.#taker.takeNothing();
    } else {
      this.#settingsSeen = true;
      for (; at < end; at += 6) {
        const code = this.#taker.takeSetting(u16(input, at), u32(input, at + 2));
        if (code !== ErrorCode.NO_ERROR) {
          this.#fail(code);
          return;
        }
      }
      this.#taker.takeSettingsEnd();
    }
  }

  #ping(flags: number, stream: number, input: Buffer, at: number, end: number): void {
    if (stream !== 0) this.#fail(ErrorCode.PROTOCOL_ERROR);
    else if (end - at !== 8) this.#fail(ErrorCode.FRAME_SIZE_ERROR);
    else if ((flags & Flag.ACK) !== 0) this.#taker.takeNothing();
    else this.#taker.takePing(input, at);
  }

  #fail(code: number, isAbuse = false): void {
    this.#taker.fail(code, isAbuse);
  }
}
