/**
 * Client addresses as text, and how much of them is kept.
 *
 *    keep          192.0.2.77                 2001:db8:1:2::77
 *    truncate      192.0.2.0/24               2001:db8:1::/56
 *    pseudonymise  p:4f1c… (16 hex digits)    keyed with a secret of this installation
 *                  p:a91e07:4f1c…             keyed with the secret of a period (pseudonyms.ts)
 *
 * Text is made once per client and then copied: see `ClientTexts`.
 */
import { addressTextOf } from '../wire/index.ts';
import { type LineText, lineTextOf } from './line-text.ts';
import { type PeriodKey, type PseudonymKeys, pseudonym } from './pseudonyms.ts';

export type ClientPrivacy =
  | { readonly mode: 'keep' }
  | { readonly mode: 'truncate' }
  /** `key`: at least 16 octets; without it the pseudonyms of all IPv4 addresses could be tried in minutes. */
  | { readonly mode: 'pseudonymise'; readonly key: Uint8Array }
  /** Keys that change with time. */
  | { readonly mode: 'pseudonymise'; readonly keys: PseudonymKeys };

/** What stands in the log now: the privacy of the settings, with the key of this time where keys change. */
type PrivacyNow = Exclude<ClientPrivacy, { readonly keys: PseudonymKeys }> | { readonly period: PeriodKey };

/** IPv4 dotted, IPv6 as RFC 5952 recommends. `length` is 4 or 16. */
export const addressText = (address: Uint8Array, length: number): string => addressTextOf(address, 0, length);

/** What of an address stands in the log. */
export function clientText(address: Uint8Array, length: number, privacy: PrivacyNow): string {
  if ('period' in privacy) return pseudonym(address, length, privacy.period.key, privacy.period.prefix);
  if (privacy.mode === 'keep') return addressText(address, length);
  if (privacy.mode === 'truncate') {
    const kept = length === 4 ? 3 : 7;
    const cut = new Uint8Array(16);
    cut.set(address.subarray(0, kept));
    return `${addressText(cut, length)}/${kept * 8}`;
  }
  return pseudonym(address, length, privacy.key, '');
}

const SLOTS = 4096;
const KEY_LENGTH = 18;
const NO_TEXT = lineTextOf(new Uint8Array(0));

/**
 * A direct-mapped table from address and transport to the run `,"via":"udp","client":"192.0.2.7","port":`. A client
 * that collides with another is rendered anew; nothing grows.
 */
export class ClientTexts {
  readonly #texts: LineText[] = new Array(SLOTS).fill(NO_TEXT);
  readonly #keys = new Uint8Array(SLOTS * KEY_LENGTH);
  readonly #ring: PseudonymKeys | null;
  #privacy: PrivacyNow;
  /** From when to when the texts hold; without end where keys do not change. */
  #fromMs = Number.NEGATIVE_INFINITY;
  #untilMs = Number.POSITIVE_INFINITY;
  readonly #encoder = new TextEncoder();

  constructor(privacy: ClientPrivacy) {
    if ('keys' in privacy) {
      this.#ring = privacy.keys;
      // No time lies in it: the first entry asks for its key.
      this.#fromMs = Number.POSITIVE_INFINITY;
      this.#privacy = { mode: 'truncate' };
    } else {
      this.#ring = null;
      this.#privacy = privacy;
    }
  }

  /** Entries from now on are of this time (milliseconds since 1970): with a new period every text is made anew. */
  turnTo(atMs: number): void {
    if ((atMs >= this.#fromMs && atMs < this.#untilMs) || this.#ring === null) return;
    if ('period' in this.#privacy) this.#privacy.period.key.fill(0);
    const period = this.#ring.at(atMs);
    this.#fromMs = period.fromMs;
    this.#untilMs = period.untilMs;
    this.#privacy = { period };
    this.#texts.fill(NO_TEXT);
  }

  /** The client as an entry of this time (milliseconds since 1970) has it; for rare lines, nothing is kept. */
  textAt(atMs: number, address: Uint8Array, length: number): string {
    this.turnTo(atMs);
    return clientText(address, length, this.#privacy);
  }

  /** The run for this client; `length` is 4 or 16. */
  find(address: Uint8Array, length: number, via: string): LineText {
    // The third letters of udp, tcp, dot and doh differ but for udp and tcp, and there the first do.
    const transport = (via.charCodeAt(0) ^ (via.charCodeAt(2) << 1)) & 0xff;
    let hash = transport;
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ address[i], 0x5bd1e995);
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const text = this.#texts[slot];
    if (text !== NO_TEXT && this.#isFor(slot * KEY_LENGTH, transport, address, length)) return text;
    return this.#render(slot, transport, address, length, via);
  }

  #isFor(key: number, transport: number, address: Uint8Array, length: number): boolean {
    const keys = this.#keys;
    if (keys[key] !== transport || keys[key + 1] !== length) return false;
    for (let i = 0; i < length; i++) if (keys[key + 2 + i] !== address[i]) return false;
    return true;
  }

  #render(slot: number, transport: number, address: Uint8Array, length: number, via: string): LineText {
    const key = slot * KEY_LENGTH;
    this.#keys[key] = transport;
    this.#keys[key + 1] = length;
    for (let i = 0; i < length; i++) this.#keys[key + 2 + i] = address[i];
    const client = clientText(address, length, this.#privacy);
    const text = lineTextOf(this.#encoder.encode(`,"via":"${via}","client":"${client}","port":`));
    this.#texts[slot] = text;
    return text;
  }
}
