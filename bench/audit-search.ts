/**
 * How long a search by name takes in a log of many entries: writes a real one (signed, in segments, over three days of its
 * own clock), indexes and compresses its closed segments, and runs `sallyport audit query` over it.
 *
 *    node dist-bench/bench/audit-search.js [ENTRIES] [DIRECTORY]      default 2,000,000 and a temporary directory
 *
 * One hundred million entries take 4 GB and half an hour of CPU. Ctrl-C ends the writing, and what is there is searched; the
 * directory is removed.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  compressSegments,
  type Entry,
  openAudit,
  readSegment,
  segmentNames,
  writeIndex,
} from '../src/audit/index.ts';
import { nameOctets } from '../src/wire/index.ts';

const entries = Number(process.argv[2] ?? 2_000_000);
const directory = process.argv[3] ?? mkdtempSync(join(tmpdir(), 'sallyport-search-'));
const DAYS = 3;
const BATCH = 64;
/** Names that everybody asks for, names of the long tail, and one that was asked twice in all. */
const COMMON = 2000;
const TAIL = 400_000;
const RARE = 'exfil.rare-name.test';

/** xorshift32: the same log every time. */
let state = 2_463_534_242;
function random(below: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

const octetsOf = (names: readonly string[]): Uint8Array[] => names.map((name) => nameOctets(name));
const common = octetsOf(Array.from({ length: COMMON }, (_, i) => `www${i}.service-${i % 97}.example.com`));
const tail = octetsOf(
  Array.from(
    { length: TAIL },
    (_, i) => `h${(i * 2_654_435_761) % 4_294_967_296}.site-${i % 9973}.example.net`,
  ),
);
const rare = nameOctets(RARE);

let isEnough = false;

/** Returns how many entries were written. */
async function write(): Promise<number> {
  const beganMs = Date.UTC(2026, 10, 1);
  const spanMs = DAYS * 86_400_000;
  let done = 0;
  const nowMs = (): number => Math.floor((done / entries) * spanMs);
  const log = openAudit({
    directory,
    worker: 0,
    wallMs: () => beganMs + nowMs(),
    monotonicMs: nowMs,
    // Three days pass in minutes: what waits for the disk is not measured by this clock.
    unsyncedMsMax: Number.MAX_SAFE_INTEGER,
  });
  const outcome = (verdict: string, rule: string | null, cause: string | null): Entry['outcome'] =>
    log.renderOutcome({
      group: 'ci',
      verdict,
      cause,
      rule,
      reason: 'needed for work',
      ede: null,
      observed: false,
    });
  const outcomes = [outcome('allow', 'base/allow/3', null), outcome('deny', null, 'not-listed')];
  const details = Array.from({ length: 64 }, (_, i) =>
    log.renderDetail({ answers: [`A 192.0.2.${i}`], upstream: '192.0.2.53:53' }),
  );
  const entry: Entry = {
    atMs: 0,
    latencyUs: 0,
    transport: 'udp',
    client: Uint8Array.of(10, 0, 0, 1),
    clientLength: 4,
    clientPort: 0,
    id: 0,
    rcode: 0,
    size: 0,
    cached: false,
    name: rare,
    nameLength: rare.length,
    qtype: 1,
    qclass: 1,
    outcome: outcomes[0]!,
    detail: null,
    redaction: null,
    tail: null,
    tailAt: 0,
  };
  let segments = 0;
  process.once('SIGINT', () => {
    isEnough = true;
  });
  while (done < entries && !isEnough) {
    entry.atMs = beganMs + nowMs();
    for (let i = 0; i < BATCH; i++) {
      const draw = random(100);
      const isRare = done + i === Math.floor(entries * 0.05) || done + i === Math.floor(entries * 0.2);
      const name = isRare ? rare : draw < 80 ? common[random(1 + random(COMMON))]! : tail[random(TAIL)]!;
      const isDenied = draw >= 97;
      entry.name = name;
      entry.nameLength = name.length;
      entry.client[2] = random(16);
      entry.client[3] = random(256);
      entry.clientPort = 1024 + random(60_000);
      entry.id = random(65_536);
      entry.latencyUs = 20 + random(400);
      entry.rcode = isDenied ? 3 : 0;
      entry.size = 60 + random(200);
      entry.cached = draw < 70;
      entry.outcome = outcomes[isDenied ? 1 : 0]!;
      entry.detail = isDenied ? null : details[random(64)]!;
      log.append(entry);
    }
    log.commit((kept) => {
      if (!kept) throw new Error('an entry was not kept');
    });
    done += BATCH;
    if ((done / BATCH) % 64 === 0) await new Promise(setImmediate);
    if (log.counters.rotations >= segments + 8) {
      segments = log.counters.rotations;
      await settle(done);
    }
  }
  await log.close();
  await settle(done);
  return done;
}

let indexMs = 0;
let compressMs = 0;
const indexed = new Set<number>();

/** Indexes and compresses what is closed, so that the disk never holds all of it plain. */
async function settle(done: number): Promise<void> {
  const closed = segmentNames(directory).slice(0, -1);
  let startedAt = process.cpuUsage().user;
  for (const name of closed) {
    if (indexed.has(name.number)) continue;
    indexed.add(name.number);
    writeIndex(directory, name, readSegment(directory, name));
  }
  indexMs += (process.cpuUsage().user - startedAt) / 1000;
  startedAt = process.cpuUsage().user;
  await compressSegments(directory, 'gzip');
  compressMs += (process.cpuUsage().user - startedAt) / 1000;
  process.stderr.write(`${done} entries\n`);
}

const sizeOf = (ending: string): number =>
  readdirSync(directory)
    .filter((file) => file.endsWith(ending))
    .reduce((sum, file) => sum + statSync(join(directory, file)).size, 0);
const mb = (octets: number): string => `${(octets / 1e6).toFixed(0)} MB`;

function query(what: string, ...args: string[]): void {
  const cli = new URL('../../dist/cli/sallyport.js', import.meta.url).pathname;
  const startedAt = performance.now();
  const ran = spawnSync(process.execPath, [cli, 'audit', 'query', directory, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const found = args.includes('--count') ? ran.stdout.trim() : String(ran.stdout.split('\n').length - 1);
  console.log(`| ${what} | ${found} | ${seconds} s |`);
  if (ran.status !== 0) console.log(ran.stderr);
}

/** The same without the index, which is put aside meanwhile. */
function withoutIndex(run: () => void): void {
  const aside = join(directory, 'aside');
  mkdirSync(aside);
  const files = readdirSync(directory).filter((file) => file.endsWith('.idx'));
  for (const file of files) renameSync(join(directory, file), join(aside, file));
  run();
  for (const file of files) renameSync(join(aside, file), join(directory, file));
}

try {
  const startedAt = performance.now();
  const written = await write();
  const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
  const octets = written * 330;
  console.log(
    `${written} entries (about ${mb(octets)} plain) in ${segmentNames(directory).length} segments: ${mb(sizeOf('.gz'))} compressed, ${mb(sizeOf('.idx'))} of indexes; written in ${minutes} min, of which CPU for indexes ${(indexMs / 1000).toFixed(0)} s, for gzip ${(compressMs / 1000).toFixed(0)} s`,
  );
  console.log('| search | found | time |\n| --- | --- | --- |');
  query('a name asked twice', '--name', RARE, '--count');
  query('a name that nobody asked', '--name', 'never.asked.test', '--count');
  query('a name of the long tail', '--name', 'h0.site-0.example.net', '--count');
  query('all below a rare domain', '--name', '*.rare-name.test', '--count');
  query('the first 100 of a common name', '--name', 'www7.service-7.example.com', '--limit', '100');
  const hour = ['--since', '2026-11-02T09:00:00Z', '--until', '2026-11-02T10:00:00Z'];
  query('a common name within an hour', '--name', 'www7.service-7.example.com', '--count', ...hour);
  query('all of a common name', '--name', 'www7.service-7.example.com', '--count');
  withoutIndex(() => query('a name asked twice, without the index', '--name', RARE, '--count'));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
