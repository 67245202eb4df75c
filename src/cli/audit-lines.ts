/** Records as lines for people. Whatever a stranger put into a name stays text: nothing reaches the terminal raw. */
import { type Found, plainText } from '../audit/index.ts';

const COLOURS: Readonly<Record<string, string>> = {
  allow: '\x1b[32m',
  local: '\x1b[36m',
  deny: '\x1b[31m',
  refuse: '\x1b[31m',
  drop: '\x1b[31m',
  fail: '\x1b[33m',
  observe: '\x1b[33m',
};
const PLAIN = '\x1b[0m';
const FAINT = '\x1b[2m';

/** Whether to colour: a terminal that did not say no (NO_COLOR, no-color.org). */
export const mayColour = (): boolean =>
  process.stdout.isTTY === true && (process.env['NO_COLOR'] ?? '') === '';

/** `09:10:11.123 192.0.2.7 ci  allow  www.example.com A → NOERROR A 192.0.2.1  (base/allow/3: reason)  85 µs` */
export function recordLine({ record }: Found, coloured: boolean): string {
  const paint = (text: string, colour: string | undefined): string =>
    coloured && colour !== undefined ? `${colour}${text}${PLAIN}` : text;
  const time = `${record.time.slice(0, 10)} ${record.time.slice(11, 23)}`;
  if (record.type !== undefined) {
    const { type, seq, time: _, up, ...rest } = record;
    return plainLine(
      `${paint(time, FAINT)}  ${paint(`[${type}]`, COLOURS['fail'])} `,
      JSON.stringify(rest),
      '',
    );
  }
  const verdict = record.verdict ?? '-';
  const head = `${paint(time, FAINT)}  `;
  const who = plainText(`${record.client ?? '-'} ${record.group ?? '-'}`);
  const what = plainText(`${record.qname ?? '(unreadable)'} ${record.qtype ?? ''}`);
  const answers = record.answers === undefined ? '' : ` ${record.answers.join(', ')}`;
  const outcome = plainText(`→ ${record.rcode ?? 'no response'}${answers}`);
  const because = [record.rule, record.cause, record.reason].filter((part) => part !== undefined).join(': ');
  const why = because === '' ? '' : paint(plainText(`  (${because})`), FAINT);
  const source = record.cached === true ? 'cache' : (record.upstream ?? '');
  const tail = paint(plainText(`  ${source} ${record.us ?? 0} µs`), FAINT);
  return `${head}${who}  ${paint(plainText(verdict).padEnd(6), COLOURS[verdict])} ${what} ${outcome}${why}${tail}`;
}

const plainLine = (head: string, text: string, tail: string): string => `${head}${plainText(text)}${tail}`;
