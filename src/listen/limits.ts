/**
 * How many connections there may be, for how long, and which one has to go when another comes. One object serves all
 * stream listeners of a thread, so that a client cannot have its share once per transport.
 */
import type { CloseReason } from './contract.ts';
import { MessagePool } from './messages.ts';

export interface LimitSettings {
  /** Connections of a thread in all. */
  readonly clientsMax: number;
  /** Connections of one client address. */
  readonly clientsPerAddress: number;
  /** Addresses that only `clientsMax` binds: forwarders and proxies that speak for many clients. */
  readonly isForwarder: (address: string) => boolean;
  /** Messages of a thread in flight. */
  readonly messagesMax: number;
  /** Messages of one connection in flight; then it is not read. */
  readonly inFlightMax: number;
  /** Queries one connection may send in its life. */
  readonly queriesMax: number;
  /** Life of a connection in milliseconds. */
  readonly ageMs: number;
  /** Milliseconds without a query after which a connection is closed; less when more than half the clients are here. */
  readonly idleMs: number;
  /** Milliseconds in which a begun message must be complete. */
  readonly messageMs: number;
  /** Milliseconds for a TLS handshake, and for the first octets where there is none. */
  readonly handshakeMs: number;
  /** TLS handshakes begun in a second, in all; a quarter of it for one address. A full one costs about a millisecond. */
  readonly handshakesPerSecond: number;
  /** Octets of output a client may leave unread before it is no longer read from. */
  readonly unreadMax: number;
  /** Octets of unread output of a thread in all; beyond them the connection with the most goes. */
  readonly unreadTotalMax: number;
  /** Milliseconds without progress of unread output after which a connection is closed. */
  readonly slowReaderMs: number;
  /** HTTP/2 streams of one connection at once. */
  readonly streamsMax: number;
  /** HTTP/2 streams of one connection that may be reset within 30 s, by the client or for its faults. */
  readonly resetsMax: number;
}

/** See docs/limits.md for what each is there for. */
export const DEFAULT_LIMITS: LimitSettings = Object.freeze({
  clientsMax: 1000,
  clientsPerAddress: 32,
  isForwarder: () => false,
  messagesMax: 8192,
  inFlightMax: 100,
  queriesMax: 10_000,
  ageMs: 3_600_000,
  idleMs: 30_000,
  messageMs: 5_000,
  handshakeMs: 5_000,
  handshakesPerSecond: 400,
  unreadMax: 256 * 1024,
  unreadTotalMax: 64 * 1024 * 1024,
  slowReaderMs: 5_000,
  streamsMax: 100,
  resetsMax: 200,
});

/** A connection as the limits see it. */
export interface Tracked {
  readonly address: string;
  /** Queries of it are being worked on. */
  readonly busy: boolean;
  /** When it last did something that counts as use, in milliseconds of the limits' clock. */
  readonly lastActiveMs: number;
  /** Octets of output the client has not taken yet. */
  readonly unread: number;
  /** Looks at its own deadlines. */
  check(nowMs: number): void;
  /** Closes at once. */
  shut(reason: CloseReason): void;
}

/** How often deadlines are looked at: one coarse timer instead of several for each connection. */
const SWEEP_MS = 500;
/** However full the table is, an idle connection is left this long. */
const IDLE_MS_MIN = 500;

export class ConnectionLimits {
  readonly settings: LimitSettings;
  readonly messages: MessagePool;
  readonly #tracked = new Set<Tracked>();
  readonly #perAddress = new Map<string, number>();
  /** Handshakes begun in the second that started at `#secondMs`, by address; bounded by `handshakesPerSecond`. */
  readonly #handshakes = new Map<string, number>();
  #handshakesAll = 0;
  #secondMs = 0;
  #unread = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(settings: Partial<LimitSettings> = {}) {
    this.settings = { ...DEFAULT_LIMITS, ...settings };
    this.messages = new MessagePool(this.settings.messagesMax);
  }

  /** Connections open now, handshakes included. */
  get connections(): number {
    return this.#tracked.size;
  }

  /** Octets of output that clients have not taken yet. */
  get unread(): number {
    return this.#unread;
  }

  /** Milliseconds on the clock that all deadlines use; it never goes back. */
  now(): number {
    return performance.now();
  }

  /** Milliseconds of rest allowed now: all of `idleMs` until half the places are taken, then less and less. */
  get idleMs(): number {
    const { idleMs, clientsMax } = this.settings;
    const free = Math.max(0, 1 - this.#tracked.size / clientsMax);
    return Math.max(Math.min(idleMs, IDLE_MS_MIN), idleMs * Math.min(1, 2 * free));
  }

  /**
   * Makes room for a connection and counts it in. A full table closes its oldest idle connection rather than refuse
   * the new one. False when this client's own connections are at their limit and all at work: then the new one,
   * which hurts nobody else, is the one to close.
   */
  admit(connection: Tracked): boolean {
    const { clientsMax, clientsPerAddress, isForwarder } = this.settings;
    const { address } = connection;
    const own = this.#perAddress.get(address) ?? 0;
    if (own >= clientsPerAddress && !isForwarder(address)) {
      const oldest = this.#oldest(address, false);
      if (oldest === null) return false;
      this.#evict(oldest, 'client-limit');
    }
    if (this.#tracked.size >= clientsMax) {
      const oldest = this.#oldest(null, false) ?? this.#oldest(null, true);
      if (oldest !== null) this.#evict(oldest, 'evicted');
    }
    this.#tracked.add(connection);
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    this.#timer ??= setInterval(this.#sweep, SWEEP_MS).unref();
    return true;
  }

  /** Whether a client may begin a TLS handshake now; counts it if so. */
  mayShakeHands(address: string): boolean {
    const { handshakesPerSecond, isForwarder } = this.settings;
    const nowMs = this.now();
    if (nowMs - this.#secondMs >= 1000) {
      this.#secondMs = nowMs;
      this.#handshakesAll = 0;
      this.#handshakes.clear();
    }
    const own = this.#handshakes.get(address) ?? 0;
    if (this.#handshakesAll >= handshakesPerSecond) return false;
    if (own >= handshakesPerSecond / 4 && !isForwarder(address)) return false;
    this.#handshakesAll++;
    this.#handshakes.set(address, own + 1);
    return true;
  }

  /** Counts a connection out; again is harmless. */
  leave(connection: Tracked): void {
    if (!this.#tracked.delete(connection)) return;
    const left = (this.#perAddress.get(connection.address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(connection.address, left);
    else this.#perAddress.delete(connection.address);
    if (this.#tracked.size === 0 && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }

  /** Output was queued (positive) or taken by the kernel (negative), in octets. */
  countUnread(difference: number): void {
    this.#unread += difference;
    if (difference > 0 && this.#unread > this.settings.unreadTotalMax) this.#shedReader();
  }

  #evict(connection: Tracked, reason: CloseReason): void {
    this.leave(connection);
    connection.shut(reason);
  }

  #oldest(address: string | null, busyToo: boolean): Tracked | null {
    let oldest: Tracked | null = null;
    for (const connection of this.#tracked) {
      if (address !== null && connection.address !== address) continue;
      if (connection.busy && !busyToo) continue;
      if (oldest === null || connection.lastActiveMs < oldest.lastActiveMs) oldest = connection;
    }
    return oldest;
  }

  #shedReader(): void {
    let most: Tracked | null = null;
    for (const connection of this.#tracked) {
      if (most === null || connection.unread > most.unread) most = connection;
    }
    if (most !== null) this.#evict(most, 'slow-reader');
  }

  readonly #sweep = (): void => {
    const nowMs = this.now();
    for (const connection of [...this.#tracked]) connection.check(nowMs);
  };
}
