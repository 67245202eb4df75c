/** Faults of `ship`: each names its place and what to write instead, and no secret is shown. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { formatFaults, loadSettings } from '../../src/config/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-settings-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function load(sinks: string) {
  const file = join(directory, 'sallyport.yaml');
  writeFileSync(file, `ship:\n${sinks.replace(/^/gm, '  ')}\n`);
  return loadSettings({ file, env: {} });
}

function textOf(sinks: string): string {
  const loaded = load(sinks);
  return 'faults' in loaded ? formatFaults(loaded.faults) : 'no fault';
}

describe('a fault', () => {
  test.each([
    ['- {name: a}', 'is not a type of sink', '"dnstap", "syslog", "otlp", "kafka" or "clickhouse"'],
    ['- {name: a, type: splunk}', '"splunk" is not a type of sink', 'write "dnstap"'],
    ['- siem', '"siem" is not a sink', '{name: siem, type: syslog'],
    ['- {name: A B, type: dnstap, socket: /x}', 'is not a name of a sink', '"siem"'],
    ['- {name: a, type: dnstap}', 'nothing says where the receiver is', 'socket: /run/dnstap.sock'],
    ['- {name: a, type: dnstap, socket: /x, address: "192.0.2.1:1"}', 'a socket and an address', 'either'],
    [
      '- {name: a, type: syslog, address: logs.example.net}',
      'is not a host with a port',
      'logs.example.net:6514',
    ],
    ['- {name: a, type: syslog}', '"address" is missing', 'write text'],
    ['- {name: a, type: syslog, adress: "x:1"}', 'there is no key "adress"', 'write "address"'],
    [
      '- {name: a, type: syslog, address: "x:1", brokers: [y]}',
      'there is no key "brokers" here',
      'the keys here are: type, name',
    ],
    [
      '- {name: a, type: syslog, address: "x:1", certificate: c.pem}',
      'there is a certificate and no key',
      'key: /path/to/key.pem',
    ],
    ['- {name: a, type: syslog, address: "x:1", verdicts: [denied]}', '"denied" is not a verdict', 'deny'],
    ['- {name: a, type: syslog, address: "x:1", spool: 4}', 'must be a size with its unit', '4GiB'],
    [
      '- {name: a, type: otlp, url: "collector:4318"}',
      'is not a URL that begins with http',
      'http://127.0.0.1:4318',
    ],
    [
      '- {name: a, type: otlp, url: "http://x", headers: {Host: y}}',
      'is a header that Sallyport sets itself',
      'authorization',
    ],
    ['- {name: a, type: kafka, brokers: [], topic: t}', 'the list is empty', 'at least 1'],
    ['- {name: a, type: kafka, brokers: ["k:9092"], topic: "a b"}', '"a b" is not a topic', 'dns-audit'],
    [
      '- {name: a, type: kafka, brokers: ["k:9092"], topic: t, sasl: {mechanism: plain, user: u, password: {env: P}}}',
      'the password would travel in the clear',
      'tls: true',
    ],
    [
      '- {name: a, type: clickhouse, url: "http://x", table: "a; DROP TABLE b"}',
      'is not a table',
      'audit.dns',
    ],
    [
      '- {name: a, type: clickhouse, url: "http://x", table: t, password: {env: P}}',
      'a password and no user',
      'user: default',
    ],
    [
      '- {name: a, type: dnstap, socket: /x}\n- {name: a, type: dnstap, socket: /y}',
      'two sinks named "a"',
      '"a-2"',
    ],
  ])('%s', (sinks, what, instead) => {
    const text = textOf(sinks);
    expect(text).toContain(what);
    expect(text).toContain(instead);
  });

  test.each([
    '- {name: a, type: clickhouse, url: "http://x", table: t, user: u, password: hunter2}',
    '- name: a\n  type: clickhouse\n  url: http://x\n  table: t\n  user: u\n  password: hunter2',
    '- {name: a, type: clickhouse, url: "http://u:hunter2@x", table: t}',
    '- name: a\n  type: otlp\n  url: http://u:hunter2@x',
    '- {name: a, type: otlp, url: "http://x", headers: {authorization: [hunter2]}}',
    '- {name: a, type: kafka, brokers: ["k:1"], topic: t, sasl: {user: u, password: hunter2}}',
  ])('shows no secret: %s', (sinks) => {
    const text = textOf(sinks);
    expect(text).not.toBe('no fault');
    expect(text).not.toContain('hunter2');
    expect(text).toMatch(/\{file: |a user or a password/);
  });
});

test('paths are relative to the file, those of secrets too', () => {
  const loaded = load(
    [
      '- {name: a, type: dnstap, socket: run/tap.sock}',
      '- {name: b, type: clickhouse, url: "http://x", table: t, user: u, password: {file: secret}, caFile: ca.pem}',
      '- {name: c, type: otlp, url: "http://x", headers: {authorization: {file: token}, x-plain: y}}',
    ].join('\n'),
  );
  if ('faults' in loaded) throw new Error(formatFaults(loaded.faults));
  expect(loaded.settings.ship).toMatchObject([
    { socket: join(directory, 'run/tap.sock'), begin: 'now', spool: 4 * 1024 ** 3, flush: 10_000 },
    { password: { file: join(directory, 'secret') }, caFile: join(directory, 'ca.pem') },
    { headers: { authorization: { file: join(directory, 'token') }, 'x-plain': 'y' } },
  ]);
});

test('records may be encrypted and shipped', () => {
  const file = join(directory, 'sallyport.yaml');
  writeFileSync(file, 'audit: {encryptTo: [reader.pem]}\nship: [{name: a, type: dnstap, socket: /x}]\n');
  const loaded = loadSettings({ file, env: {} });
  if ('faults' in loaded) throw new Error(formatFaults(loaded.faults));
  expect(loaded.settings.ship).toHaveLength(1);
});

test('a variable cannot hold a list of sinks, and says so', () => {
  const file = join(directory, 'sallyport.yaml');
  writeFileSync(file, '');
  const loaded = loadSettings({ file, env: { SALLYPORT_SHIP: 'siem' } });
  expect('faults' in loaded && formatFaults(loaded.faults)).toMatch(/"siem" is not a sink/);
});
