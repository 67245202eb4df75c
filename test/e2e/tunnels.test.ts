/**
 * Real tunnels through the running resolver: iodine and dns2tcp, each with its own server behind a counting upstream, all
 * in a network namespace of the test. The policy allows them everything (wildcard, every type, every octet), so that only
 * the detector stands in their way. What is counted is what reached the upstream, against the goals for loud tools.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isInstalled, type Ran, run, Serving } from './processes.ts';

const CLI = fileURLToPath(new URL('../../dist/cli/sallyport.js', import.meta.url));
const UPSTREAM = fileURLToPath(new URL('counting-upstream.mjs', import.meta.url));
const UPSTREAM_PORT = 5300;
/** How long the tunnels may try: their clients repeat a handshake that fails after one, two and three seconds. */
const TRYING_MS = 8_000;
const QUERIES_MEDIAN_MAX = 2;
const QUERIES_MAX = 5;
const OCTETS_MAX = 256;

interface Tunnel {
  readonly name: string;
  readonly zone: string;
  /** Addresses of its own: of its client as the resolver sees it, and of its server. */
  readonly client: string;
  readonly server: string;
  readonly tool: 'iodine' | 'dns2tcp';
  readonly flags: readonly string[];
}

const TUNNELS: readonly Tunnel[] = [
  ...['A', 'CNAME', 'TXT', 'NULL', 'MX', 'SRV', 'PRIVATE'].map((type) => ['iodine', '-T', type]),
  ...['Base32', 'Base64', 'Base64u', 'Base128'].map((encoding) => ['iodine', '-T', 'TXT', '-O', encoding]),
  ['iodine', '-T', 'CNAME', '-O', 'Base64'],
  ['iodine', '-M', '100'],
  ['dns2tcp', '-T', 'TXT'],
  ['dns2tcp', '-T', 'KEY'],
].map(([tool, ...flags], at) => ({
  name: [tool, ...flags].join(' '),
  zone: `${tool}-${at}.test`,
  client: `127.1.1.${at + 1}`,
  server: `127.1.2.${at + 1}`,
  tool: tool as Tunnel['tool'],
  flags,
}));

/** The tunnel that is let through until the policy changes: what shows that the others could have worked. */
const FREE: Tunnel = {
  name: 'iodine under way',
  zone: 'under-way.test',
  client: '127.1.1.250',
  server: '127.1.2.250',
  tool: 'iodine',
  flags: ['-T', 'NULL', '-I', '1'],
};

const policy = (profileOfFree: 'off' | 'default'): string => `
sets:
  wide:
    reason: Everything a tunnel could wish for, so that only the detector acts.
    allow:
      - names: [${TUNNELS.map(({ zone }) => `"+.${zone}"`).join(', ')}]
        types: [A, AAAA, CNAME, TXT, 'NULL', MX, SRV, KEY, TYPE65399]
        characters: any
      - {name: "+.${FREE.zone}", types: [A, 'NULL'], characters: any, profile: ${profileOfFree}}
  work:
    reason: What an ordinary client needs.
    allow: ["+.shop.test", "+.news.test", "+.mail.test"]
groups:
  here: {clients: [127.0.0.0/8], sets: [wide, work]}
`;

const ORDINARY_CLIENT = '127.1.3.1';
const ORDINARY_NAMES = ['shop', 'news', 'mail'].flatMap((zone) =>
  ['www', 'api', 'cdn', 'images', 'static', 'login', 'm', 'img-1', 'search', 'assets'].map(
    (host) => `${host}.${zone}.test`,
  ),
);

const PROGRAMS = ['ip', 'dig', 'iodine', 'iodined', 'dns2tcpc', 'dns2tcpd', 'ifconfig'];

function mayRun(): boolean {
  if (!PROGRAMS.every(isInstalled)) return false;
  if (process.getuid?.() !== 0) {
    console.log('skipped the tunnels: only root makes network namespaces');
    return false;
  }
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
  } catch {
    console.log('skipped the tunnels: there is no /dev/net/tun that may be opened');
    return false;
  }
  const probe = `sallyport-${process.pid}-probe`;
  const may = spawnSync('ip', ['netns', 'add', probe]).status === 0;
  if (may) spawnSync('ip', ['netns', 'del', probe]);
  else console.log('skipped the tunnels: this machine lets nobody make network namespaces');
  return may;
}

interface Seen {
  readonly zone: string | null;
  readonly name: string;
  readonly type: number;
  readonly octets: number;
  readonly at: number;
}

/** A namespace with everything in it; ends what was started in it. */
class Laboratory {
  readonly namespace = `sallyport-${process.pid}`;
  /** Where the client's TUN device goes, so that packets for its server cannot take the short way. */
  readonly beyond = `sallyport-${process.pid}-beyond`;
  readonly directory = mkdtempSync(join(tmpdir(), 'sallyport-tunnels-'));
  readonly seen: Seen[] = [];
  readonly #children: ChildProcess[] = [];

  constructor() {
    for (const name of [this.namespace, this.beyond]) this.#must('netns', 'add', name);
    this.#must('-n', this.namespace, 'link', 'set', 'lo', 'up');
    const addresses = [...TUNNELS, FREE].flatMap(({ client, server }) => [client, server]);
    // An address that lo has is also the one a packet to it comes from: each client is somebody of its own.
    for (const address of [...addresses, ORDINARY_CLIENT])
      this.#must('-n', this.namespace, 'address', 'add', `${address}/32`, 'dev', 'lo');
  }

  #must(...args: string[]): void {
    const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
  }

  ip(...args: string[]): void {
    this.#must('-n', this.namespace, ...args);
  }

  /** Starts a program in the namespace, to be ended with everything else. */
  start(program: string, ...args: string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.namespace, program, ...args]);
    this.#children.push(child);
    return child;
  }

  run(program: string, ...args: string[]): Promise<Ran> {
    return run('ip', ['netns', 'exec', this.namespace, program, ...args]);
  }

  async startUpstream(): Promise<void> {
    const routes = Object.fromEntries([...TUNNELS, FREE].map(({ zone, server }) => [zone, server]));
    const child = this.start(process.execPath, UPSTREAM, String(UPSTREAM_PORT), JSON.stringify(routes));
    let rest = '';
    await new Promise<void>((resolve) => {
      child.stdout?.setEncoding('utf8').on('data', (chunk) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const said = JSON.parse(line) as Seen & { ready?: true };
          if (said.ready) resolve();
          else this.seen.push(said);
        }
      });
    });
  }

  startServer(tunnel: Tunnel, at: number): void {
    const { zone, server } = tunnel;
    if (tunnel.tool === 'iodine') {
      const network = `10.80.${at}.1/27`;
      this.start('iodined', '-f', '-c', '-P', 'x', '-d', `s${at}`, '-l', server, '-p', '5353', network, zone);
      return;
    }
    const file = join(this.directory, `${zone}.conf`);
    const lines = [`listen = ${server}`, 'port = 5353', 'user = nobody', `chroot = ${this.directory}`];
    lines.push(`domain = ${zone}`, 'key = secret', `resources = sink:127.0.0.1:${UPSTREAM_PORT + 1}`, '');
    writeFileSync(file, lines.join('\n'));
    this.start('dns2tcpd', '-F', '-f', file);
  }

  startClient({ tool, flags, zone, client }: Tunnel, at: number): ChildProcess {
    if (tool === 'iodine')
      return this.start('iodine', '-f', '-r', '-P', 'x', '-d', `c${at}`, ...flags, client, zone);
    const child = this.start(
      'dns2tcpc',
      '-z',
      zone,
      '-k',
      'secret',
      '-r',
      'echo',
      '-l',
      '-',
      ...flags,
      client,
    );
    child.stdin?.on('error', () => {}).write(randomBytes(20_000));
    return child;
  }

  moveDeviceBeyond(device: string, address: string): void {
    this.ip('link', 'set', device, 'netns', this.beyond);
    this.#must('-n', this.beyond, 'address', 'add', address, 'dev', device);
    this.#must('-n', this.beyond, 'link', 'set', device, 'up');
  }

  /** Sends 200 random octets into the tunnel ten times a second. */
  startSending(to: string): ChildProcess {
    const program = `const { randomBytes } = require('node:crypto');
      const socket = require('node:dgram').createSocket('udp4').on('error', () => {});
      setInterval(() => socket.send(randomBytes(200), 9, '${to}'), 100);`;
    const child = spawn('ip', ['netns', 'exec', this.beyond, process.execPath, '-e', program]);
    this.#children.push(child);
    return child;
  }

  /** Octets that came out of the tunnel at its server. */
  async octetsReceived(device: string): Promise<number> {
    const { stdout } = await this.run('cat', '/proc/net/dev');
    return Number(new RegExp(`^\\s*${device}:\\s*(\\d+)`, 'm').exec(stdout)?.[1] ?? Number.NaN);
  }

  /** What reached the upstream for a zone. */
  seenOf(zone: string): Seen[] {
    return this.seen.filter((one) => one.zone === zone);
  }

  async close(): Promise<void> {
    for (const child of this.#children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    }
    for (const name of [this.namespace, this.beyond]) spawnSync('ip', ['netns', 'del', name]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const octetsOf = (seen: readonly Seen[]): number => seen.reduce((sum, { octets }) => sum + octets, 0);

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length / 2)];

describe.skipIf(!mayRun())('tunnels through the running resolver', () => {
  let laboratory: Laboratory;
  let serving: Serving;

  beforeAll(async () => {
    laboratory = new Laboratory();
    await laboratory.startUpstream();
    const set = {
      'detect.stateDirectory': join(laboratory.directory, 'detect'),
      // dns2tcp compares its zone octet by octet: with random case it would be stopped by that already.
      'upstreams.default.randomCase': 'false',
    };
    serving = await Serving.start({
      policy: policy('off'),
      upstream: `127.0.0.1:${UPSTREAM_PORT}`,
      listen: ['0.0.0.0:53'],
      workers: 2,
      set,
      namespace: laboratory.namespace,
    });
    [...TUNNELS, FREE].forEach((tunnel, at) => void laboratory.startServer(tunnel, at));
    await sleep(500);
  });

  afterAll(async () => {
    await serving?.stop();
    await laboratory?.close();
  });

  /** An ordinary client: so many answers with an address, of so many queries. */
  async function askOrdinary(names: readonly string[]): Promise<number> {
    const flags = ['-b', ORDINARY_CLIENT, '@127.0.0.1', '+tries=1', '+timeout=5', '+short'];
    const { stdout } = await laboratory.run('dig', ...flags, ...names);
    return stdout.split('\n').filter((line) => line === '192.0.2.1').length;
  }

  test(
    'are cut off within the goals, and an ordinary client notices nothing',
    async () => {
      const clients = TUNNELS.map((tunnel, at) => laboratory.startClient(tunnel, at));
      let answered = 0;
      let asked = 0;
      for (const startedAt = Date.now(); Date.now() - startedAt < TRYING_MS; await sleep(1000)) {
        answered += await askOrdinary(ORDINARY_NAMES);
        asked += ORDINARY_NAMES.length;
      }
      for (const client of clients) client.kill('SIGKILL');
      const entries = serving.entries();
      const counts = TUNNELS.map(({ name, zone, client }) => {
        const seen = laboratory.seenOf(zone);
        const denied = entries.filter((entry) => entry['client'] === client && entry['cause'] === 'tunnel');
        return { name, queries: seen.length, octets: octetsOf(seen), denied: denied.length };
      });
      console.table(counts);
      expect(counts.filter(({ queries, octets }) => queries > QUERIES_MAX || octets > OCTETS_MAX)).toEqual(
        [],
      );
      expect(median(counts.map(({ queries }) => queries))).toBeLessThanOrEqual(QUERIES_MEDIAN_MAX);
      // Each had begun, and it was the detector that ended it: nothing was denied for another reason.
      expect(counts.filter(({ queries, denied }) => queries === 0 || denied === 0)).toEqual([]);
      const tunnelling = new Set(TUNNELS.map(({ client }) => client));
      const others = entries.filter(
        ({ client, verdict, cause }) =>
          tunnelling.has(String(client)) && verdict !== 'allow' && cause !== 'tunnel',
      );
      expect(others).toEqual([]);
      expect(answered).toBe(asked);
      expect(asked).toBeGreaterThan(100);
    },
    TRYING_MS + 20_000,
  );

  test('are shown once each, by client and zone, and can be released', async () => {
    const { client, zone } = TUNNELS[2];
    const cli = (...args: string[]): Promise<Ran> =>
      laboratory.run(process.execPath, CLI, ...args, '--json', '--http', serving.http.replace('http://', ''));
    const statusOf = async (from: string): Promise<string | undefined> => {
      const flags = ['-b', from, '@127.0.0.1', '+tries=1', '+timeout=5', '+noall', '+comments'];
      const { stdout } = await laboratory.run('dig', ...flags, `www.${zone}`, 'A');
      return /status: (\w+)/.exec(stdout)?.[1];
    };

    const shown = JSON.parse((await cli('verdicts')).stdout) as Record<string, unknown>[];
    const wanted = TUNNELS.map((tunnel) => `${tunnel.client} ${tunnel.zone} held`);
    expect(shown.map((one) => `${one['client']} ${one['zone']} ${one['state']}`).sort()).toEqual(
      wanted.sort(),
    );
    expect(shown.every(({ scope, bits }) => scope === 'client+domain' && Number(bits) > 100)).toBe(true);

    expect(await statusOf(client)).toBe('NXDOMAIN');
    expect((await cli('release', '--client', client, '--zone', 'other.test')).code).toBe(3);
    const { code, stdout } = await cli('release', '--client', client, '--zone', zone);
    expect(code).toBe(0);
    const pair = { client, zone, scope: 'client+domain' };
    expect(JSON.parse(stdout)).toEqual({ released: [pair], stillHeld: [] });
    // Whatever data thread takes the query; what iodine's server says to a name of nobody is its own affair.
    const before = laboratory.seenOf(zone).length;
    for (let i = 0; i < 4; i++) await statusOf(client);
    expect(laboratory.seenOf(zone).length).toBeGreaterThan(before);
    const denied = serving.entries().filter((entry) => entry['qname'] === `www.${zone}` && entry['cause']);
    expect(denied.length).toBe(1);
  });

  test('end a transfer under way as well, as soon as its rule is watched', async () => {
    const client = laboratory.startClient(FREE, TUNNELS.length);
    let said = '';
    client.stderr?.on('data', (chunk) => (said += chunk));
    client.stdout?.on('data', (chunk) => (said += chunk));
    await expect.poll(() => said, { timeout: 15_000 }).toContain('Connection setup complete');
    laboratory.moveDeviceBeyond(`c${TUNNELS.length}`, '10.80.15.2/27');
    const received = (): Promise<number> => laboratory.octetsReceived(`s${TUNNELS.length}`);

    const before = await received();
    const sending = laboratory.startSending('10.80.15.1');
    // Without the detector this is a working tunnel.
    await expect.poll(received, { timeout: 15_000 }).toBeGreaterThan(before + 2000);
    expect(laboratory.seenOf(FREE.zone).length).toBeGreaterThan(20);

    serving.writePolicy(policy('default'));
    serving.child.kill('SIGHUP');
    await expect.poll(() => serving.stderr, { timeout: 10_000 }).toContain('policy reloaded');
    const reloadedAt = laboratory.seen.length;
    const receivedAt = await received();
    await sleep(4000);
    const leaked = laboratory.seen.slice(reloadedAt).filter(({ zone }) => zone === FREE.zone);
    console.log(
      `under way: ${leaked.length} queries with ${octetsOf(leaked)} octets left, ${(await received()) - receivedAt} octets arrived`,
    );
    expect(leaked.length).toBeLessThanOrEqual(QUERIES_MAX);
    expect(octetsOf(leaked)).toBeLessThanOrEqual(OCTETS_MAX);
    sending.kill('SIGKILL');
    expect(await askOrdinary(ORDINARY_NAMES)).toBe(ORDINARY_NAMES.length);
  }, 50_000);
});
