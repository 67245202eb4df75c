/** Answers in words, for the audit: made once for each stored response. */
import type { Answer } from '../answer/index.ts';
import type { AddressRun, DetailFields } from '../audit/index.ts';
import {
  MALFORMED,
  NAME_LENGTH_MAX,
  RecordPlace,
  Rrtype,
  rdataText,
  skipName,
  typeName,
  u16,
} from '../wire/index.ts';
import type { Finding, SecretWatch } from './contract.ts';

const ANSWERS_MAX = 16;
const record = new RecordPlace();
/** A body cut loose from its message still holds pointers into the question; they are only stepped over here. */
const message = new Uint8Array(0x10000 + NAME_LENGTH_MAX);

/** Pointer to the question, type, class, TTL, length, and the address. */
const ADDRESS_AT = 12;
const ADDRESS_STRIDE = 16;
/** Filled for each answer; the audit reads it at once. */
const addresses: { -readonly [Key in keyof AddressRun]: AddressRun[Key] } = {
  octets: message,
  at: ADDRESS_AT,
  stride: ADDRESS_STRIDE,
  count: 0,
};

/** What an answer adds to its entry. Nearly all answers are addresses, and these take no text. To be rendered at once. */
export function answerDetail(
  answer: Answer,
  questionEnd: number,
  upstream: string,
  secrets: SecretWatch,
  finding: Finding | null,
): DetailFields {
  if (finding === null && isAddresses(answer)) {
    addresses.octets = answer.body;
    addresses.count = answer.answerCount;
    return { addresses, upstream };
  }
  return { answers: answerTexts(answer, questionEnd, secrets, finding), upstream };
}

/** Nothing but A records of the question's own name. */
function isAddresses({ body, answerCount, authorityCount }: Answer): boolean {
  if (answerCount === 0 || answerCount > ANSWERS_MAX || authorityCount > 0) return false;
  if (body.length !== answerCount * ADDRESS_STRIDE) return false;
  for (let at = 0; at < body.length; at += ADDRESS_STRIDE)
    if (body[at] < 0xc0 || u16(body, at + 2) !== Rrtype.A || u16(body, at + 10) !== 4) return false;
  return true;
}

/** `A 192.0.2.1`, `CNAME example.net`, … for the first 16 records of the answer section. */
export function answerTexts(
  answer: Answer,
  questionEnd: number,
  secrets: SecretWatch,
  finding: Finding | null,
): string[] {
  const texts: string[] = [];
  const end = questionEnd + answer.body.length;
  if (end > message.length) return texts;
  message.set(answer.body, questionEnd);
  for (let at = questionEnd, i = 0; i < answer.answerCount && texts.length < ANSWERS_MAX; i++) {
    at = skipName(message, at, end) === MALFORMED ? MALFORMED : record.read(message, at, end);
    if (at === MALFORMED) break;
    if (record.type === Rrtype.RRSIG) continue;
    const rdata = message.subarray(record.rdataAt, record.rdataAt + record.rdataLength);
    const text = secrets.redactRdata(record.type, rdataText(record.type, rdata), finding);
    texts.push(`${typeName(record.type)} ${text}`);
  }
  return texts;
}
