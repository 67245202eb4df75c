/** `audit tail`, stopped and let go on, while segments behind it are compressed and deleted. */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { compressSegments, segmentNames } from '../../src/audit/index.ts';
import { entryFor, numbersOf, openTest, withDirectory, write } from './fixture.ts';

const CLI = fileURLToPath(new URL('../../dist/cli/sallyport.js', import.meta.url));

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const deadline = Date.now() + 20_000; !condition(); ) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('nothing is passed over that was compressed meanwhile, and what was deleted is told', () =>
  withDirectory(async (directory) => {
    const log = openTest({ directory, worker: 0, segmentOctets: 4000 });
    const entry = entryFor(log);
    write(log, entry, 3);
    const child = spawn(process.execPath, [CLI, 'audit', 'tail', directory, '--json', '--lines', '100']);
    let shown = '';
    let told = '';
    child.stdout.on('data', (piece) => {
      shown += piece;
    });
    child.stderr.on('data', (piece) => {
      told += piece;
    });
    const seqs = (): number[] =>
      shown
        .split('\n')
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as { seq: number }).seq);
    try {
      await until(() => seqs().length === 3, 'the first records');
      child.kill('SIGSTOP');
      for (let i = 0; i < 12; i++) write(log, entry, 4);
      await compressSegments(directory, 'gzip');
      expect(segmentNames(directory).filter(({ compressed }) => compressed).length).toBeGreaterThan(2);
      child.kill('SIGCONT');
      await until(() => seqs().length === 51, 'what was written while it stood still');
      expect(seqs()).toEqual(Array.from({ length: 51 }, (_, i) => i + 1));
      expect(told).toBe('');

      child.kill('SIGSTOP');
      for (let i = 0; i < 12; i++) write(log, entry, 4);
      const names = segmentNames(directory);
      rmSync(join(directory, names.at(-3)!.file));
      const left = new Set(numbersOf(directory));
      const gone = Array.from({ length: 48 }, (_, i) => i + 52).filter((seq) => !left.has(seq));
      expect(gone.length).toBeGreaterThan(0);
      child.kill('SIGCONT');
      await until(() => seqs().at(-1) === 99, 'the last record');
      expect(seqs()).toEqual(
        Array.from({ length: 99 }, (_, i) => i + 1).filter((seq) => !gone.includes(seq)),
      );
      expect(told).toBe(
        `sallyport: records ${gone[0]} to ${gone.at(-1)} of worker 0 were deleted before they could be shown\n`,
      );
    } finally {
      child.kill('SIGKILL');
      await log.close();
    }
  }));
