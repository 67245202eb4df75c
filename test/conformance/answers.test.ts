/** Answers as they reach clients: sizes and truncation, TTLs, negative answers, aliases, what is kept and what is not. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Serving } from '../e2e/processes.ts';
import { heard, type Transport } from './client.ts';
import { faultsOf, startServing } from './house.ts';
import { a, addresses, cname, name, opt, option, query, record, type Seen, soa, u16 } from './message.ts';
import { type Asked, type Behaviour, POISON, ScriptedUpstream, TRUTH, truth } from './upstream.ts';

const [A, CNAME, SOA, TXT, AAAA, RRSIG, NSEC] = [1, 5, 6, 16, 28, 46, 47];
const FIRST = (asked: Asked): string => asked.name.split('.')[0];
const number = (asked: Asked): number => Number(/\d+/.exec(FIRST(asked))?.[0] ?? 0);

/** Records so that the whole response has exactly the number of octets that the name says, without EDNS. */
const ofLength: Behaviour = (asked) => {
  if (asked.transport === 'udp' && number(asked) > 1200) return asked.reply({ flags: 0x8380 });
  let left = number(asked) - 12 - asked.question.length;
  const answer: Buffer[] = [];
  while (left > 0) {
    // Large records, so that a large answer is no large set; the last two share what is left.
    const size = left > 1100 ? 500 : left > 240 ? left >> 1 : left;
    const strings: Buffer[] = [];
    for (let text = size - 12; text > 0; text -= 256) {
      const length = Math.min(256, text) - 1;
      // Each record another one: twins would be sent once.
      strings.push(Buffer.from([length]), Buffer.alloc(length, 1 + answer.length));
    }
    answer.push(record({ type: TXT, rdata: Buffer.concat(strings) }));
    left -= size;
  }
  asked.reply({ answer });
};

const signature = (covered: number, owner?: string): Buffer =>
  record({
    ...(owner ? { owner } : {}),
    type: RRSIG,
    rdata: Buffer.concat([u16(covered), Buffer.alloc(16), name('example.com'), Buffer.alloc(8, 7)]),
  });

const BEHAVIOURS: Record<string, Behaviour> = {
  size: ofLength,
  ttl: (asked) => asked.raw(truth(asked, { answer: [a(TRUTH, { ttl: number(asked) })] })),
  ttls: (asked) =>
    asked.raw(
      truth(asked, {
        answer: [a(TRUTH, { ttl: 300 }), a('192.0.2.2', { ttl: 7 }), a('192.0.2.3', { ttl: 90 })],
      }),
    ),
  nx: (asked) => asked.reply({ flags: 0x8183, authority: [soa('example.com', 60, { ttl: 900 })] }),
  'nx-bare': (asked) => asked.reply({ flags: 0x8183 }),
  'nx-forever': (asked) =>
    asked.reply({ flags: 0x8183, authority: [soa('example.com', 0x7fffffff, { ttl: 0x7fffffff })] }),
  'nx-zero': (asked) => asked.reply({ flags: 0x8183, authority: [soa('example.com', 0)] }),
  nodata: (asked) =>
    asked.type === A ? asked.truth() : asked.reply({ authority: [soa('example.com', 60, { ttl: 30 })] }),
  'nodata-bare': (asked) => asked.reply({}),
  chain: (asked) =>
    asked.reply({
      answer: [
        cname(`c1.${asked.name}`, { ttl: 50 }),
        cname(`c2.${asked.name}`, { owner: `c1.${asked.name}`, ttl: 20 }),
        a(TRUTH, { owner: `c2.${asked.name}`, ttl: 100 }),
      ],
    }),
  'chain-mixed-up': (asked) =>
    asked.reply({
      answer: [
        a(TRUTH, { owner: `c2.${asked.name}` }),
        a(POISON, { owner: 'other.example.com' }),
        cname(`c2.${asked.name}`, { owner: `c1.${asked.name}` }),
        cname(`c1.${asked.name}`),
      ],
    }),
  'chain-nx': (asked) =>
    asked.reply({
      flags: 0x8183,
      answer: [cname(`gone.${asked.name}`)],
      authority: [soa('example.com', 60)],
    }),
  'chain-open': (asked) =>
    FIRST(asked) === 'open'
      ? asked.reply({ answer: [cname('target.chain-open.example.com')] })
      : asked.truth(),
  'chain-eleven': (asked) => {
    const steps = number(asked);
    const at = (i: number): string => (i === 0 ? asked.name : `s${i}.example.com`);
    asked.reply({
      answer: [
        ...Array.from({ length: steps }, (_, i) => cname(at(i + 1), { owner: at(i) })),
        a(TRUTH, { owner: at(steps) }),
      ],
    });
  },
  'to-denied': (asked) =>
    asked.reply({ answer: [cname('x.bad.example.com'), a(POISON, { owner: 'x.bad.example.com' })] }),
  'to-denied-open': (asked) => asked.reply({ answer: [cname('y.bad.example.com')] }),
  'to-local': (asked) => asked.reply({ answer: [cname('home.test'), a(POISON, { owner: 'home.test' })] }),
  'to-outside': (asked) =>
    asked.reply({ answer: [cname('cdn.example.org'), a(TRUTH, { owner: 'cdn.example.org' })] }),
  repeated: (asked) =>
    asked.reply({
      answer: [cname(`c.${asked.name}`), cname(`c.${asked.name}`), a(TRUTH, { owner: `c.${asked.name}` })],
    }),
  compressed: (asked) => {
    // MX and SOA rdata may be compressed (RFC 1035); what is handed on is written anew.
    asked.reply({
      answer: [
        record({
          type: 15,
          rdata: Buffer.concat([u16(10), Uint8Array.of(4, 0x6d, 0x61, 0x69, 0x6c, 0xc0, 12)]),
        }),
      ],
    });
  },
  signed: (asked) =>
    asked.reply({
      answer: [a(TRUTH), signature(A), signature(TXT)],
      authority: [
        record({ owner: 'example.com', type: NSEC, rdata: name('z.example.com') }),
        signature(NSEC, 'example.com'),
      ],
      additional: [opt({ flags: 0x8000 })],
    }),
  'late-truth': (asked) => void setTimeout(() => asked.truth(), 1200),
  held: (asked) => void setTimeout(() => asked.truth(), 250),
  error: (asked) => (asked.before === 0 ? asked.reply({ flags: 0x8182 }) : asked.truth()),
};

let upstream: ScriptedUpstream;
let serving: Serving;
beforeAll(async () => {
  upstream = await ScriptedUpstream.start(BEHAVIOURS);
  serving = await startServing(upstream.address, { 'cache.failureTtl': '1s' });
});
afterAll(async () => {
  expect(await faultsOf(serving)).toEqual([]);
  expect(await serving.stop()).toBe(0);
  await upstream.stop();
});

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const ask = (
  qname: string,
  type = A,
  transport: Transport = 'udp',
  more: Parameters<typeof query>[2] = {},
): Promise<Seen> => heard(transport, serving.port, query(qname, type, { id: 2, ...more }));

describe('sizes (RFC 1035 section 4.2.1, RFC 6891 section 6.2.5, RFC 9715)', () => {
  test.each([
    { what: '512 octets without EDNS', length: 512, edns: null, whole: true },
    { what: '513 octets without EDNS', length: 513, edns: null, whole: false },
    { what: '501 octets and an OPT into 512', length: 501, edns: 512, whole: true },
    { what: '502 octets and an OPT into 512', length: 502, edns: 512, whole: false },
    { what: '600 octets into 611', length: 600, edns: 611, whole: true },
    { what: '601 octets into 611', length: 601, edns: 611, whole: false },
    { what: 'a size below 512 counts as 512', length: 501, edns: 1, whole: true },
    { what: '1221 octets and an OPT into 1232', length: 1221, edns: 1232, whole: true },
    { what: '1222 octets and an OPT into 1232', length: 1222, edns: 1232, whole: false },
    { what: '1222 octets into 4096: no more than 1232 is sent', length: 1222, edns: 4096, whole: false },
    { what: '9000 octets', length: 9000, edns: 65_535, whole: false },
  ])('$what: whole $whole over UDP, whole over TCP', async ({ length, edns, whole }) => {
    const qname = `n${length}e${edns}.size.example.com`;
    const more = edns === null ? {} : { additional: [opt({ size: edns })] };
    for (const round of ['fresh', 'from the cache']) {
      const seen = await ask(qname, TXT, 'udp', more);
      expect({ round, truncated: seen.flags.has('tc') }).toEqual({ round, truncated: !whole });
      if (whole) expect(seen.octets.length).toBe(length + (edns === null ? 0 : 11));
      // Nothing is sent of what did not fit: a part of a set would be believed (RFC 2181 section 9).
      else expect(seen).toMatchObject({ rcode: 0, answer: [], authority: [], additional: [] });
    }
    const overTcp = await ask(qname, TXT, 'tcp', more);
    expect(overTcp.flags.has('tc')).toBe(false);
    expect(overTcp.octets.length).toBe(length + (edns === null ? 0 : 11));
  });

  test('64 kB come over TCP', async () => {
    const seen = await ask('n65000.size.example.com', TXT, 'tcp');
    expect(seen.octets.length).toBe(65_000);
    expect((await ask('n65000.size.example.com', TXT)).flags.has('tc')).toBe(true);
  });

  test('an extended error that does not fit is left away, not the answer', async () => {
    const long = `${'x'.repeat(63)}.${'y'.repeat(63)}.${'z'.repeat(63)}.${'w'.repeat(40)}.bad.example.com`;
    const seen = await ask(long, A, 'udp', {
      additional: [opt({ size: 512, options: option(10, Buffer.alloc(8)) })],
    });
    expect(seen.octets.length).toBeLessThanOrEqual(512);
    expect(seen).toMatchObject({ rcode: 3 });
  });
});

describe('TTLs', () => {
  test('of 0 are handed on and not kept', async () => {
    for (const transport of ['udp', 'tcp'] as const) {
      expect((await ask('t0.ttl.example.com', A, transport)).answer[0].ttl).toBe(0);
    }
    expect(upstream.askedFor('t0.ttl.example.com')).toHaveLength(2);
  });

  test.each([
    { what: 'the cap of one day', qname: 't2000000.ttl.example.com', ttl: 86_400 },
    { what: 'the largest there is', qname: 't2147483647.ttl.example.com', ttl: 86_400 },
    {
      what: 'with the top bit, counted as 0 (RFC 2181 section 8)',
      qname: 't2147483648.ttl.example.com',
      ttl: 0,
    },
    { what: 'all ones', qname: 't4294967295.ttl.example.com', ttl: 0 },
    { what: 'an ordinary one', qname: 't300.ttl.example.com', ttl: 300 },
  ])('$what', async ({ qname, ttl }) => {
    expect((await ask(qname)).answer[0].ttl).toBe(ttl);
  });

  test('are one for each set, the least (RFC 2181 section 5.2)', async () => {
    const seen = await ask('x.ttls.example.com');
    expect(seen.answer.map(({ ttl }) => ttl)).toEqual([7, 7, 7]);
  });

  test('count down, and the answer ends with them', async () => {
    expect((await ask('t2.ttl.example.com')).answer[0].ttl).toBe(2);
    await sleep(1100);
    expect((await ask('t2.ttl.example.com')).answer[0].ttl).toBe(1);
    expect(upstream.askedFor('t2.ttl.example.com')).toHaveLength(1);
    await sleep(1000);
    expect((await ask('t2.ttl.example.com')).answer[0].ttl).toBe(2);
    expect(upstream.askedFor('t2.ttl.example.com')).toHaveLength(2);
  });
});

describe('negative answers (RFC 2308)', () => {
  test.each([
    { what: 'NXDOMAIN with SOA', qname: 'a.nx.example.com', type: A, rcode: 3, ttl: 60, asked: 1 },
    {
      what: 'NXDOMAIN with an SOA of 68 years: an hour',
      qname: 'a.nx-forever.example.com',
      type: A,
      rcode: 3,
      ttl: 3600,
      asked: 1,
    },
    {
      what: 'NXDOMAIN whose SOA says 0: not kept',
      qname: 'a.nx-zero.example.com',
      type: A,
      rcode: 3,
      ttl: 0,
      asked: 2,
    },
    {
      what: 'NXDOMAIN without SOA: not kept',
      qname: 'a.nx-bare.example.com',
      type: A,
      rcode: 3,
      ttl: null,
      asked: 2,
    },
    { what: 'NODATA with SOA', qname: 'a.nodata.example.com', type: AAAA, rcode: 0, ttl: 30, asked: 1 },
    {
      what: 'NODATA without SOA: not kept',
      qname: 'a.nodata-bare.example.com',
      type: A,
      rcode: 0,
      ttl: null,
      asked: 2,
    },
  ])('$what', async ({ qname, type, rcode, ttl, asked }) => {
    for (let round = 0; round < 2; round++) {
      const seen = await ask(qname, type);
      expect(seen).toMatchObject({ rcode, answer: [] });
      expect(seen.authority.map(({ type, ttl }) => [type, ttl])).toEqual(ttl === null ? [] : [[SOA, ttl]]);
    }
    expect(upstream.askedFor(qname)).toHaveLength(asked);
  });

  test('NODATA of one type says nothing about another', async () => {
    expect(await ask('b.nodata.example.com', AAAA)).toMatchObject({ rcode: 0, answer: [] });
    expect(addresses(await ask('b.nodata.example.com', A))).toEqual([TRUTH]);
  });

  test('NXDOMAIN says nothing about names below (RFC 8020 is not assumed of upstreams)', async () => {
    expect(await ask('c.nx.example.com')).toMatchObject({ rcode: 3 });
    expect(addresses(await ask('honest.c.honest.example.com'))).toEqual([TRUTH]);
  });

  test('of the local zone: NXDOMAIN, NODATA, empty non-terminals and wildcards (RFC 4592)', async () => {
    expect(await ask('no.home.test')).toMatchObject({ rcode: 3, authority: [{ type: SOA, ttl: 300 }] });
    expect(await ask('home.test', AAAA)).toMatchObject({ rcode: 0, answer: [], authority: [{ type: SOA }] });
    expect(await ask('er.home.test')).toMatchObject({ rcode: 0, answer: [] });
    expect(addresses(await ask('x.y.wild.home.test'))).toEqual(['192.0.2.81']);
    expect((await ask('www.home.test')).answer.map(({ type }) => type)).toEqual([CNAME, A]);
  });

  test('a failure is remembered for a moment, then asked again (RFC 9520)', async () => {
    for (let round = 0; round < 3; round++)
      expect(await ask('a.error.example.com')).toMatchObject({ rcode: 2 });
    expect(upstream.askedFor('a.error.example.com')).toHaveLength(1);
    await sleep(1100);
    expect(addresses(await ask('a.error.example.com'))).toEqual([TRUTH]);
  });

  test('a reply after the deadline is kept for the next client', async () => {
    expect(await ask('a.late-truth.example.com')).toMatchObject({ rcode: 2 });
    await sleep(700);
    expect(addresses(await ask('a.late-truth.example.com'))).toEqual([TRUTH]);
  });
});

describe('aliases', () => {
  test('are kept from the question to the address, and the answer lives as long as its shortest record', async () => {
    const seen = await ask('a.chain.example.com');
    expect(seen.answer.map(({ owner, type, ttl }) => [owner, type, ttl])).toEqual([
      ['a.chain.example.com', CNAME, 50],
      ['c1.a.chain.example.com', CNAME, 20],
      ['c2.a.chain.example.com', A, 100],
    ]);
  });

  test('are put in order, and what is not of the chain is left away', async () => {
    const seen = await ask('a.chain-mixed-up.example.com');
    expect(seen.answer.map(({ owner }) => owner)).toEqual([
      'a.chain-mixed-up.example.com',
      'c1.a.chain-mixed-up.example.com',
      'c2.a.chain-mixed-up.example.com',
    ]);
    expect(addresses(seen)).toEqual([TRUTH]);
  });

  test('may end in NXDOMAIN: the rcode is of the last name (RFC 6604)', async () => {
    const seen = await ask('a.chain-nx.example.com');
    expect(seen).toMatchObject({ rcode: 3, answer: [{ type: CNAME }], authority: [{ type: SOA }] });
  });

  test('that are left open are followed', async () => {
    const seen = await ask('open.chain-open.example.com');
    expect(seen.answer.map(({ type }) => type)).toEqual([CNAME, A]);
    expect(addresses(seen)).toEqual([TRUTH]);
  });

  test('are followed eleven times and no more', async () => {
    expect(addresses(await ask('n11.chain-eleven.example.com'))).toEqual([TRUTH]);
    expect(await ask('n12.chain-eleven.example.com')).toMatchObject({ rcode: 2, answer: [] });
  });

  test('are the answer when they are asked for', async () => {
    expect((await ask('b.chain.example.com', CNAME)).answer.map(({ type, owner }) => [type, owner])).toEqual([
      [CNAME, 'b.chain.example.com'],
    ]);
  });

  test('that are repeated are written once', async () => {
    expect((await ask('a.repeated.example.com')).answer.map(({ type }) => type)).toEqual([CNAME, A]);
  });

  test.each([
    { what: 'to a denied name', qname: 'a.to-denied.example.com' },
    { what: 'to a denied name, left open', qname: 'a.to-denied-open.example.com' },
  ])('$what are denied, and the denied name is not asked', async ({ qname }) => {
    const seen = await ask(qname, A, 'udp', { additional: [opt()] });
    expect(seen).toMatchObject({ rcode: 3, answer: [] });
    expect(upstream.askedFor('x.bad.example.com')).toEqual([]);
    expect(upstream.askedFor('y.bad.example.com')).toEqual([]);
  });

  test('into a local zone are answered from it, whatever the upstream says of it (MaginotDNS)', async () => {
    const seen = await ask('a.to-local.example.com');
    expect(addresses(seen)).toEqual(['192.0.2.80']);
  });

  test('out of the allow list are trusted by default', async () => {
    expect(addresses(await ask('a.to-outside.example.com'))).toEqual([TRUTH]);
  });
});

describe('records', () => {
  test('with compressed names are written anew', async () => {
    const seen = await ask('a.compressed.example.com', 15);
    expect(seen.answer[0].rdata).toEqual(Buffer.concat([u16(10), name('mail.a.compressed.example.com')]));
  });

  test('of DNSSEC are for clients that ask for them, kept apart in the cache (RFC 4035 section 3.2.1)', async () => {
    const plain = await ask('a.signed.example.com', A, 'udp', { additional: [opt()] });
    expect([plain.answer, plain.authority].map((section) => section.map(({ type }) => type))).toEqual([
      [A],
      [],
    ]);
    for (let round = 0; round < 2; round++) {
      const signed = await ask('a.signed.example.com', A, 'udp', { additional: [opt({ flags: 0x8000 })] });
      expect([signed.answer, signed.authority].map((section) => section.map(({ type }) => type))).toEqual([
        [A, RRSIG],
        [NSEC, RRSIG],
      ]);
    }
    expect((await ask('a.signed.example.com', A, 'udp', { additional: [opt()] })).answer).toHaveLength(1);
  });

  test('come to every client that waits, from one question upstream', async () => {
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) => ask('same.held.example.com', A, i % 2 ? 'udp' : 'tcp')),
    );
    expect(all.map(addresses)).toEqual(all.map(() => [TRUTH]));
    // One question, though it may be sent again while it waits.
    const sent = upstream.askedFor('same.held.example.com');
    expect(new Set(sent.map(({ id }) => id)).size).toBe(1);
    expect(sent.length).toBeLessThanOrEqual(2);
  });
});
