import { once } from 'node:events';
import { connect } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { devCertificate, type Listener, openHttpsListener } from '../../src/listen/index.ts';
import { Client } from './client.ts';
import { type Echo, echo, query, until } from './echo.ts';

const certificate = devCertificate();
const listeners: Listener[] = [];
const clients: Client[] = [];

async function open(path: Echo): Promise<Listener> {
  const listener = await openHttpsListener({ ...path, certificate });
  listeners.push(listener);
  return listener;
}

/** A TLS client that sends octets of its own. */
async function dial(listener: Listener): Promise<Client> {
  const socket = connect({
    port: listener.port,
    host: '127.0.0.1',
    ca: certificate.cert,
    ALPNProtocols: ['http/1.1'],
  });
  const client = new Client(socket);
  clients.push(client);
  await once(socket, 'secureConnect');
  return client;
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  for (const listener of listeners.splice(0)) {
    await listener.close(0);
    expect(listener.connections()).toBe(0);
    expect(listener.counters.inFlight).toBe(0);
  }
});

const get = (id: number): string =>
  `GET /dns-query?dns=${query(id).toString('base64url')} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
/** The head of a POST whose body comes in chunks. */
const CHUNKED =
  'POST /dns-query HTTP/1.1\r\nHost: x\r\nContent-Type: application/dns-message\r\nTransfer-Encoding: chunked\r\n\r\n';
const statuses = (client: Client): string[] =>
  [...client.received.toString('latin1').matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => match[1]);

describe('an HTTP/1.1 connection', () => {
  test('answers a pipeline in the order of the requests', async () => {
    const held: (() => void)[] = [];
    const path = echo({}, (_message, answer) => {
      held.push(answer);
      if (held.length === 3) for (const one of held.reverse()) one();
    });
    const client = await dial(await open(path));
    client.socket.write(get(0x4141) + get(0x4242) + get(0x4343));
    await until('three answers', () => statuses(client).length === 3);
    const bodies = client.received.toString('latin1').match(/AA|BB|CC/g);
    expect(bodies).toEqual(['AA', 'BB', 'CC']);
  });

  test('turns away a pipeline that is too long, and serves the rest', async () => {
    const held: (() => void)[] = [];
    const path = echo({ inFlightMax: 5 }, (_message, answer) => held.push(answer));
    const listener = await open(path);
    const client = await dial(listener);
    client.socket.write(get(1).repeat(8));
    await until('the queries', () => held.length === 5);
    for (const answer of held) answer();
    await until('the answers', () => statuses(client).length >= 6);
    expect(statuses(client).slice(0, 6)).toEqual(['200', '200', '200', '200', '200', '503']);
    expect(listener.counters.httpErrors[503]).toBeGreaterThan(0);
  });

  test.each([
    { name: 'nonsense', octets: 'HELLO\r\n\r\n', status: '400' },
    {
      name: 'header fields of 20 kB',
      octets: `GET / HTTP/1.1\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`,
      status: '431',
    },
    {
      name: 'two lengths',
      octets: 'POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      status: '400',
    },
    {
      name: 'a length and chunks (request smuggling)',
      octets:
        'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      status: '400',
    },
    {
      name: 'half a body that is not chunks, in place of its answer',
      octets: `${CHUNKED}-1\r\n`,
      status: '400',
    },
    { name: 'a chunk longer than any', octets: `${CHUNKED}fffffffffffffffff\r\n`, status: '400' },
    { name: 'chunks that end in LF', octets: `${CHUNKED}1d\n${'x'.repeat(29)}\n0\n\n`, status: '400' },
    {
      name: 'an extension of 40 kB of a chunk',
      octets: `${CHUNKED}1d;${'a'.repeat(40_000)}\r\n`,
      status: '400',
    },
    {
      name: 'trailers of 80 kB',
      octets: `${CHUNKED}1\r\nx\r\n0\r\n${'X-T: 1\r\n'.repeat(10_000)}\r\n`,
      status: '400',
    },
  ])('ends with $status on $name', async ({ octets, status }) => {
    const listener = await open(echo());
    const client = await dial(listener);
    client.socket.write(octets);
    await until('the end', () => client.ended || client.closed);
    expect(statuses(client)).toEqual([status]);
    expect(listener.counters.httpErrors).toEqual({ [status]: 1 });
    await until('the count', () => listener.counters.closed.malformed === 1);
  });

  test.each([
    { name: 'two hosts', octets: get(1).replace('\r\n\r\n', '\r\nHost: other\r\n\r\n'), status: '400' },
    {
      name: 'a coding that is not known',
      octets: `${CHUNKED.replace('chunked', 'gzip, chunked')}1d\r\n${'x'.repeat(29)}\r\n0\r\n\r\n`,
      status: '501',
    },
    {
      name: 'a coding behind which no end can be known',
      octets: `${CHUNKED.replace('chunked', 'xchunked')}0\r\n\r\n`,
      status: '501',
    },
    { name: 'HTTP/2.0 in the words of HTTP/1.1', octets: get(1).replace('/1.1', '/2.0'), status: '505' },
    { name: 'HTTP/0.9', octets: get(1).replace(/ HTTP.*/s, '\r\n\r\n'), status: '505' },
  ])('refuses $name with $status, and then ends', async ({ octets, status }) => {
    const path = echo();
    const listener = await open(path);
    const client = await dial(listener);
    client.socket.write(octets);
    await until('the end', () => client.ended || client.closed);
    expect(statuses(client)).toEqual([status]);
    expect(path.seen).toEqual([]);
    expect(listener.counters.httpErrors).toEqual({ [status]: 1 });
  });

  test('answers a whole URL as it does a path', async () => {
    const client = await dial(await open(echo()));
    client.socket.write(get(1).replace(' /', ' https://localhost:1/'));
    await until('the answer', () => statuses(client).length === 1);
    expect(statuses(client)).toEqual(['200']);
  });

  test('answers what was asked before half a body that is not chunks', async () => {
    const held: (() => void)[] = [];
    const listener = await open(echo({}, (_message, answer) => held.push(answer)));
    const client = await dial(listener);
    client.socket.write(`${get(1)}${CHUNKED}-1\r\n`);
    await until('the query', () => held.length === 1);
    held[0]();
    await until('the end', () => client.ended || client.closed);
    expect(statuses(client)).toEqual(['200', '400']);
  });

  test('is closed when the body of the last request it may send does not come', async () => {
    const listener = await open(echo({ queriesMax: 1, messageMs: 200 }));
    const client = await dial(listener);
    client.socket.write(CHUNKED);
    await until('the end', () => client.closed);
    expect(listener.counters.closed['slow-message']).toBe(1);
  });

  test.each([
    { name: 'a head', octets: 'GET /dns-query HTTP/1.1\r\nHost: x\r\n' },
    {
      name: 'a body',
      octets:
        'POST /dns-query HTTP/1.1\r\nHost: x\r\nContent-Type: application/dns-message\r\nContent-Length: 29\r\n\r\nabc',
    },
  ])('is closed when $name does not come to its end in time', async ({ octets }) => {
    const listener = await open(echo({ messageMs: 200 }));
    const client = await dial(listener);
    client.socket.write(octets);
    await until('the end', () => client.closed);
    expect(listener.counters.closed['slow-message']).toBe(1);
  });

  test('is not closed for it while its query is worked on', async () => {
    const listener = await open(echo({ messageMs: 200 }, (_message, answer) => setTimeout(answer, 1500)));
    const client = await dial(listener);
    client.socket.write(get(1));
    await until('the answer', () => statuses(client).length === 1);
    client.socket.write(get(2));
    await until('the next', () => statuses(client).length === 2);
  });

  test('is closed when it is idle', async () => {
    const listener = await open(echo({ idleMs: 100 }));
    const client = await dial(listener);
    client.socket.write(get(1));
    await until('the end', () => client.ended || client.closed);
    expect(statuses(client)).toEqual(['200']);
    await until('the count', () => listener.counters.closed.idle === 1);
  });

  test('says when it has had its share of queries', async () => {
    const client = await dial(await open(echo({ queriesMax: 2 })));
    client.socket.write(get(1));
    await until('the first', () => statuses(client).length === 1);
    client.socket.write(get(2));
    await until('the end', () => client.ended || client.closed);
    expect(statuses(client)).toEqual(['200', '200']);
    expect(client.received.toString('latin1').toLowerCase()).toContain('connection: close');
  });

  test('that takes chunks of a body takes no more than a message', async () => {
    const listener = await open(echo());
    const client = await dial(listener);
    client.socket.write(CHUNKED);
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    for (let i = 0; i < 5; i++) client.socket.write(chunk);
    await until('the refusal', () => statuses(client).length === 1);
    expect(statuses(client)).toEqual(['413']);
    await until('the end', () => client.ended || client.closed);
  });

  test('that is reset cancels its query', async () => {
    const answers: (() => void)[] = [];
    const listener = await open(echo({}, (_message, answer) => answers.push(answer)));
    const client = await dial(listener);
    client.socket.write(get(1));
    await until('the query', () => answers.length === 1);
    client.socket.destroy();
    await until('the end to be seen', () => listener.connections() === 0);
    answers[0]();
    expect(listener.counters).toMatchObject({ cancelled: 1, responses: 0, inFlight: 0 });
  });
});
