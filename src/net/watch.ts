/**
 * Readiness for all native sockets of a thread: one epoll descriptor that holds them, which in turn is watched by the
 * event loop.
 *
 * Why not one libuv handle a socket: node:dgram would read the first datagram by itself, without the control data that
 * says which address was asked; and upstream sockets come and go by the thousand, which here costs one system call.
 * Readiness is level-triggered, so a socket that is left with datagrams in it rings again on the next turn of the loop:
 * whoever drains may stop at any time, and timers and TCP get their turn in between.
 *
 * Draining happens in `setImmediate`, right after the poll phase: everything that became ready in this turn is served
 * together, and promises and errors of the callers behave as they do anywhere in Node, which they would not inside the
 * callback of the poll handle.
 */
import type { Libc, Poll } from './libc.ts';
import { EPOLL_CTL_ADD, EPOLLIN, systemError } from './libc.ts';

/** Something readable. `drain` reads a bounded number of batches. */
export interface Watched {
  drain(): void;
}

const READY_COUNT = 64;
/** struct epoll_event is packed on x64 and only there: events, then 64 bits that are ours. */
const EVENT_WORDS = process.arch === 'x64' ? 3 : 4;
const DATA_WORD = process.arch === 'x64' ? 1 : 2;

export class Watch {
  readonly #libc: Libc;
  readonly #events = new Uint32Array(new ArrayBuffer(READY_COUNT * EVENT_WORDS * 4));
  readonly #eventsAddress: number;
  /** Sockets by their descriptor, which the kernel keeps small and unique. */
  readonly #watched = new Map<number, Watched>();
  readonly #ready = new Int32Array(READY_COUNT);
  #epoll = -1;
  #poll: Poll | null = null;
  #scheduled = false;

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#eventsAddress = libc.addressOf(new Uint8Array(this.#events.buffer));
  }

  /** From now on `watched.drain` is called while `fd` is readable or has an error to tell. */
  add(fd: number, watched: Watched): void {
    if (this.#poll === null) this.#open();
    try {
      this.#enter(fd);
    } catch (error) {
      if (this.#watched.size === 0) this.#close();
      throw error;
    }
    this.#watched.set(fd, watched);
    // The socket of a worker that died would stay in the SO_REUSEPORT group and swallow its share of the queries.
    this.#libc.closeWithThread(fd);
  }

  /** Ends watching and closes the descriptor. With the last one gone nothing keeps the process alive. */
  closeSocket(fd: number): void {
    if (!this.#watched.delete(fd)) return;
    this.#libc.forget(fd);
    // Closing takes it out of the epoll set as well: no other descriptor refers to the socket.
    this.#libc.close(fd);
    if (this.#watched.size === 0) this.#close();
  }

  #open(): void {
    this.#epoll = this.#libc.epollCreate();
    if (this.#epoll < 0) throw systemError(this.#libc.errno(), 'epoll_create1', 'watching sockets');
    this.#libc.closeWithThread(this.#epoll);
    this.#poll = this.#libc.poll(this.#epoll, this.#ring);
    process.once('exit', this.#leave);
  }

  #close(): void {
    process.off('exit', this.#leave);
    this.#leave();
    this.#libc.forget(this.#epoll);
    this.#libc.close(this.#epoll);
    this.#epoll = -1;
  }

  #enter(fd: number): void {
    this.#events[0] = EPOLLIN;
    this.#events[DATA_WORD] = fd;
    this.#events[DATA_WORD + 1] = 0;
    if (this.#libc.epollControl(this.#epoll, EPOLL_CTL_ADD, fd, this.#eventsAddress) < 0) {
      throw systemError(this.#libc.errno(), 'epoll_ctl', `watching descriptor ${fd}`);
    }
  }

  /**
   * No more is told. Called also when this thread ends, by an exception or by its own will: the event loop still tells what
   * became readable in this turn, and to be told while no JavaScript may run any more ends the whole process (`napi_throw`
   * from the handle's callback).
   */
  readonly #leave = (): void => {
    this.#poll?.close();
    this.#poll = null;
  };

  readonly #ring = (): void => {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#serve);
  };

  /** A drain that throws leaves the others readable, so they ring again; nothing is lost but this turn. */
  readonly #serve = (): void => {
    this.#scheduled = false;
    if (this.#poll === null) return;
    const ready = this.#libc.epollWait(this.#epoll, this.#eventsAddress, READY_COUNT);
    // Adding and closing sockets while draining writes to the first event: the descriptors are read out beforehand.
    for (let i = 0; i < ready; i++) this.#ready[i] = this.#events[i * EVENT_WORDS + DATA_WORD];
    for (let i = 0; i < ready; i++) this.#watched.get(this.#ready[i])?.drain();
  };
}
