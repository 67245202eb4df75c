/**
 * What clients may send, and what they get (the wire contract): EDNS, counts, types, classes, names, header flags,
 * cookies. Every query goes over UDP and over TCP, and every one leaves one entry.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Serving } from '../e2e/processes.ts';
import { ask, askUdp, heard, type Transport } from './client.ts';
import { faultsOf, startServing } from './house.ts';
import {
  a,
  addresses,
  extendedErrors,
  message,
  name,
  opt,
  option,
  query,
  question,
  read,
  record,
  type Seen,
  u16,
} from './message.ts';
import { type Behaviour, reply, ScriptedUpstream, TRUTH } from './upstream.ts';

const [A, TXT, MX, NULL] = [1, 16, 15, 10];
const [NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH, BADVERS] = [0, 1, 2, 3, 4, 5, 9, 16];

const UNKNOWN_RDATA = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const BEHAVIOURS: Record<string, Behaviour> = {
  unknown: (asked) => asked.reply({ answer: [record({ type: asked.type, rdata: UNKNOWN_RDATA })] }),
  errors: (asked) =>
    asked.reply({
      flags: 0x8182,
      additional: [
        opt({
          options: Buffer.concat([
            option(15, Buffer.from('\x00\x16two')),
            option(10, Buffer.alloc(24)),
            option(3, Buffer.from('me')),
          ]),
        }),
      ],
    }),
  options: (asked) =>
    asked.reply({
      answer: [a(TRUTH)],
      additional: [
        opt({
          size: 4096,
          options: Buffer.concat([option(3, Buffer.from('nsid')), option(65001, Buffer.from('x'))]),
        }),
      ],
    }),
};

let upstream: ScriptedUpstream;
let serving: Serving;
beforeAll(async () => {
  upstream = await ScriptedUpstream.start(BEHAVIOURS);
  serving = await startServing(upstream.address);
});
afterAll(async () => {
  expect(await faultsOf(serving)).toEqual([]);
  expect(await serving.stop()).toBe(0);
  await upstream.stop();
});

const TRANSPORTS = ['udp', 'tcp'] as const;
const say = (transport: Transport, octets: Uint8Array): Promise<Seen> =>
  heard(transport, serving.port, octets);
const WWW = 'www.example.com';
const withOpt = (text: Parameters<typeof opt>[0] = {}, qname = WWW, type = A): Buffer =>
  query(qname, type, { id: 77, additional: [opt(text)] });

describe.each(TRANSPORTS)('EDNS over %s (RFC 6891)', (transport) => {
  test.each([
    { what: 'an unknown option is ignored', options: option(65_001, Buffer.from('abc')) },
    { what: 'an empty option is ignored', options: option(65_002) },
    { what: 'NSID is ignored (RFC 5001)', options: option(3) },
    {
      what: 'client subnet is ignored (RFC 7871)',
      options: option(8, Uint8Array.of(0, 1, 24, 0, 192, 0, 2)),
    },
    { what: 'a malformed client subnet is ignored: nothing reads it', options: option(8, Uint8Array.of(9)) },
    { what: 'a chain option is ignored (RFC 7901)', options: option(13, name('example.com')) },
    { what: 'padding is taken', options: option(12, Buffer.alloc(100)) },
    { what: 'keepalive is taken (RFC 7828)', options: option(11) },
    { what: 'sixty-four options', options: Buffer.concat(Array.from({ length: 64 }, () => option(65_001))) },
  ])('$what: answered, and nothing of it comes back or goes on', async ({ options }) => {
    const seen = await say(transport, withOpt({ options }));
    expect(seen).toMatchObject({ rcode: NOERROR, opt: { version: 0, size: 1232, flags: 0 } });
    expect(addresses(seen)).toEqual([TRUTH]);
    // Padding is for encrypted transports (RFC 7830 section 6); TCP may pad what was padded.
    const back = (seen.opt?.options ?? []).map(({ code }) => code);
    expect(back.filter((code) => !(transport === 'tcp' && (code === 12 || code === 11)))).toEqual([]);
    for (const { octets } of upstream.askedFor(WWW)) expect(octets.includes(Buffer.from('abc'))).toBe(false);
  });

  test.each([
    { what: 'two OPT', more: { additional: [opt(), opt()] } },
    { what: 'an OPT that the root does not own', more: { additional: [opt({ owner: name('x') })] } },
    { what: 'an OPT in the answer section', more: { answer: [opt()] } },
    { what: 'an OPT in the authority section', more: { authority: [opt()] } },
    {
      what: 'an option longer than its OPT',
      more: { additional: [opt({ options: option(3, Buffer.alloc(4), 40) })] },
    },
    { what: 'an option cut in its head', more: { additional: [opt({ options: Buffer.alloc(3) })] } },
    { what: 'sixty-five options', more: { additional: [opt({ options: Buffer.alloc(65 * 4, 0) })] } },
    {
      what: 'an OPT longer than the message',
      more: {
        additional: [
          record({
            owner: Uint8Array.of(0),
            type: 41,
            class: 512,
            ttl: 0,
            rdata: Buffer.alloc(2),
            rdlength: 50,
          }),
        ],
      },
    },
    { what: 'octets behind the last record', more: { additional: [opt()], trailing: Buffer.alloc(1) } },
    { what: 'octets behind the question', more: { trailing: Buffer.alloc(5) } },
    { what: 'an additional record promised and missing', more: { counts: [1, 0, 0, 1] as const } },
  ])('$what: FORMERR', async ({ more }) => {
    const seen = await say(transport, query(WWW, A, { id: 78, ...more }));
    expect(seen).toMatchObject({ rcode: FORMERR, answer: [], authority: [], additional: [] });
  });

  test.each([1, 2, 100, 255])('version %i: BADVERS with version 0 and our size', async (version) => {
    const seen = await say(transport, withOpt({ version }));
    expect(seen).toMatchObject({ rcode: BADVERS, answer: [], opt: { version: 0, size: 1232, options: [] } });
    expect(seen.questions).toEqual([question(WWW)]);
  });

  test.each([0, 1, 511, 512, 513, 1231, 1232, 1233, 4096, 65_535])(
    'an advertised size of %i is taken, below 512 as 512',
    async (size) => {
      expect(await say(transport, withOpt({ size }))).toMatchObject({ rcode: NOERROR, opt: { size: 1232 } });
    },
  );

  test('DO is copied, every other flag cleared (RFC 3225, RFC 6891 section 6.1.4)', async () => {
    expect((await say(transport, withOpt({ flags: 0xffff }))).opt?.flags).toBe(0x8000);
    expect((await say(transport, withOpt({ flags: 0x7fff }))).opt?.flags).toBe(0);
  });

  test('no OPT comes back when none was sent, not even with an error or a denial', async () => {
    for (const qname of [WWW, 'x.bad.example.com', 'x.errors.example.com', 'home.test', 'nothing.test']) {
      expect((await say(transport, query(qname))).opt).toBeNull();
    }
  });

  test('extended errors of the upstream are kept, its other options are not (RFC 8914)', async () => {
    const seen = await say(transport, withOpt({}, `${transport}.errors.example.com`));
    expect(seen.rcode).toBe(SERVFAIL);
    expect(extendedErrors(seen)).toContain(22);
    expect(new Set(seen.opt?.options.map(({ code }) => code))).toEqual(new Set([15]));
    const other = await say(transport, withOpt({}, `${transport}.options.example.com`));
    expect(other).toMatchObject({ rcode: NOERROR, opt: { size: 1232, options: [] } });
  });
});

describe.each(TRANSPORTS)('header and counts over %s', (transport) => {
  test.each([
    { what: 'no question (RFC 9619)', octets: message({ id: 5 }) },
    { what: 'two questions', octets: message({ id: 5, question: [question(WWW), question(WWW)] }) },
    {
      what: '65535 questions',
      octets: message({ id: 5, question: [question(WWW)], counts: [65_535, 0, 0, 0] }),
    },
    { what: 'an answer', octets: query(WWW, A, { id: 5, answer: [a('192.0.2.9')] }) },
    { what: 'an authority record', octets: query(WWW, A, { id: 5, authority: [a('192.0.2.9')] }) },
    { what: 'a question cut in its name', octets: query(WWW, A, { id: 5 }).subarray(0, 18) },
    { what: 'a question cut in its class', octets: query(WWW, A, { id: 5 }).subarray(0, -1) },
    { what: 'a compressed question', octets: query(Uint8Array.of(0xc0, 12), A, { id: 5 }) },
    {
      what: 'a question that points into the header',
      octets: query(Uint8Array.of(1, 0x61, 0xc0, 0), A, { id: 5 }),
    },
    {
      what: 'a label of 64 octets',
      octets: query(Buffer.concat([Buffer.from([64]), Buffer.alloc(64, 97), Buffer.from([0])]), A, { id: 5 }),
    },
    { what: 'an extended label type', octets: query(Uint8Array.of(0x41, 0, 0), A, { id: 5 }) },
    {
      what: 'a name of 256 octets',
      octets: query(
        Buffer.concat([
          ...Array.from({ length: 3 }, () => Buffer.concat([Buffer.from([63]), Buffer.alloc(63, 97)])),
          Buffer.from([62]),
          Buffer.alloc(62, 97),
          Buffer.from([0]),
        ]),
        A,
        { id: 5 },
      ),
    },
    {
      what: 'twelve octets and nothing else, one question promised',
      octets: message({ id: 5, counts: [1, 0, 0, 0] }),
    },
  ])('$what: FORMERR, with at most the question', async ({ octets }) => {
    const seen = await say(transport, octets);
    expect(seen).toMatchObject({ rcode: FORMERR, answer: [], authority: [], additional: [] });
    expect(seen.flags.has('aa') || seen.flags.has('tc')).toBe(false);
    expect(seen.octets.length).toBeLessThanOrEqual(octets.length);
  });

  test('without exactly one question, an OPT is still answered by one', async () => {
    expect(await say(transport, message({ id: 5, additional: [opt()] }))).toMatchObject({
      rcode: FORMERR,
      opt: { version: 0 },
    });
    const two = message({ id: 5, question: [question(WWW), question(WWW)], additional: [opt()] });
    expect(await say(transport, two)).toMatchObject({ rcode: FORMERR, opt: { version: 0 } });
    const later = message({ id: 5, additional: [opt({ version: 1 })] });
    expect(await say(transport, later)).toMatchObject({ rcode: BADVERS, opt: { version: 0 } });
  });

  test('records before an OPT do not hide it', async () => {
    const octets = query(WWW, A, { id: 5, authority: [a('192.0.2.9')], additional: [opt()] });
    expect(await say(transport, octets)).toMatchObject({ rcode: FORMERR, opt: { version: 0 } });
  });

  test.each([0, 1, 2, 11])('%i octets: silence', async (length) => {
    expect(await ask(transport, serving.port, query(WWW).subarray(0, length), 250)).toBeNull();
  });

  test.each([
    { what: 'RD is copied', flags: 0x0100, want: ['qr', 'ra', 'rd'] },
    { what: 'AA, TC, RA and Z of a query mean nothing', flags: 0x07c0, want: ['qr', 'ra', 'rd'] },
    { what: 'CD is copied (RFC 4035 section 3.2.2)', flags: 0x0110, want: ['cd', 'qr', 'ra', 'rd'] },
    {
      what: 'AD is not set for what nobody validated (RFC 6840 section 5.7)',
      flags: 0x0120,
      want: ['qr', 'ra', 'rd'],
    },
    { what: 'an rcode in a query means nothing', flags: 0x010f, want: ['qr', 'ra', 'rd'] },
  ])('$what', async ({ flags, want }) => {
    const seen = await say(transport, query(WWW, A, { id: 6, flags }));
    expect([...seen.flags].sort()).toEqual(want);
    expect(addresses(seen)).toEqual([TRUTH]);
  });

  test('without RD nothing is looked up, in the cache or elsewhere (cache snooping)', async () => {
    await say(transport, query(WWW));
    const seen = await say(transport, query(WWW, A, { flags: 0, additional: [opt()] }));
    expect(seen).toMatchObject({ rcode: REFUSED, answer: [] });
    expect(extendedErrors(seen)).toEqual([20]);
  });
});

describe.each(TRANSPORTS)('signed queries over %s (RFC 8945)', (transport) => {
  const fixed = (mac: string, other = ''): Buffer =>
    Buffer.concat([
      Buffer.from([0, 0, 0x65, 0x43, 0x21, 0, 1, 44]),
      u16(mac.length),
      Buffer.from(mac),
      u16(0x0c0c),
      u16(0),
      u16(other.length),
      Buffer.from(other),
    ]);
  const tsig = (rdata = Buffer.concat([name('hmac-sha256'), fixed('m'.repeat(32))]), ttl = 0): Buffer =>
    record({ owner: name('Key.example.com'), type: 250, class: 255, ttl, rdata });

  test.each([
    { what: 'without EDNS', more: [] },
    { what: 'with EDNS', more: [opt()] },
  ])('$what: no key is known here, and that is said in a TSIG of its own', async ({ more }) => {
    const seen = await say(transport, query(WWW, A, { id: 0x0c0c, additional: [...more, tsig()] }));
    expect(seen).toMatchObject({ rcode: NOTAUTH, answer: [], authority: [] });
    expect(seen.opt === null).toBe(more.length === 0);
    const [last] = seen.additional;
    expect(last).toMatchObject({ owner: 'Key.example.com', type: 250, class: 255, ttl: 0 });
    const rdata = Buffer.concat([name('hmac-sha256'), fixed('')]);
    rdata.writeUInt16BE(17, rdata.length - 4);
    expect(last.rdata).toEqual(rdata);
    // It is the last record.
    expect(seen.octets.subarray(-rdata.length)).toEqual(rdata);
  });

  test.each([
    { what: 'not the last record', additional: [tsig(), opt()] },
    { what: 'two of them', additional: [tsig(), tsig()] },
    { what: 'a TTL', additional: [tsig(undefined, 1)] },
    { what: 'no algorithm', additional: [tsig(Buffer.alloc(0))] },
    { what: 'cut in its numbers', additional: [tsig(Buffer.concat([name('x'), Buffer.alloc(15)]))] },
    {
      what: 'a MAC longer than the record',
      additional: [tsig(Buffer.concat([name('x'), Buffer.alloc(8), u16(400), Buffer.alloc(6)]))],
    },
    {
      what: 'octets left over',
      additional: [tsig(Buffer.concat([name('x'), fixed('mac'), Buffer.alloc(1)]))],
    },
  ])('$what: FORMERR', async ({ additional }) => {
    const seen = await say(transport, query(WWW, A, { id: 5, additional }));
    expect(seen).toMatchObject({ rcode: FORMERR, answer: [], additional: [] });
  });
});

describe.each(TRANSPORTS)('types and classes over %s', (transport) => {
  test.each([
    { what: 'class CH', type: TXT, rrclass: 3, rcode: REFUSED },
    { what: 'class HS', type: A, rrclass: 4, rcode: REFUSED },
    { what: 'class NONE', type: A, rrclass: 254, rcode: REFUSED },
    { what: 'class ANY', type: A, rrclass: 255, rcode: REFUSED },
    { what: 'class 0', type: A, rrclass: 0, rcode: REFUSED },
    { what: 'class 65535', type: A, rrclass: 65_535, rcode: REFUSED },
    { what: 'AXFR (RFC 5936)', type: 252, rrclass: 1, rcode: REFUSED },
    { what: 'IXFR (RFC 1995)', type: 251, rrclass: 1, rcode: REFUSED },
    { what: 'OPT as a question', type: 41, rrclass: 1, rcode: FORMERR },
    { what: 'NXNAME as a question (RFC 9824)', type: 128, rrclass: 1, rcode: FORMERR },
    { what: 'TSIG as a question', type: 250, rrclass: 1, rcode: FORMERR },
    { what: 'TKEY as a question', type: 249, rrclass: 1, rcode: FORMERR },
    { what: 'MAILB', type: 253, rrclass: 1, rcode: NOTIMP },
    { what: 'MAILA', type: 254, rrclass: 1, rcode: NOTIMP },
    { what: 'type 0', type: 0, rrclass: 1, rcode: FORMERR },
    { what: 'a meta type nobody has', type: 200, rrclass: 1, rcode: NOTIMP },
  ])('$what is turned down here and never forwarded', async ({ type, rrclass, rcode }) => {
    for (const qname of ['meta.example.com', 'version.bind', 'home.test']) {
      const seen = await say(
        transport,
        message({ id: 4, question: [question(qname, type, rrclass)], additional: [opt()] }),
      );
      expect(seen).toMatchObject({ rcode, answer: [], authority: [], opt: { version: 0 } });
      expect(seen.questions).toEqual([question(qname, type, rrclass)]);
    }
    expect(upstream.askedFor('meta.example.com')).toEqual([]);
  });

  test('an IXFR with its SOA in the authority section is refused as well', async () => {
    const octets = query('home.test', 251, {
      id: 4,
      authority: [record({ type: 6, rdata: Buffer.alloc(22) })],
    });
    expect(await say(transport, octets)).toMatchObject({ rcode: REFUSED, opt: null });
    const withEdns = query('home.test', 251, {
      id: 4,
      authority: [record({ type: 6, rdata: Buffer.alloc(22) })],
      additional: [opt()],
    });
    expect(await say(transport, withEdns)).toMatchObject({ rcode: REFUSED, opt: { version: 0 } });
  });

  test('CHAOS names tell nothing', async () => {
    for (const qname of ['version.bind', 'hostname.bind', 'id.server', 'authors.bind', 'version.server']) {
      const seen = await say(transport, message({ id: 4, question: [question(qname, TXT, 3)] }));
      expect(seen).toMatchObject({ rcode: REFUSED, answer: [] });
    }
  });

  test('ANY gets one small record and is never forwarded (RFC 8482)', async () => {
    const seen = await say(transport, query(`${transport}.any.example.com`, 255, { additional: [opt()] }));
    expect(seen).toMatchObject({ rcode: NOERROR, answer: [{ type: 13, class: 1 }] });
    expect(seen.octets.length).toBeLessThan(120);
    expect(upstream.askedFor(`${transport}.any.example.com`)).toEqual([]);
    expect(await say(transport, query('x.bad.example.com', 255))).toMatchObject({
      rcode: NXDOMAIN,
      answer: [],
    });
  });

  test.each([731, 65_399, NULL])(
    'the rdata of type %i goes through octet for octet (RFC 3597)',
    async (type) => {
      for (const round of ['fresh', 'from the cache']) {
        const seen = await say(
          transport,
          query(`${transport}.unknown.example.com`, type, { additional: [opt()] }),
        );
        expect({ round, rdata: seen.answer.map(({ rdata }) => rdata) }).toEqual({
          round,
          rdata: [UNKNOWN_RDATA],
        });
      }
    },
  );

  test('a type that no rule allows gets NODATA with SOA and is not forwarded', async () => {
    const seen = await say(transport, query('t.example.net', MX, { additional: [opt()] }));
    expect(seen).toMatchObject({ rcode: NOERROR, answer: [], authority: [{ type: 6 }] });
    expect(extendedErrors(seen)).toEqual([15]);
    expect(upstream.askedFor('t.example.net')).toEqual([]);
  });
});

describe.each(TRANSPORTS)('names over %s are octets', (transport) => {
  const labels = (count: number): string => Array.from({ length: count }, () => 'a').join('.');
  test.each([
    { what: 'mixed case (0x20)', qname: 'wWw.ExAmPlE.cOm' },
    { what: 'a dot inside a label', qname: 'a\\046b.example.com' },
    { what: 'a zero octet', qname: 'a\\000b.example.com' },
    { what: 'a newline and a quote', qname: 'a\\010\\034b.example.com' },
    { what: 'octets above 127', qname: '\\255\\128\\195\\164.example.com' },
    { what: 'spaces and markup', qname: '<b>\\032&amp;.example.com' },
    { what: 'an asterisk', qname: '*.example.com' },
    { what: 'an underscore', qname: '_dmarc._tcp.example.com' },
    { what: 'a label of 63 octets', qname: `${'x'.repeat(63)}.example.com` },
    {
      what: 'a name of 255 octets',
      qname: `${'x'.repeat(63)}.${'y'.repeat(63)}.${'z'.repeat(63)}.${'w'.repeat(49)}.example.com`,
    },
    { what: 'as many labels as fit', qname: `${labels(121)}.example.com` },
    { what: 'a mixed-case name of a local zone', qname: 'WwW.HoMe.TeSt' },
    { what: 'a mixed-case denied name', qname: 'X.bAd.ExAmPlE.com' },
  ])('$what comes back as it was asked', async ({ qname }) => {
    const octets = query(qname, A, { id: 3, additional: [opt()] });
    const seen = await say(transport, octets);
    expect(seen.questions).toEqual([question(qname)]);
    if (/example\.com$/i.test(qname) && !/bad/i.test(qname)) {
      expect(seen.rcode).toBe(NOERROR);
      expect(addresses(seen)).toEqual([TRUTH]);
      // From the cache, in another case, the owner still is the question of this client.
      const shouted = query(qname.toUpperCase(), A, { id: 3 });
      expect((await say(transport, shouted)).questions).toEqual([question(qname.toUpperCase())]);
    }
  });

  test('a label with a dot is another name than two labels', async () => {
    // "bad\.example.com" is below com, not below bad.example.com; and "x.bad" as one label is below example.com.
    expect(await say(transport, query('x\\046bad.example.com'))).toMatchObject({ rcode: NOERROR });
    expect(await say(transport, query('x.bad\\046example.com'))).toMatchObject({ rcode: NXDOMAIN });
  });
});

describe('cookies over UDP (RFC 7873, RFC 9018)', () => {
  const client = Buffer.from('0102030405060708', 'hex');
  const cookieOf = (seen: Seen): Buffer | undefined =>
    seen.opt?.options.find(({ code }) => code === 10)?.data;
  const asking = (data: Uint8Array, options: Uint8Array = option(10, data)): Buffer => withOpt({ options });

  test('a client cookie is answered with ours: version 1, time, hash', async () => {
    const cookie = cookieOf(await say('udp', asking(client)));
    expect(cookie?.length).toBe(24);
    expect(cookie?.subarray(0, 12)).toEqual(Buffer.concat([client, Buffer.from([1, 0, 0, 0])]));
    expect(Math.abs((cookie?.readUInt32BE(12) ?? 0) - Date.now() / 1000)).toBeLessThan(5);
  });

  test('our cookie is taken back; a wrong, old or foreign one is answered all the same, with a new one', async () => {
    const cookie = cookieOf(await say('udp', asking(client))) ?? Buffer.alloc(0);
    const wrong = Buffer.from(cookie);
    wrong[23] ^= 1;
    const old = Buffer.from(cookie);
    old.writeUInt32BE(1, 12);
    for (const data of [
      cookie,
      wrong,
      old,
      Buffer.concat([client, Buffer.alloc(8, 9)]),
      Buffer.concat([client, Buffer.alloc(32, 9)]),
    ]) {
      const seen = await say('udp', asking(data));
      expect(seen.rcode).toBe(NOERROR);
      expect(cookieOf(seen)?.subarray(0, 8)).toEqual(client);
      expect(cookieOf(seen)?.length).toBe(24);
    }
  });

  test.each([0, 1, 7, 9, 15, 41, 100])(
    'a cookie of %i octets: FORMERR (RFC 7873 section 5.2.2)',
    async (length) => {
      expect(await say('udp', asking(Buffer.alloc(length)))).toMatchObject({ rcode: FORMERR, answer: [] });
    },
  );

  test('of two cookies the first counts', async () => {
    const two = Buffer.concat([option(10, client), option(10, Buffer.alloc(8, 0xee))]);
    expect(cookieOf(await say('udp', asking(client, two)))?.subarray(0, 8)).toEqual(client);
  });

  test.each(TRANSPORTS)(
    'a server cookie can be asked for without a question (section 5.4), over %s',
    async (over) => {
      const seen = await say(over, message({ id: 9, additional: [opt({ options: option(10, client) })] }));
      expect(seen).toMatchObject({ rcode: NOERROR, questions: [], answer: [], authority: [] });
      expect(cookieOf(seen)?.subarray(0, 8)).toEqual(client);
      const again = message({ id: 9, additional: [opt({ options: option(10, cookieOf(seen)) })] });
      expect(await say(over, again)).toMatchObject({ rcode: NOERROR, questions: [] });
      const broken = message({ id: 9, additional: [opt({ options: option(10, client.subarray(0, 5)) })] });
      expect(await say(over, broken)).toMatchObject({ rcode: FORMERR });
      const two = { id: 9, question: [question(WWW), question(WWW)] };
      const asked = message({ ...two, additional: [opt({ options: option(10, client) })] });
      expect(await say(over, asked)).toMatchObject({ rcode: FORMERR });
    },
  );

  test('denials, local answers and errors carry it too', async () => {
    for (const qname of ['x.bad.example.com', 'home.test', 'udp.errors.example.com']) {
      expect(cookieOf(await say('udp', withOpt({ options: option(10, client) }, qname)))?.length).toBe(24);
    }
  });
});

describe('keepalive (RFC 7828)', () => {
  const keepaliveOf = (seen: Seen): number | undefined =>
    seen.opt?.options.find(({ code }) => code === 11)?.data.readUInt16BE(0);

  test('over TCP the time that a connection may rest is told, in tenths of a second, to who asks', async () => {
    expect(keepaliveOf(await say('tcp', withOpt({ options: option(11) })))).toBe(300);
    expect(keepaliveOf(await say('tcp', withOpt()))).toBeUndefined();
    for (const qname of ['x.bad.example.com', 'home.test']) {
      expect(keepaliveOf(await say('tcp', withOpt({ options: option(11) }, qname)))).toBe(300);
    }
  });

  test('over UDP it is ignored (section 3.2.1)', async () => {
    expect(await say('udp', withOpt({ options: option(11) }))).toMatchObject({ opt: { options: [] } });
  });
});

describe('what is received', () => {
  test('over IPv6 is answered there', async () => {
    const port = Number(/\[::1\]:(\d+) \(/.exec(serving.greeting)?.[1]);
    const octets = await askUdp(port, query(WWW, A, { id: 8 }), 3000, '::1');
    expect(addresses(read(octets ?? Buffer.alloc(12)))).toEqual([TRUTH]);
  });

  test('is never handed on as it came: the upstream sees our own message', async () => {
    const qname = 'own.example.com';
    const options = Buffer.concat([
      option(8, Uint8Array.of(0, 1, 24, 0, 192, 0, 2)),
      option(65_001, Buffer.from('secret')),
      option(10, Buffer.from('clientck')),
    ]);
    await say(
      'udp',
      query(qname, A, {
        id: 0x0d0d,
        flags: 0x0530,
        additional: [opt({ size: 4096, flags: 0x8000, options })],
      }),
    );
    const [asked] = upstream.askedFor(qname);
    expect(
      asked.octets.includes(Buffer.from('secret')) || asked.octets.includes(Buffer.from('clientck')),
    ).toBe(false);
    // RD and CD are ours to pass on; AA, AD and Z are not.
    expect(asked.octets.readUInt16BE(2) & ~0x0020).toBe(0x0110);
    expect(asked.dnssecOk).toBe(true);
    expect(reply(asked, {}).readUInt16BE(0)).toBe(asked.id);
    expect(
      asked.octets.subarray(asked.octets.indexOf(u16(41), 12 + asked.question.length) + 2).readUInt16BE(0),
    ).toBe(1232);
  });

  test('every query of this file left its entry, unreadable ones with their octets', async () => {
    // In `open` entries follow their responses: those of the tests before are waited for.
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = serving.entries().length;
    await say('udp', message({ id: 0x0e0e }));
    await say('tcp', query('x\\000y.example.com'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    const entries = serving.entries().slice(before);
    expect(entries).toHaveLength(2);
    expect(entries[0]).toMatchObject({
      verdict: 'malformed',
      rcode: 'FORMERR',
      raw: { hex: '0e0e01000000000000000000' },
    });
    expect(entries[1]).toMatchObject({ qname: 'x\\000y.example.com' });
  });
});
