/** How questions end, and what is counted of them. */
import { HEADER_LENGTH, questionCount, Rcode, rcodeOf } from '../wire/index.ts';
import type { Asked } from './attempt.ts';
import type { UpstreamFailure } from './contract.ts';

/** Numbers only grow. Health probes are not questions. */
export interface ExchangeCounters {
  questions: number;
  answered: number;
  /** By the failure told to the asker. */
  timeout: number;
  unreachable: number;
  unusable: number;
  overload: number;
  /** Questions for which nothing more was sent because nobody waited for the reply any more. */
  abandoned: number;
  retransmitted: number;
  /** Second servers asked before the first had answered. */
  hedged: number;
  /** Times a question went over TCP because replies were truncated, missing or doubtful. */
  overTcp: number;
  withoutEdns: number;
  /** Times a retransmission had to wait because the budget was spent. */
  retriesDenied: number;
}

export const newCounters = (): ExchangeCounters => ({
  questions: 0,
  answered: 0,
  timeout: 0,
  unreachable: 0,
  unusable: 0,
  overload: 0,
  abandoned: 0,
  retransmitted: 0,
  hedged: 0,
  overTcp: 0,
  withoutEdns: 0,
  retriesDenied: 0,
});

/** The server could not or would not answer, so another may. YXDOMAIN is an answer (RFC 6672 section 2.2). */
export const isComplaint = (rcode: number): boolean =>
  rcode !== Rcode.NOERROR && rcode !== Rcode.NXDOMAIN && rcode !== Rcode.YXDOMAIN;

/**
 * What servers say that do not know EDNS, or not our version of it (RFC 6891 sections 6.1.3 and 7). One that sends an OPT with
 * NOTIMP knows it and means something else.
 */
export const isAboutEdns = (rcode: number, hasOpt: boolean): boolean =>
  rcode === Rcode.FORMERR || rcode === Rcode.BADVERS || (rcode === Rcode.NOTIMP && !hasOpt);

/** A header that says FORMERR or NOTIMP and nothing behind it, as old servers reply to what they cannot read. */
export const isBareComplaint = (message: Uint8Array, length: number): boolean => {
  if (length !== HEADER_LENGTH || (message[2] & 0xf8) !== 0x80) return false;
  const rcode = rcodeOf(message);
  return questionCount(message) === 0 && (rcode === Rcode.FORMERR || rcode === Rcode.NOTIMP);
};

/**
 * BADVERS, BADCOOKIE and whatever else needs OPT to be said (RFC 6891 section 6.1.3): between us and the server, never
 * handed on. Whoever reads only the header would take it for NOERROR.
 */
export const isExtended = (rcode: number): boolean => rcode > 15;

/** Why nothing can be told but a failure. */
export function failureOf(asked: Asked): UpstreamFailure {
  if (asked.unusable) return 'unusable';
  if ((asked.refused !== 0 || asked.cut) && asked.attempts.length === 0) return 'unreachable';
  const servers = asked.pool?.servers ?? [];
  if (asked.messages === 0 && servers.some(({ down }) => down === 'no-descriptor')) return 'overload';
  if (asked.messages === 0 && servers.every(({ down }) => down !== null && down !== 'silent'))
    return 'unreachable';
  return asked.full ? 'overload' : 'timeout';
}
