/**
 * What RFC 9113 and RFC 7541 ask of a server, one row for each rule that a peer can try out.
 *
 * Numbered as the black-box suite h2spec numbers them ("generic" 1 to 5, "http2" 3.5 to 8.2, "hpack" 2.3.3 to 6.3: 146 cases,
 * and two more that it counts as strict), so that a row can be found there; sections are those of RFC 7540, which that
 * suite follows. Where RFC 9113 leaves a choice, the row holds what we chose.
 */
import { query } from '../listen/echo.ts';
import { block, frame, PREFACE, post } from '../listen/raw-http2.ts';

export const DATA = 0;
export const HEADERS = 1;
const PRIORITY = 2;
const RST_STREAM = 3;
export const SETTINGS = 4;
const PUSH_PROMISE = 5;
export const PING = 6;
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

/** Octets to send, or what to wait for before the next are sent. */
export type Step = Uint8Array | 'the settings taken' | 'the answer' | 'the first data';

export type Expected =
  /** A response with status 200, in full; its body is of `data` octets where that is said. */
  | { readonly answer: 200; readonly method?: 'HEAD' }
  /** A response with this status, in full. */
  | { readonly status: string }
  /** The PING that follows the steps is answered. */
  | { readonly pong: true }
  /** Sizes of the DATA frames that come, in their order, and no more of them. */
  | { readonly data: readonly number[] }
  | { readonly settings: 'first' | 'acknowledged' }
  /** GOAWAY with this code, then the end of the connection. */
  | { readonly connectionError: number }
  /** RST_STREAM with this code, and the connection goes on. */
  | { readonly streamError: number; readonly stream?: number }
  /** The end of the connection, with or without a word. */
  | { readonly closed: true };

export interface Row {
  readonly id: string;
  readonly rule: string;
  /** Sent in place of the preface and empty SETTINGS. */
  readonly start?: Uint8Array;
  readonly steps: readonly Step[];
  readonly expected: Expected;
}

const message = query(0);
const dnsPath = `/dns-query?dns=${message.toString('base64url')}`;
const request = (method: string, ...more: [string, string][]): Buffer =>
  block([':method', method], [':scheme', 'https'], [':path', dnsPath], ...more);
const GET = request('GET');

const get = (stream = 1, fields: Uint8Array = GET): Buffer =>
  frame(HEADERS, END_HEADERS | END_STREAM, stream, fields);
const open = (stream = 1, fields: Uint8Array = post()): Buffer => frame(HEADERS, END_HEADERS, stream, fields);
const data = (stream = 1, octets: Uint8Array = message, flags = END_STREAM): Buffer =>
  frame(DATA, flags, stream, octets);
const more = (stream: number, fields: Uint8Array, flags = END_HEADERS): Buffer =>
  frame(CONTINUATION, flags, stream, fields);
const reset = (stream: number, code = '00000008'): Buffer => frame(RST_STREAM, 0, stream, code);
const priority = (stream: number, on = '00000000', weight = 'ff'): Buffer =>
  frame(PRIORITY, 0, stream, on + weight);
const widen = (stream: number, by: string): Buffer => frame(WINDOW_UPDATE, 0, stream, by);
const window = (octets: number): Buffer =>
  frame(SETTINGS, 0, 0, `0004${octets.toString(16).padStart(8, '0')}`);
const concat = (...parts: Uint8Array[]): Buffer => Buffer.concat(parts);
const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');
const DUMMY = block(['x-dummy', 'a'.repeat(100)]);

/** Header fields in every form that RFC 7541 section 6 has. User-agent is entry 58 of the static table. */
const NAME = '0a 637573746f6d2d6b6579';
const NAME_HUFFMAN = '88 25a849e95ba97d7f';
const VALUE = '0c 637573746f6d2d76616c7565';
const VALUE_HUFFMAN = '89 25a849e95bb8e8b4bf';
const literals = (kind: string, indexed: string, start: string, first: number): Row[] =>
  (
    [
      ['name by index', indexed + VALUE],
      ['name by index, Huffman', indexed + VALUE_HUFFMAN],
      ['new name', start + NAME + VALUE],
      ['new name, Huffman', start + NAME_HUFFMAN + VALUE_HUFFMAN],
    ] as const
  ).map(([form, octets], i) => ({
    id: `generic/5/${first + i}`,
    rule: `a literal field ${kind}, ${form}, is read`,
    steps: [get(1, concat(GET, hex(octets)))],
    expected: OK,
  }));

const OK: Expected = { answer: 200 };
const PONG: Expected = { pong: true };
const connectionError = (code: number): Expected => ({ connectionError: code });
const streamError = (code: number, stream?: number): Expected =>
  stream === undefined ? { streamError: code } : { streamError: code, stream };
const malformed = (id: string, rule: string, ...steps: Step[]): Row => ({
  id,
  rule,
  steps,
  expected: streamError(PROTOCOL_ERROR),
});
const field = (...fields: [string, string][]): Buffer => get(1, block(...fields));

const GENERIC: readonly Row[] = [
  { id: 'generic/1/1', rule: 'the client preface is accepted', steps: [], expected: { settings: 'first' } },

  { id: 'generic/2/1', rule: 'PRIORITY of an idle stream is accepted', steps: [priority(1)], expected: PONG },
  {
    id: 'generic/2/2',
    rule: 'WINDOW_UPDATE of a half-closed stream is accepted',
    steps: [window(0), get(), widen(1, '00000001')],
    expected: { data: [1] },
  },
  {
    id: 'generic/2/3',
    rule: 'PRIORITY of a half-closed stream is accepted',
    steps: [window(0), get(), priority(1), widen(1, '00000001')],
    expected: { data: [1] },
  },
  {
    id: 'generic/2/4',
    rule: 'RST_STREAM of a half-closed stream is accepted',
    steps: [get(), reset(1)],
    expected: PONG,
  },
  {
    id: 'generic/2/5',
    rule: 'PRIORITY of a closed stream is accepted',
    steps: [get(), 'the answer', priority(1)],
    expected: PONG,
  },

  { id: 'generic/3.1/1', rule: 'DATA is accepted', steps: [open(), data()], expected: OK },
  {
    id: 'generic/3.1/2',
    rule: 'several DATA are accepted',
    steps: [open(), data(1, message.subarray(0, 10), 0), data(1, message.subarray(10))],
    expected: OK,
  },
  {
    id: 'generic/3.1/3',
    rule: 'DATA with padding is accepted',
    steps: [open(), data(1, concat(hex('05'), message, Buffer.alloc(5)), END_STREAM | PADDED)],
    expected: OK,
  },
  { id: 'generic/3.2/1', rule: 'HEADERS is accepted', steps: [get()], expected: OK },
  {
    id: 'generic/3.2/2',
    rule: 'HEADERS with padding is accepted',
    steps: [frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, concat(hex('05'), GET, Buffer.alloc(5)))],
    expected: OK,
  },
  {
    id: 'generic/3.2/3',
    rule: 'HEADERS with priority is accepted',
    steps: [frame(HEADERS, END_HEADERS | END_STREAM | WITH_PRIORITY, 1, concat(hex('00000000ff'), GET))],
    expected: OK,
  },
  {
    id: 'generic/3.3/1',
    rule: 'PRIORITY of weight 1 is accepted',
    steps: [priority(1, '00000000', '00'), get()],
    expected: OK,
  },
  {
    id: 'generic/3.3/2',
    rule: 'PRIORITY of weight 256 is accepted',
    steps: [priority(1), get()],
    expected: OK,
  },
  {
    id: 'generic/3.3/3',
    rule: 'PRIORITY with a dependency is accepted',
    steps: [priority(3, '00000001', '00'), get()],
    expected: OK,
  },
  {
    id: 'generic/3.3/4',
    rule: 'PRIORITY that is exclusive is accepted',
    steps: [priority(1, '80000000', '00'), get()],
    expected: OK,
  },
  {
    id: 'generic/3.3/5',
    rule: 'PRIORITY of an idle stream does not close those below it',
    steps: [priority(3), get()],
    expected: OK,
  },
  { id: 'generic/3.4/1', rule: 'RST_STREAM is accepted', steps: [open(), reset(1)], expected: PONG },
  {
    id: 'generic/3.5/1',
    rule: 'SETTINGS are acknowledged',
    steps: [frame(SETTINGS, 0, 0, '000300000064')],
    expected: { settings: 'acknowledged' },
  },
  { id: 'generic/3.7/1', rule: 'PING is answered', steps: [], expected: PONG },
  {
    id: 'generic/3.8/1',
    rule: 'GOAWAY is accepted',
    steps: [frame(GOAWAY, 0, 0, '0000000000000000')],
    expected: PONG,
  },
  {
    id: 'generic/3.9/1',
    rule: 'WINDOW_UPDATE of the connection is accepted',
    steps: [widen(0, '00000001'), get()],
    expected: OK,
  },
  {
    id: 'generic/3.9/2',
    rule: 'WINDOW_UPDATE of a stream is accepted',
    steps: [get(), widen(1, '00000001')],
    expected: OK,
  },
  {
    id: 'generic/3.10/1',
    rule: 'CONTINUATION is accepted',
    steps: [frame(HEADERS, END_STREAM, 1, GET.subarray(0, 12)), more(1, GET.subarray(12))],
    expected: OK,
  },
  {
    id: 'generic/3.10/2',
    rule: 'several CONTINUATION are accepted',
    steps: [
      frame(HEADERS, END_STREAM, 1, GET.subarray(0, 12)),
      more(1, GET.subarray(12, 20), 0),
      more(1, GET.subarray(20)),
    ],
    expected: OK,
  },
  { id: 'generic/4/1', rule: 'GET is answered', steps: [get()], expected: OK },
  {
    id: 'generic/4/2',
    rule: 'HEAD is answered without a body',
    steps: [get(1, request('HEAD'))],
    expected: { answer: 200, method: 'HEAD' },
  },
  { id: 'generic/4/3', rule: 'POST is answered', steps: [open(), data()], expected: OK },
  {
    id: 'generic/4/4',
    rule: 'POST with trailers is answered',
    steps: [open(), data(1, message, 0), get(1, block(['x-test', 'ok']))],
    expected: OK,
  },

  {
    id: 'generic/5/1',
    rule: 'an indexed field is read, of the static and of the dynamic table',
    steps: [get(1, concat(GET, hex(`7a ${VALUE} be`)))],
    expected: OK,
  },
  ...literals('with incremental indexing', '7a', '40', 2),
  ...literals('without indexing', '0f2b', '00', 6),
  ...literals('never indexed', '1f2b', '10', 10),
  {
    id: 'generic/5/14',
    rule: 'an update of the table size is read',
    steps: [get(1, concat(hex('20'), GET))],
    expected: OK,
  },
  {
    id: 'generic/5/15',
    rule: 'several updates of the table size are read',
    steps: [get(1, concat(hex('20 3fe11f'), GET))],
    expected: OK,
  },
];

const FRAMES: readonly Row[] = [
  {
    id: 'http2/3.5/1',
    rule: 'the first frame of the server is SETTINGS',
    start: concat(PREFACE, window(65_535)),
    steps: [],
    expected: { settings: 'first' },
  },
  {
    id: 'http2/3.5/2',
    rule: 'an invalid preface ends the connection',
    start: Buffer.from('INVALID CONNECTION PREFACE\r\n\r\n'),
    steps: [],
    expected: { closed: true },
  },
  {
    id: 'http2/4.1/1',
    rule: 'a frame of unknown type is ignored',
    steps: [frame(0x16, 0, 0, '0000000000000000')],
    expected: PONG,
  },
  {
    id: 'http2/4.1/2',
    rule: 'undefined flags are ignored',
    steps: [frame(PING, 0x16, 0, '0000000000000000')],
    expected: PONG,
  },
  {
    id: 'http2/4.1/3',
    rule: 'the reserved bit is ignored',
    steps: [frame(PING, 0, 0x8000_0000, '0000000000000000')],
    expected: PONG,
  },
  {
    id: 'http2/4.2/1',
    rule: 'DATA of 2^14 octets is taken',
    steps: [open(), data(1, query(0, 16_384))],
    expected: OK,
  },
  {
    id: 'http2/4.2/2',
    rule: 'DATA above the frame size is an error',
    steps: [open(), data(1, Buffer.alloc(16_385))],
    expected: connectionError(FRAME_SIZE_ERROR),
  },
  {
    id: 'http2/4.2/3',
    rule: 'HEADERS above the frame size is an error',
    steps: [get(1, concat(GET, Buffer.alloc(16_384)))],
    expected: connectionError(FRAME_SIZE_ERROR),
  },
  {
    id: 'http2/4.3/1',
    rule: 'a header block that cannot be read is an error',
    steps: [get(1, hex('40'))],
    expected: connectionError(COMPRESSION_ERROR),
  },
  {
    id: 'http2/4.3/2',
    rule: 'PRIORITY in a header block is an error',
    steps: [frame(HEADERS, 0, 1, GET), priority(1), more(1, DUMMY)],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/4.3/3',
    rule: 'HEADERS of another stream in a header block is an error',
    steps: [frame(HEADERS, 0, 1, GET), get(3), more(1, DUMMY)],
    expected: connectionError(PROTOCOL_ERROR),
  },
];

const STREAMS: readonly Row[] = [
  {
    id: 'http2/5.1/1',
    rule: 'idle: DATA',
    steps: [data()],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/5.1/2',
    rule: 'idle: RST_STREAM',
    steps: [reset(1)],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/5.1/3',
    rule: 'idle: WINDOW_UPDATE',
    steps: [widen(1, '00000064')],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/5.1/4',
    rule: 'idle: CONTINUATION',
    steps: [more(1, GET)],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/5.1/5',
    rule: 'half-closed: DATA',
    steps: [window(0), get(), data()],
    expected: streamError(STREAM_CLOSED),
  },
  {
    id: 'http2/5.1/6',
    rule: 'half-closed: HEADERS',
    steps: [window(0), get(), get()],
    expected: streamError(STREAM_CLOSED),
  },
  {
    id: 'http2/5.1/7',
    rule: 'half-closed: CONTINUATION',
    steps: [window(0), get(), more(1, GET)],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/5.1/8',
    rule: 'closed by RST_STREAM: DATA',
    steps: [open(), reset(1), data()],
    expected: connectionError(STREAM_CLOSED),
  },
  {
    id: 'http2/5.1/9',
    rule: 'closed by RST_STREAM: HEADERS',
    steps: [open(), reset(1), get()],
    expected: connectionError(STREAM_CLOSED),
  },
  {
    id: 'http2/5.1/10',
    rule: 'closed by RST_STREAM: CONTINUATION',
    steps: [open(), reset(1), more(1, DUMMY)],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/5.1/11',
    rule: 'closed: DATA',
    steps: [get(), 'the answer', data()],
    expected: connectionError(STREAM_CLOSED),
  },
  {
    id: 'http2/5.1/12',
    rule: 'closed: HEADERS',
    steps: [get(), 'the answer', get()],
    expected: connectionError(STREAM_CLOSED),
  },
  {
    id: 'http2/5.1/13',
    rule: 'closed: CONTINUATION',
    steps: [get(), 'the answer', more(1, DUMMY)],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/5.1.1/1',
    rule: 'streams of even number are an error',
    steps: [get(2)],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/5.1.1/2',
    rule: 'streams below those opened before are an error',
    steps: [get(5), get(3)],
    expected: connectionError(STREAM_CLOSED),
  },
  {
    id: 'http2/5.1.2/1',
    rule: 'more streams than announced are refused',
    steps: [window(0), ...Array.from({ length: 101 }, (_, i) => get(2 * i + 1))],
    expected: streamError(REFUSED_STREAM, 201),
  },
  malformed(
    'http2/5.3.1/1',
    'HEADERS that depends on its own stream is an error',
    frame(HEADERS, END_HEADERS | END_STREAM | WITH_PRIORITY, 1, concat(hex('00000001ff'), GET)),
  ),
  malformed(
    'http2/5.3.1/2',
    'PRIORITY that depends on its own stream is an error',
    window(0),
    get(),
    priority(1, '00000001'),
  ),
  {
    id: 'http2/5.4.1/1',
    rule: 'a connection error ends the connection',
    steps: [frame(PING, 0, 3, '0000000000000000')],
    expected: { closed: true },
  },
  {
    id: 'http2/5.4.1/2',
    rule: 'a connection error is told by GOAWAY (strict)',
    steps: [frame(PING, 0, 3, '0000000000000000')],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/5.5/1',
    rule: 'unknown extension frames are ignored',
    steps: [frame(0xff, 0, 0, '0000000000000000')],
    expected: PONG,
  },
  {
    id: 'http2/5.5/2',
    rule: 'unknown extension frames in a header block are an error',
    steps: [frame(HEADERS, END_STREAM, 1, GET), frame(0xff, 0, 0, '0000000000000000')],
    expected: connectionError(PROTOCOL_ERROR),
  },
];

const DEFINITIONS: readonly Row[] = [
  {
    id: 'http2/6.1/1',
    rule: 'DATA of stream 0',
    steps: [data(0)],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.1/2',
    rule: 'DATA of a stream that is not open',
    steps: [window(0), get(), data()],
    expected: streamError(STREAM_CLOSED),
  },
  {
    id: 'http2/6.1/3',
    rule: 'DATA with more padding than octets',
    steps: [open(), frame(DATA, END_STREAM | PADDED, 1, concat(hex('06'), Buffer.from('tests')))],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.2/1',
    rule: 'HEADERS without its end, then PRIORITY',
    steps: [frame(HEADERS, 0, 1, GET), priority(1), more(1, DUMMY)],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.2/2',
    rule: 'HEADERS without its end, then HEADERS of another stream',
    steps: [frame(HEADERS, END_STREAM, 1, GET), get(3), more(1, DUMMY)],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.2/3',
    rule: 'HEADERS of stream 0',
    steps: [get(0)],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.2/4',
    rule: 'HEADERS with more padding than octets',
    steps: [frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, concat(Buffer.from([GET.length + 1]), GET))],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.3/1',
    rule: 'PRIORITY of stream 0',
    steps: [priority(0)],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.3/2',
    rule: 'PRIORITY of 4 octets',
    steps: [window(0), get(), frame(PRIORITY, 0, 1, '80000001')],
    expected: streamError(FRAME_SIZE_ERROR),
  },
  {
    id: 'http2/6.3/3',
    rule: 'PRIORITY of an idle stream, then HEADERS of one below it (strict)',
    steps: [priority(3), get()],
    expected: OK,
  },
  {
    id: 'http2/6.4/1',
    rule: 'RST_STREAM of stream 0',
    steps: [reset(0)],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.4/2',
    rule: 'RST_STREAM of an idle stream',
    steps: [reset(1)],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.4/3',
    rule: 'RST_STREAM of 3 octets',
    steps: [open(), reset(1, '000000')],
    expected: connectionError(FRAME_SIZE_ERROR),
  },
  {
    id: 'http2/6.5/1',
    rule: 'SETTINGS with ACK and payload',
    steps: [frame(SETTINGS, 1, 0, '00')],
    expected: connectionError(FRAME_SIZE_ERROR),
  },
  {
    id: 'http2/6.5/2',
    rule: 'SETTINGS of a stream',
    steps: [frame(SETTINGS, 0, 1, '000300000064')],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.5/3',
    rule: 'SETTINGS whose length is no multiple of 6',
    steps: [frame(SETTINGS, 0, 0, '000300')],
    expected: connectionError(FRAME_SIZE_ERROR),
  },
  {
    id: 'http2/6.5.2/1',
    rule: 'ENABLE_PUSH other than 0 and 1',
    steps: [frame(SETTINGS, 0, 0, '000200000002')],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.5.2/2',
    rule: 'INITIAL_WINDOW_SIZE above its most',
    steps: [window(0x8000_0000)],
    expected: connectionError(FLOW_CONTROL_ERROR),
  },
  {
    id: 'http2/6.5.2/3',
    rule: 'MAX_FRAME_SIZE below its least',
    steps: [frame(SETTINGS, 0, 0, '000500003fff')],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.5.2/4',
    rule: 'MAX_FRAME_SIZE above its most',
    steps: [frame(SETTINGS, 0, 0, '000501000000')],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.5.2/5',
    rule: 'unknown settings are ignored',
    steps: [frame(SETTINGS, 0, 0, '00ff00000001')],
    expected: PONG,
  },
  {
    id: 'http2/6.5.3/1',
    rule: 'values of one setting hold in their order',
    steps: [frame(SETTINGS, 0, 0, '000400000064 000400000001'), 'the settings taken', get()],
    expected: { data: [1] },
  },
  {
    id: 'http2/6.5.3/2',
    rule: 'SETTINGS without ACK are acknowledged',
    steps: [frame(SETTINGS, 0, 0, '000200000000')],
    expected: { settings: 'acknowledged' },
  },
  { id: 'http2/6.7/1', rule: 'PING is answered with its octets', steps: [], expected: PONG },
  {
    id: 'http2/6.7/2',
    rule: 'PING with ACK is not answered',
    steps: [frame(PING, 1, 0, '696e76616c696420')],
    expected: PONG,
  },
  {
    id: 'http2/6.7/3',
    rule: 'PING of a stream',
    steps: [frame(PING, 0, 3, '0000000000000000')],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.7/4',
    rule: 'PING of 6 octets',
    steps: [frame(PING, 0, 0, '000000000000')],
    expected: connectionError(FRAME_SIZE_ERROR),
  },
  {
    id: 'http2/6.8/1',
    rule: 'GOAWAY of a stream',
    steps: [frame(GOAWAY, 0, 1, '0000000000000000')],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.9/1',
    rule: 'WINDOW_UPDATE of 0 for the connection',
    steps: [widen(0, '00000000')],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.9/2',
    rule: 'WINDOW_UPDATE of 0 for a stream',
    steps: [open(), widen(1, '00000000')],
    expected: streamError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.9/3',
    rule: 'WINDOW_UPDATE of 3 octets',
    steps: [widen(0, '000001')],
    expected: connectionError(FRAME_SIZE_ERROR),
  },
  {
    id: 'http2/6.9.1/1',
    rule: 'no more is sent than the window of the stream',
    steps: [window(1), 'the settings taken', get()],
    expected: { data: [1] },
  },
  {
    id: 'http2/6.9.1/2',
    rule: 'a window of the connection above 2^31 - 1 is an error',
    steps: [widen(0, '7fffffff'), widen(0, '7fffffff')],
    expected: connectionError(FLOW_CONTROL_ERROR),
  },
  {
    id: 'http2/6.9.1/3',
    rule: 'a window of a stream above 2^31 - 1 is an error',
    steps: [open(), widen(1, '7fffffff'), widen(1, '7fffffff')],
    expected: streamError(FLOW_CONTROL_ERROR),
  },
  {
    id: 'http2/6.9.2/1',
    rule: 'a changed initial window changes those of open streams',
    steps: [window(0), 'the settings taken', get(), window(1)],
    expected: { data: [1] },
  },
  {
    id: 'http2/6.9.2/2',
    rule: 'a window may become negative',
    steps: [window(3), 'the settings taken', get(), 'the first data', window(2), widen(1, '00000002')],
    expected: { data: [3, 1] },
  },
  {
    id: 'http2/6.9.2/3',
    rule: 'an initial window above 2^31 - 1 is an error',
    steps: [window(0x8000_0000)],
    expected: connectionError(FLOW_CONTROL_ERROR),
  },
  {
    id: 'http2/6.10/1',
    rule: 'several CONTINUATION after HEADERS are read',
    steps: [frame(HEADERS, END_STREAM, 1, GET), more(1, DUMMY, 0), more(1, DUMMY)],
    expected: OK,
  },
  {
    id: 'http2/6.10/2',
    rule: 'CONTINUATION, then another frame',
    steps: [frame(HEADERS, 0, 1, GET), more(1, DUMMY, 0), data()],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.10/3',
    rule: 'CONTINUATION of stream 0',
    steps: [frame(HEADERS, 0, 1, GET), more(0, DUMMY)],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.10/4',
    rule: 'CONTINUATION after HEADERS with END_HEADERS',
    steps: [get(), more(1, DUMMY)],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.10/5',
    rule: 'CONTINUATION after CONTINUATION with END_HEADERS',
    steps: [frame(HEADERS, END_STREAM, 1, GET), more(1, DUMMY), more(1, DUMMY)],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/6.10/6',
    rule: 'CONTINUATION after DATA',
    steps: [open(), data(), more(1, DUMMY)],
    expected: connectionError(PROTOCOL_ERROR),
  },
  {
    id: 'http2/7/1',
    rule: 'GOAWAY with an unknown code is taken',
    steps: [frame(GOAWAY, 0, 0, '00000000000000ff')],
    expected: PONG,
  },
  {
    id: 'http2/7/2',
    rule: 'RST_STREAM with an unknown code is taken',
    steps: [open(), reset(1, '000000ff')],
    expected: PONG,
  },
];

const EXCHANGES: readonly Row[] = [
  malformed('http2/8.1/1', 'a second HEADERS that does not end the stream', open(), open()),
  malformed('http2/8.1.2/1', 'a field name in upper case', get(1, request('GET', ['X-TEST', 'ok']))),
  malformed('http2/8.1.2.1/1', 'an unknown pseudo-header', get(1, request('GET', [':test', 'ok']))),
  malformed('http2/8.1.2.1/2', 'a pseudo-header of responses', get(1, request('GET', [':status', '200']))),
  malformed(
    'http2/8.1.2.1/3',
    'a pseudo-header as trailer',
    open(),
    data(1, message, 0),
    get(1, block([':method', 'GET'])),
  ),
  malformed(
    'http2/8.1.2.1/4',
    'a pseudo-header behind a field',
    field([':method', 'GET'], [':scheme', 'https'], ['x-test', 'ok'], [':path', dnsPath]),
  ),
  malformed(
    'http2/8.1.2.2/1',
    'a field of the connection',
    get(1, request('GET', ['connection', 'keep-alive'])),
  ),
  malformed('http2/8.1.2.2/2', 'TE other than trailers', get(1, request('GET', ['te', 'trailers, deflate']))),
  malformed(
    'http2/8.1.2.3/1',
    'an empty path',
    field([':method', 'GET'], [':scheme', 'https'], [':path', '']),
  ),
  malformed('http2/8.1.2.3/2', 'no method', field([':scheme', 'https'], [':path', dnsPath])),
  malformed('http2/8.1.2.3/3', 'no scheme', field([':method', 'GET'], [':path', dnsPath])),
  malformed('http2/8.1.2.3/4', 'no path', field([':method', 'GET'], [':scheme', 'https'])),
  malformed('http2/8.1.2.3/5', 'two methods', get(1, concat(block([':method', 'GET']), GET))),
  malformed('http2/8.1.2.3/6', 'two schemes', get(1, concat(block([':scheme', 'https']), GET))),
  malformed('http2/8.1.2.3/7', 'two paths', get(1, concat(block([':path', dnsPath]), GET))),
  malformed(
    'http2/8.1.2.6/1',
    'a length other than that of DATA',
    open(1, post(['content-length', '1'])),
    data(),
  ),
  malformed(
    'http2/8.1.2.6/2',
    'a length other than that of several DATA',
    open(1, post(['content-length', '1'])),
    data(1, message.subarray(0, 10), 0),
    data(1, message.subarray(10)),
  ),
  {
    id: 'http2/8.2/1',
    rule: 'PUSH_PROMISE of a client is an error',
    steps: [frame(PUSH_PROMISE, END_HEADERS, 1, concat(hex('00000003'), GET))],
    expected: connectionError(PROTOCOL_ERROR),
  },
];

const unreadable = (id: string, rule: string, fields: Uint8Array): Row => ({
  id,
  rule,
  steps: [get(1, fields)],
  expected: connectionError(COMPRESSION_ERROR),
});
const HPACK: readonly Row[] = [
  unreadable('hpack/2.3.3/1', 'an indexed field beyond both tables', concat(GET, hex('c6'))),
  unreadable(
    'hpack/2.3.3/2',
    'a literal whose name is beyond both tables',
    concat(GET, hex(`7f07 ${VALUE}`)),
  ),
  unreadable('hpack/4.2/1', 'an update of the table size behind a field', concat(GET, hex('20'))),
  unreadable(
    'hpack/5.2/1',
    'Huffman padding of more than 7 bits',
    concat(GET, hex(`7a 8a 25a849e95bb8e8b4bfff`)),
  ),
  unreadable('hpack/5.2/2', 'Huffman padding of zeros', concat(GET, hex('7a 81 18'))),
  unreadable('hpack/5.2/3', 'Huffman that holds EOS', concat(GET, hex('7a 84 ffffffff'))),
  unreadable('hpack/6.1/1', 'an indexed field of index 0', concat(GET, hex('80'))),
  unreadable('hpack/6.3/1', 'a table size above what was allowed', concat(hex('3fe21f'), GET)),
];

export const ROWS: readonly Row[] = [
  ...GENERIC,
  ...FRAMES,
  ...STREAMS,
  ...DEFINITIONS,
  ...EXCHANGES,
  ...HPACK,
];
