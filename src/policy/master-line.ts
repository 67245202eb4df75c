/** One line of a master file as words (RFC 1035 section 5.1), and the small values that its words spell. */
import { domainToASCII } from 'node:url';
import { NAME_LENGTH_MAX, NameError, nameOctets } from '../wire/index.ts';

/** What is wrong with a record, and what to write instead. Caught where the line is known. */
export class RecordError extends Error {
  readonly instead: string;

  constructor(problem: string, instead: string) {
    super(problem);
    this.instead = instead;
  }
}

export interface Word {
  /** As written, escapes kept, quotes removed. */
  readonly text: string;
  readonly isQuoted: boolean;
}

/** The words of a line; a semicolon opens a comment, quotes hold blanks together, also behind `key=`. */
export function splitWords(line: string): Word[] {
  const words: Word[] = [];
  let text = '';
  let isQuoted = false;
  let isOpen = false;
  let isInQuotes = false;
  const close = (): void => {
    if (isOpen) words.push({ text, isQuoted });
    text = '';
    isQuoted = false;
    isOpen = false;
  };
  for (let i = 0; i < line.length; i++) {
    const character = line[i];
    if (character === '\\') {
      if (i + 1 === line.length) throw new RecordError('ends in a lone backslash', 'two backslashes for one');
      text += character + line[++i];
      isOpen = true;
    } else if (character === '"') {
      isInQuotes = !isInQuotes;
      isQuoted = true;
      isOpen = true;
    } else if (isInQuotes) {
      text += character;
    } else if (character === ';') {
      break;
    } else if (character === ' ' || character === '\t') {
      close();
    } else if (character === '(' || character === ')') {
      throw new RecordError('has a parenthesis', 'the whole record on one line, without parentheses');
    } else {
      text += character;
      isOpen = true;
    }
  }
  if (isInQuotes)
    throw new RecordError('has an opening quote without a closing one', 'a quote at both ends of the text');
  close();
  return words;
}

/** Octets of a character-string: UTF-8, with `\X` and `\DDD` (RFC 1035 section 5.1). */
export function stringOctets(text: string): Uint8Array {
  const octets: number[] = [];
  for (let i = 0; i < text.length; ) {
    if (text[i] !== '\\') {
      const point = text.codePointAt(i) ?? 0;
      octets.push(...UTF8.encode(String.fromCodePoint(point)));
      i += point > 0xffff ? 2 : 1;
      continue;
    }
    const decimal = /^\d{3}/.exec(text.slice(i + 1))?.[0];
    if (decimal === undefined) {
      octets.push(...UTF8.encode(text[i + 1] ?? ''));
      i += 2;
    } else {
      if (Number(decimal) > 255)
        throw new RecordError(`has the escape "\\${decimal}"`, 'a value from \\000 to \\255');
      octets.push(Number(decimal));
      i += 4;
    }
  }
  return Uint8Array.from(octets);
}

/** Canonical octets of a name: `@` is the origin, a name without final dot is relative to it. */
export function nameAt(text: string, origin: Uint8Array): Uint8Array {
  if (text === '@') return new Uint8Array(origin);
  const ascii = /[^\x00-\x7f]/.test(text) ? domainToASCII(text) : text;
  if (ascii === '')
    throw new RecordError(`"${text}" is not a valid internationalised name`, 'its A-label form (xn--…)');
  try {
    const octets = nameOctets(ascii);
    if (isAbsolute(ascii)) return octets;
    const whole = new Uint8Array(octets.length - 1 + origin.length);
    if (whole.length > NAME_LENGTH_MAX)
      throw new NameError(`"${text}" with the zone behind it is longer than 255 octets`);
    whole.set(octets);
    whole.set(origin, octets.length - 1);
    return whole;
  } catch (error) {
    if (error instanceof NameError)
      throw new RecordError(error.message, 'a name like "www" or "www.corp.example."');
    throw error;
  }
}

/** Whether the final dot is there and not itself escaped. */
const isAbsolute = (text: string): boolean => /(^|[^\\])(\\\\)*\.$/.test(text);

/** Seconds of "300", "5m", "1h30m"; null when the text is neither. */
export function ttlSeconds(text: string): number | null {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  if (!/^(\d{1,9}[smhdw])+$/i.test(text)) return null;
  let seconds = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([smhdw])/gi))
    seconds += Number(count) * UNIT_SECONDS[unit.toLowerCase()];
  return seconds;
}

/** The octets of all parts, one behind the other. */
export const join = (...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array => {
  const octets: number[] = [];
  for (const part of parts) octets.push(...part);
  return Uint8Array.from(octets);
};

const UTF8 = new TextEncoder();

const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
