/**
 * dnstap files: Frame Streams (a control frame begins with four zero octets) around protobuf messages.
 *
 *    Dnstap     14 message (Message)   15 type (1 = MESSAGE)
 *    Message     1 type   2 family   4 query address   8 query time, s   9 ns   10 query message
 *               12 response time, s   13 ns   14 response message
 */
import { addressTextOf } from '../wire/index.ts';
import { FormatError } from './hunt-formats.ts';
import { messageRecord } from './hunt-messages.ts';
import type { HuntRecord } from './hunt-records.ts';

/** Message types that a client's side of a resolver writes: CLIENT_QUERY and CLIENT_RESPONSE. */
const CLIENT_QUERY = 5;
const CLIENT_RESPONSE = 6;
const FRAME_MAX = 1 << 20;

export const isDnstap = (head: Uint8Array): boolean =>
  head.length >= 12 && head[0] === 0 && head[1] === 0 && head[2] === 0 && head[3] === 0 && head[11] === 2;

/** Takes the octets of a file in pieces and gives back the records that have become whole. */
export class DnstapReader {
  #rest: Buffer = Buffer.alloc(0);
  /** Frames that were read. */
  frame = 0;
  #sawQueries = false;
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** Octets that belong to no whole frame so far; some at the end mean that the file was cut. */
  get left(): number {
    return this.#rest.length;
  }

  *read(chunk: Buffer): Generator<HuntRecord> {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (at + 4 <= this.#rest.length) {
      const length = this.#rest.readUInt32BE(at);
      if (length > FRAME_MAX)
        throw new FormatError(`a frame of ${length} octets; the file is damaged or no dnstap file`);
      if (length === 0) {
        if (at + 8 > this.#rest.length) break;
        const control = this.#rest.readUInt32BE(at + 4);
        if (at + 8 + control > this.#rest.length) break;
        at += 8 + control;
        continue;
      }
      if (at + 4 + length > this.#rest.length) break;
      this.frame++;
      const record = this.#record(this.#rest.subarray(at + 4, at + 4 + length));
      if (record !== null) yield record;
      at += 4 + length;
    }
    this.#rest = this.#rest.subarray(at);
  }

  #record(frame: Uint8Array): HuntRecord | null {
    let message: Uint8Array | undefined;
    for (const field of fields(frame))
      if (field.number === 14 && field.octets !== undefined) message = field.octets;
    if (message === undefined) return null;
    let type = 0;
    let address: Uint8Array = new Uint8Array(4);
    const times = new Map<number, number>();
    let query: Uint8Array | undefined;
    let response: Uint8Array | undefined;
    for (const field of fields(message)) {
      if (field.number === 1) type = field.value;
      else if (field.number === 4 && (field.octets?.length === 4 || field.octets?.length === 16))
        address = field.octets;
      else if (field.number === 10) query = field.octets;
      else if (field.number === 14) response = field.octets;
      else times.set(field.number, field.value);
    }
    if (type !== CLIENT_QUERY && type !== CLIENT_RESPONSE) return null;
    if (type === CLIENT_QUERY) this.#sawQueries = true;
    const isAnswer = type === CLIENT_RESPONSE;
    const octets = isAnswer ? response : query;
    if (octets === undefined) return null;
    const seconds = times.get(isAnswer ? 12 : 8) ?? times.get(8) ?? 0;
    const nanoseconds = times.get(isAnswer ? 13 : 9) ?? 0;
    return messageRecord(
      octets,
      seconds * 1000 + nanoseconds / 1e6,
      addressTextOf(address, 0, address.length),
      this.frame,
      this.#file,
      this.#sawQueries,
    );
  }
}

interface Field {
  readonly number: number;
  readonly value: number;
  readonly octets: Uint8Array | undefined;
}

/** Fields of a protobuf message; ends early where the octets make no sense. */
function* fields(octets: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    let factor = 1;
    while (at < octets.length) {
      const octet = octets[at++];
      value += (octet & 0x7f) * factor;
      if (octet < 0x80) break;
      factor *= 128;
    }
    return value;
  };
  while (at < octets.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        yield { number, value: varint(), octets: undefined };
        break;
      case 1:
        at += 8;
        break;
      case 2: {
        const length = varint();
        if (at + length > octets.length) return;
        yield { number, value: 0, octets: octets.subarray(at, at + length) };
        at += length;
        break;
      }
      case 5: {
        if (at + 4 > octets.length) return;
        const value = octets[at] + octets[at + 1] * 256 + octets[at + 2] * 65536 + octets[at + 3] * 16777216;
        at += 4;
        yield { number, value, octets: undefined };
        break;
      }
      default:
        return;
    }
  }
}
