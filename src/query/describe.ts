/** Answers in words, for the audit: made once for each stored response. */
import type { Answer } from '../answer/index.ts';
import {
  MALFORMED,
  NAME_LENGTH_MAX,
  RecordPlace,
  Rrtype,
  rdataText,
  skipName,
  typeName,
} from '../wire/index.ts';
import type { Finding, SecretWatch } from './contract.ts';

const ANSWERS_MAX = 16;
const record = new RecordPlace();
/** A body cut loose from its message still holds pointers into the question; they are only stepped over here. */
const message = new Uint8Array(0x10000 + NAME_LENGTH_MAX);

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
