/**
 * The programs that people put in front of a resolver, against a running Sallyport: forwarders, load balancers, stubs, load
 * generators, a browser. Each test needs a package of Debian and is skipped with that reason where it is missing. (Debian's
 * package `flamethrower` is a file distributor, not the DNS load generator of that name, which Debian does not have.)
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../listen/echo.ts';
import { freePort, isInstalled, run, Serving, UnboundUpstream } from './processes.ts';

const POLICY = `
sets:
  work:
    reason: Needed for work.
    allow: [{name: +.example.com, types: [A, AAAA, TXT, CNAME, HTTPS, MX], profile: 'off'}]
    deny: [{name: bad.example.com, reason: Known to be bad.}]
groups:
  here: {clients: [127.0.0.0/8], sets: [work]}
  proxied: {clients: [192.0.2.0/24], sets: [work]}
local:
  - {zone: home.example.net, records: ['@ A 192.0.2.80', 'web A 127.0.0.1']}
`;
const DATA = [
  'local-data: "www.example.com. 300 IN A 192.0.2.10"',
  'local-data: "www.example.com. 300 IN AAAA 2001:db8::10"',
  'local-data: "www.example.com. 300 IN MX 10 mail.example.com."',
  ...Array.from(
    { length: 12 },
    (_, i) => `local-data: 'big.example.com. 300 IN TXT "${i}${'x'.repeat(250)}"'`,
  ),
];

const has = Object.fromEntries(
  ['unbound', 'dnsdist', 'dig', 'kdig', 'curl', 'dnsperf', 'chromium'].map((program) => [
    program,
    isInstalled(program),
  ]),
);

describe.runIf(has['unbound'] && has['dig'])('clients from Debian', () => {
  let upstream: UnboundUpstream;
  let serving: Serving;
  let web: Server;
  const started: { child: ChildProcess; directory: string }[] = [];
  const portOf = (transport: string): number =>
    Number(new RegExp(`127\\.0\\.0\\.1:(\\d+) \\(${transport}\\)`).exec(serving.greeting)?.[1]);
  const certificate = (): string => join(serving.directory, 'tls', 'dev-cert.pem');

  beforeAll(async () => {
    upstream = await UnboundUpstream.start(DATA);
    serving = await Serving.start({
      policy: POLICY,
      upstream: `127.0.0.1:${upstream.port}`,
      settings: `
listen:
  name: localhost
  tls: {addresses: ['127.0.0.1:0'], dev: true}
  https: {addresses: ['127.0.0.1:0'], dev: true}
`,
    });
    web = createServer((request, response) => response.end(`<p>seen as ${request.headers.host}</p>`));
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  }, 30_000);

  afterEach(async () => {
    for (const { child, directory } of started.splice(0)) {
      const ended = new Promise((resolve) => child.on('exit', resolve));
      if (child.exitCode === null && child.kill('SIGKILL')) await ended;
      rmSync(directory, { recursive: true, force: true });
    }
  });

  afterAll(async () => {
    web?.close();
    expect(await serving?.stop()).toBe(0);
    await upstream?.stop();
  });

  /** Starts a forwarder with this configuration and waits until it answers. Returns its port. */
  async function forwarder(
    file: string,
    config: (port: number, directory: string) => string,
    command: (file: string) => string[],
  ): Promise<number> {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-client-'));
    const port = await freePort();
    const path = join(directory, file);
    writeFileSync(path, config(port, directory));
    const [program, ...args] = command(path);
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    started.push({ child, directory });
    let said = '';
    child.stderr.on('data', (chunk) => {
      said += chunk;
    });
    for (let i = 0; i < 60; i++) {
      if (child.exitCode !== null) break;
      const { stdout } = await digAt(port, 'home.example.net', '+timeout=1');
      if (stdout.includes('192.0.2.80')) return port;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${program} does not answer: ${said}`);
  }

  const digAt = (port: number, ...args: string[]) =>
    run('dig', ['@127.0.0.1', '-p', String(port), '+tries=1', '+timeout=5', ...args]);

  /** What every client must find behind every forwarder. */
  async function examine(port: number): Promise<void> {
    const short = async (...args: string[]): Promise<string[]> =>
      (await digAt(port, '+short', ...args)).stdout.trim().split('\n').sort();
    expect(await short('www.example.com')).toEqual(['192.0.2.10']);
    expect(await short('www.example.com', 'AAAA')).toEqual(['2001:db8::10']);
    expect(await short('www.example.com', 'MX')).toEqual(['10 mail.example.com.']);
    expect(await short('big.example.com', 'TXT')).toHaveLength(12);
    expect((await digAt(port, 'bad.example.com')).stdout).toContain('status: NXDOMAIN');
    expect((await digAt(port, 'exfil.example.org')).stdout).toContain('status: NXDOMAIN');
    expect((await digAt(port, 'nothing.example.com')).stdout).toContain('status: NXDOMAIN');
    expect((await digAt(port, 'www.example.com', 'HTTPS')).stdout).toContain('status: NOERROR');
  }

  /** Entries may follow their responses by a moment, and probes of health come when they please. */
  const seenBy = (via: string, name: string): Promise<void> =>
    until(`an entry for ${name} over ${via}`, () =>
      serving.entries().some((entry) => entry['via'] === via && entry['qname'] === name),
    );

  test.each([
    { over: 'udp', server: '', zone: '' },
    { over: 'tcp', server: 'tcp-upstream: yes', zone: '' },
    { over: 'dot', server: '', zone: 'forward-tls-upstream: yes' },
  ])('Unbound forwards over $over', async ({ over, server, zone }) => {
    const target = over === 'dot' ? `${portOf('dot')}#localhost` : serving.port;
    const port = await forwarder(
      'unbound.conf',
      (listen, directory) => `
server:
  directory: "${directory}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  interface: 127.0.0.1
  port: ${listen}
  do-ip6: no
  num-threads: 1
  module-config: "iterator"
  do-not-query-localhost: no
  tls-cert-bundle: "${certificate()}"
  ${server}
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@${target}
  ${zone}
`,
      (path) => ['unbound', '-d', '-c', path],
    );
    await examine(port);
    await seenBy(over, 'bad.example.com');
  });

  test.runIf(has['dnsdist']).each([
    { over: 'udp', more: () => '' },
    { over: 'tcp', more: () => ', tcpOnly=true, maxInFlight=10' },
    {
      over: 'dot',
      more: () =>
        `, tls="openssl", subjectName="localhost", caStore="${certificate()}", validateCertificates=true`,
    },
    {
      over: 'doh',
      more: () =>
        `, tls="openssl", subjectName="localhost", caStore="${certificate()}", validateCertificates=true, dohPath="/dns-query"`,
    },
  ])('dnsdist forwards over $over, and its probes find us up', async ({ over, more }) => {
    const target = over === 'udp' || over === 'tcp' ? serving.port : portOf(over);
    const port = await forwarder(
      'dnsdist.conf',
      (listen) => `
setLocal("127.0.0.1:${listen}")
setSecurityPollSuffix("")
newServer({address="127.0.0.1:${target}", checkInterval=1${more()}})
`,
      (path) => ['dnsdist', '--supervised', '--disable-syslog', '-C', path],
    );
    await examine(port);
    await seenBy(over, 'bad.example.com');
    await seenBy(over, 'a.root-servers.net');
  });

  test.runIf(has['dnsdist']).each([
    { over: 'udp', more: ', useProxyProtocol=true' },
    { over: 'udp', more: ', useClientSubnet=true' },
    { over: 'tcp', more: ', useProxyProtocol=true, tcpOnly=true, maxInFlight=10' },
    {
      over: 'dot',
      more: ', useProxyProtocol=true, tls="openssl", subjectName="localhost", validateCertificates=false',
    },
  ])('dnsdist says over $over which client asks, and no client can ($more)', async ({ over, more }) => {
    const own = await Serving.start({
      policy: POLICY.replace('127.0.0.0/8', '127.0.0.0/29'),
      upstream: `127.0.0.1:${upstream.port}`,
      settings: `
listen:
  ${more.includes('useClientSubnet') ? 'forwarders: {from: [127.0.0.1]}' : 'proxyProtocolFrom: [127.0.0.1]'}
  tls: {addresses: ['127.0.0.1:0'], dev: true}
`,
    });
    try {
      const encrypted = Number(/127\.0\.0\.1:(\d+) \(dot\)/.exec(own.greeting)?.[1]);
      const port = await forwarder(
        'dnsdist.conf',
        (listen) => `
setLocal("127.0.0.1:${listen}")
setSecurityPollSuffix("")
setACL("127.0.0.0/8")
setECSSourcePrefixV4(32)
setECSOverride(true)
newServer({address="127.0.0.1:${over === 'dot' ? encrypted : own.port}", checkInterval=1${more}})
`,
        (path) => ['dnsdist', '--supervised', '--disable-syslog', '-C', path],
      );
      const from = (source: string) =>
        run('dig', [
          '@127.0.0.1',
          '-p',
          String(port),
          '-b',
          source,
          '+tries=2',
          '+timeout=5',
          'www.example.com',
        ]);
      expect((await from('127.0.0.7')).stdout).toContain('192.0.2.10');
      expect((await from('127.0.0.9')).stdout).toContain('status: REFUSED');
      const entries = own.entries().filter(({ qname }) => qname === 'www.example.com');
      const seen = entries.map(({ client, via, rcode }) => `${client} ${via} ${rcode}`);
      expect(seen).toContain(`127.0.0.7 ${over} NOERROR`);
      expect(seen).toContain(`127.0.0.9 ${over} REFUSED`);
    } finally {
      await own.stop();
    }
  });

  test.each([
    { what: 'no EDNS', args: ['+noedns'] },
    { what: 'a buffer of 512 octets', args: ['+bufsize=512'] },
    { what: 'a buffer of 1232 octets and DO', args: ['+bufsize=1232', '+dnssec'] },
    { what: 'a buffer of 4096 octets and DO', args: ['+bufsize=4096', '+dnssec'] },
    { what: 'TCP only', args: ['+tcp'] },
    { what: 'TCP only with DO and CD', args: ['+tcp', '+dnssec', '+cd'] },
    { what: 'AD', args: ['+adflag', '+noedns'] },
  ])('a stub with $what, as systemd-resolved and others step down, is answered', async ({ args }) => {
    const small = await digAt(serving.port, 'www.example.com', ...args);
    expect(small.stdout).toContain('192.0.2.10');
    expect(small.stdout).toContain('status: NOERROR');
    const large = await digAt(serving.port, '+short', 'big.example.com', 'TXT', ...args);
    expect(large.stdout.match(/^"\d+x+"$/gm)).toHaveLength(12);
  });

  describe.runIf(has['kdig'])('kdig', () => {
    const kdig = (port: number, ...args: string[]) =>
      run('kdig', ['@127.0.0.1', '-p', String(port), '+retry=0', '+timeout=5', ...args]);

    test.each([
      { flags: ['+cookie'], over: 'udp', says: /COOKIE: [0-9A-F]{48}/ },
      { flags: ['+cookie=0102030405060708'], over: 'tcp', says: /COOKIE: 0102030405060708/ },
      { flags: ['+edns=1'], over: 'udp', says: /status: BADVERS/ },
      { flags: ['+edns=0', '+nsid', '+subnet=192.0.2.0/24'], over: 'udp', says: /192\.0\.2\.10/ },
      { flags: ['+bufsize=65535', '+dnssec'], over: 'udp', says: /UDP size: 1232 B/ },
      { flags: ['+ednsopt=11'], over: 'tcp', says: /TCP Keepalive|Option \(11\): 012C/i },
      { flags: ['+ednsopt=11'], over: 'dot', says: /TCP Keepalive|Option \(11\): 012C/i },
      { flags: ['+padding=64'], over: 'dot', says: /Received 468 B/ },
      { flags: ['-c', 'CH'], over: 'udp', says: /status: REFUSED/ },
      { flags: ['+tls-sni=localhost'], over: 'dot', says: /192\.0\.2\.10/ },
    ])('$flags over $over', async ({ flags, over, says }) => {
      const how = { udp: '+notcp', tcp: '+tcp', dot: '+tls' }[over] ?? '';
      const { stdout } = await kdig(
        over === 'dot' ? portOf('dot') : serving.port,
        how,
        ...flags,
        'www.example.com',
      );
      expect(stdout).toMatch(says);
    });

    test.each(['+tcp', '+tls', '+https', '+https-get'])(
      '%s +keepopen asks twice on one connection',
      async (how) => {
        const over = how === '+tcp' ? 'tcp' : how === '+tls' ? 'dot' : 'doh';
        const name = `keep${how.slice(1)}.example.com`;
        const port = over === 'tcp' ? serving.port : portOf(over);
        await kdig(port, how, '+keepopen', name, 'A', name, 'AAAA');
        const ports = serving.entries().flatMap((entry) => (entry['qname'] === name ? [entry['port']] : []));
        expect(ports).toHaveLength(2);
        expect(ports[0]).toBe(ports[1]);
      },
    );
  });

  describe.runIf(has['curl'])('curl', () => {
    // www.example.com A, id 0.
    const query = Buffer.from(
      '\0\0\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01',
      'latin1',
    );

    test.each(['--http1.1', '--http2'])('%s posts and gets the same answer', async (version) => {
      const body = join(serving.directory, 'query');
      const output = join(serving.directory, 'response');
      writeFileSync(body, query);
      const url = `https://localhost:${portOf('doh')}/dns-query`;
      const ask = async (...args: string[]): Promise<string> => {
        const { stdout } = await run('curl', [
          ...[
            '-s',
            version,
            '--cacert',
            certificate(),
            '-o',
            output,
            '-w',
            '%{http_code} %{http_version} %{size_download}',
          ],
          ...args,
        ]);
        return stdout;
      };
      const posted = await ask(
        '-H',
        'content-type: application/dns-message',
        '--data-binary',
        `@${body}`,
        url,
      );
      const got = await ask(`${url}?dns=${query.toString('base64url')}`);
      expect(posted).toBe(`200 ${version === '--http2' ? '2' : '1.1'} ${query.length + 16}`);
      expect(got).toBe(posted);
    });

    test('curl --doh-url resolves through us', async () => {
      const { port } = web.address() as AddressInfo;
      const { stdout, stderr } = await run('curl', [
        ...['-sS', '-4', '--doh-insecure', '--doh-url', `https://127.0.0.1:${portOf('doh')}/dns-query`],
        `http://web.home.example.net:${port}/`,
      ]);
      expect(stderr + stdout).toContain('seen as web.home.example.net');
    });
  });

  describe.runIf(has['dnsperf'])('dnsperf loses nothing', () => {
    test.each([
      { mode: 'udp', more: [] },
      { mode: 'tcp', more: [] },
      { mode: 'dot', more: [] },
      { mode: 'doh', more: ['doh-method=GET'] },
      { mode: 'doh', more: ['doh-method=POST'] },
    ])('over $mode $more', async ({ mode, more }) => {
      const file = join(serving.directory, 'queries');
      const names = ['www.example.com A', 'home.example.net A', 'bad.example.com A', 'big.example.com TXT'];
      writeFileSync(file, `${names.join('\n')}\n`.repeat(mode === 'doh' ? 10 : 100));
      const sent = mode === 'doh' ? 80 : 800;
      const port = mode === 'udp' || mode === 'tcp' ? serving.port : portOf(mode);
      // Of several responses that come in one write dnsperf takes one (its issue 240): DoH asks one at a time there.
      const [clients, atOnce] = mode === 'doh' ? ['1', '1'] : ['4', '40'];
      const uri = mode === 'doh' ? ['-O', `doh-uri=https://localhost:${port}/dns-query`] : [];
      const { stdout, stderr } = await run('dnsperf', [
        ...[
          '-s',
          '127.0.0.1',
          '-p',
          String(port),
          '-m',
          mode,
          '-d',
          file,
          '-n',
          '2',
          '-c',
          clients,
          '-q',
          atOnce,
          '-e',
        ],
        ...uri,
        ...more.flatMap((option) => ['-O', option]),
      ]);
      expect(stdout + stderr).toMatch(new RegExp(`Queries sent:\\s+${sent}\n`));
      expect(stdout).toMatch(new RegExp(`Queries completed:\\s+${sent} `));
      expect(stdout).toMatch(/Queries lost:\s+0 /);
    });
  });

  test.runIf(has['chromium'])(
    'Chromium with secure DNS finds a page through us',
    async () => {
      const profile = join(serving.directory, 'chromium');
      const templates = `https://localhost:${portOf('doh')}/dns-query{?dns}`;
      await run('mkdir', ['-p', profile]);
      writeFileSync(
        join(profile, 'Local State'),
        JSON.stringify({ dns_over_https: { mode: 'secure', templates } }),
      );
      const { port } = web.address() as AddressInfo;
      const { stdout, stderr } = await run(
        'chromium',
        [
          ...['--headless=new', '--no-sandbox', '--disable-gpu', `--user-data-dir=${profile}`],
          ...['--ignore-certificate-errors', '--dump-dom', `http://web.home.example.net:${port}/`],
        ],
        30_000,
      );
      expect(stdout, stderr).toContain('seen as web.home.example.net');
      await seenBy('doh', 'web.home.example.net');
    },
    40_000,
  );
});

describe('DNS over HTTPS behind a proxy that ends TLS', () => {
  let serving: Serving;
  beforeAll(async () => {
    serving = await Serving.start({
      policy: POLICY,
      settings: `
listen:
  https: {addresses: ['127.0.0.1:0'], plain: true, trustedProxies: [127.0.0.0/8]}
`,
    });
  });
  afterAll(async () => {
    expect(await serving?.stop()).toBe(0);
  });

  test('the client is who the trusted proxy says it is', async () => {
    const port = Number(/127\.0\.0\.1:(\d+) \(doh\)/.exec(serving.greeting)?.[1]);
    const query = 'AAABAAABAAAAAAAABGhvbWUHZXhhbXBsZQNuZXQAAAEAAQ';
    const rcodeFor = async (forwarded: string): Promise<number> => {
      const head = `GET /dns-query?dns=${query} HTTP/1.1\r\nhost: x\r\n${forwarded}connection: close\r\n\r\n`;
      const socket = connectTcp(port, '127.0.0.1');
      socket.write(head);
      const parts: Buffer[] = [];
      for await (const part of socket) parts.push(part as Buffer);
      const response = Buffer.concat(parts);
      expect(response.toString('latin1', 0, 15)).toBe('HTTP/1.1 200 OK');
      return response[response.indexOf('\r\n\r\n') + 4 + 3] & 15;
    };
    expect(await rcodeFor('')).toBe(0);
    expect(await rcodeFor('x-forwarded-for: 192.0.2.7\r\n')).toBe(0);
    expect(await rcodeFor('x-forwarded-for: 198.51.100.7\r\n')).toBe(5);
    const clients = serving.entries().map((entry) => entry['client']);
    expect(clients).toEqual(['127.0.0.1', '192.0.2.7', '198.51.100.7']);
  });
});
