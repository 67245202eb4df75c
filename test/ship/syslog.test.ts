/** Syslog against rsyslogd of Debian, over TLS and plain TCP, with a configuration of its own. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AuditRecord } from '../../src/audit/index.ts';
import { syslogFormat } from '../../src/ship/syslog.ts';
import { isInstalled } from '../e2e/processes.ts';
import { hasOpenssl, makeCertificates } from '../upstream/certificates.ts';
import { Bench, numbers, sinksOf, until } from './fixture.ts';
import { Rsyslog } from './receivers.ts';

const hasRsyslog = isInstalled('rsyslogd');
const certificates = hasOpenssl ? makeCertificates() : null;
afterAll(() => certificates?.remove());

let bench: Bench;
let rsyslog: Rsyslog | null = null;

beforeEach(() => {
  bench = new Bench();
});
afterEach(async () => {
  await rsyslog?.stop('SIGKILL');
  rsyslog = null;
  await bench.end();
});

const seqsOf = (server: Rsyslog): number[] =>
  server.messages().map(({ text }) => (JSON.parse(text) as { seq: number }).seq);

describe.each(['tls', 'tcp'] as const)('over %s', (transport) => {
  const settings = (port: number, more: Record<string, unknown> = {}): Record<string, unknown> => ({
    name: 'siem',
    type: 'syslog',
    transport,
    address: `127.0.0.1:${port}`,
    identity: 'gate.example.com',
    flush: '200ms',
    ...(transport === 'tls' ? { caFile: certificates!.good.certFile, serverName: 'dns.example' } : {}),
    ...more,
  });

  test.runIf(hasRsyslog && hasOpenssl)('rsyslogd takes every record', async () => {
    const server = await Rsyslog.start(bench.directory, transport === 'tls' ? certificates!.good : null);
    rsyslog = server;
    await bench.ship(settings(server.port));
    const log = bench.open();
    bench.write(1000);
    log.note('test-note', { why: 'zwölf Boxkämpfer ]"\\ jagen' });
    await until('all are acknowledged', () => bench.states[0]?.records === 1001);
    await until('all are written', () => server.messages().length >= 1001);
    const messages = server.messages();
    expect(seqsOf(server)).toEqual(numbers(1, 1001));
    expect(messages[0]).toMatchObject({
      pri: 134,
      host: 'gate.example.com',
      app: 'sallyport',
      msgid: 'query',
      data: '-',
    });
    expect(JSON.parse(messages[0]!.text)).toMatchObject({ worker: 0, seq: 1, qname: 'n0.example.com' });
    const note = messages.at(-1)!;
    expect(note).toMatchObject({ pri: 132, msgid: 'test-note' });
    expect(JSON.parse(note.text)).toMatchObject({ type: 'test-note', why: 'zwölf Boxkämpfer ]"\\ jagen' });
    expect(bench.states[0]?.trouble).toBeNull();
  });

  test.runIf(hasRsyslog && hasOpenssl)('structured data is understood', async () => {
    const server = await Rsyslog.start(bench.directory, transport === 'tls' ? certificates!.good : null);
    rsyslog = server;
    await bench.ship(settings(server.port, { format: 'structured', facility: 'daemon' }));
    const log = bench.open();
    bench.write(1, 0, () => ({
      outcome: log.renderOutcome({
        group: 'ci',
        verdict: 'deny',
        cause: 'denied',
        rule: 'bad/deny/0',
        reason: 'quotes " and ] and \\ and ü',
        ede: 15,
        observed: false,
      }),
    }));
    await until('it is written', () => server.messages().length > 0);
    const [message] = server.messages();
    expect(message).toMatchObject({ pri: 29, text: 'deny n0.example.com A' });
    expect(message!.data).toMatch(
      /^\[sallyport@32473 log="[0-9a-f]{16}" worker="0" seq="1" client="192\.0\.2\.7" port="5353" via="udp"/,
    );
    expect(message!.data).toContain('reason="quotes \\" and \\] and \\\\ and ü"');
    expect(message!.data).toContain('answer="A 192.0.2.1"]');
  });

  test.runIf(hasRsyslog && hasOpenssl)(
    'a receiver that is killed under load and begun again misses nothing',
    async () => {
      const server = await Rsyslog.start(bench.directory, transport === 'tls' ? certificates!.good : null);
      rsyslog = server;
      await bench.ship(settings(server.port));
      bench.open();
      bench.write(500);
      await until('the first are written', () => new Set(seqsOf(server)).size === 500);
      for (let i = 0; i < 12; i++) {
        bench.write(125);
        if (i === 3) await server.stop('SIGKILL');
        if (i === 8) await server.again();
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      await until('all are acknowledged', () => bench.states[0]?.records === 2000);
      await until('all are written', () => new Set(seqsOf(server)).size === 2000);
      expect(bench.states[0]?.failures).toBeGreaterThan(0);
      expect(bench.losses).toEqual([]);
    },
  );
});

test.runIf(hasRsyslog && hasOpenssl)('a certificate for another name is refused, in words', async () => {
  const server = await Rsyslog.start(bench.directory, certificates!.good);
  rsyslog = server;
  const address = `127.0.0.1:${server.port}`;
  const trusted = { caFile: certificates!.good.certFile };
  await bench.ship(
    { name: 'named', type: 'syslog', address, serverName: 'logs.example.net', ...trusted },
    { name: 'unknown', type: 'syslog', address },
  );
  bench.open();
  bench.write(1);
  await until('both are told', () => bench.troubles.length === 2);
  expect(bench.troubles.sort()).toEqual([
    expect.stringMatching(/altnames: .*logs\.example\.net/i),
    expect.stringMatching(/self-signed certificate/),
  ]);
  expect(server.messages()).toEqual([]);
});

describe('a message', () => {
  const from = { host: 'gate', log: 'ab', worker: 3 };
  const formatWith = (more: Record<string, unknown>) => {
    const [sink] = sinksOf({ name: 'siem', type: 'syslog', address: 'logs.example.net:6514', ...more });
    if (sink?.type !== 'syslog') throw new Error('not a syslog sink');
    return syslogFormat(sink);
  };
  const record = (more: Record<string, unknown>): AuditRecord =>
    ({
      seq: 1,
      time: '2026-11-21T09:10:11.123Z',
      up: 1,
      verdict: 'allow',
      qname: 'a.example',
      qtype: 'TXT',
      ...more,
    }) as AuditRecord;

  test('that would be too long has fewer answers, and says how many were left out', () => {
    const answers = Array.from({ length: 16 }, (_, i) => `TXT "${String(i).padEnd(500, 'x')}"`);
    const long = record({ answers });
    const text = formatWith({ messageMax: '2KiB' })({
      ...from,
      record: long,
      line: JSON.stringify({ worker: 3, ...long }),
    });
    expect(text.length).toBeLessThanOrEqual(2048);
    const parsed = JSON.parse(text.slice(text.indexOf(' - {') + 3)) as {
      answers: string[];
      leftOut: number;
      seq: number;
    };
    expect(parsed).toMatchObject({ worker: 3, seq: 1, leftOut: 16 - parsed.answers.length });
    expect(parsed.answers).toEqual(answers.slice(0, parsed.answers.length));
    expect(parsed.answers.length).toBeGreaterThan(1);
    const structured = formatWith({ messageMax: '2KiB', format: 'structured' })({
      ...from,
      record: long,
      line: '',
    });
    expect(Buffer.byteLength(structured)).toBeLessThanOrEqual(2048);
    expect(structured).toMatch(/\] allow a\.example TXT$/);
  });

  test('has a host name that is one word of ASCII', () => {
    const text = formatWith({})({
      host: 'mein Rechner ü',
      log: 'ab',
      worker: 0,
      record: record({}),
      line: '{}',
    });
    expect(text).toMatch(/^<134>1 2026-11-21T09:10:11\.123Z mein-Rechner-- sallyport \d+ query - \{\}$/);
  });
});
