/** `sallyport hunt` as people run it: what they see when it works and when it does not. */
import { createSocket } from 'node:dgram';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { sallyport } from '../e2e/processes.ts';

const folder = mkdtempSync(join(tmpdir(), 'hunt-command-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const PAYLOAD = 'q7x3k9vz2m5w8c1r4t6y0p'.repeat(2);
const LOUD = Array.from(
  { length: 3 },
  (_, i) => `${1_700_000_000 + i}\t192.0.2.9\t${PAYLOAD}${i}.evil.example\t16\t0\t90\t1\tx\n`,
).join('');
const QUIET = '1700000000\t192.0.2.9\twww.example.com\tA\t0\t90\n';

describe('what is found', () => {
  test('is printed for people', async () => {
    const { code, stdout } = await sallyport('hunt', file('loud.tsv', LOUD));
    expect(code).toBe(0);
    expect(stdout).toMatch(/192\.0\.2\.9 → evil\.example: block domain for client/);
    expect(stdout).toMatch(
      /3 queries, 1 pair of client and domain, 1 flagged, 3 queries would have been denied/,
    );
  });

  test('in a segment of the audit in which nobody has asked yet is nothing, and no fault', async () => {
    const header = '{"type":"segment","version":1,"worker":0,"boot":"b","number":1,"seq":1}\n';
    const { code, stdout, stderr } = await sallyport('hunt', file('new.ndjson', header));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^0 queries, /);
  });

  test('is judged by a policy whose pools are in no settings here', async () => {
    const policy = fileURLToPath(new URL('../../policies/aws-vpc.yaml', import.meta.url));
    const { code, stdout, stderr } = await sallyport('hunt', '--policy', policy, file('quiet.tsv', QUIET));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('1 query would have been denied');
  });

  test('is printed for programs, a verdict, each denied query, and a summary last', async () => {
    const { stdout } = await sallyport('hunt', '--json', '--each', file('loud.tsv.gz', gzipSync(LOUD)));
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ type }) => type)).toEqual(['verdict', 'query', 'query', 'query', 'summary']);
    expect(lines[0]).toEqual({
      type: 'verdict',
      client: '192.0.2.9',
      domain: 'evil.example',
      action: expect.any(String),
      score: expect.any(Number),
      firstSeen: '2023-11-14T22:13:20.000Z',
      decidedAt: '2023-11-14T22:13:20.000Z',
      queriesBefore: 0,
      octetsBefore: 0,
      evidence: expect.arrayContaining([expect.stringMatching(/^Rule name, scope client\+domain\.$/)]),
    });
    expect(lines.slice(1, 4)).toEqual([1, 2, 3].map((line) => ({ type: 'query', line, action: 'deny' })));
    expect(lines[4]).toEqual({
      type: 'summary',
      queries: 3,
      pairs: 1,
      flaggedPairs: 1,
      deniedQueries: 3,
      seconds: expect.any(Number),
      maxRssBytes: expect.any(Number),
    });
  });
});

describe('our audit', () => {
  const entry = (seq: number, qname: string): string =>
    `{"seq":${seq},"time":"2026-11-21T09:10:1${seq}.123Z","client":"192.0.2.7","rcode":"NOERROR","size":77,"qname":"${qname}","qtype":"A","verdict":"allow"}\n`;

  test('is read as a directory, closed segments packed or not, and marks are no data', async () => {
    const directory = join(folder, 'audit');
    mkdirSync(directory);
    writeFileSync(
      join(directory, 'w0-00000001-20261121T091011123Z.ndjson.gz'),
      gzipSync(entry(1, '(secret:api-key:1a2b3c4d).(secret:card:5e6f7a8b).c2.example.com')),
    );
    writeFileSync(join(directory, 'w0-00000002-20261121T091012123Z.ndjson'), entry(2, 'www.example.com'));
    const { code, stdout, stderr } = await sallyport('hunt', directory);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^2 queries, 1 pair of client and domain, 0 flagged/);
    expect(stderr).toBe('1 name is redacted in the log: what its marks stand for cannot be counted\n');
  });

  test('a name that only looks like a mark is a name', async () => {
    const path = file('forged.ndjson', entry(1, '\\\\(secret:card:1a2b3c4d\\\\).c2.example.com'));
    expect((await sallyport('hunt', path)).stderr).toBe('');
  });
});

describe('what cannot be read is told: where, and what is expected', () => {
  test.each([
    { what: 'an empty file', content: '', fault: /empty\.log: the file is empty/ },
    {
      what: 'a line that is no query',
      content: 'hello\n',
      fault: /line\.log:1: "hello" is not a query; expected tab-separated seconds/,
    },
    {
      what: 'a log of something else',
      content: '{"a":1}\n{"a":2}\n',
      fault: /other\.log: none of its 2 lines is a query; expected our audit, Zeek/,
    },
    {
      what: 'a number that is no type',
      content: QUIET.replace('\tA\t', '\t65536\t'),
      fault: /number\.log:1: "65536" is no query type; expected a number up to 65535/,
    },
    {
      what: 'a type that is none',
      content: QUIET.replace('\tA\t', '\tFOO\t'),
      fault: /type\.log:1: "FOO" is no query type; expected a number up to 65535, or a name as TXT/,
    },
  ])('$what', async ({ content, fault }) => {
    const path = file(`${/[a-z]+/.exec(fault.source)?.[0]}.log`, content);
    const { code, stderr } = await sallyport('hunt', path);
    expect(code).toBe(1);
    expect(stderr).toMatch(fault);
  });

  test('names that are none, among others', async () => {
    const path = file('names.log', `${QUIET}${QUIET.replace('www.example.com', 'a'.repeat(64))}`);
    const { code, stderr, stdout } = await sallyport('hunt', path);
    expect(code).toBe(0);
    expect(stderr).toMatch(/names\.log:2: .+ has a label of 64 octets; at most 63 are allowed; passed over/);
    expect(stdout).toMatch(/^2 queries/);
  });

  test.each([
    {
      what: 'a file that is not there',
      path: () => join(folder, 'nowhere'),
      fault: /nowhere: there is no such file/,
    },
    {
      what: 'a directory of something else',
      path: () => folder,
      fault: /is a directory without segments of an audit/,
    },
    {
      what: 'a packed file that is not whole',
      path: () => file('cut.gz', gzipSync(LOUD).subarray(0, 60)),
      fault: /cut\.gz cannot be unpacked: unexpected end of file/,
    },
  ])('$what', async ({ path, fault }) => {
    const { code, stderr } = await sallyport('hunt', path());
    expect(code).toBe(1);
    expect(stderr).toMatch(fault);
  });

  test('the rest of the log is read all the same, and nothing of it reaches the terminal raw', async () => {
    const { code, stdout, stderr } = await sallyport(
      'hunt',
      file('mixed.tsv', `${QUIET}\x1b]0;owned\x07\n${QUIET}`),
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/^2 queries/);
    expect(stderr).toMatch(/mixed\.tsv:2: "\\u001b\]0;owned\\u0007" is not a query/);
  });
});

test('a header line may begin with # and give another order', async () => {
  const path = file('header.tsv', '#client\tname\tseconds\n192.0.2.1\twww.example.com\t1700000000\n');
  const { stdout, stderr } = await sallyport('hunt', path);
  expect([stdout.slice(0, 7), stderr]).toEqual(['1 query', '']);
});

describe('--replay', () => {
  test('sends the queries and counts the answers', async () => {
    const socket = createSocket('udp4');
    const heard: string[] = [];
    socket.on('message', (query, from) => {
      heard.push(query.toString('latin1', 13, 16));
      const answer = Buffer.from(query);
      answer[2] |= 0x80;
      answer[3] = 3;
      socket.send(answer, from.port, from.address);
    });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const target = `127.0.0.1:${socket.address().port}`;
    const { stdout } = await sallyport(
      'hunt',
      file('quiet.tsv', QUIET),
      '--replay',
      target,
      '--speed',
      '100',
    );
    socket.close();
    expect(JSON.parse(stdout)).toEqual({ type: 'replay', sent: 1, answered: 1, rcodes: { 3: 1 } });
    expect(heard).toEqual(['www']);
  });

  test('says when nobody answers', async () => {
    const { stderr } = await sallyport('hunt', file('quiet2.tsv', QUIET), '--replay', '127.0.0.1:9');
    expect(stderr).toBe('nobody answered at 127.0.0.1:9\n');
  });
});
