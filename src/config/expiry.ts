/** The moment a rule ends, as people write it. */
import type { Complaint } from './fault.ts';

const DAY = /^(\d{4})-(\d{2})-(\d{2})$/;
const MOMENT =
  /^(\d{4})-(\d{2})-(\d{2})[T ]([01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,3})?)?(Z|[+-]\d{2}:?\d{2})?$/i;

/** Milliseconds since 1970, or what is wrong with the text. A day without time is its first moment, UTC. */
export function readExpiry(text: string): { readonly atMs: number } | Complaint {
  const parts = DAY.exec(text) ?? MOMENT.exec(text);
  if (parts === null) return { what: `"${text}" is not a date`, instead: suggest(text) };
  if (!isDay(Number(parts[1]), Number(parts[2]), Number(parts[3]))) {
    return {
      what: `there is no day ${parts.slice(1, 4).join('-')}`,
      instead: 'write a day that exists, as YYYY-MM-DD',
    };
  }
  if (parts.length > 4 && parts[5] === undefined) {
    return {
      what: `"${text}" has a time and no zone`,
      instead: `write "${text.replace(' ', 'T')}Z" for UTC, or "+02:00" instead of the Z`,
    };
  }
  const atMs = Date.parse(
    text
      .replace(' ', 'T')
      .replace(/([+-]\d{2})(\d{2})$/, '$1:$2')
      .toUpperCase(),
  );
  return Number.isNaN(atMs) ? { what: `"${text}" is not a date`, instead: suggest('') } : { atMs };
}

const isDay = (year: number, month: number, day: number): boolean => {
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
};

function suggest(text: string): string {
  const german = /^(\d{1,2})\.(\d{1,2})\.(\d{4})$/.exec(text);
  if (german !== null)
    return `write "${german[3]}-${german[2].padStart(2, '0')}-${german[1].padStart(2, '0')}"`;
  if (/^(never|none|no)$/i.test(text)) return 'remove the key: a rule without it does not end';
  return 'write YYYY-MM-DD, for example "2027-03-31", or a full time such as "2027-03-31T18:00:00Z"';
}
