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
  readonly #onDone: () => void;
  #reason: CloseReason | null = null;
  #done = false;

  constructor(raw: Socket, hub: Hub, onDone: () => void) {
    const { limits } = hub;
    this.#raw = raw;
    this.#hub = hub;
    this.#onDone = onDone;
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
    this.#onDone();
  }

  check(nowMs: number): void {
    if (nowMs - this.lastActiveMs > this.#hub.limits.settings.handshakeMs) this.shut('handshake');
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
    this.#hub.limits.leave(this);
    this.#hub.leave(this, this.#reason ?? 'peer');
    this.#onDone();
  };
}
