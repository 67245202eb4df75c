/** Asking a resolver, as the command line does: one message, one reply. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { Packet } from 'dns2';
import { Rrtype, UDP_SIZE } from '../wire/index.ts';

/** The query as dns2 writes it: id, RD, one question, and EDNS with 1232 octets if wanted. */
export function compose(name: string, type: number, edns: boolean): Buffer {
  const packet = new Packet();
  packet.header.id = randomInt(0x10000);
  packet.header.rd = 1;
  const dotless = name.replace(/\.$/, '');
  packet.questions.push({ name: dotless, type, class: Packet.CLASS.IN } as never);
  if (edns)
    packet.additionals.push({ name: '', type: Rrtype.OPT, class: UDP_SIZE, ttl: 0, rdata: [] } as never);
  return packet.toBuffer();
}

export function askUdp(
  message: Buffer,
  server: string,
  port: number,
  timeoutMs: number,
  from?: string,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4');
    const timer = setTimeout(() => end(new Error('timed out')), timeoutMs);
    const end = (outcome: Error | Buffer): void => {
      clearTimeout(timer);
      socket.close();
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    socket.on('error', end);
    socket.on('message', (reply) => {
      if (reply.length >= 12 && reply.readUInt16BE(0) === message.readUInt16BE(0)) end(reply);
    });
    if (from !== undefined) socket.bind({ address: from });
    // Called with an error when the server is written by name and has no address.
    socket.connect(port, server, (error?: Error) => {
      if (error instanceof Error) end(error);
      else socket.send(message);
    });
  });
}

export function askTcp(message: Buffer, server: string, port: number, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server, port });
    const chunks: Buffer[] = [];
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('timed out')));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the connection was closed')));
    socket.on('connect', () => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(message.length);
      socket.write(Buffer.concat([length, message]));
    });
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      const all = Buffer.concat(chunks);
      if (all.length < 2 || all.length < 2 + all.readUInt16BE(0)) return;
      resolve(all.subarray(2, 2 + all.readUInt16BE(0)));
      socket.destroy();
    });
  });
}
