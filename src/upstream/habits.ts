/**
 * What a server is known to do beyond the bare protocol: keep the case of a question's letters, and speak DNS cookies
 * (RFC 7873). Both are tried on its first questions, used when they work, and tried again after RELEARN_MS when not.
 *
 *    unknown ── works ENOUGH times ──▶ known ── over TCP it does not ──▶ absent ── RELEARN_MS ──▶ unknown
 *       └────── does not ───────────────────────────────────────────────▶ absent
 *
 * What is known is only unlearnt over a stream, where nobody can slip in a reply: over UDP the lack of it is what a
 * forged reply looks like.
 */
import { copyOctets, sameOctets } from '../wire/index.ts';
import type { Cookie } from './compose.ts';
import { randomWord } from './random.ts';

const ENOUGH = 8;
const RELEARN_MS = 600_000;

/** A habit in one of three states. */
export class Habit {
  #state: 'unknown' | 'known' | 'absent' = 'unknown';
  #seen = 0;
  #absentMs = 0;
  readonly #wanted: boolean;

  constructor(wanted: boolean) {
    this.#wanted = wanted;
  }

  get isKnown(): boolean {
    return this.#state === 'known';
  }

  /** Whether a question should try it. */
  mayUse(nowMs: number): boolean {
    if (!this.#wanted) return false;
    if (this.#state === 'absent' && nowMs - this.#absentMs > RELEARN_MS) this.#state = 'unknown';
    return this.#state !== 'absent';
  }

  /** Learns from a matched reply. Returns false when the reply must not be believed for the lack of it. */
  judge(present: boolean, overStream: boolean, nowMs: number): boolean {
    if (present) {
      if (this.#state === 'unknown' && ++this.#seen >= ENOUGH) this.#state = 'known';
      return true;
    }
    if (this.#state === 'known' && !overStream) return false;
    this.#state = 'absent';
    this.#seen = 0;
    this.#absentMs = nowMs;
    return true;
  }
}

/** The client cookie is random for each server and worker, so that it tells no server about another. */
export function newCookie(): Cookie {
  const client = new Uint8Array(8);
  new DataView(client.buffer).setUint32(0, randomWord());
  new DataView(client.buffer).setUint32(4, randomWord());
  return { client, server: new Uint8Array(32), serverLength: 0 };
}

/**
 * Reads a cookie option of a reply (RFC 7873 section 5.3) and keeps the server's part. False when the client part is
 * not ours or the length is not allowed: such a reply is a forgery.
 */
export function takeCookie(cookie: Cookie, message: Uint8Array, at: number, length: number): boolean {
  if (length < 16 || length > 40 || !sameOctets(message, at, cookie.client, 0, 8)) return false;
  cookie.serverLength = length - 8;
  copyOctets(message, at + 8, cookie.server, 0, cookie.serverLength);
  return true;
}
