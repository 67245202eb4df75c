/** `sallyport audit export`: records in the form another system reads. */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { EXPORT_FORMATS, readRecords } from '../audit/index.ts';
import {
  DIRECTORY,
  type FilterFlags,
  filterOf,
  Progress,
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

function exportLog(directory: string, flags: Flags): void {
  requireLog(directory);
  if (flags.format === 'parquet') {
    writeParquet(directory, flags.output);
    return;
  }
  const format = EXPORT_FORMATS[flags.format];
  const progress = new Progress(directory);
  const fd = flags.output === undefined ? 1 : openSync(flags.output, 'w', 0o640);
  let text = format.head;
  for (const found of readRecords(
    directory,
    filterOf(directory, flags),
    (file) => progress.step(file),
    unsealerOf(flags),
  )) {
    text += format.line(found);
    if (text.length < 262_144) continue;
    writeAll(fd, text);
    text = '';
  }
  writeAll(fd, text);
  progress.end();
  if (fd !== 1) closeSync(fd);
}

function writeParquet(directory: string, output: string | undefined): void {
  if (output === undefined) throw new Error('Parquet is no text; give a file with --output');
  const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;
  const source = `read_ndjson_auto(${quote(join(directory, 'w*.ndjson*'))}, union_by_name = true, ignore_errors = true, sample_size = -1)`;
  const sql = `COPY (SELECT * FROM ${source} WHERE type IS NULL) TO ${quote(output)} (FORMAT parquet, COMPRESSION zstd)`;
  const ran = spawnSync('duckdb', ['-c', sql], { stdio: 'inherit' });
  if (ran.error !== undefined) {
    throw new Error(
      'Parquet needs the program "duckdb" (duckdb.org) in the PATH; use --format csv or ndjson without it',
    );
  }
  process.exitCode = ran.status ?? 1;
}
