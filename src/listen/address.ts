/** Addresses of peers, as Node gives them, in octets. */
import { addressOctets } from '../net/index.ts';

export interface BinaryAddress {
  /** Octets 0–3 or 0–15 of 16. */
  readonly octets: Uint8Array;
  readonly length: 4 | 16;
}

/**
 * Octets of an IPv4 or IPv6 address in text, an IPv4-mapped one as IPv4; null when the text is no address. The zone that
 * Node writes behind a link-local address (`fe80::1%eth0`) is left out.
 */
export function readAddress(text: string): BinaryAddress | null {
  const zoneAt = text.indexOf('%');
  const found = addressOctets(zoneAt < 0 ? text : text.slice(0, zoneAt));
  if (found === null) return null;
  const octets = new Uint8Array(16);
  octets.set(found);
  return { octets, length: found.length === 4 ? 4 : 16 };
}
