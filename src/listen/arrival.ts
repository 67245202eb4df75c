/**
 * A connection of which we do not know yet what it will be: its TLS handshake, or its first octets, are awaited. It has
 * a place in the limits, and a deadline.
 */
import type { Socket } from 'node:net';
import type { CloseReason } from './contract.ts';
import type { Closable, Hub } from './hub.ts';
import type { Tracked } from './limits.ts';

export class Arrival implements Tracked, Closable {
  readonly address: string;
  readonly busy = false;
  readonly unread = 0;
  readonly lastActiveMs: number;
  readonly #raw: Socket;
  readonly #hub: Hub;
  readonly #lateReason: CloseReason;
  readonly #onEnd: (reason: CloseReason | null) => void;
  #reason: CloseReason | null = null;
  #done = false;

  /**
   * Closed for `lateReason` when nothing comes of it in time. `onEnd` is called once: with null when it is known what it
   * is, else with why it was closed.
   */
  constructor(
    raw: Socket,
    hub: Hub,
    lateReason: CloseReason,
    onEnd: (reason: CloseReason | null) => void = () => {},
  ) {
    const { limits } = hub;
    this.#raw = raw;
    this.#hub = hub;
    this.#lateReason = lateReason;
    this.#onEnd = onEnd;
    this.address = raw.remoteAddress ?? '';
    this.lastActiveMs = limits.now();
    raw.on('error', () => {});
    raw.on('close', this.#onClose);
    hub.enter(this);
    if (!limits.admit(this)) this.shut('client-limit');
  }

  /** It is known now: the connection proper takes this one's place. */
  done(): void {
    if (this.#done) return;
    this.#done = true;
    this.#hub.limits.leave(this);
    this.#hub.pass(this);
    this.#onEnd(null);
  }

  check(nowMs: number): void {
    if (nowMs - this.lastActiveMs > this.#hub.limits.settings.handshakeMs) this.shut(this.#lateReason);
  }

  finish(reason: CloseReason): void {
    this.shut(reason);
  }

  shut(reason: CloseReason): void {
    this.#reason ??= reason;
    this.#raw.destroy();
  }

  readonly #onClose = (): void => {
    if (this.#done) return;
    this.#done = true;
    const reason = this.#reason ?? 'peer';
    this.#hub.limits.leave(this);
    this.#hub.leave(this, reason);
    this.#onEnd(reason);
  };
}
