/**
 * Syslog: messages of RFC 5424 in octet-counted frames, over TLS (RFC 5425) or plain TCP (RFC 6587 section 3.4.1).
 *
 *    412 <134>1 2026-11-21T09:10:11.123Z gate sallyport 4711 query - {"worker":0,"seq":123,…}
 *    398 <132>1 2026-11-21T09:10:11.123Z gate sallyport 4711 query [sallyport@32473 worker="0" seq="124" …] deny x.example.net A
 *
 * The protocol acknowledges nothing. What the receiver has read to its end counts as arrived: the connection is ended
 * in order now and then, and begun anew.
 */
import type { AuditRecord } from '../audit/index.ts';
import { plainText } from '../audit/index.ts';
import type { SinkOf } from '../config/index.ts';
import { FACILITIES, SEVERITIES } from '../syslog/index.ts';
import { Connection, type Destination } from './connection.ts';
import type { ShipRecord, Sink } from './contract.ts';

/** Frames are handed over in pieces of about this size, each with its own time to be read. */
const PIECE = 64 * 1024;

export async function openSyslog(settings: SinkOf<'syslog'>): Promise<Sink> {
  const { host, port } = settings.address;
  const to: Destination =
    settings.transport === 'tcp'
      ? { kind: 'tcp', host, port }
      : { kind: 'tls', host, port, serverName: settings.serverName, files: settings };
  const format = syslogFormat(settings);
  const connection = await Connection.open(to);
  return {
    async send(records) {
      let frames: string[] = [];
      let length = 0;
      for (const record of records) {
        const message = format(record);
        const frame = `${Buffer.byteLength(message)} ${message}`;
        frames.push(frame);
        length += frame.length;
        if (length < PIECE) continue;
        await connection.write(Buffer.from(frames.join('')));
        frames = [];
        length = 0;
      }
      if (frames.length > 0) await connection.write(Buffer.from(frames.join('')));
      return undefined;
    },
    settle: () => connection.finish(),
    close: () => connection.close(),
  };
}

/** A record as one message of RFC 5424. */
export function syslogFormat(settings: SinkOf<'syslog'>): (shipped: ShipRecord) => string {
  const { facility, format, enterprise, messageMax } = settings;
  const head = FACILITIES[facility] * 8;
  return (shipped) => {
    const { record } = shipped;
    const host = headerText(shipped.host, 255);
    const kind = headerText(record.type ?? 'query', 32);
    const header = `<${head + severityOf(record)}>1 ${record.time} ${host} sallyport ${process.pid} ${kind}`;
    const room = messageMax - header.length - 3;
    if (format === 'json') return `${header} - ${shorten(shipped, room)}`;
    return `${header} ${structured(shipped, enterprise, room)}`;
  };
}

/** Header fields are printable ASCII without spaces (RFC 5424 section 6). */
const headerText = (text: string, lengthMax: number): string =>
  text.replace(/[^!-~]/g, '-').slice(0, lengthMax) || '-';

function severityOf({ type, verdict, cause }: AuditRecord): number {
  if (type !== undefined || cause === 'tunnel') return SEVERITIES.warning;
  return verdict === 'allow' || verdict === 'local' ? SEVERITIES.info : SEVERITIES.notice;
}

/** The line, or, when it is too long, the record with fewer answers and how many were left out. */
function shorten({ host, log, worker, record, line }: ShipRecord, room: number): string {
  let text = asciiOnly(line);
  const answers = [...(record.answers ?? [])];
  const evidence = [...(record.evidence ?? [])];
  for (let leftOut = 1; text.length > room && answers.length + evidence.length > 0; leftOut++) {
    if (answers.length > 0) answers.pop();
    else evidence.pop();
    text = asciiOnly(JSON.stringify({ host, log, worker, ...record, answers, evidence, leftOut }));
  }
  return text;
}

/** Without the mark of UTF-8 a message is of no known encoding (RFC 5424 section 6.4); ASCII needs none. */
const asciiOnly = (json: string): string =>
  json.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Members in the order of their worth, so that what does not fit is worth least. */
const MEMBERS = [
  'seq',
  'client',
  'port',
  'via',
  'group',
  'qname',
  'qtype',
  'qclass',
  'verdict',
  'cause',
  'rule',
  'rcode',
  'ede',
  'cached',
  'observed',
  'us',
  'id',
  'size',
  'upstream',
  'upstreamRcode',
  'reason',
] as const satisfies readonly (keyof AuditRecord)[];

function structured({ log, worker, record }: ShipRecord, enterprise: number, room: number): string {
  const said = `${record.verdict ?? record.type ?? ''} ${record.qname ?? ''} ${record.qtype ?? ''}`.trim();
  let element = `[sallyport@${enterprise} log="${log}" worker="${worker}"`;
  const add = (name: string, value: unknown): void => {
    if (value === undefined || value === null) return;
    const text = plainText(String(value)).replace(/["\\\]]/g, '\\$&');
    const parameter = ` ${name}="${text}"`;
    if (Buffer.byteLength(element) + Buffer.byteLength(parameter) + said.length + 2 <= room)
      element += parameter;
  };
  for (const member of MEMBERS) add(member, record[member]);
  if (record.type !== undefined) add('type', record.type);
  for (const answer of record.answers ?? []) add('answer', answer);
  for (const line of record.evidence ?? []) add('evidence', line);
  for (const kind of record.secrets ?? []) add('secret', kind);
  return `${element}] ${said}`;
}
