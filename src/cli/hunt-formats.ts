/**
 * Log lines to records. The format is told from the first lines that are not empty:
 *
 *    #separator …, #fields …            Zeek dns.log
 *    {"ts":…,"id.orig_h":…}             Zeek JSON
 *    {"seq":…,"qname":…,"type":"query"} Sallyport's audit
 *    {"query_timestamp":…}              Route 53 Resolver query log
 *    seconds TAB client TAB name …      columns, with or without a line that names them
 */
import { Rcode, typeOf } from '../wire/index.ts';
import type { HuntRecord } from './hunt-records.ts';

/** Reads one line; null for a line that holds no query. Throws FormatError for a line it cannot read. */
export type LineReader = (line: string, number: number) => HuntRecord | null;

export class FormatError extends Error {}

/** The reader for a file that begins with `line`; undefined when the line decides nothing (empty, a comment). */
export function readerFor(line: string, file: string): LineReader | undefined {
  if (line.trim() === '') return undefined;
  if (line.startsWith('#separator') || line.startsWith('#fields')) return zeekReader(file);
  if (line.startsWith('#') && !line.includes('\t')) return undefined;
  if (line.startsWith('{')) return jsonReader(file);
  return columnReader(file);
}

const RCODES: Readonly<Record<string, number>> = Rcode;

const rcodeOf = (text: string | undefined): number => {
  if (text === undefined || text === '' || text === '-') return -1;
  const number = Number(text);
  return Number.isInteger(number) ? number : (RCODES[text.toUpperCase()] ?? -1);
};

const typeOfText = (text: string | undefined): number => {
  if (text === undefined || text === '' || text === '-') return 1;
  const number = Number(text);
  return Number.isInteger(number) ? number : (typeOf(text) ?? 1);
};

/** Columns of the TSV form, in their usual order; a header line may give another. */
const COLUMNS = ['seconds', 'client', 'name', 'type', 'rcode', 'octets', 'label', 'source'];
const ALIASES: Readonly<Record<string, string>> = {
  ts: 'seconds',
  time: 'seconds',
  timestamp: 'seconds',
  src: 'client',
  client_ip: 'client',
  'id.orig_h': 'client',
  qname: 'name',
  query: 'name',
  qtype: 'type',
  size: 'octets',
  response_octets: 'octets',
  length: 'octets',
  bytes: 'octets',
};

function columnReader(file: string): LineReader {
  let at = new Map(COLUMNS.map((column, index) => [column, index]));
  return (line, number) => {
    // A comment, but for the line that names the columns.
    if (line === '' || (line.startsWith('#') && (number > 1 || !line.includes('\t')))) return null;
    const fields = line.split('\t');
    const first = Number(fields[at.get('seconds') ?? 0]);
    if (!Number.isFinite(first) || fields[0] === '') {
      if (number > 1 && at.size > 0 && !/[a-z]/i.test(fields[0])) throw new FormatError(faultOf(line));
      const named = fields.map((field, index): [string, number] => {
        const name = field.trim().toLowerCase().replace(/^#/, '');
        return [ALIASES[name] ?? name, index];
      });
      at = new Map(named);
      if (at.has('seconds') && at.has('name')) return null;
      at = new Map(COLUMNS.map((column, index) => [column, index]));
      throw new FormatError(faultOf(line));
    }
    const field = (column: string): string | undefined => {
      const index = at.get(column);
      return index === undefined ? undefined : fields[index];
    };
    const name = field('name');
    if (name === undefined) throw new FormatError(faultOf(line));
    return {
      atMs: first * 1000,
      client: field('client') ?? '0.0.0.0',
      name,
      type: typeOfColumn(field('type')),
      rcode: rcodeOf(field('rcode')),
      octets: Math.max(0, Number(field('octets') ?? 0) || 0),
      distinctAnswers: 1,
      line: number,
      file,
    };
  };
}

function typeOfColumn(text: string | undefined): number {
  const isNone = text === undefined || text === '' || text === '-';
  const isKnown = isNone || (/^\d+$/.test(text) ? Number(text) <= 0xffff : typeOf(text) !== undefined);
  if (!isKnown)
    throw new FormatError(
      `"${text.slice(0, 30)}" is no query type; expected a number up to 65535, or a name as TXT`,
    );
  return typeOfText(text);
}

const faultOf = (line: string): string =>
  `"${line.slice(0, 60)}" is not a query; expected tab-separated seconds, client, name, type, rcode, octets`;

function zeekReader(file: string): LineReader {
  let separator = '\t';
  let fields: string[] = [];
  return (line, number) => {
    if (line.startsWith('#separator')) {
      separator = line
        .slice('#separator '.length)
        .replace(/\\x([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
      return null;
    }
    if (line.startsWith('#fields')) {
      fields = line.split(separator).slice(1);
      return null;
    }
    if (line === '' || line.startsWith('#')) return null;
    const values = line.split(separator);
    const record: Record<string, string> = {};
    for (let i = 0; i < fields.length; i++)
      if (values[i] !== '-' && values[i] !== '(empty)') record[fields[i]] = values[i];
    return zeekRecord(record, file, number);
  };
}

/** Zeek writes octets outside its idea of printable as `\xHH`. */
const fromZeek = (name: string): string =>
  name.replace(
    /\\x([0-9a-f]{2})/gi,
    (_, hex: string) => `\\${String(Number.parseInt(hex, 16)).padStart(3, '0')}`,
  );

function zeekRecord(
  fields: Readonly<Record<string, unknown>>,
  file: string,
  line: number,
): HuntRecord | null {
  const name = fields['query'];
  if (typeof name !== 'string' || name === '') return null;
  const at = fields['ts'];
  const answers = fields['answers'];
  const list = Array.isArray(answers) ? answers : typeof answers === 'string' ? answers.split(',') : [];
  const atMs = typeof at === 'string' && Number.isNaN(Number(at)) ? Date.parse(at) : Number(at) * 1000;
  if (!Number.isFinite(atMs))
    throw new FormatError(`"ts" is ${JSON.stringify(at)}; expected seconds since 1970 or ISO 8601`);
  return {
    atMs,
    client: String(fields['id.orig_h'] ?? '0.0.0.0'),
    name: fromZeek(name),
    type: typeOfText(
      fields['qtype'] === undefined ? (fields['qtype_name'] as string) : String(fields['qtype']),
    ),
    rcode: rcodeOf(
      fields['rcode'] === undefined ? (fields['rcode_name'] as string | undefined) : String(fields['rcode']),
    ),
    octets: list.reduce(
      (sum: number, answer) => sum + 12 + String(answer).length,
      list.length === 0 ? 0 : 12 + name.length,
    ),
    distinctAnswers: list.length,
    line,
    file,
  };
}

function jsonReader(file: string): LineReader {
  return (line, number) => {
    if (line.trim() === '') return null;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw new FormatError(`not JSON: ${(error as Error).message}`);
    }
    if (typeof value !== 'object' || value === null) throw new FormatError('expected one JSON object a line');
    const fields = value as Record<string, unknown>;
    if ('qname' in fields) return auditRecord(fields, file, number);
    if ('query_timestamp' in fields) return route53Record(fields, file, number);
    if ('query' in fields && 'ts' in fields) return zeekRecord(fields, file, number);
    // Other entries of an audit (start, reload, verdict, …) and of a Zeek log hold no question.
    return null;
  };
}

function auditRecord(
  fields: Readonly<Record<string, unknown>>,
  file: string,
  line: number,
): HuntRecord | null {
  if (fields['type'] !== undefined && fields['type'] !== 'query') return null;
  if (fields['erased'] === true) return null;
  const time = fields['time'];
  const atMs = typeof time === 'number' ? time : Date.parse(String(time));
  if (!Number.isFinite(atMs))
    throw new FormatError(`"time" is ${JSON.stringify(time)}; expected ISO 8601 or milliseconds`);
  const answers = fields['answers'];
  return {
    atMs,
    client: String(fields['client'] ?? '0.0.0.0'),
    name: String(fields['qname']),
    type: typeOfText(String(fields['qtype'] ?? 'A')),
    rcode: rcodeOf(fields['rcode'] === undefined || fields['rcode'] === null ? '-' : String(fields['rcode'])),
    octets: Number(fields['size'] ?? 0) || 0,
    distinctAnswers: Array.isArray(answers) ? answers.length : 1,
    line,
    file,
  };
}

function route53Record(
  fields: Readonly<Record<string, unknown>>,
  file: string,
  line: number,
): HuntRecord | null {
  const name = fields['query_name'];
  if (typeof name !== 'string') return null;
  const atMs = Date.parse(String(fields['query_timestamp']));
  if (!Number.isFinite(atMs)) {
    throw new FormatError(
      `"query_timestamp" is ${JSON.stringify(fields['query_timestamp'])}; expected ISO 8601`,
    );
  }
  const answers = Array.isArray(fields['answers']) ? (fields['answers'] as Record<string, unknown>[]) : [];
  return {
    atMs,
    client: String(fields['srcaddr'] ?? '0.0.0.0'),
    name,
    type: typeOfText(String(fields['query_type'] ?? 'A')),
    rcode: rcodeOf(String(fields['rcode'] ?? '-')),
    octets: answers.reduce(
      (sum, answer) => sum + 12 + String(answer['Rdata'] ?? '').length,
      12 + name.length,
    ),
    distinctAnswers: answers.length,
    line,
    file,
  };
}
