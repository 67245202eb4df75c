/** `sallyport audit query`: records that pass filters, or the answer to a question in SQL (through DuckDB). */
import { Command } from 'commander';
import { readRecords } from '../audit/index.ts';
import {
  DIRECTORY,
  type FilterFlags,
  filterOf,
  Progress,
  queriesOf,
  readCount,
  requireLog,
  unsealerOf,
  withFilters,
} from './audit-flags.ts';
import { mayColour, recordLine } from './audit-lines.ts';

interface Flags extends FilterFlags {
  readonly limit?: number;
  readonly count?: boolean;
  readonly json?: boolean;
  readonly sql?: string;
}

export const queryLogCommand = (): Command =>
  withFilters(
    new Command('query')
      .description('print the records that pass; exit 1 when there is none')
      .argument('[directory]', 'where the segments are', DIRECTORY),
  )
    .option('-l, --limit <count>', 'stop after so many', readCount)
    .option('--count', 'only how many there are')
    .option('--json', 'the lines as they stand in the log')
    .option('--sql <query>', 'a question to the table "audit", answered by duckdb when it is installed')
    .action(queryLog);

async function queryLog(directory: string, flags: Flags): Promise<void> {
  requireLog(directory);
  if (flags.sql !== undefined) {
    const { askDuckDb } = await import('./duckdb.ts');
    await askDuckDb(
      directory,
      flags.sql,
      flags.json === true,
      queriesOf(directory, flags),
      unsealerOf(flags),
    );
    return;
  }
  const progress = new Progress(directory);
  const coloured = mayColour();
  const limit = flags.limit ?? Number.POSITIVE_INFINITY;
  let count = 0;
  let text = '';
  const step = (file: string): void => progress.step(file);
  for (const found of readRecords(directory, filterOf(directory, flags), step, unsealerOf(flags))) {
    if (count >= limit) break;
    count++;
    if (flags.count) continue;
    text += `${flags.json ? found.line : recordLine(found, coloured)}\n`;
    if (text.length > 65_536) {
      process.stdout.write(text);
      text = '';
    }
  }
  progress.end();
  process.stdout.write(flags.count ? `${count}\n` : text);
  if (count === 0) process.exitCode = 1;
}
