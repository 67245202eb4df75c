/** DNS servers over TLS and HTTPS on loopback that do as they are told. */
import { createSecureServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import type { Certificate } from './certificates.ts';
import { type Query, queryOf, type Script } from './scripted-server.ts';

export interface EncryptedServer {
  readonly port: number;
  readonly queries: Query[];
  script: Script;
  /** Connections that were made, and how many of them resumed an earlier session. */
  readonly connections: number;
  readonly resumed: number;
  /** Headers of the HTTP requests. */
  readonly requests: Record<string, unknown>[];
  /** The open HTTP/2 sessions. */
  readonly sessions: Set<ServerHttp2Session>;
  /** HTTP status and media type of the next responses. */
  http: { status: number; type: string };
  close(): Promise<void>;
}

type Draft = { -readonly [Key in keyof EncryptedServer]: EncryptedServer[Key] };

const draft = (script: Script): Draft => ({
  port: 0,
  queries: [],
  script,
  connections: 0,
  resumed: 0,
  requests: [],
  sessions: new Set(),
  http: { status: 200, type: 'application/dns-message' },
  close: async () => undefined,
});

export async function dotServer(
  certificate: Certificate,
  script: Script,
  port = 0,
): Promise<EncryptedServer> {
  const state = draft(script);
  const sockets = new Set<TLSSocket>();
  const { key, cert } = certificate;
  const server = createServer({ key, cert, ALPNProtocols: ['dot'] }, (socket) => {
    state.connections++;
    if (socket.isSessionReused()) state.resumed++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    let have = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      have = Buffer.concat([have, chunk]);
      while (have.length >= 2 && have.length >= 2 + have.readUInt16BE(0)) {
        const message = have.subarray(2, 2 + have.readUInt16BE(0));
        have = have.subarray(2 + message.length);
        const raw = (octets: Uint8Array): void => {
          if (!socket.destroyed) socket.write(octets);
        };
        const query = queryOf(message, 'tcp', socket.remotePort ?? 0, state.queries.length, socket, raw);
        state.queries.push(query);
        state.script(query);
      }
    });
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  state.port = (server.address() as AddressInfo).port;
  state.close = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return state;
}

export async function dohServer(
  certificate: Certificate,
  script: Script,
  port = 0,
): Promise<EncryptedServer> {
  const state = draft(script);
  const { key, cert } = certificate;
  const server = createSecureServer({ key, cert, settings: { maxConcurrentStreams: 50 } });
  server.on('error', () => undefined);
  server.on('sessionError', () => undefined);
  // A session that said GOAWAY does not always notice that its peer has gone: the sockets are closed by hand.
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('session', (session) => {
    state.connections++;
    state.sessions.add(session);
    session.on('close', () => state.sessions.delete(session));
    session.on('error', () => undefined);
  });
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    state.requests.push(headers);
    stream.on('error', () => undefined);
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const raw = (octets: Uint8Array): void => {
        if (stream.destroyed) return;
        stream.respond({ ':status': state.http.status, 'content-type': state.http.type });
        stream.end(octets);
      };
      const query = queryOf(Buffer.concat(chunks), 'udp', 0, state.queries.length, null, raw);
      state.queries.push(query);
      state.script(query);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  state.port = (server.address() as AddressInfo).port;
  state.close = async () => {
    for (const session of state.sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return state;
}
