/**
 * DNS cookies (RFC 7873) in the interoperable form of RFC 9018: version, time, and a SipHash over the client cookie and
 * address. A valid one proves that the source address is not forged, so its owner is spared the rate limits of strangers.
 *
 *    client cookie 8 │ version 1 │ reserved 3 │ time 4 │ hash 8
 */
import { EdnsOption, putU16, putU32, sameOctets, u32 } from '../wire/index.ts';
import type { Query } from './query.ts';
import { sipHash24 } from './siphash.ts';

const CLIENT_LENGTH = 8;
const SERVER_LENGTH = 16;
/** Server cookies are taken for an hour, and five minutes from the future (RFC 9018 section 4.3). */
const AGE_SECONDS_MAX = 3600;
const FUTURE_SECONDS_MAX = 300;

const NO_OCTETS = new Uint8Array(0);

export class Cookies {
  readonly #secret: Uint8Array;
  /** What is hashed: client cookie, version, reserved, time, address. */
  readonly #input = new Uint8Array(CLIENT_LENGTH + 8 + 16);
  /** The option that goes into the response, filled anew each time. */
  readonly #option = new Uint8Array(4 + CLIENT_LENGTH + SERVER_LENGTH);
  readonly #hash = new Uint8Array(8);

  /** `secret`: 16 octets, the same for all workers. */
  constructor(secret: Uint8Array) {
    this.#secret = secret;
    putU16(this.#option, 0, EdnsOption.COOKIE);
    putU16(this.#option, 2, CLIENT_LENGTH + SERVER_LENGTH);
  }

  /** Whether the query carries a server cookie of ours for its address that is not too old. `nowSeconds` since 1970. */
  isValid(query: Query, nowSeconds: number): boolean {
    const { cookie } = query;
    if (query.cookieLength !== CLIENT_LENGTH + SERVER_LENGTH || cookie[8] !== 1) return false;
    const time = u32(cookie, 12);
    // Serial number arithmetic (RFC 1982): the clock may wrap in 2106.
    const age = (nowSeconds - time) | 0;
    if (age > AGE_SECONDS_MAX || age < -FUTURE_SECONDS_MAX) return false;
    this.#seal(query, time);
    return sameOctets(cookie, 16, this.#hash, 0, 8);
  }

  /** The COOKIE option for the response, the same array each time; empty for a query that sent none. */
  answer(query: Query, nowSeconds: number): Uint8Array {
    if (query.cookieLength === 0) return NO_OCTETS;
    const option = this.#option;
    this.#seal(query, nowSeconds);
    for (let i = 0; i < 16; i++) option[4 + i] = this.#input[i];
    for (let i = 0; i < 8; i++) option[20 + i] = this.#hash[i];
    return option;
  }

  #seal(query: Query, time: number): void {
    const input = this.#input;
    for (let i = 0; i < CLIENT_LENGTH; i++) input[i] = query.cookie[i];
    putU32(input, 8, 0x01000000);
    putU32(input, 12, time >>> 0);
    for (let i = 0; i < query.clientLength; i++) input[16 + i] = query.client[i];
    sipHash24(this.#secret, input, 16 + query.clientLength, this.#hash, 0);
  }
}
