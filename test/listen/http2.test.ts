import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { type Listener, openHttpsListener } from '../../src/listen/index.ts';
import { type Echo, echo, query, until } from './echo.ts';
import { block, frame, PREFACE, post, RawHttp2 } from './raw-http2.ts';

const listeners: Listener[] = [];
const clients: RawHttp2[] = [];

async function open(path: Echo): Promise<Listener> {
  const listener = await openHttpsListener({ ...path, plain: true });
  listeners.push(listener);
  return listener;
}

async function dial(listener: Listener, start?: Uint8Array): Promise<RawHttp2> {
  const client = await RawHttp2.dial(listener.port, start);
  clients.push(client);
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

const DATA = 0;
const HEADERS = 1;
const PRIORITY = 2;
const RST_STREAM = 3;
const SETTINGS = 4;
const PUSH_PROMISE = 5;
const PING = 6;
const GOAWAY = 7;
const WINDOW_UPDATE = 8;
const CONTINUATION = 9;
const END_STREAM = 1;
const END_HEADERS = 4;
const PADDED = 8;
const WITH_PRIORITY = 32;

const PROTOCOL_ERROR = 1;
const FLOW_CONTROL_ERROR = 3;
const STREAM_CLOSED = 5;
const FRAME_SIZE_ERROR = 6;
const REFUSED_STREAM = 7;
const COMPRESSION_ERROR = 9;
const ENHANCE_YOUR_CALM = 11;

const message = query(0);
const head = (stream: number, fields = post(), flags = 0): Buffer =>
  frame(HEADERS, END_HEADERS | flags, stream, fields);
const body = (stream: number, octets: Uint8Array = message, flags = END_STREAM): Buffer =>
  frame(DATA, flags, stream, octets);
const asked = block(
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', `/dns-query?dns=${message.toString('base64url')}`],
);
const repeat = (count: number, octets: (i: number) => Buffer): Buffer[] =>
  Array.from({ length: count }, (_, i) => octets(i));

describe('an HTTP/2 connection serves (RFC 9113)', () => {
  test.each<{ name: string; frames: Buffer[] }>([
    { name: 'a POST', frames: [head(1), body(1)] },
    {
      name: 'a POST in two frames',
      frames: [head(1), body(1, message.subarray(0, 9), 0), body(1, message.subarray(9))],
    },
    {
      name: 'a POST ended by an empty frame',
      frames: [head(1), body(1, message, 0), body(1, Buffer.alloc(0))],
    },
    {
      name: 'a POST ended by trailers',
      frames: [head(1), body(1, message, 0), head(1, block(['x', 'y']), END_STREAM)],
    },
    {
      name: 'a padded POST',
      frames: [
        frame(HEADERS, END_HEADERS | PADDED, 1, Buffer.concat([Buffer.from([3]), post(), Buffer.alloc(3)])),
        frame(DATA, END_STREAM | PADDED, 1, Buffer.concat([Buffer.from([200]), message, Buffer.alloc(200)])),
      ],
    },
    {
      name: 'a POST with priority',
      frames: [
        frame(
          HEADERS,
          END_HEADERS | WITH_PRIORITY,
          1,
          Buffer.concat([Buffer.from('000000000f', 'hex'), post()]),
        ),
        body(1),
      ],
    },
    {
      name: 'fields in CONTINUATION frames',
      frames: [
        frame(HEADERS, 0, 1, post().subarray(0, 20)),
        frame(CONTINUATION, 0, 1, post().subarray(20, 30)),
        frame(CONTINUATION, END_HEADERS, 1, post().subarray(30)),
        body(1),
      ],
    },
    { name: 'a GET', frames: [head(1, asked, END_STREAM)] },
    { name: 'a GET ended by an empty frame', frames: [head(1, asked), body(1, Buffer.alloc(0))] },
    {
      name: 'unknown frames and flags',
      frames: [frame(0x77, 0xff, 1, 'abcd'), head(1, post(), 0x80), body(1)],
    },
    { name: 'unknown settings', frames: [frame(SETTINGS, 0, 0, '00ff00000001'), head(1), body(1)] },
    {
      name: 'priorities of streams that are not there',
      frames: [frame(PRIORITY, 0, 9, '0000000b0f'), head(1), body(1)],
    },
    {
      name: 'after GOAWAY of the client',
      frames: [frame(GOAWAY, 0, 0, '0000000000000000'), head(1), body(1)],
    },
    { name: 'a length that is right', frames: [head(1, post(['content-length', '29'])), body(1)] },
    { name: 'the field te: trailers', frames: [head(1, post(['te', 'trailers'])), body(1)] },
  ])('$name', async ({ frames }) => {
    const listener = await open(echo());
    const client = await dial(listener);
    client.send(...frames);
    await client.gets('the answer', () => client.answered(1));
    expect(client.ofType(HEADERS)[0].payload[0]).toBe(0x88);
    expect(client.goaway).toBe(-1);
  });

  test.each([1, 2, 5, 9, 10, 33])('frames that are cut every %i octets', async (step) => {
    const listener = await open(echo());
    const octets = Buffer.concat([
      PREFACE,
      frame(SETTINGS, 0, 0),
      head(1),
      body(1),
      head(3, asked, END_STREAM),
    ]);
    // The first octets tell HTTP/2 from HTTP/1.1, so they come together.
    const client = await dial(listener, octets.subarray(0, 3));
    for (let at = 3; at < octets.length; at += step) {
      await new Promise((resolve) => setImmediate(resolve));
      client.socket.write(octets.subarray(at, at + step));
    }
    await client.gets('both answers', () => client.answered(1) && client.answered(3));
  });

  test('PING and SETTINGS with acknowledgements', async () => {
    const listener = await open(echo());
    const client = await dial(listener);
    client.send(frame(PING, 0, 0, '0102030405060708'), frame(PING, 1, 0, '0102030405060708'));
    await client.gets('the answer', () => client.ofType(PING).length === 1);
    expect(client.ofType(PING)[0]).toMatchObject({
      flags: 1,
      payload: Buffer.from('0102030405060708', 'hex'),
    });
    expect(client.ofType(SETTINGS).map(({ flags }) => flags)).toEqual([0, 1]);
  });

  test('responses as the windows open', async () => {
    const listener = await open(echo());
    const client = await dial(listener, Buffer.concat([PREFACE, frame(SETTINGS, 0, 0, '000400000005')]));
    client.send(head(1), body(1));
    await client.gets('the first five octets', () => client.ofType(DATA).length === 1);
    expect(client.ofType(DATA)[0].payload.length).toBe(5);
    // A smaller initial window makes that of the stream negative (RFC 9113 section 6.9.2): -5 + 10 = 5 more.
    client.send(frame(SETTINGS, 0, 0, '000400000000'), frame(WINDOW_UPDATE, 0, 1, '0000000a'));
    await client.gets('five more', () => client.ofType(DATA).length === 2);
    expect(client.ofType(DATA)[1].payload.length).toBe(5);
    client.send(frame(SETTINGS, 0, 0, '000400000064'));
    await client.gets('the rest', () => client.answered(1));
    expect(Buffer.concat(client.ofType(DATA).map(({ payload }) => payload)).length).toBe(message.length);
  });

  test('a client that has sent all it will', async () => {
    const listener = await open(echo({}, (_message, answer) => setTimeout(answer, 50)));
    const client = await dial(listener);
    client.socket.end(Buffer.concat([head(1), body(1), head(3)]));
    await client.gets('the answer and the end', () => client.answered(1) && client.ended);
  });
});

describe('an HTTP/2 connection ends with GOAWAY', () => {
  test.each<{ name: string; frames: Buffer[]; code: number }>([
    { name: 'DATA of stream 0', frames: [body(0)], code: PROTOCOL_ERROR },
    { name: 'DATA of an idle stream', frames: [body(1)], code: PROTOCOL_ERROR },
    { name: 'DATA of a closed stream', frames: [head(1, asked, END_STREAM), body(1)], code: STREAM_CLOSED },
    {
      name: 'padding as long as the frame',
      frames: [head(1), frame(DATA, PADDED, 1, '0500000000')],
      code: PROTOCOL_ERROR,
    },
    { name: 'padding in an empty frame', frames: [head(1), frame(DATA, PADDED, 1)], code: PROTOCOL_ERROR },
    { name: 'HEADERS of stream 0', frames: [head(0)], code: PROTOCOL_ERROR },
    { name: 'HEADERS of an even stream', frames: [head(2)], code: PROTOCOL_ERROR },
    {
      name: 'HEADERS of a closed stream',
      frames: [head(1, asked, END_STREAM), head(1)],
      code: STREAM_CLOSED,
    },
    { name: 'HEADERS of a skipped stream', frames: [head(5), head(3)], code: STREAM_CLOSED },
    {
      name: 'HEADERS padded to nothing',
      frames: [frame(HEADERS, END_HEADERS | PADDED, 1, 'ff82')],
      code: PROTOCOL_ERROR,
    },
    { name: 'fields that cannot be read', frames: [head(1, Buffer.from([0xff]))], code: COMPRESSION_ERROR },
    {
      name: 'CONTINUATION without HEADERS',
      frames: [frame(CONTINUATION, END_HEADERS, 1)],
      code: PROTOCOL_ERROR,
    },
    {
      name: 'DATA between the parts of a block',
      frames: [frame(HEADERS, 0, 1, post()), body(1)],
      code: PROTOCOL_ERROR,
    },
    {
      name: 'CONTINUATION of another stream',
      frames: [frame(HEADERS, 0, 1, post()), frame(CONTINUATION, END_HEADERS, 3)],
      code: PROTOCOL_ERROR,
    },
    { name: 'PRIORITY of stream 0', frames: [frame(PRIORITY, 0, 0, '0000000b0f')], code: PROTOCOL_ERROR },
    { name: 'PRIORITY of 4 octets', frames: [frame(PRIORITY, 0, 1, '0000000b')], code: FRAME_SIZE_ERROR },
    { name: 'RST_STREAM of stream 0', frames: [frame(RST_STREAM, 0, 0, '00000008')], code: PROTOCOL_ERROR },
    {
      name: 'RST_STREAM of an idle stream',
      frames: [frame(RST_STREAM, 0, 1, '00000008')],
      code: PROTOCOL_ERROR,
    },
    {
      name: 'RST_STREAM of 3 octets',
      frames: [head(1), frame(RST_STREAM, 0, 1, '000008')],
      code: FRAME_SIZE_ERROR,
    },
    { name: 'SETTINGS of a stream', frames: [frame(SETTINGS, 0, 1)], code: PROTOCOL_ERROR },
    { name: 'SETTINGS of 5 octets', frames: [frame(SETTINGS, 0, 0, '0003000000')], code: FRAME_SIZE_ERROR },
    {
      name: 'SETTINGS with ACK and payload',
      frames: [frame(SETTINGS, 1, 0, '000300000001')],
      code: FRAME_SIZE_ERROR,
    },
    { name: 'ENABLE_PUSH of 2', frames: [frame(SETTINGS, 0, 0, '000200000002')], code: PROTOCOL_ERROR },
    { name: 'a window of 2^31', frames: [frame(SETTINGS, 0, 0, '000480000000')], code: FLOW_CONTROL_ERROR },
    { name: 'a frame size of 16383', frames: [frame(SETTINGS, 0, 0, '000500003fff')], code: PROTOCOL_ERROR },
    { name: 'a frame size of 2^24', frames: [frame(SETTINGS, 0, 0, '000501000000')], code: PROTOCOL_ERROR },
    { name: 'PUSH_PROMISE', frames: [frame(PUSH_PROMISE, 4, 1, '00000002')], code: PROTOCOL_ERROR },
    { name: 'PING of a stream', frames: [frame(PING, 0, 1, '0000000000000000')], code: PROTOCOL_ERROR },
    { name: 'PING of 6 octets', frames: [frame(PING, 0, 0, '000000000000')], code: FRAME_SIZE_ERROR },
    { name: 'GOAWAY of a stream', frames: [frame(GOAWAY, 0, 1, '0000000000000000')], code: PROTOCOL_ERROR },
    { name: 'GOAWAY of 7 octets', frames: [frame(GOAWAY, 0, 0, '00000000000000')], code: FRAME_SIZE_ERROR },
    {
      name: 'WINDOW_UPDATE of nothing',
      frames: [frame(WINDOW_UPDATE, 0, 0, '00000000')],
      code: PROTOCOL_ERROR,
    },
    {
      name: 'WINDOW_UPDATE of 3 octets',
      frames: [frame(WINDOW_UPDATE, 0, 0, '000001')],
      code: FRAME_SIZE_ERROR,
    },
    {
      name: 'WINDOW_UPDATE of an idle stream',
      frames: [frame(WINDOW_UPDATE, 0, 1, '00000001')],
      code: PROTOCOL_ERROR,
    },
    {
      name: 'a window beyond 2^31 - 1',
      frames: [frame(WINDOW_UPDATE, 0, 0, '7fffffff')],
      code: FLOW_CONTROL_ERROR,
    },
    {
      name: 'a frame of 16385 octets',
      frames: [head(1), body(1, Buffer.alloc(16_385))],
      code: FRAME_SIZE_ERROR,
    },
    {
      name: 'more DATA than the window',
      frames: repeat(5, (i) =>
        Buffer.concat([head(2 * i + 1), ...repeat(4, () => body(2 * i + 1, Buffer.alloc(16_383), 0))]),
      ),
      code: FLOW_CONTROL_ERROR,
    },
    {
      name: 'a header block without end',
      frames: [frame(HEADERS, 0, 1, post()), ...repeat(20, () => frame(CONTINUATION, 0, 1))],
      code: ENHANCE_YOUR_CALM,
    },
    {
      name: 'a header block of 50 kB',
      frames: [
        frame(HEADERS, 0, 1, Buffer.alloc(16_384)),
        ...repeat(2, () => frame(CONTINUATION, 0, 1, Buffer.alloc(16_384))),
      ],
      code: ENHANCE_YOUR_CALM,
    },
    {
      name: 'a flood of PING',
      frames: repeat(1100, () => frame(PING, 0, 0, '0000000000000000')),
      code: ENHANCE_YOUR_CALM,
    },
    {
      name: 'a flood of SETTINGS',
      frames: repeat(1100, () => frame(SETTINGS, 0, 0)),
      code: ENHANCE_YOUR_CALM,
    },
    {
      name: 'a flood of empty DATA',
      frames: [head(1), ...repeat(1100, () => body(1, Buffer.alloc(0), 0))],
      code: ENHANCE_YOUR_CALM,
    },
    {
      name: 'a flood of unknown frames',
      frames: repeat(1100, () => frame(0x99, 0, 0)),
      code: ENHANCE_YOUR_CALM,
    },
    {
      name: 'a flood of GOAWAY',
      frames: repeat(1100, () => frame(GOAWAY, 0, 0, '0000000000000000')),
      code: ENHANCE_YOUR_CALM,
    },
    {
      name: 'a flood of refused requests',
      frames: [
        ...repeat(1100, (i) =>
          head(2 * i + 1, block([':method', 'GET'], [':scheme', 'https'], [':path', '/']), END_STREAM),
        ),
        frame(PING, 0, 0, '0000000000000000'),
      ],
      code: ENHANCE_YOUR_CALM,
    },
    {
      name: 'rapid reset (CVE-2023-44487)',
      frames: repeat(250, (i) =>
        Buffer.concat([head(2 * i + 1, asked, END_STREAM), frame(RST_STREAM, 0, 2 * i + 1, '00000008')]),
      ),
      code: ENHANCE_YOUR_CALM,
    },
    {
      name: 'resets that we are made to send (CVE-2025-8671)',
      frames: repeat(250, (i) =>
        Buffer.concat([head(2 * i + 1), frame(WINDOW_UPDATE, 0, 2 * i + 1, '00000000')]),
      ),
      code: ENHANCE_YOUR_CALM,
    },
  ])('$code on $name', async ({ frames, code }) => {
    // Answers come late, so that no query ends before the fault is there.
    const path = echo({}, (_message, answer) => setTimeout(answer, 20));
    const listener = await open(path);
    const client = await dial(listener);
    client.send(...(isOfClosedStream(frames) ? await closedFirst(client, frames) : frames));
    await client.gets('GOAWAY', () => client.goaway !== -1);
    expect(client.goaway).toBe(code);
    await client.gets('the end', () => client.ended);
    client.socket.destroy();
    const reason = code === ENHANCE_YOUR_CALM ? 'abuse' : 'malformed';
    await until(
      'the count',
      () => listener.counters.closed[reason] === 1 && listener.counters.inFlight === 0,
    );
    expect(path.limits.messages.taken).toBe(0);
  });

  test('of too many queries it was given up on: their work is cancelled', async () => {
    const cancelled: boolean[] = [];
    const path = echo({}, (one, answer) =>
      setTimeout(() => {
        cancelled.push(one.cancelled);
        answer();
      }, 20),
    );
    const listener = await open(path);
    const client = await dial(listener);
    client.send(
      ...repeat(50, (i) =>
        Buffer.concat([head(2 * i + 1, asked, END_STREAM), frame(RST_STREAM, 0, 2 * i + 1, '00000008')]),
      ),
    );
    await until('all to be given back', () => cancelled.length === 50);
    expect(cancelled).toEqual(Array(50).fill(true));
    expect(listener.counters).toMatchObject({ cancelled: 50, responses: 0, inFlight: 0 });
    expect(client.goaway).toBe(-1);
  });

  test.each([
    { name: 'no preface', start: Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n'), code: PROTOCOL_ERROR },
    { name: 'no SETTINGS at first', start: Buffer.concat([PREFACE, head(1)]), code: PROTOCOL_ERROR },
  ])('$code on $name', async ({ start, code }) => {
    const listener = await open(echo());
    const client = await dial(listener, start);
    await client.gets('GOAWAY', () => client.goaway !== -1);
    expect(client.goaway).toBe(code);
  });
});

/** Frames that speak of a closed stream have to wait for its answer. */
const isOfClosedStream = (frames: Buffer[]): boolean =>
  frames[0].equals(head(1, asked, END_STREAM)) && frames.length === 2;

async function closedFirst(client: RawHttp2, frames: Buffer[]): Promise<Buffer[]> {
  client.send(frames[0]);
  await client.gets('the answer', () => client.answered(1));
  return frames.slice(1);
}

describe('an HTTP/2 connection resets only the stream', () => {
  test.each<{ name: string; frames: Buffer[]; code: number }>([
    { name: 'an upper-case name', frames: [head(1, post(['X-Name', 'v']))], code: PROTOCOL_ERROR },
    { name: 'a line break in a value', frames: [head(1, post(['x', 'a\r\nb']))], code: PROTOCOL_ERROR },
    { name: 'an unknown pseudo-header', frames: [head(1, block([':x', 'y']))], code: PROTOCOL_ERROR },
    {
      name: 'a pseudo-header of responses',
      frames: [head(1, post([':status', '200']))],
      code: PROTOCOL_ERROR,
    },
    {
      name: 'a pseudo-header behind a field',
      frames: [head(1, post([':authority', 'x']))],
      code: PROTOCOL_ERROR,
    },
    {
      name: 'a second method',
      frames: [head(1, block([':method', 'GET'], [':method', 'GET']))],
      code: PROTOCOL_ERROR,
    },
    {
      name: 'no method',
      frames: [head(1, block([':scheme', 'https'], [':path', '/']))],
      code: PROTOCOL_ERROR,
    },
    { name: 'no scheme', frames: [head(1, block([':method', 'GET'], [':path', '/']))], code: PROTOCOL_ERROR },
    {
      name: 'no path',
      frames: [head(1, block([':method', 'GET'], [':scheme', 'https']))],
      code: PROTOCOL_ERROR,
    },
    {
      name: 'an empty path',
      frames: [head(1, block([':method', 'GET'], [':scheme', 'https'], [':path', '']))],
      code: PROTOCOL_ERROR,
    },
    {
      name: 'a field of connections',
      frames: [head(1, post(['connection', 'close']))],
      code: PROTOCOL_ERROR,
    },
    {
      name: 'transfer-encoding',
      frames: [head(1, post(['transfer-encoding', 'chunked']))],
      code: PROTOCOL_ERROR,
    },
    { name: 'te: gzip', frames: [head(1, post(['te', 'gzip']))], code: PROTOCOL_ERROR },
    {
      name: 'a length that is wrong',
      frames: [head(1, post(['content-length', '30'])), body(1)],
      code: PROTOCOL_ERROR,
    },
    {
      name: 'two lengths',
      frames: [head(1, post(['content-length', '29'], ['content-length', '30']))],
      code: PROTOCOL_ERROR,
    },
    {
      name: 'trailers that do not end the stream',
      frames: [head(1), head(1, block(['x', 'y']))],
      code: PROTOCOL_ERROR,
    },
    {
      name: 'trailers with a pseudo-header',
      frames: [head(1), head(1, block([':method', 'GET']), END_STREAM)],
      code: PROTOCOL_ERROR,
    },
    { name: 'DATA behind the end', frames: [head(1), body(1), body(1)], code: STREAM_CLOSED },
    { name: 'HEADERS behind the end', frames: [head(1), body(1), head(1)], code: STREAM_CLOSED },
    {
      name: 'WINDOW_UPDATE of nothing',
      frames: [head(1), frame(WINDOW_UPDATE, 0, 1, '00000000')],
      code: PROTOCOL_ERROR,
    },
    {
      name: 'a window beyond 2^31 - 1',
      frames: [head(1), frame(WINDOW_UPDATE, 0, 1, '7fffffff')],
      code: FLOW_CONTROL_ERROR,
    },
    {
      name: 'a stream that depends on itself',
      frames: [
        frame(
          HEADERS,
          END_HEADERS | WITH_PRIORITY,
          1,
          Buffer.concat([Buffer.from('000000010f', 'hex'), post()]),
        ),
      ],
      code: PROTOCOL_ERROR,
    },
    {
      name: 'PRIORITY of 4 octets',
      frames: [head(1), frame(PRIORITY, 0, 1, '0000000b')],
      code: FRAME_SIZE_ERROR,
    },
    {
      name: 'PRIORITY on itself',
      frames: [head(1), frame(PRIORITY, 0, 1, '000000010f')],
      code: PROTOCOL_ERROR,
    },
  ])('with $code on $name', async ({ frames, code }) => {
    const listener = await open(echo({}, (_message, answer) => setTimeout(answer, 20)));
    const client = await dial(listener);
    client.send(...frames);
    await client.gets('RST_STREAM', () => client.reset(1) !== -1);
    expect(client.reset(1)).toBe(code);
    client.send(head(3), body(3));
    await client.gets('the answer to the next', () => client.answered(3));
    expect(client.goaway).toBe(-1);
  });

  test('when there are more than the settings say, which clients are told', async () => {
    const held: (() => void)[] = [];
    const listener = await open(echo({ streamsMax: 2 }, (_message, answer) => held.push(answer)));
    const client = await dial(listener);
    client.send(...repeat(3, (i) => head(2 * i + 1, asked, END_STREAM)));
    await client.gets('the refusal', () => client.reset(5) === REFUSED_STREAM);
    expect(held.length).toBe(2);
    expect(listener.counters.streamsReset).toEqual({ streams: 1, urls: 0, output: 0 });
    // SETTINGS_MAX_CONCURRENT_STREAMS (3) with the value 2.
    const settings = client.frames.find(({ type }) => type === SETTINGS);
    expect(settings?.payload.toString('hex')).toContain('000300000002');
    for (const answer of held) answer();
    await client.gets('the answers', () => client.answered(1) && client.answered(3));
  });

  test('not at all when no message slot is free: 503, counted', async () => {
    const held: (() => void)[] = [];
    const listener = await open(echo({ messagesMax: 1 }, (_message, answer) => held.push(answer)));
    const client = await dial(listener);
    client.send(head(1, asked, END_STREAM), head(3, asked, END_STREAM));
    await until('the refusal', () => listener.counters.httpErrors[503] === 1);
    await client.gets('its end', () => client.answered(3));
    expect([held.length, client.answered(1), client.reset(3)]).toEqual([1, false, -1]);
    held[0]();
    await client.gets('the answer', () => client.answered(1));
  });

  test('as often as the settings say, then asks the client to go', async () => {
    const listener = await open(echo({ resetsMax: 3 }, (_message, answer) => setImmediate(answer)));
    const client = await dial(listener);
    const reset = (i: number): Buffer[] => [
      head(2 * i + 1, asked, END_STREAM),
      frame(RST_STREAM, 0, 2 * i + 1, '00000008'),
    ];
    client.send(
      ...[0, 1, 2].flatMap(reset),
      head(7),
      body(7, message.subarray(0, 5), 0),
      frame(PING, 0, 0, '0102030405060708'),
    );
    await client.gets('the echo of PING', () => client.frames.some(({ type }) => type === PING));
    expect(client.goaway).toBe(-1);
    client.send(...reset(4));
    await client.gets('GOAWAY', () => client.goaway === ENHANCE_YOUR_CALM);
    await until('the count', () => listener.counters.closed.abuse === 1);
  });

  test('when there are more than 100', async () => {
    const held: (() => void)[] = [];
    const listener = await open(echo({}, (_message, answer) => held.push(answer)));
    const client = await dial(listener);
    client.send(...repeat(101, (i) => head(2 * i + 1, asked, END_STREAM)));
    await client.gets('the refusal', () => client.reset(201) === REFUSED_STREAM);
    expect(held.length).toBe(100);
    expect(listener.counters.streamsReset.streams).toBe(1);
    for (const answer of held) answer();
    await client.gets('the answers', () => client.answered(199));
  });

  test('whose long URLs wait for an end that does not come', async () => {
    const path = echo();
    const listener = await open(path);
    const client = await dial(listener);
    // The path as a literal whose length takes three octets: 8000 of them.
    const url = `/dns-query?dns=${message.toString('base64url')}&x=`.padEnd(8000, 'x');
    const fields = Buffer.concat([
      block([':method', 'GET'], [':scheme', 'https']),
      Buffer.from([0x04, 0x7f, 0xc1, 0x3d]),
      Buffer.from(url),
    ]);
    client.send(...repeat(16, (i) => head(2 * i + 1, fields)), head(33, fields), head(35, asked, END_STREAM));
    await client.gets('the answer', () => client.answered(35));
    expect(client.reset(31)).toBe(-1);
    expect(client.reset(33)).toBe(ENHANCE_YOUR_CALM);
    expect(listener.counters.streamsReset).toEqual({ streams: 0, urls: 1, output: 0 });
    client.send(...repeat(16, (i) => frame(DATA, END_STREAM, 2 * i + 1)));
    await client.gets('the others', () => client.answered(31));
    client.send(head(37, fields), frame(DATA, END_STREAM, 37));
    await client.gets('one more', () => client.answered(37));
  });

  test('whose window the client keeps shut, when it has many of them', async () => {
    const path = echo();
    const listener = await open(path);
    const client = await dial(listener, Buffer.concat([PREFACE, frame(SETTINGS, 0, 0, '000400000000')]));
    const large = query(0, 60_000);
    for (let i = 0; i < 8; i++) {
      const stream = 2 * i + 1;
      client.send(
        head(stream),
        ...repeat(4, (j) => body(stream, large.subarray(j * 15_000, (j + 1) * 15_000), j === 3 ? 1 : 0)),
      );
      await until('the query', () => path.seen.length === i + 1);
    }
    await client.gets('the resets', () => client.reset(15) === ENHANCE_YOUR_CALM);
    expect(client.reset(1)).toBe(-1);
    expect(listener.counters.streamsReset).toMatchObject({ streams: 0, urls: 0 });
    expect(listener.counters.streamsReset.output).toBeGreaterThan(0);
  });

  test('whose windows many clients keep shut together: who has most goes', async () => {
    const path = echo({ unreadTotalMax: 140_000, slowReaderMs: 60_000 });
    const listener = await open(path);
    const shut = Buffer.concat([PREFACE, frame(SETTINGS, 0, 0, '000400000000')]);
    for (let i = 0; i < 4; i++) {
      const client = await dial(listener, shut);
      for (const stream of [1, 3, 5].slice(i === 1 ? 0 : 1)) {
        client.send(head(stream), body(stream, query(0, 16_384)));
      }
      await until('the queries', () => path.seen.length >= 2 * (i + 1));
    }
    await until('the end', () => listener.counters.closed['slow-reader'] === 1);
    await clients[1].gets('its end', () => clients[1].ended || clients[1].closed);
    expect(path.limits.unread).toBeLessThanOrEqual(140_000);
    for (const client of clients.splice(0)) client.socket.destroy();
    await until('nothing to be kept', () => path.limits.unread === 0);
  });

  test('of a client that never reads, with its connection', async () => {
    const large = new Uint8Array(60_000);
    const path = echo({ slowReaderMs: 700 }, (one) => {
      one.octets = large;
      one.length = large.length;
      one.respond();
    });
    const listener = await open(path);
    const wide = Buffer.concat([
      PREFACE,
      frame(SETTINGS, 0, 0, '00047fffffff'),
      frame(WINDOW_UPDATE, 0, 0, '7fff0000'),
    ]);
    const client = await dial(listener, wide);
    client.socket.pause();
    client.send(...repeat(500, (i) => head(2 * i + 1, asked, END_STREAM)));
    let most = 0;
    await until('the end', () => {
      most = Math.max(most, path.limits.unread);
      return listener.counters.closed['slow-reader'] === 1;
    });
    expect(most).toBeGreaterThan(60_000);
    // One answer more than the bound, and the heads of its frames.
    expect(most).toBeLessThanOrEqual(256 * 1024 + 60_200);
    expect(path.limits.unread).toBe(0);
  });

  test('of a request that is not finished in time, with its connection', async () => {
    const listener = await open(echo({ messageMs: 100 }));
    const client = await dial(listener);
    client.send(head(1), body(1, message.subarray(0, 5), 0));
    await client.gets('the end', () => client.ended || client.closed);
    expect(listener.counters.closed['slow-message']).toBe(1);
  });
});

describe('an HTTP/2 connection with noise', () => {
  test('never throws, and ends or answers', async () => {
    const listener = await open(echo({ clientsPerAddress: 1000 }));
    const octets = fc.uint8Array({ maxLength: 40 }).map((some) => Buffer.from(some));
    const near = fc
      .tuple(
        fc.integer({ min: 0, max: 10 }),
        fc.nat(255),
        fc.nat(8),
        fc.oneof(octets, fc.constantFrom(post(), asked, message)),
      )
      .map(([type, flags, stream, payload]) => frame(type, flags, stream, payload));
    await fc.assert(
      fc.asyncProperty(fc.array(near, { maxLength: 12 }), async (frames) => {
        const client = await dial(listener);
        client.send(...frames, frame(PING, 0, 0, '00000000000000ff'));
        await client.gets(
          'an end or a pong',
          () => client.ended || client.closed || client.ofType(PING).length > 0 || isOpenBlock(frames),
        );
        client.socket.destroy();
      }),
      { numRuns: 150 },
    );
  });
});

/** HEADERS without END_HEADERS: what follows it is a fault, and nothing at all follows if it was the last. */
const isOpenBlock = (frames: Buffer[]): boolean =>
  frames.length > 0 && frames[frames.length - 1][3] === HEADERS;
