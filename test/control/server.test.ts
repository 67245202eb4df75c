import { request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  CONTROL_LIMITS,
  type ControlRoom,
  type ControlServer,
  type ReloadResult,
  startControl,
} from '../../src/control/index.ts';

const logged: string[] = [];
const log = {
  info: (_: object, message: string) => void logged.push(message),
  warn: (_: object, message: string) => void logged.push(message),
  error: (_: object, message: string) => void logged.push(message),
};

const RELOADED: ReloadResult = { ok: true, generation: 2, rules: 7, tookMs: 3, faults: [] };
const FAULTY: ReloadResult = {
  ...RELOADED,
  ok: false,
  generation: 1,
  faults: [
    {
      severity: 'fault',
      file: 'policies/web.yaml',
      line: 4,
      column: 9,
      path: 'sets.web.allow[0]',
      what: 'a star stands inside',
      instead: 'write "*.example.com"',
      excerpt: null,
    },
  ],
};

const room = {
  alive: () => true,
  healthy: () => true,
  degraded: () => [],
  unready: (): readonly string[] => [],
  state: (): unknown => ({ version: '0.1.0', groups: ['<script>alert(1)</script>'] }),
  reload: async (): Promise<ReloadResult> => RELOADED,
  verdicts: (): readonly unknown[] => [],
  events: (): readonly unknown[] => [{ event: 'new-destination', domain: 'example.com' }],
  release: ((question) => ({ ok: true, answer: question })) as ControlRoom['release'],
  explain: ((question) => ({ ok: true, answer: question })) as ControlRoom['explain'],
  metrics: async () => ({
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    body: 'sallyport_up 1\n',
  }),
};
const original = { ...room };

let server: ControlServer;
beforeEach(async () => {
  logged.length = 0;
  Object.assign(room, original);
  server = await startControl({ address: '127.0.0.1', port: 0, token: null, log }, room);
});
afterEach(() => server.close(0));

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

function ask(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { port } = server;
    const asked = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method: options.method ?? 'GET',
        headers: options.headers ?? {},
        agent: false,
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (piece) => (body += piece));
        response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }));
        response.on('error', reject);
      },
    );
    asked.on('error', reject);
    asked.end(options.body);
  });
}

const reload = { method: 'POST', headers: { 'content-type': 'application/json' } };

describe('the control server', () => {
  test.each(['/livez', '/healthz', '/health', '/readyz', '/ready'])('answers OK at %s', async (path) => {
    expect(await ask(path)).toMatchObject({ status: 200, body: 'OK\n' });
  });

  test('names what is not ready, and stays healthy meanwhile', async () => {
    room.unready = () => ['policy', 'audit: no space left'];
    expect(await ask('/readyz')).toMatchObject({ status: 503, body: 'policy, audit: no space left\n' });
    expect((await ask('/healthz')).status).toBe(200);
  });

  test('says when the process has failed', async () => {
    room.healthy = () => false;
    expect((await ask('/healthz')).status).toBe(503);
    expect((await ask('/livez')).status).toBe(200);
    room.alive = () => false;
    expect((await ask('/livez')).status).toBe(503);
  });

  test('serves metrics as they are', async () => {
    const answer = await ask('/metrics');
    expect(answer).toMatchObject({ status: 200, body: 'sallyport_up 1\n' });
    expect(answer.headers['content-type']).toContain('version=0.0.4');
  });

  test('escapes what strangers named and forbids a page to run it', async () => {
    room.state = () => ({ name: '<script>\u001b[2J\u2028é&' });
    const { body, headers } = await ask('/api/state');
    expect(body).not.toMatch(/[<>&\u001b\u0080-\uffff]/);
    expect(JSON.parse(body)).toEqual({ name: '<script>\u001b[2J\u2028é&' });
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(headers['cache-control']).toBe('no-store');
  });

  test('hands the question of /explain on', async () => {
    const { status, body } = await ask('/explain?name=www.example.com&client=192.0.2.7&type=TXT');
    expect([status, JSON.parse(body)]).toEqual([
      200,
      { name: 'www.example.com', type: 'TXT', client: '192.0.2.7' },
    ]);
    expect(JSON.parse((await ask('/explain?name=www.example.com')).body)).toMatchObject({
      type: 'A',
      client: '127.0.0.1',
    });
  });

  test.each([
    { name: 'no name', path: '/explain', says: /which name\?/ },
    {
      name: 'an endless name',
      path: `/explain?name=${'a'.repeat(CONTROL_LIMITS.nameLength + 1)}`,
      says: /longer than any name/,
    },
    { name: 'what the room finds wrong', path: '/explain?name=a..b', says: /an empty label/ },
  ])('answers 400 to $name and says what to write', async ({ path, says }) => {
    room.explain = () => ({ ok: false, fault: 'an empty label' });
    const { status, body } = await ask(path);
    expect(status).toBe(400);
    expect(JSON.parse(body).error).toMatch(says);
  });

  test('lists verdicts as they are', async () => {
    room.verdicts = () => [{ zone: 'evil.test', state: 'held' }];
    const { status, body } = await ask('/api/verdicts');
    expect([status, JSON.parse(body)]).toEqual([200, { verdicts: [{ zone: 'evil.test', state: 'held' }] }]);
  });

  test('lists events as they are', async () => {
    const { status, body } = await ask('/api/events');
    expect([status, JSON.parse(body)]).toEqual([
      200,
      { events: [{ event: 'new-destination', domain: 'example.com' }] },
    ]);
  });

  test('hands on what is to be released', async () => {
    const { status, body } = await ask('/api/release', { ...reload, body: '{"zone":"evil.test"}' });
    expect([status, JSON.parse(body)]).toEqual([200, { client: null, zone: 'evil.test' }]);
  });

  test.each([
    { name: 'nothing', body: '', says: /not JSON; write/ },
    { name: 'a list', body: '["192.0.2.7"]', says: /not a JSON object/ },
    { name: 'a word that it does not know', body: '{"domain":"evil.test"}', says: /"domain" is not known/ },
    { name: 'a number', body: '{"client":7}', says: /"client" is not a text/ },
    {
      name: 'an endless zone',
      body: JSON.stringify({ zone: 'a'.repeat(2000) }),
      says: /longer than any name/,
    },
  ])('releases nothing for $name', async ({ body, says }) => {
    let releases = 0;
    room.release = () => ({ ok: true, answer: releases++ });
    const answer = await ask('/api/release', { ...reload, body });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body).error).toMatch(says);
    expect(releases).toBe(0);
  });

  test('says when nothing was held, and releases for no page and no GET', async () => {
    room.release = () => ({ ok: false, status: 404, fault: 'nothing is held' });
    expect(await ask('/api/release', { ...reload, body: '{}' })).toMatchObject({ status: 404 });
    const form = { 'content-type': 'text/plain', origin: 'https://attacker.example' };
    expect((await ask('/api/release', { method: 'POST', headers: form, body: '{}' })).status).toBe(403);
    expect((await ask('/api/release')).status).toBe(405);
  });

  test('reloads when asked by POST', async () => {
    const { status, body } = await ask('/reload', reload);
    expect([status, JSON.parse(body)]).toEqual([200, RELOADED]);
  });

  test('answers 422 with every fault when the old policy stays', async () => {
    room.reload = async () => FAULTY;
    const { status, body } = await ask('/reload', reload);
    expect([status, JSON.parse(body)]).toEqual([422, FAULTY]);
  });

  test('reloads once at a time', async () => {
    let finish = (_: ReloadResult): void => {};
    room.reload = () => new Promise((resolve) => (finish = resolve));
    const first = ask('/reload', reload);
    await expect.poll(async () => (await ask('/reload', reload)).status).toBe(409);
    finish(RELOADED);
    expect((await first).status).toBe(200);
    const third = ask('/reload', reload);
    await sleep(50);
    finish(RELOADED);
    expect((await third).status).toBe(200);
  });

  test('does not reload for a page of another site', async () => {
    let reloads = 0;
    room.reload = async () => {
      reloads++;
      return RELOADED;
    };
    const form = { 'content-type': 'application/x-www-form-urlencoded', origin: 'https://attacker.example' };
    expect((await ask('/reload', { method: 'POST', headers: form })).status).toBe(403);
    expect((await ask('/reload')).status).toBe(405);
    expect((await ask('/api/state', { headers: { host: 'attacker.example' } })).status).toBe(421);
    expect(reloads).toBe(0);
  });

  test.each([
    { name: 'a path that is not there', path: '/admin', status: 404 },
    { name: 'a walk up the tree', path: '/../../etc/passwd', status: 404 },
    { name: 'a target with another authority', path: '//attacker.example/metrics', status: 404 },
    { name: 'a wrong method', path: '/metrics', method: 'DELETE', status: 405 },
  ])('answers $status to $name', async ({ path, method = 'GET', status }) => {
    expect((await ask(path, { method })).status).toBe(status);
  });

  test('sends no body to HEAD', async () => {
    const answer = await ask('/metrics', { method: 'HEAD' });
    expect(answer).toMatchObject({ status: 200, body: '' });
    expect(answer.headers['content-length']).toBe('15');
  });

  test('ends a fault of a handler in a 500 without its text, and in the log', async () => {
    room.state = () => {
      throw new Error('a secret of the inside');
    };
    const { status, body } = await ask('/api/state');
    expect(status).toBe(500);
    expect(body).not.toContain('secret');
    expect(logged).toContain('a control request failed');
  });
});

describe('the bounds', () => {
  test('turn away a body that is announced as too long, and one that turns out so', async () => {
    const body = 'x'.repeat(CONTROL_LIMITS.bodyLength + 1);
    expect((await ask('/reload', { ...reload, body })).status).toBe(413);
    const chunked = { ...reload.headers, 'transfer-encoding': 'chunked' };
    expect((await ask('/reload', { ...reload, headers: chunked, body })).status).toBe(413);
  });

  test('turn away a header that is too long', async () => {
    const long = { 'x-long': 'x'.repeat(CONTROL_LIMITS.headerLength) };
    expect((await ask('/metrics', { headers: long })).status).toBe(431);
  });

  test('close a connection that never ends its header', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    const started = performance.now();
    let answer = '';
    socket.setEncoding('utf8').on('data', (piece) => (answer += piece));
    socket.write('GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ');
    await new Promise((resolve) => socket.on('close', resolve));
    expect(answer).toContain('408');
    expect(performance.now() - started).toBeLessThan(CONTROL_LIMITS.headersTimeoutMs + 3_000);
  });

  test('drop connections beyond the most there may be, count them, and serve again afterwards', async () => {
    const sockets = Array.from({ length: CONTROL_LIMITS.connections + 20 }, () => {
      const socket = connect(server.port, '127.0.0.1');
      socket.on('error', () => {});
      return socket;
    });
    await expect.poll(() => server.dropped).toBeGreaterThanOrEqual(20);
    for (const socket of sockets) socket.destroy();
    await expect
      .poll(() =>
        ask('/healthz').then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(200);
  });

  test('survive noise', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {}).resume();
    socket.write(Buffer.from(Array.from({ length: 2000 }, (_, i) => (i * 7919) % 256)));
    await new Promise((resolve) => socket.on('close', resolve));
    expect((await ask('/healthz')).status).toBe(200);
  });
});

describe('startControl', () => {
  test('refuses to listen on the network without a token', async () => {
    await expect(startControl({ address: '0.0.0.0', port: 0, token: null, log }, room)).rejects.toThrow(
      /set a token/,
    );
  });

  test('rejects when the address is taken', async () => {
    const taken = { address: '127.0.0.1', port: server.port, token: null, log };
    await expect(startControl(taken, room)).rejects.toThrow(/EADDRINUSE/);
  });

  test('asks everyone for the token when there is one, but for health', async () => {
    const token = '0123456789abcdef';
    await server.close(0);
    server = await startControl({ address: '127.0.0.1', port: 0, token, log }, room);
    const bearer = { authorization: `Bearer ${token}` };
    expect((await ask('/metrics')).status).toBe(401);
    expect((await ask('/metrics', { headers: bearer })).status).toBe(200);
    expect((await ask('/reload', { method: 'POST', headers: bearer })).status).toBe(200);
    expect((await ask('/readyz')).status).toBe(200);
  });
});

describe('close', () => {
  test('lets a running request end, and cuts off what takes too long', async () => {
    let finish = (_: ReloadResult): void => {};
    room.reload = () => new Promise((resolve) => (finish = resolve));
    const running = ask('/reload', reload);
    await sleep(100);
    const closed = server.close(2_000);
    finish(RELOADED);
    expect((await running).status).toBe(200);
    await closed;

    server = await startControl({ address: '127.0.0.1', port: 0, token: null, log }, room);
    const endless = ask('/reload', reload).catch((error: Error) => error.message);
    await sleep(100);
    await server.close(50);
    expect(await endless).toMatch(/socket hang up|ECONNRESET/);
  });
});
