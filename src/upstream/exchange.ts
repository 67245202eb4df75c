/**
 * How a question is carried through: which message goes out next, what a reply means, and when to give up.
 *
 *    ask ──▶ advance ──▶ a server not tried yet ──▶ the same once more ──▶ TCP ──▶ wait for the deadline
 *               ▲                                                                    │
 *               ├── due: the hedge delay or retransmission time is over              │
 *               ├── lost: refused, connection closed                                 │
 *               └── received: TC, an error, a referral, what the asker cannot use    ▼
 *                   received: anything else that matches ──────────────────▶ settle: told once
 *
 * A reply that does not match is counted and the wait goes on (TuDoor): only the socket's own error or the deadline end
 * a wait early. At most MESSAGES_MAX messages go out for a question, and only as many again as RetryBudget allows.
 */
import { copyOctets, isTruncated, Rcode, Rrtype } from '../wire/index.ts';
import type { Asked, Attempt } from './attempt.ts';
import { Believer } from './belief.ts';
import type { Carrier, Loss } from './carrier.ts';
import type { Asker, UpstreamFailure, UpstreamQuestion } from './contract.ts';
import { Desk } from './desk.ts';
import { IN_FLIGHT_MAX, MESSAGES_MAX, MISMATCHES_MAX } from './options.ts';
import { failureOf, isAboutEdns, isBareComplaint, isComplaint, isExtended, newCounters } from './outcome.ts';
import type { Pool } from './pool.ts';
import { Sending } from './sending.ts';
import { PROBE_MS, type Server, type ServerEvents } from './server.ts';
import { Ticker } from './ticker.ts';
import { TICK_MS } from './wheel.ts';

/** Wait before a question is looked at again that may not be sent for now. */
const PAUSE_MS = 50;
const REPLY_MAX = 0x10000;
/** Below this a loop copies faster than a view that is made for it. */
const LOOP_MAX = 256;

export class Exchange implements ServerEvents {
  readonly counters = newCounters();
  readonly #now: () => number;
  readonly #flushServers: () => void;
  readonly #ticker: Ticker;
  readonly #desk: Desk;
  readonly #sending: Sending;
  readonly #believer = new Believer();
  /** The reply at hand, from position 0 as the contract has it. */
  readonly #reply = new Uint8Array(REPLY_MAX);
  readonly #poolOf = new Map<Server, Pool>();
  readonly #revived = new Set<Server>();
  /** The clock of the tick at hand. Read once: a reading for each of a thousand questions that wait is an object each. */
  #tickMs = 0;
  #failing: { asker: Asker; failure: UpstreamFailure; server: string }[] = [];
  #inAsk = false;
  #isFlushing = false;
  #isClosed = false;

  constructor(now: () => number, inFlightMax: number | undefined, flushServers: () => void) {
    this.#now = now;
    this.#flushServers = flushServers;
    this.#ticker = new Ticker(now, (nowMs) => this.#tick(nowMs));
    this.#desk = new Desk(inFlightMax ?? IN_FLIGHT_MAX, now(), this.#ticker);
    this.#sending = new Sending(this.#desk, this.counters, () => this.#flushSoon());
  }

  /** Questions that wait, and those that linger. */
  get inFlight(): number {
    return this.#desk.count;
  }

  adopt(pool: Pool): void {
    for (const server of pool.servers) this.#poolOf.set(server, pool);
  }

  ask(pool: Pool, question: UpstreamQuestion, deadlineMs: number, asker: Asker): void {
    this.counters.questions++;
    const nowMs = this.#now();
    if (nowMs >= deadlineMs) {
      this.#failLater(asker, 'timeout', pool.name);
      return;
    }
    const asked = this.#isClosed ? null : this.#desk.take(pool, asker, deadlineMs);
    if (asked === null) {
      this.#failLater(asker, 'overload', pool.name);
      return;
    }
    copyOctets(question.name, 0, asked.name, 0, question.nameLength);
    asked.nameLength = question.nameLength;
    asked.type = question.type;
    asked.dnssecOk = question.dnssecOk;
    asked.checkingDisabled = question.checkingDisabled;
    pool.budget.asked(nowMs);
    this.#inAsk = true;
    this.#advance(asked, nowMs);
    this.#inAsk = false;
  }

  /** `. NS`: any reply at all says that the server is back. */
  probe(server: Server): void {
    const pool = this.#poolOf.get(server);
    const nowMs = this.#now();
    const asker: Asker = {
      answered: () => {
        server.probeAnswered();
        return true;
      },
      failed: (failure) => server.probeFailed(failure === 'unreachable', this.#now()),
    };
    // Done one tick before the next is due.
    const deadlineMs = nowMs + PROBE_MS - TICK_MS;
    const asked = pool === undefined || this.#isClosed ? null : this.#desk.take(pool, asker, deadlineMs);
    if (asked === null) {
      server.probeAnswered();
      return;
    }
    asked.only = server;
    asked.name[0] = 0;
    asked.nameLength = 1;
    asked.type = Rrtype.NS;
    asked.dnssecOk = false;
    asked.checkingDisabled = false;
    this.#advance(asked, nowMs);
  }

  revived(server: Server): void {
    // Handled by the next tick: the reply that showed it is still being worked on.
    this.#revived.add(server);
    this.#ticker.arm();
  }

  /** Tells everyone who still waits, and stops the clock. */
  close(): void {
    this.#isClosed = true;
    this.#ticker.stop();
    const nowMs = this.#now();
    for (const asked of this.#desk.all) {
      if (!asked.done) this.#conclude(asked, nowMs);
      this.#desk.releaseAll(asked);
    }
  }

  // What a reply means.

  received(attempt: Attempt, octets: Uint8Array, at: number, length: number): void {
    const { asked, server } = attempt;
    if (asked === null || server === null) return;
    const message = this.#reply;
    if (length <= LOOP_MAX) for (let i = 0; i < length; i++) message[i] = octets[at + i];
    else message.set(octets.subarray(at, at + length));
    const nowMs = this.#now();
    const belief = this.#believer.judge(attempt, server, message, length, nowMs);
    if (belief !== 'believed') {
      if (attempt.edns && isBareComplaint(message, length)) this.#askPlainly(attempt, asked, server, nowMs);
      this.#mismatched(attempt, asked, server, belief === 'forged', nowMs);
      return;
    }
    server.heard(nowMs);
    if (attempt.sends === 1) server.roundTrip.learn(nowMs - attempt.sentMs);
    attempt.repliesDue--;
    if (asked.done) {
      // The answer came from elsewhere, or this is the echo of a retransmission.
      if (attempt.repliesDue <= 0) this.#desk.release(attempt);
    } else if (isTruncated(message)) {
      this.#truncated(attempt, asked, server, nowMs);
    } else if (asked.only === null && this.#isComplaint) {
      this.#complained(attempt, asked, server, length, nowMs);
    } else {
      this.#answered(attempt, asked, server, length, nowMs);
    }
  }

  get #isComplaint(): boolean {
    const { rcode, isReferral } = this.#believer.survey;
    return isReferral || isComplaint(rcode);
  }

  #answered(attempt: Attempt, asked: Asked, server: Server, length: number, nowMs: number): void {
    if (attempt.repliesDue <= 0) this.#desk.release(attempt);
    // Whatever happens meanwhile, the asker is told once.
    asked.done = true;
    const isUsed = asked.asker?.answered(this.#reply, length, server.label, server.isEncrypted) !== false;
    server.replied(!isUsed);
    if (isUsed) {
      asked.pool?.budget.answered();
      if (asked.only === null) this.counters.answered++;
      this.#desk.settle(asked, nowMs);
      return;
    }
    asked.done = false;
    asked.unusable = true;
    this.#desk.release(attempt);
    asked.heard = true;
    this.#askAnother(asked, nowMs);
  }

  /** The server would not or could not: the next one may, and if none does, the last such reply is handed on. */
  #complained(attempt: Attempt, asked: Asked, server: Server, length: number, nowMs: number): void {
    const { rcode, hasOpt, isReferral } = this.#believer.survey;
    const hadEdns = attempt.edns;
    const carrier = attempt.carrier as Carrier;
    this.#desk.release(attempt);
    if (rcode === Rcode.BADCOOKIE && this.#recook(asked, server, nowMs)) return;
    if (hadEdns && isAboutEdns(rcode, hasOpt) && (asked.plain & server.bit) === 0) {
      asked.plain |= server.bit;
      this.counters.withoutEdns++;
      this.#sendOrAdvance(asked, server, carrier, nowMs);
      return;
    }
    server.replied(true);
    asked.heard = true;
    if (isReferral || isExtended(rcode)) {
      asked.unusable = true;
    } else {
      asked.spare = this.#reply.slice(0, length);
      asked.spareServer = server.label;
      asked.spareTrusted = server.isEncrypted;
    }
    this.#askAnother(asked, nowMs);
  }

  /** One server is through with the question, and gave no answer: others may. */
  #askAnother(asked: Asked, nowMs: number): void {
    if (asked.pool?.hasAnother(asked) === true && !asked.pool.budget.take(asked.messages, nowMs)) {
      this.counters.retriesDenied++;
      if (asked.attempts.length === 0) this.#conclude(asked, nowMs);
      return;
    }
    this.#advance(asked, nowMs);
  }

  /**
   * A server that does not know EDNS may send back FORMERR without the question. Anybody who hit id and port could have said
   * that as well: so the wait for the reply goes on, and besides the question goes out once without EDNS.
   */
  #askPlainly(attempt: Attempt, asked: Asked, server: Server, nowMs: number): void {
    if (asked.done || (asked.plain & server.bit) !== 0 || asked.messages >= MESSAGES_MAX) return;
    if (this.#isUnwanted(asked)) return;
    asked.plain |= server.bit;
    this.counters.withoutEdns++;
    this.#sending.send(asked, server, attempt.carrier as Carrier, nowMs);
  }

  /** RFC 7873 section 5.3: once more with the cookie that came along, then over TCP. */
  #recook(asked: Asked, server: Server, nowMs: number): boolean {
    if (asked.messages >= MESSAGES_MAX) return false;
    if ((asked.recooked & server.bit) === 0) {
      asked.recooked |= server.bit;
      return this.#sending.send(asked, server, server.carrier, nowMs);
    }
    return this.#askOverTcp(asked, server, nowMs);
  }

  #truncated(attempt: Attempt, asked: Asked, server: Server, nowMs: number): void {
    server.truncated++;
    const overUdp = attempt.carrier === server.ports;
    this.#desk.release(attempt);
    if (overUdp && server.streams !== null) {
      this.counters.overTcp++;
      asked.streamed |= server.bit;
      this.#sendOrAdvance(asked, server, server.streams, nowMs);
      return;
    }
    // Over a stream there is no more room to be had.
    asked.unusable = true;
    this.#advance(asked, nowMs);
  }

  #mismatched(attempt: Attempt, asked: Asked, server: Server, isForged: boolean, nowMs: number): void {
    server.mismatched++;
    asked.unusable = true;
    attempt.mismatches++;
    if (attempt.carrier !== server.ports) return;
    const port = attempt.place;
    const isEnough = attempt.mismatches === MISMATCHES_MAX;
    // A server that merely changed its habits shows it over TCP, so that is asked at the first sign.
    if (!asked.done && (isForged || isEnough))
      this.#doubt(attempt, asked, server, isForged && isEnough, nowMs);
    server.ports?.suspect(port);
  }

  /** Asks over TCP what UDP brings doubtful replies to. */
  #doubt(attempt: Attempt, asked: Asked, server: Server, isGuessed: boolean, nowMs: number): void {
    // Somebody who knows id and port is guessing the rest: what comes there is not listened to any more.
    if (isGuessed) {
      asked.doubted |= server.bit;
      this.#desk.release(attempt);
    }
    if (this.#askOverTcp(asked, server, nowMs) || asked.attempts.length > 0) return;
    // With nothing on its way any more the same server is asked anew, on another port.
    asked.tried &= ~server.bit;
    this.#advance(asked, nowMs);
  }

  #askOverTcp(asked: Asked, server: Server, nowMs: number): boolean {
    const { streams } = server;
    if (streams === null || (asked.streamed & server.bit) !== 0 || asked.messages >= MESSAGES_MAX)
      return false;
    if (this.#isUnwanted(asked)) return false;
    asked.streamed |= server.bit;
    this.counters.overTcp++;
    return this.#sending.send(asked, server, streams, nowMs);
  }

  flooded(attempts: Attempt[]): void {
    const nowMs = this.#now();
    for (const attempt of attempts) {
      const { asked, server } = attempt;
      if (asked === null || server === null) continue;
      if (asked.done) this.#desk.release(attempt);
      else this.#doubt(attempt, asked, server, true, nowMs);
    }
  }

  lost(attempt: Attempt, loss: Loss): void {
    const { asked, server } = attempt;
    if (asked === null || server === null) return;
    const nowMs = this.#now();
    const carrier = attempt.carrier as Carrier;
    this.#desk.release(attempt);
    if (asked.done) return;
    if (loss === 'refused') asked.refused |= server.bit;
    if (loss === 'unusable') asked.unusable = true;
    // A connection that the server closed because it was idle, or for its own reasons, is worth a second one.
    const mostAgain = asked.only === null ? MESSAGES_MAX / 2 : 2;
    if (loss === 'closed' && asked.messages < mostAgain) {
      this.#sendOrAdvance(asked, server, carrier, nowMs);
      return;
    }
    if (loss === 'closed') asked.cut = true;
    // It went over TCP only because of what others sent: without TCP it goes over UDP again, from another port.
    if (asked.attempts.length === 0 && (asked.doubted & server.bit) !== 0) {
      asked.doubted &= ~server.bit;
      asked.tried &= ~server.bit;
    }
    this.#advance(asked, nowMs);
  }

  // What is sent next.

  /** Whether nobody waits for the reply at present: the client went away, or has had its answer. */
  #isUnwanted(asked: Asked): boolean {
    if (asked.asker?.isWanted !== false) return false;
    if (!asked.isAbandoned) this.counters.abandoned++;
    asked.isAbandoned = true;
    return true;
  }

  /** Sends the next message, or settles how long to wait. True when something was sent. */
  #advance(asked: Asked, nowMs: number): boolean {
    if (this.#isUnwanted(asked)) {
      // What is on its way is worth waiting for, and somebody may ask the same again meanwhile.
      if (asked.attempts.length > 0) this.#desk.schedule(asked, nowMs + PAUSE_MS);
      else this.#abandon(asked, nowMs);
      return false;
    }
    const pool = asked.pool as Pool;
    if (asked.messages < MESSAGES_MAX && this.#sendNext(asked, pool, nowMs)) return true;
    const isWaiting = asked.attempts.length > 0;
    if (!isWaiting && asked.full && asked.messages === 0 && pool.hasStreams) {
      // Their pipelines are full: the question queues by coming back.
      asked.tried = 0;
      this.#desk.schedule(asked, nowMs + 2 * TICK_MS);
    } else if (pool.isOpening) {
      this.#desk.schedule(asked, nowMs + TICK_MS);
    } else if (isWaiting || (asked.only === null && !asked.heard && pool.mayRecover)) {
      this.#desk.schedule(asked, asked.deadlineMs);
    } else if (this.#inAsk) {
      this.#desk.schedule(asked, nowMs);
    } else {
      this.#conclude(asked, nowMs);
    }
    return false;
  }

  #sendNext(asked: Asked, pool: Pool, nowMs: number): boolean {
    const isProbe = asked.only !== null;
    // In order means: the first one gets its retransmissions before the second is asked at all.
    if (pool.strategy === 'ordered' && !isProbe && this.#sending.resend(asked, nowMs)) return true;
    for (let server = pool.choose(asked, nowMs); server !== null; server = pool.choose(asked, nowMs)) {
      asked.tried |= server.bit;
      const isHedge = asked.attempts.length > 0;
      if (!this.#sending.send(asked, server, server.carrier, nowMs)) continue;
      if (isHedge) this.counters.hedged++;
      return true;
    }
    return !isProbe && (this.#sending.resend(asked, nowMs) || this.#sending.fallBack(asked, nowMs));
  }

  #sendOrAdvance(asked: Asked, server: Server, carrier: Carrier, nowMs: number): void {
    if (
      !this.#isUnwanted(asked) &&
      asked.messages < MESSAGES_MAX &&
      this.#sending.send(asked, server, carrier, nowMs)
    )
      return;
    this.#advance(asked, nowMs);
  }

  /** For what is sent outside a batch of the data plane, which flushes by itself. */
  #flushSoon(): void {
    if (this.#inAsk || this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => {
      this.#isFlushing = false;
      this.#flushServers();
    });
  }

  // Time.

  #tick(nowMs: number): void {
    for (const server of this.#revived) this.#wake(server, nowMs);
    this.#revived.clear();
    this.#tickMs = nowMs;
    this.#desk.advance(nowMs, this.#due);
    this.#flushServers();
  }

  readonly #due = (asked: Asked): void => {
    const nowMs = this.#tickMs;
    if (asked.done) {
      this.#desk.releaseAll(asked);
      return;
    }
    for (const attempt of asked.attempts) {
      if (attempt.isOverdue) continue;
      attempt.isOverdue = true;
      attempt.server?.missed(attempt.lastSentMs, nowMs);
    }
    if (nowMs >= asked.deadlineMs) {
      this.#conclude(asked, nowMs);
      return;
    }
    if (this.#isUnwanted(asked)) {
      this.#advance(asked, nowMs);
      return;
    }
    const { messages } = asked;
    const { budget } = asked.pool as Pool;
    const isRetry = messages > 0 && messages < MESSAGES_MAX;
    if (isRetry && !budget.take(messages, nowMs)) {
      this.counters.retriesDenied++;
      this.#desk.schedule(asked, nowMs + PAUSE_MS);
      return;
    }
    if (!this.#advance(asked, nowMs) && isRetry) budget.giveBack();
  };

  /** Asks a server that came back what waits for want of it. */
  #wake(server: Server, nowMs: number): void {
    const pool = this.#poolOf.get(server);
    for (const asked of this.#desk.all) {
      if (asked.done || asked.pool !== pool || asked.only !== null || asked.messages >= MESSAGES_MAX)
        continue;
      // One that waits for another server, and never was sent to this one, goes on waiting.
      if (asked.attempts.length > 0 && (asked.tried & server.bit) === 0) continue;
      asked.tried &= ~server.bit;
      asked.refused &= ~server.bit;
      this.#advance(asked, nowMs);
    }
  }

  // Endings without an answer.

  #abandon(asked: Asked, nowMs: number): void {
    const server = asked.pool?.name ?? '';
    this.#desk.settle(asked, nowMs)?.failed('abandoned', server);
  }

  #conclude(asked: Asked, nowMs: number): void {
    const { spare, spareServer, spareTrusted } = asked;
    const failure = failureOf(asked);
    const server = asked.attempts[0]?.server?.label ?? asked.pool?.name ?? '';
    const isQuestion = asked.only === null;
    const asker = this.#desk.settle(asked, nowMs);
    if (isQuestion) this.counters[spare === null ? failure : 'answered']++;
    if (spare === null || asker?.answered(spare, spare.length, spareServer, spareTrusted) === false)
      asker?.failed(failure, server);
  }

  #failLater(asker: Asker, failure: UpstreamFailure, server: string): void {
    this.counters[failure]++;
    this.#failing.push({ asker, failure, server });
    if (this.#failing.length > 1) return;
    setImmediate(() => {
      const failing = this.#failing;
      this.#failing = [];
      for (const each of failing) each.asker.failed(each.failure, each.server);
    });
  }
}
