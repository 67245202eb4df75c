/**
 * The way back from `rdataText`: uncompressed rdata from the presentation form that stands in the audit. For texts that
 * Sallyport wrote itself; what is cut or of another form is null, never a guess.
 */
import { isIP } from 'node:net';
import { Rrtype } from './codes.ts';
import { nameOctets } from './name.ts';

/** Rdata of a type from its text, or null. */
export function rdataOctets(type: number, text: string): Uint8Array | null {
  try {
    return generic(text) ?? known(type, text);
  } catch {
    // A name that was cut is no name.
    return null;
  }
}

function generic(text: string): Uint8Array | null {
  const parts = /^\\# (\d{1,5})(?: ([0-9a-f]*))?$/.exec(text);
  if (parts === null) return null;
  const octets = Buffer.from(parts[2] ?? '', 'hex');
  return octets.length === Number(parts[1]) ? octets : null;
}

function known(type: number, text: string): Uint8Array | null {
  const words = text.split(' ');
  switch (type) {
    case Rrtype.A:
      return isIP(text) === 4 ? Uint8Array.from(text.split('.'), Number) : null;
    case Rrtype.AAAA:
      return isIP(text) === 6 ? ipv6Octets(text) : null;
    case Rrtype.CNAME:
    case Rrtype.NS:
    case Rrtype.PTR:
    case Rrtype.DNAME:
      return nameOctets(text);
    case Rrtype.MX:
      return words.length === 2 ? joined(u16s(words.slice(0, 1)), nameOctets(words[1])) : null;
    case Rrtype.SRV:
      return words.length === 4 ? joined(u16s(words.slice(0, 3)), nameOctets(words[3])) : null;
    case Rrtype.TXT:
    case Rrtype.SPF:
    case Rrtype.HINFO:
      return strings(text);
    case Rrtype.SOA:
      return words.length === 7
        ? joined(nameOctets(words[0]), nameOctets(words[1]), u32s(words.slice(2)))
        : null;
    case Rrtype.CAA:
      return certificationAuthority(text);
    default:
      return null;
  }
}

function joined(...parts: (Uint8Array | null)[]): Uint8Array | null {
  return parts.includes(null) ? null : Buffer.concat(parts as Uint8Array[]);
}

function numbers(words: readonly string[], octets: 2 | 4): Uint8Array | null {
  const out = Buffer.alloc(words.length * octets);
  for (const [index, word] of words.entries()) {
    if (!/^\d{1,10}$/.test(word) || Number(word) >= 256 ** octets) return null;
    out.writeUIntBE(Number(word), index * octets, octets);
  }
  return out;
}
const u16s = (words: readonly string[]): Uint8Array | null => numbers(words, 2);
const u32s = (words: readonly string[]): Uint8Array | null => numbers(words, 4);

/** The form of RFC 5952: hexadecimal groups, one run of zeros as `::`, and no dotted tail. */
function ipv6Octets(text: string): Uint8Array | null {
  const [head, tail] = text.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const groups =
    tail === undefined ? head : [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail];
  if (groups.length !== 8) return null;
  const out = Buffer.alloc(16);
  for (const [index, group] of groups.entries()) out.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  return out;
}

/** Octets of a text whose quotes, backslashes and unprintable octets are escaped. */
function unescaped(text: string): Buffer {
  const latin = text.replace(/\\(\d{3}|.)/g, (_, escaped: string) =>
    escaped.length === 3 ? String.fromCharCode(Number(escaped)) : escaped,
  );
  return Buffer.from(latin, 'latin1');
}

const STRING = /"((?:[^"\\]|\\.)*)"(?: |$)/y;

function strings(text: string): Uint8Array | null {
  const parts: Buffer[] = [];
  STRING.lastIndex = 0;
  for (let at = 0; at < text.length; at = STRING.lastIndex) {
    const found = STRING.exec(text);
    if (found === null) return null;
    const octets = unescaped(found[1]);
    if (octets.length > 255) return null;
    parts.push(Buffer.of(octets.length), octets);
  }
  return parts.length === 0 ? null : Buffer.concat(parts);
}

function certificationAuthority(text: string): Uint8Array | null {
  const parts = /^(\d{1,3}) (\S+) "((?:[^"\\]|\\.)*)"$/.exec(text);
  if (parts === null) return null;
  const tag = unescaped(parts[2]);
  return Buffer.concat([Buffer.of(Number(parts[1]), tag.length), tag, unescaped(parts[3])]);
}
