/** What holds for every reply, near-valid ones above all: no throw, no octet from behind the end, a well-formed body. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Answer, AnswerReader, RECORD_COUNT_MAX } from '../../src/answer/index.ts';
import { readPlain } from '../../src/answer/read-plain.ts';
import {
  MALFORMED,
  nameOctets,
  nameText,
  Question,
  RecordPlace,
  Rrtype,
  readName,
  skipName,
  u32,
} from '../../src/wire/index.ts';
import { nearly, validReply, withPoisonBehind } from '../wire/near-valid.ts';
import { a, NAME, opt, option, record, replyOctets, SEED } from './reply.ts';

const reader = new AnswerReader();
const RUNS = { numRuns: 4000 };

const options = fc.record({
  dnssecOk: fc.boolean(),
  trusted: fc.boolean(),
  mayFollow: fc.constantFrom(
    () => true,
    () => false,
    (target: Uint8Array) => target.length % 2 === 0,
  ),
});

/** Every record of a kept body, read with the pointers it has behind its question; throws for what is not well formed. */
function recordsOf(
  answer: Answer,
  name: Uint8Array,
): { owner: string; type: number; ttl: number; ttlAt: number }[] {
  const questionEnd = 12 + name.length + 4;
  const message = Buffer.concat([Buffer.alloc(12), name, Buffer.alloc(4), answer.body]);
  const records = [];
  const place = new RecordPlace();
  const owner = new Uint8Array(256);
  for (let at = questionEnd; at < message.length; ) {
    const length = readName(message, at, message.length, owner);
    if (length === MALFORMED || skipName(message, at, message.length) === MALFORMED)
      throw new Error('a broken owner');
    at = place.read(message, at, message.length);
    if (at === MALFORMED) throw new Error('a broken record');
    records.push({
      owner: nameText(owner.slice(0, length)),
      type: place.type,
      ttl: u32(message, place.ttlAt),
      ttlAt: place.ttlAt - questionEnd,
    });
  }
  return records;
}

/** Replies that are addresses and little else, each thing now and then not as it should be. */
const nearlyPlain = fc
  .record({
    type: fc.constantFrom(Rrtype.A, Rrtype.A, Rrtype.AAAA, Rrtype.TXT),
    ttls: fc.array(fc.constantFrom(0, 1, 300, 0x7fffffff, 0x80000000, 0xffffffff), { maxLength: 18 }),
    odd: fc.constantFrom('', '', '', 'class', 'type', 'length', 'owner', 'pointer', 'rcode', 'authority'),
    additional: fc.constantFrom('', 'opt', 'opt', 'opt with options', 'opt with rcode', 'two', 'address'),
    trailing: fc.constantFrom(0, 0, 0, 3),
    ad: fc.boolean(),
  })
  .map(({ type, ttls, odd, additional, trailing, ad }) => {
    const answer = ttls.map((ttl, i) => {
      const isOdd = i === ttls.length - 1;
      const rdata = Buffer.alloc(type === Rrtype.AAAA ? 16 : isOdd && odd === 'length' ? 5 : 4, i + 1);
      return record({
        owner:
          isOdd && odd === 'owner'
            ? nameOctets(NAME)
            : Uint8Array.of(0xc0, isOdd && odd === 'pointer' ? 0x10 : 0x0c),
        type: isOdd && odd === 'type' ? Rrtype.CNAME : type,
        class: isOdd && odd === 'class' ? 3 : 1,
        ttl,
        rdata,
      });
    });
    const extra: Record<string, Uint8Array[]> = {
      '': [],
      opt: [opt()],
      'opt with options': [opt(option(15, Uint8Array.of(0, 3, 65)))],
      'opt with rcode': [opt(undefined, 1)],
      two: [opt(), opt()],
      address: [a('192.0.2.9')],
    };
    return replyOctets({
      type,
      answer,
      ad,
      rcode: odd === 'rcode' ? 3 : 0,
      authority: odd === 'authority' ? [a('192.0.2.8')] : [],
      additional: extra[additional],
      trailing: new Uint8Array(trailing),
    });
  });

test('a plain reply says the same to the reader of plain replies and to that of all', () => {
  let plain = 0;
  fc.assert(
    fc.property(nearlyPlain, options, fc.constantFrom(Rrtype.A, Rrtype.AAAA), (octets, reading, type) => {
      const asked = new Question(SEED).set(nameOctets(NAME), type);
      const one = octets.slice();
      const other = octets.slice();
      const found = readPlain(one, one.length, asked, reading.trusted);
      if (found === null) {
        // What it leaves to the other it leaves as it was.
        expect(one).toEqual(octets);
        return;
      }
      plain++;
      expect(found).toEqual(reader.readAny(other, other.length, asked, reading));
      expect(one).toEqual(other);
    }),
    RUNS,
  );
  expect(plain).toBeGreaterThan(100);
});

describe('every reply', () => {
  test('is an answer or a reason, the same whatever stands behind its end', () => {
    fc.assert(
      fc.property(nearly(validReply), options, ({ octets, name, type }, readOptions) => {
        if (octets.length < 12) return;
        const question = new Question(SEED).set(name, type);
        const [first, ...others] = withPoisonBehind(octets, (message, end) =>
          reader.read(message.slice(), end, question, readOptions),
        );
        for (const other of others) expect(other).toEqual(first);
      }),
      RUNS,
    );
  });

  test('that is kept has a well-formed body of the chain and nothing else', () => {
    fc.assert(
      fc.property(nearly(validReply), options, ({ octets, name, type }, readOptions) => {
        if (octets.length < 12) return;
        const answer = reader.read(
          octets.slice(),
          octets.length,
          new Question(SEED).set(name, type),
          readOptions,
        );
        if (typeof answer === 'string') return;
        const records = recordsOf(answer, name);
        expect(records).toHaveLength(answer.answerCount + answer.authorityCount);
        expect([...answer.ttlAt]).toEqual(records.map(({ ttlAt }) => ttlAt));
        const chain = new Set([nameText(name), ...answer.targets.map((target) => nameText(target))]);
        for (const { owner, type: rrtype, ttl } of records.slice(0, answer.answerCount)) {
          if (rrtype === Rrtype.RRSIG) expect(readOptions.dnssecOk).toBe(true);
          else if (rrtype === Rrtype.DNAME && type !== Rrtype.DNAME) {
            expect([...chain].some((one) => one.endsWith(`.${owner}`))).toBe(true);
          } else {
            expect(chain).toContain(owner);
            expect([type, Rrtype.CNAME]).toContain(rrtype);
          }
          expect(ttl).toBeLessThanOrEqual(0x7fffffff);
        }
        const allowed = readOptions.dnssecOk
          ? [Rrtype.SOA, Rrtype.RRSIG, Rrtype.NSEC, Rrtype.NSEC3]
          : [Rrtype.SOA];
        for (const { type: rrtype } of records.slice(answer.answerCount)) expect(allowed).toContain(rrtype);
        if (!readOptions.dnssecOk) expect(answer.authorityCount).toBeLessThanOrEqual(answer.negative ? 1 : 0);
        // It is never kept for longer than its shortest record lives.
        if (!readOptions.dnssecOk && records.length > 0)
          expect(answer.ttlSeconds).toBeLessThanOrEqual(Math.min(...records.map(({ ttl }) => ttl)));
        expect(answer.authenticated && !readOptions.trusted).toBe(false);
      }),
      RUNS,
    );
  });

  test('that is kept, read again as a reply, says the same', () => {
    fc.assert(
      fc.property(validReply, ({ octets, name, type }) => {
        const question = new Question(SEED).set(name, type);
        const once = { dnssecOk: false, trusted: false, mayFollow: () => true };
        const answer = reader.read(octets.slice(), octets.length, question, once);
        // Without the OPT, an extended rcode is another one.
        if (typeof answer === 'string' || answer.rcode > 15) return;
        const header = Buffer.from(octets.subarray(0, 12));
        header.writeUInt16BE(answer.answerCount, 6);
        header.writeUInt16BE(answer.authorityCount, 8);
        header.writeUInt16BE(0, 10);
        header[3] = (header[3] & 0xf0) | (answer.rcode & 15);
        const message = Uint8Array.from(
          Buffer.concat([header, octets.subarray(12, 12 + name.length + 4), answer.body]),
        );
        const again = reader.read(message, message.length, question, once);
        expect(again).toMatchObject({
          answerCount: answer.answerCount,
          authorityCount: answer.authorityCount,
          negative: answer.negative,
        });
        expect(recordsOf(again as Answer, name)).toMatchObject(
          recordsOf(answer, name).map(({ owner, type: rrtype, ttl }) => ({ owner, type: rrtype, ttl })),
        );
      }),
      RUNS,
    );
  });
});

describe('the worst replies', () => {
  test.each([
    {
      what: 'as many tiny records as fit',
      count: RECORD_COUNT_MAX,
      record: Uint8Array.of(0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12),
    },
    {
      what: 'as many records of the root as fit',
      count: RECORD_COUNT_MAX,
      record: Uint8Array.of(0, 0, 1, 0, 1, 0, 0, 0, 9, 0, 0),
    },
    {
      what: 'chains of pointers',
      count: 1500,
      record: Uint8Array.of(0xc0, 12, 0, 46, 0, 1, 0, 0, 0, 9, 0, 4, 0, 1, 0, 0),
    },
  ])('$what cost no more than a few milliseconds', ({ count, record }) => {
    const name = new Uint8Array(255);
    for (let i = 0; i < 127; i++) name.set([1, 97 + (i % 26)], i * 2);
    const header = Buffer.alloc(12);
    header.set([0, 0, 0x81, 0x80, 0, 1]);
    header.writeUInt16BE(count, 6);
    const message = Uint8Array.from(
      Buffer.concat([
        header,
        name,
        Buffer.from([0, 1, 0, 1]),
        ...Array.from({ length: count }, () => record),
      ]),
    );
    const question = new Question(SEED).set(name, 1);
    const go = (): unknown =>
      reader.read(message.slice(), message.length, question, {
        dnssecOk: true,
        trusted: false,
        mayFollow: () => true,
      });
    go();
    // Time of the processor, which a neighbour cannot use up.
    const started = process.cpuUsage();
    for (let i = 0; i < 5; i++) go();
    const { user, system } = process.cpuUsage(started);
    expect((user + system) / 5 / 1000).toBeLessThan(60);
  });
});
