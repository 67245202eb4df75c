/** The main job as a user does it: real processes, real dig and kdig, real Unbound as upstream, both socket engines. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isInstalled, run, Serving, sallyport, UnboundUpstream } from './processes.ts';

const POLICY = `
sets:
  work:
    reason: Needed for work.
    allow: [+.example.com, {name: text.example.com, types: [TXT]}]
    deny: [{name: +.bad.example.com, reason: Known to be bad.}]
groups:
  here: {clients: [127.0.0.0/8, '::1'], sets: [work], contact: net@example.com}
local:
  - {zone: home.test, records: ['@ A 192.0.2.80']}
`;

const BIG = Array.from({ length: 60 }, (_, i) => `local-data: "big.example.com. 300 IN A 192.0.2.${i}"`);

const hasDig = isInstalled('dig');
const hasKdig = isInstalled('kdig');
const hasUnbound = isInstalled('unbound');

describe.each(['native', 'portable'] as const)('serving with the %s engine', (io) => {
  let upstream: UnboundUpstream;
  let serving: Serving;

  beforeAll(async () => {
    if (!hasUnbound || !hasDig) return;
    upstream = await UnboundUpstream.start([
      'local-data: "www.example.com. 300 IN A 192.0.2.1"',
      'local-data: "www.example.com. 300 IN AAAA 2001:db8::1"',
      'local-data: "alias.example.com. 300 IN CNAME www.example.com."',
      'local-data: "example.com. 900 IN SOA ns.example.com. host.example.com. 1 3600 600 86400 60"',
      ...BIG,
    ]);
    serving = await Serving.start({
      policy: POLICY,
      upstream: `127.0.0.1:${upstream.port}`,
      io,
      listen: ['127.0.0.1:0', '[::1]:0'],
    });
  });

  afterAll(async () => {
    await serving?.stop();
    await upstream?.stop();
  });

  test.runIf(hasDig && hasUnbound)(
    'an allowed name is answered through the upstream, then from the cache',
    async () => {
      expect((await serving.dig('www.example.com', '+short')).stdout).toBe('192.0.2.1\n');
      expect((await serving.dig('WWW.example.com', 'AAAA', '+short')).stdout).toBe('2001:db8::1\n');
      expect((await serving.dig('WWW.example.com', '+short')).stdout).toBe('192.0.2.1\n');
      const entries = serving
        .entries()
        .filter(({ qname, qtype }) => qname === 'www.example.com' && qtype === 'A');
      expect(entries).toMatchObject([
        { verdict: 'allow', rule: 'work/allow/0', cached: false, upstream: `127.0.0.1:${upstream.port}` },
        { verdict: 'allow', rule: 'work/allow/0', cached: true, answers: ['A 192.0.2.1'] },
      ]);
    },
  );

  test.runIf(hasDig && hasUnbound)(
    'a denied name gets NXDOMAIN, SOA and the reason; its entry is there at once',
    async () => {
      const { stdout } = await serving.dig('exfil.bad.example.com');
      expect(stdout).toContain('status: NXDOMAIN');
      expect(stdout).toContain('SOA');
      expect(stdout).toMatch(/EDE: 15 \(Blocked\): \(Known to be bad/);
      expect(serving.entries().at(-1)).toMatchObject({
        qname: 'exfil.bad.example.com',
        cause: 'denied',
        rcode: 'NXDOMAIN',
      });
    },
  );

  test.runIf(hasDig && hasUnbound)('a long answer is truncated over UDP and whole over TCP', async () => {
    const truncated = await serving.dig('big.example.com', '+ignore', '+bufsize=512');
    expect(truncated.stdout).toMatch(/flags: qr tc rd ra;/);
    const whole = await serving.dig('big.example.com', '+bufsize=512', '+short');
    expect(whole.stdout.trim().split('\n')).toHaveLength(60);
    const kept = await serving.dig('+tcp', '+keepopen', 'big.example.com', 'www.example.com', '+short');
    expect(kept.stdout.trim().split('\n')).toHaveLength(61);
  });

  test.runIf(hasKdig && hasUnbound)('kdig agrees, over UDP and TCP, with padding and cookies', async () => {
    for (const flags of [['+notcp'], ['+tcp'], ['+padding=128'], ['+cookie'], ['+noedns'], ['+dnssec']]) {
      const asked = ['@127.0.0.1', '-p', String(serving.port), ...flags, 'alias.example.com', 'A'];
      const { stdout } = await run('kdig', asked);
      expect(stdout).toContain('status: NOERROR');
      expect(stdout).toContain('192.0.2.1');
      expect(stdout).not.toContain('WARNING');
    }
  });

  test.runIf(hasDig && hasUnbound)('the local zone has authority, and IPv6 clients are served', async () => {
    expect((await serving.dig('home.test')).stdout).toMatch(/flags: qr aa rd ra;.*ANSWER: 1/);
    const port = /\[::1\]:(\d+) \(/.exec(serving.greeting)?.[1] ?? '';
    const { stdout } = await run('dig', ['@::1', '-p', port, '+tries=1', 'www.example.com', '+short']);
    expect(stdout).toBe('192.0.2.1\n');
    expect(serving.entries().at(-1)).toMatchObject({ client: '::1' });
  });

  test.runIf(hasDig && hasUnbound)(
    'a reload is in force when it is confirmed; a faulty one changes nothing',
    async () => {
      const post = { method: 'POST', headers: { 'content-type': 'application/json' } };
      serving.writePolicy(POLICY.replace('+.bad.example.com', '+.example.com'));
      expect(JSON.parse((await serving.get('/reload', post)).body)).toMatchObject({ ok: true });
      expect((await serving.dig('www.example.com')).stdout).toContain('NXDOMAIN');
      serving.writePolicy('sets: {a: {allow: [{name: "*.com"}]}}');
      const refused = JSON.parse((await serving.get('/reload', post)).body) as {
        ok: boolean;
        faults: unknown[];
      };
      expect(refused.ok).toBe(false);
      const stale = (await serving.get('/metrics')).body;
      expect(stale).toContain('\nsallyport_policy_last_reload_successful 0\n');
      expect(refused.faults.length).toBeGreaterThan(0);
      expect((await serving.dig('www.example.com')).stdout).toContain('NXDOMAIN');
      serving.writePolicy(POLICY);
      serving.child.kill('SIGHUP');
      for (let i = 0; i < 100; i++) {
        if ((await serving.dig('www.example.com', '+short')).stdout === '192.0.2.1\n') break;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      expect((await serving.dig('www.example.com', '+short')).stdout).toBe('192.0.2.1\n');
      const { body } = await serving.get('/metrics');
      expect(body).toContain('\nsallyport_policy_last_reload_successful 1\n');
      const loadedAt = Number(/^sallyport_policy_loaded_timestamp_seconds (\S+)$/m.exec(body)?.[1]);
      expect(loadedAt).toBeGreaterThan(
        Number(/^sallyport_policy_loaded_timestamp_seconds (\S+)$/m.exec(stale)?.[1]),
      );
    },
  );

  test.runIf(hasUnbound)('HTTP says how it is', async () => {
    expect(await serving.get('/healthz')).toMatchObject({ status: 200 });
    expect(await serving.get('/readyz')).toMatchObject({ status: 200 });
    const metrics = await serving.get('/metrics');
    expect(metrics.body).toMatch(/sallyport_queries_total\{[^}]*transport="udp"[^}]*\} [1-9]/);
    const explained = JSON.parse((await serving.get('/explain?name=x.bad.example.com&type=A')).body);
    expect(explained).toMatchObject({ verdict: 'deny', rule: { id: 'work/deny/0' } });
  });
});

describe('without a working upstream', () => {
  test.runIf(hasDig)(
    'it starts, answers denials and local zones, and says SERVFAIL with EDE for the rest',
    async () => {
      const serving = await Serving.start({ policy: POLICY, upstream: '127.0.0.1:9' });
      try {
        expect((await serving.dig('x.bad.example.com')).stdout).toContain('status: NXDOMAIN');
        expect((await serving.dig('home.test', '+short')).stdout).toBe('192.0.2.80\n');
        expect((await serving.dig('www.example.com')).stdout).toMatch(/status: SERVFAIL[\s\S]*EDE: 2[23] /);
        expect((await serving.get('/healthz')).status).toBe(200);
      } finally {
        expect(await serving.stop()).toBe(0);
      }
    },
  );
});

describe('the command line', () => {
  test('version, and help for everything', async () => {
    expect((await sallyport('version')).stdout).toMatch(/^\d+\.\d+\.\d+/);
    for (const command of ['serve', 'check', 'explain', 'query', 'hunt', 'audit', 'demo']) {
      const { code, stdout } = await sallyport(command, '--help');
      expect(code).toBe(0);
      expect(stdout).toContain('Usage: sallyport');
    }
    expect((await sallyport('nonsense')).code).toBe(2);
  });

  test('check accepts every shipped policy', async () => {
    for (const name of ['starter', 'sandbox', 'office', 'kubernetes', 'observe-all']) {
      const { code, stderr, stdout } = await sallyport('check', `policies/${name}.yaml`);
      expect({ name, code, stderr: code === 0 ? '' : stderr }).toEqual({ name, code: 0, stderr: '' });
      expect(stdout).toContain('in force');
    }
    const vpc = ['--set', 'upstreams.vpc.servers=127.0.0.1'];
    expect((await sallyport('check', 'policies/aws-vpc.yaml', ...vpc)).code).toBe(0);
  });

  test('check shows every fault at once, with place and remedy, and exits 1', async () => {
    const { code, stdout } = await sallyport('check', '--json', 'test/e2e/faulty.yaml');
    expect(code).toBe(1);
    const { ok, faults } = JSON.parse(stdout) as { ok: boolean; faults: { line: number; instead: string }[] };
    expect(ok).toBe(false);
    expect(faults.length).toBeGreaterThanOrEqual(4);
    for (const { line, instead } of faults) {
      expect(line).toBeGreaterThan(0);
      expect(instead.length).toBeGreaterThan(0);
    }
  });

  test('explain names the rule that won, and exits 3 for a denial', async () => {
    const denied = await sallyport('explain', 'exfil.example.net', '--json');
    expect(denied.code).toBe(3);
    expect(JSON.parse(denied.stdout)).toMatchObject({ verdict: 'deny', cause: 'denied', group: 'here' });
    const allowed = await sallyport('explain', 'registry.npmjs.org');
    expect(allowed.code).toBe(0);
    expect(allowed.stdout).toContain('ALLOW');
    expect((await sallyport('explain', 'a..b')).code).toBe(2);
  });

  test('the demo shows every kind of end, and no piece of its tunnel reaches the upstream', async () => {
    const { code, stdout } = await sallyport('demo', '--json');
    expect(code).toBe(0);
    const rows = JSON.parse(stdout) as { what: string; verdict: string; upstreamSaw: boolean }[];
    const verdicts = rows.map(({ verdict }) => verdict);
    for (const verdict of [
      'allow',
      'allow, cached',
      'local',
      'deny (denied)',
      'deny (type)',
      'deny (expired)',
    ]) {
      expect(verdicts).toContain(verdict);
    }
    const tunnel = rows.filter(({ what }) => what.includes('tunnel'));
    expect(tunnel.length).toBeGreaterThan(3);
    expect(tunnel.filter(({ upstreamSaw }) => upstreamSaw).length).toBeLessThanOrEqual(2);
  });

  test('query prints what a resolver says, and says when there is none', async () => {
    const serving = await Serving.start({ policy: POLICY });
    try {
      const port = String(serving.port);
      const denied = await sallyport('query', 'x.bad.example.com', '-p', port, '--json');
      expect(denied.code).toBe(3);
      expect(JSON.parse(denied.stdout)).toMatchObject({
        rcode: 'NXDOMAIN',
        edns: { extendedErrors: [expect.stringContaining('Known to be bad')] },
      });
      expect((await sallyport('query', 'home.test', '-p', port, '--tcp', '--short')).stdout).toBe(
        '192.0.2.80\n',
      );
    } finally {
      await serving.stop();
    }
    const silent = await sallyport('query', 'home.test', '-p', '9', '--timeout', '0.3');
    expect(silent.code).toBe(9);
    expect(silent.stderr).toContain('no reply');
  });
});
