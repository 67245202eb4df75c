/**
 * The header that a load balancer puts before a datagram or at the start of a connection to say which client is behind it:
 * PROXY protocol version 2 (haproxy.org, proxy-protocol.txt section 2.2).
 *
 *    0   signature, 12 octets          12   version 2 (4 bits), command (4): 0 LOCAL, 1 PROXY
 *   13   family (4): 1 IPv4, 2 IPv6; protocol (4)      14   length of the rest, 2 octets
 *   16   source address, destination address, source port, destination port; then TLVs: type 1, length 2, value
 *
 * Only for peers that the operator has named: anybody can write such octets.
 */
import { MALFORMED, u16 } from './octets.ts';

const SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
const FIXED_LENGTH = 16;
const LOCAL = 0;
const PROXY = 1;
const IPV4 = 1;
const IPV6 = 2;
/** Most octets of a header: what dnsdist takes too, and far more than addresses and the usual TLVs need. */
export const PROXY_HEADER_MAX = 512;
const TLVS_MAX = 32;

/** The header is not whole yet. */
export const INCOMPLETE = 0;

/** Reads headers one after the other; its fields describe the last one. */
export class ProxyHeader {
  /** 4 or 16; 0 when the load balancer speaks for itself (LOCAL), as in its health checks. */
  addressLength = 0;
  readonly address = new Uint8Array(16);
  port = 0;

  /** Octets of the header at the start of `octets[0 … length)`; INCOMPLETE, or MALFORMED when none stands there. */
  read(octets: Uint8Array, length: number): number {
    for (let i = 0; i < SIGNATURE.length && i < length; i++) if (octets[i] !== SIGNATURE[i]) return MALFORMED;
    if (length < FIXED_LENGTH) return INCOMPLETE;
    const command = octets[12] & 15;
    if (octets[12] >> 4 !== 2 || command > PROXY) return MALFORMED;
    const end = FIXED_LENGTH + u16(octets, 14);
    if (end > PROXY_HEADER_MAX) return MALFORMED;
    if (length < end) return INCOMPLETE;
    this.addressLength = 0;
    // Whatever else a LOCAL header carries is to be skipped.
    if (command === LOCAL) return end;
    const family = octets[13] >> 4;
    const size = family === IPV4 ? 4 : family === IPV6 ? 16 : 0;
    const tlvsAt = FIXED_LENGTH + 2 * size + 4;
    // Nobody's address, or the path of a socket: no identity to judge by.
    if (size === 0 || tlvsAt > end || !areTlvs(octets, tlvsAt, end)) return MALFORMED;
    this.#setAddress(octets, size);
    this.port = u16(octets, FIXED_LENGTH + 2 * size);
    return end;
  }

  /** An IPv4-mapped address is the IPv4 address it stands for: one host must not appear as two. */
  #setAddress(octets: Uint8Array, size: number): void {
    const isMapped = size === 16 && isMappedAt(octets, FIXED_LENGTH);
    const from = isMapped ? FIXED_LENGTH + 12 : FIXED_LENGTH;
    this.addressLength = isMapped ? 4 : size;
    for (let i = 0; i < this.addressLength; i++) this.address[i] = octets[from + i];
  }
}

function isMappedAt(octets: Uint8Array, at: number): boolean {
  for (let i = 0; i < 10; i++) if (octets[at + i] !== 0) return false;
  return octets[at + 10] === 0xff && octets[at + 11] === 0xff;
}

function areTlvs(octets: Uint8Array, at: number, end: number): boolean {
  for (let count = 0; at < end; count++) {
    if (count === TLVS_MAX || at + 3 > end) return false;
    at += 3 + u16(octets, at + 1);
  }
  return at === end;
}
