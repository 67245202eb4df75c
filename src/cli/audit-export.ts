/** `sallyport audit export`: records in the form another system reads. */
import { closeSync, openSync } from 'node:fs';
import { Command, Option } from 'commander';
import { EXPORT_FORMATS, readRecords } from '../audit/index.ts';
import {
  DIRECTORY,
  type FilterFlags,
  filterOf,
  Progress,
  queriesOf,
  requireLog,
  unsealerOf,
  withFilters,
} from './audit-flags.ts';
import { writeAll } from './write-all.ts';

interface Flags extends FilterFlags {
  readonly format: string;
  readonly output?: string;
}

export const exportCommand = (): Command =>
  withFilters(
    new Command('export')
      .description('write records as NDJSON, CSV, OCSF, Route 53 query log, or Parquet (with duckdb)')
      .argument('[directory]', 'where the segments are', DIRECTORY),
  )
    .addOption(
      new Option('-f, --format <format>', 'form')
        .choices([...Object.keys(EXPORT_FORMATS), 'parquet'])
        .default('ndjson'),
    )
    .option('-o, --output <file>', 'write here instead of to standard output')
    .action(exportLog);

async function exportLog(directory: string, flags: Flags): Promise<void> {
  requireLog(directory);
  if (flags.format === 'parquet') {
    if (flags.output === undefined) throw new Error('Parquet is no text; give a file with --output');
    const { writeParquet } = await import('./duckdb.ts');
    await writeParquet(directory, flags.output, queriesOf(directory, flags), unsealerOf(flags));
    return;
  }
  const format = EXPORT_FORMATS[flags.format];
  const filter = format.hasNotes ? filterOf(directory, flags) : queriesOf(directory, flags);
  const progress = new Progress(directory);
  const fd = flags.output === undefined ? 1 : openSync(flags.output, 'w', 0o640);
  let text = format.head;
  for (const found of readRecords(directory, filter, (file) => progress.step(file), unsealerOf(flags))) {
    text += format.line(found);
    if (text.length < 262_144) continue;
    writeAll(fd, text);
    text = '';
  }
  writeAll(fd, text);
  progress.end();
  if (fd !== 1) closeSync(fd);
}
