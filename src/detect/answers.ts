/** How much an answer may bring in, by type: octets its author fills freely, beyond what such answers ordinarily have. */
import type { Question } from '../wire/index.ts';
import { UNDERSCORE } from './forms.ts';

/** Octets of a response below which it carries nothing to speak of. */
export const ANSWER_MIN = 100;

const TYPE_CNAME = 5;
const TYPE_TXT = 16;

export function freeText(
  question: Question,
  octets: number,
  distinctAnswers: number,
  isApex: boolean,
): number {
  const hasUnderscore = question.name[1] === UNDERSCORE;
  switch (question.type) {
    case 1: // A
    case 28: // AAAA
    case 64: // SVCB
    case 65: // HTTPS
    case 12: // PTR
      return Math.max(0, octets - 420) + Math.max(0, distinctAnswers - 16) * 4;
    case 2: // NS
    case 6: // SOA
    case 43: // DS
    case 46: // RRSIG
    case 48: // DNSKEY
      return 0;
    case 15: // MX
      return Math.max(0, octets - (isApex ? 1200 : 200));
    case 33: // SRV: directories answer with all their servers.
      return Math.max(0, octets - (hasUnderscore ? 1200 : 80));
    case TYPE_TXT: // At the apex stand SPF and the tokens of a dozen services.
      return Math.max(0, octets - (isApex ? 1500 : ANSWER_MIN));
    default:
      return Math.max(0, octets - ANSWER_MIN);
  }
}

/** How much of it counts when the same client had an answer to the same question before. */
export const repeatShare = (type: number, isApex: boolean): number =>
  isApex || type !== TYPE_TXT ? 0.1 : 0.25;

/** TXT, CNAME, MX, and the types hardly any client asks. SRV and the rest of discovery are not among them. */
export const isFreeTextType = (type: number): boolean =>
  type === TYPE_TXT ||
  type === TYPE_CNAME ||
  type === 15 ||
  type === 10 ||
  type === 24 ||
  type === 25 ||
  type > 65_279;
