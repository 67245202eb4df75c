/**
 * The queries of ISC's DNS compliance report (34 of them, and RFC 8906 section 8 behind most), asked of a local zone: a
 * server may only differ from these where its documentation says why, and Sallyport does not.
 *
 * Flags of the header as 16 bits: QR 8000, opcode 7800, AA 0400, TC 0200, RD 0100, RA 0080, Z 0040, AD 0020, CD 0010.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Serving } from '../e2e/processes.ts';
import { ask, heard, type Transport } from './client.ts';
import { faultsOf, startServing } from './house.ts';
import { message, opt, option, question } from './message.ts';

const ZONE = 'home.test';
const [A, NS, SOA, DNSKEY] = [1, 2, 6, 48];

const nsid = option(3);
const subnet = option(8, Uint8Array.of(0, 1, 0, 0));
const expire = option(9);
const cookie = option(10, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
const unknown = option(100);

interface Case {
  readonly name: string;
  readonly rfc: string;
  readonly flags?: number;
  readonly type?: number;
  readonly headerOnly?: boolean;
  readonly tcp?: boolean;
  readonly edns?: { size?: number; version?: number; flags?: number; options?: Uint8Array };
  readonly want: {
    readonly rcode: number;
    readonly soa?: boolean;
    /** Beside QR, and AA where there is an answer. */
    readonly flags: readonly string[];
    readonly cookie?: boolean;
  };
}

const answered = { rcode: 0, soa: true, flags: ['ra'] } as const;
const badVersion = { rcode: 16, soa: false, flags: ['ra'] } as const;

const CASES: readonly Case[] = [
  { name: 'dns', rfc: '8906 8.1.1', want: answered },
  { name: 'aa', rfc: '8906 8.1.3', flags: 0x0400, want: answered },
  { name: 'ad', rfc: '6840 5.7', flags: 0x0020, want: answered },
  { name: 'cd', rfc: '4035 3.2.2', flags: 0x0010, want: { ...answered, flags: ['ra', 'cd'] } },
  { name: 'ra', rfc: '8906 8.1.3', flags: 0x0080, want: answered },
  { name: 'rd', rfc: '1035 4.1.1', flags: 0x0100, want: { ...answered, flags: ['rd', 'ra'] } },
  { name: 'tc', rfc: '8906 8.1.3', flags: 0x0200, want: answered },
  { name: 'zflag', rfc: '1035 4.1.1', flags: 0x0040, want: answered },
  { name: 'opcode', rfc: '8906 8.1.4', flags: 0x7800, headerOnly: true, want: { rcode: 4, flags: [] } },
  {
    name: 'opcodeflg',
    rfc: '8906 8.1.4',
    flags: 0x7ff0 & ~0x8000,
    headerOnly: true,
    want: { rcode: 4, flags: [] },
  },
  { name: 'type666', rfc: '3597 3', type: 666, want: { rcode: 0, soa: false, flags: ['ra'] } },
  { name: 'tcp', rfc: '7766 5', tcp: true, want: answered },
  { name: 'edns', rfc: '6891 6.1.1', edns: {}, want: answered },
  { name: 'edns1', rfc: '6891 6.1.3', edns: { version: 1 }, want: badVersion },
  {
    name: 'edns@512',
    rfc: '6891 6.2.5',
    type: DNSKEY,
    edns: { size: 512, flags: 0x8000 },
    want: { rcode: 0, flags: ['ra'] },
  },
  { name: 'ednsopt', rfc: '6891 6.1.2', edns: { options: unknown }, want: answered },
  { name: 'edns1opt', rfc: '6891 6.1.3', edns: { version: 1, options: unknown }, want: badVersion },
  { name: 'do', rfc: '3225 3', edns: { flags: 0x8000 }, want: answered },
  {
    name: 'docd',
    rfc: '4035 3.2.2',
    flags: 0x0010,
    edns: { flags: 0x8000 },
    want: { ...answered, flags: ['ra', 'cd'] },
  },
  { name: 'edns1do', rfc: '6891 6.1.3', edns: { version: 1, flags: 0x8000 }, want: badVersion },
  { name: 'ednsflags', rfc: '6891 6.1.4', edns: { flags: 0x0080 }, want: answered },
  {
    name: 'optlist',
    rfc: '6891 6.1.2',
    edns: { options: Buffer.concat([nsid, subnet, expire, cookie]) },
    want: { ...answered, cookie: true },
  },
  { name: 'ednsnsid', rfc: '5001 2.1', edns: { options: nsid }, want: answered },
  { name: 'ednscookie', rfc: '7873 5.2', edns: { options: cookie }, want: { ...answered, cookie: true } },
  { name: 'ednsexpire', rfc: '7314 3', edns: { options: expire }, want: answered },
  { name: 'ednssubnet', rfc: '7871 7.2', edns: { options: subnet }, want: answered },
  { name: 'edns1nsid', rfc: '6891 6.1.3', edns: { version: 1, options: nsid }, want: badVersion },
  {
    name: 'edns1cookie',
    rfc: '6891 6.1.3',
    edns: { version: 1, options: cookie },
    want: { ...badVersion, cookie: true },
  },
  { name: 'edns1expire', rfc: '6891 6.1.3', edns: { version: 1, options: expire }, want: badVersion },
  { name: 'edns1subnet', rfc: '6891 6.1.3', edns: { version: 1, options: subnet }, want: badVersion },
  {
    name: 'ednstcp',
    rfc: '7766 5',
    type: DNSKEY,
    tcp: true,
    edns: { size: 512, flags: 0x8000 },
    want: { rcode: 0, flags: ['ra'] },
  },
  {
    name: 'bind11',
    rfc: '7873 5.2',
    edns: { flags: 0x8000, options: cookie },
    want: { ...answered, cookie: true },
  },
  {
    name: 'dig11',
    rfc: '7873 5.2',
    flags: 0x0120,
    edns: { options: cookie },
    want: { ...answered, flags: ['rd', 'ra'], cookie: true },
  },
  { name: 'A', rfc: '1035 3.4.1', type: A, want: { rcode: 0, flags: ['ra'] } },
];

let serving: Serving;
beforeAll(async () => {
  serving = await startServing('127.0.0.1:9');
});
afterAll(async () => {
  expect(await faultsOf(serving)).toEqual([]);
  expect(await serving.stop()).toBe(0);
});

test('there are 34 of them', () => {
  expect(CASES).toHaveLength(34);
});

describe.each(['udp', 'tcp'] as const)('over %s', (transport: Transport) => {
  test.each(CASES)('$name (RFC $rfc)', async (asked) => {
    const type = asked.type ?? SOA;
    const octets = message({
      id: 0x3434,
      flags: asked.flags ?? 0,
      question: asked.headerOnly ? [] : [question(ZONE, type)],
      additional: asked.edns === undefined ? [] : [opt({ size: 4096, ...asked.edns })],
    });
    const seen = await heard(asked.tcp ? 'tcp' : transport, serving.port, octets);
    const { want } = asked;
    expect(seen.rcode).toBe(want.rcode);
    expect(seen.opcode).toBe(((asked.flags ?? 0) >> 11) & 15);
    const authoritative = want.rcode === 0 ? ['aa'] : [];
    expect([...seen.flags].sort()).toEqual(['qr', ...authoritative, ...want.flags].sort());
    expect(seen.questions).toEqual(asked.headerOnly ? [] : [question(ZONE, type)]);
    if (want.soa !== undefined) {
      expect(seen.answer.map(({ type, owner }) => [type, owner])).toEqual(want.soa ? [[SOA, ZONE]] : []);
    }
    // OPT exactly where the query had one, version 0, DO copied, all other flags clear (RFC 6891 section 6.1.1).
    expect(seen.opt === null).toBe(asked.edns === undefined);
    if (seen.opt === null) return;
    expect(seen.opt.version).toBe(0);
    expect(seen.opt.flags).toBe((asked.edns?.flags ?? 0) & 0x8000);
    // No option comes back but the cookie, and that with our half (RFC 7873 section 5.2.3).
    expect(
      seen.opt.options.map(({ code, data }) => [code, data.length, data.subarray(0, 8).toString('hex')]),
    ).toEqual(want.cookie ? [[10, 24, '0102030405060708']] : []);
  });

  test.each(Array.from({ length: 15 }, (_, i) => i + 1))(
    'opcode %i is not implemented, and no flag of queries is set (RFC 8906 section 8.1.4)',
    async (opcode) => {
      for (const questions of [[], [question(ZONE, SOA)]]) {
        const seen = await heard(
          transport,
          serving.port,
          message({ id: 1, flags: (opcode << 11) | 0x0130, question: questions }),
        );
        expect(seen).toMatchObject({
          rcode: 4,
          opcode,
          answer: [],
          authority: [],
          additional: [],
          opt: null,
        });
        expect([...seen.flags]).toEqual(['qr']);
      }
    },
  );

  test('NOTIFY with its SOA, and UPDATE with a zone and records, are not implemented (RFC 1996, RFC 2136)', async () => {
    const soaRecord = Buffer.concat([question(ZONE, SOA), Buffer.alloc(6)]);
    const notify = message({ id: 9, flags: 0x2400, question: [question(ZONE, SOA)], answer: [soaRecord] });
    expect(await heard(transport, serving.port, notify)).toMatchObject({ rcode: 4, opcode: 4, answer: [] });
    const update = message({
      id: 9,
      flags: 0x2800,
      question: [question(ZONE, SOA)],
      authority: [soaRecord, soaRecord],
    });
    expect(await heard(transport, serving.port, update)).toMatchObject({
      rcode: 4,
      opcode: 5,
      authority: [],
    });
  });

  test('a message of every opcode with QR set is met with silence', async () => {
    const all = Array.from({ length: 16 }, (_, opcode) =>
      ask(
        transport,
        serving.port,
        message({ id: opcode, flags: 0x8000 | (opcode << 11), question: [question(ZONE, NS)] }),
        300,
      ),
    );
    expect(await Promise.all(all)).toEqual(all.map(() => null));
  });
});
