/** What people meet on their first day when something is not as it must be: what it says, and with which exit code. */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { devCertificate } from '../../src/listen/index.ts';
import { freePort, isInstalled, Serving, sallyport } from './processes.ts';

const POLICY = `
sets: {work: {reason: Needed for work., allow: [+.example.com]}}
groups: {here: {clients: [127.0.0.0/8], sets: [work]}}
`;

const directory = mkdtempSync(join(tmpdir(), 'sallyport-first-day-'));
const file = (name: string): string => join(directory, name);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Arguments that serve, but for what a case says otherwise. */
const serve = (...args: string[]): ReturnType<typeof sallyport> =>
  sallyport(
    ...['serve', '-c', file('sallyport.yaml'), '--http', '127.0.0.1:0', '-u', '192.0.2.53'],
    ...['--audit', file('audit'), '--set', `detect.stateDirectory=${file('detect')}`, '--workers', '1'],
    ...args,
  );

beforeAll(() => {
  writeFileSync(file('sallyport.yaml'), 'policies: [policy.yaml]\nlog: {level: error}\n');
  writeFileSync(file('policy.yaml'), POLICY);
  writeFileSync(file('junk.pem'), 'no certificate\n');
  const [one, other] = [devCertificate(), devCertificate()];
  writeFileSync(file('cert.pem'), one.cert);
  writeFileSync(file('key.pem'), one.key);
  writeFileSync(file('other.pem'), other.key);
});

const tls = (certificate: string, key: string): string[] => [
  ...['-l', '127.0.0.1:0', '--set', 'listen.tls.addresses=127.0.0.1:0'],
  ...['--set', `listen.tls.certificate=${file(certificate)}`, '--set', `listen.tls.key=${file(key)}`],
];

describe('a start that cannot be says', () => {
  test.each<{ what: string; args: () => string[]; code: number; says: RegExp }>([
    {
      what: 'that a file stands where the audit should be',
      args: () => ['--audit', file('junk.pem')],
      code: 1,
      says: /could not start: audit\.directory: \S+junk\.pem: a file stands where a directory must be; name another/,
    },
    {
      what: 'which setting names a file that is not there',
      args: () => ['-l', '127.0.0.1:0', '--set', `http.tokenFile=${file('nosuch')}`],
      code: 1,
      says: /could not start: http\.tokenFile: \S+nosuch: there is no such file or directory; make it, or name another/,
    },
    {
      what: 'which address is not of this machine',
      args: () => ['-l', '203.0.113.9:1053'],
      code: 1,
      says: /203\.0\.113\.9 port 1053: .*no such address; choose one of its own/,
    },
    {
      what: 'that it would ask itself',
      args: () => ['-l', '127.0.0.1:5399', '-u', '127.0.0.1:5399'],
      code: 1,
      says: /upstreams\.default\.servers\[1\]\n {2}"127\.0\.0\.1:5399" is where Sallyport itself listens/,
    },
    {
      what: 'that it would ask itself behind a wildcard',
      args: () => ['-l', '0.0.0.0:5399', '-u', 'tcp://127.0.0.1:5399'],
      code: 1,
      says: /is where Sallyport itself listens/,
    },
    {
      what: 'what the time of a lame duck looks like',
      args: () => ['--lame-duck', '5s'],
      code: 2,
      says: /--lame-duck 5s: write seconds from 0 to 3600, for example 5/,
    },
    {
      what: 'which file holds no certificate',
      args: () => tls('junk.pem', 'key.pem'),
      code: 1,
      says: /junk\.pem holds no certificate in PEM form; write the chain there/,
    },
    {
      what: 'which file holds no key',
      args: () => tls('cert.pem', 'junk.pem'),
      code: 1,
      says: /junk\.pem holds no private key in PEM form/,
    },
    {
      what: 'that key and certificate are of two pairs',
      args: () => tls('cert.pem', 'other.pem'),
      code: 1,
      says: /the key \S+other\.pem does not belong to the first certificate of \S+cert\.pem/,
    },
    {
      what: 'where the policy should be',
      args: () => ['--policy', file('nosuch.yaml')],
      code: 1,
      says: /nosuch\.yaml: fault\n {2}there is no such file\.\n {2}name a policy file, or a directory .* --policy/,
    },
    {
      what: 'that the path of the settings is empty',
      args: () => ['-c', ''],
      code: 1,
      says: /--config: fault\n {2}the path is empty/,
    },
  ])('$what', async ({ args, code, says }) => {
    const ran = await serve(...args());
    expect(ran.stderr).toMatch(says);
    expect(ran.stderr).not.toMatch(/\n\s+at |"stack"/);
    expect(ran).toMatchObject({ code, stdout: '' });
  });

  test.each([1, 2])('which port another process has, with %d workers', async (workers) => {
    const port = await freePort();
    const datagrams = createSocket('udp4');
    await new Promise<void>((resolve) => datagrams.bind(port, '127.0.0.1', resolve));
    const taken = await serve('-l', `127.0.0.1:${port}`, '--workers', String(workers));
    datagrams.close();
    expect(taken.stderr).toMatch(new RegExp(`port ${port} is in use by another process.*--listen`));
    expect(taken.stderr).not.toContain('"stack"');
    const streams = createServer();
    await new Promise<void>((resolve) => streams.listen(port, '127.0.0.1', resolve));
    const half = await serve('-l', `127.0.0.1:${port}`, '--workers', String(workers));
    const http = await serve('-l', '127.0.0.1:0', '--http', `127.0.0.1:${port}`);
    await new Promise((resolve) => streams.close(resolve));
    expect(half.stderr).toMatch(new RegExp(`port ${port} is in use by another process.*--listen`));
    expect(http.stderr).toMatch(new RegExp(`127.0.0.1 port ${port} is in use by another process.*--http`));
    expect([taken.code, half.code, http.code]).toEqual([1, 1, 1]);
  });

  test('that another Sallyport has the port, though both would share it', async () => {
    const serving = await Serving.start({ policy: POLICY, workers: 2 });
    try {
      const second = await serve('-l', `127.0.0.1:${serving.port}`, '--workers', '2');
      expect(second.code).toBe(1);
      expect(second.stderr).toContain(`127.0.0.1 port ${serving.port} is in use by another process`);
    } finally {
      await serving.stop();
    }
  });
});

describe('the greeting', () => {
  const hasDig = isInstalled('dig');

  test.runIf(hasDig)('names what this policy denies and answers', async () => {
    const policy = `${POLICY}local: [{zone: home.test, records: ['@ A 192.0.2.80']}]\n`;
    const serving = await Serving.start({ policy, listen: ['0.0.0.0:0'] });
    try {
      const names = [...serving.greeting.matchAll(/dig @127\.0\.0\.1 -p (\d+) (\S+) +# (\w+)/g)];
      expect(names.map(([, port, name, gets]) => [Number(port), name, gets])).toEqual([
        [serving.port, 'not-listed.example.net', 'denied'],
        [serving.port, 'home.test', 'answered'],
      ]);
      expect((await serving.dig(names[0][2])).stdout).toContain('status: NXDOMAIN');
      expect((await serving.dig(names[1][2], '+short')).stdout).toBe('192.0.2.80\n');
    } finally {
      await serving.stop();
    }
  });

  test('tells who asks from here that no group has this address', async () => {
    const serving = await Serving.start({ policy: POLICY.replace('127.0.0.0/8', '192.0.2.0/24') });
    try {
      expect(serving.greeting).toContain('# refused: no group has 127.0.0.1');
    } finally {
      await serving.stop();
    }
  });

  test('tells that the audit cannot be written, and that it is not ready', async () => {
    // A directory where the file of keys must be: nobody can write that, root neither.
    const place = mkdtempSync(join(tmpdir(), 'sallyport-e2e-'));
    mkdirSync(join(place, 'audit', 'keys.pub'), { recursive: true });
    const serving = await Serving.start({ policy: POLICY, directory: place });
    try {
      expect(serving.greeting).toMatch(/NOT READY {2}audit of worker 0: .*keys\.pub/);
      expect((await serving.get('/readyz')).status).toBe(503);
    } finally {
      await serving.stop();
    }
  });
});

test('SIGHUP before it serves does not end it: the policies are read once more', async () => {
  const place = mkdtempSync(join(tmpdir(), 'sallyport-e2e-'));
  const starting = Serving.start({ policy: POLICY, directory: place, workers: 2 });
  // The audit's directory is made when the policy has been read and no thread serves yet.
  const audit = join(place, 'audit');
  for (let i = 0; i < 4000 && !existsSync(audit); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  const child = Serving.starting.get(place);
  expect(child?.kill('SIGHUP')).toBe(true);
  const serving = await starting;
  try {
    await expect.poll(() => serving.stderr, { timeout: 10_000 }).toContain('policy reloaded');
  } finally {
    expect(await serving.stop()).toBe(0);
  }
});

test('a reader of standard output that has gone ends a command without a word, and a server not at all', async () => {
  const run = (...args: string[]) => {
    const child = spawn(process.execPath, ['dist/cli/sallyport.js', ...args]);
    child.stdout.destroy();
    return child;
  };
  const help = run('--help');
  let said = '';
  help.stderr.on('data', (chunk) => {
    said += chunk;
  });
  expect(await new Promise((resolve) => help.on('close', resolve))).toBe(0);
  expect(said).toBe('');

  const port = await freePort();
  const http = `127.0.0.1:${await freePort()}`;
  const serving = run(
    ...['serve', '-c', file('sallyport.yaml'), '--http', http, '-l', `127.0.0.1:${port}`, '-u', '192.0.2.53'],
    ...[
      '--audit',
      file('unread'),
      '--set',
      `detect.stateDirectory=${file('detect')}`,
      '--set',
      'log.level=info',
    ],
  );
  const served = new Promise((resolve) => {
    serving.stderr.on('data', (chunk) => String(chunk).includes('"serving"') && resolve('serving'));
    serving.on('exit', resolve);
  });
  expect(await served).toBe('serving');
  // After its greeting: the writes of both threads have been tried by then.
  await expect.poll(async () => (await fetch(`http://${http}/livez`)).status, { timeout: 10_000 }).toBe(200);
  expect((await fetch(`http://${http}/readyz`)).status).toBe(200);
  serving.kill('SIGTERM');
  expect(await new Promise((resolve) => serving.on('exit', resolve))).toBe(0);
});

test('query says what is wrong with a name, and with a server that has no address', async () => {
  const name = await sallyport('query', 'a..b');
  expect(name).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('write for example www.example.com'),
  });
  const long = await sallyport('query', `${'a'.repeat(64)}.example`);
  expect(long).toMatchObject({ code: 2, stderr: expect.stringContaining('write for example') });
  const server = await sallyport('query', 'example.com', '-s', 'no-such-server.invalid', '--timeout', '2');
  expect(server.code).toBe(9);
  expect(server.stderr).toMatch(/^no reply from no-such-server\.invalid port 1053/);
});
