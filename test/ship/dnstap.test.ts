/** dnstap against the receivers of Debian: fstrm_capture over both transports, read by dnstap-ldns. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AuditRecord, DetailFields, OutcomeFields } from '../../src/audit/index.ts';
import { dnstapEncoder } from '../../src/ship/dnstap.ts';
import { nameOctets } from '../../src/wire/index.ts';
import { freePort, isInstalled, run } from '../e2e/processes.ts';
import { readFrames, readTap, type Tap } from './dnstap-reader.ts';
import { Bench, numbers, until } from './fixture.ts';

const hasCapture = isInstalled('fstrm_capture') && isInstalled('dnstap-ldns');

let bench: Bench;
const children: ChildProcess[] = [];

beforeEach(() => {
  bench = new Bench();
});
afterEach(async () => {
  await bench.end();
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** Where fstrm_capture listens: its own options, and the settings of the sink. */
interface Place {
  readonly options: string[];
  readonly settings: Record<string, unknown>;
}

async function places(): Promise<Record<'unix' | 'tcp', Place>> {
  const socket = join(bench.directory, 'dnstap.sock');
  const port = await freePort();
  return {
    unix: { options: ['-u', socket], settings: { socket } },
    tcp: { options: ['-a', '127.0.0.1', '-p', String(port)], settings: { address: `127.0.0.1:${port}` } },
  };
}

/** fstrm_capture, writing to a file. */
class Capture {
  readonly file: string;
  readonly child: ChildProcess;
  #said = '';

  constructor(place: Place, file: string) {
    this.file = join(bench.directory, file);
    const args = ['-d', '-d', '-t', 'protobuf:dnstap.Dnstap', ...place.options, '-w', this.file];
    this.child = spawn('fstrm_capture', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.child.stderr?.on('data', (piece) => {
      this.#said += piece;
    });
    children.push(this.child);
  }

  async ready(): Promise<this> {
    await until('fstrm_capture listens', () => /opened output file|listening/i.test(this.#said));
    return this;
  }

  /** Ends it in order: what it has is in the file then. */
  async stop(): Promise<Tap[]> {
    const ended = new Promise((resolve) => this.child.on('exit', resolve));
    this.child.kill('SIGTERM');
    await ended;
    return readFrames(readFileSync(this.file)).map(readTap);
  }
}

const outcome = (more: Partial<OutcomeFields>): OutcomeFields => ({
  group: 'ci',
  verdict: 'allow',
  cause: null,
  rule: 'base/allow/3',
  reason: 'needed',
  ede: null,
  observed: false,
  ...more,
});

/** UDP and TCP only: Debian's dnstap-ldns knows no other protocol. One forwarded, one cached, one denied, one dropped, one that failed, one of a stranger. */
function writeVariety(): void {
  const log = bench.open();
  const put = (
    fields: OutcomeFields,
    detail: DetailFields | null,
    more: Record<string, unknown> = {},
  ): void =>
    bench.write(1, 0, () => ({
      outcome: log.renderOutcome(fields),
      detail: detail === null ? null : log.renderDetail(detail),
      cached: false,
      ...more,
    }));
  const answers = ['CNAME www.example.net', 'A 192.0.2.1', 'A 192.0.2.2'];
  put(outcome({}), { answers, upstream: '192.0.2.53:53' });
  put(outcome({}), { answers, upstream: '192.0.2.53:53' }, { cached: true, transport: 'tcp' });
  const notListed = outcome({ verdict: 'deny', cause: 'not-listed', rule: null, ede: 15 });
  put(notListed, null, { rcode: 3 });
  put(outcome({ verdict: 'drop', cause: 'denied', rule: 'bad/deny/0' }), null, { rcode: -1, size: 0 });
  const failed = { upstream: 'tls://[2001:db8::53]:853#dns.example', upstreamRcode: 'timeout' };
  put(outcome({ verdict: 'fail', cause: 'timeout', rule: null, ede: 22 }), failed, { rcode: 2 });
  const client = Uint8Array.from([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
  const stranger = outcome({ verdict: 'refuse', cause: 'client', rule: null, group: null, ede: 18 });
  put(stranger, null, { rcode: 5, client, clientLength: 16 });
}

const KINDS = ['CQ', 'CR', 'FQ', 'FR', 'CQ', 'CR', 'CQ', 'CR', 'CQ', 'CQ', 'CR', 'FQ', 'CQ', 'CR'];

describe.each(['unix', 'tcp'] as const)('over %s', (transport) => {
  test.runIf(hasCapture)('fstrm_capture takes, and dnstap-ldns reads, every kind of message', async () => {
    const place = (await places())[transport];
    const capture = await new Capture(place, 'out.fstrm').ready();
    await bench.ship({ name: 'tap', type: 'dnstap', flush: '100ms', identity: 'gate', ...place.settings });
    writeVariety();
    await until('all are acknowledged', () => bench.states[0]?.records === 6);
    expect(bench.states[0]?.trouble).toBeNull();
    const taps = await capture.stop();
    expect(taps.map(({ type }) => type)).toEqual(KINDS);
    expect(taps.map(({ extra }) => extra.seq)).toEqual([1, 1, 1, 1, 2, 2, 3, 3, 4, 5, 5, 5, 6, 6]);
    expect(new Set(taps.map(({ identity }) => identity))).toEqual(new Set(['gate']));

    const quiet = await run('dnstap-ldns', ['-q', '-r', capture.file]);
    expect(quiet.code).toBe(0);
    const lines = quiet.stdout.trim().split('\n');
    expect(lines.map((line) => / (CQ|CR|FQ|FR) /.exec(line)?.[1])).toEqual(KINDS);
    expect(quiet.stdout).toMatch(/ CQ 192\.0\.2\.7 UDP \d+b "?n0\.example\.com\."? IN A/);
    expect(quiet.stdout).toMatch(/ FQ 192\.0\.2\.53 UDP \d+b "?n0\.example\.com\."? IN A/);

    const yaml = (await run('dnstap-ldns', ['-y', '-r', capture.file])).stdout;
    expect(yaml).toContain('type: CLIENT_RESPONSE');
    expect(yaml).toContain('type: FORWARDER_RESPONSE');
    expect(yaml).toMatch(/n0\.example\.com\.\s+0\s+IN\s+CNAME\s+www\.example\.net\./);
    expect(yaml).toMatch(/www\.example\.net\.\s+0\s+IN\s+A\s+192\.0\.2\.2/);
    expect(yaml).toMatch(/rcode: NXDOMAIN/);
  });

  test.runIf(hasCapture)(
    'with oldProtocols dnstap-ldns reads what came over TLS and HTTPS as well',
    async () => {
      const place = (await places())[transport];
      const capture = await new Capture(place, 'out.fstrm').ready();
      const settings = { name: 'tap', type: 'dnstap', flush: '100ms', oldProtocols: true, ...place.settings };
      await bench.ship(settings);
      bench.open();
      for (const via of ['dot', 'doh', 'udp'] as const) bench.write(1, 0, () => ({ transport: via }));
      await until('all are acknowledged', () => bench.states[0]?.records === 3);
      await capture.stop();
      const quiet = await run('dnstap-ldns', ['-q', '-r', capture.file]);
      expect(quiet.code).toBe(0);
      const queries = quiet.stdout.split('\n').filter((line) => line.includes(' CQ '));
      expect(queries.map((line) => / (UDP|TCP) /.exec(line)?.[1])).toEqual(['TCP', 'TCP', 'UDP']);
    },
  );

  test.runIf(hasCapture)('a receiver that is killed under load and begun again misses nothing', async () => {
    const place = (await places())[transport];
    const first = await new Capture(place, 'a.fstrm').ready();
    await bench.ship({ name: 'tap', type: 'dnstap', flush: '200ms', ...place.settings });
    bench.open();
    bench.write(500);
    await until('the first are acknowledged', () => bench.states[0]!.records >= 500);
    first.child.kill('SIGKILL');
    for (let i = 0; i < 10; i++) {
      bench.write(200);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await until('the outage is told', () => bench.troubles.length > 0);
    const capture = await new Capture(place, 'b.fstrm').ready();
    await until('all are acknowledged', () => bench.states[0]?.records === 2500);
    // FINISH says what was read: the first had read 500, and what it did with them is its own affair.
    const seen = new Set((await capture.stop()).map(({ extra }) => extra.seq));
    expect(numbers(501, 2500).filter((seq) => !seen.has(seq))).toEqual([]);
    expect(bench.losses).toEqual([]);
  });
});

describe('a message', () => {
  const encode = dnstapEncoder('1.2.3');
  const tapsOf = (more: Record<string, unknown>): Tap[] => {
    const record = {
      seq: 9,
      time: '2026-11-21T09:10:11.123Z',
      up: 1,
      us: 2500,
      via: 'udp',
      client: '192.0.2.7',
      port: 5353,
      id: 4711,
      cached: false,
      rcode: 'NOERROR',
      qname: 'www.example.com',
      qtype: 'A',
      verdict: 'allow',
      rule: 'base/allow/3',
      ...more,
    } as AuditRecord;
    return encode({ host: 'gate', log: 'ab', worker: 3, record, line: '' }).map(readTap);
  };

  test.each([
    ['allow', { verdict: 'allow' }, 3],
    ['observe', { verdict: 'observe', cause: 'not-listed' }, 3],
    ['local', { verdict: 'local' }, 6],
    ['deny with NXDOMAIN', { verdict: 'deny', rcode: 'NXDOMAIN' }, 1],
    ['deny with no data', { verdict: 'deny', rcode: 'NOERROR' }, 2],
    ['deny with REFUSED', { verdict: 'deny', rcode: 'REFUSED' }, undefined],
    ['drop', { verdict: 'drop', rcode: null }, 4],
    ['truncated by the response rate', { verdict: 'drop', cause: 'limit', rcode: 'NOERROR' }, 5],
    ['fail', { verdict: 'fail', cause: 'timeout', rcode: 'SERVFAIL' }, undefined],
  ] as const)('has a policy: %s', (_, record, action) => {
    for (const { policy } of tapsOf(record)) {
      expect(policy).toMatchObject({ type: 'SALLYPORT', rule: 'base/allow/3', action });
    }
  });

  test('has in its policy what was matched: the name, an alias on the way, or the client', () => {
    const name = Buffer.from(nameOctets('www.example.com'));
    expect(tapsOf({})[0]?.policy).toMatchObject({ match: 1, value: name });
    const unlisted = tapsOf({ rule: undefined, cause: 'not-listed', verdict: 'deny' });
    expect(unlisted[0]?.policy.rule).toBe('not-listed');
    const alias = { cause: 'answer', verdict: 'deny', reason: 'known to be bad (by way of x.bad.example)' };
    const target = Buffer.from(nameOctets('x.bad.example'));
    expect(tapsOf(alias)[0]?.policy).toMatchObject({ match: 1, value: target });
    const stranger = { cause: 'client', verdict: 'refuse', rule: undefined };
    const value = Buffer.of(192, 0, 2, 7);
    expect(tapsOf(stranger)[0]?.policy).toMatchObject({ match: 2, value, rule: 'client' });
  });

  test('has its times in order, in seconds and nanoseconds', () => {
    const [, response] = tapsOf({});
    const atSeconds = Math.floor(Date.parse('2026-11-21T09:10:11.123Z') / 1000);
    expect(response?.message.get(8)).toEqual([atSeconds]);
    expect(response?.message.get(9)).toEqual([120_500_000]);
    expect(response?.message.get(12)).toEqual([atSeconds]);
    expect(response?.message.get(13)).toEqual([123_000_000]);
  });

  test.each([
    ['udp', 1],
    ['tcp', 2],
    ['dot', 3],
    ['doh', 4],
  ])('over %s has socket protocol %d', (via, protocol) => {
    for (const { message } of tapsOf({ via })) expect(message.get(3)).toEqual([protocol]);
  });

  test('has no address of a pseudonym, and the network of a truncated one', () => {
    expect(tapsOf({ client: 'p:0123456789abcdef' })[0]?.message.has(4)).toBe(false);
    expect(tapsOf({ client: '192.0.2.0/24' })[0]?.message.get(4)).toEqual([Buffer.of(192, 0, 2, 0)]);
    expect(tapsOf({ client: '::ffff:192.0.2.9' })[0]?.message.get(4)).toEqual([Buffer.of(192, 0, 2, 9)]);
    expect(tapsOf({ client: '::ffff:192.0.2.9' })[0]?.message.get(2)).toEqual([1]);
  });

  test('of an unreadable query has its octets when all of them are kept', () => {
    const octets = Buffer.from('deadbeef0000', 'hex');
    const hashOf = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');
    const unreadable = {
      qname: undefined,
      qtype: undefined,
      verdict: 'malformed',
      rule: undefined,
      rcode: 'FORMERR',
    };
    const [cut] = tapsOf({ ...unreadable, raw: { hex: octets.toString('hex'), sha256: hashOf('longer') } });
    expect(cut?.message.has(10)).toBe(false);
    const raw = { hex: octets.toString('hex'), sha256: hashOf(octets) };
    const [query, response] = tapsOf({ ...unreadable, raw });
    expect(query?.message.get(10)).toEqual([octets]);
    const answer = response?.message.get(14)?.[0] as Buffer | undefined;
    expect((answer?.readUInt16BE(2) ?? 0) & 15).toBe(1);
  });
});

describe('a receiver that is none', () => {
  const serve = async (onSocket: (socket: Socket) => void): Promise<[Server, number]> => {
    const server = createServer(onSocket);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return [server, (server.address() as { port: number }).port];
  };
  const accept = (type: string): Buffer => {
    const text = Buffer.from(type);
    const head = Buffer.alloc(20);
    head.writeUInt32BE(12 + text.length, 4);
    head.writeUInt32BE(1, 8);
    head.writeUInt32BE(1, 12);
    head.writeUInt32BE(text.length, 16);
    return Buffer.concat([head, text]);
  };

  test.each([
    [
      'says nothing of Frame Streams',
      (socket: Socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
      /no control frame/,
    ],
    [
      'wants another content type',
      (socket: Socket) => socket.write(accept('protobuf:other')),
      /accepts protobuf:other, not protobuf:dnstap/,
    ],
    ['hangs up', (socket: Socket) => socket.end(), /closed the connection/],
  ])('%s is told in words', async (_, onSocket, words) => {
    const [server, port] = await serve((socket) => {
      socket.on('error', () => {});
      onSocket(socket);
    });
    await bench.ship({ name: 'tap', type: 'dnstap', address: `127.0.0.1:${port}` });
    bench.open();
    bench.write(1);
    await until('it is told', () => bench.troubles.length > 0);
    expect(bench.troubles[0]).toMatch(words);
    await bench.stopShipping(0);
    server.close();
  });
});
