/**
 * Accepting TLS connections for DoT and DoH: certificates that can be exchanged while serving, optional client
 * certificates, resumption across worker threads, and bounds on handshakes, the dearest thing a stranger can ask for.
 */
import type { Socket } from 'node:net';
import { createSecureContext, createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import type { Certificate, CloseReason } from './contract.ts';
import type { Closable, Hub } from './hub.ts';
import type { Tracked } from './limits.ts';

export interface SecureOptions {
  readonly certificate: Certificate;
  /** PEM of the authorities whose client certificates are accepted; none are asked for without it. */
  readonly clientAuthorities?: string;
  /** Refuse clients without a certificate of those authorities. */
  readonly clientCertificateRequired?: boolean;
  /** 48 secret octets, the same in every worker, so that a session begun with one resumes with another. */
  readonly ticketKeys?: Buffer;
}

export interface SecureServer {
  readonly server: Server;
  /** Throws when certificate and key cannot be used; the old ones then stay. */
  reload(certificate: Certificate): void;
}

/** `accept` gets each socket whose handshake is done, with the name its client certificate proves, or `''`. */
export function secureServer(
  hub: Hub,
  options: SecureOptions,
  protocols: string[],
  accept: (socket: TLSSocket, clientName: string) => void,
): SecureServer {
  const handshakes = new Map<string, Handshake>();
  const server = createServer({
    ...contextOptions(options, options.certificate),
    allowHalfOpen: true,
    noDelay: true,
    ALPNProtocols: protocols,
    requestCert: options.clientAuthorities !== undefined,
    rejectUnauthorized: options.clientCertificateRequired === true,
  });
  server.on('connection', (raw: Socket) => {
    hub.counters.accepted++;
    const key = keyOf(raw);
    const handshake = new Handshake(raw, hub, () => handshakes.delete(key));
    if (!raw.destroyed) handshakes.set(key, handshake);
  });
  server.on('secureConnection', (socket) => {
    // An error event that nobody listens to ends the process.
    socket.on('error', () => {});
    const handshake = handshakes.get(keyOf(socket));
    if (socket.destroyed || handshake === undefined) {
      socket.destroy();
      return;
    }
    handshake.done();
    hub.counters.handshakes++;
    if (socket.isSessionReused()) hub.counters.resumed++;
    accept(socket, socket.authorized ? commonName(socket) : '');
  });
  server.on('tlsClientError', (_error, socket) => {
    handshakes.get(keyOf(socket))?.shut('handshake');
    socket.destroy();
  });
  return {
    server,
    reload: (certificate) => {
      const context = contextOptions(options, certificate);
      createSecureContext(context);
      server.setSecureContext(context);
    },
  };
}

function contextOptions(options: SecureOptions, certificate: Certificate): TlsOptions {
  return {
    cert: certificate.cert,
    key: certificate.key,
    minVersion: 'TLSv1.2',
    sessionIdContext: 'sallyport',
    ...(options.clientAuthorities === undefined ? {} : { ca: options.clientAuthorities }),
    ...(options.ticketKeys === undefined ? {} : { ticketKeys: options.ticketKeys }),
  };
}

const keyOf = (socket: Socket): string => `${socket.remotePort} ${socket.remoteAddress}`;

function commonName(socket: TLSSocket): string {
  const name = socket.getPeerCertificate().subject?.CN;
  return typeof name === 'string' ? name : '';
}

/** A connection until its handshake is done: it has a place in the limits, and a deadline. */
class Handshake implements Tracked, Closable {
  readonly address: string;
  readonly busy = false;
  readonly unread = 0;
  readonly lastActiveMs: number;
  readonly #raw: Socket;
  readonly #hub: Hub;
  readonly #onDone: () => void;
  #reason: CloseReason | null = null;
  #done = false;

  constructor(raw: Socket, hub: Hub, onDone: () => void) {
    const { limits } = hub;
    this.#raw = raw;
    this.#hub = hub;
    this.#onDone = onDone;
    this.address = raw.remoteAddress ?? '';
    this.lastActiveMs = limits.now();
    raw.on('error', () => {});
    raw.on('close', this.#onClose);
    hub.enter(this);
    if (!limits.mayShakeHands(this.address)) this.shut('handshake');
    else if (!limits.admit(this)) this.shut('client-limit');
  }

  /** The handshake is finished: the connection proper takes this one's place. */
  done(): void {
    if (this.#done) return;
    this.#done = true;
    this.#hub.limits.leave(this);
    this.#hub.pass(this);
    this.#onDone();
  }

  check(nowMs: number): void {
    if (nowMs - this.lastActiveMs > this.#hub.limits.settings.handshakeMs) this.shut('handshake');
  }

  finish(reason: CloseReason): void {
    this.shut(reason);
  }

  shut(reason: CloseReason): void {
    this.#reason ??= reason;
    this.#raw.destroy();
  }

  readonly #onClose = (): void => {
    if (this.#done) return;
    this.#done = true;
    this.#hub.limits.leave(this);
    this.#hub.leave(this, this.#reason ?? 'peer');
    this.#onDone();
  };
}
