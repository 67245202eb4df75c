import { describe, expect, test } from 'vitest';
import {
  Edns,
  edeOption,
  fixedRdataLength,
  hashLabel,
  isResponse,
  isTruncated,
  MALFORMED,
  messageId,
  nameLayoutOf,
  nameOctets,
  nameText,
  opcodeOf,
  Question,
  questionCount,
  RecordPlace,
  Rrtype,
  rcodeOf,
  typeName,
  typeOf,
  writeHeader,
  writeOpt,
} from '../../src/wire/index.ts';
import { hex } from './hex.ts';

const HEADER = '1234 0100 0001 0000 0000 0000';
const SEED = 0x5a11;

describe('the header (RFC 1035 section 4.1.1)', () => {
  const octets = hex`1234 ; id
                     b783 ; QR, opcode 6, AA, TC, RD; RA, rcode 3
                     0001 0002 0003 0004`;
  test('is read', () => {
    expect([
      messageId(octets),
      isResponse(octets),
      opcodeOf(octets),
      isTruncated(octets),
      rcodeOf(octets),
      questionCount(octets),
    ]).toEqual([0x1234, true, 6, true, 3, 1]);
  });

  test('is written', () => {
    const into = new Uint8Array(12);
    expect(writeHeader(into, 0x1234, 0xb783, 1, 2, 3, 4)).toBe(12);
    expect(into).toEqual(octets);
  });
});

describe('the question', () => {
  const read = (octets: Uint8Array): { at: number; question: Question } => {
    const question = new Question(SEED);
    return { at: question.read(octets, octets.length), question };
  };

  test('is read in canonical form, with its labels', () => {
    const { at, question } = read(hex`${HEADER} 03 57 77 57 03 43 6f 4d 00 001c 0001 ; WwW.CoM AAAA IN`);
    expect(at).toBe(25);
    expect(nameText(question.name)).toBe('www.com');
    expect([question.length, question.labelCount, question.type, question.class]).toEqual([
      9,
      2,
      Rrtype.AAAA,
      1,
    ]);
    expect([...question.labelAt.subarray(0, 2)]).toEqual([0, 4]);
  });

  test.each([
    { what: 'no octets', octets: hex`${HEADER}` },
    { what: 'no type', octets: hex`${HEADER} 01 61 00` },
    { what: 'half a class', octets: hex`${HEADER} 01 61 00 0001 00` },
    { what: 'a pointer', octets: hex`${HEADER} c0 0c 0001 0001` },
    { what: 'a pointer behind a label', octets: hex`${HEADER} 01 61 c0 0c 0001 0001` },
    { what: 'a reserved label type', octets: hex`${HEADER} 41 61 00 0001 0001` },
  ])('$what is malformed', ({ octets }) => {
    expect(read(octets).at).toBe(MALFORMED);
  });

  test('of 127 labels is read, of 128 not', () => {
    const of = (labels: number): Uint8Array => hex`${HEADER} ${'0161'.repeat(labels)} 00 0001 0001`;
    expect(read(of(127)).question.labelCount).toBe(127);
    expect(read(of(127)).at).toBe(12 + 255 + 4);
    expect(read(of(128)).at).toBe(MALFORMED);
  });

  test('hashes every suffix, from the root to the leaf', () => {
    const whole = new Question(SEED).set(nameOctets('a.b.example.com'), 1);
    const parent = new Question(SEED).set(nameOctets('example.com'), 1);
    expect(whole.suffixHash[2]).toBe(parent.hash);
    expect(whole.suffixHash[4]).toBe(SEED);
    expect(whole.hash).toBe(hashLabel(whole.suffixHash[1], nameOctets('a'), 0));
    expect(new Question(SEED + 1).set(nameOctets('a.b.example.com'), 1).hash).not.toBe(whole.hash);
  });

  test('read after a longer one has nothing of it', () => {
    const question = new Question(SEED);
    const long = hex`${HEADER} ${'0161'.repeat(100)} 00 0001 0001`;
    question.read(long, long.length);
    const short = hex`${HEADER} 01 62 00 0001 0001`;
    question.read(short, short.length);
    expect([nameText(question.name), question.length, question.labelCount]).toEqual(['b', 3, 1]);
    expect(question.hash).toBe(new Question(SEED).set(nameOctets('b'), 1).hash);
  });
});

describe('EDNS of a query (RFC 6891)', () => {
  const edns = new Edns();
  const read = (octets: Uint8Array, count = 1): number => edns.read(octets, 0, octets.length, count);
  const OPT = '00 0029'; // root owner, type 41

  test('is read', () => {
    const octets = hex`${OPT} 04d0 ; size 1232
                       00 00 8000  ; version 0, DO
                       000c        ; rdlength
                       000a 0008 0102030405060708 ; COOKIE`;
    expect(read(octets)).toBe(octets.length);
    expect(edns).toMatchObject({
      present: true,
      udpSize: 1232,
      version: 0,
      dnssecOk: true,
      cookieAt: 15,
      cookieLength: 8,
      padding: false,
      keepalive: false,
    });
  });

  test('absent: the size is 512', () => {
    expect(read(hex``, 0)).toBe(0);
    expect(edns).toMatchObject({ present: false, udpSize: 512, dnssecOk: false, cookieLength: 0 });
  });

  // RFC 6891 section 6.2.3: "Values lower than 512 MUST be treated as equal to 512."
  test.each([
    { size: '0000', udpSize: 512 },
    { size: '01ff', udpSize: 512 },
    { size: 'ffff', udpSize: 65_535 },
  ])('a size of $size counts as $udpSize', ({ size, udpSize }) => {
    read(hex`${OPT} ${size} 00000000 0000`);
    expect(edns.udpSize).toBe(udpSize);
  });

  test.each([
    // RFC 6891 section 6.1.1: "If a query message with more than one OPT RR is received, a FORMERR … MUST be returned."
    { what: 'two OPT', octets: hex`${OPT} 0200 00000000 0000 ${OPT} 0200 00000000 0000`, count: 2 },
    { what: 'an owner', octets: hex`01 61 00 0029 0200 00000000 0000`, count: 1 },
    { what: 'an rdlength past the end', octets: hex`${OPT} 0200 00000000 0001`, count: 1 },
    { what: 'an option past its OPT', octets: hex`${OPT} 0200 00000000 0004 000c 0001`, count: 1 },
    { what: 'half an option', octets: hex`${OPT} 0200 00000000 0003 000c 00`, count: 1 },
    { what: 'octets left over', octets: hex`${OPT} 0200 00000000 0000 00`, count: 1 },
    { what: 'a record that is missing', octets: hex`${OPT} 0200 00000000 0000`, count: 2 },
    { what: '65 options', octets: hex`${OPT} 0200 00000000 0104 ${'fde80000'.repeat(65)}`, count: 1 },
  ])('with $what is malformed', ({ octets, count }) => {
    expect(read(octets, count)).toBe(MALFORMED);
  });

  test('takes 64 options', () => {
    const octets = hex`${OPT} 0200 00000000 0100 ${'fde80000'.repeat(64)}`;
    expect(read(octets)).toBe(octets.length);
  });

  // RFC 7873 section 5.2.2: a client cookie of 8 octets, or with a server cookie of 8 to 32 behind it; else FORMERR.
  test.each(
    Array.from({ length: 45 }, (_, length) => ({
      length,
      valid: length === 8 || (length >= 16 && length <= 40),
    })),
  )('a cookie of $length octets: $valid', ({ length, valid }) => {
    const octets = hex`${OPT} 0200 00000000 ${(4 + length).toString(16).padStart(4, '0')} 000a ${length.toString(16).padStart(4, '0')} ${'aa'.repeat(length)}`;
    expect(read(octets) !== MALFORMED).toBe(valid);
  });

  test('of two cookies keeps the first', () => {
    const octets = hex`${OPT} 0200 00000000 0018 000a 0008 ${'11'.repeat(8)} 000a 0008 ${'22'.repeat(8)}`;
    read(octets);
    expect([edns.cookieAt, edns.cookieLength]).toEqual([15, 8]);
  });

  test('skips other additional records, a TSIG among them', () => {
    const octets = hex`${OPT} 0200 00000000 0000 01 61 00 00fa 00ff 00000000 0002 abcd`;
    expect(read(octets, 2)).toBe(octets.length);
    expect(edns.present).toBe(true);
  });

  test('is written without options', () => {
    const into = new Uint8Array(11);
    expect(writeOpt(into, 0, 1232, 1, true)).toBe(11);
    expect(into).toEqual(hex`${OPT} 04d0 01 00 8000 0000`);
  });

  test.each([
    { text: 'denied', max: 200, data: hex`000f 0008 000f 64656e696564` },
    { text: '', max: 200, data: hex`000f 0002 000f` },
    { text: 'ä€', max: 4, data: hex`000f 0004 000f c3a4 ; the euro sign does not fit whole` },
  ])('an extended error "$text" is cut between characters (RFC 8914 section 2)', ({ text, max, data }) => {
    expect(edeOption(15, text, max)).toEqual(data);
  });

  test('an extended error 0 without text is a bug of ours', () => {
    expect(() => edeOption(0, '')).toThrow(RangeError);
  });
});

describe('a record (RFC 1035 section 4.1.3)', () => {
  const place = new RecordPlace();
  const A = hex`01 61 00 0001 0001 0000012c 0004 c0000201`;

  test('is found', () => {
    expect(place.read(A, 0, A.length)).toBe(A.length);
    expect(place).toMatchObject({
      ownerAt: 0,
      type: 1,
      class: 1,
      ttlSeconds: 300,
      ttlAt: 7,
      rdataAt: 13,
      rdataLength: 4,
    });
  });

  test('cut anywhere is malformed', () => {
    for (let end = 0; end < A.length; end++) expect(place.read(A, 0, end)).toBe(MALFORMED);
  });

  // RFC 2181 section 8: "treat TTL values received with the most significant bit set as if the entire value received was zero".
  test.each([
    { ttl: '7fffffff', seconds: 0x7fffffff },
    { ttl: '80000000', seconds: 0 },
    { ttl: 'ffffffff', seconds: 0 },
  ])('a TTL of $ttl is $seconds', ({ ttl, seconds }) => {
    const octets = hex`00 0001 0001 ${ttl} 0000`;
    place.read(octets, 0, octets.length);
    expect(place.ttlSeconds).toBe(seconds);
  });

  test('only old types have names that may be compressed (RFC 3597 section 4)', () => {
    expect(nameLayoutOf(Rrtype.MX)).toEqual({ before: 2, names: 1, after: 0 });
    for (const type of [Rrtype.A, Rrtype.TXT, Rrtype.RRSIG, Rrtype.HTTPS, Rrtype.NAPTR, 731])
      expect(nameLayoutOf(type)).toBeUndefined();
    expect([fixedRdataLength(Rrtype.A), fixedRdataLength(Rrtype.AAAA), fixedRdataLength(Rrtype.TXT)]).toEqual(
      [4, 16, -1],
    );
  });
});

describe('types by name', () => {
  test.each([
    { text: 'AAAA', code: 28 },
    { text: 'https', code: 65 },
    { text: 'TYPE731', code: 731 },
    { text: 'type1', code: 1 },
    { text: 'TYPE65535', code: 65_535 },
    { text: 'TYPE65536', code: undefined },
    { text: 'TYPE', code: undefined },
    { text: 'toString', code: undefined },
    { text: 'constructor', code: undefined },
    { text: '__proto__', code: undefined },
  ])('$text is $code', ({ text, code }) => {
    expect(typeOf(text)).toBe(code);
  });

  test('every code has a name that leads back', () => {
    for (let code = 0; code <= 65_535; code++) expect(typeOf(typeName(code))).toBe(code);
  });
});
