/** What the audit's tests share: directories that go away, an entry to fill, a log whose clocks are handed in. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AuditLog, type AuditOptions, type Entry, openAudit } from '../../src/audit/index.ts';
import { nameOctets } from '../../src/wire/index.ts';

export function withDirectory<T>(run: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-audit-'));
  mkdirSync(directory, { recursive: true });
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  let result: T;
  try {
    result = run(directory);
  } catch (error) {
    remove();
    throw error;
  }
  if (result instanceof Promise) return result.finally(remove) as T;
  remove();
  return result;
}

/**
 * No reserve, unless a test asks for one: most need no 16 MiB of zeros. And more patience with the disk than the 100 ms of
 * the promise: on a busy machine a sync takes longer, and refusal is the subject of other tests.
 */
export const openTest = (options: AuditOptions): AuditLog =>
  openAudit({ reserveOctets: 0, unsyncedMsMax: 5000, threadFile: OPEN_THREAD, ...options });

/** A thread loads no TypeScript: mode `open` writes with what was built last. */
export const OPEN_THREAD = new URL('../../dist/audit/open-thread.js', import.meta.url);

export function entryFor(log: AuditLog, name: string | Uint8Array = 'www.example.com'): Entry {
  const octets = typeof name === 'string' ? nameOctets(name) : name;
  return {
    atMs: Date.UTC(2026, 10, 21, 9, 10, 11, 123),
    latencyUs: 85,
    transport: 'udp',
    client: Uint8Array.of(192, 0, 2, 7),
    clientLength: 4,
    clientPort: 5353,
    id: 4711,
    rcode: 0,
    size: 77,
    cached: true,
    name: octets,
    nameLength: octets.length,
    qtype: 1,
    qclass: 1,
    outcome: log.renderOutcome({
      group: 'ci',
      verdict: 'allow',
      cause: null,
      rule: 'base/allow/3',
      reason: 'package registry',
      ede: null,
      observed: false,
    }),
    detail: log.renderDetail({ answers: ['A 192.0.2.1'], upstream: '192.0.2.53:53' }),
    tail: null,
    tailAt: 0,
    redaction: null,
  };
}

/** Appends `count` entries and commits them; says whether they were kept. Not for `strict`. */
export function write(log: AuditLog, entry: Entry, count = 1): boolean {
  for (let i = 0; i < count; i++) log.append(entry);
  let kept: boolean | null = null;
  log.commit((value) => {
    kept = value;
  });
  if (kept === null) throw new Error('commit did not call back at once');
  return kept;
}

export type Line = Readonly<Record<string, unknown>>;

export const segmentFiles = (directory: string): string[] =>
  readdirSync(directory)
    .filter((file) => file.endsWith('.ndjson'))
    .sort();

/** Every line of every segment, in order. Throws when one is not JSON. */
export const linesOf = (directory: string): Line[] =>
  segmentFiles(directory).flatMap((file) =>
    readFileSync(join(directory, file), 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line),
  );

export const entriesOf = (directory: string): Line[] =>
  linesOf(directory).filter((line) => !('type' in line));

/** Numbers of all records, notes included. */
export const numbersOf = (directory: string): number[] =>
  linesOf(directory)
    .filter((line) => line['type'] !== 'segment' && typeof line['seq'] === 'number')
    .map((line) => line['seq'] as number);
