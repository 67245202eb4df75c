/** Clients over TCP that take places and give nothing back. */
import { spawnSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Claim, claim } from '../verdict.ts';
import { askAll, Client, freshNames, ms, say, tally } from './clients.ts';
import { queryOctets, RCODE, readReply, TYPE } from './message.ts';
import { Room } from './room.ts';
import { FaultyUpstream } from './upstream.ts';

/** A connection from `address`, or null when it was refused. */
function connectFrom(port: number, address: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: address });
    socket.once('connect', () => resolve(socket));
    socket.on('error', () => resolve(null));
  });
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** Asks over a new connection; milliseconds until the answer was there, Infinity when none came within 5 s. */
async function askOverTcp(port: number, address: string, name: string): Promise<number> {
  const began = performance.now();
  const socket = await connectFrom(port, address);
  if (socket === null) return Number.POSITIVE_INFINITY;
  socket.write(framed(queryOctets(7, name)));
  const came = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), 5000);
    socket.once('data', (chunk) => {
      clearTimeout(timer);
      resolve(readReply(Buffer.from(chunk).subarray(2)).rcode === RCODE.NOERROR);
    });
    socket.once('close', () => resolve(false));
  });
  socket.destroy();
  return came ? performance.now() - began : Number.POSITIVE_INFINITY;
}

/** 256 descriptors and 400 TCP clients, from one address and from 400. */
export async function descriptors(): Promise<Claim[]> {
  const claims: Claim[] = [];
  for (const spread of [false, true]) {
    const upstream = await FaultyUpstream.start();
    const room = await Room.open({ upstreams: [upstream.address] });
    const client = await Client.open(room.port);
    const connections: (Socket | null)[] = [];
    const from = spread ? 'of 400 addresses' : 'of one address';
    try {
      const limited = spawnSync('prlimit', ['--pid', String(room.pid), '--nofile=256:256']);
      if (limited.status !== 0) throw new Error('prlimit is not installed (util-linux)');
      await askAll([client], ['hit.other.test', ...freshNames(50, 'other.test')], 100);
      for (let i = 0; i < 400; i++) {
        const address = spread ? `127.0.${4 + (i >> 7)}.${1 + (i & 127)}` : '127.0.4.1';
        connections.push(await connectFrom(room.port, address));
      }
      await sleep(300);
      const udp = tally(
        await askAll(
          [client],
          [...freshNames(100, 'other.test'), ...new Array(100).fill('hit.other.test')],
          100,
        ),
      );
      for (const connection of connections) connection?.destroy();
      await sleep(200);
      const again = await askOverTcp(room.port, '127.0.0.1', 'hit.other.test');
      claims.push(
        claim(
          `256 descriptors, 400 TCP clients ${from}: UDP queries lost or failed (0)`,
          say(udp),
          udp.good === 200,
        ),
        claim(
          `256 descriptors ${from}: alive afterwards, TCP answers after`,
          ms(again),
          room.isAlive && again < 5000,
        ),
      );
    } finally {
      for (const connection of connections) connection?.destroy();
      client.close();
      await room.close();
      await upstream.goAway();
    }
  }
  return claims;
}

/** 300 clients that are connected and idle, or have sent half a message; a new one is served within a second. */
export async function idleClients(): Promise<Claim[]> {
  const claims: Claim[] = [];
  const upstream = await FaultyUpstream.start();
  for (const half of [false, true]) {
    const room = await Room.open({ upstreams: [upstream.address], set: { 'limits.tcpClients': '256' } });
    const connections: (Socket | null)[] = [];
    try {
      for (let i = 0; i < 300; i++) {
        // Thirty for each address: below what one may have, so that they take all places there are.
        const connection = await connectFrom(room.port, `127.0.6.${1 + Math.floor(i / 30)}`);
        if (half) connection?.write(framed(queryOctets(1, 'half.other.test')).subarray(0, 9));
        connections.push(connection);
      }
      const newClient = await askOverTcp(room.port, '127.0.7.1', 'new.other.test');
      const sameAddress = await askOverTcp(room.port, '127.0.6.1', 'same.other.test');
      const what = half ? '300 half-sent messages' : '300 idle TCP clients';
      claims.push(
        claim(`${what}, places for 256: a new client is served within 1 s`, ms(newClient), newClient <= 1000),
        claim(`${what}: a client of an address that has 30`, ms(sameAddress), sameAddress <= 1000),
      );
    } finally {
      for (const connection of connections) connection?.destroy();
      await room.close();
    }
  }
  await upstream.goAway();
  return claims;
}

/** A client that asks 500 times for 60 kB and reads nothing of it. */
export async function neverReads(): Promise<Claim[]> {
  const upstream = await FaultyUpstream.start();
  const room = await Room.open({ upstreams: [upstream.address] });
  let connection: Socket | null = null;
  const client = await Client.open(room.port);
  try {
    // Buffers that such an answer needs once are there before memory is read.
    await askAll([client], freshNames(300, 'other.test'), 300);
    for (let i = 0; i < 3; i++) await askBig(room.port);
    const before = room.memory();
    connection = await connectFrom(room.port, '127.0.8.1');
    connection?.pause();
    for (let i = 0; i < 500; i++) connection?.write(framed(queryOctets(i, 'big.other.test', TYPE.TXT)));
    let most = 0;
    for (let i = 0; i < 30; i++) {
      await sleep(100);
      most = Math.max(most, room.memory() - before);
    }
    const others = tally(await askAll([client], freshNames(50, 'other.test'), 100));
    return [
      claim('500 × 60 kB never read: memory (≤ +8 MB)', `${most.toFixed(1)} MiB`, most <= 8),
      claim('500 × 60 kB never read: others', say(others), others.good === others.asked),
    ];
  } finally {
    connection?.destroy();
    client.close();
    await room.close();
    await upstream.goAway();
  }
}

async function askBig(port: number): Promise<void> {
  const socket = await connectFrom(port, '127.0.0.1');
  if (socket === null) return;
  socket.write(framed(queryOctets(1, 'big.other.test', TYPE.TXT)));
  let octets = 0;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, 3000);
    socket.on('data', (chunk) => {
      octets += chunk.length;
      if (octets < 60_000) return;
      clearTimeout(timer);
      resolve();
    });
  });
  socket.destroy();
}
