/**
 * How a question is carried through: which message goes out next, what a reply means, and when to give up.
 *
 *    ask ──▶ advance ──▶ a server not tried yet ──▶ the same once more ──▶ TCP ──▶ wait for the deadline
 *               ▲                                                                    │
 *               ├── due: the hedge delay or retransmission time is over              │
 *               ├── lost: refused, connection closed                                 │
 *               └── received: TC, SERVFAIL, REFUSED, FORMERR, NOTIMP                 ▼
 *                   received: anything else that matches ──────────────────▶ settle: told once
 *
 * A reply that does not match is counted and the wait goes on (TuDoor): only the socket's own error or the deadline end
 * a wait early. At most MESSAGES_MAX messages go out for a question, and only as many again as RetryBudget allows.
 */
import { isTruncated, Rcode } from '../wire/index.ts';
import { Asked, Attempt, Stock } from './attempt.ts';
import type { Carrier, Loss } from './carrier.ts';
import { compose } from './compose.ts';
import type { Asker, UpstreamFailure, UpstreamQuestion } from './contract.ts';
import { takeCookie } from './habits.ts';
import { IN_FLIGHT_MAX, MESSAGES_MAX, MISMATCHES_MAX, SENDS_MAX } from './options.ts';
import type { Pool } from './pool.ts';
import { Match, matchReply, Survey } from './reply.ts';
import { PROBE_MS, type Server, type ServerEvents } from './server.ts';
import { TICK_MS, Wheel } from './wheel.ts';

/** How long a socket and id stay known after the asker was told, for replies that come late or twice. */
const LINGER_MS = 3000;
/** Beyond so many, questions do not linger: they would take the place of new ones. */
const LINGERING_MAX = 1024;
/** A tick that comes so late tells of a pause of the process, not of the upstreams. */
const STALL_MS = 60;
/** Wait before a question is looked at again that may not be sent for now. */
const PAUSE_MS = 50;
/** Wait for a reply over TCP before the question goes out on it once more, and how often it may. */
const STREAM_WAIT_MS = 800;
const FALLBACKS_MAX = 2;
const RETRANSMIT_MAX_MS = 800;

/** Numbers only grow. */
export interface ExchangeCounters {
  questions: number;
  answered: number;
  /** By the failure told to the asker. */
  timeout: number;
  unreachable: number;
  unusable: number;
  overload: number;
  retransmitted: number;
  /** Second servers asked before the first had answered. */
  hedged: number;
  /** Questions that went over TCP because replies were truncated, missing or doubtful. */
  overTcp: number;
  withoutEdns: number;
  /** Times a retransmission had to wait because the budget was spent. */
  retriesDenied: number;
}

export class Exchange implements ServerEvents {
  readonly #now: () => number;
  readonly #all: Asked[] = [];
  readonly #asked: Stock<Asked>;
  readonly #attempts: Stock<Attempt>;
  readonly #wheel: Wheel<Asked>;
  readonly #survey = new Survey();
  /** The reply at hand, from position 0 as the contract has it. */
  readonly #reply = new Uint8Array(0x10000);
  readonly #pools: Pool[] = [];
  readonly #poolOf = new Map<Server, Pool>();
  #timer: NodeJS.Timeout | null = null;
  #armed = false;
  #armedMs = 0;
  #hasYielded = false;
  readonly #whenDue = (asked: Asked): void => this.#due(asked);
  #inAsk = false;
  #flushing = false;
  #failing: { asker: Asker; failure: UpstreamFailure; server: string }[] = [];
  readonly #revived = new Set<Server>();
  #lingering = 0;
  #closed = false;
  readonly #flushServers: () => void;
  readonly counters: ExchangeCounters = {
    questions: 0,
    answered: 0,
    timeout: 0,
    unreachable: 0,
    unusable: 0,
    overload: 0,
    retransmitted: 0,
    hedged: 0,
    overTcp: 0,
    withoutEdns: 0,
    retriesDenied: 0,
  };

  constructor(now: () => number, inFlightMax: number | undefined, flushServers: () => void) {
    const most = inFlightMax ?? IN_FLIGHT_MAX;
    this.#now = now;
    this.#flushServers = flushServers;
    this.#wheel = new Wheel(now());
    this.#asked = new Stock(most, () => {
      const asked = new Asked();
      this.#all.push(asked);
      return asked;
    });
    this.#attempts = new Stock(most * 3, () => new Attempt());
  }

  /** Questions that wait, with those that only linger. */
  get inFlight(): number {
    return this.#asked.inUse;
  }

  adopt(pool: Pool): void {
    this.#pools.push(pool);
    for (const server of pool.servers) this.#poolOf.set(server, pool);
  }

  ask(pool: Pool, question: UpstreamQuestion, deadlineMs: number, asker: Asker): void {
    this.counters.questions++;
    const asked = this.#closed ? null : this.#take(pool, deadlineMs, asker);
    if (asked === null) {
      this.#failLater(asker, 'overload', pool.name);
      return;
    }
    for (let i = 0; i < question.nameLength; i++) asked.name[i] = question.name[i];
    asked.nameLength = question.nameLength;
    asked.type = question.type;
    asked.dnssecOk = question.dnssecOk;
    asked.checkingDisabled = question.checkingDisabled;
    pool.budget.asked();
    this.#inAsk = true;
    this.#advance(asked, this.#now());
    this.#inAsk = false;
  }

  /** `. NS`: any reply at all says that the server is back. */
  probe(server: Server): void {
    const pool = this.#poolOf.get(server);
    const nowMs = this.#now();
    const asker: Asker = {
      answered: () => {
        server.isProbing = false;
      },
      failed: (failure) => server.probeFailed(failure === 'unreachable', this.#now()),
    };
    const asked =
      pool === undefined || this.#closed ? null : this.#take(pool, nowMs + PROBE_MS - TICK_MS, asker);
    if (asked === null) {
      server.isProbing = false;
      return;
    }
    asked.only = server;
    asked.name[0] = 0;
    asked.nameLength = 1;
    asked.type = 2;
    asked.dnssecOk = false;
    asked.checkingDisabled = false;
    this.#advance(asked, nowMs);
  }

  revived(server: Server): void {
    // Handled by the next tick: the reply that showed it is still being worked on.
    this.#revived.add(server);
    this.#arm();
  }

  // What a reply means.

  received(attempt: Attempt, octets: Uint8Array, at: number, length: number): void {
    const { asked, server } = attempt;
    if (asked === null || server === null) return;
    const message = this.#reply;
    if (length <= 256) for (let i = 0; i < length; i++) message[i] = octets[at + i];
    else message.set(octets.subarray(at, at + length));
    const nowMs = this.#now();
    const overUdp = attempt.carrier === server.ports;
    const match = matchReply(attempt, message, length);
    if (
      match === Match.NONE ||
      !this.#survey.read(message, attempt.questionEnd, length) ||
      this.#survey.hasSubnet
    ) {
      this.#mismatched(attempt, false, nowMs);
      return;
    }
    if (!this.#believes(attempt, server, match, overUdp, nowMs)) {
      this.#mismatched(attempt, true, nowMs);
      return;
    }
    server.heard(nowMs);
    if (attempt.sends === 1) server.roundTrip.learn(nowMs - attempt.sentMs);
    attempt.repliesDue--;
    if (asked.done) {
      // The answer came from elsewhere, or this is the echo of a retransmission.
      if (attempt.repliesDue <= 0) this.#release(attempt);
      return;
    }
    if (isTruncated(message)) this.#truncated(attempt, asked, server, overUdp, nowMs);
    else if (asked.pool?.acceptable?.(message, length) === false) this.#mismatched(attempt, false, nowMs);
    else this.#judge(attempt, asked, server, length, nowMs);
  }

  #believes(attempt: Attempt, server: Server, match: Match, overUdp: boolean, nowMs: number): boolean {
    if (attempt.mixedCase && !server.keepsCase.judge(match === Match.EXACT, !overUdp, nowMs)) return false;
    if (!attempt.cookie) return true;
    const { cookieAt, cookieLength } = this.#survey;
    const has = cookieLength > 0 && takeCookie(server.cookie, this.#reply, cookieAt, cookieLength);
    return server.speaksCookies.judge(has, !overUdp, nowMs);
  }

  #judge(attempt: Attempt, asked: Asked, server: Server, length: number, nowMs: number): void {
    const { rcode } = this.#survey;
    if (rcode === Rcode.BADCOOKIE && (asked.recooked & server.bit) === 0) {
      asked.recooked |= server.bit;
      this.#release(attempt);
      this.#sendOrAdvance(asked, server, server.carrier, nowMs);
      return;
    }
    if (asked.only === null && isComplaint(rcode)) {
      this.#complained(attempt, asked, server, rcode, length, nowMs);
      return;
    }
    server.answered++;
    asked.pool?.budget.answered();
    const trusted = server.isEncrypted;
    if (attempt.repliesDue <= 0) this.#release(attempt);
    const asker = this.#settle(asked, nowMs);
    this.counters.answered++;
    asker?.answered(this.#reply, length, server.label, trusted);
  }

  /** The server would not or could not: the next one may, and if none does, the last such reply is handed on. */
  #complained(
    attempt: Attempt,
    asked: Asked,
    server: Server,
    rcode: number,
    length: number,
    nowMs: number,
  ): void {
    const hadEdns = attempt.edns;
    const carrier = attempt.carrier as Carrier;
    this.#release(attempt);
    if (rcode === Rcode.FORMERR && hadEdns && (asked.plain & server.bit) === 0) {
      asked.plain |= server.bit;
      this.counters.withoutEdns++;
      this.#sendOrAdvance(asked, server, carrier, nowMs);
      return;
    }
    server.errors++;
    asked.spare = this.#reply.slice(0, length);
    asked.spareServer = server.label;
    asked.spareTrusted = server.isEncrypted;
    if (asked.pool?.hasAnother(asked) === true && !asked.pool.budget.take(asked.messages, nowMs)) {
      this.counters.retriesDenied++;
      if (asked.attempts.length === 0) this.#conclude(asked, nowMs);
      return;
    }
    this.#advance(asked, nowMs);
  }

  #truncated(attempt: Attempt, asked: Asked, server: Server, overUdp: boolean, nowMs: number): void {
    server.truncated++;
    this.#release(attempt);
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

  /** `forged`: the question was right, but not the case or cookie that only the server can know. */
  #mismatched(attempt: Attempt, forged: boolean, nowMs: number): void {
    const { asked, server } = attempt;
    if (asked === null || server === null) return;
    server.mismatched++;
    asked.unusable = true;
    attempt.mismatches++;
    const overUdp = attempt.carrier === server.ports;
    if (!overUdp) return;
    const port = attempt.place;
    const isEnough = attempt.mismatches === MISMATCHES_MAX;
    // A server that changed its habits shows it over TCP at once.
    if (!asked.done && (forged || isEnough)) this.#doubt(attempt, asked, server, forged && isEnough, nowMs);
    server.ports?.suspect(port);
  }

  /** Asks over TCP what UDP brings doubtful replies to. */
  #doubt(attempt: Attempt, asked: Asked, server: Server, isGuessed: boolean, nowMs: number): void {
    // Somebody who knows id and port is guessing the rest: what comes there is not listened to any more.
    if (isGuessed) this.#release(attempt);
    if (server.streams !== null && (asked.streamed & server.bit) === 0 && asked.messages < MESSAGES_MAX) {
      asked.streamed |= server.bit;
      this.counters.overTcp++;
      if (this.#send(asked, server, server.streams, nowMs)) return;
    }
    // With nothing on its way any more the same server is asked anew, on another port.
    if (asked.attempts.length > 0) return;
    asked.tried &= ~server.bit;
    this.#advance(asked, nowMs);
  }

  flooded(attempts: Attempt[]): void {
    const nowMs = this.#now();
    for (const attempt of attempts) {
      const { asked, server } = attempt;
      if (asked === null || server === null) continue;
      if (asked.done) this.#release(attempt);
      else this.#doubt(attempt, asked, server, true, nowMs);
    }
  }

  lost(attempt: Attempt, loss: Loss): void {
    const { asked, server } = attempt;
    if (asked === null || server === null) return;
    const nowMs = this.#now();
    this.#release(attempt);
    if (asked.done) return;
    if (loss === 'refused') asked.refused |= server.bit;
    if (loss === 'unusable') asked.unusable = true;
    // A connection that the server closed while it was idle, or for its own reasons, is worth a second one.
    if (
      loss === 'closed' &&
      (asked.only === null || asked.messages < 2) &&
      asked.messages < MESSAGES_MAX / 2
    ) {
      this.#sendOrAdvance(asked, server, attempt.carrier ?? server.carrier, nowMs);
      return;
    }
    this.#advance(asked, nowMs);
  }

  // What is sent next.

  /** Sends the next message, or settles how long to wait. True when something was sent. */
  #advance(asked: Asked, nowMs: number): boolean {
    const pool = asked.pool as Pool;
    if (asked.messages < MESSAGES_MAX) {
      // In order means: the first one gets its retransmissions before the second is asked at all.
      if (pool.strategy === 'ordered' && asked.only === null && this.#resend(asked, nowMs)) return true;
      for (;;) {
        const server = pool.choose(asked, nowMs);
        if (server === null) break;
        if (asked.attempts.length > 0) this.counters.hedged++;
        asked.tried |= server.bit;
        if (this.#send(asked, server, server.carrier, nowMs)) return true;
      }
      if (asked.only === null && (this.#resend(asked, nowMs) || this.#fallBack(asked, nowMs))) return true;
    }
    if (asked.full && asked.attempts.length === 0 && this.#waitsForRoom(asked)) {
      asked.tried = 0;
      this.#schedule(asked, nowMs + 2 * TICK_MS);
    } else if (asked.attempts.length > 0 || (asked.only === null && pool.mayRecover())) {
      this.#schedule(
        asked,
        pool.servers.some((server) => server.ports?.isOpening) ? nowMs + TICK_MS : asked.deadlineMs,
      );
    } else if (this.#inAsk) {
      this.#schedule(asked, nowMs);
    } else {
      this.#conclude(asked, nowMs);
    }
    return false;
  }

  #sendOrAdvance(asked: Asked, server: Server, carrier: Carrier, nowMs: number): void {
    if (asked.messages < MESSAGES_MAX && this.#send(asked, server, carrier, nowMs)) return;
    this.#advance(asked, nowMs);
  }

  #send(asked: Asked, server: Server, carrier: Carrier, nowMs: number): boolean {
    const attempt = this.#attempts.take();
    if (attempt === null) {
      asked.full = true;
      return false;
    }
    attempt.asked = asked;
    attempt.server = server;
    attempt.carrier = carrier;
    attempt.edns = (asked.plain & server.bit) === 0;
    attempt.mixedCase = attempt.edns && !server.isEncrypted && server.keepsCase.mayUse(nowMs);
    const cookie = server.speaksCookies.mayUse(nowMs) ? server.cookie : null;
    compose(attempt, asked, cookie, server.isEncrypted);
    attempt.sentMs = nowMs;
    attempt.sends = 1;
    attempt.lastSentMs = nowMs;
    attempt.isOverdue = false;
    attempt.mismatches = 0;
    attempt.repliesDue = 1;
    if (!carrier.send(attempt, nowMs)) {
      attempt.asked = null;
      this.#attempts.give(attempt);
      asked.full = true;
      return false;
    }
    attempt.index = asked.attempts.length;
    asked.attempts.push(attempt);
    asked.messages++;
    server.asked++;
    this.#flushSoon();
    const { roundTrip } = server;
    const pool = asked.pool as Pool;
    let waitMs = roundTrip.retransmitMs;
    if (carrier !== server.ports) waitMs = STREAM_WAIT_MS;
    if (pool.strategy !== 'ordered' && pool.hasAnother(asked)) waitMs = Math.min(waitMs, roundTrip.hedgeMs);
    this.#schedule(asked, nowMs + waitMs);
    return true;
  }

  /** Sends again the message that was sent least often. */
  #resend(asked: Asked, nowMs: number): boolean {
    let least: Attempt | null = null;
    for (const attempt of asked.attempts) {
      const server = attempt.server as Server;
      if (attempt.carrier !== server.ports || attempt.sends >= SENDS_MAX || server.down !== null) continue;
      if (least === null || attempt.sends < least.sends) least = attempt;
    }
    if (least === null || least.carrier?.resend(least, nowMs) !== true) return false;
    const server = least.server as Server;
    least.sends++;
    least.repliesDue++;
    least.lastSentMs = nowMs;
    least.isOverdue = false;
    asked.messages++;
    server.asked++;
    this.counters.retransmitted++;
    this.#flushSoon();
    const waitMs = Math.min(RETRANSMIT_MAX_MS, server.roundTrip.retransmitMs * 2 ** (least.sends - 1));
    this.#schedule(asked, nowMs + waitMs / Math.max(1, asked.attempts.length));
    return true;
  }

  #fallBack(asked: Asked, nowMs: number): boolean {
    for (const attempt of asked.attempts) {
      const server = attempt.server as Server;
      const { streams } = server;
      if (streams === null || server.down !== null || server.carrier === streams) continue;
      let over = 0;
      for (const other of asked.attempts) if (other.server === server && other.carrier === streams) over++;
      if (over >= FALLBACKS_MAX || !streams.hasRoomToSpare) continue;
      this.counters.overTcp++;
      asked.streamed |= server.bit;
      if (this.#send(asked, server, streams, nowMs)) return true;
    }
    return false;
  }

  #waitsForRoom(asked: Asked): boolean {
    const pool = asked.pool as Pool;
    return pool.servers.some((server) => server.carrier !== server.ports && server.down === null);
  }

  // Time.

  #due(asked: Asked): void {
    const nowMs = this.#now();
    if (asked.done) {
      this.#releaseAll(asked);
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
    const { messages } = asked;
    const budget = asked.pool?.budget;
    const isRetry = messages > 0 && messages < MESSAGES_MAX;
    if (isRetry && budget?.take(messages, nowMs) === false) {
      this.counters.retriesDenied++;
      this.#schedule(asked, nowMs + PAUSE_MS);
      return;
    }
    if (!this.#advance(asked, nowMs) && isRetry) budget?.giveBack();
  }

  #schedule(asked: Asked, dueMs: number): void {
    this.#wheel.schedule(asked, asked.done ? dueMs : Math.min(dueMs, asked.deadlineMs));
    this.#arm();
  }

  #arm(): void {
    if (this.#armed || this.#closed) return;
    this.#armed = true;
    this.#armedMs = this.#now();
    if (this.#timer === null) this.#timer = setTimeout(() => this.#tick(), TICK_MS);
    else this.#timer.refresh();
  }

  #tick(): void {
    this.#armed = false;
    // After a pause of the whole process the replies are there but not yet read: they come first.
    const nowMs = this.#now();
    const isLate = nowMs - this.#armedMs > STALL_MS && !this.#hasYielded;
    this.#hasYielded = isLate;
    if (isLate) {
      this.#arm();
      return;
    }
    for (const server of this.#revived) this.#wake(server);
    this.#revived.clear();
    this.#wheel.advance(nowMs, this.#whenDue);
    this.#flushServers();
    if (this.#wheel.count > 0) this.#arm();
  }

  /** Asks a server that came back what waits for want of it. */
  #wake(server: Server): void {
    const nowMs = this.#now();
    const pool = this.#poolOf.get(server);
    for (const asked of this.#all) {
      if (asked.done || asked.pool !== pool || asked.only !== null || asked.messages >= MESSAGES_MAX)
        continue;
      // One that waits for another server, and never was sent to this one, goes on waiting.
      if (asked.attempts.length > 0 && (asked.tried & server.bit) === 0) continue;
      asked.tried &= ~server.bit;
      asked.refused &= ~server.bit;
      this.#advance(asked, nowMs);
    }
  }

  /** For what is sent outside a batch of the data plane. */
  #flushSoon(): void {
    if (this.#inAsk || this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      this.#flushServers();
    });
  }

  // Endings.

  #take(pool: Pool, deadlineMs: number, asker: Asker): Asked | null {
    const asked = this.#asked.take();
    asked?.begin(pool, asker, deadlineMs);
    return asked;
  }

  #conclude(asked: Asked, nowMs: number): void {
    const { spare, spareServer, spareTrusted } = asked;
    const failure = failureOf(asked);
    const server = asked.attempts[0]?.server?.label ?? asked.pool?.name ?? '';
    const asker = this.#settle(asked, nowMs);
    if (spare !== null) {
      this.counters.answered++;
      asker?.answered(spare, spare.length, spareServer, spareTrusted);
      return;
    }
    this.counters[failure]++;
    asker?.failed(failure, server);
  }

  /** Ends the wait and returns who is to be told. */
  #settle(asked: Asked, nowMs: number): Asker | null {
    const { asker } = asked;
    asked.done = true;
    asked.asker = null;
    asked.spare = null;
    this.#wheel.cancel(asked);
    if (asked.attempts.length > 0 && this.#lingering >= LINGERING_MAX) this.#releaseAll(asked);
    if (asked.attempts.length === 0) {
      this.#asked.give(asked);
    } else {
      this.#lingering++;
      asked.isLingering = true;
      this.#schedule(asked, nowMs + LINGER_MS);
    }
    return asker;
  }

  #release(attempt: Attempt): void {
    const asked = attempt.asked;
    if (asked === null) return;
    if (attempt.place !== null) attempt.carrier?.forget(attempt);
    const last = asked.attempts.pop() as Attempt;
    if (last !== attempt) {
      asked.attempts[attempt.index] = last;
      last.index = attempt.index;
    }
    attempt.asked = null;
    attempt.place = null;
    this.#attempts.give(attempt);
    if (!asked.isLingering || asked.attempts.length > 0) return;
    asked.isLingering = false;
    this.#lingering--;
    this.#wheel.cancel(asked);
    this.#asked.give(asked);
  }

  #releaseAll(asked: Asked): void {
    while (asked.attempts.length > 0) this.#release(asked.attempts[asked.attempts.length - 1]);
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

  /** Tells everyone who still waits, and stops the clock. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const nowMs = this.#now();
    for (const asked of this.#all) {
      if (!asked.done) this.#conclude(asked, nowMs);
      this.#releaseAll(asked);
    }
  }
}

const isComplaint = (rcode: number): boolean =>
  rcode === Rcode.SERVFAIL ||
  rcode === Rcode.REFUSED ||
  rcode === Rcode.FORMERR ||
  rcode === Rcode.NOTIMP ||
  rcode === Rcode.BADVERS ||
  rcode === Rcode.BADCOOKIE;

function failureOf(asked: Asked): UpstreamFailure {
  if (asked.unusable) return 'unusable';
  if (asked.refused !== 0 && asked.attempts.length === 0) return 'unreachable';
  if (asked.messages === 0 && asked.pool?.servers.every(({ down }) => down !== null && down !== 'silent')) {
    return 'unreachable';
  }
  if (asked.full) return 'overload';
  return 'timeout';
}
