/**
 * Client addresses as text, and how much of them is kept.
 *
 *    keep          192.0.2.77                 2001:db8:1:2::77
 *    truncate      192.0.2.0/24               2001:db8:1::/48
 *    pseudonymise  p:4f1c… (16 hex digits)    keyed with a secret of this installation
 *
 * Text is made once per client and then copied: see `ClientTexts`.
 */
import { createHmac } from 'node:crypto';

export type ClientPrivacy =
  | { readonly mode: 'keep' }
  | { readonly mode: 'truncate' }
  /** `key`: at least 16 octets; without it the pseudonyms of all IPv4 addresses could be tried in minutes. */
  | { readonly mode: 'pseudonymise'; readonly key: Uint8Array };

/** IPv4 dotted, IPv6 as RFC 5952 recommends. `length` is 4 or 16. */
export function addressText(address: Uint8Array, length: number): string {
  if (length === 4) return `${address[0]}.${address[1]}.${address[2]}.${address[3]}`;
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((address[i] << 8) | address[i + 1]);
  let zerosAt = -1;
  let zeros = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > zeros) {
      zerosAt = i;
      zeros = end - i;
    }
  }
  const hex = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return zerosAt < 0 ? hex(0, 8) : `${hex(0, zerosAt)}::${hex(zerosAt + zeros, 8)}`;
}

/** What of an address stands in the log. */
export function clientText(address: Uint8Array, length: number, privacy: ClientPrivacy): string {
  if (privacy.mode === 'keep') return addressText(address, length);
  if (privacy.mode === 'truncate') {
    const kept = length === 4 ? 3 : 6;
    const cut = new Uint8Array(16);
    cut.set(address.subarray(0, kept));
    return `${addressText(cut, length)}/${kept * 8}`;
  }
  const digest = createHmac('sha256', privacy.key).update(address.subarray(0, length)).digest('hex');
  return `p:${digest.slice(0, 16)}`;
}

const SLOTS = 4096;
const SLOT_LENGTH = 96;
const KEY_LENGTH = 18;

/**
 * A direct-mapped table from address and transport to the run `,"via":"udp","client":"192.0.2.7","port":`. A client
 * that collides with another is rendered anew; nothing grows.
 */
export class ClientTexts {
  readonly octets = new Uint8Array(SLOTS * SLOT_LENGTH);
  readonly #keys = new Uint8Array(SLOTS * KEY_LENGTH);
  readonly #lengths = new Uint8Array(SLOTS);
  readonly #privacy: ClientPrivacy;
  readonly #encoder = new TextEncoder();

  constructor(privacy: ClientPrivacy) {
    this.#privacy = privacy;
  }

  /** Octets of the run in the slot that `find` returned. */
  lengthOf(at: number): number {
    return this.#lengths[at / SLOT_LENGTH];
  }

  /** Position in `octets` of the run for this client. */
  find(address: Uint8Array, length: number, via: string): number {
    // The first letters differ (udp, tcp) or the second and third do (dot, doh).
    const transport = via.charCodeAt(0) ^ (via.charCodeAt(2) << 1);
    let hash = transport;
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ address[i], 0x5bd1e995);
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const key = slot * KEY_LENGTH;
    const keys = this.#keys;
    if (this.#lengths[slot] !== 0 && keys[key] === (transport & 0xff) && keys[key + 1] === length) {
      let same = true;
      for (let i = 0; i < length; i++) {
        if (keys[key + 2 + i] !== address[i]) {
          same = false;
          break;
        }
      }
      if (same) return slot * SLOT_LENGTH;
    }
    keys[key] = transport;
    keys[key + 1] = length;
    for (let i = 0; i < length; i++) keys[key + 2 + i] = address[i];
    const text = `,"via":"${via}","client":"${clientText(address, length, this.#privacy)}","port":`;
    const at = slot * SLOT_LENGTH;
    this.#lengths[slot] = this.#encoder.encodeInto(text, this.octets.subarray(at, at + SLOT_LENGTH)).written;
    return at;
  }

  /** Forgets every text; called when the key of pseudonyms changes. */
  clear(): void {
    this.#lengths.fill(0);
  }
}
