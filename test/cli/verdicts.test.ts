/** What `sallyport verdicts` and `sallyport release` say when they cannot do what was asked. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sallyport } from '../e2e/processes.ts';

let server: Server;
let reply: { status: number; body: string };
const asked: string[] = [];
beforeEach(async () => {
  asked.length = 0;
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`);
    response.writeHead(reply.status, { 'content-type': 'application/json' }).end(reply.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

test.each([
  { args: ['release'], status: 200, body: '{}', code: 2, says: /--client 192\.0\.2\.7, --zone example\.com/ },
  {
    args: ['release', '--zone', 'a..b'],
    status: 400,
    body: '{"error":"an empty label"}',
    code: 2,
    says: /^an empty label$/,
  },
  {
    args: ['release', '--zone', 'a.test'],
    status: 404,
    body: '{"error":"nothing is held"}',
    code: 3,
    says: /^nothing is held$/,
  },
  {
    args: ['verdicts'],
    status: 401,
    body: '{"error":"no"}',
    code: 1,
    says: /http\.tokenFile as in the server/,
  },
  {
    args: ['verdicts'],
    status: 500,
    body: '{"error":"the log says why"}',
    code: 1,
    says: /500, the log says why/,
  },
  {
    args: ['verdicts'],
    status: 200,
    body: '<html>',
    code: 1,
    says: /no Sallyport answers at http:\/\/127\.0\.0\.1:\d+/,
  },
])('$args, answered $status: exit $code', async ({ args, status, body, code, says }) => {
  reply = { status, body };
  const { port } = server.address() as AddressInfo;
  const ran = await sallyport(...args, '--http', `127.0.0.1:${port}`);
  expect([ran.code, ran.stdout]).toEqual([code, '']);
  expect(ran.stderr.trim()).toMatch(says);
});

test('nobody there: the address and what to do', async () => {
  const ran = await sallyport('verdicts', '--http', '127.0.0.1:9');
  expect(ran.code).toBe(1);
  expect(ran.stderr).toMatch(
    /no Sallyport answers at http:\/\/127\.0\.0\.1:9 .*; is it running\? Name its address with --http/,
  );
});

test('a verdict in words', async () => {
  const verdict = {
    client: '192.0.2.7',
    zone: 'evil.test',
    rule: 'name',
    action: 'block',
    group: 'staff',
    queriesBefore: 2,
    octetsBefore: 31,
    state: 'held',
    bits: 166,
    limitBits: 150,
    since: '2026-11-21T11:00:00.000Z',
    until: '2026-11-22T11:00:00.000Z',
    evidence: ['The name says much.'],
  };
  reply = { status: 200, body: JSON.stringify({ verdicts: [verdict] }) };
  const { port } = server.address() as AddressInfo;
  const ran = await sallyport('verdicts', '--http', `127.0.0.1:${port}`);
  expect(asked).toEqual(['GET /api/verdicts ']);
  expect(ran.stdout.split('\n')).toEqual([
    'held      192.0.2.7 → evil.test  name: 166 bits of 150',
    '          its names are denied, by what group staff says of tunnels',
    '          since 2026-11-21T11:00:00.000Z, until 2026-11-22T11:00:00.000Z; 2 names of 31 octets had left before',
    '          The name says much.',
    "          its queries  sallyport audit query --name '+.evil.test' --client 192.0.2.7 --since 2026-11-21T10:00:00.000Z",
    '          to end it    sallyport release --client 192.0.2.7 --zone evil.test',
    '',
  ]);
});
