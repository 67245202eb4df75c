/** Receivers in this process that keep what they were sent, and can be ended and begun again on the same port. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** An HTTP receiver whose answers a test decides. */
export class HttpReceiver {
  readonly requests: { url: string; headers: IncomingMessage['headers']; body: Buffer }[] = [];
  /** Called for each request; by default it is accepted. */
  answer: (body: string, response: ServerResponse) => void = (_, response) => response.end('{}');
  port = 0;
  #server: Server | null = null;
  readonly #sockets = new Set<Socket>();

  async start(): Promise<this> {
    const server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        const body = Buffer.concat(pieces);
        this.requests.push({ url: request.url ?? '', headers: request.headers, body });
        this.answer(body.toString('utf8'), response);
      });
    });
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  /** Ends at once, in the middle of whatever is under way. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => (server === null ? resolve() : server.close(() => resolve())));
  }
}
