/** Pseudonyms under keys that change: linked within a period, not beyond it, and anonymous once their key is gone. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PseudonymKeys, pseudonymsOf, readRecords, verifyAudit } from '../../src/audit/index.ts';
import { sallyport } from '../e2e/processes.ts';
import { entryFor, openTest, withDirectory, write } from './fixture.ts';

const HOUR = 3_600_000;
const NOON = Date.UTC(2026, 10, 24, 12);
const CLIENT = Uint8Array.of(192, 0, 2, 7);

function ring(directory: string, told: string[] = []): PseudonymKeys {
  return new PseudonymKeys({
    directory: join(directory, 'pseudonyms'),
    rotateMs: HOUR,
    keepMs: 2 * HOUR,
    onTrouble: (why) => told.push(why),
  });
}

const keyFiles = (directory: string): string[] => readdirSync(join(directory, 'pseudonyms')).sort();

/** Writes one entry for each time, in one log. */
async function writeAt(directory: string, keys: PseudonymKeys, times: readonly number[]): Promise<void> {
  const log = openTest({
    directory: join(directory, 'audit'),
    worker: 0,
    clients: { mode: 'pseudonymise', keys },
  });
  for (const atMs of times) write(log, { ...entryFor(log), atMs, client: CLIENT });
  await log.close();
}

const clientsIn = (directory: string): string[] =>
  [...readRecords(join(directory, 'audit'), {})].map(({ record }) => record.client ?? '');

describe('keys of pseudonyms', () => {
  test('are one for each period, the same for all workers, and readable by their owner only', () =>
    withDirectory((directory) => {
      const first = ring(directory).at(NOON + 1);
      expect(ring(directory).at(NOON + HOUR - 1)).toEqual(first);
      expect(ring(directory).at(NOON + HOUR).key).not.toEqual(first.key);
      expect(keyFiles(directory)).toEqual([
        '20261124T120000Z-20261124T130000Z.key',
        '20261124T130000Z-20261124T140000Z.key',
      ]);
      for (const file of keyFiles(directory)) {
        expect(statSync(join(directory, 'pseudonyms', file)).mode & 0o777).toBe(0o600);
      }
      expect(statSync(join(directory, 'pseudonyms')).mode & 0o777).toBe(0o700);
    }));

  test('give a client one pseudonym within a period, another in the next, and the key’s name in both', () =>
    withDirectory(async (directory) => {
      await writeAt(directory, ring(directory), [NOON, NOON + HOUR - 1, NOON + HOUR, NOON + HOUR + 5]);
      const [one, same, next, sameNext] = clientsIn(directory);
      expect(one).toMatch(/^p:[0-9a-f]{6}:[0-9a-f]{16}$/);
      expect(same).toBe(one);
      expect(sameNext).toBe(next);
      expect(next.slice(0, 9)).not.toBe(one.slice(0, 9));
      expect(next.slice(9)).not.toBe(one.slice(9));
    }));

  test('find a client again after a restart and while the clock goes back', () =>
    withDirectory(async (directory) => {
      await writeAt(directory, ring(directory), [NOON, NOON + HOUR, NOON + 3]);
      await writeAt(directory, ring(directory), [NOON + 10]);
      const [one, next, back, later] = clientsIn(directory);
      expect([back, later]).toEqual([one, one]);
      expect(next).not.toBe(one);
    }));

  test('are destroyed when their time is over, and nothing leads to the client any more', () =>
    withDirectory(async (directory) => {
      const keys = ring(directory);
      await writeAt(directory, keys, [NOON, NOON + HOUR]);
      const source = join(directory, 'pseudonyms');
      const written = clientsIn(directory);
      expect(pseudonymsOf(CLIENT, source)).toEqual(written);
      expect(keys.destroyOld(NOON + 3 * HOUR - 1)).toBeNull();
      expect(keys.destroyOld(NOON + 3 * HOUR)).toBe(NOON + HOUR);
      expect(pseudonymsOf(CLIENT, source)).toEqual([written[1]]);
      expect(keys.destroyOld(NOON + 9 * HOUR)).toBe(NOON + 2 * HOUR);
      expect(keyFiles(directory)).toEqual([]);
      // Files of others are left alone.
      writeFileSync(join(source, 'notes.txt'), 'mine');
      expect(keys.destroyOld(NOON + 99 * HOUR)).toBeNull();
      expect(existsSync(join(source, 'notes.txt'))).toBe(true);
    }));

  test.each(['bounded', 'open'] as const)(
    'that are destroyed by a running log (%s) are said to be so in its chain',
    (mode) =>
      withDirectory(async (directory) => {
        const keys = ring(directory);
        keys.at(NOON);
        let nowMs = NOON;
        const log = openTest({
          directory: join(directory, 'audit'),
          worker: 0,
          clients: { mode: 'pseudonymise', keys },
          mode,
          wallMs: () => nowMs,
          maintenanceMs: 10,
          checkpointMs: 20,
        });
        write(log, { ...entryFor(log), atMs: nowMs });
        nowMs += 10 * HOUR;
        for (const deadline = Date.now() + 10_000; keyFiles(directory).length > 0; ) {
          if (Date.now() > deadline) throw new Error('the key was not destroyed');
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        await log.close();
        const notes = [...readRecords(join(directory, 'audit'), { notes: 'only' })].map(
          ({ record }) => record,
        );
        expect(notes).toContainEqual(
          expect.objectContaining({ type: 'anonymised', until: '2026-11-24T13:00:00.000Z' }),
        );
        expect(verifyAudit(join(directory, 'audit')).faults).toEqual([]);
      }),
  );

  test('that cannot be kept are still new ones: privacy goes before looking up', () =>
    withDirectory(async (directory) => {
      const told: string[] = [];
      const keys = ring(directory, told);
      writeFileSync(join(directory, 'pseudonyms', '20261124T130000Z-20261124T140000Z.key'), 'no key\n');
      await writeAt(directory, keys, [NOON, NOON + HOUR, NOON + HOUR + 1]);
      const [one, next, same] = clientsIn(directory);
      expect(next.slice(9)).not.toBe(one.slice(9));
      expect(same).toBe(next);
      expect(told).toEqual([expect.stringMatching(/this is no key of pseudonyms/)]);
    }));
});

describe('sallyport audit query --client', () => {
  const query = async (
    directory: string,
    ...args: string[]
  ): Promise<{ code: number | null; out: string }> => {
    const { code, stdout, stderr } = await sallyport('audit', 'query', join(directory, 'audit'), ...args);
    return { code, out: stdout + stderr };
  };

  test('finds an address under its pseudonyms while the keys are there', () =>
    withDirectory(async (directory) => {
      const keys = ring(directory);
      await writeAt(directory, keys, [NOON, NOON + HOUR, NOON + 2 * HOUR]);
      const [first] = clientsIn(directory);
      expect(await query(directory, '--client', '192.0.2.7', '--count')).toEqual({ code: 0, out: '3\n' });
      expect(await query(directory, '--client', first, '--count')).toEqual({ code: 0, out: '1\n' });
      expect(await query(directory, '--client', '192.0.2.8', '--count')).toEqual({ code: 1, out: '0\n' });
      mkdirSync(join(directory, 'elsewhere'));
      const elsewhere = ['--client', '192.0.2.7', '--count', '--pseudonyms', join(directory, 'elsewhere')];
      expect(await query(directory, ...elsewhere)).toEqual({ code: 1, out: '0\n' });
      keys.destroyOld(NOON + 3 * HOUR);
      expect(await query(directory, '--client', '192.0.2.7', '--count')).toEqual({ code: 0, out: '2\n' });
      const { code, out } = await query(directory, '--client', first, '--pseudonyms', 'x');
      expect(code).toBe(1);
      expect(out).toMatch(/is no address, so it has no pseudonyms/);
    }));

  test('finds an address under a key that does not change, and however it is written', () =>
    withDirectory(async (directory) => {
      const keyFile = join(directory, 'key');
      writeFileSync(keyFile, 'k'.repeat(32));
      const log = openTest({
        directory: join(directory, 'audit'),
        worker: 0,
        clients: { mode: 'pseudonymise', key: readFileSync(keyFile) },
      });
      const client = Uint8Array.of(0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 7);
      write(log, { ...entryFor(log), client, clientLength: 16 });
      await log.close();
      const found = await query(directory, '-c', '2001:DB8:0::0007', '--pseudonyms', keyFile, '--count');
      expect(found).toEqual({ code: 0, out: '1\n' });
    }));
});
