/** Captures: synthetic ones for what loopback does not show, and what tcpdump writes of kdig on loopback. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noReadCounters, type ReadCounters, recordsOf } from '../../src/cli/hunt-files.ts';
import type { HuntRecord } from '../../src/cli/hunt-records.ts';
import { nameOctets } from '../../src/wire/index.ts';
import { isInstalled, run } from '../e2e/processes.ts';

const folder = mkdtempSync(join(tmpdir(), 'hunt-captures-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function read(content: Buffer, port = 53): Promise<{ records: HuntRecord[]; counters: ReadCounters }> {
  const file = join(folder, 'capture');
  writeFileSync(file, content);
  return readFile(file, port);
}

async function readFile(
  file: string,
  port: number,
): Promise<{ records: HuntRecord[]; counters: ReadCounters }> {
  const counters = noReadCounters();
  const records: HuntRecord[] = [];
  for await (const record of recordsOf(file, counters, { port })) records.push(record);
  return { records, counters };
}

const u16 = (value: number, little = false): Buffer => {
  const octets = Buffer.alloc(2);
  if (little) octets.writeUInt16LE(value);
  else octets.writeUInt16BE(value);
  return octets;
};
const u32 = (value: number, little = false): Buffer => {
  const octets = Buffer.alloc(4);
  if (little) octets.writeUInt32LE(value >>> 0);
  else octets.writeUInt32BE(value >>> 0);
  return octets;
};

function message(name: string, isAnswer = false): Buffer {
  const head = Buffer.from(isAnswer ? '000781800001000000000000' : '000701000001000000000000', 'hex');
  return Buffer.concat([head, nameOctets(name), Buffer.from('00010001', 'hex')]);
}

const CLIENT = Buffer.from([192, 0, 2, 9]);
const SERVER = Buffer.from([192, 0, 2, 1]);
const CLIENT6 = Buffer.from('20010db8000000000000000000000009', 'hex');
const SERVER6 = Buffer.from('20010db8000000000000000000000001', 'hex');

function ipv4(protocol: number, payload: Buffer, fragment = 0, isAnswer = false): Buffer {
  const head = Buffer.alloc(20);
  head[0] = 0x45;
  head.writeUInt16BE(20 + payload.length, 2);
  head.writeUInt16BE(fragment, 6);
  head[9] = protocol;
  (isAnswer ? SERVER : CLIENT).copy(head, 12);
  (isAnswer ? CLIENT : SERVER).copy(head, 16);
  return Buffer.concat([head, payload]);
}

function ipv6(next: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head[0] = 0x60;
  head.writeUInt16BE(payload.length, 4);
  head[6] = next;
  return Buffer.concat([head, CLIENT6, SERVER6, payload]);
}

const udp = (payload: Buffer, from = 4000, to = 53): Buffer =>
  Buffer.concat([u16(from), u16(to), u16(8 + payload.length), u16(0), payload]);

const SYN = 2;
const ACK = 16;
function tcp(sequence: number, payload: Buffer, flags = ACK, from = 4000, to = 53): Buffer {
  const head = Buffer.alloc(20);
  head.writeUInt16BE(from, 0);
  head.writeUInt16BE(to, 2);
  head.writeUInt32BE(sequence >>> 0, 4);
  head[12] = 0x50;
  head[13] = flags;
  return Buffer.concat([head, payload]);
}

const framed = (octets: Buffer): Buffer => Buffer.concat([u16(octets.length), octets]);

const AT = 1_700_000_000;

interface Wrote {
  readonly link?: number;
  readonly little?: boolean;
  readonly nano?: boolean;
  readonly cutTo?: number;
}

function pcap(
  packets: readonly Buffer[],
  { link = 101, little = false, nano = false, cutTo }: Wrote = {},
): Buffer {
  const number = (value: number): Buffer => u32(value, little);
  const head = Buffer.concat([
    number(nano ? 0xa1b23c4d : 0xa1b2c3d4),
    u16(2, little),
    u16(4, little),
    number(0),
    number(0),
    number(262_144),
    number(link),
  ]);
  return Buffer.concat([
    head,
    ...packets.map((packet, i) => {
      const kept = packet.subarray(0, cutTo ?? packet.length);
      return Buffer.concat([
        number(AT + i),
        number(nano ? 500_000_000 : 500_000),
        number(kept.length),
        number(packet.length),
        kept,
      ]);
    }),
  ]);
}

/** A pcapng file; `resolution` is the exponent of if_tsresol. */
function pcapng(
  packets: readonly Buffer[],
  { link = 101, little = true, resolution = 6, kind = 'enhanced' as 'enhanced' | 'simple' | 'obsolete' } = {},
): Buffer {
  const n16 = (value: number): Buffer => u16(value, little);
  const n32 = (value: number): Buffer => u32(value, little);
  const block = (type: number, body: Buffer): Buffer => {
    const padded = Buffer.concat([body, Buffer.alloc((4 - (body.length % 4)) % 4)]);
    const length = n32(padded.length + 12);
    return Buffer.concat([n32(type), length, padded, length]);
  };
  const section = block(0x0a0d0d0a, Buffer.concat([n32(0x1a2b3c4d), n16(1), n16(0), Buffer.alloc(8, 0xff)]));
  const option = Buffer.concat([n16(9), n16(1), Buffer.from([resolution, 0, 0, 0]), n16(0), n16(0)]);
  const on = block(1, Buffer.concat([n16(link), n16(0), n32(0), option]));
  const unknown = block(0x0bad, Buffer.from('skipped', 'latin1'));
  const written = packets.map((packet, i) => {
    const units = BigInt(AT + i) * 10n ** BigInt(resolution) + 5n * 10n ** BigInt(resolution - 1);
    const time = Buffer.concat([n32(Number(units >> 32n)), n32(Number(units & 0xffffffffn))]);
    const lengths = Buffer.concat([n32(packet.length), n32(packet.length)]);
    if (kind === 'simple') return block(3, Buffer.concat([n32(packet.length), packet]));
    if (kind === 'obsolete') return block(2, Buffer.concat([n16(0), n16(0), time, lengths, packet]));
    return block(6, Buffer.concat([n32(0), time, lengths, packet]));
  });
  return Buffer.concat([section, on, unknown, ...written]);
}

const ETHERNET = Buffer.alloc(12);
const QUERY = message('www.example.com');
const PLAIN = ipv4(17, udp(QUERY));
const ONE = [{ name: 'www.example.com', client: '192.0.2.9', type: 1 }];

describe('a packet is found in', () => {
  test.each([
    { name: 'Ethernet', link: 1, head: Buffer.concat([ETHERNET, u16(0x0800)]) },
    { name: 'a VLAN', link: 1, head: Buffer.concat([ETHERNET, u16(0x8100), u16(7), u16(0x0800)]) },
    {
      name: 'a VLAN within a VLAN',
      link: 1,
      head: Buffer.concat([ETHERNET, u16(0x88a8), u16(7), u16(0x8100), u16(8), u16(0x0800)]),
    },
    { name: 'Linux cooked', link: 113, head: Buffer.concat([Buffer.alloc(14), u16(0x0800)]) },
    {
      name: 'Linux cooked with a VLAN',
      link: 113,
      head: Buffer.concat([Buffer.alloc(14), u16(0x8100), u16(7), u16(0x0800)]),
    },
    { name: 'Linux cooked, version 2', link: 276, head: Buffer.concat([u16(0x0800), Buffer.alloc(18)]) },
    { name: 'raw IP', link: 101, head: Buffer.alloc(0) },
    { name: 'BSD loopback', link: 0, head: u32(2) },
    { name: 'OpenBSD loopback', link: 108, head: u32(2) },
  ])('$name', async ({ link, head }) => {
    const packet = Buffer.concat([head, PLAIN]);
    for (const content of [
      pcap([packet], { link }),
      pcap([packet], { link, little: true }),
      pcap([packet], { link, nano: true }),
      pcapng([packet], { link }),
      pcapng([packet], { link, little: false, resolution: 9 }),
      pcapng([packet], { link, kind: 'obsolete' }),
      gzipSync(pcapng([packet], { link })),
    ]) {
      const { records, counters } = await read(content);
      expect(counters.samples).toEqual([]);
      expect(records).toMatchObject([{ ...ONE[0], atMs: AT * 1000 + 500, line: 1 }]);
    }
  });

  test('a pcapng file without times', async () => {
    expect((await read(pcapng([PLAIN], { kind: 'simple' }))).records).toMatchObject(ONE);
  });

  test('IPv6, behind headers of its own, with the client as RFC 5952 writes it', async () => {
    const behind = Buffer.concat([Buffer.from([17, 0, 0, 0, 0, 0, 0, 0]), udp(QUERY)]);
    const { records } = await read(pcap([ipv6(17, udp(QUERY)), ipv6(60, behind)]));
    expect(records.map(({ client }) => client)).toEqual(['2001:db8::9', '2001:db8::9']);
  });

  test('a short Ethernet frame without its padding', async () => {
    const padded = Buffer.concat([ETHERNET, u16(0x0800), PLAIN, Buffer.alloc(20)]);
    const answer = Buffer.concat([
      ETHERNET,
      u16(0x0800),
      ipv4(17, udp(message('www.example.com', true), 53, 4000), 0, true),
      Buffer.alloc(20),
    ]);
    const { records } = await read(pcap([padded, answer], { link: 1 }));
    expect(records[1]).toMatchObject({ isAnswer: true, octets: QUERY.length });
  });
});

describe('DNS over TCP', () => {
  const two = Buffer.concat([framed(QUERY), framed(message('second.example.com'))]);
  const names = async (segments: readonly Buffer[]): Promise<{ names: string[]; gaps: number }> => {
    const { records, counters } = await read(pcap(segments.map((segment) => ipv4(6, segment))));
    return { names: records.map(({ name }) => name), gaps: counters.captures.gaps };
  };
  const BOTH = ['www.example.com', 'second.example.com'];

  test('is put together from segments of one octet', async () => {
    const segments = [...two].map((octet, i) => tcp(101 + i, Buffer.from([octet])));
    expect(await names([tcp(100, Buffer.alloc(0), SYN), ...segments])).toEqual({ names: BOTH, gaps: 0 });
  });

  test('is put in order, and what came twice is taken once', async () => {
    const part = (from: number, to: number): Buffer => tcp(101 + from, two.subarray(from, to));
    const segments = [
      part(40, 60),
      part(0, 20),
      part(10, 30),
      part(0, 20),
      part(60, two.length),
      part(20, 45),
    ];
    expect(await names([tcp(100, Buffer.alloc(0), SYN), ...segments])).toEqual({ names: BOTH, gaps: 0 });
  });

  test('goes on when sequence numbers wrap around', async () => {
    const start = 0xffffffff - 10;
    const segments = [tcp(start + 1, two.subarray(0, 20)), tcp(start + 21, two.subarray(20))];
    expect(await names([tcp(start, Buffer.alloc(0), SYN), ...segments])).toEqual({ names: BOTH, gaps: 0 });
  });

  test('is read where the capture began later', async () => {
    expect(await names([tcp(5000, framed(QUERY))])).toEqual({ names: ['www.example.com'], gaps: 0 });
  });

  test('keeps connections apart', async () => {
    const segments = [
      tcp(1, two.subarray(0, 30), ACK, 4000),
      tcp(1, two.subarray(0, 25), ACK, 4001),
      tcp(31, two.subarray(30), ACK, 4000),
      tcp(26, two.subarray(25), ACK, 4001),
    ];
    expect((await names(segments)).names.sort()).toEqual([...BOTH, ...BOTH].sort());
  });

  test('goes on behind a gap that is never filled, with bounded memory', async () => {
    const segments = [tcp(100, Buffer.alloc(0), SYN), tcp(101, framed(QUERY).subarray(0, 10))];
    // Ten octets are missing; then come more messages than are held.
    for (let i = 0, at = 200; i < 300; i++, at += framed(QUERY).length) segments.push(tcp(at, framed(QUERY)));
    const found = await names(segments);
    expect(found.gaps).toBe(1);
    expect(found.names).toHaveLength(300);
  });

  test('passes over what is no message', async () => {
    const found = await names([tcp(1, Buffer.from('0003414243', 'hex')), tcp(6, framed(QUERY))]);
    expect(found).toEqual({ names: ['www.example.com'], gaps: 1 });
  });
});

describe('what is passed over is counted', () => {
  test('fragments', async () => {
    const fragment6 = Buffer.concat([Buffer.from([17, 0, 0, 1, 0, 0, 0, 7]), udp(QUERY)]);
    const { records, counters } = await read(
      pcap([ipv4(17, udp(QUERY), 0x2000), ipv4(17, Buffer.alloc(30), 5), ipv6(44, fragment6), PLAIN]),
    );
    expect(records).toMatchObject(ONE);
    expect(counters.captures.fragments).toBe(3);
  });

  test('packets kept in part', async () => {
    const { counters } = await read(pcap([PLAIN], { cutTo: 50 }));
    expect(counters.captures.cut).toBe(1);
  });

  test.each([
    {
      name: 'a link type nobody reads',
      content: pcap([PLAIN], { link: 105 }),
      fault: /packet 1: link type 105 is not read; Ethernet \(1\)/,
    },
    {
      name: 'no packet of the port',
      content: pcap([ipv4(17, udp(QUERY, 4000, 5353))]),
      fault: /none of its 1 packets is to or from port 53; another port is given with --port/,
    },
    {
      name: 'an end within a packet',
      content: pcap([PLAIN, PLAIN]).subarray(0, -5),
      fault: /packet 1: it ends within a packet/,
    },
    {
      name: 'a damaged pcap',
      content: Buffer.concat([pcap([PLAIN]), Buffer.alloc(16, 0xff)]),
      fault: /packet 1: a packet of 4294967295 octets; the file is damaged/,
    },
    {
      name: 'a damaged pcapng',
      content: Buffer.concat([pcapng([PLAIN]), Buffer.alloc(16, 0xff)]),
      fault: /a block of 4294967295 octets/,
    },
    {
      name: 'a packet of an unknown interface',
      content: pcapng([PLAIN]).fill(0xff, 28 + 32 + 20 + 8, 28 + 32 + 20 + 12),
      fault: /interface 4294967295, which the file does not describe/,
    },
  ])('$name', async ({ content, fault }) => {
    const { counters } = await read(content);
    expect(counters.faults).toBe(1);
    expect(counters.samples[0]).toMatch(fault);
  });

  test('no capture, however damaged, ends the hunt or takes it long', async () => {
    const whole = [
      pcap([PLAIN, ipv4(6, tcp(1, framed(QUERY))), ipv6(17, udp(QUERY))]),
      pcapng([PLAIN, ipv4(6, tcp(1, framed(QUERY)))]),
    ];
    let seed = 7;
    const below = (bound: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
      return seed % bound;
    };
    for (let i = 0; i < 400; i++) {
      const content = Buffer.from(whole[i % 2]);
      for (let flips = below(6); flips >= 0; flips--) content[4 + below(content.length - 4)] = below(256);
      await read(content.subarray(0, content.length - below(20)));
    }
  });
});

const hasTcpdump = isInstalled('tcpdump') && isInstalled('kdig') && process.getuid?.() === 0;

/** Answers every question with itself, over UDP and TCP. */
class Echo {
  readonly port: number;
  readonly #udp: Socket;
  readonly #tcp: Server;

  private constructor(port: number, udpSocket: Socket, server: Server) {
    this.port = port;
    this.#udp = udpSocket;
    this.#tcp = server;
  }

  static async start(): Promise<Echo> {
    const answered = (query: Buffer): Buffer => {
      const answer = Buffer.from(query);
      answer[2] |= 0x80;
      answer[3] = 0x80;
      return answer;
    };
    const server = createServer((connection) => {
      let held = Buffer.alloc(0);
      connection.on('error', () => {});
      connection.on('data', (chunk) => {
        held = Buffer.concat([held, chunk]);
        while (held.length > 2 && held.length >= 2 + held.readUInt16BE(0)) {
          const end = 2 + held.readUInt16BE(0);
          const answer = framed(answered(held.subarray(2, end)));
          held = held.subarray(end);
          // In two segments, as a slow server would.
          connection.write(answer.subarray(0, 9));
          connection.write(answer.subarray(9));
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const socket = createSocket('udp4');
    socket.on('message', (query, from) => socket.send(answered(query), from.port, from.address));
    await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve));
    return new Echo(port, socket, server);
  }

  close(): void {
    this.#udp.close();
    this.#tcp.close();
  }
}

describe.runIf(hasTcpdump)('what tcpdump writes of kdig', () => {
  let echo: Echo;
  let tcpdump: ChildProcess;
  const file = join(folder, 'real.pcap');

  beforeAll(async () => {
    echo = await Echo.start();
    tcpdump = spawn(
      'tcpdump',
      ['-i', 'lo', '--immediate-mode', '-U', '-w', file, 'port', String(echo.port)],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    await new Promise<void>((resolve, reject) => {
      tcpdump.stderr?.on('data', (text: Buffer) => {
        if (text.includes('listening on')) resolve();
      });
      tcpdump.on('exit', () => reject(new Error('tcpdump ended')));
    });
    const at = ['@127.0.0.1', '-p', String(echo.port), '+retry=0', '+timeout=3'];
    await run('kdig', [...at, 'udp.example.com', 'A']);
    await run('kdig', [...at, '+tcp', '+keepopen', 'tcp.example.com', 'TXT', 'more.example.com', 'AAAA']);
    // tcpdump is told of packets later than those they are for.
    for (let i = 0; i < 100 && (await readFile(file, echo.port)).records.length < 6; i++)
      await new Promise((resolve) => setTimeout(resolve, 100));
    tcpdump.removeAllListeners('exit');
    const ended = new Promise((resolve) => tcpdump.on('exit', resolve));
    tcpdump.kill('SIGTERM');
    await ended;
  });

  afterAll(() => echo?.close());

  test('is read: questions and answers, over UDP and TCP', async () => {
    const { records, counters } = await readFile(file, echo.port);
    expect(counters).toMatchObject({ faults: 0, captures: { gaps: 0, fragments: 0, cut: 0 } });
    const said = records.map(
      ({ name, type, isAnswer }) => `${name} ${type}${isAnswer === true ? ' answer' : ''}`,
    );
    expect(said).toEqual([
      'udp.example.com 1',
      'udp.example.com 1 answer',
      'tcp.example.com 16',
      'tcp.example.com 16 answer',
      'more.example.com 28',
      'more.example.com 28 answer',
    ]);
    expect(new Set(records.map(({ client }) => client))).toEqual(new Set(['127.0.0.1']));
  });
});
