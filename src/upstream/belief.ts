/** Whether what came is the reply to an attempt: format, question, letter case, cookie, in this order. */

import { isTruncated } from '../wire/index.ts';
import type { Attempt } from './attempt.ts';
import { takeCookie } from './habits.ts';
import { Match, matchReply, Survey } from './reply.ts';
import type { Server } from './server.ts';

export type Belief =
  | 'believed'
  /** Not a reply to this question, or broken. */
  | 'unrelated'
  /** The question is right, but not the case or cookie that only the server can know. */
  | 'forged';

/** Judges replies one after the other; `survey` tells of the last one that was not `unrelated`. */
export class Believer {
  readonly survey = new Survey();

  judge(attempt: Attempt, server: Server, message: Uint8Array, length: number, nowMs: number): Belief {
    const match = matchReply(attempt, message, length);
    if (match === Match.NONE) return 'unrelated';
    const { survey } = this;
    const isStream = attempt.carrier !== server.ports;
    if (!survey.read(message, attempt.questionEnd, length)) {
      // A truncated reply may end within a record. Nothing is used of it but that TCP must be asked (RFC 2181 section 9).
      return !isStream && isTruncated(message) && match === Match.EXACT ? 'believed' : 'unrelated';
    }
    // A subnet option where none was sent is how one question is split into many (RebirthDay).
    if (survey.hasSubnet) return 'unrelated';
    if (attempt.mixedCase && !server.keepsCase.judge(match === Match.EXACT, isStream, nowMs)) return 'forged';
    if (!attempt.cookie) return 'believed';
    const { cookieAt, cookieLength } = survey;
    const isOurs = cookieLength > 0 && takeCookie(server.cookie, message, cookieAt, cookieLength);
    // RFC 7873 section 5.3: with a client cookie that is not ours, whatever else is known of the server.
    if (cookieLength > 0 && !isOurs && !isStream) return 'forged';
    return server.speaksCookies.judge(isOurs, isStream, nowMs) ? 'believed' : 'forged';
  }
}
