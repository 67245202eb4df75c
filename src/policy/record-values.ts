/** The small values that RDATA is made of, from their text. */
import { isIPv4, isIPv6 } from 'node:net';
import { join, RecordError, type Word } from './master-line.ts';

export function ipv4Octets(text: string): Uint8Array {
  if (!isIPv4(text))
    throw new RecordError(`"${text}" is not an IPv4 address`, 'four numbers from 0 to 255, e.g. 192.0.2.1');
  return Uint8Array.from(text.split('.').map(Number));
}

export function ipv6Octets(text: string): Uint8Array {
  if (!isIPv6(text) || text.includes('%')) {
    throw new RecordError(`"${text}" is not an IPv6 address`, 'e.g. 2001:db8::1');
  }
  const plain = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
    [a * 256 + Number(b), c * 256 + Number(d)].map((word) => word.toString(16)).join(':'),
  );
  const [head, tail] = plain.split('::').map((part) => (part === '' ? [] : part.split(':')));
  const words =
    tail === undefined ? head : [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail];
  return join(...words.map((word) => u16Octets(Number.parseInt(word, 16))));
}

export function numberOf({ text }: Word, what: string, max: number): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) > max) {
    throw new RecordError(`the ${what} "${text}" is not a number from 0 to ${max}`, '');
  }
  return Number(text);
}

export const u16Octets = (value: number): number[] => [value >>> 8, value & 255];

export const u16Of = (word: Word, what: string): number[] => u16Octets(numberOf(word, what, 0xffff));
