/** A DNS server on loopback that does as it is told: UDP and TCP on one port, each query handed to a script. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';

export interface Query {
  readonly message: Buffer;
  readonly id: number;
  /** Lower-cased, dotted, without the final dot. */
  readonly name: string;
  readonly type: number;
  readonly transport: 'udp' | 'tcp';
  /** Port it came from. */
  readonly port: number;
  /** Position behind the question. */
  readonly questionEnd: number;
  /** How many queries of this server came before it. */
  readonly count: number;
  send(message: Uint8Array): void;
  /** Sends octets as they are: over TCP without a length before them. */
  raw(octets: Uint8Array): void;
  /** The TCP connection. */
  readonly connection: Socket | null;
}

export type Script = (query: Query) => void;

export interface ScriptedServer {
  readonly port: number;
  readonly queries: Query[];
  script: Script;
  close(): Promise<void>;
  connections(): number;
}

export interface ScriptedOptions {
  readonly tcp?: boolean;
  readonly port?: number;
  readonly address?: string;
}

/** Opens the server. A port that is free for UDP may be taken for TCP: then another one is tried. */
export async function scriptedServer(script: Script, options: ScriptedOptions = {}): Promise<ScriptedServer> {
  for (let left = 20; ; left--) {
    try {
      return await openServer(script, options);
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!isTaken || options.port !== undefined || left === 0) throw error;
    }
  }
}

async function openServer(script: Script, options: ScriptedOptions): Promise<ScriptedServer> {
  const { address = '127.0.0.1' } = options;
  const udp: UdpSocket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const sockets = new Set<Socket>();
  let tcp: Server | null = null;
  let accepted = 0;
  let isClosed = false;
  const server: ScriptedServer = {
    port: 0,
    queries: [],
    script,
    connections: () => accepted,
    close: async () => {
      isClosed = true;
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => (tcp === null ? resolve() : tcp.close(() => resolve())));
      await new Promise<void>((resolve) => udp.close(() => resolve()));
    },
  };
  const take = (
    message: Buffer,
    transport: 'udp' | 'tcp',
    port: number,
    connection: Socket | null,
    raw: (octets: Uint8Array) => void,
  ): void => {
    const query = queryOf(message, transport, port, server.queries.length, connection, raw);
    server.queries.push(query);
    server.script(query);
  };
  udp.on('message', (message, peer) => {
    take(message, 'udp', peer.port, null, (octets) => {
      // A script may speak up late, when the test is over.
      if (!isClosed) udp.send(octets, peer.port, peer.address, () => undefined);
    });
  });
  await new Promise<void>((resolve, reject) => {
    udp.once('error', reject);
    udp.bind(options.port ?? 0, address, resolve);
  });
  const { port } = udp.address();
  (server as { port: number }).port = port;
  if (options.tcp !== false) {
    tcp = createServer((socket) => {
      accepted++;
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => undefined);
      let have = Buffer.alloc(0);
      socket.on('data', (chunk) => {
        have = Buffer.concat([have, chunk]);
        while (have.length >= 2 && have.length >= 2 + have.readUInt16BE(0)) {
          const length = have.readUInt16BE(0);
          const message = have.subarray(2, 2 + length);
          have = have.subarray(2 + length);
          take(message, 'tcp', socket.remotePort ?? 0, socket, (octets) => socket.write(octets));
        }
      });
    });
    try {
      await new Promise<void>((resolve, reject) => {
        tcp?.once('error', reject);
        tcp?.listen(port, address, resolve);
      });
    } catch (error) {
      udp.close();
      throw error;
    }
  }
  return server;
}

/** A query with its question read; `tcp` puts a length before what is sent. */
export function queryOf(
  message: Buffer,
  transport: 'udp' | 'tcp',
  port: number,
  count: number,
  connection: Socket | null,
  raw: (octets: Uint8Array) => void,
): Query {
  const { name, end } = readName(message);
  return {
    message,
    id: message.readUInt16BE(0),
    name,
    type: message.readUInt16BE(end),
    transport,
    port,
    questionEnd: end + 4,
    count,
    connection,
    raw,
    send: (octets) => {
      if (transport === 'udp') {
        raw(octets);
        return;
      }
      const length = Buffer.alloc(2);
      length.writeUInt16BE(octets.length);
      raw(Buffer.concat([length, octets]));
    },
  };
}

function readName(message: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  while (message[at] !== 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + message[at]).toLowerCase());
    at += message[at] + 1;
  }
  return { name: labels.join('.'), end: at + 1 };
}

export interface ReplyParts {
  readonly rcode?: number;
  readonly truncated?: boolean;
  /** IPv4 addresses. */
  readonly addresses?: readonly string[];
  /** Options of an OPT record; without them the reply has OPT exactly where the query had one. */
  readonly options?: readonly { readonly code: number; readonly data: Uint8Array }[];
  readonly id?: number;
  /** Third octet and so on, changed at will. */
  readonly edit?: (message: Buffer) => Buffer;
}

/** A well-formed reply to a query, its question octet for octet, with whatever is to be wrong about it. */
export function reply(query: Query, parts: ReplyParts = {}): Buffer {
  const { rcode = 0, truncated = false, addresses = ['192.0.2.1'], options } = parts;
  const answers = rcode === 0 && !truncated ? addresses : [];
  const header = Buffer.alloc(12);
  header.writeUInt16BE(parts.id ?? query.id, 0);
  header[2] = 0x81 | (truncated ? 0x02 : 0);
  header[3] = 0x80 | (rcode & 15);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers.length, 6);
  const records = answers.map((address) =>
    Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split('.').map(Number)]),
  );
  if (query.message.readUInt16BE(10) > 0 || options !== undefined) {
    header.writeUInt16BE(1, 10);
    const data = Buffer.concat(
      (options ?? []).map(({ code, data: value }) => {
        const head = Buffer.alloc(4);
        head.writeUInt16BE(code, 0);
        head.writeUInt16BE(value.length, 2);
        return Buffer.concat([head, value]);
      }),
    );
    const opt = Buffer.from([0, 0, 41, 4, 208, rcode >> 4, 0, 0, 0, 0, 0]);
    opt.writeUInt16BE(data.length, 9);
    records.push(opt, data);
  }
  const message = Buffer.concat([header, query.message.subarray(12, query.questionEnd), ...records]);
  return parts.edit === undefined ? message : parts.edit(message);
}
