/**
 * The slots in which stream messages travel: made when first needed, used again and again, never more than
 * `messagesMax`. When none is free, connections wait and read no further, so the client's own window fills up.
 */
import { MESSAGE_ROOM, type StreamMessage, type StreamTransport } from './contract.ts';

/** Where a message came from and where its response goes: a connection, or one exchange of an HTTP connection. */
export interface Origin {
  readonly transport: StreamTransport;
  readonly peer: Uint8Array;
  readonly peerLength: 4 | 16;
  readonly peerPort: number;
  readonly clientName: string;
  /** How long the connection may rest from now on, milliseconds: 0 when it is about to end, −1 when nobody is told. */
  readonly restMs: number;
  /** The client can no longer be reached. */
  readonly gone: boolean;
  /** Takes a copy of octets[0 … length) and sends it soon. */
  answer(octets: Uint8Array, length: number): void;
  /** There will be no answer. */
  forgo(): void;
}

/** Who waits for a free slot. */
export interface Waiter {
  wake(): void;
}

/** Messages of more than MESSAGE_ROOM octets held at once: no honest query is that long. */
const LONG_MESSAGES_MAX = 64;

export class MessagePool {
  readonly #capacity: number;
  readonly #free: Message[] = [];
  readonly #waiting: Waiter[] = [];
  #made = 0;
  #long = 0;
  #waking = false;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Slots taken now. */
  get taken(): number {
    return this.#made - this.#free.length;
  }

  /** A slot with room for `length` octets, or null when none is free. */
  take(length: number, origin: Origin): Message | null {
    if (length > MESSAGE_ROOM && this.#long >= LONG_MESSAGES_MAX) return null;
    const message = this.#free.pop() ?? this.#make();
    if (message === null) return null;
    if (length > MESSAGE_ROOM) this.#long++;
    message.begin(origin, length);
    return message;
  }

  give(message: Message, wasLong: boolean): void {
    if (wasLong) this.#long--;
    this.#free.push(message);
    if (this.#waiting.length > 0 && !this.#waking) {
      // Later, because the path is in the middle of answering and must not be handed new queries now.
      this.#waking = true;
      setImmediate(this.#wake);
    }
  }

  /** Wakes the waiter once when slots are free again; it then has to ask anew. */
  wait(waiter: Waiter): void {
    this.#waiting.push(waiter);
  }

  readonly #wake = (): void => {
    this.#waking = false;
    for (const waiter of this.#waiting.splice(0)) waiter.wake();
  };

  #make(): Message | null {
    return this.#made < this.#capacity ? new Message(this, this.#made++) : null;
  }
}

export class Message implements StreamMessage {
  readonly slot: number;
  octets: Uint8Array;
  length = 0;
  transport: StreamTransport = 'tcp';
  peer: Uint8Array;
  peerLength: 4 | 16 = 4;
  peerPort = 0;
  clientName = '';
  context: unknown = null;
  readonly #pool: MessagePool;
  readonly #room = new Uint8Array(MESSAGE_ROOM);
  #origin: Origin | null = null;
  #long = false;

  constructor(pool: MessagePool, slot: number) {
    this.#pool = pool;
    this.slot = slot;
    this.octets = this.#room;
    this.peer = this.#room;
  }

  begin(origin: Origin, length: number): void {
    this.#origin = origin;
    this.#long = length > MESSAGE_ROOM;
    this.octets = this.#long ? new Uint8Array(length) : this.#room;
    this.length = length;
    this.transport = origin.transport;
    this.peer = origin.peer;
    this.peerLength = origin.peerLength;
    this.peerPort = origin.peerPort;
    this.clientName = origin.clientName;
  }

  get cancelled(): boolean {
    return this.#origin === null || this.#origin.gone;
  }

  get restMs(): number {
    return this.#origin === null ? -1 : this.#origin.restMs;
  }

  respond(): void {
    const origin = this.#end();
    origin.answer(this.octets, this.length);
    this.#giveBack();
  }

  discard(): void {
    this.#end().forgo();
    this.#giveBack();
  }

  #end(): Origin {
    const origin = this.#origin;
    if (origin === null) throw new Error('a stream message was answered or discarded twice');
    this.#origin = null;
    return origin;
  }

  #giveBack(): void {
    this.octets = this.#room;
    this.#pool.give(this, this.#long);
  }
}
