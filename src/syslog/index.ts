/**
 * Syslog messages (RFC 5424) and their framing on streams (RFC 6587 section 3.4.1, RFC 5425 section 4.3). Octets only: who
 * sends them, and what becomes of them, is for others to know.
 *
 *    <134>1 2026-11-21T09:10:11.123Z host sallyport 4711 checkpoint [checkpoint@32473 worker="0"] text
 *    PRI  version time                    app       procid msgid    structured data               MSG
 */

export const FACILITIES = {
  kern: 0,
  user: 1,
  daemon: 3,
  auth: 4,
  syslog: 5,
  authpriv: 10,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23,
} as const;
export type Facility = keyof typeof FACILITIES;

export const SEVERITIES = {
  emergency: 0,
  alert: 1,
  critical: 2,
  error: 3,
  warning: 4,
  notice: 5,
  info: 6,
  debug: 7,
} as const;
export type Severity = keyof typeof SEVERITIES;

/** One element of structured data: `[id name="value" …]`. An id that is not registered ends in `@` and a number. */
export interface SyslogElement {
  readonly id: string;
  readonly values: Readonly<Record<string, string>>;
}

export interface SyslogMessage {
  readonly facility: Facility;
  readonly severity: Severity;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly hostname: string;
  readonly app: string;
  readonly procid: string;
  readonly msgid: string;
  readonly data: readonly SyslogElement[];
  /** The message itself; line breaks in it are for the caller to avoid. */
  readonly text: string;
}

/** A message without framing: what goes into one datagram. */
export function syslogMessage(message: SyslogMessage): Buffer {
  const { facility, severity, atMs, hostname, app, procid, msgid, data, text } = message;
  const priority = FACILITIES[facility] * 8 + SEVERITIES[severity];
  const head = [
    `<${priority}>1`,
    new Date(atMs).toISOString(),
    headerField(hostname, 255),
    headerField(app, 48),
    headerField(procid, 128),
    headerField(msgid, 32),
    data.length === 0 ? '-' : data.map(elementText).join(''),
  ].join(' ');
  return Buffer.from(text === '' ? head : `${head} ${text}`, 'utf8');
}

/** A message on a stream: its length in decimal, a space, and its octets. */
export const octetCounted = (message: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${message.length} `, 'latin1'), message]);

/** Printable ASCII without spaces, at most `lengthMax` of it; `-` for nothing (NILVALUE). */
function headerField(text: string, lengthMax: number): string {
  const plain = text.replace(/[^!-~]/g, '').slice(0, lengthMax);
  return plain === '' ? '-' : plain;
}

function elementText({ id, values }: SyslogElement): string {
  const parts = Object.entries(values).map(
    ([name, value]) => ` ${elementName(name)}="${value.replace(/["\\\]]/g, '\\$&')}"`,
  );
  return `[${elementName(id)}${parts.join('')}]`;
}

/** SD-NAME: printable ASCII but `=`, `]`, `"` and space, at most 32. */
const elementName = (text: string): string => text.replace(/[^!-~]|[=\]"]/g, '').slice(0, 32);
