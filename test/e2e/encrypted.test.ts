/** DNS over TLS and over HTTPS as real clients use them, and discovery of both. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort, isInstalled, run, Serving } from './processes.ts';

const POLICY = `
sets:
  work: {reason: Needed for work., allow: [+.example.com]}
groups:
  here: {clients: [127.0.0.0/8], sets: [work]}
local:
  - {zone: home.test, records: ['@ A 192.0.2.80']}
`;

const hasKdig = isInstalled('kdig');
const hasCurl = isInstalled('curl');
const hasOpenssl = isInstalled('openssl');

describe('encrypted listeners', () => {
  let serving: Serving;
  const portOf = (transport: string): string =>
    new RegExp(`127\\.0\\.0\\.1:(\\d+) \\(${transport}\\)`).exec(serving.greeting)?.[1] ?? '';

  beforeAll(async () => {
    const tlsPort = await freePort();
    serving = await Serving.start({
      policy: POLICY,
      workers: 2,
      settings: `
limits: {tlsHandshake: 300ms, http2Streams: 17}
listen:
  name: resolver.home.test
  tls: {addresses: ['127.0.0.1:${tlsPort}'], dev: true}
  https: {addresses: ['127.0.0.1:0'], dev: true}
`,
    });
  });

  afterAll(async () => {
    await serving?.stop();
  });

  const certificate = (): string => join(serving.directory, 'tls', 'dev-cert.pem');

  test.runIf(hasKdig)('kdig +tls checks the certificate and is answered, padded to 468 octets', async () => {
    const flags = ['+tls', `+tls-ca=${certificate()}`, '+tls-hostname=localhost', '+padding'];
    const { stdout } = await run('kdig', ['@127.0.0.1', '-p', portOf('dot'), ...flags, 'home.test']);
    expect(stdout).toContain('192.0.2.80');
    expect(stdout).toContain('Received 468 B');
    expect(serving.entries().at(-1)).toMatchObject({ via: 'dot', qname: 'home.test' });
  });

  test.runIf(hasKdig)('kdig +https, by POST and by GET, gets the same answer', async () => {
    for (const how of ['+https', '+https-get']) {
      const flags = [how, `+tls-ca=${certificate()}`, '+tls-hostname=localhost'];
      const { stdout } = await run('kdig', ['@127.0.0.1', '-p', portOf('doh'), ...flags, 'home.test']);
      expect(stdout).toContain('status: 200');
      expect(stdout).toContain('192.0.2.80');
    }
    expect(serving.entries().at(-1)).toMatchObject({ via: 'doh' });
  });

  test.runIf(hasKdig)('a denial is the same over every transport', async () => {
    for (const [how, port] of [
      ['+tls', portOf('dot')],
      ['+https', portOf('doh')],
      ['+tcp', String(serving.port)],
      ['+notcp', String(serving.port)],
    ]) {
      const { stdout } = await run('kdig', ['@127.0.0.1', '-p', port, how, '+edns', 'exfil.example.net']);
      expect(stdout).toContain('status: NXDOMAIN');
      expect(stdout).toMatch(/EDE: 15|EDE.*Blocked/);
    }
  });

  test.runIf(hasCurl)('curl speaks HTTP/2 and HTTP/1.1; mistakes get their status', async () => {
    const url = `https://localhost:${portOf('doh')}/dns-query`;
    const query = 'AAABAAABAAAAAAAABGhvbWUEdGVzdAAAAQAB';
    const curl = (...args: string[]) =>
      run('curl', [
        '-s',
        '--resolve',
        `localhost:${portOf('doh')}:127.0.0.1`,
        '--cacert',
        certificate(),
        ...args,
      ]);
    for (const version of ['--http2', '--http1.1']) {
      const { stdout } = await curl(version, '-o', '/dev/null', '-D', '-', `${url}?dns=${query}`);
      expect(stdout).toMatch(/^HTTP\/\S+ 200/);
      expect(stdout.toLowerCase()).toContain('content-type: application/dns-message');
      expect(stdout.toLowerCase()).toContain('cache-control: max-age=300');
      const status = async (...args: string[]) =>
        (await curl(version, '-o', '/dev/null', '-w', '%{http_code}', ...args)).stdout;
      expect(await status(`${url}?dns=!!!`)).toBe('400');
      expect(await status(url)).toBe('400');
      expect(await status(`${url}x?dns=${query}`)).toBe('404');
      expect(await status('-X', 'DELETE', url)).toMatch(/405|501/);
      expect(await status('-d', 'x', '-H', 'content-type: text/plain', url)).toBe('415');
    }
  });

  test('limits of the settings hold, and are counted', async () => {
    const silent = connect(Number(portOf('dot')), '127.0.0.1');
    await once(silent, 'close');
    const session = connectHttp2(`https://127.0.0.1:${portOf('doh')}`, {
      ca: readFileSync(certificate()),
      servername: 'localhost',
    });
    const [settings] = (await once(session, 'remoteSettings')) as [{ maxConcurrentStreams: number }];
    expect(settings.maxConcurrentStreams).toBe(17);
    const request = session.request({ ':path': '/elsewhere' });
    const [head] = (await once(request, 'response')) as [{ ':status': number }];
    expect(head[':status']).toBe(404);
    session.destroy();
    const counted = [
      /^sallyport_stream_closed_total\{cause="handshake"\} [1-9]/m,
      /^sallyport_tls_handshakes_total\{outcome="failed"\} [1-9]/m,
      /^sallyport_tls_handshakes_total\{outcome="full"\} [1-9]/m,
      /^sallyport_http_errors_total\{status="404"\} [1-9]/m,
    ];
    // Threads publish what they counted once a second.
    for (let left = 50; ; left--) {
      const { body } = await serving.get('/metrics');
      const missing = counted.filter((line) => !line.test(body));
      if (missing.length === 0) break;
      expect(left, `not counted: ${missing.join(' ')}`).toBeGreaterThan(0);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });

  test.runIf(hasKdig)('clients find the encrypted listeners by DDR (RFC 9462)', async () => {
    const asked = ['@127.0.0.1', '-p', String(serving.port), '_dns.resolver.arpa', 'TYPE64', '+short'];
    const { stdout } = await run('kdig', asked);
    // What listens at whichever port was free is not announced: the policy is made before that is known.
    expect(stdout.trim().split('\n')).toHaveLength(1);
    expect(stdout).toContain(`port=${portOf('dot')}`);
  });

  test.runIf(hasOpenssl && hasKdig)('a certificate is exchanged by a reload', async () => {
    const fingerprint = async (): Promise<string> => {
      const shown = await run('sh', [
        '-c',
        `openssl s_client -connect 127.0.0.1:${portOf('dot')} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint`,
      ]);
      return shown.stdout;
    };
    const before = await fingerprint();
    const directory = join(serving.directory, 'tls');
    await run('sh', [
      '-c',
      `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout ${directory}/dev-key.pem -out ${directory}/dev-cert.pem 2>/dev/null`,
    ]);
    const headers = { 'content-type': 'application/json' };
    const reload = await serving.get('/reload', { method: 'POST', headers });
    expect(JSON.parse(reload.body)).toMatchObject({ ok: true });
    const after = await fingerprint();
    expect(before).toContain('Fingerprint=');
    expect(after).not.toBe(before);
    // What is no certificate stops the reload, says so, and the last good one stays.
    writeFileSync(join(directory, 'dev-cert.pem'), 'no certificate');
    const refused = await serving.get('/reload', { method: 'POST', headers });
    expect(refused.status).toBe(422);
    expect(refused.body).toContain('dev-cert.pem holds no certificate in PEM form');
    expect(await fingerprint()).toBe(after);
  });
});
