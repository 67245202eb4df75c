/**
 * Questions in SQL and Parquet, through DuckDB where it is installed: the package `@duckdb/node-api`, or the program
 * `duckdb`. It reads plain and compressed segments in place; what passes a filter, and encrypted ones, from a plain copy that is
 * removed afterwards.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Filter,
  isGone,
  openDecompressed,
  plainText,
  readRecords,
  segmentNames,
  type Unsealer,
} from '../audit/index.ts';

/** Members of a record and their types in SQL. Written out, so that a log without denials has the column `cause` as well. */
const COLUMNS: Readonly<Record<string, string>> = {
  seq: 'BIGINT',
  time: 'TIMESTAMP',
  up: 'BIGINT',
  type: 'VARCHAR',
  us: 'BIGINT',
  via: 'VARCHAR',
  client: 'VARCHAR',
  port: 'INTEGER',
  id: 'INTEGER',
  cached: 'BOOLEAN',
  rcode: 'VARCHAR',
  size: 'INTEGER',
  qname: 'VARCHAR',
  qtype: 'VARCHAR',
  qclass: 'VARCHAR',
  group: 'VARCHAR',
  verdict: 'VARCHAR',
  cause: 'VARCHAR',
  rule: 'VARCHAR',
  reason: 'VARCHAR',
  ede: 'INTEGER',
  observed: 'BOOLEAN',
  answers: 'VARCHAR[]',
  upstream: 'VARCHAR',
  upstreamRcode: 'VARCHAR',
  evidence: 'VARCHAR[]',
  secrets: 'VARCHAR[]',
  prefetch: 'BOOLEAN',
  raw: 'STRUCT(hex VARCHAR, sha256 VARCHAR, redacted VARCHAR)',
  erased: 'BOOLEAN',
};

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The view `audit`: every query, with its worker. Lines of structure and notes are left out, and what was erased. */
function viewOf(directory: string): string {
  const columns = Object.entries(COLUMNS).map(([name, type]) => `${quote(name)}: ${quote(type)}`);
  // Named one by one: beside them lie indexes, and files that are being made.
  const files = segmentNames(directory).map(({ file }) => quote(join(directory, file)));
  return `CREATE VIEW audit AS
    SELECT CAST(regexp_extract(filename, 'w(\\d+)-\\d+-[^/]*$', 1) AS INTEGER) AS worker, * EXCLUDE (filename, "type", erased)
    FROM read_ndjson([${files.join(', ')}], columns = {${columns.join(', ')}}, filename = true, ignore_errors = true)
    WHERE "type" IS NULL AND seq IS NOT NULL AND erased IS NULL`;
}

/** Answers a question to the table `audit`, of the queries that pass, on standard output. Throws in words. */
export async function askDuckDb(
  directory: string,
  sql: string,
  isJson: boolean,
  filter: Filter,
  unsealer: Unsealer | null,
): Promise<void> {
  await withPlain(directory, filter, unsealer, async (plain) => {
    const rows = await run([viewOf(plain), sql], isJson);
    if (rows === null) return;
    const { names, values } = rows;
    if (isJson) {
      for (const row of values)
        console.log(JSON.stringify(Object.fromEntries(names.map((name, i) => [name, row[i]]))));
    } else {
      printTable(names, values);
    }
  });
}

/** Writes the queries that pass as Parquet. Throws in words. */
export async function writeParquet(
  directory: string,
  output: string,
  filter: Filter,
  unsealer: Unsealer | null,
): Promise<void> {
  await withPlain(directory, filter, unsealer, async (plain) => {
    await run(
      [viewOf(plain), `COPY (SELECT * FROM audit) TO ${quote(output)} (FORMAT parquet, COMPRESSION zstd)`],
      true,
    );
  });
}

/**
 * Runs `work` on segments that DuckDB can read: those of the log, or a copy that lives as long, of what passes the filter or
 * was encrypted.
 */
async function withPlain(
  directory: string,
  filter: Filter,
  unsealer: Unsealer | null,
  work: (directory: string) => Promise<void>,
): Promise<void> {
  const isWhole = Object.keys(filter).length === 0;
  if (isWhole && !(await hasSealed(directory))) return work(directory);
  const copy = mkdtempSync(join(tmpdir(), 'sallyport-plain-'));
  try {
    copyPassing(directory, filter, unsealer, copy);
    await work(copy);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** One file of each worker. That of the first is there though nothing passes: DuckDB wants a file to read. */
function copyPassing(directory: string, filter: Filter, unsealer: Unsealer | null, copy: string): void {
  const began = '00000001-19700101T000000000Z.ndjson';
  const pathOf = (worker: number): string => join(copy, `w${worker}-${began}`);
  const texts = new Map<number, string>([[0, '']]);
  const flush = (worker: number): void =>
    appendFileSync(pathOf(worker), texts.get(worker) ?? '', { mode: 0o600 });
  for (const { worker, line } of readRecords(directory, filter, undefined, unsealer)) {
    const text = `${texts.get(worker) ?? ''}${line}\n`;
    texts.set(worker, text);
    if (text.length < 1_048_576) continue;
    flush(worker);
    texts.set(worker, '');
  }
  for (const worker of texts.keys()) flush(worker);
}

/** Whether any segment says in its header that its records are encrypted. */
async function hasSealed(directory: string): Promise<boolean> {
  for (const { file, compressed } of segmentNames(directory)) {
    const path = join(directory, file);
    const pieces = compressed ? openDecompressed(path) : createReadStream(path, { end: HEADER_MAX });
    try {
      for await (const piece of pieces) {
        if (isSealedHeader(piece as Buffer)) return true;
        break;
      }
    } catch (error) {
      // It was compressed or deleted meanwhile; the others say the same.
      if (!isGone(error)) throw error;
    }
  }
  return false;
}

/** More octets than a header has. */
const HEADER_MAX = 65_536;

const isSealedHeader = (octets: Buffer): boolean =>
  octets.toString('latin1', 0, Math.max(0, octets.indexOf(10))).includes(',"sealed":[');

interface Rows {
  readonly names: readonly string[];
  readonly values: readonly (readonly unknown[])[];
}

/** What is needed of `@duckdb/node-api`. */
interface DuckDb {
  readonly DuckDBInstance: {
    create(path: string): Promise<{
      connect(): Promise<{
        run(sql: string): Promise<unknown>;
        runAndReadAll(sql: string): Promise<{ columnNames(): string[]; getRowsJson(): unknown[][] }>;
        closeSync(): void;
      }>;
    }>;
  };
}

/** Rows of the last statement; null when the program has printed them itself. */
async function run(statements: readonly string[], isJson: boolean): Promise<Rows | null> {
  const duckdb = await load();
  if (duckdb === null) return runProgram(statements, isJson);
  const connection = await (await duckdb.DuckDBInstance.create(':memory:')).connect();
  try {
    for (const statement of statements.slice(0, -1)) await connection.run(statement);
    const reader = await connection.runAndReadAll(statements.at(-1) ?? '');
    return { names: reader.columnNames(), values: reader.getRowsJson() };
  } catch (error) {
    throw new Error(`DuckDB says: ${plainText((error as Error).message)}`);
  } finally {
    connection.closeSync();
  }
}

async function load(): Promise<DuckDb | null> {
  try {
    return (await import('@duckdb/node-api')) as unknown as DuckDb;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return null;
    throw error;
  }
}

function runProgram(statements: readonly string[], isJson: boolean): null {
  const args = statements.flatMap((statement) => ['-c', `${statement};`]);
  const ran = spawnSync('duckdb', [isJson ? '-jsonlines' : '-box', ...args], { stdio: 'inherit' });
  if (ran.error !== undefined) {
    throw new Error(
      'SQL and Parquet need DuckDB: run "npm install @duckdb/node-api" beside Sallyport, or put the program "duckdb" into the PATH; without it use the filters of "audit query", or --format csv',
    );
  }
  process.exitCode = ran.status ?? 1;
  return null;
}

function printTable(names: readonly string[], values: readonly (readonly unknown[])[]): void {
  const textOf = (value: unknown): string =>
    plainText(typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value));
  const rows = [names.map(plainText), ...values.map((row) => row.map(textOf))];
  const widths = names.map((_, i) => rows.reduce((width, row) => Math.max(width, row[i].length), 0));
  const lineOf = (row: readonly string[]): string =>
    row
      .map((text, i) => text.padEnd(widths[i]))
      .join('  ')
      .trimEnd();
  const [head, ...body] = rows;
  console.log(
    [lineOf(head), lineOf(widths.map((width) => '-'.repeat(width))), ...body.map(lineOf)].join('\n'),
  );
}
