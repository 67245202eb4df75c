/** Checkpoints of a running Sallyport leave it as they are made, and prove what somebody did to its log. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isInstalled, Serving, sallyport } from './processes.ts';

const POLICY = `
sets: {}
groups:
  here: {clients: [127.0.0.0/8], sets: []}
local:
  - {zone: home.test, records: ['@ A 192.0.2.80']}
`;

test.runIf(isInstalled('dig'))(
  'a log whose end was cut off is found out by what a file and a webhook have',
  { timeout: 60_000 },
  async () => {
    const bodies: string[] = [];
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (piece) => {
        body += piece;
      });
      request.on('end', () => {
        bodies.push(body);
        response.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const elsewhere = join(tmpdir(), `sallyport-elsewhere-${process.pid}.ndjson`);
    const serving = await Serving.start({
      policy: POLICY,
      settings: `audit:
  checkpointInterval: 50ms
  segmentSize: 64KiB
  checkpoints:
    - {file: '${elsewhere}', every: 0s}
    - {webhook: 'http://127.0.0.1:${port}/', every: 100ms}
`,
    });
    try {
      for (let i = 0; i < 5; i++) await serving.dig('home.test', '+short');
      const state = async (): Promise<{ kind: string; sent: number; failures: number }[]> =>
        JSON.parse((await serving.get('/api/state')).body).checkpoints;
      for (const deadline = Date.now() + 10_000; ; ) {
        if ((await state()).every(({ sent }) => sent > 0)) break;
        if (Date.now() > deadline) throw new Error(`not sent: ${JSON.stringify(await state())}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      expect((await serving.get('/metrics')).body).toMatch(
        /sallyport_audit_checkpoints_sent_total\{kind="webhook",place="http:\/\/127\.0\.0\.1:\d+\/"\} [1-9]/,
      );
      serving.child.kill('SIGTERM');
      await new Promise((resolve) => serving.child.once('exit', resolve));
      const audit = join(serving.directory, 'audit');
      const shipped = readFileSync(elsewhere, 'utf8').trim().split('\n');
      // The last checkpoint closes the log; it left as well.
      expect(shipped.at(-1)).toContain('"closes":true');
      expect(bodies.at(-1)).toContain('"closes":true');
      const verify = (): ReturnType<typeof sallyport> =>
        sallyport('audit', 'verify', audit, '--checkpoint', elsewhere);
      expect((await verify()).stdout).toMatch(/The log is whole/);
      for (const file of readdirSync(audit)) {
        if (file.endsWith('.ndjson') || file.endsWith('.head')) rmSync(join(audit, file));
      }
      const found = await sallyport(
        'audit',
        'verify',
        audit,
        '--key',
        join(audit, 'keys.pub'),
        '-p',
        elsewhere,
      );
      expect(found.code).toBe(1);
      expect(found.stdout).toMatch(/its end is missing/);
    } finally {
      server.close();
      rmSync(elsewhere, { force: true });
      await serving.stop('SIGKILL');
    }
  },
);
