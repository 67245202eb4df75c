/**
 * An upstream that misbehaves on command, over UDP and TCP on one port: silent for some names or at some times, losing
 * datagrams both ways, or gone. It answers every name with one A record, and names that begin with `big` with 60 kB.
 */
import { createSocket, type Socket } from 'node:dgram';
import { createServer, type Server, type Socket as TcpSocket } from 'node:net';
import { askedName, skipName, TYPE } from './message.ts';

export interface Manners {
  /** Whether a question is answered at all. */
  readonly answers?: (name: string) => boolean;
  /** Share of datagrams lost on the way in, and again on the way out. */
  readonly loss?: number;
  /** Milliseconds before an answer. */
  readonly delayMs?: number;
  readonly ttlSeconds?: number;
}

export class FaultyUpstream {
  readonly port: number;
  manners: Manners;
  /** Messages received, lost ones included, by the last two labels of their name. */
  readonly asked = new Map<string, number>();
  #udp: Socket;
  #tcp: Server;
  readonly #connections = new Set<TcpSocket>();

  private constructor(port: number, udp: Socket, tcp: Server, manners: Manners) {
    this.port = port;
    this.manners = manners;
    this.#udp = udp;
    this.#tcp = tcp;
    this.#listen();
  }

  static async start(manners: Manners = {}): Promise<FaultyUpstream> {
    for (let i = 0; i < 20; i++) {
      const udp = await openUdp(0);
      const { port } = udp.address();
      const tcp = await openTcp(port).catch(() => null);
      if (tcp !== null) return new FaultyUpstream(port, udp, tcp, manners);
      udp.close();
    }
    throw new Error('no port is free for both UDP and TCP');
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Messages for names whose last labels are these. */
  askedFor(domain: string): number {
    return this.asked.get(domain) ?? 0;
  }

  /** The port is closed: datagrams to it are refused by the kernel. */
  async goAway(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    const closed = new Promise<void>((resolve) => this.#udp.close(() => resolve()));
    await new Promise<void>((resolve) => this.#tcp.close(() => resolve()));
    await closed;
  }

  async comeBack(): Promise<void> {
    this.#udp = await openUdp(this.port);
    this.#tcp = await openTcp(this.port);
    this.#listen();
  }

  #listen(): void {
    const udp = this.#udp;
    udp.on('error', () => undefined);
    udp.on('message', (query, { address, port }) => {
      const lost = this.#isLost();
      const reply = this.#replyTo(query, true);
      if (reply === null || lost || this.#isLost()) return;
      this.#later(() => udp.send(reply, port, address, () => undefined));
    });
    this.#tcp.on('connection', (connection) => this.#serve(connection));
  }

  #serve(connection: TcpSocket): void {
    this.#connections.add(connection);
    connection.on('error', () => undefined).on('close', () => this.#connections.delete(connection));
    let unread: Buffer = Buffer.alloc(0);
    connection.on('data', (chunk: Buffer) => {
      unread = Buffer.concat([unread, chunk]);
      while (unread.length >= 2 && unread.length >= 2 + unread.readUInt16BE(0)) {
        const reply = this.#replyTo(unread.subarray(2, 2 + unread.readUInt16BE(0)), false);
        unread = unread.subarray(2 + unread.readUInt16BE(0));
        if (reply === null) continue;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        this.#later(() => connection.write(Buffer.concat([length, reply])));
      }
    });
  }

  #later(go: () => void): void {
    const { delayMs } = this.manners;
    if (delayMs === undefined) go();
    else setTimeout(go, delayMs);
  }

  #isLost(): boolean {
    return Math.random() < (this.manners.loss ?? 0);
  }

  #replyTo(query: Buffer, overUdp: boolean): Buffer | null {
    const name = askedName(query);
    const domain = name.split('.').slice(-2).join('.');
    this.asked.set(domain, this.askedFor(domain) + 1);
    if (this.manners.answers !== undefined && name !== '' && !this.manners.answers(name)) return null;
    const questionEnd = skipName(query, 12) + 4;
    const question = query.subarray(12, questionEnd);
    const isBig = name.startsWith('big');
    const head = Buffer.from([query[0]!, query[1]!, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]);
    if (isBig && overUdp) {
      head[2]! |= 2;
      return Buffer.concat([head, question]);
    }
    const records = isBig ? bigRecords() : [record(TYPE.A, this.manners.ttlSeconds ?? 300, [192, 0, 2, 1])];
    head.writeUInt16BE(records.length, 6);
    return Buffer.concat([head, question, ...records]);
  }
}

function record(type: number, ttl: number, rdata: readonly number[] | Buffer): Buffer {
  const fixed = Buffer.alloc(12);
  fixed.writeUInt16BE(0xc00c, 0);
  fixed.writeUInt16BE(type, 2);
  fixed.writeUInt16BE(1, 4);
  fixed.writeUInt32BE(ttl, 6);
  fixed.writeUInt16BE(rdata.length, 10);
  return Buffer.concat([fixed, Buffer.from(rdata)]);
}

/** 60 kB of TXT: 235 records of one string each. */
function bigRecords(): Buffer[] {
  return Array.from({ length: 235 }, (_, i) => {
    const text = Buffer.alloc(244, 97 + (i % 26));
    text[0] = 243;
    text.writeUInt16BE(0x6161 + i, 1);
    return record(TYPE.TXT, 300, text);
  });
}

const openUdp = (port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
    socket.once('error', reject);
    socket.bind(port, '127.0.0.1', () => resolve(socket));
  });

const openTcp = (port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
