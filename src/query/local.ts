/**
 * Answers of local zones as messages: written out once, then read like any upstream's reply, so that aliases, TTLs and
 * sizes go one way for all.
 */
import type { LocalAnswer, LocalRrset } from '../policy/index.ts';
import {
  AA,
  copyOctets,
  HEADER_LENGTH,
  nameOctets,
  putU16,
  putU32,
  QR,
  type Question,
  Rcode,
  Rrclass,
  Rrtype,
  writeHeader,
} from '../wire/index.ts';
import type { Query } from './query.ts';

/** The whole message, question included; rdata of local records is uncompressed and so are owners. */
export function localMessage(local: LocalAnswer, question: Question): Uint8Array {
  let length = HEADER_LENGTH + question.length + 4;
  for (const rrset of [...local.answers, ...local.authority]) {
    for (const rdata of rrset.rdata) length += rrset.owner.length + 10 + rdata.length;
  }
  const message = new Uint8Array(length);
  const count = (rrsets: readonly LocalRrset[]): number =>
    rrsets.reduce((sum, { rdata }) => sum + rdata.length, 0);
  const rcode = local.rcode === 'NXDOMAIN' ? Rcode.NXDOMAIN : Rcode.NOERROR;
  writeHeader(message, 0, ((QR | AA) << 8) | rcode, 1, count(local.answers), count(local.authority), 0);
  let at = copyOctets(question.name, 0, message, HEADER_LENGTH, question.length);
  at = putU16(message, at, question.type);
  at = putU16(message, at, Rrclass.IN);
  for (const rrset of [...local.answers, ...local.authority]) {
    for (const rdata of rrset.rdata) {
      at = copyOctets(rrset.owner, 0, message, at, rrset.owner.length);
      at = putU16(message, at, rrset.type);
      at = putU16(message, at, Rrclass.IN);
      at = putU32(message, at, rrset.ttlSeconds);
      at = putU16(message, at, rdata.length);
      at = copyOctets(rdata, 0, message, at, rdata.length);
    }
  }
  return message;
}

const ROOT = Uint8Array.of(0);
/** The set of 1997 still, and no secret: IANA's root hints. */
const ROOT_SERVERS: LocalRrset = {
  owner: ROOT,
  type: Rrtype.NS,
  ttlSeconds: 86_400,
  rdata: Array.from('abcdefghijklm', (letter) => nameOctets(`${letter}.root-servers.net`)),
};

/**
 * What `. NS` is answered with, as a message, when no upstream does: by that question CoreDNS tries whether we are well, and
 * without an answer it would take us for the one that is away.
 */
export const rootServersMessage = (question: Question): Uint8Array =>
  localMessage({ rcode: 'NOERROR', answers: [ROOT_SERVERS], authority: [], leadsTo: null }, question);

/** Whether this is that question. Who wants signatures means the set itself. */
export const isHealthProbe = (query: Query, question: Question): boolean =>
  question.length === 1 && question.type === Rrtype.NS && !query.dnssecOk;
