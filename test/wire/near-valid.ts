/**
 * Messages that are nearly right: valid ones with a few octets changed, cut, repeated or pointed elsewhere. Noise alone is
 * turned away by the first check and never reaches the code behind it.
 */
import fc from 'fast-check';
import { MALFORMED, putU16, putU32, Rrtype } from '../../src/wire/index.ts';

const letters = fc
  .uint8Array({ minLength: 1, maxLength: 12 })
  .map((octets) => octets.map((octet) => 97 + (octet % 26)));
const anyLabel = fc.uint8Array({ minLength: 1, maxLength: 63 });

/** A canonical name: labels of letters mostly, any octets now and then. */
export const canonicalName: fc.Arbitrary<Uint8Array> = fc
  .array(fc.oneof({ weight: 4, arbitrary: letters }, { weight: 1, arbitrary: anyLabel }), { maxLength: 8 })
  .map((labels) => {
    const octets: number[] = [];
    for (const label of labels) {
      if (octets.length + label.length + 2 > 255) break;
      octets.push(label.length, ...label.map((octet) => (octet >= 65 && octet <= 90 ? octet + 32 : octet)));
    }
    return Uint8Array.from([...octets, 0]);
  });

const QUESTION_POINTER = Uint8Array.of(0xc0, 12);
const anyName = fc.oneof(canonicalName, fc.constant(QUESTION_POINTER));

interface Part {
  readonly owner: Uint8Array;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly rdata: Uint8Array;
}

const part = (type: number, rdata: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Part> =>
  fc.record({
    owner: anyName,
    type: fc.constant(type),
    class: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(65_535) }),
    ttl: fc.oneof(fc.nat(86_400), fc.nat(0xffffffff)),
    rdata,
  });

const join = (...pieces: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(pieces));
const octets = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });

export const anyRecord: fc.Arbitrary<Part> = fc.oneof(
  part(Rrtype.A, octets(4)),
  part(Rrtype.AAAA, octets(16)),
  part(Rrtype.CNAME, anyName),
  part(Rrtype.NS, anyName),
  part(Rrtype.DNAME, canonicalName),
  part(
    Rrtype.MX,
    fc.tuple(octets(2), anyName).map((pieces) => join(...pieces)),
  ),
  part(
    Rrtype.SOA,
    fc.tuple(anyName, anyName, octets(20)).map((pieces) => join(...pieces)),
  ),
  part(
    Rrtype.SRV,
    fc.tuple(octets(6), anyName).map((pieces) => join(...pieces)),
  ),
  part(
    Rrtype.HTTPS,
    fc.tuple(octets(2), canonicalName).map((pieces) => join(...pieces)),
  ),
  part(
    Rrtype.RRSIG,
    fc.tuple(octets(18), canonicalName, octets(8)).map((pieces) => join(...pieces)),
  ),
  part(Rrtype.TXT, fc.uint8Array({ maxLength: 60 })),
  part(731, fc.uint8Array({ maxLength: 60 })),
);

const optRecord: fc.Arbitrary<Uint8Array> = fc
  .record({
    size: fc.nat(65_535),
    ttl: fc.oneof(fc.constant(0), fc.nat(0xffffffff)),
    options: fc.array(
      fc.tuple(fc.constantFrom(3, 8, 10, 11, 12, 15, 65_001), fc.uint8Array({ maxLength: 24 })),
      { maxLength: 5 },
    ),
  })
  .map(({ size, ttl, options }) => {
    const data = options.map(([code, value]) => {
      const option = new Uint8Array(4 + value.length);
      putU16(option, 0, code);
      putU16(option, 2, value.length);
      option.set(value, 4);
      return option;
    });
    return recordOctets({
      owner: Uint8Array.of(0),
      type: Rrtype.OPT,
      class: size,
      ttl,
      rdata: join(...data),
    });
  });

export function recordOctets(record: Part): Uint8Array {
  const fixed = new Uint8Array(10);
  putU16(fixed, 0, record.type);
  putU16(fixed, 2, record.class);
  putU32(fixed, 4, record.ttl);
  putU16(fixed, 8, record.rdata.length);
  return join(record.owner, fixed, record.rdata);
}

export interface Valid {
  readonly name: Uint8Array;
  readonly type: number;
  readonly octets: Uint8Array;
}

/** A well-formed reply: question, records of all kinds, perhaps an OPT. */
export const validReply: fc.Arbitrary<Valid> = fc
  .record({
    name: canonicalName,
    type: fc.constantFrom(
      Rrtype.A,
      Rrtype.AAAA,
      Rrtype.CNAME,
      Rrtype.MX,
      Rrtype.TXT,
      Rrtype.HTTPS,
      Rrtype.SOA,
      731,
    ),
    rcode: fc.constantFrom(0, 0, 0, 2, 3),
    answer: fc.array(anyRecord, { maxLength: 6 }),
    authority: fc.array(anyRecord, { maxLength: 3 }),
    additional: fc.array(anyRecord, { maxLength: 2 }),
    opt: fc.option(optRecord),
  })
  .map(({ name, type, rcode, answer, authority, additional, opt }) => {
    const header = new Uint8Array(12);
    header.set([
      0x12,
      0x34,
      0x81,
      0x80 | rcode,
      0,
      1,
      0,
      answer.length,
      0,
      authority.length,
      0,
      additional.length + (opt ? 1 : 0),
    ]);
    const fixed = new Uint8Array(4);
    putU16(fixed, 0, type);
    putU16(fixed, 2, 1);
    const records = [...answer, ...authority, ...additional].map(recordOctets);
    return { name, type, octets: join(header, name, fixed, ...records, opt ?? new Uint8Array(0)) };
  });

/** A well-formed query: question, perhaps an OPT. */
export const validQuery: fc.Arbitrary<Valid> = fc
  .record({ name: canonicalName, type: fc.nat(65_535), flags: fc.nat(65_535), opt: fc.option(optRecord) })
  .map(({ name, type, flags, opt }) => {
    const header = new Uint8Array(12);
    header.set([0x12, 0x34, (flags >> 8) & 0x7f, flags & 255, 0, 1, 0, 0, 0, 0, 0, opt ? 1 : 0]);
    const fixed = new Uint8Array(4);
    putU16(fixed, 0, type);
    putU16(fixed, 2, 1);
    return { name, type, octets: join(header, name, fixed, opt ?? new Uint8Array(0)) };
  });

/** One change to a message; `at` and `value` are taken modulo what is there. */
interface Change {
  readonly kind: 'set' | 'pointer' | 'cut' | 'repeat' | 'drop' | 'count' | 'length';
  readonly at: number;
  readonly value: number;
}

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('set', 'set', 'pointer', 'cut', 'repeat', 'drop', 'count', 'length'),
  at: fc.nat(2000),
  value: fc.nat(65_535),
});

function apply(octets: Uint8Array, { kind, at, value }: Change): Uint8Array {
  if (octets.length <= 12) return octets;
  const place = 12 + (at % (octets.length - 12));
  const copy = octets.slice();
  switch (kind) {
    case 'set':
      copy[place] = value;
      return copy;
    case 'pointer':
      copy[place] = 0xc0 | ((value >> 8) & (octets.length > 256 ? 1 : 0));
      if (place + 1 < copy.length) copy[place + 1] = value;
      return copy;
    case 'length':
      copy[place] = 0;
      if (place + 1 < copy.length) copy[place + 1] = value % 64;
      return copy;
    case 'count':
      copy[4 + (at % 8)] = value % 8;
      return copy;
    case 'cut':
      return octets.slice(0, place);
    case 'drop':
      return join(
        octets.subarray(0, place),
        octets.subarray(Math.min(octets.length, place + 1 + (value % 8))),
      );
    case 'repeat':
      return join(octets, octets.subarray(place));
  }
}

/** Any of the given messages after up to four changes. */
export const nearly = (valid: fc.Arbitrary<Valid>): fc.Arbitrary<Valid> =>
  fc.tuple(valid, fc.array(change, { maxLength: 4 })).map(([{ octets, ...rest }, changes]) => ({
    ...rest,
    octets: changes.reduce(apply, octets).slice(0, 65_535),
  }));

/**
 * Runs `go` on the message with several kinds of octets behind its end, and without any; all must say the same, or
 * something behind the end was read.
 */
export function withPoisonBehind<T>(message: Uint8Array, go: (octets: Uint8Array, end: number) => T): T[] {
  const behind = [[], [0], [0xff], [0xc0, 12], [1, 97], [0, 1, 0, 1]];
  return behind.map((pattern) => {
    const octets = new Uint8Array(message.length + (pattern.length === 0 ? 0 : 600));
    octets.set(message);
    for (let i = message.length; i < octets.length; i++)
      octets[i] = pattern[(i - message.length) % pattern.length];
    return go(octets, message.length);
  });
}

/** A position that a reader may return. */
export const isPosition = (at: number, end: number): boolean =>
  at === MALFORMED || (Number.isInteger(at) && at >= 0 && at <= end);
