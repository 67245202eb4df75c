/** The records of a local zone from the lines a policy file gives, each in master-file form (RFC 1035 section 5.1). */
import { isAtOrBelow, nameText, Rrtype, sameName, typeName, typeOf } from '../wire/index.ts';
import type { LocalRrset } from './contract.ts';
import { join, nameAt, RecordError, splitWords, stringOctets, ttlSeconds, type Word } from './master-line.ts';
import { printable } from './printable.ts';
import { rdataOf } from './rdata-text.ts';
import type { RecordFault } from './source.ts';

const TTL_SECONDS_MAX = 0x7fff_ffff;

/** For a zone without an SOA of its own: how long "no such name" is kept at most. */
const NEGATIVE_SECONDS_MAX = 300;

export interface ParsedZone {
  readonly rrsets: readonly LocalRrset[];
  readonly faults: readonly RecordFault[];
}

interface ParsedRecord {
  readonly owner: Uint8Array;
  readonly type: number;
  readonly ttlSeconds: number;
  readonly rdata: Uint8Array;
  /** Position in the lines. */
  readonly index: number;
}

/**
 * Reads every line and reports all faults at once. `zone` is the canonical apex, `ttl` the seconds of records that give
 * none. The SOA stands first in the result; a zone that has none gets one.
 */
export function parseLocalZone(zone: Uint8Array, ttl: number, lines: readonly string[]): ParsedZone {
  const faults: RecordFault[] = [];
  const records: ParsedRecord[] = [];
  for (const [index, line] of lines.entries()) {
    try {
      const record = parseRecord(zone, ttl, line);
      if (record === null) continue;
      checkAgainst(records, record);
      records.push({ ...record, index });
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      faults.push({
        index,
        problem: `record "${printable(line.trim(), 80)}": ${printable(error.message, 200)}`,
        instead: printable(error.instead, 200),
      });
    }
  }
  const rrsets = gather(records);
  const soa = rrsets.find(({ type }) => type === Rrtype.SOA) ?? makeSoa(zone, ttl);
  return { rrsets: [soa, ...rrsets.filter((rrset) => rrset !== soa)], faults };
}

/** One record, or null for a blank line or a comment. Throws RecordError. */
function parseRecord(zone: Uint8Array, ttl: number, line: string): Omit<ParsedRecord, 'index'> | null {
  const words = splitWords(line.trim());
  if (words.length === 0) return null;
  if (words[0].text.startsWith('$')) {
    throw new RecordError(
      `${words[0].text} is not understood here`,
      'whole names with a final dot, and a TTL in each record',
    );
  }
  const head = readHead(words, ttl);
  const owner = nameAt(words[0].text, zone);
  if (!isAtOrBelow(owner, zone)) {
    throw new RecordError(
      `${nameText(owner)} is outside the zone ${nameText(zone)}`,
      'names of this zone, or without the final dot to mean a name relative to it',
    );
  }
  checkStars(owner);
  checkPlace(zone, owner, head.type);
  const rdata = rdataOf(head.type, head.rest, zone);
  if (rdata.length > 0xffff) throw new RecordError('is longer than 65,535 octets', 'less');
  return { owner, type: head.type, ttlSeconds: head.ttlSeconds, rdata };
}

/** TTL and class may stand in either order, and both may be missing. */
function readHead(
  words: readonly Word[],
  ttl: number,
): { ttlSeconds: number; type: number; rest: readonly Word[] } {
  let seconds = ttl;
  let at = 1;
  for (; at < words.length; at++) {
    const text = words[at].text;
    const given = ttlSeconds(text);
    if (given !== null) {
      if (given > TTL_SECONDS_MAX)
        throw new RecordError(`the TTL ${text} is too long`, `at most ${TTL_SECONDS_MAX} seconds`);
      seconds = given;
    } else if (/^(CH|HS|CS)$/i.test(text)) {
      throw new RecordError(`class ${text} is not served`, 'class IN, or none');
    } else if (!/^IN$/i.test(text)) {
      break;
    }
  }
  const type = at < words.length ? typeOf(words[at].text) : undefined;
  if (type === undefined) {
    const found = at < words.length ? `"${words[at].text}" is not a type` : 'has no type';
    throw new RecordError(found, 'name, TTL, type, data: "www 300 A 192.0.2.1"');
  }
  return { ttlSeconds: seconds, type, rest: words.slice(at + 1) };
}

/** A star is a wildcard as the first label only (RFC 4592 section 2.1.1). */
function checkStars(owner: Uint8Array): void {
  for (let at = owner[0] + 1; owner[at] !== 0; at += owner[at] + 1) {
    if (owner[at] === 1 && owner[at + 1] === 0x2a) {
      throw new RecordError(
        `${nameText(owner)} has a star below other labels`,
        'a star as the first label only: "*.dev"',
      );
    }
  }
}

function checkPlace(zone: Uint8Array, owner: Uint8Array, type: number): void {
  const isApex = sameName(owner, 0, zone, 0);
  if (type === Rrtype.SOA && !isApex)
    throw new RecordError('an SOA stands below the apex', '"@" as its name');
  if (type === Rrtype.NS && !isApex) {
    throw new RecordError(
      'an NS below the apex would delegate, and local zones have no delegations',
      'a route under via: for that suffix',
    );
  }
  if (type === Rrtype.CNAME && isApex) {
    throw new RecordError(
      'a CNAME at the apex would hide the SOA',
      'A and AAAA records, or HTTPS 0 with the target',
    );
  }
  if (type === Rrtype.DNAME) throw new RecordError('DNAME is not followed here', 'a CNAME for each name');
}

/** A CNAME is alone at its name (RFC 2181 section 10.1), and an SOA alone in its zone. */
function checkAgainst(records: readonly ParsedRecord[], record: Omit<ParsedRecord, 'index'>): void {
  for (const other of records) {
    if (!sameName(other.owner, 0, record.owner, 0)) continue;
    if (other.type === Rrtype.CNAME || record.type === Rrtype.CNAME) {
      const types = `${typeName(other.type)} and ${typeName(record.type)}`;
      throw new RecordError(
        `${nameText(record.owner)} has ${types}; a CNAME stands alone`,
        'either the CNAME or the other records',
      );
    }
    if (record.type === Rrtype.SOA && other.type === Rrtype.SOA)
      throw new RecordError('is a second SOA', 'one SOA');
  }
}

/** RRsets from records: one for each owner and type, equal data once, the shortest TTL for all (RFC 2181 section 5.2). */
function gather(records: readonly ParsedRecord[]): LocalRrset[] {
  const rrsets = new Map<string, LocalRrset & { rdata: Uint8Array[] }>();
  for (const { owner, type, ttlSeconds: seconds, rdata } of records) {
    const key = `${type} ${nameText(owner)}`;
    const known = rrsets.get(key);
    if (known === undefined) {
      rrsets.set(key, { owner, type, ttlSeconds: seconds, rdata: [rdata] });
      continue;
    }
    const isNew = known.rdata.every((other) => Buffer.compare(other, rdata) !== 0);
    rrsets.set(key, {
      ...known,
      ttlSeconds: Math.min(known.ttlSeconds, seconds),
      rdata: isNew ? [...known.rdata, rdata] : known.rdata,
    });
  }
  return [...rrsets.values()];
}

/** Names no server and nobody to write to, as RFC 6303 section 3 does for zones that exist only here. */
function makeSoa(zone: Uint8Array, ttl: number): LocalRrset {
  const negativeSeconds = Math.min(ttl, NEGATIVE_SECONDS_MAX);
  const words = [1, 3600, 1200, 604_800, negativeSeconds].flatMap((value) => [
    (value >>> 24) & 255,
    (value >>> 16) & 255,
    (value >>> 8) & 255,
    value & 255,
  ]);
  const nobody = join([6], stringOctets('nobody'), [7], stringOctets('invalid'), [0]);
  return {
    owner: new Uint8Array(zone),
    type: Rrtype.SOA,
    ttlSeconds: negativeSeconds,
    rdata: [join(zone, nobody, words)],
  };
}
