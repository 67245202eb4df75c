/** What the report says of a log in which every section has something to say. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { integrityOf } from '../../src/evidence/integrity.ts';
import { segmentFiles } from '../audit/fixture.ts';
import {
  type Case,
  FROM,
  HOSTILE_EVIDENCE,
  HOSTILE_NAME,
  HOSTILE_REASON,
  makeLog,
  QUERIES,
  TO,
  writeSettings,
} from './fixture.ts';
import { type Ran, run, runFor } from './run.ts';

let made: Case;
let ran: Ran;
let report: Report;
let page: string;

/** As a reader of the JSON file finds it. */
type Report = Record<string, never> & ReturnType<typeof JSON.parse>;

const NAME = 'evidence-20261101T000000Z-20261120T000000Z';

beforeAll(async () => {
  made = writeSettings(mkdtempSync(join(tmpdir(), 'sallyport-evidence-')));
  await makeLog(made);
  ran = await runFor(made, '--key', join(made.audit, 'keys.pub'), '--out', join(made.directory, 'out'));
  report = JSON.parse(readFileSync(join(made.directory, 'out', `${NAME}.json`), 'utf8'));
  page = readFileSync(join(made.directory, 'out', `${NAME}.html`), 'utf8');
});
afterAll(() => rmSync(made.directory, { recursive: true, force: true }));

describe('a report', () => {
  test('says where it is, and what it adds up to', () => {
    expect(ran).toMatchObject({ code: 0, errors: '' });
    expect(ran.out).toContain(`${NAME}.html and .json`);
    expect(ran.out).toContain(`queries ${QUERIES}, denied 14, alarms 1, first-seen destinations 4`);
  });

  test('counts the period and nothing outside it', () => {
    expect(report.period).toEqual({ from: FROM, to: TO, isOver: true });
    expect(report.createdAt).toBe('2026-11-21T12:00:00.000Z');
    expect(report.summary).toMatchObject({
      queries: QUERIES,
      denied: 14,
      observed: 2,
      alarms: 1,
      alarmQueries: 3,
    });
    expect(report.summary.verdicts).toEqual([
      { word: 'allow', count: 18 },
      { word: 'deny', count: 14 },
      { word: 'observe', count: 2 },
      { word: 'refuse', count: 2 },
      { word: 'fail', count: 1 },
    ]);
  });

  test('lists what is allowed, by whom, until when, and to whom it goes', () => {
    expect(report.allowList).toMatchObject({ rules: 8, withoutOwner: 4, ended: 2, omitted: 0 });
    const rows = Object.fromEntries(report.allowList.rows.map((row: { id: string }) => [row.id, row]));
    expect(rows['base/allow/0']).toMatchObject({
      patterns: ['registry.npmjs.org'],
      reason: 'Builds install packages.',
      owner: 'platform@example.com',
      queries: 10,
      lastUsed: '2026-11-02T08:00:00.000Z',
    });
    expect(rows['base/allow/1']).toMatchObject({
      ticket: 'NET-1',
      queries: 3,
      processor: { name: 'Api Example, Inc.', country: 'US', agreement: null, outsideEea: true },
    });
    expect(rows['base/allow/2'].processor).toMatchObject({ country: 'IE', outsideEea: false });
    expect(rows['exceptions/allow/0']).toMatchObject({ expires: '2026-10-01T00:00:00.000Z', owner: null });
  });

  test('lists processors, those outside the EEA first', () => {
    expect(report.processors).toMatchObject({ outsideEea: 1, withoutAgreement: 1, rulesWithout: 6 });
    expect(report.processors.rows).toEqual([
      {
        name: 'Api Example, Inc.',
        country: 'US',
        agreement: null,
        outsideEea: true,
        rules: ['base/allow/1'],
        rulesOmitted: 0,
        queries: 3,
      },
      {
        name: 'Pay Example Ltd',
        country: 'IE',
        agreement: 'DPA 2026-01',
        outsideEea: false,
        rules: ['base/allow/2'],
        rulesOmitted: 0,
        queries: 1,
      },
    ]);
  });

  test('says of each exception whether it was used, has ended or will', () => {
    expect(report.exceptions).toMatchObject({ granted: 4, used: 2, ended: 2, endedInPeriod: 1, ending: 1 });
    const rows = report.exceptions.rows.map((row: Report) => [
      row.id,
      row.state,
      row.queries,
      row.queriesAfterEnd,
    ]);
    expect(rows).toEqual([
      ['exceptions/allow/0', 'ended before the period', 0, 0],
      ['exceptions/allow/1', 'ended', 2, 4],
      ['exceptions/allow/2', 'ends within 14 days', 1, 0],
      ['exceptions/allow/3', 'in force', 0, 0],
    ]);
  });

  test('lists denied destinations by registrable domain', () => {
    expect(report.denied).toMatchObject({ destinations: 4, omitted: 0, uncounted: 0 });
    expect(report.denied.rows[0]).toEqual({
      domain: 'evil.co.uk',
      queries: 8,
      observed: 2,
      groups: [
        { word: 'ci', count: 6 },
        { word: 'lab', count: 2 },
      ],
      causes: [{ word: 'not-listed', count: 8 }],
      names: ['a.evil.co.uk', 'b.evil.co.uk'],
      first: '2026-11-13T08:00:00.000Z',
      last: '2026-11-13T10:00:00.000Z',
    });
  });

  test('lists alarms with evidence, and the record each begins with', () => {
    expect(report.alarms.rows).toHaveLength(1);
    const [alarm] = report.alarms.rows;
    expect(alarm).toMatchObject({
      domain: 'example.biz',
      client: '192.0.2.7',
      group: 'ci',
      queries: 3,
      denied: 3,
      worker: 0,
    });
    expect(alarm.evidence[0]).toBe('812 octets in 40 names within 60 s');
    const lines = segmentFiles(made.audit).map((file) => readFileSync(join(made.audit, file), 'utf8'));
    const record = lines
      .join('')
      .split('\n')
      .find((line) => line.startsWith(`{"seq":${alarm.seq},`));
    expect(record).toContain('aaaabbbbcccc.tunnel.example.biz');
  });

  test('lists destinations that were not asked before, of those that queries left for', () => {
    expect(report.firstSeen).toMatchObject({ destinations: 4, knownSince: '2026-10-20T08:00:00.000Z' });
    const domains = report.firstSeen.rows.map((row: Report) => [row.domain, row.queries]);
    expect(domains).toEqual([
      ['example.com', 6],
      ['example.org', 1],
      ['evil.co.uk', 2],
      ['example.dev', 1],
    ]);
  });

  test('lists rules that were never used, and rules of the log that are not in the policy', () => {
    expect(report.unused.rows.map((row: Report) => row.id)).toEqual([
      'base/allow/3',
      'exceptions/allow/0',
      'exceptions/allow/3',
      'exceptions/deny/0',
    ]);
    expect(report.unknown.rows).toMatchObject([
      { rule: 'base/allow/9', reason: 'Removed since.', queries: 1 },
    ]);
  });

  test('lists gaps and refusals', () => {
    expect(report.gaps).toMatchObject({ refused: 2, lost: 0 });
    const gap = report.gaps.rows.find((row: Report) => row.type === 'gap');
    expect(gap.members).toContain('refused 2, since 2026-11-16T08:00:00.000Z');
    expect(report.gaps.refusals.rows).toMatchObject([
      { verdict: 'refuse', cause: 'client', queries: 2 },
      { verdict: 'fail', cause: 'timeout', queries: 1 },
    ]);
  });

  test.each([
    {
      from: '2026-11-01T00:00:00Z',
      said: ['The period before 2026-11-10 08:00:00, when the log that is here begins'],
    },
    { from: '2026-11-10T08:00:00Z', said: [] },
    { from: '2026-11-12T00:00:00Z', said: [] },
  ])('of a period from $from on says what is before the log', ({ from, said }) => {
    const [worker] = report.integrity.workers;
    expect(worker.since).toMatch(/^\d{4}-\d\d-\d\dT/);
    expect(worker.lastCheckpoint.time).toMatch(/^\d{4}-\d\d-\d\dT/);
    const workers = ['2026-11-11T00:00:00.000Z', '2026-11-10T08:00:00.000Z'].map((since) => ({
      ...worker,
      since,
    }));
    const { notVerified } = integrityOf({
      report: { ok: true, workers, faults: [], remarks: [] },
      fromMs: Date.parse(from),
      hasKeys: true,
      checkpointCount: 1,
      unread: null,
    });
    const found = notVerified.filter((text) => text.startsWith('The period before'));
    expect(found).toEqual(said.map((text) => expect.stringContaining(text)));
  });

  test('says what was verified and what was not', () => {
    const { integrity } = report;
    expect(integrity).toMatchObject({ ok: true, unread: null });
    expect(integrity.verified.join(' ')).toMatch(/trusted key/);
    expect(integrity.notVerified.join(' ')).toMatch(/newest records were cut off cannot be excluded/);
  });

  test('names the settings that matter, and the files of the policy with their hashes', () => {
    const { configuration } = report;
    expect(configuration).toMatchObject({
      auditMode: 'bounded',
      retentionDays: 90,
      clients: 'keep',
      denyRules: 1,
    });
    expect(configuration.groups).toEqual([
      { name: 'ci', mode: 'enforce', sets: ['base', 'exceptions', 'built-in'] },
      { name: 'lab', mode: 'observe', sets: ['base'] },
    ]);
    expect(configuration.policyFiles).toMatchObject([{ sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
  });

  test('maps every section of the page to control ids', () => {
    const sections = [...page.matchAll(/<section id="(\w+)">([\s\S]*?)<\/section>/g)];
    expect(sections.map(([, id]) => id).sort()).toEqual(Object.keys(report.controls).sort());
    for (const [, id, content] of sections) {
      for (const framework of ['WAF-SOV-090', 'GDPR', 'ISO/IEC 27001:2022', 'BSI C5:2020', 'EUCS']) {
        expect(content, `${id}: ${framework}`).toContain(framework);
      }
    }
  });

  test('is one page without scripts, and forbids them', () => {
    expect(page).toContain(
      'http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src',
    );
    expect(page).not.toMatch(/<(script|img|svg|iframe|link|object|form)\b/i);
    const tags = page.match(/<[^>]*>/g) ?? [];
    expect(tags.length).toBeGreaterThan(300);
    expect(tags.filter((tag) => /\s(on\w+|src|srcset|style)\s*=/i.test(tag))).toEqual([]);
    expect(page).toContain('prefers-color-scheme: dark');
    expect(page).toContain('@media print');
  });

  test('shows what strangers wrote as text', () => {
    for (const hostile of [HOSTILE_REASON, HOSTILE_EVIDENCE, HOSTILE_NAME])
      expect(page).not.toContain(hostile);
    expect(page).toContain('&lt;script&gt;alert(&quot;reason&quot;)&lt;/script&gt;');
    expect(page).toContain('&lt;svg onload=alert(1)&gt; &amp; &#39;\\u202e\\u001b[2J');
    expect(page).toContain(
      '&lt;img\\032src=x\\032onerror=alert\\(1\\)&gt;.hostile-\\&quot;quoted\\&quot;.example',
    );
  });

  test('is the same when it is made again', async () => {
    const again = join(made.directory, 'again');
    await runFor(made, '--key', join(made.audit, 'keys.pub'), '--out', again);
    for (const ending of ['html', 'json']) {
      const [first, second] = [join(made.directory, 'out'), again].map((directory) =>
        readFileSync(join(directory, `${NAME}.${ending}`), 'utf8'),
      );
      expect(second).toBe(first);
    }
  });

  test('is printed as JSON, without files', async () => {
    const printed = await runFor(made, '--key', join(made.audit, 'keys.pub'), '--json');
    const { html: _, ...rest } = report;
    expect(JSON.parse(printed.out)).toEqual(rest);
    // A terminal shows it: nothing in it may be what a terminal obeys.
    expect(printed.out).not.toMatch(/[\u001b\u0080-\u009f\u202e]/);
  });
});

describe('a report that was asked for with arguments that cannot be used', () => {
  const long = (): string => join(made.directory, 'long.key');
  test.each([
    ['a period that ends before it begins', () => ['--to', '2026-10-01'], /--from is not before --to/],
    ['no time', () => ['--from', 'yesterday'], /Write a time as/],
    ['a directory that is not there', () => ['--audit', join(made.directory, 'none')], /does not exist/],
    ['a directory without a log', () => ['--audit', made.directory], /holds no segments/],
    ['no key of a log', () => ['--key', made.config], /this is no key; write "w0 "/],
    ['no key to sign with', () => ['--sign', made.config], /this is no private key; make one with/],
    ['a file as directory', () => ['--out', made.config], /EEXIST|is a file/],
    ['nowhere to put a signature', () => ['--json', '--sign', long()], /this is no private key|write --out/],
    ['a report that is there already', () => ['--out', join(made.directory, 'out')], /is there already/],
  ])('%s: exit 2 and says what to write', async (_, argv, words) => {
    writeFileSync(long(), 'none');
    const { code, errors } = await runFor(made, ...argv());
    expect(errors).toMatch(words);
    expect(code).toBe(2);
  });

  test('a policy with faults: exit 1, and the fault', async () => {
    const { code, errors } = await run('--config', made.config, '--policy', made.config);
    expect(errors).toMatch(/policies/);
    expect(code).toBe(1);
  });
});
