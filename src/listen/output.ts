/**
 * What a connection has still to send: responses are copied one behind the other into chunks, and a chunk goes out in
 * one write. Written so, ten responses of one turn cost one system call and one TLS record.
 *
 * While the kernel takes everything at once, chunks go straight back to be used again. Once it does not, one write
 * stays open and everything later waits here, counted in `unread`, until the client has read on.
 */
import type { Writable } from 'node:stream';
import { copyOctets } from '../wire/index.ts';
import type { ConnectionLimits } from './limits.ts';

/** Octets of a chunk: what fits one TLS record. */
const CHUNK_LENGTH = 16_384;
/** Most octets of one write, so that progress of a slow reader can be seen. */
const WRITE_LENGTH = 65_536;
/** Chunks kept for later; more are left to the garbage collector. */
const SPARE_MAX = 128;

interface Piece {
  readonly chunk: Uint8Array;
  used: number;
}

/** Chunks not in use, shared by all connections of the thread. */
const spare: Uint8Array[] = [];

/** Outputs that have something to send at the end of this turn. */
let due: Output[] = [];

const settled = Promise.resolve();

function flushDue(): void {
  const outputs = due;
  due = [];
  for (const output of outputs) output.endTurn();
}

export class Output {
  readonly #socket: Writable;
  readonly #limits: ConnectionLimits;
  readonly #onProgress: () => void;
  readonly #queue: Piece[] = [];
  #writing: Piece[] = [];
  #writingLength = 0;
  /** Callbacks that `write` still owes us. */
  #callbacks = 0;
  #due = false;
  #closed = false;
  #unread = 0;
  #stalledSinceMs = 0;

  /** `onProgress` is called each time the kernel has taken what was queued. */
  constructor(socket: Writable, limits: ConnectionLimits, onProgress: () => void) {
    this.#socket = socket;
    this.#limits = limits;
    this.#onProgress = onProgress;
  }

  /** Octets given to `append` that the kernel has not taken. */
  get unread(): number {
    return this.#unread;
  }

  /** Since when the kernel has taken nothing, on the limits' clock; 0 when nothing waits. */
  get stalledSinceMs(): number {
    return this.#stalledSinceMs;
  }

  /** Queues a message with its length before it; it is sent at the end of the turn, or by `flush`. */
  appendFramed(octets: Uint8Array, length: number): void {
    if (this.#closed) return;
    const { chunk, used } = this.#room(length + 2);
    chunk[used] = length >>> 8;
    chunk[used + 1] = length;
    copyOctets(octets, 0, chunk, used + 2, length);
    this.#appended(length + 2);
  }

  /** Queues octets[from … to) as they are. */
  append(octets: Uint8Array, from: number, to: number): void {
    if (this.#closed || from >= to) return;
    const { chunk, used } = this.#room(to - from);
    copyOctets(octets, from, chunk, used, to - from);
    this.#appended(to - from);
  }

  /** Sends what the turn has brought, and lets the connection know that there is room again. */
  endTurn(): void {
    this.flush();
    if (this.#writingLength === 0 && !this.#closed) this.#onProgress();
  }

  /** Sends what is queued, as far as the kernel takes it. */
  flush(): void {
    this.#due = false;
    while (this.#queue.length > 0 && this.#writingLength === 0 && !this.#closed) this.#write();
  }

  /** Forgets everything: the connection is gone. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#limits.countUnread(-this.#unread);
    this.#unread = 0;
    this.#stalledSinceMs = 0;
    this.#queue.length = 0;
    // What is being written belongs to the socket until it is destroyed; it is not used again.
    this.#writing = [];
  }

  /** The piece with room for `length` more octets, which are counted as used by `#appended`. */
  #room(length: number): Piece {
    const last = this.#queue[this.#queue.length - 1];
    if (last !== undefined && last.chunk.length - last.used >= length) return last;
    const chunk =
      length > CHUNK_LENGTH ? new Uint8Array(length) : (spare.pop() ?? new Uint8Array(CHUNK_LENGTH));
    const piece = { chunk, used: 0 };
    this.#queue.push(piece);
    return piece;
  }

  #appended(length: number): void {
    this.#queue[this.#queue.length - 1].used += length;
    this.#unread += length;
    if (!this.#due && this.#writingLength === 0) {
      this.#due = true;
      if (due.push(this) === 1) settled.then(flushDue);
    }
    this.#limits.countUnread(length);
  }

  #write(): void {
    const socket = this.#socket;
    let length = 0;
    let count = 0;
    while (count < this.#queue.length && length < WRITE_LENGTH) length += this.#queue[count++].used;
    const pieces = this.#queue.splice(0, count);
    this.#callbacks++;
    this.#writing = pieces;
    this.#writingLength = length;
    if (count > 1) socket.cork();
    for (let i = 0; i < count - 1; i++) socket.write(viewOf(pieces[i]));
    socket.write(viewOf(pieces[count - 1]), this.#onWritten);
    if (count > 1) socket.uncork();
    // Nothing left in the socket means that the kernel has it all and the chunks are free again.
    if (socket.writableLength === 0) this.#took();
    else if (this.#stalledSinceMs === 0) this.#stalledSinceMs = this.#limits.now();
  }

  readonly #onWritten = (): void => {
    // Writes that were taken at once call back too, later but in order: only the last can be the open one.
    if (--this.#callbacks > 0 || this.#writingLength === 0 || this.#closed) return;
    this.#took();
    this.#stalledSinceMs = 0;
    this.flush();
    this.#onProgress();
  };

  #took(): void {
    for (const { chunk } of this.#writing) {
      if (chunk.length === CHUNK_LENGTH && spare.length < SPARE_MAX) spare.push(chunk);
    }
    this.#unread -= this.#writingLength;
    this.#limits.countUnread(-this.#writingLength);
    this.#writing = [];
    this.#writingLength = 0;
  }
}

const viewOf = ({ chunk, used }: Piece): Uint8Array =>
  used === chunk.length ? chunk : chunk.subarray(0, used);
