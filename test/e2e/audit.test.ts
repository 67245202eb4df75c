/**
 * The claims of the audit (docs/audit.md, "What was tried") against a running process: what clients were answered is in the
 * log, whatever becomes of the process or of its disk.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BadDisk, hasBadDisk } from '../bad-disk/bad-disk.ts';
import { Asker, type Transport } from './asker.ts';
import { type ServeOptions, Serving, sallyport } from './processes.ts';

const POLICY = `
sets:
  work: {reason: Needed for work., allow: [+.example.com]}
groups:
  here: {clients: [127.0.0.0/8], sets: [work]}
local:
  - {zone: here.test, records: ['* A 192.0.2.80']}
`;
/** Below the first every name is answered, below the second every name is denied. */
const SUFFIXES = ['here.test', 'denied.test'];
const ENCRYPTED = `
listen:
  tls: {addresses: ['127.0.0.1:0'], dev: true}
  https: {addresses: ['127.0.0.1:0'], dev: true}
`;
const IS_LONG = process.env['SALLYPORT_TEST_LONG'] === '1';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  withinMs = 15_000,
): Promise<void> {
  const began = performance.now();
  while (!(await condition())) {
    if (performance.now() - began > withinMs) throw new Error(`waited ${withinMs / 1000} s in vain: ${what}`);
    await pause(20);
  }
}

/** A directory, and a server in it, both gone in the end. */
async function serving(
  options: Partial<ServeOptions>,
  run: (server: Serving) => Promise<void>,
): Promise<void> {
  const server = await Serving.start({ policy: POLICY, ...options });
  try {
    await run(server);
  } finally {
    await server.stop();
  }
}

const portsOf = (server: Serving): [Transport, number][] => {
  const portOf = (transport: string): number =>
    Number(new RegExp(`127\\.0\\.0\\.1:(\\d+) \\(${transport}\\)`).exec(server.greeting)?.[1]);
  return [
    ['udp', server.port],
    ['tcp', server.port],
    ['dot', portOf('dot')],
    ['doh', portOf('doh')],
  ];
};

interface Exported {
  /** How often each name stands in the export. */
  readonly names: ReadonlyMap<string, number>;
  readonly vias: ReadonlySet<string>;
}

async function exportOf(directory: string): Promise<Exported> {
  const output = join(directory, 'export.ndjson');
  const ran = await sallyport(
    'audit',
    'export',
    join(directory, 'audit'),
    '--format',
    'ndjson',
    '-o',
    output,
  );
  expect(ran).toMatchObject({ code: 0 });
  const names = new Map<string, number>();
  const vias = new Set<string>();
  for (const line of readFileSync(output, 'utf8').split('\n').slice(0, -1)) {
    const { qname, via } = JSON.parse(line) as { qname: string; via: string };
    names.set(qname, (names.get(qname) ?? 0) + 1);
    vias.add(via);
  }
  return { names, vias };
}

/** Nothing answered that is not in the export, nothing in it twice, and the chain is whole. */
async function expectKept(directory: string, answered: readonly string[]): Promise<Exported> {
  const exported = await exportOf(directory);
  expect(answered.filter((name) => !exported.names.has(name))).toEqual([]);
  expect([...exported.names].filter(([, times]) => times > 1)).toEqual([]);
  const verified = await sallyport('audit', 'verify', join(directory, 'audit'));
  expect(verified).toMatchObject({ code: 0 });
  return exported;
}

describe.each(['bounded', 'strict'])('mode %s', (mode) => {
  const kills = IS_LONG ? 50 : 5;
  test(`nothing is answered over UDP, TCP, TLS or HTTPS that is not in the export, over ${kills} kills and stops`, {
    timeout: IS_LONG ? 600_000 : 120_000,
  }, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-e2e-'));
    try {
      const answered: string[] = [];
      const perTransport = new Map<Transport, number>();
      for (let round = 0; round < kills; round++) {
        const server = await Serving.start({
          policy: POLICY,
          directory,
          workers: 2,
          settings: ENCRYPTED,
          // A segment is full after 180 queries or so: segments end while queries come.
          set: { 'audit.mode': mode, 'audit.segmentSize': '64KiB', 'audit.checkpointInterval': '50ms' },
        });
        const askers = portsOf(server).map(
          ([transport, port]) =>
            [transport, new Asker(transport, port, `${transport}-${round}`, SUFFIXES)] as const,
        );
        await until(
          () => askers.every(([, asker]) => asker.count > 20),
          'every transport should be answered',
        );
        await pause(Math.random() * 300);
        // Every third time it is asked to stop; what it answers until it has stopped counts as well.
        if (round % 3 === 2) {
          const ended = new Promise((resolve) => server.child.once('exit', resolve));
          server.child.kill('SIGTERM');
          await ended;
        } else {
          await server.kill();
        }
        await pause(20);
        for (const [transport, asker] of askers) {
          const told = asker.stop();
          answered.push(...told.answered);
          perTransport.set(transport, (perTransport.get(transport) ?? 0) + told.answered.length);
          if (round % 3 !== 2) expect(told.failed).toBe(0);
        }
      }
      const { vias } = await expectKept(directory, answered);
      expect([...vias].sort()).toEqual(['doh', 'dot', 'tcp', 'udp']);
      expect(Math.min(...perTransport.values())).toBeGreaterThan(20 * kills);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

test(
  'segments that end every few milliseconds under load have no hole and no double',
  { timeout: 60_000 },
  () =>
    serving({ workers: 2, set: { 'audit.segmentSize': '64KiB' } }, async (server) => {
      const askers = Array.from(
        { length: 6 },
        (_, i) => new Asker('udp', server.port, `load-${i}`, SUFFIXES),
      );
      const rotations = async (): Promise<number> => metric(server, 'audit_rotations_total');
      await until(async () => (await rotations()) >= 60, '60 segments should end', 40_000);
      const answered = askers.flatMap((asker) => asker.stop().answered);
      await pause(100);
      expect(answered.length).toBeGreaterThan(60 * 150);
      await expectKept(server.directory, answered);
    }),
);

/** The value of a metric, all its labels added up. */
async function metric(server: Serving, name: string, labels = ''): Promise<number> {
  const { body } = await server.get('/metrics');
  const found = body
    .split('\n')
    .filter((line) => line.startsWith(`sallyport_${name}`) && line.includes(labels));
  if (found.length === 0) throw new Error(`there is no metric sallyport_${name} ${labels}`);
  return found.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** The rcode that a name gets, which nobody asked for before; null: no response. */
let asked = 0;
async function ask(server: Serving, suffix = SUFFIXES[0]): Promise<string | null> {
  const { stdout } = await server.dig(`once-${asked++}.${suffix}`);
  return /status: (\w+)/.exec(stdout)?.[1] ?? null;
}

const health = async (server: Serving): Promise<number> => (await server.get('/healthz')).status;

/** Trouble has come: allowed names fail, denied ones stay denied, health is red. */
async function expectRefusal(server: Serving): Promise<void> {
  await until(async () => (await health(server)) === 503, 'health should be red');
  expect(await ask(server)).toBe('SERVFAIL');
  expect(await ask(server, 'denied.test')).not.toBe('NOERROR');
}

async function expectService(server: Serving): Promise<void> {
  await until(async () => (await health(server)) === 200, 'health should be green by itself');
  await until(async () => (await ask(server)) === 'NOERROR', 'answers should come again by themselves');
}

const notesIn = (server: Serving, type: string): Record<string, unknown>[] =>
  readLines(server).filter((line) => line['type'] === type);

function readLines(server: Serving): Record<string, unknown>[] {
  const cat = spawnSync('sh', ['-c', 'cat "$0"/*.ndjson', join(server.directory, 'audit')], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return cat.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('on a disk of 2 MB', () => {
  test.each([['bounded'], ['strict']])(
    'mode %s: answers stop when it is full, health is red, and service resumes by itself',
    { timeout: 60_000 },
    async (mode) => {
      const directory = mkdtempSync(join(tmpdir(), 'sallyport-e2e-'));
      const disk = join(directory, 'audit');
      mkdirSync(disk);
      const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk]);
      if (mounted.status !== 0) {
        console.log('skipped: a tmpfs cannot be mounted here (needs root)');
        rmSync(directory, { recursive: true });
        return;
      }
      const server = await Serving.start({
        policy: POLICY,
        directory,
        set: { 'audit.mode': mode, 'audit.reserve': '256KiB', 'audit.segmentSize': '128KiB' },
      });
      try {
        const asker = new Asker('udp', server.port, 'fill', ['here.test']);
        await until(async () => (await health(server)) === 503, 'the disk should be full');
        await until(async () => asker.failed > 0, 'queries should be refused');
        const { answered } = asker.stop();
        expect(answered.length).toBeGreaterThan(1000);
        await expectRefusal(server);
        // Full it stays, refused it stays, and what was answered until then is there.
        const other = new Asker('udp', server.port, 'full', ['here.test']);
        await pause(1500);
        const full = other.stop();
        expect(full.answered).toEqual([]);
        expect(full.failed).toBeGreaterThan(10);
        const kept = new Set(readLines(server).map((line) => line['qname']));
        expect(answered.filter((name) => !kept.has(name))).toEqual([]);
        // Room: the disk is given another megabyte.
        expect(spawnSync('mount', ['-o', 'remount,size=4m', disk]).status).toBe(0);
        await expectService(server);
        // The export goes elsewhere: nothing but the log is on this disk.
        await expectKept(directory, answered);
        expect(notesIn(server, 'stopped').length).toBeGreaterThan(0);
        const refused = notesIn(server, 'gap').reduce((sum, gap) => sum + Number(gap['refused'] ?? 0), 0);
        // Numbers of the data threads are published once a second.
        await expect.poll(() => metric(server, 'audit_refused_total'), { timeout: 5000 }).toBe(refused);
      } finally {
        await server.kill();
        spawnSync('umount', ['-l', disk]);
        rmSync(directory, { recursive: true, force: true });
      }
    },
  );
});

describe.skipIf(!hasBadDisk())('a disk that fails', () => {
  test.each([
    ['writes end in EIO', 'bounded', (disk: BadDisk, on: boolean) => disk.failWrites(on ? 'EIO' : null)],
    [
      'it has become read-only',
      'bounded',
      (disk: BadDisk, on: boolean) => disk.failWrites(on ? 'EROFS' : null),
    ],
    ['writes end in EIO', 'strict', (disk: BadDisk, on: boolean) => disk.failWrites(on ? 'EIO' : null)],
    ['syncs end in EIO', 'bounded', (disk: BadDisk, on: boolean) => disk.failSyncs(on ? 'EIO' : null)],
    ['syncs end in EIO', 'strict', (disk: BadDisk, on: boolean) => disk.failSyncs(on ? 'EIO' : null)],
  ] as const)(
    '%s, mode %s: refusal, and service once it is well',
    { timeout: 60_000 },
    async (_, mode, breakIt) => {
      const disk = new BadDisk();
      try {
        await serving({ env: disk.env, set: { 'audit.mode': mode } }, async (server) => {
          expect(await ask(server)).toBe('NOERROR');
          breakIt(disk, true);
          const asker = new Asker('udp', server.port, 'broken', ['here.test']);
          await expectRefusal(server);
          breakIt(disk, false);
          await expectService(server);
          const { answered, failed } = asker.stop();
          expect(failed).toBeGreaterThan(0);
          await pause(100);
          await expectKept(server.directory, answered);
          expect(notesIn(server, 'gap').length).toBeGreaterThan(0);
        });
      } finally {
        disk.remove();
      }
    },
  );

  test.each(['bounded', 'strict'])(
    'fdatasync takes 2 s, mode %s: SERVFAIL in time, and the thread is never held up',
    { timeout: 60_000 },
    async (mode) => {
      const disk = new BadDisk();
      try {
        await serving({ env: disk.env, set: { 'audit.mode': mode } }, async (server) => {
          expect(await ask(server)).toBe('NOERROR');
          disk.slowDown(2000);
          const asker = new Asker('udp', server.port, 'slow', ['here.test']);
          const lagsMs: number[] = [];
          const answersMs: number[] = [];
          let failed = 0;
          for (let i = 0; i < 40; i++) {
            const began = performance.now();
            if ((await ask(server)) === 'SERVFAIL') failed++;
            answersMs.push(performance.now() - began);
            lagsMs.push(1000 * (await metric(server, 'event_loop_lag_seconds', 'quantile="1"')));
            await pause(100);
          }
          const told = asker.stop();
          const lagMs = Math.max(...lagsMs);
          console.log(
            `fdatasync of 2 s, ${mode}: longest lag of the event loop ${lagMs.toFixed(1)} ms (goal 20), longest wait for an answer ${Math.max(...answersMs).toFixed(0)} ms`,
          );
          expect(failed).toBeGreaterThan(0);
          expect(told.failed).toBeGreaterThan(0);
          // A thread that waited for the disk once would have stood still for two seconds.
          expect(lagMs).toBeLessThan(1000);
          expect(Math.max(...answersMs)).toBeLessThan(2000);
          disk.slowDown(0);
          await expectService(server);
          await pause(100);
          await expectKept(server.directory, told.answered);
        });
      } finally {
        disk.remove();
      }
    },
  );

  test('mode open answers while the disk hangs, and confesses what it lost', {
    timeout: 60_000,
  }, async () => {
    const disk = new BadDisk();
    try {
      await serving({ env: disk.env, set: { 'audit.mode': 'open' } }, async (server) => {
        const askers = [0, 1, 2].map((i) => new Asker('udp', server.port, `open-${i}`, ['here.test']));
        await until(
          async () => (await metric(server, 'audit_entries_total')) > 100,
          'entries should be written',
        );
        disk.hang(true);
        await until(
          async () => (await metric(server, 'audit_lost_total')) > 0,
          'the memory should be full',
          40_000,
        );
        expect(await health(server)).toBe(503);
        expect(await ask(server)).toBe('NOERROR');
        disk.hang(false);
        await expectService(server);
        const answered = askers.flatMap((asker) => asker.stop().answered);
        await pause(1500);
        const lost = await metric(server, 'audit_lost_total');
        const { names } = await exportOf(server.directory);
        const missing = answered.filter((name) => !names.has(name)).length;
        expect(missing).toBeLessThanOrEqual(lost);
        expect(notesIn(server, 'gap').reduce((sum, gap) => sum + Number(gap['lost'] ?? 0), 0)).toBe(lost);
      });
    } finally {
      disk.remove();
    }
  });
});

test('a directory that is removed is made again, and says so', { timeout: 60_000 }, () =>
  serving({}, async (server) => {
    expect(await ask(server)).toBe('NOERROR');
    await pause(200);
    rmSync(join(server.directory, 'audit'), { recursive: true });
    await until(async () => {
      await ask(server);
      return notesIn(server, 'removed').length > 0;
    }, 'the removal should be noticed');
    await expectService(server);
  }),
);

test('a reader that stands still holds nothing up and misses nothing', { timeout: 60_000 }, () =>
  serving({}, async (server) => {
    const audit = join(server.directory, 'audit');
    const read = join(server.directory, 'read');
    writeFileSync(read, '');
    const reader = spawn(
      'sh',
      ['-c', 'exec "$0" "$1" audit tail "$2" --json -l 0 > "$3"', process.execPath, CLI, audit, read],
      { stdio: 'ignore' },
    );
    try {
      const namesRead = (): Set<string> =>
        new Set(
          readFileSync(read, 'utf8')
            .split('\n')
            .slice(0, -1)
            .map((line) => (JSON.parse(line) as { qname: string }).qname),
        );
      await until(async () => {
        await ask(server);
        return namesRead().size > 0;
      }, 'the reader should read');
      reader.kill('SIGSTOP');
      const before = residentKiB(server.child.pid);
      const asker = new Asker('udp', server.port, 'backlog', ['here.test']);
      await until(() => asker.count > 20_000, '20,000 answers', 40_000);
      const { answered } = asker.stop();
      // Nothing waits for the reader but the disk. What grows is the cache and the heap of a server that has work to do.
      expect(residentKiB(server.child.pid) - before).toBeLessThan(64 * 1024);
      reader.kill('SIGCONT');
      await until(() => {
        const names = namesRead();
        return answered.every((name) => names.has(name));
      }, 'the reader should catch up');
    } finally {
      reader.kill('SIGKILL');
    }
  }),
);

const CLI = join(import.meta.dirname, '../../dist/cli/sallyport.js');
const residentKiB = (pid: number | undefined): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
