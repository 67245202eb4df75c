/**
 * One connection that carries length-prefixed messages: DNS over TCP (RFC 7766) and over TLS (RFC 7858).
 *
 * Reading stops while the client has too many queries in flight, leaves too much output unread, or no message slot is
 * free; the kernel's window then tells the client to wait. Answers leave in the order they become known.
 */
import type { Socket } from 'node:net';
import { INCOMPLETE, MALFORMED, ProxyHeader } from '../wire/index.ts';
import { type BinaryAddress, readAddress } from './address.ts';
import type { CloseReason, StreamTransport } from './contract.ts';
import { FrameReader, NO_MESSAGE, TOO_SHORT } from './frames.ts';
import type { Closable, Hub } from './hub.ts';
import { takeIn } from './intake.ts';
import type { Tracked } from './limits.ts';
import type { Origin, Waiter } from './messages.ts';
import { Output } from './output.ts';

/** Messages handed over in one turn of the event loop; the rest waits, so that others have their turn. */
const MESSAGES_PER_TURN = 400;

const NOTHING = new Uint8Array(0);
const UNKNOWN: BinaryAddress = { octets: new Uint8Array(16), length: 4 };

export class StreamConnection implements Origin, Tracked, Waiter, Closable {
  readonly transport: StreamTransport;
  readonly address: string;
  peer: Uint8Array;
  peerLength: 4 | 16;
  peerPort: number;
  readonly clientName: string;
  readonly #socket: Socket;
  readonly #hub: Hub;
  readonly #reader = new FrameReader();
  readonly #output: Output;
  readonly #openedMs: number;
  #lastActiveMs: number;
  /** When the message that is half here began to arrive; 0 when none is. */
  #begunMs = 0;
  #inFlight = 0;
  #queries = 0;
  /** The socket is not read, and a chunk may be read only in part. */
  #paused = false;
  #resuming = false;
  #inputEnded = false;
  #finishing: CloseReason | null = null;
  #finishingMs = 0;
  #reason: CloseReason | null = null;
  #gone = false;
  /** What is here of the PROXY header that a load balancer begins with; null when none is awaited. */
  #preface: Uint8Array | null = null;

  constructor(socket: Socket, hub: Hub, clientName = '') {
    const { limits } = hub;
    this.transport = hub.transport;
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
    if (hub.isProxy(this.address)) {
      this.#preface = NOTHING;
      this.#begunMs = this.#openedMs;
    }
    takeIn(socket, this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('error', ignore);
    socket.on('close', this.#onClose);
    hub.enter(this);
    if (!limits.admit(this)) this.shut('client-limit');
  }

  get gone(): boolean {
    return this.#gone;
  }

  get restMs(): number {
    return this.#finishing === null ? this.#hub.limits.idleMs : 0;
  }

  get busy(): boolean {
    return this.#inFlight > 0;
  }

  get lastActiveMs(): number {
    return this.#lastActiveMs;
  }

  get unread(): number {
    return this.#output.unread;
  }

  answer(octets: Uint8Array, length: number): void {
    const { counters } = this.#hub;
    if (this.#gone) {
      counters.cancelled++;
    } else {
      counters.responses++;
      this.#output.appendFramed(octets, length);
    }
    this.#finished();
  }

  forgo(): void {
    this.#hub.counters.discarded++;
    this.#finished();
  }

  wake(): void {
    this.#readOn();
  }

  finish(reason: CloseReason): void {
    if (this.#finishing !== null || this.#gone) return;
    this.#finishing = reason;
    this.#finishingMs = this.#hub.limits.now();
    if (reason === 'shutdown' && !this.busy && this.unread === 0) {
      this.shut(reason);
      return;
    }
    // What still comes is read and thrown away: closing with unread input would reset the connection and take the
    // last answers with it.
    this.#paused = false;
    this.#socket.resume();
    this.#endWhenDone();
  }

  shut(reason: CloseReason): void {
    this.#reason ??= reason;
    this.#socket.destroy();
  }

  check(nowMs: number): void {
    if (this.#finishing !== null) {
      const waitedMs = nowMs - Math.max(this.#finishingMs, this.#lastActiveMs);
      if (!this.busy && waitedMs > this.#hub.limits.settings.slowReaderMs) this.shut(this.#finishing);
      return;
    }
    const { settings, idleMs } = this.#hub.limits;
    const { stalledSinceMs } = this.#output;
    const begun = this.#begunMs > 0 && !this.#paused;
    if (stalledSinceMs > 0 && nowMs - stalledSinceMs > settings.slowReaderMs) this.shut('slow-reader');
    else if (begun && nowMs - this.#begunMs > settings.messageMs) this.shut('slow-message');
    else if (nowMs - this.#openedMs > settings.ageMs) this.finish('spent');
    else if (!this.busy && nowMs - this.#lastActiveMs > idleMs) this.finish('idle');
  }

  readonly #onData = (octets: Buffer, length: number): void => {
    if (this.#finishing !== null) return;
    if (this.#preface === null) {
      this.#reader.push(octets, length);
    } else {
      const rest = this.#takePreface(this.#preface, octets.subarray(0, length));
      if (rest === null) return;
      this.#reader.push(rest, rest.length);
    }
    this.#advance();
    this.#reader.keep();
  };

  /** Hands over what is here, as far as the limits allow. */
  #advance(): void {
    let handed = 0;
    for (;;) {
      const before = handed;
      handed = this.#handOver(handed);
      if (handed > before) {
        this.#lastActiveMs = this.#hub.limits.now();
        this.#hub.batchEnded(handed - before);
      }
      if (this.#finishing !== null || this.#gone || !this.#paused) return;
      if (handed === before || handed >= MESSAGES_PER_TURN) break;
    }
    // The limits stopped us, or our turn is over.
    if (this.#mayRead()) this.#readOn();
  }

  /**
   * Reads the PROXY header from what was here and what came: once whole, the connection is that of the client it names.
   * Returns what stands behind it; null when there is more to come, or nothing any more.
   */
  #takePreface(before: Uint8Array, come: Uint8Array): Uint8Array | null {
    const octets = new Uint8Array(before.length + come.length);
    octets.set(before);
    octets.set(come, before.length);
    const header = new ProxyHeader();
    const length = header.read(octets, octets.length);
    if (length === INCOMPLETE) {
      this.#preface = octets;
      return null;
    }
    if (length === MALFORMED) {
      this.shut('malformed');
      return null;
    }
    this.#preface = null;
    this.#begunMs = 0;
    if (header.addressLength > 0) {
      this.peer = header.address;
      this.peerLength = header.addressLength === 4 ? 4 : 16;
      this.peerPort = header.port;
    }
    return octets.subarray(length);
  }

  /** Hands over until there is no whole message, or `#paused`. Returns `handed` and what it added. */
  #handOver(handed: number): number {
    const { limits, counters, onMessage } = this.#hub;
    const reader = this.#reader;
    while (this.#finishing === null && !this.#gone) {
      const length = reader.next();
      if (length === NO_MESSAGE) {
        this.#ranDry();
        return handed;
      }
      if (length === TOO_SHORT) {
        this.finish('malformed');
        return handed;
      }
      const message =
        this.#mayRead() && handed < MESSAGES_PER_TURN ? limits.messages.take(length, this) : null;
      if (message === null) {
        this.#pause();
        if (this.#mayRead() && handed < MESSAGES_PER_TURN) limits.messages.wait(this);
        return handed;
      }
      reader.read(message.octets, length);
      this.#begunMs = 0;
      this.#inFlight++;
      counters.inFlight++;
      counters.queries++;
      handed++;
      onMessage(message);
      if (++this.#queries >= limits.settings.queriesMax) this.finish('spent');
    }
    return handed;
  }

  /** No whole message is left in the chunk. */
  #ranDry(): void {
    if (this.#reader.begun && this.#begunMs === 0) this.#begunMs = this.#hub.limits.now();
    if (this.#inputEnded) {
      this.finish('peer');
    } else if (this.#paused) {
      this.#paused = false;
      this.#socket.resume();
    }
  }

  #mayRead(): boolean {
    const { inFlightMax, unreadMax } = this.#hub.limits.settings;
    return this.#inFlight < inFlightMax && this.#output.unread < unreadMax;
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#hub.counters.paused++;
    this.#socket.pause();
  }

  /** Goes on reading in a turn of its own: we may be inside the path's answering. */
  #readOn(): void {
    if (!this.#paused || this.#resuming || this.#gone) return;
    this.#resuming = true;
    setImmediate(() => {
      this.#resuming = false;
      if (this.#paused && this.#finishing === null && !this.#gone) this.#advance();
    });
  }

  #finished(): void {
    this.#inFlight--;
    this.#hub.counters.inFlight--;
    if (this.#paused && this.#mayRead()) this.#readOn();
    this.#endWhenDone();
  }

  readonly #onProgress = (): void => {
    if (this.#paused && this.#mayRead()) this.#readOn();
    this.#endWhenDone();
  };

  #endWhenDone(): void {
    if (this.#finishing === null || this.busy || this.#gone) return;
    this.#output.flush();
    if (this.#output.unread === 0) this.#socket.end();
  }

  /** The client sends no more but may still read (RFC 7766 section 6.2.4): answer what it asked, then close. */
  readonly #onEnd = (): void => {
    this.#inputEnded = true;
    if (!this.#paused) this.finish('peer');
  };

  readonly #onClose = (): void => {
    this.#gone = true;
    this.#output.close();
    this.#hub.limits.leave(this);
    this.#hub.leave(this, this.#reason ?? this.#finishing ?? 'peer');
  };
}

/** Errors of a connection end it; 'close' follows and does the rest. */
function ignore(): void {}
