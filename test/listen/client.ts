/** A TCP or TLS client that collects what it gets. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { framed, unframed, until } from './echo.ts';

export class Client {
  readonly socket: Socket;
  received: Buffer = Buffer.alloc(0);
  ended = false;
  closed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('error', () => {});
  }

  static async tcp(port: number, localAddress = '127.0.0.1'): Promise<Client> {
    const socket = connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true, noDelay: true });
    const client = new Client(socket);
    await once(socket, 'connect');
    return client;
  }

  get messages(): Buffer[] {
    return unframed(this.received);
  }

  send(...messages: Uint8Array[]): void {
    this.socket.write(framed(...messages));
  }

  async gets(count: number): Promise<Buffer[]> {
    await until(`${count} messages, have ${this.messages.length}`, () => this.messages.length >= count);
    return this.messages;
  }
}
