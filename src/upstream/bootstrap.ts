/**
 * Addresses of servers that are known by name only, asked at the pool's bootstrap servers: never at the machine's own
 * resolver, which may well be us.
 *
 * What comes back decides only where to connect; whom to believe is decided by the certificate.
 */
import { addressText } from '../net/index.ts';
import { MALFORMED, NameError, nameOctets, Rrclass, Rrtype, skipName, u16 } from '../wire/index.ts';
import type { Asker, UpstreamPool } from './contract.ts';
import type { Server } from './server.ts';

const BUDGET_MS = 3000;
const REFRESH_MS = 3_600_000;
const RETRY_MS = 1000;
const ADDRESSES_MAX = 8;

export class Bootstrap {
  readonly #server: Server;
  readonly #pool: UpstreamPool;
  readonly #now: () => number;
  readonly #flush: () => void;
  #askedMs = Number.NEGATIVE_INFINITY;
  #open = 0;
  #found: string[] = [];
  #onDone: (() => void)[] = [];

  constructor(server: Server, pool: UpstreamPool, now: () => number, flush: () => void) {
    this.#server = server;
    this.#pool = pool;
    this.#now = now;
    this.#flush = flush;
  }

  /** Asks again when it is time: now and then, and soon while the server has no address or is down. */
  maintain(nowMs: number): void {
    const isWanting = this.#server.address === '' || this.#server.down !== null;
    if (this.#open === 0 && nowMs - this.#askedMs >= (isWanting ? RETRY_MS : REFRESH_MS)) this.#ask(nowMs);
  }

  /** Asks now; resolves when there is an address or the attempt is over. */
  find(): Promise<void> {
    return new Promise((resolve) => {
      this.#onDone.push(resolve);
      if (this.#open === 0) this.#ask(this.#now());
    });
  }

  #ask(nowMs: number): void {
    this.#askedMs = nowMs;
    this.#found = [];
    let name: Uint8Array;
    try {
      name = nameOctets(this.#server.options.serverName ?? '');
    } catch (error) {
      if (!(error instanceof NameError)) throw error;
      this.#server.trouble(error.message);
      return;
    }
    const asker: Asker = {
      answered: (message, length) => {
        this.#found.push(...addressesIn(message, length));
        this.#done();
        return true;
      },
      failed: () => this.#done(),
    };
    this.#open = 2;
    for (const type of [Rrtype.A, Rrtype.AAAA]) {
      const question = { name, nameLength: name.length, type, dnssecOk: false, checkingDisabled: false };
      this.#pool.ask(question, nowMs + BUDGET_MS, asker);
    }
    this.#flush();
  }

  #done(): void {
    this.#open--;
    if (this.#open === 0 || this.#found.length > 0) {
      // An answer without addresses takes none away: the server may still be where it was.
      if (this.#found.length > 0) this.#server.addresses = this.#found.slice(0, ADDRESSES_MAX);
      else this.#server.trouble(`no address found for ${this.#server.options.serverName}`);
      for (const done of this.#onDone.splice(0)) done();
    }
  }
}

/** Addresses in the answer section of a reply whose question was matched. Stops where the message breaks off. */
export function addressesIn(message: Uint8Array, length: number): string[] {
  const found: string[] = [];
  let at = skipName(message, 12, length);
  if (at === MALFORMED) return found;
  at += 4;
  for (let left = u16(message, 6); left > 0; left--) {
    at = skipName(message, at, length);
    if (at === MALFORMED || at + 10 > length) break;
    const type = u16(message, at);
    const dataLength = u16(message, at + 8);
    const dataAt = at + 10;
    if (dataAt + dataLength > length) break;
    const isAddress = (type === Rrtype.A && dataLength === 4) || (type === Rrtype.AAAA && dataLength === 16);
    if (isAddress && u16(message, at + 2) === Rrclass.IN) {
      found.push(addressText(message.subarray(dataAt, dataAt + dataLength), dataLength));
    }
    at = dataAt + dataLength;
  }
  return found;
}
