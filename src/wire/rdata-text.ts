/**
 * Rdata for people: presentation form of the types that stand in audits and tables, `\# n hex` for all others
 * (RFC 3597 section 5). Takes uncompressed rdata; never throws for what a stranger sent.
 */
import { Rrtype } from './codes.ts';
import { nameText, readName } from './name.ts';
import { MALFORMED, u16, u32 } from './octets.ts';

const generic = (octets: Uint8Array): string =>
  octets.length === 0 ? '\\# 0' : `\\# ${octets.length} ${Buffer.from(octets).toString('hex')}`;

/** Text of an IPv4 or IPv6 address in octets (RFC 5952 for IPv6). */
export function addressTextOf(octets: Uint8Array, at: number, length: number): string {
  if (length === 4) return `${octets[at]}.${octets[at + 1]}.${octets[at + 2]}.${octets[at + 3]}`;
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(u16(octets, at + i));
  let best = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && groups[i + run] === 0) run++;
    if (run > bestLength) [best, bestLength] = [i, run];
  }
  const text = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  return best === -1
    ? text(groups)
    : `${text(groups.slice(0, best))}::${text(groups.slice(best + bestLength))}`;
}

const scratch = new Uint8Array(256);

function nameAt(rdata: Uint8Array, at: number): string | null {
  return readName(rdata, at, rdata.length, scratch) === MALFORMED ? null : nameText(scratch);
}

function behindName(rdata: Uint8Array, at: number): number {
  while (rdata[at] !== 0) at += rdata[at] + 1;
  return at + 1;
}

function characterStrings(rdata: Uint8Array): string | null {
  const strings: string[] = [];
  for (let at = 0; at < rdata.length; ) {
    const end = at + 1 + rdata[at];
    if (end > rdata.length) return null;
    let text = '';
    for (at++; at < end; at++) {
      const octet = rdata[at];
      if (octet < 32 || octet > 126) text += `\\${String(octet).padStart(3, '0')}`;
      else
        text +=
          octet === 0x22 || octet === 0x5c ? `\\${String.fromCharCode(octet)}` : String.fromCharCode(octet);
    }
    strings.push(`"${text}"`);
  }
  return strings.join(' ');
}

function knownText(type: number, rdata: Uint8Array): string | null {
  switch (type) {
    case Rrtype.A:
      return rdata.length === 4 ? addressTextOf(rdata, 0, 4) : null;
    case Rrtype.AAAA:
      return rdata.length === 16 ? addressTextOf(rdata, 0, 16) : null;
    case Rrtype.CNAME:
    case Rrtype.NS:
    case Rrtype.PTR:
    case Rrtype.DNAME:
      return nameAt(rdata, 0);
    case Rrtype.MX: {
      const exchange = rdata.length > 2 ? nameAt(rdata, 2) : null;
      return exchange === null ? null : `${u16(rdata, 0)} ${exchange}`;
    }
    case Rrtype.SRV: {
      const target = rdata.length > 6 ? nameAt(rdata, 6) : null;
      return target === null ? null : `${u16(rdata, 0)} ${u16(rdata, 2)} ${u16(rdata, 4)} ${target}`;
    }
    case Rrtype.TXT:
    case Rrtype.SPF:
    case Rrtype.HINFO:
      return characterStrings(rdata);
    case Rrtype.SOA: {
      const mname = nameAt(rdata, 0);
      if (mname === null) return null;
      const rnameAt = behindName(rdata, 0);
      const rname = nameAt(rdata, rnameAt);
      if (rname === null) return null;
      const at = behindName(rdata, rnameAt);
      if (at + 20 !== rdata.length) return null;
      return [mname, rname, ...[0, 4, 8, 12, 16].map((i) => u32(rdata, at + i))].join(' ');
    }
    case Rrtype.CAA: {
      const tagEnd = 2 + rdata[1];
      if (rdata.length < 2 || tagEnd > rdata.length) return null;
      const latin = (from: number, to: number): string =>
        Buffer.from(rdata.subarray(from, to))
          .toString('latin1')
          .replace(/[^ -~]|["\\]/g, (c) => `\\${String(c.charCodeAt(0)).padStart(3, '0')}`);
      return `${rdata[0]} ${latin(2, tagEnd)} "${latin(tagEnd, rdata.length)}"`;
    }
    default:
      return null;
  }
}

/** Presentation form of uncompressed `rdata`. */
export const rdataText = (type: number, rdata: Uint8Array): string =>
  knownText(type, rdata) ?? generic(rdata);
