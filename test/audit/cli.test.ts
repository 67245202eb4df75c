/** The subcommands of `sallyport audit`, run as the program runs them. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { auditCommand } from '../../src/cli/audit.ts';
import { sallyport } from '../e2e/processes.ts';
import { entryFor, openTest, segmentFiles, withDirectory, write } from './fixture.ts';

async function makeLog(directory: string): Promise<void> {
  const log = openTest({ directory, worker: 0 });
  for (let i = 0; i < 6; i++) write(log, entryFor(log, `host-${i}.example.com`));
  const denied = entryFor(log, 'evil\\027.example.net');
  const reason = '=cmd("\u001b[2J")';
  denied.outcome = log.renderOutcome({
    group: 'ci',
    verdict: 'deny',
    cause: 'denied',
    rule: 'b/deny/0',
    reason,
    ede: 15,
    observed: false,
  });
  denied.detail = null;
  denied.rcode = 3;
  write(log, denied);
  await log.close();
}

interface Ran {
  readonly out: string;
  readonly code: number;
}

async function run(...argv: readonly string[]): Promise<Ran> {
  let out = '';
  const take = (text: unknown): boolean => {
    out += String(text);
    return true;
  };
  const log = vi.spyOn(console, 'log').mockImplementation((text: string) => void take(`${text}\n`));
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation(take);
  process.exitCode = 0;
  try {
    const program = new Command('sallyport').exitOverride().configureOutput({ writeErr: take });
    const audit = auditCommand();
    for (const command of [audit, ...audit.commands]) command.copyInheritedSettings(program);
    await program.addCommand(audit).parseAsync(['audit', ...argv], { from: 'user' });
    return { out, code: Number(process.exitCode) };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { out, code: 2 };
  } finally {
    log.mockRestore();
    stdout.mockRestore();
    process.exitCode = 0;
  }
}

afterEach(() => {
  process.exitCode = 0;
});

describe('sallyport audit', () => {
  test('verify: exit 0 for a whole log, exit 1 and the place for another', () =>
    withDirectory(async (directory) => {
      await makeLog(directory);
      const whole = await run(
        'verify',
        directory,
        '--key',
        join(directory, 'keys.pub'),
        '--checkpoint',
        join(directory, 'w0.head'),
      );
      expect(whole).toMatchObject({ code: 0 });
      expect(whole.out).toMatch(/records 1 to 7, .*\nThe log is whole\.\n$/);
      const [file] = segmentFiles(directory);
      const text = readFileSync(join(directory, file), 'latin1');
      writeFileSync(join(directory, file), text.replace('host-3', 'host-4'), 'latin1');
      const changed = await run('verify', directory);
      expect(changed.code).toBe(1);
      expect(changed.out).toContain(`${file}:1: (octet 0) octets 0 to`);
      expect(changed.out).toMatch(/The log is NOT whole: \d+ faults?\.\n$/);
      const json = JSON.parse((await run('verify', directory, '--json')).out);
      expect(json).toMatchObject({ ok: false, workers: [{ worker: 0, records: 7 }] });
    }));

  test('verify: a key file that is none is an error in words', () =>
    withDirectory(async (directory) => {
      await makeLog(directory);
      const key = join(directory, 'wrong.pub');
      writeFileSync(key, 'ssh-ed25519 AAAA\n');
      await expect(run('verify', directory, '--key', key)).rejects.toThrow(
        /wrong\.pub:1: this is no key; write "w0 "/,
      );
    }));

  test('query: filters, counts, and exits 1 when there is nothing', () =>
    withDirectory(async (directory) => {
      await makeLog(directory);
      expect((await run('query', directory, '--name', '*.example.com', '--count')).out).toBe('6\n');
      expect((await run('query', directory, '--name', 'host-2.example.com', '--json')).out).toMatch(
        /^\{"seq":3,.*\}\n$/,
      );
      expect(await run('query', directory, '--verdict', 'allow', '--until', '2020-01-01')).toEqual({
        out: '',
        code: 1,
      });
      expect((await run('query', directory, '--type', 'FOO')).out).toMatch(
        /Write for example A, TXT or TYPE65/,
      );
      expect((await run('query', directory, '--since', 'noon')).out).toMatch(
        /Write a time as 2026-01-31T12:00:00Z/,
      );
    }));

  test('query and tail: nothing a terminal obeys comes out of a name or a reason', () =>
    withDirectory(async (directory) => {
      await makeLog(directory);
      for (const command of [['query'], ['tail', '--no-follow']]) {
        const { out } = await run(...command, directory);
        expect(out).toContain(
          'deny   evil\\027.example.net A → NXDOMAIN  (b/deny/0: denied: =cmd("\\u001b[2J"))',
        );
        expect(out.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
      }
    }));

  test('verify: exit 2 where what is given cannot be used, as a key that is no file', () =>
    withDirectory(async (directory) => {
      await makeLog(directory);
      for (const [args, words] of [
        [
          ['audit', 'verify', directory, '--key', 'zz'],
          /^sallyport: zz is neither a file nor a key; give a copy of keys.pub/,
        ],
        [['audit', 'verify', directory, '--checkpoint', join(directory, 'none')], /ENOENT.*none/],
        [['audit', 'verify', join(directory, 'none')], /does not exist; give the directory of the log/],
        [
          ['audit', 'verify', directory, '--decrypt-key', join(directory, 'keys.pub')],
          /holds no private key in PEM/,
        ],
        [['audit', 'check-proof', join(directory, 'keys.pub')], /holds no proof/],
      ] as const) {
        expect(await sallyport(...args)).toMatchObject({ code: 2, stderr: expect.stringMatching(words) });
      }
    }));

  test('stats: sums and tops', () =>
    withDirectory(async (directory) => {
      await makeLog(directory);
      const stats = JSON.parse((await run('stats', directory, '--json')).out);
      expect(stats).toMatchObject({
        queries: 7,
        verdicts: { allow: 6, deny: 1 },
        rcodes: { NOERROR: 6, NXDOMAIN: 1 },
      });
      expect(stats['denied names']).toEqual({ 'evil\\027.example.net': 1 });
      expect((await run('stats', directory)).out).toMatch(
        /^7 queries from .*\nfrom cache: 100\.0 %\nlatency: p50 \d+ µs/,
      );
    }));

  test('export: each form is what its readers expect', () =>
    withDirectory(async (directory) => {
      await makeLog(directory);
      const output = join(directory, 'out');
      const exported = async (format: string): Promise<string> => {
        await run('export', directory, '--format', format, '--output', output);
        return readFileSync(output, 'utf8');
      };
      const last = async (format: string): Promise<Record<string, unknown>> =>
        JSON.parse((await exported(format)).trim().split('\n').pop()!) as Record<string, unknown>;
      const csv = (await exported('csv')).split('\r\n');
      expect(csv).toHaveLength(9);
      expect(csv[7]).toContain(',deny,denied,b/deny/0,"\'=cmd(""\u001b[2J"")",NXDOMAIN,15,');
      expect(await last('ndjson')).toMatchObject({ worker: 0, seq: 7 });
      expect(await last('route53')).toMatchObject({
        query_name: 'evil\\027.example.net.',
        query_type: 'A',
        rcode: 'NXDOMAIN',
        srcaddr: '192.0.2.7',
        transport: 'UDP',
        firewall_rule_action: 'BLOCK',
      });
      expect(await last('ocsf')).toMatchObject({
        class_uid: 4003,
        type_uid: 400306,
        action_id: 2,
        rcode_id: 3,
        query: { hostname: 'evil\\027.example.net', type: 'A' },
      });
    }));

  test('prove and check-proof: what one prints the other accepts, and nothing else', () =>
    withDirectory(async (directory) => {
      await makeLog(directory);
      const { out } = await run('prove', directory, '--record', '3');
      const file = join(directory, 'proof.json');
      writeFileSync(file, out);
      expect(await run('check-proof', file)).toMatchObject({
        code: 0,
        out: expect.stringMatching(/^Record 3 is in the log/),
      });
      writeFileSync(file, out.replace('host-2', 'host-9'));
      expect(await run('check-proof', file)).toEqual({ code: 1, out: 'The proof does NOT hold.\n' });
      writeFileSync(file, '{}');
      await expect(run('check-proof', file)).rejects.toThrow(/holds no proof/);
      await expect(run('prove', directory)).rejects.toThrow(
        /say what to prove: --record NUMBER, or --sizes OLDER NEWER/,
      );
    }));

  test('a directory without a log is an error that says what to give', () =>
    withDirectory(async (directory) => {
      await expect(run('stats', join(directory, 'none'))).rejects.toThrow(
        /none does not exist; give the directory/,
      );
      await expect(run('query', directory)).rejects.toThrow(/holds no segments/);
    }));

  test('a leaf can be checked with sha256sum alone, as docs/audit.md says', () =>
    withDirectory(async (directory) => {
      await makeLog(directory);
      const [file] = segmentFiles(directory);
      const text = readFileSync(join(directory, file), 'utf8');
      const at = text.indexOf('{"type":"checkpoint"');
      const path = join(directory, 'leaf');
      writeFileSync(path, '\0');
      appendFileSync(path, text.slice(0, at));
      const sum = spawnSync('sha256sum', [path], { encoding: 'utf8' }).stdout.slice(0, 64);
      expect(JSON.parse(text.slice(at).split('\n')[0]).leaves).toEqual([sum]);
    }));

  test('a torn end is read up to the last whole line', () =>
    withDirectory(async (directory) => {
      await makeLog(directory);
      const [file] = segmentFiles(directory);
      copyFileSync(join(directory, file), join(directory, 'kept'));
      appendFileSync(join(directory, file), '{"seq":8,"time":"2026-');
      expect((await run('query', directory, '--count')).out).toBe('7\n');
      expect((await run('verify', directory)).out).toMatch(/ends in the middle of a line/);
    }));
});
