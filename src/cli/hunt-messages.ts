/** DNS messages inside captures, to records. */
import {
  answerCount,
  isResponse,
  MALFORMED,
  nameText,
  opcodeOf,
  Question,
  questionCount,
  rcodeOf,
} from '../wire/index.ts';
import type { HuntRecord } from './hunt-records.ts';

const reader = new Question(0);

/**
 * The record of a query or response, or null when the octets are no ordinary DNS message. The record of a response whose
 * query is in the capture too is an answer alone.
 */
export function messageRecord(
  message: Uint8Array,
  atMs: number,
  client: string,
  line: number,
  file: string,
  queriesToo: boolean,
): HuntRecord | null {
  if (message.length < 17 || opcodeOf(message) !== 0 || questionCount(message) !== 1) return null;
  if (reader.read(message, message.length) === MALFORMED) return null;
  const answered = isResponse(message);
  return {
    atMs,
    client,
    name: nameText(reader.name),
    type: reader.type,
    rcode: answered ? rcodeOf(message) : -1,
    octets: answered ? message.length : 0,
    distinctAnswers: answered ? answerCount(message) : 0,
    line,
    file,
    ...(answered && queriesToo ? { isAnswer: true } : {}),
  };
}
