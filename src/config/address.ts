/** Client addresses and prefixes as people write them (RFC 4291, RFC 4632). */
import { isIP } from 'node:net';
import { addressTextOf } from '../wire/index.ts';
import type { Complaint } from './fault.ts';

export interface Prefix {
  /** 4 or 16 octets. */
  readonly address: Uint8Array;
  readonly prefixLength: number;
}

const EVERYBODY = new Set(['*', 'any', 'all', 'everyone', 'everybody']);
const EXAMPLE = 'write an address or a CIDR prefix, for example "10.0.0.0/8" or "2001:db8::/32"';

/** A prefix, or what is wrong with the text. Bits behind the prefix are a fault: they hide a typing error. */
export function readPrefix(text: string): Prefix | Complaint {
  if (EVERYBODY.has(text.toLowerCase())) {
    return { what: `"${text}" is not an address`, instead: 'write "0.0.0.0/0" and "::/0" for every client' };
  }
  if (text === 'localhost')
    return { what: '"localhost" is a name', instead: 'write "127.0.0.0/8" and "::1"' };
  if (/^[\d.]+\s*-\s*[\d.]+$/.test(text)) {
    return {
      what: `"${text}" is a range`,
      instead: 'write the prefixes that cover it, for example "10.0.0.0/28"',
    };
  }
  const [host, length, ...more] = text.split('/');
  if (host.includes('%')) return { what: `"${text}" has a zone`, instead: `write "${host.split('%')[0]}"` };
  const address = addressOctets(host);
  if (address === null || more.length > 0)
    return { what: `"${text}" is not an address or prefix`, instead: EXAMPLE };
  if (address.length === 16 && isMapped(address)) {
    const plain = addressText(address.subarray(12));
    const suffix = length === undefined ? '' : `/${Math.max(Number(length) - 96, 0) || 0}`;
    return { what: `"${text}" is an IPv4 address in IPv6 clothes`, instead: `write "${plain}${suffix}"` };
  }
  const bits = address.length * 8;
  if (length === undefined) return { address, prefixLength: bits };
  const mask = addressOctets(length);
  if (mask?.length === 4 && address.length === 4) {
    return { what: `"${text}" has a netmask`, instead: `write "${host}/${leadingOnes(mask)}"` };
  }
  if (!/^\d{1,3}$/.test(length) || Number(length) > bits) {
    return {
      what: `"/${length}" is not a prefix length`,
      instead: `write a number from 0 to ${bits}, for example "${host}/${bits}"`,
    };
  }
  const prefixLength = Number(length);
  const masked = maskAddress(address, prefixLength);
  if (masked.some((octet, i) => octet !== address[i])) {
    const network = `${addressText(masked)}/${prefixLength}`;
    const what = `"${text}" has bits set behind its prefix`;
    return { what, instead: `write "${network}" for the network, or "${host}" for that one address` };
  }
  return { address, prefixLength };
}

/** Octets of an address, 4 or 16, or null. */
export function addressOctets(text: string): Uint8Array | null {
  const family = text.includes('%') ? 0 : isIP(text);
  if (family === 0) return null;
  if (family === 4) return Uint8Array.from(text.split('.'), Number);
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const plain =
    dotted === null
      ? text
      : text.slice(0, dotted.index) +
        [1, 3].map((i) => ((Number(dotted[i]) << 8) | Number(dotted[i + 1])).toString(16)).join(':');
  const [head, tail] = plain.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const groups =
    tail === undefined ? head : [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail];
  return Uint8Array.from(
    groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]),
  );
}

/** Text of an address of 4 or 16 octets; IPv6 in the form of RFC 5952. */
export const addressText = (address: Uint8Array): string => addressTextOf(address, 0, address.length);

const isMapped = (address: Uint8Array): boolean =>
  address.subarray(0, 10).every((octet) => octet === 0) && address[10] === 0xff && address[11] === 0xff;

const maskAddress = (address: Uint8Array, prefixLength: number): Uint8Array =>
  address.map((octet, i) => octet & (0xff00 >> Math.min(8, Math.max(0, prefixLength - 8 * i))) & 0xff);

function leadingOnes(mask: Uint8Array): number {
  const bits = [...mask].map((octet) => octet.toString(2).padStart(8, '0')).join('');
  return bits.includes('0') ? bits.indexOf('0') : bits.length;
}
