import { appendFileSync, cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verifyAudit } from '../../src/audit/index.ts';
import {
  entriesOf,
  entryFor,
  linesOf,
  numbersOf,
  openTest,
  segmentFiles,
  withDirectory,
  write,
} from './fixture.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

describe('a log in mode bounded', () => {
  test('has the line in the file when commit calls back', () =>
    withDirectory(async (directory) => {
      const log = openTest({ directory, worker: 0, wallMs: () => 1_000_000, monotonicMs: () => 500 });
      const entry = entryFor(log);
      log.append(entry);
      expect(entriesOf(directory)).toHaveLength(0);
      let seen: unknown[] = [];
      log.commit((kept) => {
        expect(kept).toBe(true);
        seen = entriesOf(directory);
      });
      expect(seen).toEqual([
        {
          seq: 1,
          time: '2026-11-21T09:10:11.123Z',
          up: entry.atMs - 1_000_000 + 500,
          us: 85,
          via: 'udp',
          client: '192.0.2.7',
          port: 5353,
          id: 4711,
          cached: true,
          rcode: 'NOERROR',
          size: 77,
          qname: 'www.example.com',
          qtype: 'A',
          group: 'ci',
          verdict: 'allow',
          rule: 'base/allow/3',
          reason: 'package registry',
          answers: ['A 192.0.2.1'],
          upstream: '192.0.2.53:53',
        },
      ]);
      await log.close();
    }));

  test('numbers records without a hole over blocks, segments and restarts', () =>
    withDirectory(async (directory) => {
      for (let start = 0; start < 3; start++) {
        const log = openTest({ directory, worker: 0, segmentOctets: 20_000, blockRecords: 50 });
        const entry = entryFor(log);
        for (let i = 0; i < 40; i++) expect(write(log, entry, 7)).toBe(true);
        await log.close();
      }
      expect(segmentFiles(directory).length).toBeGreaterThan(9);
      expect(numbersOf(directory)).toEqual(upTo(3 * 280));
    }));

  test('cuts off a torn line after a crash, says so, and goes on', () =>
    withDirectory(async (parent) => {
      const before = join(parent, 'before');
      const crashed = openTest({ directory: before, worker: 0 });
      write(crashed, entryFor(crashed), 3);
      const directory = join(parent, 'after');
      cpSync(before, directory, { recursive: true });
      await crashed.close();
      const [file] = segmentFiles(directory);
      appendFileSync(join(directory, file), '{"seq":4,"time":"20');
      const log = openTest({ directory, worker: 0 });
      write(log, entryFor(log));
      expect(numbersOf(directory)).toEqual([1, 2, 3, 4, 5]);
      expect(linesOf(directory).find((line) => line['type'] === 'recovered')).toMatchObject({
        seq: 4,
        file,
        tornOctets: 19,
      });
      expect(readFileSync(join(directory, file), 'utf8').endsWith('}\n')).toBe(true);
      await log.close();
      expect(verifyAudit(directory).faults).toEqual([]);
    }));
});

describe('a record of the log about itself', () => {
  test('is written without a query, with the next number, before and after entries', () =>
    withDirectory(async (directory) => {
      const log = openTest({ directory, worker: 0 });
      let kept = 0;
      expect(log.note('verdict', { zone: 'tunnel.test', evidence: ['a\u2028b'] }, () => kept++)).toBe(true);
      await new Promise(setImmediate);
      expect(kept).toBe(1);
      log.append(entryFor(log));
      log.note('released', { zone: 'tunnel.test' }, () => kept++);
      await new Promise(setImmediate);
      // The open batch comes first: it was there first.
      expect(kept).toBe(1);
      log.commit(() => {});
      expect(kept).toBe(2);
      const records = linesOf(directory).filter((line) => line['type'] !== 'segment');
      expect(records).toMatchObject([
        { type: 'verdict', seq: 1, zone: 'tunnel.test', evidence: ['a\u2028b'] },
        { seq: 2, qname: 'www.example.com' },
        { type: 'released', seq: 3 },
      ]);
      await log.close();
      expect(log.note('late-comer', {})).toBe(false);
      expect(verifyAudit(directory).faults).toEqual([]);
    }));

  test.each([
    ['segment', {}, /"segment" is no type of a record/],
    ['Verdict!', {}, /"Verdict!" is no type of a record/],
    ['verdict', { seq: 1 }, /the member "seq" of a record is the log's own/],
    ['verdict', { text: 'x'.repeat(70_000) }, /has 70\d+ characters; at most 65536/],
  ])('of type %s that can be none is a fault of the caller', (type, members, message) =>
    withDirectory(async (directory) => {
      const log = openTest({ directory, worker: 0 });
      expect(() => log.note(type, members)).toThrow(message);
      await log.close();
    }),
  );

  test('beyond those that may wait is counted by the next gap', () =>
    withDirectory(async (directory) => {
      const log = openTest({ directory, worker: 0 });
      const told = Array.from({ length: 300 }, (_, i) => log.note('verdict', { i }));
      expect(told.filter((isKept) => isKept)).toHaveLength(256);
      await log.close();
      expect(linesOf(directory).filter((line) => line['type'] === 'verdict')).toHaveLength(256);
      expect(linesOf(directory).filter((line) => line['type'] === 'gap')).toMatchObject([{ notes: 44 }]);
      expect(verifyAudit(directory).faults).toEqual([]);
    }));
});
