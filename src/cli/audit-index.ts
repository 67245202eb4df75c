/** `sallyport audit index`: notes which names each closed segment may hold, for `audit query --name`. */
import { Command } from 'commander';
import { hasIndex, readSegment, segmentNames, writeIndex } from '../audit/index.ts';
import { DIRECTORY, Progress, requireLog, unsealerOf, withDecryptKey } from './audit-flags.ts';

export const indexCommand = (): Command =>
  withDecryptKey(new Command('index'))
    .description('make searches by name fast: index every segment but the newest of each worker')
    .argument('[directory]', 'where the segments are', DIRECTORY)
    .option('--again', 'those that have an index as well')
    .action(index);

interface Flags {
  readonly again?: boolean;
  readonly decryptKey?: readonly string[];
}

function index(directory: string, flags: Flags): void {
  requireLog(directory);
  const unsealer = unsealerOf(flags);
  const names = segmentNames(directory);
  const progress = new Progress(directory);
  let count = 0;
  for (const name of names) {
    progress.step(name.file);
    const isNewest = !names.some((other) => other.worker === name.worker && other.number > name.number);
    if (isNewest || (hasIndex(directory, name) && flags.again !== true)) continue;
    writeIndex(directory, name, readSegment(directory, name), unsealer);
    count++;
  }
  progress.end();
  console.log(count === 0 ? 'Every closed segment has its index.' : `${count} segments were indexed.`);
}
