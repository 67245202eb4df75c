/**
 * An upstream that counts what reaches it, for a namespace of its own: a name below a tunnel's zone goes on to the
 * tunnel's server, every other name gets an address. Each query is one JSON line on standard output, before anything else
 * is done with it. The port above takes what comes out of a tunnel over TCP, and says nothing.
 *
 *   node counting-upstream.mjs PORT '{"zone": "address of the server, port 5353"}'
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const port = Number(process.argv[2]);
const routes = Object.entries(JSON.parse(process.argv[3])).map(([zone, address]) => ({
  zone,
  suffix: `.${zone}`,
  waiting: new Map(),
  socket: connectedTo(address),
}));
let nextId = 0;

for (const { socket, waiting } of routes) {
  socket.on('message', (reply) => {
    const asked = waiting.get(reply.readUInt16BE(0));
    if (asked === undefined) return;
    waiting.delete(reply.readUInt16BE(0));
    reply.writeUInt16BE(asked.id, 0);
    server.send(reply, asked.port, asked.address);
  });
  // A server that has ended must not end the count.
  socket.on('error', () => {});
}

const server = createSocket('udp4');
server.on('message', (query, { address, port: from }) => {
  const { labels, end } = readName(query);
  const name = labels.map((label) => label.toString('latin1')).join('.');
  const route = routes.find(({ suffix, zone }) => `.${name.toLowerCase()}`.endsWith(suffix) && name !== zone);
  const below = route === undefined ? 0 : labels.length - route.zone.split('.').length;
  // What the zone's owner is told: the octets of the labels in front of the zone.
  const octets = labels.slice(0, below).reduce((sum, label) => sum + label.length, 0);
  const seen = { zone: route?.zone ?? null, name, type: query.readUInt16BE(end), octets, at: Date.now() };
  process.stdout.write(`${JSON.stringify(seen)}\n`);
  if (route === undefined) {
    server.send(addressFor(query, end), from, address);
    return;
  }
  nextId = (nextId + 1) & 0xffff;
  route.waiting.set(nextId, { id: query.readUInt16BE(0), port: from, address });
  query.writeUInt16BE(nextId, 0);
  route.socket.send(query);
});
createServer((connection) => connection.on('error', () => {}).resume()).listen(port + 1, '127.0.0.1');
server.bind(port, '127.0.0.1', () => process.stdout.write('{"ready":true}\n'));

function connectedTo(address) {
  const socket = createSocket('udp4');
  socket.connect(5353, address);
  return socket;
}

function readName(query) {
  const labels = [];
  let at = 12;
  while (query[at] !== 0) {
    labels.push(query.subarray(at + 1, at + 1 + query[at]));
    at += 1 + query[at];
  }
  return { labels, end: at + 1 };
}

/** 192.0.2.1 for a minute, whatever the name; nothing for other types than A. */
function addressFor(query, end) {
  const isAddress = query.readUInt16BE(end) === 1;
  const head = Buffer.from(query.subarray(0, end + 4));
  head.writeUInt16BE(0x8580, 2);
  head.writeUInt16BE(isAddress ? 1 : 0, 6);
  head.writeUInt32BE(0, 8);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
  return isAddress ? Buffer.concat([head, record]) : head;
}
