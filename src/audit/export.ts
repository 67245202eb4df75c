/** Records in the forms that other systems read. Each form is a function from a record to a line. */
import type { AuditRecord, Found } from './read.ts';

export interface ExportFormat {
  /** Written before the first record. */
  readonly head: string;
  readonly line: (found: Found) => string;
}

const CSV_COLUMNS = [
  'time',
  'worker',
  'seq',
  'client',
  'port',
  'via',
  'group',
  'qname',
  'qtype',
  'verdict',
  'cause',
  'rule',
  'reason',
  'rcode',
  'ede',
  'cached',
  'us',
  'size',
  'answers',
  'upstream',
] as const;

/** RFC 4180. A text that a spreadsheet would take for a formula gets an apostrophe before it: names come from strangers. */
function csvField(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const text = Array.isArray(value) ? value.join(' | ') : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const csv: ExportFormat = {
  head: `${CSV_COLUMNS.join(',')}\r\n`,
  line: ({ worker, record }) => {
    const fields: Record<string, unknown> = { ...record, worker };
    return `${CSV_COLUMNS.map((column) => csvField(fields[column])).join(',')}\r\n`;
  },
};

const ndjson: ExportFormat = {
  head: '',
  line: ({ worker, line }) => `{"worker":${worker},${line.slice(1)}\n`,
};

const rdataOf = (answer: string): { type: string; rdata: string } => {
  const space = answer.indexOf(' ');
  return space < 0
    ? { type: answer, rdata: '' }
    : { type: answer.slice(0, space), rdata: answer.slice(space + 1) };
};

/** The members of a Route 53 Resolver query log, so that queries written for those logs run on these. */
const route53: ExportFormat = {
  head: '',
  line: ({ record }) =>
    `${JSON.stringify({
      version: '1.100000',
      query_timestamp: record.time.replace(/\.\d+Z$/, 'Z'),
      query_name: record.qname === undefined || record.qname === '.' ? '.' : `${record.qname}.`,
      query_type: record.qtype,
      query_class: record.qclass ?? 'IN',
      rcode: record.rcode,
      answers: (record.answers ?? []).map((answer) => {
        const { type, rdata } = rdataOf(answer);
        return { Rdata: rdata, Type: type, Class: 'IN' };
      }),
      srcaddr: record.client,
      srcport: String(record.port ?? ''),
      transport: record.via === undefined ? undefined : record.via.toUpperCase(),
      firewall_rule_action: route53Action(record),
      firewall_rule_group_id: record.rule,
    })}\n`,
};

function route53Action({ verdict, observed }: AuditRecord): string | undefined {
  if (verdict === 'allow' || verdict === 'local') return 'ALLOW';
  if (verdict !== 'deny') return undefined;
  return observed === true ? 'ALERT' : 'BLOCK';
}

/** Codes of RFC 1035 and later for the names in the log, as OCSF wants them. */
const RCODE_IDS: Readonly<Record<string, number>> = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
};

/** OCSF 1.x "DNS Activity" (class 4003). */
const ocsf: ExportFormat = {
  head: '',
  line: ({ worker, record }) => {
    const isDenied = record.verdict === 'deny' && record.observed !== true;
    const activity = record.rcode === null || record.rcode === undefined ? 1 : 6;
    return `${JSON.stringify({
      category_uid: 4,
      class_uid: 4003,
      activity_id: activity,
      type_uid: 400_300 + activity,
      severity_id: isDenied ? 2 : 1,
      time: Date.parse(record.time),
      metadata: {
        version: '1.3.0',
        product: { name: 'Sallyport', vendor_name: 'Sallyport' },
        sequence: record.seq,
        uid: `${worker}-${record.seq}`,
      },
      action_id: isDenied ? 2 : 1,
      disposition_id: isDenied ? 2 : 1,
      src_endpoint: { ip: record.client, port: record.port },
      connection_info: { protocol_name: record.via === 'udp' ? 'udp' : 'tcp', direction_id: 2 },
      query: {
        hostname: record.qname,
        type: record.qtype,
        class: record.qclass ?? 'IN',
        packet_uid: record.id,
      },
      rcode: record.rcode ?? undefined,
      rcode_id:
        record.rcode === null || record.rcode === undefined ? undefined : (RCODE_IDS[record.rcode] ?? 99),
      answers: (record.answers ?? []).map(rdataOf),
      firewall_rule: record.rule === undefined ? undefined : { name: record.rule, desc: record.reason },
      duration: record.us === undefined ? undefined : Math.round(record.us / 1000),
      unmapped: {
        group: record.group,
        verdict: record.verdict,
        cause: record.cause,
        cached: record.cached,
        ede: record.ede,
      },
    })}\n`;
  },
};

export const EXPORT_FORMATS: Readonly<Record<string, ExportFormat>> = { ndjson, csv, ocsf, route53 };
