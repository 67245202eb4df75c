/** DoT (RFC 7858, 8310) and DoH (RFC 8484) to servers whose certificate must be the right one. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PoolOptions, ServerOptions } from '../../src/upstream/index.ts';
import { ask, marksOf } from './asking.ts';
import { type Certificates, hasOpenssl, makeCertificates } from './certificates.ts';
import { dohServer, dotServer } from './scripted-encrypted.ts';
import { type Query, reply, type Script, scriptedServer } from './scripted-server.ts';
import { closeLater, pooled, sleep } from './world.ts';

if (!hasOpenssl)
  console.log('encrypted upstreams: not tested here, the openssl command makes the certificates');

const good: Script = (query) => query.send(reply(query));
let certificates: Certificates;

describe.skipIf(!hasOpenssl)('an encrypted server', () => {
  beforeAll(() => {
    certificates = makeCertificates();
  });
  afterAll(() => certificates.remove());

  const dot = (port: number, more: Partial<ServerOptions> = {}): ServerOptions => ({
    transport: 'tls',
    address: '127.0.0.1',
    port,
    serverName: 'dns.example',
    caFile: certificates.good.certFile,
    ...more,
  });
  const doh = (port: number, more: Partial<ServerOptions> = {}): ServerOptions => ({
    ...dot(port),
    transport: 'https',
    path: '/dns-query',
    ...more,
  });
  const kinds = [
    { kind: 'DoT', open: dotServer, options: dot },
    { kind: 'DoH', open: dohServer, options: doh },
  ] as const;

  describe.each(kinds)('$kind', ({ kind, open, options }) => {
    test('is asked over one connection, and its replies are trusted', async () => {
      const server = closeLater(await open(certificates.good, good));
      const { upstreams } = await pooled({ servers: [options(server.port)] });
      const told = await Promise.all(
        Array.from({ length: 20 }, (_, i) => ask(upstreams, `n${i}.example.com`)),
      );
      expect(told.every(({ failure, trusted }) => failure === null && trusted)).toBe(true);
      expect(server.connections).toBe(1);
    });

    test('gets queries padded to 128 octets (RFC 8467)', async () => {
      const server = closeLater(await open(certificates.good, good));
      const { upstreams } = await pooled({ servers: [options(server.port)] });
      for (const name of [
        'a.example',
        'www.some-longer-name.example.com',
        `${'x'.repeat(60)}.${'y'.repeat(60)}.example`,
      ]) {
        await ask(upstreams, name);
      }
      expect(server.queries.map(({ message }) => message.length)).toEqual([128, 128, 256]);
    });

    test.each<{
      name: string;
      with: () => Partial<ServerOptions>;
      certificate: 'good' | 'other';
      works: boolean;
    }>([
      { name: 'the right name', with: () => ({}), certificate: 'good', works: true },
      { name: 'another name', with: () => ({ serverName: 'dns.test' }), certificate: 'good', works: false },
      { name: 'an unknown authority', with: () => ({}), certificate: 'other', works: false },
      {
        name: 'the address, where no name is given',
        with: () => ({ serverName: undefined }) as never,
        certificate: 'good',
        works: true,
      },
      {
        name: 'a pinned key and no name',
        with: () =>
          ({ serverName: undefined, caFile: undefined, spkiPins: [certificates.other.pin] }) as never,
        certificate: 'other',
        works: true,
      },
      {
        name: 'another key than the pinned one and no name',
        with: () =>
          ({ serverName: undefined, caFile: undefined, spkiPins: [certificates.good.pin] }) as never,
        certificate: 'other',
        works: false,
      },
      {
        name: 'the right name and a pinned key',
        with: () => ({ spkiPins: [certificates.other.pin, certificates.good.pin] }),
        certificate: 'good',
        works: true,
      },
      {
        name: 'the right name but another key than the pinned one',
        with: () => ({ spkiPins: [certificates.other.pin] }),
        certificate: 'good',
        works: false,
      },
    ])('with $name: believed $works', async ({ with: more, certificate, works }) => {
      const server = closeLater(await open(certificates[certificate], good));
      const given = Object.fromEntries(
        Object.entries({ ...options(server.port), ...more() }).filter(([, value]) => value !== undefined),
      ) as unknown as ServerOptions;
      const { upstreams, events } = await pooled({ servers: [given] });
      const told = await ask(upstreams, 'www.example.com', { budgetMs: 2000 });
      expect(told.failure).toBe(works ? null : 'unreachable');
      expect(told.trusted).toBe(works);
      if (!works) {
        expect(server.queries).toHaveLength(0);
        expect(events.map(({ event }) => event)).toContain('link-error');
      }
    });

    test('that fails is never replaced by plain DNS', async () => {
      const plain = closeLater(await scriptedServer(good));
      const server = closeLater(await open(certificates.other, good));
      const plainOptions: ServerOptions = { transport: 'udp', address: '127.0.0.1', port: plain.port };
      const mixed: PoolOptions['servers'] = [options(server.port), plainOptions];
      await expect(pooled({ servers: mixed })).rejects.toThrow(/mixes the plain server/);
      const { upstreams } = await pooled({ servers: [options(server.port)] });
      expect((await ask(upstreams, 'www.example.com', { budgetMs: 1500 })).failure).toBe('unreachable');
      expect(plain.queries).toHaveLength(0);
    });

    test('is preferred to a plain one, which stands in only while it is down and only without strict', async () => {
      const plain = closeLater(await scriptedServer(good));
      const server = await open(certificates.good, good);
      const { upstreams } = await pooled({
        servers: [{ transport: 'udp', address: '127.0.0.1', port: plain.port }, options(server.port)],
        strict: false,
      });
      for (let i = 0; i < 10; i++) expect((await ask(upstreams, `n${i}.example.com`)).trusted).toBe(true);
      expect(plain.queries).toHaveLength(0);
      await server.close();
      const told = await ask(upstreams, 'www.example.com');
      expect(told.failure).toBeNull();
      expect(told.trusted).toBe(false);
    });

    test('that goes away and comes back is found within a second', async () => {
      const server = await open(certificates.good, good);
      const { upstreams } = await pooled({ servers: [options(server.port)] });
      expect((await ask(upstreams, 'a.example.com')).failure).toBeNull();
      await server.close();
      expect((await ask(upstreams, 'b.example.com')).failure).toBe('unreachable');
      closeLater(await open(certificates.good, good, server.port));
      await sleep(950);
      expect(upstreams.state()[0].healthy).toBe(true);
      expect((await ask(upstreams, 'c.example.com')).failure).toBeNull();
    });

    test('that sends garbage, then is silent, never ends in an answer', async () => {
      const server = closeLater(
        await open(certificates.good, (query: Query) => query.send(Buffer.alloc(40, 0xee))),
      );
      const { upstreams } = await pooled({ servers: [options(server.port)] });
      const told = await ask(upstreams, 'a.example.com', { budgetMs: 1000 });
      expect(told.failure).not.toBeNull();
      server.script = () => undefined;
      expect((await ask(upstreams, 'b.example.com', { budgetMs: 500 })).failure).not.toBeNull();
    });

    test(`known by name only is found through bootstrap servers (${kind})`, async () => {
      const server = closeLater(await open(certificates.good, good));
      const guide = closeLater(
        await scriptedServer((query) =>
          query.send(reply(query, { addresses: query.type === 1 ? ['127.0.0.1'] : [] })),
        ),
      );
      const { upstreams } = await pooled({
        servers: [options(server.port, { address: '' })],
        bootstrap: [{ transport: 'udp', address: '127.0.0.1', port: guide.port }],
      });
      expect((await ask(upstreams, 'www.example.com')).trusted).toBe(true);
      expect(guide.queries.map(({ name }) => name)).toEqual(['dns.example', 'dns.example']);
      await expect(pooled({ servers: [options(server.port, { address: '' })] })).rejects.toThrow(/bootstrap/);
    });
  });

  test('over TLS resumes its session on the next connection', async () => {
    const server = closeLater(
      await dotServer(certificates.good, (query) => {
        query.send(reply(query));
        query.connection?.end();
      }),
    );
    const { upstreams } = await pooled({ servers: [dot(server.port)] });
    for (let i = 0; i < 4; i++) {
      expect((await ask(upstreams, `n${i}.example.com`)).failure).toBeNull();
      await sleep(30);
    }
    expect(server.connections).toBe(4);
    expect(server.resumed).toBeGreaterThanOrEqual(2);
  });

  test('over HTTPS is asked by POST with id 0', async () => {
    const server = closeLater(await dohServer(certificates.good, good));
    const { upstreams } = await pooled({ servers: [doh(server.port)] });
    await ask(upstreams, 'www.example.com');
    expect(server.queries[0].id).toBe(0);
    expect(server.requests[0]).toMatchObject({
      ':method': 'POST',
      ':path': '/dns-query',
      ':authority': `dns.example:${server.port}`,
      'content-type': 'application/dns-message',
      accept: 'application/dns-message',
    });
  });

  test('over HTTPS may limit its streams: the others wait for room', async () => {
    let open = 0;
    let most = 0;
    const server = closeLater(
      await dohServer(certificates.good, (query) => {
        most = Math.max(most, ++open);
        setTimeout(() => {
          open--;
          query.send(reply(query));
        }, 20);
      }),
    );
    const { upstreams } = await pooled({ servers: [doh(server.port)] });
    await ask(upstreams, 'first.example.com');
    const told = await Promise.all(
      Array.from({ length: 160 }, (_, i) => ask(upstreams, `n${i}.example.com`)),
    );
    expect(told.filter(({ failure }) => failure !== null)).toHaveLength(0);
    expect(most).toBeLessThanOrEqual(50);
  });

  test.each([
    { name: 'status 500', http: { status: 500, type: 'application/dns-message' } },
    { name: 'another media type', http: { status: 200, type: 'text/html' } },
  ])('over HTTPS with $name gives no answer', async ({ http }) => {
    const server = closeLater(await dohServer(certificates.good, good));
    server.http = http;
    const { upstreams } = await pooled({ servers: [doh(server.port)] });
    const told = await ask(upstreams, 'www.example.com', { budgetMs: 1500 });
    expect(told.failure).toBe('unusable');
  });

  test('over HTTPS with a body without end gives no answer, and memory stays', async () => {
    const server = closeLater(
      await dohServer(certificates.good, (query) => query.raw(Buffer.alloc(8 << 20))),
    );
    const { upstreams } = await pooled({ servers: [doh(server.port)] });
    const told = await ask(upstreams, 'www.example.com', { budgetMs: 1500 });
    expect(told.failure).toBe('unusable');
  });

  test('over HTTPS that says GOAWAY gets a new session', async () => {
    const server = closeLater(await dohServer(certificates.good, good));
    const { upstreams } = await pooled({ servers: [doh(server.port)] });
    for (let i = 0; i < 4; i++) {
      expect((await ask(upstreams, `n${i}.example.com`)).failure).toBeNull();
      for (const session of server.sessions) session.goaway();
      await sleep(30);
    }
    expect(server.connections).toBe(4);
  });

  const hasUnbound = spawnSync('unbound', ['-V']).status === 0;
  if (!hasUnbound)
    console.log('Unbound over TLS: not tested here, the Debian package unbound is not installed');

  test.skipIf(!hasUnbound)('that is Unbound answers over TLS', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-unbound-'));
    const port = await freePort();
    writeFileSync(
      join(folder, 'unbound.conf'),
      [
        'server:',
        `  directory: "${folder}"\n  chroot: ""\n  username: ""\n  pidfile: ""\n  use-syslog: no\n  do-daemonize: no`,
        `  interface: 127.0.0.1@${port}\n  tls-port: ${port}\n  access-control: 127.0.0.0/8 allow`,
        `  tls-service-key: "${certificates.good.keyFile}"\n  tls-service-pem: "${certificates.good.certFile}"`,
        '  local-zone: "example." static\n  local-data: "www.example. A 192.0.2.1"',
        'remote-control:\n  control-enable: no',
      ].join('\n'),
    );
    const unbound = spawn('unbound', ['-d', '-c', join(folder, 'unbound.conf')], { stdio: 'ignore' });
    closeLater({
      close: async () => {
        const ended = new Promise((resolve) => unbound.once('exit', resolve));
        unbound.kill();
        await ended;
        rmSync(folder, { recursive: true, force: true });
      },
    });
    await sleep(500);
    const { upstreams } = await pooled({ servers: [dot(port)] });
    await sleep(600);
    const told = await Promise.all(Array.from({ length: 50 }, () => ask(upstreams, 'www.example')));
    expect(told.every(({ failure, trusted }) => failure === null && trusted)).toBe(true);
    expect(marksOf(told[0])).toEqual(['192.0.2.1']);
    expect((await ask(upstreams, 'nothing.example')).rcode).toBe(3);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
