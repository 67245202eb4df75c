/**
 * A client that asks for names nobody asked for before, over one transport, as fast as it is answered, and remembers what
 * it was answered. What it was answered must be in the audit.
 */
import { createSocket } from 'node:dgram';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export type Transport = 'udp' | 'tcp' | 'dot' | 'doh';

export interface Asked {
  /** Names that were answered, but for SERVFAIL; and how many SERVFAIL there were. */
  readonly answered: readonly string[];
  readonly failed: number;
}

const WINDOW = 16;

/** A query for A, with one OPT record. */
function queryFor(name: string, id: number): Buffer {
  const labels = name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label, 'latin1')]));
  const header = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
  const opt = Buffer.from([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, 1, 0, 1]), opt]);
}

/** Asks `prefix-0.SUFFIX`, `prefix-1.SUFFIX`, …, taking the suffixes in turn, until `stop` or until the server is gone. */
export class Asker {
  readonly #answered: string[] = [];
  #failed = 0;
  #next = 0;
  readonly #prefix: string;
  readonly #suffixes: readonly string[];
  readonly #inFlight = new Map<number, string>();
  #isOver = false;
  #send: (query: Buffer) => void = () => {};
  #close: () => void = () => {};

  constructor(transport: Transport, port: number, prefix: string, suffixes: readonly string[]) {
    this.#prefix = prefix;
    this.#suffixes = suffixes;
    if (transport === 'udp') this.#openUdp(port);
    else if (transport === 'doh') this.#openHttps(port);
    else this.#openStream(transport, port);
  }

  /** Ends it; what was answered until now. */
  /** Queries that got another rcode than NOERROR, so far. */
  get failed(): number {
    return this.#failed;
  }

  stop(): Asked {
    this.#isOver = true;
    this.#close();
    return { answered: this.#answered, failed: this.#failed };
  }

  get count(): number {
    return this.#answered.length;
  }

  #begin(): void {
    for (let i = 0; i < WINDOW; i++) this.#ask();
  }

  #ask(): void {
    if (this.#isOver) return;
    const number = this.#next++;
    const name = `${this.#prefix}-${number}.${this.#suffixes[number % this.#suffixes.length]}`;
    const id = number & 0xffff;
    this.#inFlight.set(id, name);
    this.#send(queryFor(name, id));
  }

  #hear(response: Buffer): void {
    if (this.#isOver || response.length < 12) return;
    const id = response.readUInt16BE(0);
    const name = this.#inFlight.get(id);
    if (name === undefined) return;
    this.#inFlight.delete(id);
    if ((response[3] & 15) === 2) this.#failed++;
    else this.#answered.push(name);
    this.#ask();
  }

  #openUdp(port: number): void {
    const socket = createSocket('udp4');
    socket.on('message', (response) => this.#hear(response)).on('error', () => {});
    socket.connect(port, '127.0.0.1', () => this.#begin());
    this.#send = (query) => socket.send(query, () => {});
    this.#close = () => socket.close();
  }

  #openStream(transport: 'tcp' | 'dot', port: number): void {
    const socket: Socket =
      transport === 'tcp'
        ? connect(port, '127.0.0.1', () => this.#begin())
        : connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => this.#begin());
    let held = Buffer.alloc(0);
    socket.on('data', (piece) => {
      held = Buffer.concat([held, piece]);
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const end = 2 + held.readUInt16BE(0);
        const response = held.subarray(2, end);
        held = held.subarray(end);
        this.#hear(response);
      }
    });
    socket.on('error', () => {});
    this.#send = (query) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(query.length);
      socket.write(Buffer.concat([length, query]));
    };
    this.#close = () => socket.destroy();
  }

  #openHttps(port: number): void {
    const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false }, () =>
      this.#begin(),
    );
    session.on('error', () => {});
    this.#send = (query) => {
      // A server that stops says so (GOAWAY) and takes no more.
      if (session.closed || session.destroyed) return;
      const stream = session.request({
        ':method': 'POST',
        ':path': '/dns-query',
        'content-type': 'application/dns-message',
      });
      const pieces: Buffer[] = [];
      stream.on('data', (piece: Buffer) => pieces.push(piece));
      stream.on('end', () => this.#hear(Buffer.concat(pieces)));
      stream.on('error', () => {});
      stream.end(query);
    };
    this.#close = () => session.destroy();
  }
}
