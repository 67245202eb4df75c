/**
 * The rows of `http2-rows.ts` whose course may be another when the request is refused, as those of h2spec are: unless it is
 * told otherwise it asks for `/`, and it posts without a media type. The identifiers are the same; a stream error is answered by
 * either of RST_STREAM and GOAWAY, which that suite takes for equal.
 */
import { block, frame } from '../listen/raw-http2.ts';
import { DATA, type Expected, HEADERS, type Row } from './http2-rows.ts';

const PRIORITY = 2;
const RST_STREAM = 3;
const SETTINGS = 4;
const WINDOW_UPDATE = 8;
const END_STREAM = 1;
const END_HEADERS = 4;

const PROTOCOL_ERROR = 1;
const FLOW_CONTROL_ERROR = 3;
const STREAM_CLOSED = 5;
const FRAME_SIZE_ERROR = 6;

type Field = [name: string, value: string];
const head = (ends: boolean, method: string, ...more: Field[]): Buffer =>
  frame(
    HEADERS,
    END_HEADERS | (ends ? END_STREAM : 0),
    1,
    block([':method', method], [':scheme', 'https'], [':path', '/'], [':authority', 'localhost'], ...more),
  );
const trailers = (...fields: Field[]): Buffer => frame(HEADERS, END_HEADERS, 1, block(...fields));
const data = (ends: boolean, octets: Uint8Array = Buffer.from('test')): Buffer =>
  frame(DATA, ends ? END_STREAM : 0, 1, octets);
const reset = (octets = '00000008'): Buffer => frame(RST_STREAM, 0, 1, octets);
const widen = (by: string): Buffer => frame(WINDOW_UPDATE, 0, 1, by);
const window = (octets: number): Buffer => frame(SETTINGS, 0, 0, `00040000000${octets}`);

const REFUSED: Expected = { status: '404' };
const connectionError = (code: number): Expected => ({ connectionError: code });
const streamError = (code: number): Expected => ({ streamError: code });

export const REFUSED_ROWS: readonly Row[] = [
  {
    id: 'generic/2/2',
    rule: 'WINDOW_UPDATE of a half-closed stream is accepted',
    steps: [window(0), head(true, 'GET'), widen('00000001')],
    expected: { data: [1] },
  },
  {
    id: 'generic/3.4/1',
    rule: 'RST_STREAM is accepted',
    steps: [head(false, 'GET'), reset()],
    expected: { pong: true },
  },
  { id: 'generic/4/1', rule: 'GET is answered', steps: [head(true, 'GET')], expected: REFUSED },
  {
    id: 'generic/4/3',
    rule: 'POST is answered',
    steps: [head(false, 'POST'), data(true)],
    expected: REFUSED,
  },
  {
    id: 'generic/4/4',
    rule: 'POST with trailers is answered',
    steps: [
      head(false, 'POST', ['trailer', 'x-test']),
      data(false),
      frame(HEADERS, END_HEADERS | END_STREAM, 1, block(['x-test', 'ok'])),
    ],
    expected: REFUSED,
  },
  {
    id: 'http2/4.2/1',
    rule: 'DATA of 2^14 octets is taken',
    steps: [head(false, 'POST'), data(true, Buffer.alloc(16_384, 'x'))],
    expected: REFUSED,
  },
  {
    id: 'http2/4.2/2',
    rule: 'DATA above the frame size is an error',
    steps: [head(false, 'POST'), data(true, Buffer.alloc(16_385, 'x'))],
    expected: connectionError(FRAME_SIZE_ERROR),
  },
  {
    id: 'http2/5.1/5',
    rule: 'half-closed: DATA',
    steps: [head(true, 'GET'), data(true)],
    expected: connectionError(STREAM_CLOSED),
  },
  {
    id: 'http2/5.1/6',
    rule: 'half-closed: HEADERS',
    steps: [head(true, 'GET'), head(true, 'GET')],
    expected: connectionError(STREAM_CLOSED),
  },
  {
    id: 'http2/5.1/8',
    rule: 'closed by RST_STREAM: DATA',
    steps: [head(false, 'GET'), reset(), data(true)],
    expected: connectionError(STREAM_CLOSED),
  },
  {
    id: 'http2/5.1/9',
    rule: 'closed by RST_STREAM: HEADERS',
    steps: [head(false, 'GET'), reset(), head(true, 'GET')],
    expected: connectionError(STREAM_CLOSED),
  },
  {
    id: 'http2/5.3.1/2',
    rule: 'PRIORITY of an idle stream that depends on itself is an error',
    steps: [frame(PRIORITY, 0, 1, '00000001ff')],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.1/2',
    rule: 'DATA of a stream that is not open',
    steps: [head(true, 'POST'), data(true)],
    expected: connectionError(STREAM_CLOSED),
  },
  {
    id: 'http2/6.3/2',
    rule: 'PRIORITY of 4 octets',
    steps: [head(true, 'GET'), frame(PRIORITY, 0, 1, '80000001')],
    expected: connectionError(FRAME_SIZE_ERROR),
  },
  {
    id: 'http2/6.4/3',
    rule: 'RST_STREAM of 3 octets',
    steps: [head(true, 'GET'), reset('000000')],
    expected: connectionError(FRAME_SIZE_ERROR),
  },
  {
    id: 'http2/6.9/2',
    rule: 'WINDOW_UPDATE of 0 for a stream',
    steps: [head(false, 'GET'), widen('00000000')],
    expected: streamError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.9.1/1',
    rule: 'no more is sent than the window of the stream',
    steps: [window(1), 'the settings taken', head(true, 'GET')],
    expected: { data: [1] },
  },
  {
    id: 'http2/6.9.1/3',
    rule: 'a window of a stream above 2^31 - 1 is an error',
    steps: [head(false, 'GET'), widen('7fffffff'), widen('7fffffff')],
    expected: streamError(FLOW_CONTROL_ERROR),
  },
  {
    id: 'http2/6.9.2/2',
    rule: 'a window may become negative',
    steps: [
      window(3),
      'the settings taken',
      head(true, 'GET'),
      'the first data',
      window(2),
      widen('00000002'),
    ],
    expected: { data: [3, 1] },
  },
  {
    id: 'http2/7/2',
    rule: 'RST_STREAM with an unknown code is taken',
    steps: [head(false, 'POST'), reset('000000ff')],
    expected: { pong: true },
  },
  {
    id: 'http2/8.1/1',
    rule: 'a second HEADERS that does not end the stream',
    steps: [head(false, 'POST'), data(false), trailers(['x-test', 'ok'])],
    expected: streamError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/8.1.2.1/3',
    rule: 'a pseudo-header as trailer',
    steps: [head(false, 'POST'), data(false), trailers([':method', 'POST'])],
    expected: streamError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/8.1.2.6/1',
    rule: 'a length other than that of DATA',
    steps: [head(false, 'POST', ['content-length', '1']), data(true)],
    expected: streamError(PROTOCOL_ERROR),
  },
];
