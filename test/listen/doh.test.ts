import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { request as requestHttps } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import {
  devCertificate,
  type Listener,
  openHttpsListener,
  type StreamMessage,
} from '../../src/listen/index.ts';
import { type Echo, echo, query, until } from './echo.ts';

const run = promisify(execFile);
const certificate = devCertificate();
const listeners: Listener[] = [];
const sessions: ClientHttp2Session[] = [];

async function open(path: Echo, more: object = {}): Promise<Listener> {
  const listener = await openHttpsListener({ ...path, certificate, ...more });
  listeners.push(listener);
  return listener;
}

function dial(listener: Listener, settings: object = {}): ClientHttp2Session {
  const session = connect(`https://localhost:${listener.port}`, { ca: certificate.cert, settings });
  session.on('error', () => {});
  sessions.push(session);
  return session;
}

/** A query with QR set. */
function response(): Buffer {
  const message = query(0);
  message[2] |= 0x80;
  return message;
}

interface Reply {
  status: number;
  headers: Record<string, string | undefined>;
  body: Buffer;
}

interface Ask {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: Uint8Array;
}

function h2(session: ClientHttp2Session, ask: Ask): Promise<Reply> {
  const { method = 'GET', path = '/dns-query', headers = {}, body } = ask;
  return new Promise((resolve, reject) => {
    const stream = session.request(
      { ':method': method, ':path': path, ...headers },
      { endStream: body === undefined },
    );
    const parts: Buffer[] = [];
    let seen: Record<string, string | undefined> = {};
    stream.on('response', (found) => {
      seen = found as Record<string, string | undefined>;
    });
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('error', reject);
    stream.on('end', () =>
      resolve({ status: Number(seen[':status']), headers: seen, body: Buffer.concat(parts) }),
    );
    if (body !== undefined) stream.end(body);
  });
}

function h1(listener: Listener, ask: Ask): Promise<Reply> {
  const { method = 'GET', path = '/dns-query', headers = {}, body } = ask;
  return new Promise((resolve, reject) => {
    const request = requestHttps(
      { host: 'localhost', port: listener.port, ca: certificate.cert, method, path, headers, agent: false },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers as Record<string, string>,
            body: Buffer.concat(parts),
          }),
        );
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

const asked = (message: Uint8Array): string => `/dns-query?dns=${Buffer.from(message).toString('base64url')}`;
const posted = (body: Uint8Array, type = 'application/dns-message'): Ask => ({
  method: 'POST',
  headers: { 'content-type': type },
  body,
});

afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  for (const listener of listeners.splice(0)) {
    await listener.close(0);
    expect(listener.connections()).toBe(0);
    expect(listener.counters.inFlight).toBe(0);
  }
});

describe.each([
  { version: 'HTTP/2', send: (listener: Listener, ask: Ask) => h2(dial(listener), ask) },
  { version: 'HTTP/1.1', send: h1 },
])('a DoH listener over $version (RFC 8484)', ({ send }) => {
  test.each([
    { name: 'GET', ask: { path: asked(query(0)) } },
    { name: 'GET with another parameter before', ask: { path: asked(query(0)).replace('?', '?x=1&') } },
    { name: 'GET with another parameter behind', ask: { path: `${asked(query(0))}&x=1` } },
    { name: 'POST', ask: posted(query(0)) },
    { name: 'POST with a parameter of the type', ask: posted(query(0), 'Application/DNS-Message; a=b') },
  ])('answers $name', async ({ ask }) => {
    const path = echo();
    const reply = await send(await open(path), ask);
    const expected = query(0);
    expected[2] |= 0x80;
    expect(reply).toMatchObject({ status: 200, body: expected });
    expect(reply.headers).toMatchObject({
      'content-type': 'application/dns-message',
      'content-length': '29',
      'cache-control': 'max-age=0',
    });
    expect(path.seen).toEqual(['doh 127.0.0.1']);
  });

  test('answers HEAD without a body', async () => {
    const reply = await send(await open(echo()), { method: 'HEAD', path: asked(query(0)) });
    expect(reply).toMatchObject({ status: 200 });
    expect(reply.headers['content-length']).toBe('29');
    expect(reply.body.length).toBe(0);
  });

  test('keeps the id that was sent', async () => {
    const reply = await send(await open(echo()), { path: asked(query(0x1234)) });
    expect(reply.body.readUInt16BE(0)).toBe(0x1234);
  });

  test.each([29, 600, 16_384, 16_385, 65_535])(
    'takes a message of %i octets and sends it back',
    async (length) => {
      const reply = await send(await open(echo()), posted(query(1, length, 3)));
      expect(reply.status).toBe(200);
      expect(reply.body.length).toBe(length);
      expect(reply.body.subarray(29).every((octet) => octet === 3)).toBe(true);
    },
  );

  test('says how long the answer may be kept', async () => {
    // Two records, TTL 300 and 60.
    const records = Buffer.from(
      'c00c00010001 0000012c 0004c0000201 c00c00010001 0000003c 0004c0000202'.replace(/ /g, ''),
      'hex',
    );
    const path = echo({}, (message) => {
      message.octets[2] |= 0x80;
      message.octets[7] = 2;
      message.octets.set(records, message.length);
      message.length += records.length;
      message.respond();
    });
    const reply = await send(await open(path), { path: asked(query(0)) });
    expect(reply.headers['cache-control']).toBe('max-age=60');
  });

  test.each([
    { name: 'another path', ask: { path: '/other' }, status: 404 },
    { name: 'a path that only begins so', ask: { path: `/dns-queryx?dns=${'A'.repeat(40)}` }, status: 404 },
    { name: 'no parameter', ask: {}, status: 400 },
    { name: 'an empty parameter', ask: { path: '/dns-query?dns=' }, status: 400 },
    { name: 'a parameter of another name', ask: { path: `/dns-query?xdns=${'A'.repeat(40)}` }, status: 400 },
    { name: 'base64 of the other alphabet', ask: { path: `/dns-query?dns=${'+'.repeat(40)}` }, status: 400 },
    { name: 'padded base64url', ask: { path: `${asked(query(0))}=` }, status: 400 },
    {
      name: 'base64url of an impossible length',
      ask: { path: `/dns-query?dns=${'A'.repeat(41)}` },
      status: 400,
    },
    { name: 'two queries', ask: { path: `${asked(query(0))}&dns=${'A'.repeat(40)}` }, status: 400 },
    { name: 'a message of 11 octets', ask: { path: asked(query(0).subarray(0, 11)) }, status: 400 },
    { name: 'a body of 11 octets', ask: posted(query(0).subarray(0, 11)), status: 400 },
    { name: 'an empty body', ask: posted(new Uint8Array(0)), status: 400 },
    { name: 'a URL of 9000 octets', ask: { path: `/dns-query?dns=${'A'.repeat(9000)}` }, status: 414 },
    { name: 'another media type', ask: posted(query(0), 'application/json'), status: 415 },
    { name: 'no media type', ask: { method: 'POST', body: query(0) }, status: 415 },
    { name: 'PUT', ask: { ...posted(query(0)), method: 'PUT' }, status: 405 },
    { name: 'DELETE', ask: { method: 'DELETE', path: asked(query(0)) }, status: 405 },
    { name: 'OPTIONS', ask: { method: 'OPTIONS', path: asked(query(0)) }, status: 405 },
    { name: 'PROPFIND', ask: { method: 'PROPFIND', path: asked(query(0)) }, status: 501 },
    { name: 'a body of 65536 octets', ask: posted(query(0, 65_536)), status: 413 },
    { name: 'a body of 1 MB, which is sent to its end', ask: posted(query(0, 1_000_000)), status: 413 },
    { name: 'a response in a URL', ask: { path: asked(response()) }, status: 400 },
    { name: 'a response in a body', ask: posted(response()), status: 400 },
  ])('refuses $name with $status', async ({ ask, status }) => {
    const path = echo();
    const listener = await open(path);
    const reply = await send(listener, ask);
    expect(reply.status).toBe(status);
    expect(reply.headers['content-type']).toBe('text/plain');
    expect(reply.body.toString()).toMatch(/\.\n$/);
    expect(listener.counters.httpErrors).toEqual({ [status]: 1 });
    expect(path.seen).toEqual([]);
  });

  test('says which methods there are', async () => {
    const reply = await send(await open(echo()), { method: 'PATCH', path: asked(query(0)) });
    expect(reply.headers['allow']).toBe('GET, HEAD, POST');
  });

  test.each([
    { name: 'nobody is trusted', trusted: [], list: '192.0.2.7', seen: '127.0.0.1' },
    { name: 'the proxy is trusted', trusted: ['127.0.0.1'], list: '192.0.2.7', seen: '192.0.2.7' },
    {
      name: 'the client invents one',
      trusted: ['127.0.0.1'],
      list: '192.0.2.99, 192.0.2.7',
      seen: '192.0.2.7',
    },
    {
      name: 'two proxies stand in a row',
      trusted: ['127.0.0.1', '192.0.2.1'],
      list: '192.0.2.7, 192.0.2.1',
      seen: '192.0.2.7',
    },
    { name: 'a port is written, too', trusted: ['127.0.0.1'], list: '192.0.2.7:4711', seen: '192.0.2.7' },
    {
      name: 'it is IPv6',
      trusted: ['127.0.0.1'],
      list: '[2001:db8::7]:1',
      seen: '32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.7',
    },
    { name: 'it is nonsense', trusted: ['127.0.0.1'], list: 'unknown', seen: '127.0.0.1' },
    { name: 'there is none', trusted: ['127.0.0.1'], list: '', seen: '127.0.0.1' },
  ])('takes the client from X-Forwarded-For when $name', async ({ trusted, list, seen }) => {
    const path = echo();
    const listener = await open(path, { isTrustedProxy: (address: string) => trusted.includes(address) });
    await send(listener, { path: asked(query(0)), headers: { 'x-forwarded-for': list } });
    expect(path.seen).toEqual([`doh ${seen}`]);
  });
});

describe('a DoH listener over HTTP/2', () => {
  test('answers many queries of one connection in any order', async () => {
    const held: (() => void)[] = [];
    const path = echo({}, (_message, answer) => {
      held.push(answer);
      if (held.length === 90) for (const one of held.reverse()) one();
    });
    const listener = await open(path);
    const session = dial(listener);
    const replies = await Promise.all(
      Array.from({ length: 90 }, (_, i) =>
        h2(session, i % 2 === 0 ? { path: asked(query(i)) } : posted(query(i, 100 + i))),
      ),
    );
    expect(replies.map((reply) => reply.body.readUInt16BE(0))).toEqual(
      Array.from({ length: 90 }, (_, i) => i),
    );
    expect(listener.counters.accepted).toBe(1);
  });

  test('keeps to a small window of the client', async () => {
    const listener = await open(echo());
    const session = dial(listener, { initialWindowSize: 1000 });
    const replies = await Promise.all([1, 2, 3].map((id) => h2(session, posted(query(id, 40_000, id)))));
    expect(replies.map((reply) => [reply.body[1], reply.body.length])).toEqual([
      [1, 40_000],
      [2, 40_000],
      [3, 40_000],
    ]);
  });

  test('stops the work on a query whose stream was reset', async () => {
    let held: StreamMessage | null = null;
    const path = echo({}, (message) => {
      held = message;
    });
    const listener = await open(path);
    const session = dial(listener);
    const stream = session.request({ ':path': asked(query(0)) });
    stream.on('error', () => {});
    await until('the query', () => held !== null);
    const message = held as unknown as StreamMessage;
    stream.close(8);
    await until('the reset to be seen', () => message.cancelled);
    message.respond();
    expect(listener.counters).toMatchObject({ cancelled: 1, responses: 0, inFlight: 0 });
  });

  test('resets the stream of a query that is dropped by policy', async () => {
    const listener = await open(echo({}, (message) => message.discard()));
    const stream = dial(listener).request({ ':path': asked(query(0)) });
    await once(stream, 'close');
    expect(stream.rstCode).toBe(8);
    expect(listener.counters.discarded).toBe(1);
  });

  test('answers what is in flight before it closes, and says so', async () => {
    const path = echo({}, (_message, answer) => setTimeout(answer, 100));
    const listener = await open(path);
    const session = dial(listener);
    const reply = h2(session, { path: asked(query(5)) });
    await until('the query', () => path.seen.length === 1);
    const goaway = once(session, 'goaway');
    const closed = listener.close(3000);
    expect((await reply).status).toBe(200);
    await goaway;
    await closed;
  });

  test('ends a connection that has had its share of queries', async () => {
    const listener = await open(echo({ queriesMax: 3 }));
    const session = dial(listener);
    const goaway = once(session, 'goaway');
    await Promise.all([1, 2, 3].map((id) => h2(session, { path: asked(query(id)) })));
    await goaway;
    await until('the end', () => listener.counters.closed.spent === 1);
  });
});

describe('a plain DoH listener', () => {
  test.each(['HTTP/2', 'HTTP/1.1'])('speaks %s', async (version) => {
    const path = echo();
    const listener = await openHttpsListener({ ...path, plain: true });
    listeners.push(listener);
    if (version === 'HTTP/2') {
      const session = connect(`http://127.0.0.1:${listener.port}`);
      sessions.push(session);
      expect((await h2(session, { path: asked(query(1)) })).status).toBe(200);
      expect((await h2(session, posted(query(2)))).status).toBe(200);
    } else {
      const response = await fetch(`http://127.0.0.1:${listener.port}${asked(query(1))}`);
      expect(response.status).toBe(200);
      expect((await response.arrayBuffer()).byteLength).toBe(29);
    }
  });
});

const has = (program: string): boolean => {
  const found = spawnSync(program, ['-V']).error === undefined;
  if (!found) console.log(`${program} is not installed: its tests are skipped`);
  return found;
};

describe('real clients', () => {
  const withAuthority = async (work: (file: string) => Promise<void>): Promise<void> => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-'));
    try {
      const file = join(folder, 'ca.pem');
      writeFileSync(file, certificate.cert);
      await work(file);
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  test.skipIf(!has('kdig')).each(['+https', '+https-get'])('kdig %s', async (flag) => {
    const listener = await open(echo());
    await withAuthority(async (file) => {
      const { stdout } = await run('kdig', [
        '@127.0.0.1',
        '-p',
        String(listener.port),
        '+https',
        flag,
        '+tls-hostname=localhost',
        `+tls-ca=${file}`,
        'a.example.com',
      ]);
      expect(stdout).toContain('status: NOERROR');
      expect(stdout).toContain('HTTP/2');
    });
  });

  test.skipIf(!has('curl')).each(['--http2', '--http1.1'])('curl %s', async (flag) => {
    const listener = await open(echo());
    await withAuthority(async (file) => {
      const url = `https://localhost:${listener.port}${asked(query(1))}`;
      const { stdout } = await run('curl', [
        '-sS',
        flag,
        '--cacert',
        file,
        '-w',
        '%{http_code}',
        '-o',
        '/dev/null',
        '-o',
        '/dev/null',
        url,
        url,
      ]);
      expect(stdout).toBe('200200');
      expect(listener.counters.accepted).toBe(1);
    });
  });
});
