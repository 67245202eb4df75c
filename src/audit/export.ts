/** Records in the forms that other systems read. Each form is a function from a record to a line. */
import type { AuditRecord, Found } from './read.ts';

export interface ExportFormat {
  /** Written before the first record. */
  readonly head: string;
  /** Whether there is a place in it for records of the log about itself. */
  readonly hasNotes: boolean;
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
  'type',
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
  hasNotes: true,
  head: `${CSV_COLUMNS.join(',')}\r\n`,
  line: ({ worker, record }) => {
    const fields: Record<string, unknown> = { ...record, worker };
    return `${CSV_COLUMNS.map((column) => csvField(fields[column])).join(',')}\r\n`;
  },
};

const ndjson: ExportFormat = {
  hasNotes: true,
  head: '',
  line: ({ worker, line }) => `{"worker":${worker},${line.slice(1)}\n`,
};

const rdataOf = (answer: string): { type: string; rdata: string } => {
  const space = answer.indexOf(' ');
  return space < 0
    ? { type: answer, rdata: '' }
    : { type: answer.slice(0, space), rdata: answer.slice(space + 1) };
};

/**
 * The members of a Route 53 Resolver query log, so that queries written for those logs run on these. As there, those of the
 * firewall are present where it blocked or would have.
 */
const route53: ExportFormat = {
  hasNotes: false,
  head: '',
  line: ({ record }) => {
    const action = route53Action(record);
    return `${JSON.stringify({
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
      firewall_rule_action: action,
      firewall_rule_group_id: action === undefined ? undefined : record.rule,
    })}\n`;
  },
};

function route53Action({ verdict, cause, observed }: AuditRecord): string | undefined {
  if (observed === true) return 'ALERT';
  // A limit drops as well, and a client that went away: no rule did.
  const isDropped = verdict === 'drop' && cause !== 'limit' && cause !== 'gone';
  return verdict === 'deny' || isDropped ? 'BLOCK' : undefined;
}

/** Codes of RFC 6895 for the names in the log, and their captions in OCSF. */
const RCODES: Readonly<Record<string, readonly [id: number, caption: string]>> = {
  NOERROR: [0, 'NoError'],
  FORMERR: [1, 'FormError'],
  SERVFAIL: [2, 'ServError'],
  NXDOMAIN: [3, 'NXDomain'],
  NOTIMP: [4, 'NotImp'],
  REFUSED: [5, 'Refused'],
  BADVERS: [16, 'BADVERS'],
  BADCOOKIE: [23, 'BADCOOKIE'],
};

/** Action (allowed, denied) and disposition (allowed, blocked, dropped, error, rejected, alert) of the profile "security_control". */
function ocsfOutcome({ verdict, observed }: AuditRecord): readonly [action: number, disposition: number] {
  if (observed === true) return [1, 19];
  switch (verdict) {
    case 'allow':
    case 'local':
      return [1, 1];
    case 'deny':
      return [2, 2];
    case 'drop':
      return [2, 6];
    case 'refuse':
    case 'malformed':
      return [2, 25];
    default:
      return [0, 27];
  }
}

/** OCSF 1.3 "DNS Activity" (class 4003) with the profile "security_control". */
const ocsf: ExportFormat = {
  hasNotes: false,
  head: '',
  line: ({ worker, record }) => {
    const activity = record.rcode === null || record.rcode === undefined ? 1 : 6;
    const [action, disposition] = ocsfOutcome(record);
    const [rcodeId, rcode] = RCODES[record.rcode ?? ''] ?? [99, record.rcode];
    return `${JSON.stringify({
      category_uid: 4,
      class_uid: 4003,
      activity_id: activity,
      type_uid: 400_300 + activity,
      severity_id: action === 2 || disposition === 19 ? 2 : 1,
      time: Date.parse(record.time),
      metadata: {
        version: '1.3.0',
        product: { name: 'Sallyport', vendor_name: 'Sallyport' },
        profiles: ['security_control'],
        sequence: record.seq,
        uid: `${worker}-${record.seq}`,
      },
      action_id: action,
      disposition_id: disposition,
      src_endpoint: ocsfClient(record),
      connection_info: { protocol_name: record.via === 'udp' ? 'udp' : 'tcp', direction_id: 2 },
      // A question needs a name; what could not be read has none.
      query:
        record.qname === undefined
          ? undefined
          : {
              hostname: record.qname,
              type: record.qtype,
              class: record.qclass ?? 'IN',
              packet_uid: record.id,
            },
      rcode: activity === 1 ? undefined : rcode,
      rcode_id: activity === 1 ? undefined : rcodeId,
      answers: (record.answers ?? []).map(rdataOf),
      firewall_rule: record.rule === undefined ? undefined : { name: record.rule, desc: record.reason },
      duration: record.us === undefined ? undefined : Math.round(record.us / 1000),
      unmapped: {
        group: record.group,
        verdict: record.verdict,
        cause: record.cause,
        cached: record.cached,
        ede: record.ede,
        us: record.us,
      },
    })}\n`;
  },
};

/** `ip` takes addresses alone; a network (`truncate`) or a pseudonym is told by `name`. */
function ocsfClient({ client, port }: AuditRecord): Readonly<Record<string, unknown>> {
  if (client === undefined) return { port };
  return /^[0-9a-f.:]+$/.test(client) && !client.startsWith('p:')
    ? { ip: client, port }
    : { name: client, port };
}

export const EXPORT_FORMATS: Readonly<Record<string, ExportFormat>> = { ndjson, csv, ocsf, route53 };
