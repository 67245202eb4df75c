import { describe, expect, test } from 'vitest';
import { ALIAS_COUNT_MAX, type Answer, AnswerReader, RRSET_LENGTH_MAX } from '../../src/answer/index.ts';
import { nameOctets, nameText, Question, Rrtype } from '../../src/wire/index.ts';
import {
  a,
  alias,
  everywhere,
  linesOf,
  NAME,
  opt,
  option,
  type ReplySpec,
  readReply,
  record,
  replyOctets,
  SEED,
  service,
  signature,
  soa,
} from './reply.ts';

const { A, AAAA, CAA, CNAME, DNAME, HINFO, HTTPS, MX, NAPTR, NS, NSEC, NSEC3, SOA, TXT } = Rrtype;
const ADDRESS = 'c0000201';

function kept(spec: ReplySpec, options: Parameters<typeof readReply>[1] = {}): Answer {
  const answer = readReply(spec, options);
  if (typeof answer === 'string') throw new Error(`unusable: ${answer}`);
  return answer;
}

describe('what is kept', () => {
  test.each([
    {
      what: 'the asked set',
      spec: { answer: [a('192.0.2.1'), a('192.0.2.2')] },
      lines: [`${NAME} 300 A ${ADDRESS}`, `${NAME} 300 A c0000202`],
    },
    {
      what: 'a record once that came twice (RFC 2181 section 5)',
      spec: { answer: [a('192.0.2.1'), a('192.0.2.2'), a('192.0.2.1', { ttl: 60 }), a('192.0.2.2')] },
      lines: [`${NAME} 60 A ${ADDRESS}`, `${NAME} 60 A c0000202`],
    },
    {
      what: 'records behind a twin at the end of a chain, pointers and all',
      spec: {
        answer: [
          alias(NAME, 'far.example.net'),
          a('192.0.2.1', { owner: 'far.example.net' }),
          a('192.0.2.1', { owner: 'far.example.net' }),
          a('192.0.2.2', { owner: 'far.example.net' }),
        ],
      },
      lines: [
        `${NAME} 300 CNAME far.example.net`,
        `far.example.net 300 A ${ADDRESS}`,
        'far.example.net 300 A c0000202',
      ],
    },
    {
      what: 'strings as they are, empty ones too',
      spec: {
        type: TXT,
        answer: [
          record({ type: TXT, rdata: Uint8Array.of(0) }),
          record({ type: TXT, rdata: Uint8Array.of(1, 97, 2, 98, 99) }),
        ],
      },
      lines: [`${NAME} 300 TXT 00`, `${NAME} 300 TXT 0161026263`],
    },
    {
      what: 'flags, services, pattern and name of NAPTR',
      spec: {
        type: NAPTR,
        answer: [record({ type: NAPTR, rdata: Uint8Array.of(0, 1, 0, 1, 1, 115, 0, 0, 0) })],
      },
      lines: [`${NAME} 300 NAPTR 000100010173000000`],
    },
    {
      what: 'the chain, in order',
      spec: {
        answer: [a('192.0.2.1', { owner: 'b.test' }), alias('a.test', 'b.test'), alias(NAME, 'a.test')],
      },
      lines: [`${NAME} 300 CNAME a.test`, 'a.test 300 CNAME b.test', `b.test 300 A ${ADDRESS}`],
    },
    {
      what: 'nothing of other names (CVE-2025-40778)',
      spec: { answer: [a('192.0.2.66', { owner: 'victim.test' }), a('192.0.2.1')] },
      lines: [`${NAME} 300 A ${ADDRESS}`],
    },
    {
      what: 'nothing of other types',
      spec: { answer: [record({ type: TXT, rdata: Uint8Array.of(0) }), a('192.0.2.1')] },
      lines: [`${NAME} 300 A ${ADDRESS}`],
    },
    {
      what: 'nothing of other classes',
      spec: { answer: [a('192.0.2.66', { class: 3 }), a('192.0.2.1')] },
      lines: [`${NAME} 300 A ${ADDRESS}`],
    },
    {
      what: 'no delegation (CVE-2025-11411)',
      spec: {
        answer: [a('192.0.2.1')],
        authority: [record({ owner: 'com', type: NS, rdata: nameOctets('ns.evil.test') })],
      },
      lines: [`${NAME} 300 A ${ADDRESS}`],
    },
    {
      what: 'nothing additional',
      spec: { answer: [a('192.0.2.1')], additional: [a('192.0.2.66', { owner: 'ns.evil.test' })] },
      lines: [`${NAME} 300 A ${ADDRESS}`],
    },
    {
      what: 'an owner in another case',
      spec: {
        answer: [
          a('192.0.2.1', { owner: Uint8Array.from(Buffer.from('\x03WWW\x07EXAMPLE\x03COM\0', 'latin1')) }),
        ],
      },
      lines: [`${NAME} 300 A ${ADDRESS}`],
    },
    {
      what: 'no signatures for who does not ask for them',
      spec: { answer: [a('192.0.2.1'), signature(A)] },
      lines: [`${NAME} 300 A ${ADDRESS}`],
    },
    {
      what: 'no SOA of a positive answer',
      spec: { answer: [a('192.0.2.1')], authority: [soa('example.com', 60)] },
      lines: [`${NAME} 300 A ${ADDRESS}`],
    },
    {
      what: 'of a repeated alias one',
      spec: { answer: [alias(NAME, 'a.test'), alias(NAME, 'A.TEST'), a('192.0.2.1', { owner: 'a.test' })] },
      lines: [`${NAME} 300 CNAME a.test`, `a.test 300 A ${ADDRESS}`],
    },
    {
      what: 'the alias itself when it is asked for',
      spec: { type: CNAME, answer: [alias(NAME, 'a.test'), a('192.0.2.1', { owner: 'a.test' })] },
      lines: [`${NAME} 300 CNAME a.test`],
    },
    {
      what: 'the SOA of a negative answer',
      spec: { rcode: 3, authority: [soa('example.com', 60)] },
      lines: [expect.stringMatching(/^example\.com 60 SOA /)],
    },
    {
      what: 'the first of two SOA',
      spec: { rcode: 3, authority: [soa('example.com', 60), soa(NAME, 90)] },
      lines: [expect.stringMatching(/^example\.com 60 SOA /)],
    },
    {
      what: 'the first of two SOA, though it says 0',
      spec: { rcode: 3, authority: [soa('example.com', 0), soa(NAME, 90)] },
      lines: [expect.stringMatching(/^example\.com 0 SOA /)],
    },
    {
      what: 'no SOA of a zone that does not hold the name',
      spec: { rcode: 3, authority: [soa('example.net', 60)] },
      lines: [],
    },
    {
      what: 'the SOA for the end of the chain',
      spec: {
        rcode: 3,
        answer: [alias(NAME, 'gone.test')],
        authority: [soa('example.com', 90), soa('test', 60)],
      },
      lines: [`${NAME} 300 CNAME gone.test`, expect.stringMatching(/^test 60 SOA /)],
    },
  ] satisfies { what: string; spec: ReplySpec; lines: unknown[] }[])('$what', ({ spec, lines }) => {
    expect(linesOf(kept(spec))).toEqual(lines);
  });

  test('names in rdata are written out (RFC 3597 section 4)', () => {
    const rdata = Uint8Array.of(0, 10, 4, 0x6d, 0x61, 0x69, 0x6c, 0xc0, 12);
    const answer = kept({ type: MX, answer: [record({ type: MX, rdata })] });
    expect(linesOf(answer)).toEqual([
      `${NAME} 300 MX 000a046d61696c${Buffer.from(nameOctets(NAME)).toString('hex')}`,
    ]);
  });

  test('owners point into the question and into targets, so that the body fits behind every question for the name', () => {
    const answer = kept({
      answer: [
        alias(NAME, 'a.test'),
        a('192.0.2.1', { owner: 'a.test' }),
        a('192.0.2.2', { owner: 'a.test' }),
      ],
    });
    // Pointer to 12; then pointers to the target, which stands in the body.
    expect([answer.body[0], answer.body[1]]).toEqual([0xc0, 12]);
    expect(answer.body.length).toBe(12 + 8 + 2 * 16);
  });

  test('the case in which the upstream was asked is not shown', () => {
    const octets = replyOctets({ answer: [a('192.0.2.1')] });
    octets[13] = 0x57;
    const answer = readReply(octets) as Answer;
    expect(linesOf(answer)).toEqual([`${NAME} 300 A ${ADDRESS}`]);
    expect(Buffer.from(answer.body).includes(0x57)).toBe(false);
  });
});

describe('DNSSEC records', () => {
  const proof = (type: number): Buffer =>
    record({ owner: 'example.com', type, rdata: nameOctets('z.example.com') });
  const typesOf = (answer: Answer): string[] => linesOf(answer).map((line) => line.split(' ')[2]);

  test('of a positive answer are kept with DO: the set’s own signatures, and proofs of wildcards', () => {
    const spec = {
      answer: [a('192.0.2.1'), signature(A), signature(TXT), signature(A, { owner: 'victim.test' })],
      authority: [
        proof(NSEC),
        signature(NSEC, { owner: 'example.com' }),
        record({ owner: 'example.com', type: NS, rdata: nameOctets('ns.test') }),
      ],
    };
    expect(typesOf(kept(spec, { dnssecOk: true }))).toEqual(['A', 'RRSIG', 'NSEC', 'RRSIG']);
    expect(typesOf(kept(spec))).toEqual(['A']);
  });

  test('of a negative answer are kept with DO', () => {
    const spec = {
      rcode: 3,
      authority: [
        soa('example.com', 60),
        signature(SOA, { owner: 'example.com' }),
        proof(NSEC3),
        signature(NSEC3, { owner: 'example.com' }),
      ],
    };
    expect(typesOf(kept(spec, { dnssecOk: true }))).toEqual(['SOA', 'RRSIG', 'NSEC3', 'RRSIG']);
    expect(typesOf(kept(spec))).toEqual(['SOA']);
  });

  test('a DNAME comes with the alias it made, and only its own (RFC 6672)', () => {
    const spec = {
      answer: [
        record({ owner: 'example.com', type: DNAME, rdata: nameOctets('example.net') }),
        signature(DNAME, { owner: 'example.com' }),
        record({ owner: 'other.test', type: DNAME, rdata: nameOctets('example.net') }),
        alias(NAME, 'www.example.net'),
        a('192.0.2.1', { owner: 'www.example.net' }),
      ],
    };
    expect(typesOf(kept(spec, { dnssecOk: true }))).toEqual(['DNAME', 'RRSIG', 'CNAME', 'A']);
    expect(typesOf(kept(spec))).toEqual(['DNAME', 'CNAME', 'A']);
  });

  test('a DNAME comes with its alias when the alias is what was asked for', () => {
    const spec = {
      type: CNAME,
      answer: [
        record({ owner: 'example.com', type: DNAME, ttl: 20, rdata: nameOctets('example.net') }),
        alias(NAME, 'www.example.net'),
      ],
    };
    expect(typesOf(kept(spec))).toEqual(['DNAME', 'CNAME']);
    expect(kept(spec).ttlSeconds).toBe(20);
  });

  test.each(['evil.test', 'example.net.test', 'net'])('a DNAME to %s did not make the alias', (to) => {
    const spec = {
      answer: [
        record({ owner: 'example.com', type: DNAME, rdata: nameOctets(to) }),
        alias(NAME, 'www.example.net'),
        a('192.0.2.1', { owner: 'www.example.net' }),
      ],
    };
    expect(typesOf(kept(spec, { dnssecOk: true }))).toEqual(['CNAME', 'A']);
  });

  test('AD counts from a trusted upstream only', () => {
    expect(kept({ ad: true, answer: [a('192.0.2.1')] }, { trusted: true }).authenticated).toBe(true);
    expect(kept({ ad: true, answer: [a('192.0.2.1')] }).authenticated).toBe(false);
    expect(kept({ answer: [a('192.0.2.1')] }, { trusted: true }).authenticated).toBe(false);
  });
});

describe('how long it may be kept', () => {
  test.each([
    {
      what: 'the least TTL of the set, for all of it (RFC 2181 section 5.2)',
      spec: { answer: [a('192.0.2.1', { ttl: 300 }), a('192.0.2.2', { ttl: 20 })] },
      ttl: 20,
      shown: [20, 20],
    },
    {
      what: 'the least of the chain',
      spec: { answer: [alias(NAME, 'a.test', { ttl: 50 }), a('192.0.2.1', { owner: 'a.test', ttl: 100 })] },
      ttl: 50,
      shown: [50, 100],
    },
    { what: 'a TTL of 0: not at all', spec: { answer: [a('192.0.2.1', { ttl: 0 })] }, ttl: 0, shown: [0] },
    {
      what: 'the top bit set counts as 0 (RFC 2181 section 8)',
      spec: { answer: [a('192.0.2.1', { ttl: 0x80000001 })] },
      ttl: 0,
      shown: [0],
    },
    {
      what: 'NXDOMAIN: the lesser of SOA TTL and MINIMUM (RFC 2308 section 5)',
      spec: { rcode: 3, authority: [soa('example.com', 60, { ttl: 900 })] },
      ttl: 60,
      shown: [60],
    },
    {
      what: 'the same, the other way round',
      spec: { rcode: 3, authority: [soa('example.com', 900, { ttl: 60 })] },
      ttl: 60,
      shown: [60],
    },
    {
      what: 'a MINIMUM with the top bit',
      spec: { rcode: 3, authority: [soa('example.com', 0x80000000)] },
      ttl: 0,
      shown: [0],
    },
    { what: 'NXDOMAIN without SOA: not at all', spec: { rcode: 3 }, ttl: 0, shown: [] },
    { what: 'NODATA without SOA: not at all', spec: {}, ttl: 0, shown: [] },
    {
      what: 'an alias into nothing: the lesser of both',
      spec: { rcode: 3, answer: [alias(NAME, 'gone.test', { ttl: 10 })], authority: [soa('test', 60)] },
      ttl: 10,
      shown: [10, 60],
    },
    { what: 'SERVFAIL: not at all', spec: { rcode: 2, answer: [a('192.0.2.1')] }, ttl: 0, shown: [300] },
  ] satisfies { what: string; spec: ReplySpec; ttl: number; shown: number[] }[])(
    '$what',
    ({ spec, ttl, shown }) => {
      const answer = kept(spec);
      expect(answer.ttlSeconds).toBe(ttl);
      expect(linesOf(answer).map((line) => Number(line.split(' ')[1]))).toEqual(shown);
    },
  );
});

describe('extended rcode and errors', () => {
  const error = (text: string): Buffer =>
    option(15, Buffer.concat([Buffer.from([0, 22]), Buffer.from(text)]));

  test('are read from OPT (RFC 6891 section 6.1.3, RFC 8914)', () => {
    const answer = kept({
      rcode: 1,
      additional: [opt(Buffer.concat([option(10, Buffer.alloc(8)), error('one'), error('two')]), 1)],
    });
    expect(answer.rcode).toBe(17);
    expect(Buffer.from(answer.extendedErrors)).toEqual(Buffer.concat([error('one'), error('two')]));
  });

  test('are kept up to 512 octets', () => {
    const answer = kept({
      additional: [opt(Buffer.concat(Array.from({ length: 20 }, () => error('x'.repeat(94)))))],
    });
    expect(answer.extendedErrors.length).toBe(500);
  });

  test('too short for a code are no errors', () => {
    expect(kept({ additional: [opt(option(15, Uint8Array.of(1)))] }).extendedErrors).toHaveLength(0);
  });
});

describe('an unusable reply', () => {
  const point = (to: number): Uint8Array => Uint8Array.of(0xc0 | (to >> 8), to);
  const at = replyOctets({}).length;
  test.each([
    {
      what: 'an owner that points to itself',
      spec: { answer: [a('192.0.2.1', { owner: point(at) })] },
      why: 'malformed record',
    },
    {
      what: 'an owner that points forward',
      spec: { answer: [a('192.0.2.1', { owner: point(at + 20) }), a('192.0.2.1')] },
      why: 'malformed record',
    },
    {
      what: 'a broken record of another name',
      spec: { answer: [a('192.0.2.1'), a('192.0.2.1', { owner: 'x.test', rdlength: 90 })] },
      why: 'malformed record',
    },
    {
      what: 'a broken authority record',
      spec: { answer: [a('192.0.2.1')], authority: [soa('com', 1, { rdlength: 900 })] },
      why: 'malformed record',
    },
    {
      what: 'a broken additional record',
      spec: { answer: [a('192.0.2.1')], additional: [a('192.0.2.1', { rdlength: 9 })] },
      why: 'malformed record',
    },
    {
      what: 'an address of 3 octets',
      spec: { answer: [record({ type: A, rdata: Uint8Array.of(1, 2, 3) })] },
      why: 'malformed record',
    },
    {
      what: 'an IPv6 address of 4 octets',
      spec: { type: AAAA, answer: [record({ type: AAAA, rdata: Uint8Array.of(1, 2, 3, 4) })] },
      why: 'malformed record',
    },
    {
      what: 'an alias with octets behind its target',
      spec: { answer: [alias(NAME, Uint8Array.of(1, 97, 0, 0))] },
      why: 'malformed record',
    },
    {
      what: 'an alias without target',
      spec: { answer: [alias(NAME, new Uint8Array(0))] },
      why: 'malformed record',
    },
    {
      what: 'an alias whose target runs out of its rdata',
      spec: { answer: [alias(NAME, Uint8Array.of(5, 97))] },
      why: 'malformed record',
    },
    {
      what: 'an MX of one octet',
      spec: { type: MX, answer: [record({ type: MX, rdata: Uint8Array.of(1) })] },
      why: 'malformed record',
    },
    {
      what: 'an SOA cut short',
      spec: { rcode: 3, authority: [record({ owner: 'com', type: SOA, rdata: Uint8Array.of(0, 0, 1, 2) })] },
      why: 'malformed record',
    },
    {
      what: 'a service target that runs out of its rdata',
      spec: { type: HTTPS, answer: [record({ type: HTTPS, rdata: Uint8Array.of(0, 1, 9, 97) })] },
      why: 'malformed record',
    },
    { what: 'two OPT', spec: { additional: [opt(), opt()] }, why: 'malformed record' },
    { what: 'an owned OPT', spec: { additional: [opt(undefined, 0, point(12))] }, why: 'malformed record' },
    {
      what: 'an option past its OPT',
      spec: { additional: [opt(option(15, Uint8Array.of(0, 1), 9))] },
      why: 'malformed record',
    },
    {
      what: 'an option cut in its head',
      spec: { additional: [opt(Uint8Array.of(0, 15, 0))] },
      why: 'malformed record',
    },
    {
      what: 'a string longer than its record (RFC 1035 section 3.3.14)',
      spec: { type: TXT, answer: [record({ type: TXT, rdata: Uint8Array.of(255, 97, 98, 99) })] },
      why: 'malformed record',
    },
    {
      what: 'a text without a string',
      spec: { type: TXT, answer: [record({ type: TXT, rdata: new Uint8Array(0) })] },
      why: 'malformed record',
    },
    {
      what: 'one string where two are due',
      spec: { type: HINFO, answer: [record({ type: HINFO, rdata: Uint8Array.of(1, 97) })] },
      why: 'malformed record',
    },
    {
      what: 'a tag longer than its record (RFC 8659 section 4.1)',
      spec: { type: CAA, answer: [record({ type: CAA, rdata: Uint8Array.of(0, 5, 105, 115) })] },
      why: 'malformed record',
    },
    {
      what: 'services longer than their record (RFC 3403 section 4.1)',
      spec: {
        type: NAPTR,
        answer: [record({ type: NAPTR, rdata: Uint8Array.of(0, 1, 0, 1, 1, 115, 9, 0, 0) })],
      },
      why: 'malformed record',
    },
    {
      what: 'octets behind the last record',
      spec: { answer: [a('192.0.2.1')], trailing: Uint8Array.of(0) },
      why: 'octets behind the last record',
    },
    {
      what: 'two aliases at one name (RFC 2181 section 10.1)',
      spec: { answer: [alias(NAME, 'a.test'), alias(NAME, 'b.test')] },
      why: 'two aliases at one name',
    },
    {
      what: 'a DNAME without the alias it makes (RFC 6672 section 3.1)',
      spec: { answer: [record({ owner: 'example.com', type: DNAME, rdata: nameOctets('example.net') })] },
      why: 'no alias beside its DNAME',
    },
    { what: 'an alias to itself', spec: { answer: [alias(NAME, NAME)] }, why: 'alias loop' },
    {
      what: 'a ring of aliases',
      spec: { answer: [alias(NAME, 'a.test'), alias('a.test', 'b.test'), alias('b.test', 'a.test')] },
      why: 'alias loop',
    },
    {
      what: 'NXDOMAIN with the asked records',
      spec: { rcode: 3, answer: [a('192.0.2.1')] },
      why: 'records under NXDOMAIN',
    },
    {
      what: 'a set above the bound (CVE-2024-1737)',
      spec: { answer: Array.from({ length: RRSET_LENGTH_MAX + 1 }, () => a('192.0.2.1')) },
      why: 'too many records',
    },
  ] satisfies { what: string; spec: ReplySpec; why: string }[])('$what: $why', ({ spec, why }) => {
    expect(readReply(spec)).toBe(why);
  });

  test('cut at any octet', () => {
    const whole = replyOctets({
      answer: [alias(NAME, 'a.test'), a('192.0.2.1', { owner: 'a.test' })],
      authority: [soa('com', 60)],
      additional: [opt(option(15, Uint8Array.of(0, 1)))],
    });
    for (let length = 12; length < whole.length; length++) {
      const cut = whole.slice(0, length);
      const question = new Question(SEED).set(nameOctets(NAME), A);
      expect(new AnswerReader().read(cut, length, question, everywhere)).toBe('malformed record');
    }
  });

  test('a set at the bound is taken', () => {
    const answer = Array.from({ length: RRSET_LENGTH_MAX }, (_, i) => a(`192.0.2.${i}`));
    expect(kept({ answer }).answerCount).toBe(RRSET_LENGTH_MAX);
  });

  test(`a chain of ${ALIAS_COUNT_MAX} is taken, one more is not`, () => {
    const chain = (steps: number): Buffer[] =>
      Array.from({ length: steps }, (_, i) => alias(i === 0 ? NAME : `s${i}.test`, `s${i + 1}.test`));
    expect(kept({ answer: chain(ALIAS_COUNT_MAX) }).aliasCount).toBe(ALIAS_COUNT_MAX);
    expect(readReply({ answer: chain(ALIAS_COUNT_MAX + 1) })).toBe('alias chain too long');
  });

  test('signatures are bounded like sets', () => {
    expect(
      readReply(
        { answer: [a('192.0.2.1'), ...Array.from({ length: RRSET_LENGTH_MAX + 1 }, () => signature(A))] },
        { dnssecOk: true },
      ),
    ).toBe('too many records');
  });

  test('of 64 kB that grows when its names are written out is turned down, not cut', () => {
    const long = `${'x'.repeat(63)}.${'y'.repeat(63)}.${'z'.repeat(63)}.${'w'.repeat(40)}.test`;
    const set = (owner?: Uint8Array): Buffer[] =>
      Array.from({ length: 256 }, (_, i) =>
        record({ ...(owner ? { owner } : {}), type: MX, rdata: Uint8Array.of(0, i, 0xc0, 12) }),
      );
    expect(readReply({ name: long, type: MX, answer: set() })).toMatchObject({ answerCount: 256 });
    const at = (step: number): string => (step === 0 ? long : `s${step}${long.slice(2)}`);
    const aliases = [0, 1, 2].map((step) => alias(at(step), at(step + 1)));
    // The set's owner is the target of the third alias, by pointer: in the reply all of this is short.
    const length = nameOctets(long).length;
    const place = 12 + length + 4 + 2 * (2 * length + 10) + length + 10;
    const owner = Uint8Array.of(0xc0 | (place >> 8), place & 255);
    expect(readReply({ name: long, type: MX, answer: [...aliases, ...set(owner)] })).toBe('too many records');
  });
});

describe('targets', () => {
  test('are the aliases, then those of HTTPS records', () => {
    const answer = kept({
      type: HTTPS,
      answer: [
        alias(NAME, 'a.test'),
        service('svc.test', { owner: 'a.test' }),
        service('.', { owner: 'a.test' }),
      ],
    });
    expect(answer.targets.map((name) => nameText(name))).toEqual(['a.test', 'svc.test']);
    expect(answer.aliasCount).toBe(1);
  });

  test('that belong elsewhere end the chain', () => {
    const answer = kept(
      { answer: [alias(NAME, 'a.test'), alias('a.test', 'b.corp'), a('192.0.2.66', { owner: 'b.corp' })] },
      { mayFollow: (target) => !nameText(target).endsWith('.corp') },
    );
    expect(answer).toMatchObject({ complete: false, answerCount: 2, negative: false });
    expect(linesOf(answer)).toEqual([`${NAME} 300 CNAME a.test`, 'a.test 300 CNAME b.corp']);
  });

  test('are gone on from with another reply', () => {
    const question = new Question(SEED).set(nameOctets(NAME), A);
    const reader = new AnswerReader();
    const first = reader.read(
      replyOctets({ answer: [alias(NAME, 'b.corp', { ttl: 20 })] }),
      replyOctets({ answer: [alias(NAME, 'b.corp', { ttl: 20 })] }).length,
      question,
      { ...everywhere, mayFollow: () => false },
    ) as Answer;
    const second = replyOctets({
      name: 'b.corp',
      answer: [a('10.0.0.1', { ttl: 90 })],
      authority: [soa('corp', 1)],
    });
    const whole = reader.read(second, second.length, question, { ...everywhere, continues: first }) as Answer;
    expect(linesOf(whole)).toEqual([`${NAME} 20 CNAME b.corp`, 'b.corp 90 A 0a000001']);
    expect(whole).toMatchObject({ complete: true, ttlSeconds: 20, answerCount: 2 });
  });

  test('that lead back to the question through another reply are a loop', () => {
    const question = new Question(SEED).set(nameOctets(NAME), A);
    const reader = new AnswerReader();
    const one = replyOctets({ answer: [alias(NAME, 'b.corp')] });
    const first = reader.read(one, one.length, question, { ...everywhere, mayFollow: () => false }) as Answer;
    const two = replyOctets({ name: 'b.corp', answer: [alias('b.corp', NAME)] });
    expect(reader.read(two, two.length, question, { ...everywhere, continues: first })).toBe('alias loop');
  });
});

describe('pointers', () => {
  test('never reach beyond 14 bits, wherever a target falls', () => {
    // Signatures push the alias target along the end of what a pointer can reach; its own suffixes may lie beyond.
    for (let padding = 16_240; padding < 16_420; padding++) {
      const signatures = [padding - 8000, 8000].map((length) =>
        record({
          type: Rrtype.RRSIG,
          rdata: Buffer.concat([Uint8Array.of(0, CNAME), Buffer.alloc(length - 14)]),
        }),
      );
      const target = 'a.bb.ccc.dddd.test';
      const spec = {
        answer: [
          ...signatures,
          alias(NAME, target),
          a('192.0.2.1', { owner: target }),
          a('192.0.2.2', { owner: target }),
        ],
        authority: [record({ owner: 'ccc.dddd.test', type: NSEC, rdata: nameOctets('z.test') })],
      };
      const lines = linesOf(kept(spec, { dnssecOk: true })).filter((line) => !line.includes('RRSIG'));
      expect(lines.map((line) => line.split(' ')[0])).toEqual([NAME, target, target, 'ccc.dddd.test']);
    }
  });
});
