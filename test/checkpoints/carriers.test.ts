/** Checkpoints reach every kind of place, and what a place wrote proves that the end of a log is missing. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { verifyAudit } from '../../src/audit/index.ts';
import { CheckpointCarriers, type PlaceSettings } from '../../src/checkpoints/index.ts';
import { entryFor, openTest, segmentFiles, withDirectory, write } from '../audit/fixture.ts';
import { freePort, isInstalled } from '../e2e/processes.ts';

const DEFAULTS = { every: 0, size: 1 << 20, transport: 'tls' } as const;
const open: CheckpointCarriers[] = [];
const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const carriers of open.splice(0)) await carriers.close(100);
  for (const undo of cleanup.splice(0)) await undo();
});

function carry(place: Partial<PlaceSettings>, told: (string | null)[] = []): CheckpointCarriers {
  const carriers = new CheckpointCarriers([{ ...DEFAULTS, ...place }], (_, why) => told.push(why));
  open.push(carriers);
  return carriers;
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  for (const deadline = Date.now() + 10_000; !isSo(); ) {
    if (Date.now() > deadline) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const port = (server: { address(): AddressInfo | string | null }): number =>
  (server.address() as AddressInfo).port;

/** A log whose checkpoints go through `carriers`; returns a copy of it without its last segment's end. */
async function shipLog(directory: string, carriers: CheckpointCarriers): Promise<void> {
  const log = openTest({
    directory,
    worker: 0,
    checkpointMs: 0,
    syncIntervalMs: 2,
    segmentOctets: 4000,
    onCheckpoint: (line) => carriers.take(0, line),
  });
  const entry = entryFor(log);
  for (let i = 0; i < 12; i++) {
    write(log, { ...entry, id: i }, 3);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await log.close();
  await until(() => carriers.states.every(({ waiting, sent }) => waiting === 0 && sent > 0), 'all sent');
}

function expectProof(directory: string, checkpoints: readonly string[]): void {
  expect(verifyAudit(directory, { checkpoints }).faults).toEqual([]);
  rmSync(join(directory, segmentFiles(directory).at(-1)!));
  for (const file of readdirSync(directory)) if (file.endsWith('.head')) rmSync(join(directory, file));
  expect(verifyAudit(directory).faults).toEqual([]);
  expect(
    verifyAudit(directory, { checkpoints })
      .faults.map(({ what }) => what)
      .join(),
  ).toMatch(/its end is missing/);
}

const LINE = (size: number, worker = 0): string =>
  JSON.stringify({ type: 'checkpoint', worker, size, root: 'ab'.repeat(32) });

/** A self-signed certificate for 127.0.0.1, made by openssl. */
function certificate(directory: string): { key: string; cert: string } {
  const key = join(directory, 'key.pem');
  const cert = join(directory, 'cert.pem');
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-subj', '/CN=receiver.test', '-addext', 'subjectAltName=DNS:receiver.test,IP:127.0.0.1'],
    ...['-keyout', key, '-out', cert],
  ]);
  if (made.status !== 0) throw new Error(String(made.stderr));
  return { key, cert };
}

describe('a file', () => {
  test('gets each checkpoint as a line, and proves that the end is missing', () =>
    withDirectory(async (directory) => {
      const file = join(directory, 'elsewhere.ndjson');
      await shipLog(join(directory, 'audit'), carry({ file }));
      expectProof(join(directory, 'audit'), readFileSync(file, 'utf8').split('\n'));
    }));

  test('that cannot be written is told once, tried again, and then gets the newest of each worker', () =>
    withDirectory(async (directory) => {
      const file = join(directory, 'mount', 'checkpoints');
      const told: (string | null)[] = [];
      const carriers = carry({ file }, told);
      carriers.take(0, LINE(1));
      await until(() => carriers.states[0].failures > 0, 'a failure');
      for (let size = 2; size < 50; size++)
        for (const worker of [0, 1]) carriers.take(worker, LINE(size, worker));
      expect(carriers.states[0]).toMatchObject({ sent: 0, waiting: 2, superseded: 95 });
      expect(told).toEqual([expect.stringMatching(/ENOENT/)]);
      spawnSync('mkdir', [join(directory, 'mount')]);
      await until(() => carriers.states[0].sent === 2, 'both sent');
      expect(readFileSync(file, 'utf8')).toBe(`${LINE(49, 0)}\n${LINE(49, 1)}\n`);
      expect(told).toHaveLength(2);
      expect(carriers.states[0]).toMatchObject({ sent: 2, trouble: null });
    }));

  test('is turned over when it is full', () =>
    withDirectory(async (directory) => {
      const file = join(directory, 'checkpoints');
      const carriers = carry({ file, size: 300 });
      for (let size = 1; size <= 9; size++) {
        carriers.take(0, LINE(size));
        await until(() => carriers.states[0].sent === size, `${size} sent`);
      }
      expect(existsSync(`${file}.1`)).toBe(true);
      expect(readFileSync(file).length + readFileSync(`${file}.1`).length).toBeLessThan(1000);
      expect(readFileSync(file, 'utf8')).toContain('"size":9');
    }));

  test('is sent what waits when the service ends', () =>
    withDirectory(async (directory) => {
      const file = join(directory, 'checkpoints');
      const carriers = carry({ file, every: 3_600_000 });
      carriers.take(0, LINE(1));
      await until(() => carriers.states[0].sent === 1, 'the first');
      carriers.take(0, LINE(2));
      carriers.take(0, LINE(3));
      await carriers.close(2000);
      expect(readFileSync(file, 'utf8')).toBe(`${LINE(1)}\n${LINE(3)}\n`);
    }));
});

describe('a webhook', () => {
  const answering =
    (bodies: string[], status: () => number) => (request: IncomingMessage, response: ServerResponse) => {
      let body = '';
      request.on('data', (piece) => {
        body += piece;
      });
      request.on('end', () => {
        const code = status();
        if (code === 200) bodies.push(`${body}\n`);
        response.writeHead(code, code === 302 ? { location: 'http://127.0.0.1:9/' } : {}).end('{}');
      });
    };

  test('gets JSON lists over HTTPS with its token, and what it stored proves that the end is missing', () =>
    withDirectory(async (directory) => {
      const { key, cert } = certificate(directory);
      const bodies: string[] = [];
      const tokens: unknown[] = [];
      const answer = answering(bodies, () => 200);
      const server = createSecureServer(
        { key: readFileSync(key), cert: readFileSync(cert) },
        (request, response) => {
          tokens.push(request.headers.authorization);
          answer(request, response);
        },
      );
      cleanup.push(() => server.close());
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const tokenFile = join(directory, 'token');
      writeFileSync(tokenFile, 'secret-token\n');
      const webhook = `https://127.0.0.1:${port(server)}/checkpoints?k=hidden`;
      const carriers = carry({ webhook, caFile: cert, tokenFile });
      await shipLog(join(directory, 'audit'), carriers);
      expect(tokens[0]).toBe('Bearer secret-token');
      expect(carriers.states[0].where).not.toContain('hidden');
      expectProof(join(directory, 'audit'), bodies.join('').split('\n'));
    }));

  test.each([500, 302, 404])('that answers %i is tried again', (bad) =>
    withDirectory(async () => {
      const bodies: string[] = [];
      let status = bad;
      const server = createServer(answering(bodies, () => status));
      cleanup.push(() => server.close());
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const told: (string | null)[] = [];
      const carriers = carry({ webhook: `http://127.0.0.1:${port(server)}/` }, told);
      carriers.take(0, LINE(1));
      await until(() => carriers.states[0].failures === 1, 'a failure');
      expect(told).toEqual([`the receiver answered with status ${bad}`]);
      status = 200;
      carriers.take(0, LINE(2));
      await until(() => carriers.states[0].sent === 1, 'it arrives');
      expect(JSON.parse(bodies[0])).toEqual([JSON.parse(LINE(2))]);
    }),
  );

  test('with a certificate of nobody we trust gets nothing', () =>
    withDirectory(async (directory) => {
      const { key, cert } = certificate(directory);
      const bodies: string[] = [];
      const server = createSecureServer(
        { key: readFileSync(key), cert: readFileSync(cert) },
        answering(bodies, () => 200),
      );
      cleanup.push(() => server.close());
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const carriers = carry({ webhook: `https://127.0.0.1:${port(server)}/` });
      carriers.take(0, LINE(1));
      await until(() => carriers.states[0].failures === 1, 'a failure');
      expect(carriers.states[0].trouble).toMatch(/self.signed/i);
      expect(bodies).toEqual([]);
    }));
});

describe('syslog', () => {
  /** Messages of a stream with octet counting. */
  const messagesOf = (octets: Buffer): string[] => {
    const messages: string[] = [];
    for (let at = 0; at < octets.length; ) {
      const space = octets.indexOf(32, at);
      const length = Number(octets.toString('latin1', at, space));
      messages.push(octets.toString('utf8', space + 1, space + 1 + length));
      at = space + 1 + length;
    }
    return messages;
  };

  test.each(['tcp', 'tls'] as const)(
    'over %s delivers, and what arrived proves that the end is missing',
    (transport) =>
      withDirectory(async (directory) => {
        const { key, cert } = certificate(directory);
        const messages: string[] = [];
        const take = (socket: Socket): void => {
          const pieces: Buffer[] = [];
          socket.on('data', (piece) => pieces.push(piece));
          socket.on('end', () => messages.push(...messagesOf(Buffer.concat(pieces))));
        };
        const server =
          transport === 'tcp'
            ? createTcpServer(take)
            : createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, take);
        cleanup.push(() => server.close());
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
        const syslog = { host: '127.0.0.1', port: port(server) };
        await shipLog(
          join(directory, 'audit'),
          carry({ syslog, transport, caFile: cert, serverName: 'receiver.test' }),
        );
        expect(messages[0]).toMatch(
          /^<134>1 \S+Z \S+ sallyport \d+ checkpoint \[checkpoint@32473 worker="0" /,
        );
        // A receiver that cuts long messages keeps the structured data.
        const cut = messages.map((message) => message.slice(0, 300));
        expect(verifyAudit(join(directory, 'audit'), { checkpoints: cut }).faults).toEqual([]);
        expectProof(join(directory, 'audit'), messages);
      }),
  );

  test('a receiver that is not there counts as a failure', async () => {
    const carriers = carry({ syslog: { host: '127.0.0.1', port: await freePort() }, transport: 'tcp' });
    carriers.take(0, LINE(1));
    await until(() => carriers.states[0].failures === 1, 'a failure');
    expect(carriers.states[0]).toMatchObject({
      sent: 0,
      waiting: 1,
      trouble: expect.stringMatching(/ECONNREFUSED/),
    });
  });

  test('over UDP each checkpoint is a datagram', async () => {
    const socket = createSocket('udp4');
    cleanup.push(() => socket.close());
    const messages: string[] = [];
    socket.on('message', (message) => messages.push(message.toString()));
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const carriers = carry({ syslog: { host: '127.0.0.1', port: socket.address().port }, transport: 'udp' });
    carriers.take(0, LINE(7));
    await until(() => messages.length === 1, 'a datagram');
    expect(messages[0].endsWith(` ${LINE(7)}`)).toBe(true);
  });

  test.runIf(isInstalled('rsyslogd'))('rsyslogd writes a file that proves that the end is missing', () =>
    withDirectory(async (directory) => {
      const receiver = await freePort();
      const out = join(directory, 'received.log');
      const config = join(directory, 'rsyslog.conf');
      writeFileSync(
        config,
        [
          'module(load="imtcp")',
          `input(type="imtcp" address="127.0.0.1" port="${receiver}")`,
          `*.* action(type="omfile" file="${out}")`,
        ].join('\n'),
      );
      const child: ChildProcess = spawn('rsyslogd', ['-n', '-f', config, '-i', join(directory, 'pid')], {
        stdio: 'ignore',
      });
      cleanup.push(() => child.kill('SIGKILL'));
      const carriers = carry({ syslog: { host: '127.0.0.1', port: receiver }, transport: 'tcp' });
      await shipLog(join(directory, 'audit'), carriers);
      const { sent } = carriers.states[0];
      const lines = (): string[] =>
        existsSync(out)
          ? readFileSync(out, 'utf8')
              .split('\n')
              .filter((line) => line.includes('checkpoint'))
          : [];
      await until(() => lines().length >= sent, 'rsyslogd has written them');
      expectProof(join(directory, 'audit'), lines());
    }),
  );
});
