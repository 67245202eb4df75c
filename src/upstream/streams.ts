/** TCP and TLS connections to one server: opened when needed, kept, and as many as the load asks for. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect as connectTcp, isIP } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import type { Attempt } from './attempt.ts';
import type { Carrier, CarrierEvents } from './carrier.ts';
import { type Dial, Link, PIPELINE_MAX } from './link.ts';
import type { ServerOptions } from './options.ts';

/** Connections to one server from this worker. */
const LINKS_MAX = 8;
/** Part of the room that a question may take which merely got no reply over UDP: the rest is for those that must. */
const FALLBACK_SHARE = 0.5;

export class Streams implements Carrier {
  readonly #dial: Dial;
  readonly #events: CarrierEvents;
  readonly #now: () => number;
  readonly #links: Link[] = [];
  #closed = false;
  /** Connections begun since the start. */
  opened = 0;

  constructor(dial: Dial, events: CarrierEvents, now: () => number) {
    this.#dial = dial;
    this.#events = events;
    this.#now = now;
  }

  get inFlight(): number {
    let sum = 0;
    for (const link of this.#links) sum += link.inFlight;
    return sum;
  }

  send(attempt: Attempt, nowMs: number): boolean {
    if (this.#closed) return false;
    const isFull = this.#links.length >= LINKS_MAX;
    let link = this.#links.find((each) => each.hasRoom(PIPELINE_MAX) && (isFull || !each.isDoubtful(nowMs)));
    if (link === undefined) {
      if (isFull) return false;
      this.opened++;
      link = new Link(this.#dial, this.#events, this.#now, (ended) => {
        const at = this.#links.indexOf(ended);
        if (at !== -1) this.#links.splice(at, 1);
      });
      this.#links.push(link);
    }
    link.send(attempt);
    return true;
  }

  /** The attempt's connection seems stuck, so that the same server may be asked over another. */
  isStuck(attempt: Attempt, nowMs: number): boolean {
    return attempt.place instanceof Link && attempt.place.isDoubtful(nowMs);
  }

  /** Room for a question that could also go on waiting: the rest is left to those that have no other way. */
  get hasRoomToSpare(): boolean {
    return this.inFlight < PIPELINE_MAX * FALLBACK_SHARE;
  }

  resend(): boolean {
    return false;
  }

  forget(attempt: Attempt): void {
    if (attempt.place instanceof Link) attempt.place.forget(attempt);
  }

  flush(): void {
    for (const link of this.#links) link.flush();
  }

  maintain(nowMs: number): void {
    for (const link of [...this.#links]) link.maintain(nowMs);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const link of [...this.#links]) link.close();
  }
}

/** Plain TCP to `address`. */
export const dialTcp =
  (address: string, port: number): Dial =>
  (ready) => {
    const socket = connectTcp({ host: address, port, noDelay: true, keepAlive: true });
    socket.once('connect', ready);
    return socket;
  };

/**
 * TLS to `address()`, its certificate verified for the server's name (or the address, when it has none), or held
 * against pinned keys, or both (RFC 8310 section 8). There is no unauthenticated TLS here.
 */
export function dialTls(options: ServerOptions, address: () => string, alpn: string): Dial {
  let session: Buffer | undefined;
  const verify = tlsOptions(options, alpn);
  return (ready) => {
    const socket = connectTls({
      ...verify,
      host: address(),
      port: options.port,
      ...(session === undefined ? {} : { session }),
    });
    socket.setNoDelay(true);
    // A ticket is kept only from a connection whose key has passed: resuming it skips that check.
    let passed = false;
    let latest: Buffer | undefined;
    socket.on('session', (ticket: Buffer) => {
      latest = ticket;
      if (passed) session = ticket;
    });
    socket.once('secureConnect', () => {
      const fault = pinFault(socket, options);
      if (fault !== null) {
        socket.destroy(new Error(fault));
        return;
      }
      passed = true;
      session = latest ?? session;
      ready();
    });
    socket.once('error', () => {
      // Whatever failed, the next connection begins from nothing.
      session = undefined;
    });
    return socket;
  };
}

/** Options that decide whom to believe. */
function tlsOptions(options: ServerOptions, alpn: string): ConnectionOptions {
  const pinned = (options.spkiPins ?? []).length > 0;
  const named = options.serverName !== undefined && isIP(options.serverName) === 0;
  return {
    ALPNProtocols: [alpn],
    minVersion: 'TLSv1.2',
    ...(named ? { servername: options.serverName as string } : {}),
    // A pin without a name stands for itself: the chain may then be anyone's.
    rejectUnauthorized: !pinned || options.serverName !== undefined,
    ...(options.caFile === undefined ? {} : { ca: readFileSync(options.caFile) }),
  };
}

/** What is wrong with the server's key, or null when there are no pins or one matches. */
function pinFault(socket: TLSSocket, options: ServerOptions): string | null {
  const pins = options.spkiPins ?? [];
  if (pins.length === 0) return null;
  // A resumed session was pinned when it began, and carries no certificate in TLS 1.3.
  if (socket.isSessionReused()) return null;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return 'the server sent no certificate';
  const key = certificate.publicKey.export({ type: 'spki', format: 'der' });
  const pin = createHash('sha256').update(key).digest('base64');
  return pins.includes(pin) ? null : `the server's key ${pin} is none of the pinned ones`;
}
