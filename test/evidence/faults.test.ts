/** A log that was changed, a report that was changed, and names that a stranger chose. */
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Found } from '../../src/audit/index.ts';
import { BoundedTable, Counts } from '../../src/evidence/bounded-table.ts';
import { isOutsideEea } from '../../src/evidence/countries.ts';
import { Activity } from '../../src/evidence/index.ts';
import { escapeHtml, html } from '../../src/evidence/markup.ts';
import { registrable } from '../../src/evidence/registrable.ts';
import { segmentFiles } from '../audit/fixture.ts';
import { type Case, makeLog, writeSettings } from './fixture.ts';
import { run, runFor } from './run.ts';

const NAME = 'evidence-20261101T000000Z-20261120T000000Z';

let original: Case;
let made: Case;
beforeAll(async () => {
  original = writeSettings(mkdtempSync(join(tmpdir(), 'sallyport-evidence-')));
  await makeLog(original);
});
beforeEach(() => {
  made = writeSettings(mkdtempSync(join(tmpdir(), 'sallyport-evidence-')));
  cpSync(original.audit, made.audit, { recursive: true });
});
afterEach(() => rmSync(made.directory, { recursive: true, force: true }));
afterAll(() => rmSync(original.directory, { recursive: true, force: true }));

const out = (file = ''): string => join(made.directory, 'out', file);
const segment = (): string => join(made.audit, segmentFiles(made.audit)[0]);
const change = (file: string, at: (octets: Buffer) => number): void => {
  const octets = readFileSync(file);
  octets[at(octets)] ^= 1;
  writeFileSync(file, octets);
};

describe('a log that was tampered with', () => {
  test.each<[string, () => void]>([
    ['one letter of a name', () => change(segment(), (octets) => octets.indexOf('evil.co.uk'))],
    [
      'a line was taken out',
      () => {
        const lines = readFileSync(segment(), 'utf8').split('\n');
        const at = lines.findIndex((line) => line.includes('evil.co.uk'));
        writeFileSync(segment(), [...lines.slice(0, at), ...lines.slice(at + 1)].join('\n'));
      },
    ],
    [
      'the first key is another',
      () => writeFileSync(join(made.audit, 'keys.pub'), `w0 ${'ab'.repeat(32)}\n`),
    ],
    ['the log has disappeared', () => unlinkSync(segment())],
  ])('%s: the report is written, says so, and the exit code is 1', async (_, tamper) => {
    tamper();
    const ran = await runFor(made, '--key', join(made.audit, 'keys.pub'), '--out', out());
    expect(ran.code).toBe(1);
    expect(ran.out).toContain('The log is NOT whole');
    const { integrity } = JSON.parse(readFileSync(out(`${NAME}.json`), 'utf8'));
    expect(integrity.ok).toBe(false);
    expect(integrity.faults.rows.length).toBeGreaterThan(0);
    expect(integrity.verified).toEqual([]);
    expect(readFileSync(out(`${NAME}.html`), 'utf8')).toContain('<strong>The log is NOT whole</strong>');
  });

  test('a segment that cannot be read ends the reading, and the report says where', async () => {
    writeFileSync(`${segment()}.gz`, 'no gzip');
    unlinkSync(segment());
    const ran = await runFor(made, '--json');
    const { integrity, summary } = JSON.parse(ran.out);
    expect(ran.code).toBe(1);
    expect(integrity.unread).toMatch(/^w0-00000001-.*\.gz: /);
    expect(summary.queries).toBe(0);
  });

  test('a tail that was cut off is found with a checkpoint from elsewhere, and without one not excluded', async () => {
    const head = readFileSync(join(made.audit, 'w0.head'), 'utf8');
    const kept = join(made.directory, 'checkpoints.ndjson');
    writeFileSync(kept, head);
    // The disk failed once in this log, so it has two segments; the second is cut off.
    const [, second] = segmentFiles(made.audit);
    unlinkSync(join(made.audit, second));
    unlinkSync(join(made.audit, 'w0.head'));
    const without = await runFor(made, '--json');
    expect(without.code).toBe(0);
    expect(JSON.parse(without.out).integrity.notVerified.join(' ')).toContain('cut off cannot be excluded');
    const given = await runFor(made, '--json', '--checkpoint', kept);
    expect(given.code).toBe(1);
    expect(JSON.parse(given.out).integrity.ok).toBe(false);
  });
});

describe('a signed report', () => {
  const keys = generateKeyPairSync('ed25519');
  const raw = keys.publicKey.export({ format: 'der', type: 'spki' }).subarray(12).toString('hex');
  const other = generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }).toString();

  beforeEach(async () => {
    const file = join(made.directory, 'report.key');
    writeFileSync(file, keys.privateKey.export({ format: 'pem', type: 'pkcs8' }));
    writeFileSync(join(made.directory, 'report.pub'), keys.publicKey.export({ format: 'pem', type: 'spki' }));
    writeFileSync(join(made.directory, 'other.pub'), other);
    expect(await runFor(made, '--out', out(), '--sign', file)).toMatchObject({ code: 0 });
  });

  const verify = (key = raw) => run('verify', out(`${NAME}.json`), '--key', key);

  test('verifies with the key as digits and as PEM, and names its page', async () => {
    for (const key of [raw, join(made.directory, 'report.pub')]) {
      const ran = await verify(key);
      expect(ran.out).toContain(`its page ${NAME}.html is the one it speaks of`);
      expect(ran.code).toBe(0);
    }
    expect(JSON.parse(readFileSync(out(`${NAME}.json`), 'utf8')).signer).toBe(raw);
    expect(statSync(out(`${NAME}.json.sig`)).size).toBe(64);
  });

  test.each<[string, () => void, RegExp]>([
    ['its first octet', () => change(out(`${NAME}.json`), () => 0), /NOT what was signed/],
    [
      'a figure',
      () => change(out(`${NAME}.json`), (octets) => octets.indexOf('"queries": ') + 11),
      /NOT what/,
    ],
    ['its last octet', () => change(out(`${NAME}.json`), (octets) => octets.length - 1), /NOT what/],
    ['the signature', () => change(out(`${NAME}.json.sig`), () => 5), /NOT what/],
    ['the length of the signature', () => writeFileSync(out(`${NAME}.json.sig`), ''), /NOT what/],
    ['the page', () => change(out(`${NAME}.html`), (octets) => octets.length >> 1), /is NOT the one/],
  ])('does not verify when this was changed: %s', async (_, tamper, words) => {
    tamper();
    const ran = await verify();
    expect(ran.out).toMatch(words);
    expect(ran.code).toBe(1);
  });

  test('does not verify with another key', async () => {
    expect(await verify(join(made.directory, 'other.pub'))).toMatchObject({ code: 1 });
  });

  test.each([
    ['a key that is none', () => verify(made.config), /this is no Ed25519 public key; give 64 hex digits/],
    ['a key that is not there', () => verify(out('none')), /ENOENT/],
    ['a report that is not there', () => run('verify', out('none.json'), '--key', raw), /ENOENT/],
    ['no key', () => run('verify', out(`${NAME}.json`)), /--key/],
  ])('needs what it was not given: %s', async (_, ask, words) => {
    const ran = await ask();
    expect(ran.errors).toMatch(words);
    expect(ran.code).toBe(2);
  });

  test('is not signed with a key of another kind', async () => {
    const file = join(made.directory, 'ec.key');
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(file, privateKey.export({ format: 'pem', type: 'pkcs8' }));
    const ran = await runFor(made, '--out', join(made.directory, 'ec'), '--sign', file);
    expect(ran.errors).toMatch(/this is a key for ec; make one for Ed25519 with/);
    expect(ran.code).toBe(2);
  });
});

describe('escapeHtml', () => {
  test.each([
    ['a tag', '<script>alert(1)</script>', '&lt;script&gt;alert(1)&lt;/script&gt;'],
    ['the end of an attribute', `" onload='x'`, '&quot; onload=&#39;x&#39;'],
    ['what is escaped already', '&lt;', '&amp;lt;'],
    ['a backtick', '`', '&#96;'],
    ['a line break, an escape, a null', 'a\nb\u001b[2J\0', 'a\\u000ab\\u001b[2J\\u0000'],
    ['what turns text around or hides it', '\u202egnp.exe\u200b\ufeff', '\\u202egnp.exe\\u200b\\ufeff'],
    ['half a character', '\ud800', '\\ud800'],
    ['plain text, of any script', 'Größe 東京', 'Größe 東京'],
  ])('%s', (_, text, escaped) => {
    expect(escapeHtml(text)).toBe(escaped);
  });

  test('is what every value of a template goes through, but markup', () => {
    expect(html`<b title="${'"'}">${['<', html`<i>${'&'}</i>`, 7]}</b>`.text).toBe(
      '<b title="&quot;">&lt;<i>&amp;</i>7</b>',
    );
    const forged = { text: '<script>' } as never;
    expect(() => html`${forged}`).toThrow();
  });
});

describe('registrable', () => {
  test.each([
    ['a.b.example.co.uk', 'example.co.uk'],
    ['example.com', 'example.com'],
    ['com', 'com'],
    ['localhost', 'localhost'],
    ['.', '.'],
    ['customer.s3.amazonaws.com', 'customer.s3.amazonaws.com'],
    ['7.2.0.192.in-addr.arpa', '192.in-addr.arpa'],
    ['192.0.2.7', '2.7'],
    ['x.evil\\.com', 'x.evil\\.com'],
    ['a\\046b.example.net', 'example.net'],
    ['a.b\\.c.net', 'b\\.c.net'],
    ['a\\\\.example.net', 'example.net'],
    ['_dmarc.example.org', 'example.org'],
  ])('%s → %s', (name, domain) => {
    expect(registrable(name)).toBe(domain);
  });
});

test.each([
  ['DE', false],
  ['NO', false],
  ['LI', false],
  ['US', true],
  ['CH', true],
  ['GB', true],
  ['XX', true],
])('country %s is outside the EEA: %s', (country, outside) => {
  expect(isOutsideEea(country)).toBe(outside);
});

describe('bounds', () => {
  test('a full table counts what it has no room for, and goes on counting the rows it has', () => {
    const table = new BoundedTable<{ key: string; count: number }>(2);
    for (const key of ['b', 'a', 'c', 'a', 'd']) {
      const row = table.row(key, () => ({ key, count: 0 }));
      if (row !== null) row.count++;
    }
    expect(table.list(1, (left, right) => right.count - left.count)).toEqual({
      rows: [{ key: 'a', count: 2 }],
      omitted: 1,
      uncounted: 2,
    });
  });

  test('words beyond the bound are under one', () => {
    const counts = new Counts();
    for (let i = 0; i < 40; i++) counts.add(`word-${i}`);
    expect(counts.entries).toHaveLength(33);
    expect(counts.entries[0]).toEqual({ word: '…', count: 8 });
  });

  test('a hundred thousand destinations leave 50 000 rows, and every query is counted', () => {
    const activity = new Activity(0);
    for (let i = 0; i < 100_000; i++) activity.add(deniedAs(`x.name-${i}.example`, i + 1));
    expect(activity.denied.size).toBe(50_000);
    expect(activity.denied.uncounted).toBe(50_000);
    expect(activity.denials).toBe(100_000);
  });

  test('notes beyond the bound are counted, and what they confess is added up', () => {
    const activity = new Activity(0);
    const time = '2026-11-01T00:00:00.000Z';
    for (let seq = 1; seq <= 1500; seq++) {
      const record = { seq, time, up: 0, type: 'gap', refused: 2, lost: 1 };
      activity.add({ worker: 0, record, line: '' });
    }
    expect(activity.notes).toHaveLength(1000);
    expect(activity).toMatchObject({ notesOmitted: 500, refusedWithoutRecord: 3000, lostRecords: 1500 });
  });
});

const deniedAs = (qname: string, seq: number): Found => ({
  worker: 0,
  line: '',
  record: { seq, time: '2026-11-01T00:00:00.000Z', up: 0, qname, verdict: 'deny', cause: 'not-listed' },
});
