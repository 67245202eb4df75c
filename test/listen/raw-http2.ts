/** An HTTP/2 client that sends exactly the frames it is told to, right or wrong. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { until } from './echo.ts';

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

const START = Buffer.concat([PREFACE, frame(4, 0, 0)]);

export interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array | string = '',
): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload.replace(/\s/g, ''), 'hex') : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);

/** A header block: pseudo-header fields by static index where there is one, all else as plain literals. */
export function block(...fields: [string, string][]): Buffer {
  return Buffer.concat(
    fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])),
  );
}

/** The fields of a POST to /dns-query and then `more`. */
export const post = (...more: [string, string][]): Buffer =>
  block(
    [':method', 'POST'],
    [':scheme', 'https'],
    [':path', '/dns-query'],
    ['content-type', 'application/dns-message'],
    ...more,
  );

export class RawHttp2 {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  closed = false;
  ended = false;
  #held: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('error', () => {});
  }

  static async dial(port: number, start: Uint8Array = START): Promise<RawHttp2> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return RawHttp2.over(socket, start);
  }

  /** Speaks over a socket that is connected, and through its handshake if it has one. */
  static over(socket: Socket, start: Uint8Array = START): RawHttp2 {
    socket.write(start);
    return new RawHttp2(socket);
  }

  send(...frames: Uint8Array[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  /** Error code of the GOAWAY that came, −1 without one. */
  get goaway(): number {
    const found = this.frames.find(({ type }) => type === 7);
    return found === undefined ? -1 : found.payload.readUInt32BE(4);
  }

  /** Error code of the RST_STREAM for a stream, −1 without one. */
  reset(stream: number): number {
    const found = this.frames.find((one) => one.type === 3 && one.stream === stream);
    return found === undefined ? -1 : found.payload.readUInt32BE(0);
  }

  ofType(type: number): Frame[] {
    return this.frames.filter((one) => one.type === type);
  }

  /** Whether a response to the stream has come in full. */
  answered(stream: number): boolean {
    return this.frames.some((one) => one.stream === stream && one.type <= 1 && (one.flags & 1) !== 0);
  }

  async gets(what: string, condition: () => boolean): Promise<void> {
    await until(what, condition);
  }

  #read(chunk: Buffer): void {
    const octets = Buffer.concat([this.#held, chunk]);
    let at = 0;
    while (octets.length - at >= 9) {
      const end = at + 9 + octets.readUIntBE(at, 3);
      if (end > octets.length) break;
      this.frames.push({
        type: octets[at + 3],
        flags: octets[at + 4],
        stream: octets.readUInt32BE(at + 5),
        payload: octets.subarray(at + 9, end),
      });
      at = end;
    }
    this.#held = octets.subarray(at);
  }
}
