/** Replies for the reader of answers, as octets. */
import { Buffer } from 'node:buffer';
import { type Answer, AnswerReader, type ReadOptions } from '../../src/answer/index.ts';
import {
  MALFORMED,
  nameOctets,
  nameText,
  Question,
  RecordPlace,
  Rrtype,
  readName,
  skipName,
  typeName,
  u32,
} from '../../src/wire/index.ts';

export const SEED = 9;

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);

export interface RecordSpec {
  /** Text, octets, or absent for a pointer to the question. */
  readonly owner?: string | Uint8Array;
  readonly type: number;
  readonly class?: number;
  readonly ttl?: number;
  readonly rdata: Uint8Array;
  readonly rdlength?: number;
}

const octetsOf = (name: string | Uint8Array): Uint8Array =>
  typeof name === 'string' ? nameOctets(name) : name;

export function record({
  owner = Uint8Array.of(0xc0, 12),
  type,
  class: rrclass = 1,
  ttl = 300,
  rdata,
  rdlength,
}: RecordSpec): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(rrclass, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(rdlength ?? rdata.length, 8);
  return Buffer.concat([octetsOf(owner), fixed, rdata]);
}

type Rest = Partial<Omit<RecordSpec, 'rdata' | 'type'>>;

export const a = (address: string, rest: Rest = {}): Buffer =>
  record({ type: Rrtype.A, rdata: Uint8Array.from(address.split('.').map(Number)), ...rest });
export const alias = (owner: string, target: string | Uint8Array, rest: Rest = {}): Buffer =>
  record({ owner, type: Rrtype.CNAME, rdata: octetsOf(target), ...rest });
export const soa = (owner: string, minimum: number, rest: Rest = {}): Buffer => {
  const numbers = Buffer.alloc(20);
  numbers.writeUInt32BE(minimum, 16);
  return record({
    owner,
    type: Rrtype.SOA,
    rdata: Buffer.concat([nameOctets('ns.test'), nameOctets('host.test'), numbers]),
    ...rest,
  });
};
export const signature = (covered: number, rest: Rest = {}): Buffer =>
  record({
    type: Rrtype.RRSIG,
    rdata: Buffer.concat([u16(covered), Buffer.alloc(16), nameOctets('example.com')]),
    ...rest,
  });
export const service = (target: string, rest: Rest = {}): Buffer =>
  record({ type: Rrtype.HTTPS, rdata: Buffer.concat([u16(1), nameOctets(target)]), ...rest });
export const option = (code: number, data: Uint8Array, length = data.length): Buffer =>
  Buffer.concat([u16(code), u16(length), data]);
export const opt = (
  options: Uint8Array = new Uint8Array(0),
  rcode = 0,
  owner: Uint8Array = Uint8Array.of(0),
): Buffer => record({ owner, type: Rrtype.OPT, class: 1232, ttl: (rcode << 24) >>> 0, rdata: options });

export interface ReplySpec {
  readonly name?: string;
  readonly type?: number;
  readonly rcode?: number;
  readonly ad?: boolean;
  readonly answer?: readonly Uint8Array[];
  readonly authority?: readonly Uint8Array[];
  readonly additional?: readonly Uint8Array[];
  readonly trailing?: Uint8Array;
}

export const NAME = 'www.example.com';

export function replyOctets(spec: ReplySpec): Uint8Array {
  const { answer = [], authority = [], additional = [] } = spec;
  return Uint8Array.from(
    Buffer.concat([
      Buffer.from([0x12, 0x34, 0x81, 0x80 | (spec.ad ? 0x20 : 0) | (spec.rcode ?? 0)]),
      u16(1),
      u16(answer.length),
      u16(authority.length),
      u16(additional.length),
      octetsOf(spec.name ?? NAME),
      u16(spec.type ?? Rrtype.A),
      u16(1),
      ...answer,
      ...authority,
      ...additional,
      spec.trailing ?? new Uint8Array(0),
    ]),
  );
}

export const everywhere: ReadOptions = { dnssecOk: false, trusted: false, mayFollow: () => true };

export function readReply(
  spec: ReplySpec | Uint8Array,
  options: Partial<ReadOptions> = {},
  asked: { name?: string; type?: number } = {},
): Answer | string {
  const octets = spec instanceof Uint8Array ? spec : replyOctets(spec);
  const own = spec instanceof Uint8Array ? {} : spec;
  const question = new Question(SEED).set(
    nameOctets(asked.name ?? own.name ?? NAME),
    asked.type ?? own.type ?? Rrtype.A,
  );
  return new AnswerReader().read(octets, octets.length, question, { ...everywhere, ...options });
}

/** The kept body as lines `owner ttl TYPE rdata-in-hex`, read behind the question it will stand behind. */
export function linesOf(answer: Answer, name: string = NAME): string[] {
  const question = nameOctets(name);
  const message = Buffer.concat([Buffer.alloc(12), question, Buffer.alloc(4), answer.body]);
  const lines: string[] = [];
  const place = new RecordPlace();
  const owner = new Uint8Array(256);
  let at = 12 + question.length + 4;
  while (at < message.length) {
    if (skipName(message, at, message.length) === MALFORMED) throw new Error(`a broken body at ${at}`);
    readName(message, at, message.length, owner);
    at = place.read(message, at, message.length);
    if (at === MALFORMED) throw new Error('a broken body');
    const isName = place.type === Rrtype.CNAME || place.type === Rrtype.NS || place.type === Rrtype.DNAME;
    const rdata = message.subarray(place.rdataAt, at);
    lines.push(
      `${nameText(owner)} ${u32(message, place.ttlAt)} ${typeName(place.type)} ${isName ? nameText(rdata) : rdata.toString('hex')}`,
    );
  }
  if (lines.length !== answer.answerCount + answer.authorityCount)
    throw new Error('the counts do not match the body');
  if (answer.ttlAt.length !== lines.length) throw new Error('not every TTL is known');
  return lines;
}
