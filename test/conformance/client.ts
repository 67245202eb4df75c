/** A client that sends any octets over UDP or TCP on loopback and waits for what comes back, with a bound on the wait. */
import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { read, type Seen } from './message.ts';

export const REPLY_MS = 4000;
/** How long silence is listened to before it is believed. */
export const SILENCE_MS = 300;

/** Everything that comes back for one datagram: the first response, or null after `waitMs`. */
export function askUdp(
  port: number,
  octets: Uint8Array,
  waitMs = REPLY_MS,
  host = '127.0.0.1',
): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const end = (reply: Buffer | null): void => {
      clearTimeout(timer);
      socket.close(() => resolve(reply));
    };
    const timer = setTimeout(() => end(null), waitMs);
    socket.on('error', reject);
    socket.on('message', (reply) => end(reply));
    socket.send(octets, port, host);
  });
}

/** One TCP connection: octets are written as they are given, messages read by their length. */
export class Stream {
  readonly messages: Buffer[] = [];
  /** The server has ended its half, or all of it. */
  closed = false;
  readonly #socket: Socket;
  #octets: Buffer = Buffer.alloc(0);
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      this.#octets = Buffer.concat([this.#octets, chunk]);
      while (this.#octets.length >= 2 && this.#octets.length >= 2 + this.#octets.readUInt16BE(0)) {
        const end = 2 + this.#octets.readUInt16BE(0);
        this.messages.push(this.#octets.subarray(2, end));
        this.#octets = this.#octets.subarray(end);
      }
      this.#wake();
    });
    socket.on('error', () => undefined);
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        this.closed = true;
        this.#wake();
      });
    }
  }

  static open(port: number): Promise<Stream> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () =>
        resolve(new Stream(socket)),
      );
      socket.once('error', reject);
    });
  }

  write(octets: Uint8Array): void {
    this.#socket.write(octets);
  }

  /** No more from here: the server still answers what it has (RFC 7766 section 6.2.3). */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Waits until `count` messages have come, the connection has ended, or `waitMs` have passed. */
  async wait(count: number, waitMs = REPLY_MS): Promise<readonly Buffer[]> {
    const until = Date.now() + waitMs;
    while (this.messages.length < count && !this.closed && Date.now() < until) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, until - Date.now());
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.messages;
  }
}

export const framed = (octets: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([octets.length >> 8, octets.length & 255]), octets]);

export async function askTcp(port: number, octets: Uint8Array, waitMs = REPLY_MS): Promise<Buffer | null> {
  const stream = await Stream.open(port);
  stream.write(framed(octets));
  const [reply] = await stream.wait(1, waitMs);
  stream.destroy();
  return reply ?? null;
}

export type Transport = 'udp' | 'tcp';

/** Asks and reads strictly; null is silence. Every response must carry the id of its query. */
export async function ask(
  transport: Transport,
  port: number,
  octets: Uint8Array,
  waitMs = REPLY_MS,
): Promise<Seen | null> {
  const reply = await (transport === 'udp' ? askUdp(port, octets, waitMs) : askTcp(port, octets, waitMs));
  if (reply === null) return null;
  const seen = read(reply);
  if (!seen.flags.has('qr')) throw new Error('a response without QR');
  if (seen.id !== ((octets[0] << 8) | octets[1])) throw new Error('a response with another id');
  return seen;
}

/** Asks and must hear something. */
export async function heard(
  transport: Transport,
  port: number,
  octets: Uint8Array,
  waitMs = REPLY_MS,
): Promise<Seen> {
  const seen = await ask(transport, port, octets, waitMs);
  if (seen === null) throw new Error(`silence over ${transport}`);
  return seen;
}
