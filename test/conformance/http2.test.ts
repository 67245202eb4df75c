/** HTTP/2 by the rules (RFC 9113, RFC 7541), over TLS and on the plain listener behind a proxy. */
import { once } from 'node:events';
import { connect } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { devCertificate, type Listener, openHttpsListener } from '../../src/listen/index.ts';
import { echo } from '../listen/echo.ts';
import { frame, PREFACE, RawHttp2 } from '../listen/raw-http2.ts';
import { REFUSED_ROWS } from './http2-refused-rows.ts';
import { DATA, type Expected, HEADERS, PING, ROWS, type Row, SETTINGS, type Step } from './http2-rows.ts';

const certificate = devCertificate();
const ACK = 1;
const MARK = Buffer.from('0123456789abcdef', 'hex');

test('the table is whole', () => {
  expect(new Set(ROWS.map(({ id }) => id)).size).toBe(ROWS.length);
  expect(ROWS.filter(({ rule }) => !rule.endsWith('(strict)')).length).toBe(146);
});

describe.each(['plain', 'TLS'])('HTTP/2 over %s', (over) => {
  let listener: Listener;
  let client: RawHttp2;

  // Answers come late, so that what follows a query in one write finds its stream open.
  const path = echo({ clientsPerAddress: 1000 }, (_message, answer) => setTimeout(answer, 10));

  beforeAll(async () => {
    listener = await openHttpsListener(over === 'TLS' ? { ...path, certificate } : { ...path, plain: true });
  });

  afterEach(() => client?.socket.destroy());

  afterAll(async () => {
    await listener.close(0);
    expect(listener.connections()).toBe(0);
    expect(path.limits.messages.taken).toBe(0);
  });

  async function dial(start?: Uint8Array): Promise<RawHttp2> {
    if (over === 'plain') return RawHttp2.dial(listener.port, start);
    const socket = connect({
      host: '127.0.0.1',
      port: listener.port,
      servername: 'localhost',
      ca: certificate.cert,
      ALPNProtocols: ['h2'],
    });
    await once(socket, 'secureConnect');
    expect(socket.alpnProtocol).toBe('h2');
    return RawHttp2.over(socket, start);
  }

  test.each(ROWS)('$id: $rule', check);
  test.each(REFUSED_ROWS)('of a request that is refused, $id: $rule', check);

  async function check({ start, steps, expected }: Row): Promise<void> {
    client = await dial(start);
    const sent: Uint8Array[] = [];
    for (const step of steps) {
      if (typeof step === 'string') {
        client.send(...sent.splice(0));
        await client.gets(step, () => isReached(client, step));
      } else {
        sent.push(step);
      }
    }
    client.send(...sent);
    await verify(client, expected);
  }
});

test('over TLS, GOAWAY is not lost behind a write that is still open', async () => {
  const listener = await openHttpsListener({ ...echo(), certificate });
  // Two records of one write, and so of one read: the first brings a write about, the second is the fault.
  const filler = frame(0x16, 0, 0, Buffer.alloc(16_384 - PREFACE.length - 9 - 17 - 9));
  const first = Buffer.concat([PREFACE, frame(SETTINGS, 0, 0), frame(PING, 0, 0, MARK), filler]);
  expect(first.length).toBe(16_384);
  const socket = connect({
    host: '127.0.0.1',
    port: listener.port,
    ca: certificate.cert,
    ALPNProtocols: ['h2'],
  });
  await once(socket, 'secureConnect');
  const client = RawHttp2.over(socket, Buffer.concat([first, frame(PING, 0, 3, MARK)]));
  await client.gets('GOAWAY and the end', () => client.goaway === 1 && client.ended);
  expect(client.ofType(PING).length).toBe(1);
  socket.destroy();
  await listener.close(0);
});

const isReached = (client: RawHttp2, step: Exclude<Step, Uint8Array>): boolean => {
  if (step === 'the answer') return client.answered(1);
  if (step === 'the first data') return client.ofType(DATA).length > 0;
  // One for the SETTINGS of the preface, one for those of the row.
  return acknowledgements(client) === 2;
};

const acknowledgements = (client: RawHttp2): number =>
  client.ofType(SETTINGS).filter(({ flags }) => flags === ACK).length;

/** Everything that was sent before is worked on when this is answered. */
async function pong(client: RawHttp2): Promise<void> {
  client.send(frame(PING, 0, 0, MARK));
  const isOurs = ({ flags, payload }: { flags: number; payload: Buffer }): boolean =>
    flags === ACK && payload.equals(MARK);
  await client.gets('the pong', () => client.ofType(PING).some(isOurs));
  expect(client.goaway).toBe(-1);
}

async function verify(client: RawHttp2, expected: Expected): Promise<void> {
  if ('answer' in expected) {
    await client.gets('the answer', () => client.answered(1));
    // The first field is `:status: 200`, entry 8 of the static table.
    expect(client.ofType(HEADERS).map(({ stream, payload }) => [stream, payload[0]])).toEqual([[1, 0x88]]);
    expect(client.ofType(DATA).length > 0).toBe(expected.method !== 'HEAD');
    await pong(client);
  } else if ('status' in expected) {
    await client.gets('the answer', () => client.answered(1));
    const [first] = client.ofType(HEADERS);
    // A literal without indexing whose name is entry 8 of the static table, then the length of its value.
    expect(first.payload.subarray(0, 5).toString('latin1')).toBe(`\x08\x03${expected.status}`);
    await pong(client);
  } else if ('pong' in expected) {
    const before = client.ofType(PING).length;
    await pong(client);
    // Of the steps' own PINGs, only those without ACK were answered.
    expect(client.ofType(PING).length).toBeGreaterThan(before);
  } else if ('data' in expected) {
    await client.gets('the data', () => client.ofType(DATA).length >= expected.data.length);
    await pong(client);
    expect(client.ofType(DATA).map(({ payload }) => payload.length)).toEqual(expected.data);
  } else if ('settings' in expected) {
    await client.gets('SETTINGS', () => client.ofType(SETTINGS).length > 0);
    expect(client.frames[0]).toMatchObject({ type: SETTINGS, flags: 0, stream: 0 });
    const due = expected.settings === 'acknowledged' ? 2 : 1;
    await client.gets('the acknowledgements', () => acknowledgements(client) === due);
    await pong(client);
  } else if ('connectionError' in expected) {
    await client.gets('GOAWAY and the end', () => client.goaway !== -1 && client.ended);
    expect(client.goaway).toBe(expected.connectionError);
  } else if ('streamError' in expected) {
    const stream = expected.stream ?? 1;
    await client.gets('RST_STREAM', () => client.reset(stream) !== -1 || client.goaway !== -1);
    expect([client.reset(stream), client.goaway]).toEqual([expected.streamError, -1]);
    await pong(client);
  } else {
    await client.gets('the end', () => client.ended || client.closed);
  }
}
