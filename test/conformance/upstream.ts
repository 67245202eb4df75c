/**
 * An upstream that does what its script says, over UDP and TCP on one port. The script is chosen by a label of the name:
 * `anything.BEHAVIOUR.example.com`. Names without a script are answered with the truth.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { framed } from './client.ts';
import { a, type MessageText, message, opt } from './message.ts';

/** The address that is right for every name, and the one that no client may ever see. */
export const TRUTH = '192.0.2.1';
export const POISON = '192.0.2.66';

export interface Asked {
  readonly transport: 'udp' | 'tcp';
  readonly id: number;
  /** In lower case, dotted. */
  readonly name: string;
  readonly type: number;
  /** The question octet for octet, in the random case it was asked in. */
  readonly question: Buffer;
  readonly octets: Buffer;
  readonly hasEdns: boolean;
  readonly dnssecOk: boolean;
  /** How often this name and type were asked over this transport before. */
  readonly before: number;
  /** Sends a reply: id, question and flags as they should be unless given. */
  reply(text: MessageText): void;
  /** Sends the true answer. */
  truth(): void;
  /** Sends octets as they are (framed over TCP). */
  raw(octets: Uint8Array): void;
  /** UDP: from another address or port of this machine. */
  rawFrom(octets: Uint8Array, from: { address?: string; samePort?: boolean }): void;
  /** TCP: the connection itself. */
  readonly stream: Socket | null;
}

export type Behaviour = (asked: Asked) => void;

const REPLY_FLAGS = 0x8180;

export const reply = (asked: Asked, text: MessageText): Buffer =>
  message({ id: asked.id, flags: REPLY_FLAGS, question: [asked.question], ...text });

export const truth = (asked: Asked, text: MessageText = {}): Buffer =>
  reply(asked, {
    answer: [a(TRUTH)],
    ...(asked.hasEdns ? { additional: [opt({ flags: asked.dnssecOk ? 0x8000 : 0 })] } : {}),
    ...text,
  });

export class ScriptedUpstream {
  readonly asked: Asked[] = [];
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #others: UdpSocket[] = [];
  readonly #streams = new Set<Socket>();
  readonly #behaviours: Readonly<Record<string, Behaviour>>;
  readonly #counts = new Map<string, number>();

  private constructor(udp: UdpSocket, tcp: Server, behaviours: Readonly<Record<string, Behaviour>>) {
    this.#udp = udp;
    this.#tcp = tcp;
    this.#behaviours = behaviours;
    udp.on('message', (octets, { address, port }) => {
      this.#take('udp', octets, (sent) => udp.send(sent, port, address), { address, port }, null);
    });
    tcp.on('connection', (stream) => {
      this.#streams.add(stream);
      stream.on('close', () => this.#streams.delete(stream));
      stream.on('error', () => undefined);
      let octets: Buffer = Buffer.alloc(0);
      stream.on('data', (chunk) => {
        octets = Buffer.concat([octets, chunk]);
        while (octets.length >= 2 && octets.length >= 2 + octets.readUInt16BE(0)) {
          const end = 2 + octets.readUInt16BE(0);
          const one = octets.subarray(2, end);
          octets = octets.subarray(end);
          this.#take('tcp', one, (sent) => stream.write(framed(sent)), { address: '', port: 0 }, stream);
        }
      });
    });
  }

  static async start(behaviours: Readonly<Record<string, Behaviour>> = {}): Promise<ScriptedUpstream> {
    for (let tries = 0; ; tries++) {
      const udp = createSocket('udp4');
      await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve));
      const tcp = createServer();
      const free = await new Promise<boolean>((resolve) => {
        tcp.once('error', () => resolve(false));
        tcp.listen(udp.address().port, '127.0.0.1', () => resolve(true));
      });
      if (free) return new ScriptedUpstream(udp, tcp, behaviours);
      udp.close();
      if (tries === 20) throw new Error('no port is free for both UDP and TCP');
    }
  }

  get address(): string {
    return `127.0.0.1:${this.#udp.address().port}`;
  }

  askedFor(name: string): Asked[] {
    return this.asked.filter((asked) => asked.name === name);
  }

  async stop(): Promise<void> {
    for (const stream of this.#streams) stream.destroy();
    for (const socket of this.#others) socket.close();
    this.#udp.close();
    await new Promise((resolve) => this.#tcp.close(resolve));
  }

  #take(
    transport: 'udp' | 'tcp',
    octets: Buffer,
    send: (octets: Uint8Array) => void,
    client: { address: string; port: number },
    stream: Socket | null,
  ): void {
    let at = 12;
    const labels: string[] = [];
    while (octets[at] !== 0) {
      labels.push(octets.toString('latin1', at + 1, at + 1 + octets[at]));
      at += octets[at] + 1;
    }
    const name = labels.join('.').toLowerCase();
    const type = octets.readUInt16BE(at + 1);
    const key = `${transport} ${name} ${type}`;
    const before = this.#counts.get(key) ?? 0;
    this.#counts.set(key, before + 1);
    const edns = octets.readUInt16BE(10) > 0 && octets.readUInt16BE(at + 6) === 41;
    const asked: Asked = {
      transport,
      id: octets.readUInt16BE(0),
      name,
      type,
      question: octets.subarray(12, at + 5),
      octets,
      hasEdns: edns,
      dnssecOk: edns && (octets[at + 12] & 0x80) !== 0,
      before,
      reply: (text) => send(reply(asked, text)),
      truth: () => send(truth(asked)),
      raw: send,
      rawFrom: (sent, from) => {
        const other = createSocket({ type: 'udp4', reuseAddr: true });
        this.#others.push(other);
        const port = from.samePort ? this.#udp.address().port : 0;
        other.bind(port, from.address ?? '127.0.0.1', () => other.send(sent, client.port, client.address));
      },
      stream,
    };
    this.asked.push(asked);
    const behaviour = this.#behaviours[labels.at(-3)?.toLowerCase() ?? ''];
    if (behaviour === undefined) asked.truth();
    else behaviour(asked);
  }
}
