/**
 * One upstream server: how it is reached, what it has done, and whether it is believed to be up.
 *
 *    up ── SUSPECT sends in a row without a sign of life ──▶ probed ── no reply to `. NS` ──▶ down (silent)
 *    up ── nobody listens ─────────────────────────────────────────────────────────────────▶ down (refused)
 *    down ── probed every PROBE_MS ── any reply ──▶ up, and the questions that wait are asked at once
 *
 * A server that is silent for one zone keeps answering the probe and so stays up.
 */
import type { Attempt } from './attempt.ts';
import type { Carrier, CarrierEvents, Loss } from './carrier.ts';
import type { Cookie } from './compose.ts';
import type { UpstreamServerState } from './contract.ts';
import { Habit, newCookie } from './habits.ts';
import { HttpsSession } from './https.ts';
import type { DownReason, PoolOptions, ServerOptions, UpstreamsOptions } from './options.ts';
import { SERVER_IN_FLIGHT_MAX, SOCKET_QUERIES_MAX, SOCKET_SECONDS_MAX, SOCKETS_DEFAULT } from './options.ts';
import { RoundTrip } from './round-trip.ts';
import { serverText } from './server-text.ts';
import { dialTcp, dialTls, Streams } from './streams.ts';
import { UdpPorts } from './udp.ts';

const SUSPECT = 3;
/** Lines of one kind about one server: trouble and floods come in crowds. */
const LOG_EVERY_MS = 1000;
const EXHAUSTED = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);
export const PROBE_MS = 450;
/** What a server that says SERVFAIL or the like to everything is taken to need besides. */
const RELUCTANT_MS = 100;
/** What each send without a sign of life adds to the time a server is taken to need. */
const UNANSWERED_MS = 200;

/** What a server tells the exchange that drives it. */
export interface ServerEvents {
  received(attempt: Attempt, octets: Uint8Array, at: number, length: number): void;
  lost(attempt: Attempt, loss: Loss): void;
  flooded(attempts: Attempt[]): void;
  probe(server: Server): void;
  revived(server: Server): void;
}

export class Server implements CarrierEvents {
  readonly pool: string;
  readonly label: string;
  readonly options: ServerOptions;
  /** Its place in the masks of a question. */
  readonly bit: number;
  readonly isEncrypted: boolean;
  readonly carrier: Carrier;
  readonly ports: UdpPorts | null = null;
  /** TCP, or TLS for servers reached by it. */
  readonly streams: Streams | null = null;
  readonly roundTrip = new RoundTrip();
  readonly keepsCase: Habit;
  readonly speaksCookies: Habit;
  readonly cookie: Cookie = newCookie();
  /** Literals to connect to, the first one first: from the options, or found by bootstrap. */
  addresses: readonly string[];

  down: DownReason | null = null;
  unanswered = 0;
  #isProbing = false;
  /** Share of complaints among its last replies or so. */
  #reluctance = 0;
  #lastHeardMs = Number.NEGATIVE_INFINITY;
  #downMs = 0;
  #probedMs = Number.NEGATIVE_INFINITY;
  #troubledMs = Number.NEGATIVE_INFINITY;
  #floodedMs = Number.NEGATIVE_INFINITY;
  readonly #events: ServerEvents;
  readonly #log: UpstreamsOptions['log'];
  readonly #now: () => number;
  readonly inFlightMax: number;

  asked = 0;
  answered = 0;
  timeouts = 0;
  errors = 0;
  mismatched = 0;
  truncated = 0;

  constructor(
    pool: PoolOptions,
    index: number,
    room: UpstreamsOptions & { readonly now: () => number },
    events: ServerEvents,
  ) {
    const options = pool.servers[index];
    this.pool = pool.name;
    this.options = options;
    this.label = serverText(options);
    this.bit = 1 << index;
    this.addresses = options.address === '' ? [] : [options.address];
    this.isEncrypted = options.transport === 'tls' || options.transport === 'https';
    this.#events = events;
    this.#log = room.log;
    this.#now = room.now;
    this.inFlightMax = room.serverInFlightMax ?? SERVER_IN_FLIGHT_MAX;
    this.keepsCase = new Habit(pool.mixCase ?? true);
    this.speaksCookies = new Habit((pool.cookies ?? true) && !this.isEncrypted);
    if (options.transport === 'https') {
      this.carrier = new HttpsSession(options, () => this.address, this, room.now);
    } else if (options.transport === 'tls') {
      const dial = dialTls(options, () => this.address, 'dot');
      this.streams = new Streams(dial, this, room.now);
      this.carrier = this.streams;
    } else {
      this.streams = new Streams(dialTcp(options.address, options.port), this, room.now);
      this.carrier = this.streams;
    }
    if (options.transport === 'udp') {
      this.ports = new UdpPorts(
        {
          engine: room.engine,
          address: options.address,
          port: options.port,
          sockets: pool.sockets ?? SOCKETS_DEFAULT,
          awake: Math.min(pool.sockets ?? SOCKETS_DEFAULT, room.socketsAwake ?? SOCKETS_DEFAULT),
          secondsMax: room.socketSecondsMax ?? SOCKET_SECONDS_MAX,
          queriesMax: room.socketQueriesMax ?? SOCKET_QUERIES_MAX,
          inFlightMax: this.inFlightMax,
          now: room.now,
        },
        this,
      );
      this.carrier = this.ports;
    }
  }

  /** Where to connect to now; empty while no address is known. */
  get address(): string {
    return this.addresses[0] ?? '';
  }

  /** There is a socket to send on, or an address to connect to. */
  get isReachable(): boolean {
    return this.address !== '' && this.ports?.sockets !== 0;
  }

  get inFlight(): number {
    return this.carrier.inFlight + (this.ports === null ? 0 : (this.streams?.inFlight ?? 0));
  }

  /** What `fastest` compares, in milliseconds. */
  get score(): number {
    return this.roundTrip.smoothMs + this.unanswered * UNANSWERED_MS + this.#reluctance * RELUCTANT_MS;
  }

  /** A matched reply came. */
  heard(nowMs: number): void {
    this.#lastHeardMs = nowMs;
    this.unanswered = 0;
    if (this.down === null) return;
    this.down = null;
    this.#log({ event: 'server-up', pool: this.pool, server: this.label, downMs: nowMs - this.#downMs });
    this.#events.revived(this);
  }

  /** The wait for a reply to something sent at `sentMs` was in vain. */
  missed(sentMs: number, nowMs: number): void {
    this.timeouts++;
    if (this.#lastHeardMs >= sentMs) return;
    this.unanswered++;
    if (this.unanswered >= SUSPECT && this.down === null) this.#probe(nowMs);
  }

  /** It replied: with an answer, or with a complaint that sends the question to the next server. */
  replied(isComplaint: boolean): void {
    if (isComplaint) this.errors++;
    else this.answered++;
    this.#reluctance += ((isComplaint ? 1 : 0) - this.#reluctance) / 8;
  }

  probeAnswered(): void {
    this.#isProbing = false;
  }

  probeFailed(refused: boolean, nowMs: number): void {
    this.#isProbing = false;
    if (this.#lastHeardMs < this.#probedMs) this.fall(refused ? 'refused' : 'silent', nowMs);
  }

  fall(reason: DownReason, nowMs: number): void {
    if (this.down === null) {
      this.#downMs = nowMs;
      this.#log({ event: 'server-down', pool: this.pool, server: this.label, reason });
    }
    this.down = reason;
    // It may have been gone for a moment only: asked at once, and then every PROBE_MS.
    if (nowMs - this.#probedMs >= PROBE_MS) this.#probe(nowMs);
  }

  maintain(nowMs: number): void {
    this.carrier.maintain(nowMs);
    if (this.carrier !== this.streams) this.streams?.maintain(nowMs);
    if (this.down === null && this.address === '') this.fall('no-address', nowMs);
    const fault = this.ports?.sockets === 0 ? this.ports.fault : null;
    if (this.down === null && fault !== null) {
      this.fall(EXHAUSTED.has(fault.code ?? '') ? 'no-descriptor' : 'no-socket', nowMs);
    }
    if (this.down !== null && nowMs - this.#probedMs >= PROBE_MS) this.#probe(nowMs);
  }

  flush(): void {
    this.carrier.flush();
    if (this.carrier !== this.streams) this.streams?.flush();
  }

  async close(): Promise<void> {
    await Promise.all([this.carrier.close(), this.streams?.close()]);
  }

  state(): UpstreamServerState {
    return {
      pool: this.pool,
      server: this.label,
      healthy: this.down === null,
      rttMs: this.roundTrip.smoothMs,
      inFlight: this.inFlight,
      asked: this.asked,
      answered: this.answered,
      timeouts: this.timeouts,
      errors: this.errors,
      mismatched: this.mismatched,
      truncated: this.truncated,
    };
  }

  #probe(nowMs: number): void {
    if (this.#isProbing || !this.isReachable) return;
    this.#isProbing = true;
    this.#probedMs = nowMs;
    this.#events.probe(this);
  }

  // What its carriers tell.

  received(attempt: Attempt, octets: Uint8Array, at: number, length: number): void {
    this.#events.received(attempt, octets, at, length);
  }

  stray(): void {
    this.mismatched++;
  }

  lost(attempt: Attempt, loss: Loss): void {
    this.errors++;
    const nowMs = this.#now();
    const isMain = attempt.carrier === this.carrier;
    // A server without TCP is no server that is down.
    if (loss === 'refused' && isMain && attempt.sentMs >= this.#lastHeardMs) this.fall('refused', nowMs);
    if (loss !== 'refused' && isMain) this.missed(attempt.sentMs, nowMs);
    // The next connection goes to the server's next address, if it has several.
    if (loss === 'refused' && this.addresses.length > 1)
      this.addresses = [...this.addresses.slice(1), this.address];
    this.#events.lost(attempt, loss);
  }

  flooded(attempts: Attempt[], localPort: number): void {
    const nowMs = this.#now();
    if (nowMs - this.#floodedMs >= LOG_EVERY_MS) {
      this.#floodedMs = nowMs;
      this.#log({ event: 'flood', pool: this.pool, server: this.label, localPort });
    }
    this.#events.flooded(attempts);
  }

  trouble(message: string): void {
    const nowMs = this.#now();
    if (nowMs - this.#troubledMs < LOG_EVERY_MS) return;
    this.#troubledMs = nowMs;
    this.#log({ event: 'link-error', pool: this.pool, server: this.label, message });
  }
}
