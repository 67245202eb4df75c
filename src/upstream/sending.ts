/** Putting a question's messages on their way: a new attempt, the same once more, over TCP instead. */
import type { Asked, Attempt } from './attempt.ts';
import type { Carrier } from './carrier.ts';
import { compose } from './compose.ts';
import type { Desk } from './desk.ts';
import { SENDS_MAX } from './options.ts';
import type { ExchangeCounters } from './outcome.ts';
import type { Pool } from './pool.ts';
import type { Server } from './server.ts';

/** Wait for a reply over TCP before the question goes out on it once more, and how often it may. */
const STREAM_WAIT_MS = 400;
const STREAM_SENDS_MAX = 3;
const RETRANSMIT_MAX_MS = 800;
/** Each retransmission is waited for so much longer than the one before. */
const BACKOFF = 2;

export class Sending {
  readonly #desk: Desk;
  readonly #counters: ExchangeCounters;
  /** Told that something was queued. */
  readonly #onQueued: () => void;

  constructor(desk: Desk, counters: ExchangeCounters, onQueued: () => void) {
    this.#desk = desk;
    this.#counters = counters;
    this.#onQueued = onQueued;
  }

  /** Makes an attempt over a carrier of the server and schedules the next look. False when there is no room. */
  send(asked: Asked, server: Server, carrier: Carrier, nowMs: number): boolean {
    const attempt = this.#desk.takeAttempt();
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
      this.#desk.giveAttempt(attempt);
      asked.full = true;
      return false;
    }
    attempt.index = asked.attempts.length;
    asked.attempts.push(attempt);
    this.#count(asked, server);
    const pool = asked.pool as Pool;
    const waitMs = carrier === server.ports ? server.roundTrip.retransmitMs : STREAM_WAIT_MS;
    this.#desk.schedule(asked, nowMs + Math.min(waitMs, pool.hedgeMs(asked, server)));
    return true;
  }

  /** Sends again, as it is, the message that was sent least often. False when none may be. */
  resend(asked: Asked, nowMs: number): boolean {
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
    this.#counters.retransmitted++;
    this.#count(asked, server);
    const waitMs = Math.min(RETRANSMIT_MAX_MS, server.roundTrip.retransmitMs * BACKOFF ** (least.sends - 1));
    // Several servers are sent to in turn, so each turn takes its part of the wait.
    this.#desk.schedule(asked, nowMs + waitMs / asked.attempts.length);
    return true;
  }

  /**
   * Asks over TCP a server that UDP brings no reply from, or over another connection one whose connection is stuck.
   * False when there is none, or no room to spare.
   */
  fallBack(asked: Asked, nowMs: number): boolean {
    for (const attempt of asked.attempts) {
      const server = attempt.server as Server;
      const { streams } = server;
      if (streams === null || server.down !== null || !streams.hasRoomToSpare) continue;
      if (attempt.carrier === streams && !streams.isStuck(attempt, nowMs)) continue;
      let begun = 0;
      for (const other of asked.attempts) if (other.carrier === streams) begun++;
      if (begun >= STREAM_SENDS_MAX) continue;
      this.#counters.overTcp++;
      asked.streamed |= server.bit;
      if (this.send(asked, server, streams, nowMs)) return true;
    }
    return false;
  }

  #count(asked: Asked, server: Server): void {
    asked.messages++;
    server.asked++;
    this.#onQueued();
  }
}
