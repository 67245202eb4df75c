/**
 * A byte stream to a receiver over a Unix socket, TCP or TLS: made, written with regard for how fast it is read, and ended
 * in order. Every wait has an end.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, checkServerIdentity, connect as connectTls } from 'node:tls';
import { ANSWER_MS, CONNECT_MS } from './contract.ts';
import { readTls, type TlsFiles } from './secrets.ts';

export type Destination =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | {
      readonly kind: 'tls';
      readonly host: string;
      readonly port: number;
      readonly serverName: string | undefined;
      readonly files: TlsFiles;
    };

/** Longer than any round trip to a receiver of logs. */
const QUIET_MS = 250;

export class Connection {
  readonly #socket: Socket;
  #error: Error | null = null;
  #ended = false;
  /** Told of everything that happens to the socket; there is one who waits at a time. */
  #happened: () => void = () => {};
  #onData: (octets: Buffer) => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#error ??= error;
      this.#happened();
    });
    socket.on('end', () => {
      this.#ended = true;
      this.#happened();
    });
    socket.on('close', () => {
      this.#error ??= this.#ended ? null : new Error('the receiver closed the connection');
      this.#ended = true;
      this.#happened();
    });
    socket.on('drain', () => this.#happened());
    // Receivers of one-way protocols say nothing; what they say all the same must not fill the buffer.
    socket.on('data', (octets: Buffer) => {
      this.#onData(octets);
      this.#happened();
    });
  }

  /** Rejects in words: refused, no route, not in time, not the certificate that was expected. */
  static open(to: Destination): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connectTo(to);
      const fail = (error: Error): void => {
        socket.destroy();
        clearTimeout(timer);
        reject(error);
      };
      const timer = setTimeout(
        () => fail(new Error(`no connection within ${CONNECT_MS / 1000} s`)),
        CONNECT_MS,
      );
      socket.once('error', fail);
      socket.once(to.kind === 'tls' ? 'secureConnect' : 'connect', () => {
        clearTimeout(timer);
        socket.removeListener('error', fail);
        resolve(new Connection(socket));
      });
    });
  }

  onData(take: (octets: Buffer) => void): void {
    this.#onData = take;
  }

  /** Resolves once the receiver reads fast enough for more. */
  async write(octets: Uint8Array): Promise<void> {
    this.#checkOpen();
    if (this.#socket.write(octets)) return;
    await this.until('reads nothing', () => {
      this.#checkOpen();
      return !this.#socket.writableNeedDrain;
    });
  }

  /** Says that nothing more comes, and waits until the receiver has read to the end and closed its side as well. */
  async finish(): Promise<void> {
    // A receiver that closed on its own resets what was on its way to it; after this pause that has been heard. What it
    // had in its buffer and did not read makes its kernel send a reset as well, so an orderly end says: all was read.
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    this.#checkOpen();
    this.#socket.end();
    await this.until('does not close the connection', () => this.#ended);
    this.close();
  }

  /** Waits for `isTrue`, at most ANSWER_MS; rejects with what went wrong, else with "the receiver …". */
  async until(silence: string, isTrue: () => boolean): Promise<void> {
    const deadlineMs = performance.now() + ANSWER_MS;
    for (;;) {
      if (this.#error !== null) throw this.#error;
      if (isTrue()) return;
      const left = deadlineMs - performance.now();
      if (left <= 0) throw new Error(`the receiver ${silence} (${ANSWER_MS / 1000} s)`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#happened = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** The receiver has ended its side. */
  get ended(): boolean {
    return this.#ended;
  }

  close(): void {
    this.#socket.destroy();
  }

  #checkOpen(): void {
    if (this.#error !== null) throw this.#error;
    if (this.#ended) throw new Error('the receiver closed the connection');
  }
}

function connectTo(to: Destination): Socket {
  if (to.kind === 'unix') return connectTcp({ path: to.path });
  const { host, port } = to;
  if (to.kind === 'tcp') return connectTcp({ host, port, keepAlive: true, noDelay: true });
  const name = to.serverName ?? host;
  return connectTls({
    host,
    port,
    ...readTls(to.files),
    ...(isIP(name) === 0 ? { servername: name } : {}),
    checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
    minVersion: 'TLSv1.2',
    noDelay: true,
  } as ConnectionOptions);
}
