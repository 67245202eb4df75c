/**
 * One TCP or TLS connection to a server: messages with a length of two octets before each (RFC 1035 section 4.2.2),
 * pipelined, answered in any order (RFC 7766 section 6.2.1.1).
 *
 * An id is never used again while it is in flight. One whose attempt was given up stays taken, because its reply may
 * still come and must not be held against the question that got the id next.
 */
import type { Socket } from 'node:net';
import { u16 } from '../wire/index.ts';
import type { Attempt } from './attempt.ts';
import type { CarrierEvents, Loss } from './carrier.ts';
import { MISMATCHES_MAX } from './options.ts';
import { randomBelow } from './random.ts';

/** Messages in flight on one connection. */
export const PIPELINE_MAX = 100;
/** Octets the server has not read yet; a server that reads no more gets no more. */
const UNSENT_MAX = 65_536;
/** A connection that has brought nothing for so long, while something was due, is dead. */
export const SILENT_MS = 1500;
/** The same for one that had lain idle: whatever kept its state on the way may have forgotten it. */
export const IDLE_SILENT_MS = 700;
export const RESTED_MS = 2000;
const CONNECT_MS = 2000;
const SLOW_OPEN_MS = 300;
const SLOW_REPLY_MS = 350;
const IDLE_MS = 20_000;
const FRAME_MAX = 2 + 65_535;

/** Opens the transport. `ready` is called once it may carry messages; throws nothing. */
export type Dial = (ready: () => void) => Socket;

export class Link {
  readonly #socket: Socket;
  readonly #events: CarrierEvents;
  readonly #onEnd: (link: Link) => void;
  /** `null`: given up, its reply may still come. */
  readonly #ids = new Map<number, Attempt | null>();
  #abandoned = 0;
  #frames: Buffer[] = [];
  #framesLength = 0;
  #partial: Buffer | null = null;
  #partialLength = 0;
  #ready = false;
  #ended = false;
  #error: Error | null = null;
  #strays = 0;
  readonly #begunMs: number;
  #heardMs: number;
  #usedMs: number;
  #patienceMs = SILENT_MS;
  readonly #now: () => number;

  constructor(dial: Dial, events: CarrierEvents, now: () => number, onEnd: (link: Link) => void) {
    this.#events = events;
    this.#onEnd = onEnd;
    this.#now = now;
    this.#begunMs = this.#heardMs = this.#usedMs = now();
    this.#socket = dial(() => {
      this.#ready = true;
      this.#heardMs = this.#now();
      this.flush();
    });
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk));
    this.#socket.on('error', (error) => {
      this.#error ??= error;
    });
    // A server that will send no more has nothing more to say; a new connection is made when it is needed.
    this.#socket.on('end', () => this.#end('closed'));
    this.#socket.on('close', () => this.#end(this.#ready ? 'closed' : 'refused'));
  }

  get inFlight(): number {
    return this.#ids.size - this.#abandoned;
  }

  /** May take one more message. */
  hasRoom(most: number): boolean {
    return (
      !this.#ended && this.#ids.size < most && this.#socket.writableLength + this.#framesLength < UNSENT_MAX
    );
  }

  /** Slow to open, or to bring what is due: a message that must get through had better take another connection. */
  isDoubtful(nowMs: number): boolean {
    if (!this.#ready) return nowMs - this.#begunMs > SLOW_OPEN_MS;
    return this.inFlight > 0 && nowMs - this.#heardMs > SLOW_REPLY_MS;
  }

  send(attempt: Attempt): void {
    do attempt.id = randomBelow(0x10000);
    while (this.#ids.has(attempt.id));
    attempt.message[0] = attempt.id >>> 8;
    attempt.message[1] = attempt.id;
    const frame = Buffer.allocUnsafe(2 + attempt.length);
    frame.writeUInt16BE(attempt.length, 0);
    frame.set(attempt.message.subarray(0, attempt.length), 2);
    // What is waited for begins now, when nothing was due before.
    if (this.inFlight === 0) {
      const nowMs = this.#now();
      this.#patienceMs = this.#ready && nowMs - this.#heardMs > RESTED_MS ? IDLE_SILENT_MS : SILENT_MS;
      this.#heardMs = nowMs;
    }
    this.#ids.set(attempt.id, attempt);
    attempt.place = this;
    this.#frames.push(frame);
    this.#framesLength += frame.length;
  }

  forget(attempt: Attempt): void {
    if (this.#ids.get(attempt.id) !== attempt) return;
    attempt.place = null;
    this.#ids.set(attempt.id, null);
    this.#abandoned++;
    this.#usedMs = this.#now();
  }

  flush(): void {
    if (!this.#ready || this.#frames.length === 0 || this.#ended) return;
    this.#socket.write(this.#frames.length === 1 ? this.#frames[0] : Buffer.concat(this.#frames));
    this.#frames = [];
    this.#framesLength = 0;
  }

  maintain(nowMs: number): void {
    if (!this.#ready) {
      if (nowMs - this.#begunMs > CONNECT_MS) this.#end('refused');
    } else if (this.inFlight > 0 && nowMs - this.#heardMs > this.#patienceMs) this.#end('closed');
    else if (this.inFlight === 0 && (nowMs - this.#usedMs > IDLE_MS || this.#abandoned > PIPELINE_MAX / 2)) {
      this.#end('closed');
    }
  }

  close(): void {
    this.#end('closed');
  }

  #read(chunk: Buffer): void {
    let at = this.#partialLength > 0 ? this.#complete(chunk) : 0;
    while (!this.#ended && chunk.length - at >= 2) {
      const length = u16(chunk, at);
      if (chunk.length - at - 2 < length) break;
      this.#deliver(chunk, at + 2, length);
      at += 2 + length;
    }
    if (this.#ended || at >= chunk.length) return;
    this.#partial ??= Buffer.allocUnsafe(FRAME_MAX);
    this.#partialLength += chunk.copy(this.#partial, this.#partialLength, at);
  }

  /** Fills up the frame that an earlier chunk began. Returns the position in `chunk` behind it. */
  #complete(chunk: Buffer): number {
    const partial = this.#partial as Buffer;
    let at = 0;
    while (at < chunk.length) {
      const wanted = this.#partialLength < 2 ? 2 : 2 + u16(partial, 0);
      const taken = chunk.copy(partial, this.#partialLength, at, at + wanted - this.#partialLength);
      at += taken;
      this.#partialLength += taken;
      if (this.#partialLength >= 2 && this.#partialLength === 2 + u16(partial, 0)) {
        const length = this.#partialLength - 2;
        this.#partialLength = 0;
        this.#deliver(partial, 2, length);
        break;
      }
    }
    return at;
  }

  #deliver(octets: Uint8Array, at: number, length: number): void {
    const id = length < 12 ? -1 : u16(octets, at);
    const attempt = this.#ids.get(id);
    if (attempt === undefined) {
      this.#events.stray();
      this.#suspect();
      return;
    }
    this.#heardMs = this.#usedMs = this.#now();
    if (attempt === null) {
      this.#ids.delete(id);
      this.#abandoned--;
      return;
    }
    this.#events.received(attempt, octets, at, length);
    // Still held by the receiver when it was not the reply; otherwise its id is free, for its reply has come.
    if (this.#ids.get(id) === null) {
      this.#ids.delete(id);
      this.#abandoned--;
    } else {
      this.#suspect();
    }
  }

  /** On a stream nobody can slip in a reply: a server that sends what was not asked has lost its place. */
  #suspect(): void {
    if (++this.#strays >= MISMATCHES_MAX) this.#end('closed');
  }

  #end(loss: Loss): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    this.#onEnd(this);
    if (this.#error !== null) this.#events.trouble(this.#error.message);
    const carried = [...this.#ids.values()];
    this.#ids.clear();
    this.#frames = [];
    this.#partial = null;
    for (const attempt of carried) {
      if (attempt === null) continue;
      attempt.place = null;
      this.#events.lost(attempt, loss);
    }
  }
}
