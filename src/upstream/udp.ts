/**
 * Connected UDP sockets to one server, each on a random port of the kernel's choice.
 *
 * A guesser must hit id and port (RFC 5452), and must not have the time to find the ports by looking (SAD DNS): so
 * sockets are connected, one of them is drawn at random for each batch, and each gives way to one on a new port after
 * some seconds or queries. It stays open until its last reply is in. A server that is asked holds `awake` sockets at least, a
 * few more with each message until they are there, and as many more as the load asks for; an idle one holds SOCKETS_IDLE.
 *
 * One socket serves up to RUN_MAX messages of a batch before another is drawn, because a system call for each message
 * costs more than all the rest of a forwarded query. Measured, in CPU time per forwarded query: runs of 1 cost 25 %
 * more than runs of 64, runs of 16 nothing that shows.
 */
import type { ConnectedSocket, Engine } from '../net/datagram.ts';
import type { Attempt } from './attempt.ts';
import type { Carrier, CarrierEvents } from './carrier.ts';
import { InFlight } from './in-flight.ts';
import { FLOOD_MAX, SOCKETS_IDLE } from './options.ts';
import { randomBelow } from './random.ts';
import { Rate } from './retry-budget.ts';

const RUN_MAX = 16;
/** Load that one socket carries before another is opened: queries in one maintenance interval. */
const QUERIES_PER_SOCKET = 4;
/** Sockets that one message has opened besides: 128 of them at once would hold up everybody else for milliseconds. */
const WOKEN_AT_ONCE = 4;
const BUFFER_LENGTH = 1 << 18;
const INDEX_MAX = 0x7fff;
const RETRY_MS = 1000;
/** Ports that are given up in a second because of a flood: what floods must not have us open sockets without end. */
const GIVEN_UP_PER_SECOND = 20;
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
  'EADDRNOTAVAIL',
]);

/** One socket and what is known of it. */
class Port {
  readonly index: number;
  readonly queriesMax: number;
  retireMs: number;
  socket: ConnectedSocket | null = null;
  queries = 0;
  inFlight = 0;
  strays = 0;
  /** A successor is being opened. */
  worn = false;
  /** Out of use, open until the last attempt on it is over. */
  draining = false;
  queued = false;

  constructor(index: number, queriesMax: number, retireMs: number) {
    this.index = index;
    this.queriesMax = queriesMax;
    this.retireMs = retireMs;
  }
}

export interface UdpOptions {
  readonly engine: Engine;
  readonly address: string;
  readonly port: number;
  readonly sockets: number;
  /** Least sockets while questions come; at most `sockets`. */
  readonly awake: number;
  readonly secondsMax: number;
  readonly queriesMax: number;
  readonly inFlightMax: number;
  readonly now: () => number;
}

export class UdpPorts implements Carrier {
  readonly #options: UdpOptions;
  readonly #events: CarrierEvents;
  readonly #table: InFlight;
  readonly #live: Port[] = [];
  readonly #draining = new Set<Port>();
  readonly #queued: Port[] = [];
  readonly #freeIndexes: number[] = [];
  readonly #givenUp = new Rate(GIVEN_UP_PER_SECOND);
  #indexes = 0;
  #opening = 0;
  #current: Port | null = null;
  #run = 0;
  #asked = 0;
  #askedMs = Number.NEGATIVE_INFINITY;
  #closed = false;
  /** Sockets opened and failed to open since the start. */
  opened = 0;
  failures = 0;
  /** Why the last socket could not be opened, until one could. */
  fault: NodeJS.ErrnoException | null = null;

  constructor(options: UdpOptions, events: CarrierEvents) {
    this.#options = options;
    this.#events = events;
    this.#table = new InFlight(options.inFlightMax);
  }

  get inFlight(): number {
    return this.#table.count;
  }

  /** Sockets in use, those that only await late replies not counted. */
  get sockets(): number {
    return this.#live.length;
  }

  /** Sockets are on their way and none is there yet: worth a moment's patience. */
  get isOpening(): boolean {
    return this.#live.length === 0 && this.#opening > 0;
  }

  /** Opens the first sockets; a failure is kept in `fault` and tried again by `maintain`. */
  async open(): Promise<void> {
    await Promise.all(
      Array.from({ length: Math.min(SOCKETS_IDLE, this.#options.sockets) }, () => this.#open(null)),
    );
  }

  send(attempt: Attempt, nowMs: number): boolean {
    if (this.#table.count >= this.#options.inFlightMax) return false;
    const port = this.#pick();
    if (port === null) return false;
    let key = 0;
    do {
      attempt.id = randomBelow(0x10000);
      key = (port.index << 16) | attempt.id;
    } while (this.#table.find(key) !== null);
    attempt.message[0] = attempt.id >>> 8;
    attempt.message[1] = attempt.id;
    attempt.key = key;
    attempt.place = port;
    this.#table.add(key, attempt);
    port.inFlight++;
    this.#asked++;
    this.#askedMs = nowMs;
    this.#put(port, attempt);
    if (this.#live.length + this.#opening < this.#options.awake) this.#wake();
    if (!port.worn && (++port.queries >= port.queriesMax || nowMs >= port.retireMs)) {
      port.worn = true;
      void this.#open(port);
    }
    return true;
  }

  resend(attempt: Attempt): boolean {
    const port = attempt.place;
    if (!(port instanceof Port) || port.socket === null) return false;
    this.#put(port, attempt);
    return true;
  }

  forget(attempt: Attempt): void {
    const port = attempt.place;
    if (!(port instanceof Port)) return;
    this.#table.remove(attempt.key);
    attempt.place = null;
    port.inFlight--;
    if (port.draining && port.inFlight === 0) this.#shut(port);
  }

  flush(): void {
    this.#current = null;
    for (const port of this.#queued) {
      port.queued = false;
      port.socket?.flush();
    }
    this.#queued.length = 0;
  }

  maintain(nowMs: number): void {
    if (this.#closed) return;
    const { sockets, awake, secondsMax } = this.#options;
    const isAwake = nowMs - this.#askedMs < secondsMax * 1000;
    const least = isAwake ? awake : Math.min(SOCKETS_IDLE, awake);
    const wanted = Math.min(sockets, Math.max(least, Math.ceil(this.#asked / QUERIES_PER_SOCKET)));
    this.#asked = 0;
    for (let have = this.#live.length + this.#opening; have < wanted; have++) void this.#open(null);
    for (const port of [...this.#live]) {
      if (nowMs < port.retireMs || port.worn) continue;
      // Only what the load of the moment asks for is replaced.
      if (this.#live.length > wanted) this.#retire(port);
      else {
        port.worn = true;
        void this.#open(port);
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const port of [...this.#live, ...this.#draining]) this.#shut(port);
    this.#live.length = 0;
    this.#queued.length = 0;
  }

  #pick(): Port | null {
    if (this.#current !== null && this.#run < RUN_MAX) {
      this.#run++;
      return this.#current;
    }
    if (this.#live.length === 0) return null;
    this.#run = 1;
    this.#current = this.#live[randomBelow(this.#live.length)];
    return this.#current;
  }

  /** A few more sockets, unless there are none to be had. */
  #wake(): void {
    if (this.fault !== null) return;
    const lacking = this.#options.awake - this.#live.length - this.#opening;
    for (let left = Math.min(WOKEN_AT_ONCE, lacking); left > 0; left--) void this.#open(null);
  }

  #put(port: Port, attempt: Attempt): void {
    port.socket?.send(attempt.message, attempt.length);
    if (port.queued) return;
    port.queued = true;
    this.#queued.push(port);
  }

  async #open(instead: Port | null): Promise<void> {
    const index = this.#freeIndexes.pop() ?? this.#indexes++;
    if (index >= INDEX_MAX || this.#closed) return;
    const { engine, address, port: peerPort, queriesMax, secondsMax, now } = this.#options;
    // A quarter more or less, at random, so that sockets opened together do not retire together.
    const share = 0.75 + randomBelow(512) / 1024;
    const port = new Port(index, Math.ceil(queriesMax * share), now() + secondsMax * 1000 * share);
    this.#opening++;
    try {
      port.socket = await engine.connect({
        peer: { address, port: peerPort },
        bufferLength: BUFFER_LENGTH,
        onDatagram: (octets, at, length) => this.#received(port, octets, at, length),
        onBatchEnd: () => undefined,
        onError: (error) => this.#failed(port, error),
      });
    } catch (error) {
      this.#opening--;
      this.#freeIndexes.push(index);
      this.failures++;
      this.fault = error as NodeJS.ErrnoException;
      if (instead !== null) {
        // It serves on; to try again for every query would be a flood of its own.
        instead.worn = false;
        instead.queries = 0;
        instead.retireMs = now() + RETRY_MS;
      }
      this.#events.trouble(`no UDP socket to ${address} port ${peerPort}: ${this.fault.message}`);
      return;
    }
    this.#opening--;
    this.opened++;
    this.fault = null;
    if (this.#closed) {
      port.socket.close();
      return;
    }
    this.#live.push(port);
    if (instead !== null) this.#retire(instead);
  }

  #retire(port: Port): void {
    const at = this.#live.indexOf(port);
    if (at === -1) return;
    this.#live[at] = this.#live[this.#live.length - 1];
    this.#live.pop();
    if (this.#current === port) this.#current = null;
    port.draining = true;
    this.#draining.add(port);
    if (port.queued) port.socket?.flush();
    if (port.inFlight === 0) this.#shut(port);
  }

  #shut(port: Port): void {
    this.#draining.delete(port);
    if (port.socket === null) return;
    port.socket.close();
    port.socket = null;
    this.#freeIndexes.push(port.index);
  }

  #received(port: Port, octets: Uint8Array, at: number, length: number): void {
    const attempt =
      length < 12 ? null : this.#table.find((port.index << 16) | (octets[at] << 8) | octets[at + 1]);
    if (attempt === null) {
      this.#events.stray();
      this.suspect(port);
      return;
    }
    this.#events.received(attempt, octets, at, length);
  }

  /** Counts a reply that nobody asked for; after FLOOD_MAX of them the port is given up. */
  suspect(place: object | null): void {
    if (!(place instanceof Port) || place.draining || ++place.strays < FLOOD_MAX) return;
    const localPort = place.socket?.localPort ?? 0;
    const carried = this.#table.all().filter((attempt) => attempt.place === place);
    place.strays = 0;
    if (this.#givenUp.take(this.#options.now())) {
      void this.#open(null);
      this.#retire(place);
    }
    this.#events.flooded(carried, localPort);
  }

  #failed(port: Port, error: NodeJS.ErrnoException): void {
    if (!UNREACHABLE.has(error.code ?? '')) {
      this.#events.trouble(`UDP socket on port ${port.socket?.localPort ?? 0}: ${error.message}`);
      return;
    }
    // Not at once: the error may be told in the middle of a `send`.
    queueMicrotask(() => {
      const carried = this.#table.all().filter((attempt) => attempt.place === port);
      for (const attempt of carried) {
        this.forget(attempt);
        this.#events.lost(attempt, 'refused');
      }
    });
  }
}
