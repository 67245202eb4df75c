import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { noReadCounters, recordsOf } from '../../src/cli/hunt-files.ts';
import { inOrder, merged } from '../../src/cli/hunt-order.ts';
import type { HuntRecord } from '../../src/cli/hunt-records.ts';
import { replayTarget } from '../../src/cli/hunt-replay.ts';
import { clientOctets, HuntSession, type HuntVerdict } from '../../src/cli/hunt-session.ts';

const folder = mkdtempSync(join(tmpdir(), 'hunt-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function read(
  content: string | Buffer,
  name = 'log',
): Promise<{ records: HuntRecord[]; faults: string[] }> {
  const file = join(folder, name);
  writeFileSync(file, content);
  const counters = noReadCounters();
  const records: HuntRecord[] = [];
  for await (const record of recordsOf(file, counters)) records.push(record);
  return { records, faults: counters.samples };
}

/** A query for `www.example.com` type A, id 7, and its answer without records. */
const QUERY = Buffer.from(
  '000701000001000000000000' + '03777777076578616d706c6503636f6d00' + '00010001',
  'hex',
);
const ANSWER = Buffer.from(
  '000781830001000000000000' + '03777777076578616d706c6503636f6d00' + '00010001',
  'hex',
);

const u32 = (value: number): Buffer => {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(value);
  return octets;
};

function pcap(packets: readonly { from: number; to: number; message: Buffer }[]): Buffer {
  const head = Buffer.from('a1b2c3d400020004000000000000000000010000' + '00000001', 'hex');
  const parts = packets.map(({ from, to, message }, i) => {
    const frame = Buffer.alloc(14 + 20 + 8);
    frame.writeUInt16BE(0x0800, 12);
    frame[14] = 0x45;
    frame[14 + 9] = 17;
    Buffer.from([192, 0, 2, from === 53 ? 1 : 9]).copy(frame, 26);
    Buffer.from([192, 0, 2, to === 53 ? 1 : 9]).copy(frame, 30);
    frame.writeUInt16BE(from, 34);
    frame.writeUInt16BE(to, 36);
    const packet = Buffer.concat([frame, message]);
    return Buffer.concat([
      u32(1_700_000_000 + i),
      u32(500_000),
      u32(packet.length),
      u32(packet.length),
      packet,
    ]);
  });
  return Buffer.concat([head, ...parts]);
}

function dnstap(): Buffer {
  const field = (number: number, octets: Buffer): Buffer =>
    Buffer.concat([Buffer.from([(number << 3) | 2, octets.length]), octets]);
  const varint = (number: number, octets: number[]): Buffer => Buffer.from([number << 3, ...octets]);
  // 1,700,000,000 seconds as a varint.
  const seconds = [0x80, 0xe2, 0xcf, 0xaa, 0x06];
  const message = (type: number, body: Buffer): Buffer =>
    Buffer.concat([
      varint(1, [type]),
      field(4, Buffer.from([192, 0, 2, 9])),
      varint(type === 5 ? 8 : 12, seconds),
      field(type === 5 ? 10 : 14, body),
    ]);
  const frame = (octets: Buffer): Buffer => {
    const tap = Buffer.concat([field(14, octets), varint(15, [1])]);
    return Buffer.concat([u32(tap.length), tap]);
  };
  const start = Buffer.from(
    '00000000' +
      '00000022' +
      '00000002' +
      '00000001' +
      '00000016' +
      Buffer.from('protobuf:dnstap.Dnstap').toString('hex'),
    'hex',
  );
  return Buffer.concat([
    start,
    frame(message(5, QUERY)),
    frame(message(6, ANSWER)),
    Buffer.from('000000000000000400000003', 'hex'),
  ]);
}

const COLUMNS = '1700000000.5\t192.0.2.9\twww.example.com\t1\t0\t90\t0\tx\n';

describe('recordsOf', () => {
  test.each([
    { name: 'columns', content: COLUMNS },
    {
      name: 'columns with a line that names them',
      content: `ts\tclient\tqname\tqtype\trcode\tsize\n${COLUMNS}`,
    },
    {
      name: 'columns in another order',
      content: 'name\ttype\tseconds\tclient\trcode\nwww.example.com\tA\t1700000000.5\t192.0.2.9\tNOERROR\n',
    },
    {
      name: 'a Zeek log',
      content:
        '#separator \\x09\n#set_separator\t,\n#fields\tts\tid.orig_h\tquery\tqtype\trcode\n#types\ttime\taddr\tstring\tcount\tcount\n1700000000.5\t192.0.2.9\twww.example.com\t1\t0\n#close\t2023\n',
    },
    {
      name: 'Zeek JSON',
      content: '{"ts":1700000000.5,"id.orig_h":"192.0.2.9","query":"www.example.com","qtype":1,"rcode":0}\n',
    },
    {
      name: 'our audit',
      content:
        '{"type":"start","time":"2023-11-14T22:13:19Z"}\n{"seq":1,"time":"2023-11-14T22:13:20.500Z","type":"query","client":"192.0.2.9","qname":"www.example.com","qtype":"A","rcode":"NOERROR","size":90}\n',
    },
    {
      name: 'a Route 53 query log',
      content:
        '{"version":"1.100000","query_timestamp":"2023-11-14T22:13:20.500Z","query_name":"www.example.com.","query_type":"A","rcode":"NOERROR","answers":[],"srcaddr":"192.0.2.9"}\n',
    },
  ])('reads $name', async ({ content }) => {
    const { records, faults } = await read(content);
    expect(faults).toEqual([]);
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ atMs: 1_700_000_000_500, client: '192.0.2.9', type: 1, rcode: 0 });
    expect(records[0].name.replace(/\.$/, '')).toBe('www.example.com');
  });

  test('reads .gz, and counts lines as they stand', async () => {
    const { records } = await read(
      gzipSync(`seconds\tclient\tname\ttype\n${COLUMNS}\n${COLUMNS}`),
      'log.tsv.gz',
    );
    expect(records.map((record) => record.line)).toEqual([2, 4]);
  });

  test.each([
    {
      name: 'pcap',
      content: pcap([
        { from: 4000, to: 53, message: QUERY },
        { from: 53, to: 4000, message: ANSWER },
      ]),
    },
    { name: 'dnstap', content: dnstap() },
  ])('reads $name: a query, and its answer apart', async ({ content }) => {
    const { records, faults } = await read(content);
    expect(faults).toEqual([]);
    expect(records).toHaveLength(2);
    expect(records[0]).toMatchObject({ client: '192.0.2.9', name: 'www.example.com', type: 1, rcode: -1 });
    expect(records[1]).toMatchObject({ client: '192.0.2.9', rcode: 3, isAnswer: true });
  });

  test.each([
    {
      name: 'a line that is no query',
      content: `${COLUMNS}nonsense\n`,
      fault: /log:2: "nonsense" is not a query; expected tab-separated/,
    },
    { name: 'broken JSON', content: '{"qname":\n', fault: /log:1: not JSON/ },
    {
      name: 'a time that is none',
      content: '{"qname":"a.example","time":"yesterday"}\n',
      fault: /"time" is "yesterday"; expected ISO 8601/,
    },
  ])('says what is wrong with $name', async ({ content, fault }) => {
    const { faults } = await read(content);
    expect(faults.join('\n')).toMatch(fault);
  });
});

const record = (atMs: number, name: string, client = '192.0.2.9', line = 1): HuntRecord => ({
  atMs,
  client,
  name,
  type: 1,
  rcode: 0,
  octets: 90,
  distinctAnswers: 1,
  line,
  file: 'f',
});

async function* stream(records: readonly HuntRecord[]): AsyncGenerator<HuntRecord> {
  yield* records;
}

async function collect(records: AsyncIterable<HuntRecord>): Promise<number[]> {
  const times: number[] = [];
  for await (const { atMs } of records) times.push(atMs);
  return times;
}

describe('inOrder', () => {
  test('sorts within its window and counts what comes too late', async () => {
    const order = { late: 0 };
    const times = await collect(
      inOrder(stream([5, 3, 4, 9, 8, 1, 7].map((at) => record(at, 'a.example'))), order, 2),
    );
    expect(times).toEqual([3, 4, 1, 5, 7, 8, 9]);
    expect(order.late).toBe(1);
  });

  test('merges files by time', async () => {
    const left = stream([1, 4].map((at) => record(at, 'a.example')));
    const right = stream([2, 3].map((at) => record(at, 'a.example')));
    expect(await collect(merged([left, right]))).toEqual([1, 2, 3, 4]);
  });
});

describe('HuntSession', () => {
  const run = (
    records: readonly HuntRecord[],
  ): { verdicts: HuntVerdict[]; denied: number[]; session: HuntSession } => {
    const verdicts: HuntVerdict[] = [];
    const denied: number[] = [];
    const session = new HuntSession({
      profile: 'default',
      onVerdict: (verdict) => verdicts.push(verdict),
      onDenial: ({ line }) => denied.push(line),
    });
    for (const each of records) session.feed(each);
    return { verdicts, denied, session };
  };

  test('gives one verdict a pair and denies what follows', () => {
    const payload = 'q7'.repeat(4) + 'x3k9vz2m5w8c1r4t6y0p'.repeat(2);
    const { verdicts, denied, session } = run(
      Array.from({ length: 5 }, (_, i) =>
        record(1_700_000_000_000 + i * 1000, `${payload}${i}.evil.example`, '192.0.2.9', i + 1),
      ),
    );
    expect(verdicts).toHaveLength(1);
    expect(verdicts[0]).toMatchObject({
      client: '192.0.2.9',
      domain: 'evil.example',
      queriesBefore: 0,
      octetsBefore: 0,
    });
    expect(verdicts[0].evidence.length).toBeGreaterThan(0);
    expect(denied).toEqual([1, 2, 3, 4, 5]);
    expect(session.flaggedPairs).toBe(1);
  });

  test('takes a question repeated within a minute from the cache', () => {
    const { session } = run(
      Array.from({ length: 50 }, (_, i) => record(1_700_000_000_000 + i * 1000, 'www.shop.example')),
    );
    expect(session.queries).toBe(50);
    expect(session.deniedQueries).toBe(0);
    expect(session.pairs).toBe(1);
  });

  test('passes over names that are none', () => {
    const { session } = run([record(1, 'a'.repeat(64) + '.example'), record(2, 'a..b.example')]);
    expect(session.unreadable).toBe(1);
    expect(session.queries).toBe(2);
  });
});

describe('clientOctets', () => {
  test.each([
    ['192.0.2.9', [192, 0, 2, 9]],
    ['2001:db8::1', [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ['::', new Array(16).fill(0)],
  ])('reads %s', (text, octets) => {
    const into = new Uint8Array(16);
    expect(clientOctets(text, into)).toBe(octets.length);
    expect([...into.subarray(0, octets.length)]).toEqual(octets);
  });
});

describe('replayTarget', () => {
  test('reads both families', () => {
    expect(replayTarget('127.0.0.1:5353')).toEqual({ host: '127.0.0.1', port: 5353 });
    expect(replayTarget('[::1]:53')).toEqual({ host: '::1', port: 53 });
  });
  test.each(['127.0.0.1', '::1:53:x', 'h:0', 'h:99999'])('says what to write instead of %s', (text) => {
    expect(() => replayTarget(text)).toThrow(/write HOST:PORT/);
  });
});
