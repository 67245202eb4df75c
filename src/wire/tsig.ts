/**
 * TSIG (RFC 8945), as far as a server goes that shares no key with anybody.
 *
 *    key name  TSIG(2)  ANY(2)  0(4)  rdlength(2)
 *    algorithm name  time signed(6)  fudge(2)  MAC size(2)  MAC  original id(2)  error(2)  other length(2)  other
 */
import { Rrclass, Rrtype } from './codes.ts';
import { expandName, skipName } from './name.ts';
import { copyOctets, MALFORMED, putU16, u16 } from './octets.ts';
import { RecordPlace } from './record.ts';

const BADKEY = 17;
/** Octets of rdata behind the algorithm and without MAC and other data. */
const FIXED_LENGTH = 16;

/**
 * The record that tells the signer of a message that its key is not known: the one it sent, without a MAC (RFC 8945 section
 * 5.2.1). `at` is where its TSIG begins; null when that is malformed.
 */
export function unknownKey(message: Uint8Array, at: number, end: number): Uint8Array | null {
  const place = new RecordPlace();
  const recordEnd = place.read(message, at, end);
  if (recordEnd === MALFORMED || place.class !== Rrclass.ANY || place.ttlSeconds !== 0) return null;
  const key = new Uint8Array(256);
  const algorithm = new Uint8Array(256);
  const keyLength = expandName(message, at, end, key, 0);
  const algorithmLength = expandName(message, place.rdataAt, recordEnd, algorithm, 0);
  const fixedAt = skipName(message, place.rdataAt, recordEnd);
  if (keyLength === MALFORMED || algorithmLength === MALFORMED || fixedAt === MALFORMED) return null;
  const left = recordEnd - fixedAt - FIXED_LENGTH;
  if (left < 0) return null;
  const macLength = u16(message, fixedAt + 8);
  if (macLength > left || u16(message, fixedAt + 14 + macLength) !== left - macLength) return null;
  const record = new Uint8Array(keyLength + 10 + algorithmLength + FIXED_LENGTH);
  let to = copyOctets(key, 0, record, 0, keyLength);
  to = putU16(record, to, Rrtype.TSIG);
  to = putU16(record, to, Rrclass.ANY);
  to = putU16(record, to + 4, algorithmLength + FIXED_LENGTH);
  to = copyOctets(algorithm, 0, record, to, algorithmLength);
  to = copyOctets(message, fixedAt, record, to, 8);
  to = putU16(record, to, 0);
  to = copyOctets(message, fixedAt + 10 + macLength, record, to, 2);
  putU16(record, to, BADKEY);
  return record;
}
