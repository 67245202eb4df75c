/** Clients of a drill: they ask over UDP from addresses of 127.0.0.0/8, at a rate, and note what came and when. */
import { createSocket, type Socket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { queryOctets, RCODE, type Reply, readReply } from './message.ts';

/** What became of one query. `reply` null: lost. */
export interface Heard {
  readonly name: string;
  readonly reply: Reply | null;
  readonly ms: number;
}

interface Waiting {
  readonly resolve: (reply: Reply | null) => void;
  readonly timer: NodeJS.Timeout;
}

/** One client: an address and a socket. */
export class Client {
  readonly #socket: Socket;
  readonly #port: number;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;

  #isClosed = false;

  private constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#port = port;
    socket.on('error', () => undefined);
    socket.on('message', (octets) => {
      const reply = readReply(octets);
      const waiting = this.#waiting.get(reply.id);
      if (waiting === undefined) return;
      this.#waiting.delete(reply.id);
      clearTimeout(waiting.timer);
      waiting.resolve(reply);
    });
  }

  /** A client at `address` that asks the server at 127.0.0.1:`port`. */
  static open(port: number, address = '127.0.0.1'): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
      socket.once('error', reject);
      socket.bind(0, address, () => resolve(new Client(socket, port)));
    });
  }

  async ask(name: string, timeoutMs = 5000): Promise<Heard> {
    const id = this.#nextId;
    this.#nextId = (this.#nextId % 65_535) + 1;
    const began = performance.now();
    // The drill has ended before its load: nobody is left to be told.
    if (this.#isClosed) return { name, reply: null, ms: 0 };
    const reply = await new Promise<Reply | null>((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        resolve(null);
      }, timeoutMs);
      this.#waiting.set(id, { resolve, timer });
      this.#socket.send(queryOctets(id, name), this.#port, '127.0.0.1', () => undefined);
    });
    return { name, reply, ms: performance.now() - began };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { resolve, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      resolve(null);
    }
    this.#waiting.clear();
    this.#socket.close();
  }
}

/** Asks `names` at `perSecond`, each by the next client in turn; resolves when all have been answered or lost. */
export async function askAll(
  clients: readonly Client[],
  names: readonly string[],
  perSecond: number,
  timeoutMs = 5000,
): Promise<Heard[]> {
  const heard: Promise<Heard>[] = [];
  const began = performance.now();
  while (heard.length < names.length) {
    const due = Math.min(names.length, Math.ceil(((performance.now() - began) / 1000) * perSecond));
    while (heard.length < due) {
      const client = clients[heard.length % clients.length]!;
      heard.push(client.ask(names[heard.length]!, timeoutMs));
    }
    await sleep(5);
  }
  return Promise.all(heard);
}

export interface Tally {
  readonly asked: number;
  readonly lost: number;
  readonly good: number;
  readonly servfail: number;
  readonly other: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Losses and latencies; latencies are of all that were answered. */
export function tally(heard: readonly Heard[]): Tally {
  const count = (holds: (reply: Reply | null) => boolean): number =>
    heard.filter(({ reply }) => holds(reply)).length;
  const times = heard.filter(({ reply }) => reply !== null).map(({ ms }) => ms);
  times.sort((a, b) => a - b);
  const at = (share: number): number =>
    times.length === 0 ? 0 : times[Math.min(times.length - 1, Math.floor(times.length * share))]!;
  const lost = count((reply) => reply === null);
  const good = count((reply) => reply?.rcode === RCODE.NOERROR && reply.answers > 0);
  const servfail = count((reply) => reply?.rcode === RCODE.SERVFAIL);
  return {
    asked: heard.length,
    lost,
    good,
    servfail,
    other: heard.length - lost - good - servfail,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: times.at(-1) ?? 0,
  };
}

/** `count` names that were never asked before below `domain`. */
export const freshNames = (count: number, domain: string): string[] =>
  Array.from({ length: count }, () => `${Math.random().toString(36).slice(2, 12)}.${domain}`);

export const ms = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;

export const say = ({ asked, lost, good, servfail, other, p50Ms, p99Ms, maxMs }: Tally): string =>
  `${asked} asked: ${good} answered, ${servfail} SERVFAIL, ${other} other, ${lost} lost; p50 ${ms(p50Ms)}, p99 ${ms(p99Ms)}, most ${ms(maxMs)}`;
