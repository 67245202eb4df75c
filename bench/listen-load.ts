/**
 * Load over streams, a process of its own: `node listen-load.js TRANSPORT PORT CONNECTIONS WINDOW SECONDS NAMES`, where
 * TRANSPORT is tcp, dot, doh-get or doh-post. Keeps WINDOW queries in flight on each connection. When it is warm it prints
 * `go`, and then, after SECONDS, `{"answered":…,"failed":…}`.
 *
 * HTTP/2 is written by hand here: a general client would cost more than the servers that are measured.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { template, writeNumber } from './load/names.ts';

type Transport = 'tcp' | 'dot' | 'doh-get' | 'doh-post';

const WARM_UP_MS = 1500;
const [transport, port, connections, window, seconds, names] = readArguments();
const isHttp = transport.startsWith('doh');

let answered = 0;
let failed = 0;
let isOver = false;
let asked = 0;

const query = template('hit');
for (let i = 0; i < connections; i++) open();
setTimeout(() => {
  process.stdout.write('go\n');
  answered = 0;
  setTimeout(() => {
    isOver = true;
    process.stdout.write(`${JSON.stringify({ answered, failed })}\n`);
    process.exit();
  }, seconds * 1000);
}, WARM_UP_MS);

function readArguments(): [Transport, number, number, number, number, number] {
  const [, , name, ...numbers] = process.argv;
  const [a, b, c, d, e] = numbers.map(Number);
  return [name as Transport, a, b, c, d, e];
}

function open(): void {
  const socket: Socket =
    transport === 'tcp'
      ? connectTcp(port, '127.0.0.1')
      : // The certificate is nobody's: what is measured is the server.
        connectTls({
          port,
          host: '127.0.0.1',
          rejectUnauthorized: false,
          ALPNProtocols: [isHttp ? 'h2' : 'dot'],
        });
  socket.setNoDelay(true);
  const send = isHttp ? http2Sender(socket) : framedSender(socket);
  socket.on('error', () => failed++);
  socket.on('close', () => {
    if (!isOver) open();
  });
  socket.on(transport === 'tcp' ? 'connect' : 'secureConnect', () => {
    if (isHttp) socket.write(HTTP2_START);
    send(window);
  });
  const count = isHttp ? http2Counter(socket) : framedCounter();
  let held: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    const octets = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const [messages, end] = count(octets);
    held = octets.subarray(end);
    answered += messages;
    if (messages > 0 && !isOver) send(messages);
  });
}

/** The next query in place; valid until the next call. */
function nextQuery(): Buffer {
  writeNumber(query, 0, asked++ % names);
  return query;
}

type Counter = (octets: Buffer) => [messages: number, end: number];

function framedSender(socket: Socket): (count: number) => void {
  const length = Buffer.of(query.length >> 8, query.length & 0xff);
  return (count) => {
    const parts: Buffer[] = [];
    for (let i = 0; i < count; i++) parts.push(length, Buffer.from(nextQuery()));
    socket.write(Buffer.concat(parts));
  };
}

function framedCounter(): Counter {
  return (octets) => {
    let at = 0;
    let messages = 0;
    while (octets.length - at >= 2) {
      const end = at + 2 + octets.readUInt16BE(at);
      if (end > octets.length) break;
      at = end;
      messages++;
    }
    return [messages, at];
  };
}

const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const GOAWAY = 7;
const END_STREAM = 1;
const END_HEADERS = 4;

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Preface, settings with wide windows for streams, and a wide window for the connection. */
const HTTP2_START = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1'),
  frame(SETTINGS, 0, 0, Buffer.from('00047fffffff', 'hex')),
  frame(8, 0, 0, Buffer.from('7fff0000', 'hex')),
]);

function text(value: string): Buffer {
  return Buffer.concat([Buffer.of(value.length), Buffer.from(value, 'latin1')]);
}

/** Requests as browsers send them: what repeats comes from the table of HPACK, the path does not. */
function http2Sender(socket: Socket): (count: number) => void {
  const isPost = transport === 'doh-post';
  const method = Buffer.of(isPost ? 0x83 : 0x82, 0x87);
  // :authority, and content-type or accept, are put into the table by the first request: indices 63 and 62 then.
  const first = [Buffer.of(0x41), text('localhost')];
  const type = [Buffer.of(isPost ? 0x5f : 0x53), text('application/dns-message')];
  let stream = 1;
  const request = (message: Buffer): Buffer => {
    const path = isPost ? '/dns-query' : `/dns-query?dns=${message.toString('base64url')}`;
    const isFirst = stream === 1;
    const block = Buffer.concat([
      method,
      ...(isFirst ? first : [Buffer.of(0xbf)]),
      Buffer.of(0x04),
      text(path),
      ...(isFirst ? type : [Buffer.of(0xbe)]),
    ]);
    const id = stream;
    stream += 2;
    const head = frame(HEADERS, END_HEADERS | (isPost ? 0 : END_STREAM), id, block);
    return isPost ? Buffer.concat([head, frame(DATA, END_STREAM, id, message)]) : head;
  };
  return (count) => {
    const parts: Buffer[] = [];
    for (let i = 0; i < count; i++) parts.push(request(nextQuery()));
    socket.write(Buffer.concat(parts));
  };
}

function http2Counter(socket: Socket): Counter {
  return (octets) => {
    let at = 0;
    let messages = 0;
    while (octets.length - at >= 9) {
      const end = at + 9 + octets.readUIntBE(at, 3);
      if (end > octets.length) break;
      const type = octets[at + 3];
      const flags = octets[at + 4];
      if (type === DATA && (flags & END_STREAM) !== 0) messages++;
      if (type === SETTINGS && (flags & 1) === 0) socket.write(frame(SETTINGS, 1, 0, Buffer.alloc(0)));
      if (type === RST_STREAM) failed++;
      if (type === GOAWAY) socket.end();
      at = end;
    }
    return [messages, at];
  };
}
