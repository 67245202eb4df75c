/**
 * Frames of HTTP/2 as octets (RFC 9113 sections 4 and 6).
 *
 *    0 length (3)    3 type    4 flags    5 stream (4)    9 payload
 */
import { copyOctets, putU16, putU32 } from '../../wire/index.ts';
import type { Output } from '../output.ts';
import { DNS_MESSAGE } from './request.ts';

export const FRAME_HEADER = 9;
/** Longest payload that either side may send without asking: we never allow more. */
export const FRAME_LENGTH_MAX = 16_384;
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** ACK of SETTINGS and PING shares its bit with END_STREAM of DATA and HEADERS. */
export const Flag = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const;

export const ErrorCode = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;

export const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

/** Frames are put together here and copied to the output: nothing is allocated for them. */
const room = Buffer.alloc(1024);

/** Writes a frame header to `room` and returns the position behind it. */
function head(length: number, type: number, flags: number, stream: number): number {
  room[0] = length >>> 16;
  putU16(room, 1, length);
  room[3] = type;
  room[4] = flags;
  return putU32(room, 5, stream);
}

export function writeSettings(output: Output, settings: readonly (readonly [number, number])[]): void {
  let at = head(6 * settings.length, FrameType.SETTINGS, 0, 0);
  for (const [setting, value] of settings) at = putU32(room, putU16(room, at, setting), value);
  output.append(room, 0, at);
}

export function writeSettingsAck(output: Output): void {
  output.append(room, 0, head(0, FrameType.SETTINGS, Flag.ACK, 0));
}

/** A frame whose payload is one number: RST_STREAM with a code, WINDOW_UPDATE with an increment. */
export function writeNumber(output: Output, type: number, stream: number, value: number): void {
  output.append(room, 0, putU32(room, head(4, type, 0, stream), value));
}

export function writePingAck(output: Output, octets: Uint8Array, at: number): void {
  const to = head(8, FrameType.PING, Flag.ACK, 0);
  output.append(room, 0, copyOctets(octets, at, room, to, 8));
}

export function writeGoaway(output: Output, lastStream: number, code: number): void {
  const at = putU32(room, head(8, FrameType.GOAWAY, 0, 0), lastStream);
  output.append(room, 0, putU32(room, at, code));
}

export function writeData(
  output: Output,
  stream: number,
  octets: Uint8Array,
  from: number,
  to: number,
  last: boolean,
): void {
  output.append(room, 0, head(to - from, FrameType.DATA, last ? Flag.END_STREAM : 0, stream));
  output.append(octets, from, to);
}

/**
 * Fields that are the same in every response. All are written as literals that are not to be indexed, with names from the static
 * table (RFC 7541 section 6.2.2): a few octets more on the wire, but no table to keep and none to disagree about.
 */
const OK_FIELDS = Buffer.concat([Uint8Array.of(0x88), literal(31, DNS_MESSAGE)]);
const CONTENT_LENGTH = literalName(28);
const CACHE_CONTROL = literalName(24);

/** HEADERS of a response that carries a DNS message of `length` octets. */
export function writeAnswerHead(
  output: Output,
  stream: number,
  length: number,
  freshSeconds: number,
  last: boolean,
): void {
  let at = copyOctets(OK_FIELDS, 0, room, FRAME_HEADER, OK_FIELDS.length);
  at = putText(copyOctets(CONTENT_LENGTH, 0, room, at, 2), '', length);
  at = putText(copyOctets(CACHE_CONTROL, 0, room, at, 2), 'max-age=', freshSeconds);
  writeHeaders(output, stream, at, last);
}

/** HEADERS of a response that says what is wrong. */
export function writeFaultHead(
  output: Output,
  stream: number,
  status: number,
  length: number,
  allow: string | null,
  last: boolean,
): void {
  const fields = [literal(8, String(status)), literal(31, 'text/plain'), literal(28, String(length))];
  if (allow !== null) fields.push(literal(22, allow));
  const block = Buffer.concat(fields);
  writeHeaders(output, stream, copyOctets(block, 0, room, FRAME_HEADER, block.length), last);
}

function writeHeaders(output: Output, stream: number, end: number, last: boolean): void {
  const flags = Flag.END_HEADERS | (last ? Flag.END_STREAM : 0);
  head(end - FRAME_HEADER, FrameType.HEADERS, flags, stream);
  output.append(room, 0, end);
}

/** Writes a short text that ends in a number, its length before it. */
function putText(at: number, prefix: string, number: number): number {
  let to = at + 1;
  for (let i = 0; i < prefix.length; i++) room[to++] = prefix.charCodeAt(i);
  let divisor = 1;
  while (divisor * 10 <= number) divisor *= 10;
  for (; divisor >= 1; divisor /= 10) room[to++] = 48 + (Math.floor(number / divisor) % 10);
  room[at] = to - at - 1;
  return to;
}

/** A static name whose index does not fit four bits: all that we use are 15 to 142. */
function literalName(index: number): Uint8Array {
  return index < 15 ? Uint8Array.of(index) : Uint8Array.of(0x0f, index - 15);
}

function literal(index: number, value: string): Uint8Array {
  return Buffer.concat([literalName(index), Uint8Array.of(value.length), Buffer.from(value, 'latin1')]);
}
