/** What real listeners have counted, in the words of the metrics. */
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import {
  devCertificate,
  type Listener,
  openHttpsListener,
  openTcpListener,
  openTlsListener,
} from '../src/listen/index.ts';
import { At, type PlainName } from '../src/metrics/index.ts';
import { streamCounts } from '../src/stream-counts.ts';
import { echo, framed, query, until } from './listen/echo.ts';

const certificate = devCertificate();
const listeners: Listener[] = [];
const sockets: Socket[] = [];

const opened = (listener: Listener): Listener => {
  listeners.push(listener);
  return listener;
};
const count = (column: PlainName): number => streamCounts(listeners).get(column) ?? 0;

function dial(listener: Listener): Socket {
  const socket = connectTcp(listener.port, '127.0.0.1');
  socket.on('error', () => {});
  sockets.push(socket);
  return socket;
}

function dialTls(listener: Listener, session?: Buffer): TLSSocket {
  const socket = connect({
    port: listener.port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: certificate.cert,
    session,
  });
  socket.on('error', () => {});
  sockets.push(socket);
  return socket;
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const listener of listeners.splice(0)) await listener.close(0);
});

describe('counts of stream listeners', () => {
  test('have a column each', async () => {
    opened(await openTcpListener(echo()));
    expect([...streamCounts(listeners).keys()].filter((column) => !(column in At))).toEqual([]);
  });

  test('tell full, resumed, failed and refused handshakes apart', async () => {
    // One in four is the share of one address.
    const listener = opened(
      await openTlsListener({ ...echo({ handshakesPerSecond: 8, handshakeMs: 200 }), certificate }),
    );
    const first = dialTls(listener);
    const [session] = (await once(first, 'session')) as [Buffer];
    const second = dialTls(listener, session);
    await once(second, 'secureConnect');
    await until('both to be counted', () => count('tlsFull') + count('tlsResumed') === 2);
    expect([count('tlsFull'), count('tlsResumed')]).toEqual([1, 1]);
    dialTls(listener);
    await until('the third to be refused', () => count('tlsRefused') === 1);
    expect([count('streamClosedLimit'), count('streamClosedHandshake'), count('tlsFailed')]).toEqual([
      1, 0, 0,
    ]);
  });

  test('call a handshake that does not come failed, and its connection closed for it', async () => {
    const listener = opened(await openTlsListener({ ...echo({ handshakeMs: 100 }), certificate }));
    await once(dial(listener), 'close');
    await until('the count', () => count('tlsFailed') === 1);
    expect([count('streamClosedHandshake'), count('streamClosedMalformed')]).toEqual([1, 0]);
  });

  test('call a connection without TLS that says nothing idle', async () => {
    const listener = opened(await openHttpsListener({ ...echo({ handshakeMs: 100 }), plain: true }));
    await once(dial(listener), 'close');
    await until('the count', () => count('streamClosedIdle') === 1);
    expect([count('streamClosedHandshake'), count('tlsFailed')]).toEqual([0, 0]);
  });

  test('have requests by status, of all listeners together', async () => {
    for (const status of [404, 404, 405]) {
      const listener = opened(await openHttpsListener({ ...echo(), plain: true }));
      const method = status === 405 ? 'DELETE' : 'GET';
      const path = status === 404 ? '/elsewhere' : '/dns-query';
      dial(listener).write(`${method} ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    }
    await until('the counts', () => count('http404') === 2 && count('http405') === 1);
    // A status that has no column of its own is not lost.
    listeners[0].counters.httpErrors[599] = 3;
    expect(count('httpOther')).toBe(3);
  });

  test('have queries that a rule drops, and those whose client has gone', async () => {
    const held: (() => void)[] = [];
    const drops = opened(await openTcpListener(echo({}, (message) => message.discard())));
    const holds = opened(await openTcpListener(echo({}, (_message, answer) => held.push(answer))));
    dial(drops).write(framed(query(1)));
    await until('the drop', () => count('streamDropped') === 1);
    const leaving = dial(holds);
    leaving.write(framed(query(1)));
    await until('the query', () => held.length === 1);
    leaving.resetAndDestroy();
    await until('the end', () => holds.connections() === 0);
    held[0]();
    expect([count('streamGone'), count('streamDropped')]).toEqual([1, 1]);
  });

  test('have the pauses of connections that ask too much at once', async () => {
    const held: (() => void)[] = [];
    const listener = opened(
      await openTcpListener(echo({ inFlightMax: 2 }, (_message, answer) => held.push(answer))),
    );
    dial(listener).write(framed(query(1), query(2), query(3)));
    await until('a pause', () => count('streamPaused') === 1);
    for (const answer of held.splice(0)) answer();
    await until('the third', () => held.length === 1);
    held[0]();
  });
});
