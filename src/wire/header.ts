/**
 * The twelve octets that open every DNS message (RFC 1035 section 4.1.1, RFC 2535 section 6.1).
 *
 *    0 ID         2 QR Opcode AA TC RD     3 RA Z AD CD Rcode
 *    4 QDCOUNT    6 ANCOUNT                8 NSCOUNT     10 ARCOUNT
 *
 * Callers have checked that a whole header is there; no length is looked at again.
 */
import { putU16, u8, u16 } from './octets.ts';

export const HEADER_LENGTH = 12;

/** Bits of the third octet. */
export const QR = 0x80;
export const AA = 0x04;
export const TC = 0x02;
export const RD = 0x01;
/** Bits of the fourth octet. */
export const RA = 0x80;
export const AD = 0x20;
export const CD = 0x10;

export const messageId = (message: Uint8Array): number => u16(message, 0);
export const isResponse = (message: Uint8Array): boolean => (u8(message, 2) & QR) !== 0;
export const opcodeOf = (message: Uint8Array): number => (u8(message, 2) >> 3) & 15;
export const isTruncated = (message: Uint8Array): boolean => (u8(message, 2) & TC) !== 0;
export const rcodeOf = (message: Uint8Array): number => u8(message, 3) & 15;
export const questionCount = (message: Uint8Array): number => u16(message, 4);
export const answerCount = (message: Uint8Array): number => u16(message, 6);
export const authorityCount = (message: Uint8Array): number => u16(message, 8);
export const additionalCount = (message: Uint8Array): number => u16(message, 10);

/** Writes all twelve octets. `flags` holds the third octet in its high half and the fourth in its low half. */
export function writeHeader(
  message: Uint8Array,
  id: number,
  flags: number,
  questions: number,
  answers: number,
  authorities: number,
  additionals: number,
): number {
  putU16(message, 0, id);
  putU16(message, 2, flags);
  putU16(message, 4, questions);
  putU16(message, 6, answers);
  putU16(message, 8, authorities);
  return putU16(message, 10, additionals);
}
