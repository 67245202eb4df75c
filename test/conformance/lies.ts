/**
 * What a lying or broken upstream does, each with what a client may hear of it.
 */
import { a, cname, name, opt, option, question, record, soa, u16 } from './message.ts';
import { type Asked, type Behaviour, POISON, reply, TRUTH, truth } from './upstream.ts';

/** What the client may get: the true address, SERVFAIL, or one of the negative answers. */
export type Outcome = 'truth' | 'servfail' | 'nxdomain' | 'nodata';

export interface Lie {
  readonly what: string;
  readonly does: Behaviour;
  readonly may: readonly Outcome[];
  /** Query type; A unless given. */
  readonly type?: number;
  /** Whether a second query may be answered without asking again. */
  readonly kept?: boolean;
}

const VICTIM = 'victim.honest.example.com';
const poison = a(POISON);
/** A false reply first and the true one behind it: the false one must not end the query (TuDoor). */
const thenTruth =
  (lie: (asked: Asked) => void): Behaviour =>
  (asked) => {
    if (asked.transport === 'udp') lie(asked);
    setTimeout(() => asked.truth(), 20);
  };
const always =
  (text: (asked: Asked) => Parameters<Asked['reply']>[0]): Behaviour =>
  (asked) =>
    asked.reply(text(asked));
const withTcp =
  (udp: Behaviour, tcp: Behaviour): Behaviour =>
  (asked) =>
    asked.transport === 'udp' ? udp(asked) : tcp(asked);
const truncated: Behaviour = (asked) => asked.reply({ flags: 0x8380 });
const lower = (octets: Buffer): Buffer => {
  const copy = Buffer.from(octets);
  for (let i = 0; i < copy.length - 4; i++) if (copy[i] >= 65 && copy[i] <= 90) copy[i] += 32;
  return copy;
};
/** A pointer to `at` as the owner of an A record. */
const pointerOwner = (at: number, address = POISON): Buffer =>
  a(address, { owner: Uint8Array.of(0xc0 | (at >> 8), at & 255) });
const answerAt = (asked: Asked): number => 12 + asked.question.length;
const below = (asked: Asked, label: string): string => `${label}.${asked.name}`;
const chain = (asked: Asked, steps: number): Buffer[] =>
  Array.from({ length: steps }, (_, i) =>
    cname(below(asked, `s${i + 1}`), { owner: i === 0 ? asked.name : below(asked, `s${i}`) }),
  );
const TRUE_OR_FAIL = ['truth', 'servfail'] as const;

export const LIES: Readonly<Record<string, Lie>> = {
  'wrong-id': {
    what: 'a false reply under another id, then the true one',
    does: thenTruth((asked) => asked.raw(reply(asked, { id: asked.id ^ 0x5555, answer: [poison] }))),
    may: ['truth'],
  },
  'many-wrong-ids': {
    what: 'two hundred guesses of the id, then the true reply (Kaminsky)',
    does: thenTruth((asked) => {
      for (let i = 1; i <= 200; i++)
        asked.raw(reply(asked, { id: (asked.id + i) & 0xffff, answer: [poison] }));
    }),
    may: ['truth'],
  },
  'wrong-name': {
    what: 'a reply to another name',
    does: thenTruth((asked) => asked.reply({ question: [question(VICTIM)], answer: [poison] })),
    may: ['truth'],
  },
  'wrong-type': {
    what: 'a reply to another type',
    does: thenTruth((asked) => asked.reply({ question: [question(asked.name, 28)], answer: [poison] })),
    may: ['truth'],
  },
  'wrong-class': {
    what: 'a reply to another class',
    does: thenTruth((asked) => asked.reply({ question: [question(asked.name, 1, 3)], answer: [poison] })),
    may: ['truth'],
  },
  'other-port': {
    what: 'the right id and question from another port',
    does: thenTruth((asked) => asked.rawFrom(reply(asked, { answer: [poison] }), {})),
    may: ['truth'],
  },
  'other-address': {
    what: 'the right id, question and port from another address',
    does: thenTruth((asked) =>
      asked.rawFrom(reply(asked, { answer: [poison] }), { address: '127.0.0.2', samePort: true }),
    ),
    may: ['truth'],
  },
  'is-query': {
    what: 'QR clear (CVE-2026-42389)',
    does: thenTruth((asked) => asked.reply({ flags: 0x0100, answer: [poison] })),
    may: ['truth'],
  },
  'other-opcode': {
    what: 'another opcode',
    does: thenTruth((asked) => asked.reply({ flags: 0xa180, answer: [poison] })),
    may: ['truth'],
  },
  'no-question': {
    what: 'QDCOUNT 0',
    does: thenTruth((asked) => asked.reply({ question: [], answer: [a(POISON, { owner: asked.name })] })),
    may: ['truth'],
  },
  'two-questions': {
    what: 'QDCOUNT 2',
    does: thenTruth((asked) => asked.reply({ question: [asked.question, asked.question], answer: [poison] })),
    may: ['truth'],
  },
  'header-only': {
    what: 'a bare header',
    does: thenTruth((asked) => asked.reply({ question: [] })),
    may: ['truth'],
  },
  'cut-header': {
    what: 'eleven octets',
    does: thenTruth((asked) => asked.raw(reply(asked, {}).subarray(0, 11))),
    may: ['truth'],
  },
  'cut-question': {
    what: 'a question cut short',
    does: thenTruth((asked) => asked.raw(reply(asked, {}).subarray(0, 18))),
    may: ['truth'],
  },
  empty: {
    what: 'an empty datagram',
    does: thenTruth((asked) => asked.raw(Buffer.alloc(0))),
    may: ['truth'],
  },
  garbage: {
    what: 'noise behind the right id',
    does: thenTruth((asked) =>
      asked.raw(
        Buffer.concat([u16(asked.id), Buffer.from(Array.from({ length: 500 }, (_, i) => (i * 37) & 255))]),
      ),
    ),
    may: ['truth'],
  },
  'lower-case': {
    what: 'the question in lower case over UDP (0x20 lost)',
    does: withTcp(
      (asked) => asked.raw(truth({ ...asked, question: lower(asked.question) })),
      (asked) => asked.truth(),
    ),
    may: ['truth'],
  },
  'tc-then-tcp': {
    what: 'TC over UDP, the truth over TCP',
    does: withTcp(truncated, (asked) => asked.truth()),
    may: ['truth'],
  },
  'tc-with-data': {
    what: 'TC with half an answer, the truth over TCP',
    does: withTcp(
      (asked) => asked.reply({ flags: 0x8380, answer: [poison] }),
      (asked) => asked.truth(),
    ),
    may: ['truth'],
  },
  'tc-broken': {
    what: 'TC with a record cut off, the truth over TCP (RFC 2181 section 9)',
    does: withTcp(
      (asked) => asked.raw(reply(asked, { flags: 0x8380, answer: [poison] }).subarray(0, -3)),
      (asked) => asked.truth(),
    ),
    may: ['truth'],
  },
  'tc-for-ever': { what: 'TC over UDP and TCP', does: truncated, may: ['servfail'] },
  'tcp-refused-mid': {
    what: 'TC, and a TCP connection that ends in the middle of the message',
    does: withTcp(truncated, (asked) => {
      const whole = truth(asked);
      asked.stream?.end(Buffer.concat([u16(whole.length), whole.subarray(0, 20)]));
    }),
    may: ['servfail'],
  },
  'tcp-closed': {
    what: 'TC, and a TCP connection that ends at once',
    does: withTcp(truncated, (asked) => asked.stream?.destroy()),
    may: ['servfail'],
  },
  'tcp-drip': {
    what: 'TC, and one octet every 100 ms over TCP',
    does: withTcp(truncated, (asked) => {
      const whole = Buffer.concat([u16(400), truth(asked), Buffer.alloc(400)]);
      let at = 0;
      const timer = setInterval(() => {
        if (at === 40 || asked.stream?.destroyed) return clearInterval(timer);
        asked.stream?.write(whole.subarray(at, ++at));
      }, 100);
    }),
    may: ['servfail'],
  },
  'tcp-silent': {
    what: 'TC, and silence over TCP',
    does: withTcp(truncated, () => undefined),
    may: ['servfail'],
  },
  'tcp-wrong-id': {
    what: 'TC, and another id over TCP before the true one',
    does: withTcp(truncated, (asked) => {
      asked.raw(reply(asked, { id: asked.id ^ 1, answer: [poison] }));
      asked.truth();
    }),
    may: TRUE_OR_FAIL,
  },
  'tcp-length-zero': {
    what: 'TC, and an empty message over TCP before the true one',
    does: withTcp(truncated, (asked) => {
      asked.stream?.write(Buffer.alloc(2));
      asked.truth();
    }),
    may: TRUE_OR_FAIL,
  },
  'tcp-twice': {
    what: 'TC, and the reply twice over TCP',
    does: withTcp(truncated, (asked) => {
      asked.truth();
      asked.raw(reply(asked, { answer: [poison] }));
    }),
    may: ['truth'],
  },
  'forward-pointer': {
    what: 'an owner that points forward (RFC 9267)',
    does: (asked) => asked.reply({ answer: [pointerOwner(answerAt(asked) + 30), a(TRUTH)] }),
    may: ['servfail'],
  },
  'self-pointer': {
    what: 'an owner that points to itself',
    does: (asked) => asked.reply({ answer: [pointerOwner(answerAt(asked))] }),
    may: ['servfail'],
  },
  'pointer-ring': {
    what: 'two pointers at each other, in rdata',
    does: (asked) => {
      const at = answerAt(asked) + 12;
      asked.reply({
        answer: [
          record({ type: 5, rdata: Uint8Array.of(0xc0, at + 2, 0xc0, at) }),
          record({ type: 5, rdata: Uint8Array.of(0xc0, at) }),
        ],
      });
    },
    may: ['servfail'],
  },
  'pointer-past-end': {
    what: 'a pointer past the end',
    does: (asked) => asked.reply({ answer: [a(POISON, { owner: Uint8Array.of(0xff, 0xff) })] }),
    may: ['servfail'],
  },
  'pointer-into-header': {
    what: 'a pointer into the header',
    does: (asked) => asked.reply({ answer: [a(POISON, { owner: Uint8Array.of(0xc0, 0) })] }),
    may: ['servfail', 'nodata'],
  },
  'reserved-label': {
    what: 'a label of type 01 (RFC 6891 section 5)',
    does: (asked) => asked.reply({ answer: [a(POISON, { owner: Uint8Array.of(0x41, 1, 2, 0) })] }),
    may: ['servfail'],
  },
  'long-name': {
    what: 'a name longer than 255 octets, put together by a pointer',
    does: (asked) => {
      const label = Buffer.concat([Buffer.from([63]), Buffer.alloc(63, 0x61)]);
      const owner = Buffer.concat([label, label, label, label, Buffer.from([0xc0, 12])]);
      asked.reply({ answer: [a(POISON, { owner }), a(TRUTH)] });
    },
    may: ['servfail'],
  },
  'long-target': {
    what: 'an alias target longer than 255 octets, put together by a pointer',
    does: (asked) => {
      const label = Buffer.concat([Buffer.from([63]), Buffer.alloc(63, 0x61)]);
      asked.reply({
        answer: [
          cname(
            Buffer.concat([
              label,
              label,
              label,
              Buffer.from([60]),
              Buffer.alloc(60, 0x62),
              Buffer.from([0xc0, 12]),
            ]),
          ),
        ],
      });
    },
    may: ['servfail'],
  },
  'fifty-aliases': {
    what: 'a chain of fifty aliases',
    does: (asked) =>
      asked.reply({ answer: [...chain(asked, 50), a(POISON, { owner: below(asked, 's50') })] }),
    may: ['servfail'],
  },
  'alias-loop': {
    what: 'two aliases at each other',
    does: (asked) =>
      asked.reply({
        answer: [cname(below(asked, 'x')), cname(asked.name, { owner: below(asked, 'x') }), poison],
      }),
    may: ['servfail'],
  },
  'alias-self': {
    what: 'an alias to itself',
    does: (asked) => asked.reply({ answer: [cname(asked.name)] }),
    may: ['servfail'],
  },
  'two-aliases': {
    what: 'two different aliases at one name (RFC 2181 section 10.1)',
    does: (asked) =>
      asked.reply({
        answer: [cname(below(asked, 'x')), cname(below(asked, 'y')), a(POISON, { owner: below(asked, 'y') })],
      }),
    may: ['servfail'],
  },
  'poison-additional': {
    what: 'an unasked address in the additional section (CVE-2025-40778)',
    does: (asked) => asked.raw(truth(asked, { additional: [a(POISON, { owner: VICTIM })] })),
    may: ['truth'],
  },
  'poison-authority': {
    what: 'an unasked delegation in the authority section (CVE-2025-11411)',
    does: (asked) =>
      asked.raw(
        truth(asked, {
          authority: [record({ owner: 'example.com', type: 2, rdata: name('ns.evil.example.com') })],
          additional: [a(POISON, { owner: 'ns.evil.example.com' })],
        }),
      ),
    may: ['truth'],
  },
  'poison-answer': {
    what: 'an unasked record in the answer section (CVE-2025-59023)',
    does: (asked) =>
      asked.raw(
        truth(asked, {
          answer: [
            a(POISON, { owner: VICTIM }),
            a(TRUTH),
            record({ owner: VICTIM, type: 28, rdata: Buffer.alloc(16, 0x66) }),
          ],
        }),
      ),
    may: ['truth'],
  },
  'other-type': {
    what: 'records of another type beside the asked ones',
    does: (asked) =>
      asked.raw(truth(asked, { answer: [record({ type: 16, rdata: Uint8Array.of(1, 65) }), a(TRUTH)] })),
    may: ['truth'],
  },
  'other-class': {
    what: 'records of another class',
    does: (asked) =>
      asked.raw(truth(asked, { answer: [a(POISON, { class: 3 }), a(TRUTH), a(POISON, { class: 255 })] })),
    may: ['truth'],
  },
  'only-other-class': {
    what: 'records of another class only',
    does: (asked) => asked.reply({ answer: [a(POISON, { class: 3 })] }),
    may: ['nodata', 'servfail'],
  },
  'other-case-owner': {
    what: 'an owner in another case (RFC 4343)',
    does: (asked) => asked.raw(truth(asked, { answer: [a(TRUTH, { owner: asked.name.toUpperCase() })] })),
    may: ['truth'],
  },
  subnet: {
    what: 'a client subnet that nobody sent (RebirthDay)',
    does: (asked) =>
      asked.reply({
        answer: [poison],
        additional: [opt({ options: option(8, Uint8Array.of(0, 1, 24, 24, 192, 0, 2)) })],
      }),
    may: ['servfail'],
  },
  'two-opt': {
    what: 'two OPT records',
    does: always(() => ({ answer: [poison], additional: [opt(), opt()] })),
    may: ['servfail'],
  },
  'owned-opt': {
    what: 'an OPT with an owner',
    does: always(() => ({ answer: [poison], additional: [opt({ owner: Uint8Array.of(0xc0, 12) })] })),
    may: ['servfail'],
  },
  'opt-in-answer': {
    what: 'an OPT in the answer section',
    does: always(() => ({ answer: [opt(), poison] })),
    may: ['servfail'],
  },
  'opt-overrun': {
    what: 'an option that runs past its OPT',
    does: always(() => ({
      answer: [poison],
      additional: [opt({ options: option(10, Buffer.alloc(2), 200) })],
    })),
    may: ['servfail'],
  },
  'many-options': {
    what: 'five thousand options (CVE-2026-41292)',
    does: withTcp(
      truncated,
      always(() => ({ answer: [poison], additional: [opt({ options: Buffer.alloc(20_000) })] })),
    ),
    may: ['servfail'],
  },
  'rdlength-overrun': {
    what: 'rdata past the end',
    does: (asked) => asked.reply({ answer: [a(POISON, { rdlength: 400 })] }),
    may: ['servfail'],
  },
  'rdlength-short': {
    what: 'rdata shorter than its type',
    does: (asked) => asked.reply({ answer: [record({ type: 1, rdata: Buffer.from([192, 0, 2]) })] }),
    may: ['servfail'],
  },
  'rdlength-long': {
    what: 'rdata longer than its type',
    does: (asked) => asked.reply({ answer: [record({ type: 1, rdata: Buffer.from([192, 0, 2, 66, 66]) })] }),
    may: ['servfail'],
  },
  'count-high': {
    what: 'more records promised than there are',
    does: (asked) => asked.reply({ answer: [poison], counts: [1, 2, 0, 0] }),
    may: ['servfail'],
  },
  'count-huge': {
    what: '65535 records promised',
    does: (asked) => asked.reply({ answer: [poison], counts: [1, 65535, 65535, 65535] }),
    may: ['servfail'],
  },
  'count-low': {
    what: 'fewer records promised than there are',
    does: (asked) => asked.reply({ answer: [poison, poison], counts: [1, 1, 0, 0] }),
    may: ['servfail'],
  },
  trailing: {
    what: 'octets behind the last record',
    does: (asked) => asked.reply({ answer: [poison], trailing: Buffer.alloc(9, 1) }),
    may: ['servfail'],
  },
  'too-many-records': {
    what: 'a set of three thousand records (CVE-2024-1737)',
    does: withTcp(truncated, (asked) => asked.reply({ answer: Array.from({ length: 3000 }, () => poison) })),
    may: ['servfail'],
  },
  silence: { what: 'nothing', does: () => undefined, may: ['servfail'] },
  'duplicate-replies': {
    what: 'the true reply five times',
    does: (asked) => {
      for (let i = 0; i < 5; i++) asked.truth();
    },
    may: ['truth'],
  },
  'truth-then-lie': {
    what: 'the true reply, then a false one',
    does: (asked) => {
      asked.truth();
      asked.reply({ answer: [poison] });
    },
    may: ['truth'],
    kept: true,
  },
  'slow-truth': {
    what: 'the true reply after 300 ms',
    does: (asked) => void setTimeout(() => asked.truth(), 300),
    may: ['truth'],
  },
  'drops-first': {
    what: 'silence to the first query, then the truth',
    does: (asked) => (asked.before === 0 ? undefined : asked.truth()),
    may: ['truth'],
  },
  'formerr-edns': {
    what: 'FORMERR to EDNS, the truth without (RFC 6891 section 7)',
    does: (asked) => (asked.hasEdns ? asked.reply({ flags: 0x8181 }) : asked.truth()),
    may: ['truth'],
  },
  'notimp-edns': {
    what: 'NOTIMP to EDNS, the truth without',
    does: (asked) => (asked.hasEdns ? asked.reply({ flags: 0x8184 }) : asked.truth()),
    may: ['truth'],
  },
  'bare-formerr-edns': {
    what: 'a header with FORMERR and no question to EDNS, the truth without',
    does: (asked) =>
      asked.hasEdns ? asked.reply({ flags: 0x8181, question: [], additional: [] }) : asked.truth(),
    may: ['truth'],
  },
  'broken-then-true': {
    what: 'the right id and question with broken records, then the true reply',
    does: thenTruth((asked) => asked.raw(reply(asked, { answer: [poison] }).subarray(0, -5))),
    may: ['truth'],
  },
  'broken-text': {
    what: 'a text whose string is longer than its record',
    does: always(() => ({ answer: [record({ type: 16, rdata: Uint8Array.of(255, 97, 98, 99) })] })),
    may: ['servfail'],
    type: 16,
  },
  'badvers-edns': {
    what: 'BADVERS to EDNS',
    does: (asked) =>
      asked.reply(asked.hasEdns ? { additional: [opt({ rcode: 1 })] } : { answer: [a(TRUTH)] }),
    may: TRUE_OR_FAIL,
  },
  'no-edns': {
    what: 'a server that knows no EDNS and leaves the OPT away',
    does: (asked) => asked.reply({ answer: [a(TRUTH)] }),
    may: ['truth'],
  },
  formerr: { what: 'FORMERR always', does: always(() => ({ flags: 0x8181 })), may: ['servfail'] },
  servfail: {
    what: 'SERVFAIL with an answer',
    does: always(() => ({ flags: 0x8182, answer: [poison] })),
    may: ['servfail'],
  },
  notimp: { what: 'NOTIMP always', does: always(() => ({ flags: 0x8184 })), may: ['servfail'] },
  refused: { what: 'REFUSED', does: always(() => ({ flags: 0x8185 })), may: ['servfail'] },
  'rcode-15': {
    what: 'an rcode nobody knows',
    does: always(() => ({ flags: 0x818f, answer: [poison] })),
    may: ['servfail'],
  },
  'rcode-extended': {
    what: 'an extended rcode nobody knows',
    does: always(() => ({ answer: [poison], additional: [opt({ rcode: 0x77 })] })),
    may: ['servfail'],
  },
  nothing: { what: 'NOERROR with nothing, no SOA', does: always(() => ({})), may: ['nodata'] },
  referral: {
    what: 'a referral instead of an answer: that is no NODATA (RFC 2308 section 2.2)',
    does: always((asked) => ({
      authority: [record({ owner: asked.name, type: 2, rdata: name('ns.evil.example.com') })],
      additional: [a(POISON, { owner: 'ns.evil.example.com' })],
    })),
    may: ['servfail'],
  },
  'lame-referral': {
    what: 'a referral upwards to the root',
    does: always(() => ({
      authority: [record({ owner: Uint8Array.of(0), type: 2, rdata: name('a.root-servers.example.com') })],
    })),
    may: ['servfail'],
  },
  'two-soa': {
    what: 'NXDOMAIN with two SOA',
    does: always((asked) => ({ flags: 0x8183, authority: [soa('example.com', 60), soa(asked.name, 3600)] })),
    may: ['nxdomain'],
    kept: true,
  },
  'foreign-soa': {
    what: 'NXDOMAIN with the SOA of another zone',
    does: always(() => ({ flags: 0x8183, authority: [soa('example.net', 60)] })),
    may: ['nxdomain'],
  },
  'nxdomain-answer': {
    what: 'NXDOMAIN with an address',
    does: always(() => ({ flags: 0x8183, answer: [poison] })),
    may: ['servfail'],
  },
  'broken-soa': {
    what: 'NXDOMAIN with an SOA cut short',
    does: always(() => ({
      flags: 0x8183,
      authority: [
        record({
          owner: 'example.com',
          type: 6,
          rdata: Buffer.concat([name('a.example.com'), name('b.example.com')]),
        }),
      ],
    })),
    may: ['servfail'],
  },
  'dname-only': {
    what: 'a DNAME without the alias it makes (RFC 6672)',
    does: always(() => ({
      answer: [
        record({ owner: 'dname-only.example.com', type: 39, rdata: name('evil.example.com') }),
        a(POISON, { owner: 'x.evil.example.com' }),
      ],
    })),
    may: ['servfail'],
  },
  'ttl-huge': {
    what: 'a TTL of 68 years',
    does: (asked) => asked.raw(truth(asked, { answer: [a(TRUTH, { ttl: 0x7fffffff })] })),
    may: ['truth'],
    kept: true,
  },
  'ttl-negative': {
    what: 'a TTL with its top bit set',
    does: (asked) => asked.raw(truth(asked, { answer: [a(TRUTH, { ttl: 0xffffffff })] })),
    may: ['truth'],
  },
  'flags-all': {
    what: 'AA, AD, CD and Z set',
    does: (asked) => asked.raw(truth(asked, { flags: 0x85f0 })),
    may: ['truth'],
    kept: true,
  },
};

export const VICTIM_NAME = VICTIM;
