import { execFile, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { devCertificate, type Listener, openTlsListener } from '../../src/listen/index.ts';
import { Client } from './client.ts';
import { type Echo, echo, idsOf, query, until } from './echo.ts';

const run = promisify(execFile);
const certificate = devCertificate();
const listeners: Listener[] = [];
const sockets: TLSSocket[] = [];

async function open(path: Echo, more: object = {}): Promise<Listener> {
  const listener = await openTlsListener({ ...path, certificate, ...more });
  listeners.push(listener);
  return listener;
}

function dial(listener: Listener, options: ConnectionOptions = {}): TLSSocket {
  const socket = connect({
    host: '127.0.0.1',
    port: listener.port,
    servername: 'localhost',
    ca: certificate.cert,
    ALPNProtocols: ['dot'],
    ...options,
  });
  socket.on('error', () => {});
  sockets.push(socket);
  return socket;
}

async function client(listener: Listener, options: ConnectionOptions = {}): Promise<Client> {
  const socket = dial(listener, options);
  const made = new Client(socket);
  await once(socket, 'secureConnect');
  return made;
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const listener of listeners.splice(0)) {
    await listener.close(0);
    expect(listener.connections()).toBe(0);
  }
});

describe('the development certificate', () => {
  test('is for this machine only, for a year, and verifies', () => {
    const parsed = new X509Certificate(devCertificate(new Date('2026-03-04T05:06:07Z')).cert);
    expect(parsed.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1');
    expect(parsed.checkHost('localhost')).toBe('localhost');
    expect(parsed.checkIP('::1')).toBe('::1');
    expect(parsed.checkHost('example.com')).toBeUndefined();
    expect(parsed.verify(parsed.publicKey)).toBe(true);
    expect(parsed.ca).toBe(false);
    expect(new Date(parsed.validFrom).toISOString()).toBe('2026-03-04T04:06:07.000Z');
    expect(new Date(parsed.validTo).toISOString()).toBe('2027-03-04T04:06:07.000Z');
  });

  test('is another one each time', () => {
    expect(devCertificate().cert).not.toBe(certificate.cert);
  });
});

describe('a DoT listener (RFC 7858)', () => {
  test('answers a pipeline and speaks ALPN "dot"', async () => {
    const path = echo();
    const listener = await open(path);
    const a = await client(listener);
    expect((a.socket as TLSSocket).alpnProtocol).toBe('dot');
    a.send(query(1), query(2), query(3, 30_000));
    expect(idsOf(await a.gets(3))).toEqual([1, 2, 3]);
    expect(path.seen[0]).toBe('dot 127.0.0.1');
    expect(listener.counters).toMatchObject({ handshakes: 1, open: 1, accepted: 1 });
  });

  test('serves clients that say nothing of ALPN', async () => {
    const listener = await open(echo());
    const { ALPNProtocols: _none, ...options } = { ALPNProtocols: undefined };
    const socket = connect({ host: '127.0.0.1', port: listener.port, ca: certificate.cert, ...options });
    sockets.push(socket);
    const a = new Client(socket);
    await once(socket, 'secureConnect');
    a.send(query(5));
    expect(idsOf(await a.gets(1))).toEqual([5]);
  });

  test('resumes sessions, also when the certificate has changed', async () => {
    const listener = await open(echo());
    const first = dial(listener);
    const [session] = (await once(first, 'session')) as [Buffer];
    first.destroy();
    const a = await client(listener, { session });
    expect((a.socket as TLSSocket).isSessionReused()).toBe(true);
    await until('the resumption to be counted', () => listener.counters.resumed === 1);
  });

  test('resumes with another listener that has the same ticket keys', async () => {
    const ticketKeys = Buffer.alloc(48, 7);
    const [one, two] = [await open(echo(), { ticketKeys }), await open(echo(), { ticketKeys })];
    const first = dial(one);
    const [session] = (await once(first, 'session')) as [Buffer];
    const a = await client(two, { session });
    expect((a.socket as TLSSocket).isSessionReused()).toBe(true);
  });

  test('takes a new certificate while connections stand', async () => {
    const listener = await open(echo());
    const old = await client(listener);
    const renewed = devCertificate();
    listener.reloadCertificate?.(renewed);
    const fresh = await client(listener, { ca: renewed.cert });
    for (const a of [old, fresh]) {
      a.send(query(1));
      await a.gets(1);
    }
    expect(() => listener.reloadCertificate?.({ cert: certificate.cert, key: renewed.key })).toThrow(
      /key values mismatch/,
    );
    const still = await client(listener, { ca: renewed.cert });
    still.send(query(2));
    expect(idsOf(await still.gets(1))).toEqual([2]);
  });

  test('refuses TLS 1.1', async () => {
    const listener = await open(echo());
    const socket = dial(listener, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' });
    await until('the refusal', () => socket.destroyed);
    await until('the count', () => listener.counters.closed.handshake + listener.counters.closed.peer === 1);
    expect(listener.counters.handshakes).toBe(0);
    expect(listener.counters.handshakesFailed).toBe(listener.counters.closed.handshake);
  });

  test('refuses a second handshake within a connection of TLS 1.2', async () => {
    const listener = await open(echo());
    const socket = dial(listener, { maxVersion: 'TLSv1.2' });
    await once(socket, 'secureConnect');
    const refused = new Promise<string>((resolve) => socket.on('error', ({ message }) => resolve(message)));
    socket.renegotiate({}, () => {});
    expect(await refused).toContain('no renegotiation');
    const next = await client(listener, { maxVersion: 'TLSv1.2' });
    next.send(query(1));
    await next.gets(1);
  });

  test.each([
    { name: 'asked for', required: false },
    { name: 'required', required: true },
  ])('knows a client by its certificate when one is $name', async ({ required }) => {
    const own = devCertificate();
    const names: string[] = [];
    const path = echo({}, (message, answer) => {
      names.push(message.clientName);
      answer();
    });
    const listener = await open(path, { clientAuthorities: own.cert, clientCertificateRequired: required });
    const known = await client(listener, { cert: own.cert, key: own.key });
    known.send(query(1));
    await known.gets(1);
    const unknown = new Client(dial(listener));
    unknown.send(query(2));
    if (required) {
      await until('the refusal', () => unknown.closed);
      expect(names).toEqual(['Sallyport development']);
    } else {
      await unknown.gets(1);
      expect(names).toEqual(['Sallyport development', '']);
    }
  });

  test('survives clients that leave, reset or talk nonsense in the handshake', async () => {
    const path = echo({ handshakesPerSecond: 4000, handshakeMs: 300 });
    const listener = await open(path);
    const tries = Array.from({ length: 60 }, async (_, i) => {
      const socket = connectTcp(listener.port, '127.0.0.1');
      socket.on('error', () => {});
      await once(socket, 'connect');
      if (i % 3 === 0) socket.write('GET / HTTP/1.0\r\n\r\n');
      if (i % 3 === 1) socket.write(Buffer.from('16030100', 'hex'));
      await new Promise((resolve) => setTimeout(resolve, i % 7));
      if (i % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
    });
    await Promise.all(tries);
    await until('all to be gone', () => listener.counters.accepted > 0 && listener.connections() === 0);
    expect(path.limits.connections).toBe(0);
    const a = await client(listener);
    a.send(query(1));
    expect(idsOf(await a.gets(1))).toEqual([1]);
  });

  test('closes a handshake that takes too long', async () => {
    const path = echo({ handshakeMs: 100 });
    const listener = await open(path);
    const socket = connectTcp(listener.port, '127.0.0.1');
    await once(socket, 'close');
    await until('the count', () => listener.counters.closed.handshake === 1);
    expect(listener.counters.handshakesFailed).toBe(1);
    expect(path.limits.connections).toBe(0);
  });

  test('tells clients of one address and port apart by the address they came to', async () => {
    const listener = await open({ ...echo({ handshakeMs: 300 }), address: '0.0.0.0' });
    const probe = dial(listener);
    await once(probe, 'secureConnect');
    const { localPort } = probe;
    probe.destroy();
    await until('it to be gone', () => listener.connections() === 0);
    const two = await Promise.all(
      ['127.0.0.2', '127.0.0.3'].map((host) =>
        client(listener, { host, localAddress: '127.0.0.9', localPort } as ConnectionOptions),
      ),
    );
    // Longer than a handshake may last, and than deadlines are looked at.
    await new Promise((resolve) => setTimeout(resolve, 1200));
    for (const one of two) one.send(query(1));
    for (const one of two) expect(idsOf(await one.gets(1))).toEqual([1]);
    expect(listener.counters.open).toBe(2);
  });

  test('bounds the handshakes of a second, so that a flood of them leaves time for answers', async () => {
    const listener = await open(echo({ handshakesPerSecond: 12 }));
    const a = await client(listener);
    const flood = Array.from({ length: 20 }, () => dial(listener));
    await until('the flood to be turned away', () => listener.counters.closed['handshake-limit'] >= 17);
    await until('the flood to hear of it', () => flood.filter((socket) => !socket.destroyed).length <= 3);
    a.send(query(1));
    expect(idsOf(await a.gets(1))).toEqual([1]);
    // Turned away is not failed.
    expect(listener.counters.handshakesFailed).toBe(0);
  });

  test('answers what is in flight before it closes', async () => {
    const path = echo({}, (_message, answer) => setTimeout(answer, 100));
    const listener = await open(path);
    const a = await client(listener);
    a.send(query(1));
    await until('the query', () => path.seen.length === 1);
    const closed = listener.close(2000);
    expect(idsOf(await a.gets(1))).toEqual([1]);
    a.socket.end();
    await closed;
  });

  test('keeps little for a client that never reads, and closes it', async () => {
    const large = new Uint8Array(60_000);
    const path = echo({ slowReaderMs: 700 }, (message) => {
      message.octets = large;
      message.length = large.length;
      message.respond();
    });
    const listener = await open(path);
    const raw = connectTcp(listener.port, '127.0.0.1');
    const a = await client(listener, { socket: raw });
    a.socket.pause();
    raw.pause();
    a.send(...Array.from({ length: 500 }, (_, i) => query(i)));
    await until('reading to stop', () => listener.counters.paused > 0);
    expect(path.limits.unread).toBeLessThanOrEqual(256 * 1024 + 60_002);
    a.socket.pause();
    await until(
      'the end',
      () => listener.counters.closed['slow-reader'] === 1 || a.received.length > 29_000_000,
    );
    expect(listener.counters.closed['slow-reader']).toBe(1);
    expect(path.limits.unread).toBe(0);
  });

  test('survives a storm of resets', async () => {
    const path = echo({ handshakesPerSecond: 4000 }, (_message, answer) => setTimeout(answer, 5));
    const listener = await open(path);
    await Promise.all(
      Array.from({ length: 30 }, async () => {
        const raw = connectTcp(listener.port, '127.0.0.1');
        const a = await client(listener, { socket: raw });
        a.send(...Array.from({ length: 20 }, (_, i) => query(i)));
        await new Promise((resolve) => setTimeout(resolve, 4));
        raw.resetAndDestroy();
      }),
    );
    await until('all to be gone', () => listener.connections() === 0 && listener.counters.inFlight === 0);
    expect(path.limits.unread).toBe(0);
    expect(path.limits.messages.taken).toBe(0);
  });
});

const hasKdig = spawnSync('kdig', ['-V']).error === undefined;
if (!hasKdig) console.log('kdig is not installed: its tests are skipped');

describe.skipIf(!hasKdig)('kdig', () => {
  test('+tls verifies the certificate and gets answers', async () => {
    const listener = await open(echo());
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-'));
    try {
      const file = join(folder, 'ca.pem');
      writeFileSync(file, certificate.cert);
      const { stdout } = await run('kdig', [
        '@127.0.0.1',
        '-p',
        String(listener.port),
        '+tls-hostname=localhost',
        `+tls-ca=${file}`,
        '+keepopen',
        'a.example.com',
        'b.example.com',
      ]);
      expect(stdout.match(/status: NOERROR/g)?.length).toBe(2);
      expect(listener.counters.handshakes).toBe(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
