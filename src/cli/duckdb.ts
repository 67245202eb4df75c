/**
 * Questions in SQL and Parquet, through DuckDB where it is installed: the package `@duckdb/node-api`, or the program
 * `duckdb`. It reads plain and compressed segments in place; encrypted ones from a plain copy that is removed afterwards.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  isSealedAt,
  plainText,
  readSegment,
  segmentNames,
  type Unsealer,
  unsealSegment,
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
  erased: 'BOOLEAN',
};

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The view `audit`: every query, with its worker. Lines of structure and notes are left out, and what was erased. */
function viewOf(directory: string): string {
  const columns = Object.entries(COLUMNS).map(([name, type]) => `${quote(name)}: ${quote(type)}`);
  const files = quote(join(directory, 'w*.ndjson*'));
  return `CREATE VIEW audit AS
    SELECT CAST(regexp_extract(filename, 'w(\\d+)-\\d+-[^/]*$', 1) AS INTEGER) AS worker, * EXCLUDE (filename, "type", erased)
    FROM read_ndjson(${files}, columns = {${columns.join(', ')}}, filename = true, ignore_errors = true)
    WHERE "type" IS NULL AND seq IS NOT NULL AND erased IS NULL`;
}

/** Answers a question to the table `audit` on standard output. Throws in words. */
export async function askDuckDb(
  directory: string,
  sql: string,
  isJson: boolean,
  unsealer: Unsealer | null,
): Promise<void> {
  await withPlain(directory, unsealer, async (plain) => {
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

/** Writes every query as Parquet. Throws in words. */
export async function writeParquet(
  directory: string,
  output: string,
  unsealer: Unsealer | null,
): Promise<void> {
  await withPlain(directory, unsealer, async (plain) => {
    await run(
      [viewOf(plain), `COPY (SELECT * FROM audit) TO ${quote(output)} (FORMAT parquet, COMPRESSION zstd)`],
      true,
    );
  });
}

/** Runs `work` on segments that DuckDB can read: those of the log, or a copy that lives as long. */
async function withPlain(
  directory: string,
  unsealer: Unsealer | null,
  work: (directory: string) => Promise<void>,
): Promise<void> {
  const names = segmentNames(directory);
  if (!names.some((name) => isSealed(readSegment(directory, name)))) return work(directory);
  const copy = mkdtempSync(join(tmpdir(), 'sallyport-plain-'));
  try {
    for (const name of names) {
      const octets = unsealSegment(name.file, readSegment(directory, name), unsealer);
      writeFileSync(join(copy, name.file.replace(/\.(gz|zst)$/, '')), octets, { mode: 0o600 });
    }
    await work(copy);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function isSealed(octets: Buffer): boolean {
  for (let at = octets.indexOf(10) + 1; at > 0 && at < octets.length; at = octets.indexOf(10, at) + 1)
    if (isSealedAt(octets, at)) return true;
  return false;
}

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
