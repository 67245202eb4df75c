/**
 * What an answer from cache costs over TCP, DoT and DoH: CPU time of the server for each query, Sallyport with its
 * audit on disk against dnsdist without any log, both at once on one core and asked in turn.
 *
 *    npx tsc -p tsconfig.bench.json; node dist-bench/bench/listen.js [--seconds 4] [--rounds 3]
 *      [--only dot,doh-get] [--against ../before]
 *
 * `--only` picks transports; with `--against` another built checkout takes part, to show what a change did.
 *
 * Two shapes of load: 30 connections with one query each, where every query costs a system call each way and a
 * TLS record, and 10 connections with 10 in flight, as forwarders send.
 */
import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  ConnectionLimits,
  devCertificate,
  openTcpListener,
  type StreamMessage,
} from '../src/listen/index.ts';
import { template } from './load/names.ts';
import { startAuthority } from './load/run-load.ts';
import type { Setup } from './peers/contender.ts';
import { dnsdist } from './peers/peers.ts';
import { OWN, sallyportOf, startSallyport } from './peers/sallyport.ts';
import {
  cpuUs,
  freePort,
  LOAD_CORE,
  programPath,
  type Running,
  SERVER_CORE,
  start,
  waitUntilAnswers,
} from './process.ts';

const NAMES = 1000;
const SHAPES = [
  { connections: 30, window: 1 },
  { connections: 10, window: 10 },
];
const TRANSPORTS = ['tcp', 'dot', 'doh-get', 'doh-post'] as const;
type Transport = (typeof TRANSPORTS)[number];

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: TRANSPORTS.join() },
    against: { type: 'string' },
  },
});

/** Of one query: all CPU time of the server, and what of it the kernel took. */
interface Measurement {
  readonly costUs: number;
  readonly systemUs: number;
  readonly perSecond: number;
}

interface Entrant {
  readonly name: string;
  readonly running: Running;
  readonly ports: Record<Transport, number>;
}

const directory = mkdtempSync(join(tmpdir(), 'sallyport-listen-'));
const stops: (() => Promise<unknown>)[] = [];
try {
  const authority = await freePort();
  const started = await startAuthority(authority, directory);
  stops.push(() => started.stop());
  await alsoOverTcp(authority);
  const entrants = [await enterSallyport('sallyport', OWN, authority)];
  if (values.against !== undefined) {
    entrants.push(await enterSallyport('before', resolve(values.against), authority));
  }
  if (dnsdist.missing() === null) entrants.push(await enterDnsdist(authority));
  else console.log(`dnsdist does not take part: ${dnsdist.missing()}`);
  const chosen = values.only.split(',');
  for (const transport of TRANSPORTS.filter((name) => chosen.includes(name))) {
    for (const shape of SHAPES) await compare(entrants, transport, shape);
  }
} finally {
  for (const stop of stops) await stop();
  rmSync(directory, { recursive: true });
}

/** dnsdist asks its servers over the transport that its client used, so the authority has to answer over TCP too. */
async function alsoOverTcp(port: number): Promise<void> {
  const answer = Buffer.from('c00c00010001' + '00000e10' + '0004c0000201', 'hex');
  const respond = (message: StreamMessage): void => {
    const { octets } = message;
    let end = 12;
    while (octets[end] !== 0) end += octets[end]! + 1;
    end += 5;
    octets.set(answer, end);
    octets.set([0x84 | (octets[2]! & 1), 0x80, 0, 1, 0, 1, 0, 0, 0, 0], 2);
    message.length = end + answer.length;
    message.respond();
  };
  const listener = await openTcpListener({
    address: '127.0.0.1',
    port,
    reusePort: false,
    limits: new ConnectionLimits({ clientsPerAddress: 1000 }),
    onMessage: respond,
    onBatchEnd: () => {},
    onError: (error) => console.error(error.message),
  });
  stops.push(() => listener.close(0));
}

async function enterSallyport(name: string, checkout: string, authority: number): Promise<Entrant> {
  const setup = await setupOf(name, authority);
  const ports = await portsOf(setup);
  // A contender writes its configuration as it starts; it is ended, and started with what is added.
  await sallyportOf(name, checkout).start(setup).stop();
  const file = join(setup.directory, 'sallyport.yaml');
  const settings = JSON.parse(readFileSync(file, 'utf8'));
  settings.listen.tls = { addresses: [`127.0.0.1:${ports.dot}`], dev: true };
  settings.listen.https = { addresses: [`127.0.0.1:${ports['doh-get']}`], dev: true };
  settings.limits.tcpQueries = 10_000_000;
  writeFileSync(file, JSON.stringify(settings));
  return entered(name, startSallyport(setup, join(checkout, 'dist/cli/sallyport.js')), setup, ports);
}

async function enterDnsdist(authority: number): Promise<Entrant> {
  const setup = await setupOf('dnsdist', authority);
  const ports = await portsOf(setup);
  const { cert, key } = devCertificate();
  const [certFile, keyFile] = [join(setup.directory, 'cert.pem'), join(setup.directory, 'key.pem')];
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key);
  await dnsdist.start(setup).stop();
  appendFileSync(
    join(setup.directory, 'dnsdist.conf'),
    [
      `addTLSLocal("127.0.0.1:${ports.dot}", "${certFile}", "${keyFile}")`,
      `addDOHLocal("127.0.0.1:${ports['doh-get']}", "${certFile}", "${keyFile}", "/dns-query")`,
      '',
    ].join('\n'),
  );
  const command = [
    programPath('dnsdist')!,
    '--supervised',
    '--disable-syslog',
    '-C',
    join(setup.directory, 'dnsdist.conf'),
  ];
  return entered('dnsdist', start(command, SERVER_CORE, join(setup.directory, 'output.log')), setup, ports);
}

async function setupOf(name: string, authority: number): Promise<Setup> {
  const own = join(directory, name);
  mkdirSync(own, { recursive: true });
  return {
    directory: own,
    port: await freePort(),
    authorities: [authority],
    denyList: null,
    logging: false,
    core: SERVER_CORE,
  };
}

async function portsOf({ port }: Setup): Promise<Record<Transport, number>> {
  const https = await freePort();
  return { tcp: port, dot: await freePort(), 'doh-get': https, 'doh-post': https };
}

async function entered(
  name: string,
  running: Running,
  { port }: Setup,
  ports: Record<Transport, number>,
): Promise<Entrant> {
  stops.push(() => running.stop());
  await waitUntilAnswers(running, port, template('hit'), 30_000);
  return { name, running, ports };
}

async function compare(
  entrants: readonly Entrant[],
  transport: Transport,
  { connections, window }: (typeof SHAPES)[number],
): Promise<void> {
  const measured = new Map<string, Measurement[]>(entrants.map(({ name }) => [name, []]));
  // The first round warms caches and compilers and does not count.
  for (let round = 0; round <= Number(values.rounds); round++) {
    for (const { name, running, ports } of entrants) {
      const found = await measure(running.pid, transport, ports[transport], connections, window);
      if (round > 0) measured.get(name)?.push(found);
    }
  }
  const of = (name: string, what: keyof Measurement): number[] =>
    (measured.get(name) ?? []).map((found) => found[what]);
  const own = median(of('sallyport', 'costUs'));
  for (const { name } of entrants) {
    const cost = of(name, 'costUs');
    const ratio = name === 'sallyport' ? '' : `   sallyport ÷ it ${(own / median(cost)).toFixed(2)}`;
    console.log(
      `${transport.padEnd(8)} ${`${connections}×${window}`.padEnd(6)} ${name.padEnd(10)} ${median(cost).toFixed(2).padStart(6)} µs ` +
        `(${Math.min(...cost).toFixed(2)}–${Math.max(...cost).toFixed(2)}), system ${median(of(name, 'systemUs')).toFixed(2)}  ` +
        `${Math.round(median(of(name, 'perSecond')))}/s${ratio}`,
    );
  }
}

function median(numbers: number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
}

/** Runs the load and reads what it cost the server between `go` and the result. */
async function measure(
  pid: number,
  transport: Transport,
  port: number,
  connections: number,
  window: number,
): Promise<Measurement> {
  const load = fileURLToPath(new URL('./listen-load.js', import.meta.url));
  const words = [transport, port, connections, window, values.seconds, NAMES].map(String);
  const taskset = programPath('taskset');
  const command = [
    ...(taskset === null ? [] : [taskset, '-c', String(LOAD_CORE)]),
    process.execPath,
    load,
    ...words,
  ];
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  let before = { user: 0, system: 0 };
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'go') {
      before = cpuUs(pid);
      continue;
    }
    const after = cpuUs(pid);
    const { answered, failed } = JSON.parse(line) as { answered: number; failed: number };
    if (answered === 0 || failed > answered / 100)
      throw new Error(`process ${pid}, ${transport}: ${answered} answered, ${failed} failed`);
    const system = after.system - before.system;
    return {
      costUs: (after.user - before.user + system) / answered,
      systemUs: system / answered,
      perSecond: answered / Number(values.seconds),
    };
  }
  throw new Error(`${transport}: the load ended without a result`);
}
