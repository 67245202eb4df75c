/**
 * The operational log: start, reload, upstream state, faults; never a line for a query (that is the audit's). JSON lines
 * for machines, one readable line each for people at a terminal. Goes to standard error, so that what commands print
 * stays theirs.
 */
import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** `auto` is `text` at a terminal and `json` elsewhere. */
  readonly format: 'json' | 'text' | 'auto';
  /** Where lines go instead of standard error. */
  readonly destination?: DestinationStream;
}

const STDERR = 2;

/** Lines are written at once, so that the last words of a process that dies are there. */
export function createLog({ level, format, destination = standardError }: LogOptions): Log {
  const asText = format === 'text' || (format === 'auto' && isatty(STDERR));
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['token', '*.token', 'authorization', '*.authorization'], censor: '(hidden)' },
    },
    asText ? { write: (line) => destination.write(readable(line)) } : destination,
  );
}

/** Nobody reading the log (EPIPE, EAGAIN) is no reason to stop guarding a network. */
const standardError: DestinationStream = {
  write(line) {
    try {
      writeSync(STDERR, line);
    } catch {}
  },
};

/** `12:30:01 WARN  upstream is down  server=192.0.2.53 pool=default`, and the stack of an error below it. */
function readable(line: string): string {
  const { time, level, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const head = [
    String(time).slice(11, 19),
    String(level).toUpperCase().padEnd(5),
    plain(String(msg ?? '')),
  ].join(' ');
  const rest = Object.entries(fields).map(([name, value]) => `${plain(name)}=${shown(value)}`);
  const stack = isError(err)
    ? `\n${err.stack
        .split('\n')
        .map((each) => `    ${plain(each)}`)
        .join('\n')}`
    : '';
  return `${[head, ...rest].join('  ')}${stack}\n`;
}

const isError = (value: unknown): value is { stack: string } =>
  typeof value === 'object' && value !== null && 'stack' in value && typeof value.stack === 'string';

/** Words without spaces stand bare; everything else as JSON, so that a value cannot look like another field or line. */
function shown(value: unknown): string {
  if (typeof value === 'string' && /^[\w.:/@%+-]+$/.test(value)) return value;
  return plain(JSON.stringify(value));
}

/** Control characters spelled out: what a log carries must not move the cursor of who reads it. */
const plain = (text: string): string =>
  text.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
