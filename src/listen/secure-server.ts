/**
 * Accepting TLS connections for DoT and DoH: certificates that can be exchanged while serving, optional client
 * certificates, resumption across worker threads, and bounds on handshakes, the dearest thing a stranger can ask for.
 */
import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createSecureContext, createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { Arrival } from './arrival.ts';
import type { Certificate } from './contract.ts';
import type { Hub } from './hub.ts';

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
  const handshakes = new Map<string, Arrival>();
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
    const handshake = new Arrival(raw, hub, 'handshake', (reason) => {
      handshakes.delete(key);
      if (reason === 'handshake') hub.counters.handshakesFailed++;
    });
    if (!hub.limits.mayShakeHands(handshake.address)) handshake.shut('handshake-limit');
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
    // A second handshake within a connection of TLS 1.2: nobody needs it, a stranger could ask for one again and again, and
    // HTTP/2 forbids it (RFC 9113 section 9.2.1).
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    sessionIdContext: 'sallyport',
    ...(options.clientAuthorities === undefined ? {} : { ca: options.clientAuthorities }),
    ...(options.ticketKeys === undefined ? {} : { ticketKeys: options.ticketKeys }),
  };
}

/** With our own address, too: behind one address translator a port is used again for each address that it goes to. */
const keyOf = ({ remotePort, remoteAddress, localAddress }: Socket): string =>
  `${remotePort} ${remoteAddress} ${localAddress}`;

function commonName(socket: TLSSocket): string {
  const name = socket.getPeerCertificate().subject?.CN;
  return typeof name === 'string' ? name : '';
}
