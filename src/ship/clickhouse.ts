/**
 * ClickHouse through its HTTP interface: `INSERT INTO … FORMAT JSONEachRow`, one row for each record. An insert is
 * acknowledged once it is in the table. The interface is the same in every version, so no client of its own is needed;
 * the columns are those of docs/shipping.md, and a table may leave out any of them.
 */
import type { AuditRecord } from '../audit/index.ts';
import type { SinkOf } from '../config/index.ts';
import { Refused, type ShipRecord, type Sink } from './contract.ts';
import { Poster, shortly } from './http-post.ts';
import { readSecret } from './secrets.ts';

export function openClickHouse(settings: SinkOf<'clickhouse'>): Sink {
  const { table, user, password } = settings;
  const url = new URL(settings.url);
  url.searchParams.set('query', `INSERT INTO ${table} FORMAT JSONEachRow`);
  // Members that the table has no column for are left out; a newer Sallyport must not stop at an older table.
  url.searchParams.set('input_format_skip_unknown_fields', '1');
  const poster = new Poster({
    url,
    headers: {
      ...(user === undefined ? {} : { 'x-clickhouse-user': user }),
      ...(password === undefined ? {} : { 'x-clickhouse-key': readSecret(password) }),
    },
    files: settings,
    compression: 'none',
  });
  return {
    async send(records) {
      const { status, body } = await poster.post(url, 'application/x-ndjson', clickHouseRows(records));
      if (status === 200) return undefined;
      const said = `${status} ${shortly(body)}`;
      if (/\bCode: 60\b/.test(body)) {
        throw new Error(
          `there is no table ${table}; docs/shipping.md has the statement that makes it (${said})`,
        );
      }
      // What cannot be read of a row is the fault of the row or of the table: the other rows tell.
      if (status === 400) throw new Refused(said);
      throw new Error(`ClickHouse answered ${said}`);
    },
    close: () => poster.close(),
  };
}

/** One JSON object a line. */
export const clickHouseRows = (records: readonly ShipRecord[]): string =>
  records.map((shipped) => `${JSON.stringify(row(shipped))}\n`).join('');

function row({ host, log, worker, record }: ShipRecord): object {
  const { time, cached, observed, rcode, raw, ...others } = record as AuditRecord & {
    raw?: { hex?: string; redacted?: string };
  };
  const members = Object.fromEntries(
    Object.entries(others).filter(([, value]) => typeof value !== 'object' || Array.isArray(value)),
  );
  return {
    host,
    log,
    worker,
    // The form that every version reads into DateTime64(3) and String.
    time: time.replace('T', ' ').replace('Z', ''),
    ...members,
    rcode: rcode ?? '',
    cached: cached === true ? 1 : 0,
    observed: observed === true ? 1 : 0,
    ...(raw === undefined ? {} : { raw: raw.hex ?? raw.redacted }),
  };
}
