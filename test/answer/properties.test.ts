/** What holds for every reply, near-valid ones above all: no throw, no octet from behind the end, a well-formed body. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Answer, AnswerReader, RECORD_COUNT_MAX } from '../../src/answer/index.ts';
import {
  MALFORMED,
  nameText,
  Question,
  RecordPlace,
  Rrtype,
  readName,
  skipName,
  u32,
} from '../../src/wire/index.ts';
import { nearly, validReply, withPoisonBehind } from '../wire/near-valid.ts';
import { SEED } from './reply.ts';

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
    const started = performance.now();
    for (let i = 0; i < 5; i++) go();
    expect((performance.now() - started) / 5).toBeLessThan(60);
  });
});
