/**
 * DNS messages made again from an entry of the audit, for receivers that want octets.
 *
 * The entry holds what matters and not every bit: TTLs are 0, names are lower case, records beyond the first sixteen, the
 * authority section and the client's EDNS options are missing. An unreadable query stands as it came when it had at most 64 octets.
 */
import { createHash } from 'node:crypto';
import type { AuditRecord } from '../audit/index.ts';
import {
  AA,
  edeOption,
  HEADER_LENGTH,
  nameOctets,
  OPT_LENGTH,
  putU16,
  QR,
  RA,
  Rcode,
  RD,
  Rrclass,
  Rrtype,
  rdataOctets,
  typeOf,
  UDP_SIZE,
  writeHeader,
  writeOpt,
} from '../wire/index.ts';

/** Codes for the names in the log: `NXDOMAIN`, `RCODE3841`. */
export function rcodeOf(name: string): number {
  const known = (Rcode as Readonly<Record<string, number>>)[name];
  return known ?? Number(/^RCODE(\d{1,4})$/.exec(name)?.[1] ?? Rcode.SERVFAIL);
}

const classOf = (name: string | undefined): number =>
  (Rrclass as Readonly<Record<string, number>>)[name ?? 'IN'] ??
  Number(/^CLASS(\d{1,5})$/.exec(name ?? '')?.[1] ?? 1);

/** Octets of the name that was asked; null for unreadable queries. */
export function questionName({ qname }: AuditRecord): Uint8Array | null {
  if (qname === undefined) return null;
  try {
    return nameOctets(qname);
  } catch {
    return null;
  }
}

function questionOctets(record: AuditRecord): Uint8Array | null {
  const name = questionName(record);
  const type = record.qtype === undefined ? undefined : typeOf(record.qtype);
  if (name === null || type === undefined) return null;
  const octets = new Uint8Array(name.length + 4);
  octets.set(name);
  putU16(octets, putU16(octets, name.length, type), classOf(record.qclass));
  return octets;
}

/** The query as the client may have sent it; null when the entry does not hold enough of it. */
export function queryMessage(record: AuditRecord, id: number): Uint8Array | null {
  const question = questionOctets(record);
  if (question === null) return rawMessage(record);
  const message = new Uint8Array(HEADER_LENGTH + question.length);
  const flags = record.cause === 'recursion' ? 0 : RD << 8;
  writeHeader(message, id, flags, 1, 0, 0, 0);
  message.set(question, HEADER_LENGTH);
  return message;
}

/** The first 64 octets are the whole when they have the hash of the whole. */
function rawMessage(record: AuditRecord): Uint8Array | null {
  const { raw } = record as { raw?: { hex?: string; sha256?: string } };
  if (raw?.hex === undefined) return null;
  const octets = Buffer.from(raw.hex, 'hex');
  return createHash('sha256').update(octets).digest('hex') === raw.sha256 ? octets : null;
}

/** A response with the answers of the entry. `rcode` is a name; null answers mean none. */
export function responseMessage(
  record: AuditRecord,
  id: number,
  rcode: number,
  answers: readonly string[],
  ede: number | null,
): Uint8Array {
  const question = questionOctets(record);
  const parts: Uint8Array[] = question === null ? [] : [question];
  const records = question === null ? [] : answerRecords(question.subarray(0, question.length - 4), answers);
  parts.push(...records);
  const hasOpt = ede !== null || rcode > 15;
  if (hasOpt) parts.push(optRecord(rcode >> 4, ede));
  const message = new Uint8Array(HEADER_LENGTH + parts.reduce((sum, { length }) => sum + length, 0));
  const authority = record.verdict === 'local' && record.cause === undefined ? AA : 0;
  const flags = ((QR | RD | authority) << 8) | RA | (rcode & 15);
  let at = writeHeader(message, id, flags, question === null ? 0 : 1, records.length, 0, hasOpt ? 1 : 0);
  for (const part of parts) {
    message.set(part, at);
    at += part.length;
  }
  return message;
}

/** `A 192.0.2.1` as records; the owner follows the aliases, which stand in their order. */
function answerRecords(qname: Uint8Array, answers: readonly string[]): Uint8Array[] {
  let owner = qname;
  const records: Uint8Array[] = [];
  for (const answer of answers) {
    const space = answer.indexOf(' ');
    const type = typeOf(answer.slice(0, space));
    const rdata = type === undefined ? null : rdataOctets(type, answer.slice(space + 1));
    if (type === undefined || rdata === null) continue;
    const octets = new Uint8Array(owner.length + 10 + rdata.length);
    octets.set(owner);
    let at = putU16(octets, owner.length, type);
    at = putU16(octets, at, Rrclass.IN);
    octets.set(rdata, putU16(octets, at + 4, rdata.length));
    records.push(octets);
    if (type === Rrtype.CNAME) owner = rdata;
  }
  return records;
}

function optRecord(extendedRcode: number, ede: number | null): Uint8Array {
  // The text of an extended error is not kept; code 0 needs one.
  const option = ede === null ? new Uint8Array(0) : edeOption(ede, ede === 0 ? '-' : '');
  const octets = new Uint8Array(OPT_LENGTH + option.length);
  writeOpt(octets, 0, UDP_SIZE, extendedRcode, false);
  putU16(octets, OPT_LENGTH - 2, option.length);
  octets.set(option, OPT_LENGTH);
  return octets;
}
