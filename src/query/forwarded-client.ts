/**
 * Which client a forwarder asks for, as it says in EDNS: in an option of local use (CoreDNS: `rewrite edns0 local set
 * 0xffee {client_ip}`), or as a client subnet of full length (RFC 7871; dnsdist: `useClientSubnet`).
 *
 * Anybody can write such options, so only those of named forwarders are read; none of them is ever sent on. An option that
 * is empty or says no address leaves the query to the forwarder itself: never a guess, never somebody else.
 */
import { addressOctets, type PrefixSet } from '../net/index.ts';
import { type Edns, u16 } from '../wire/index.ts';
import type { Query } from './query.ts';

export interface ForwarderOptions {
  readonly from: PrefixSet;
  /** Code of the local option; −1 when none is read. */
  readonly option: number;
  readonly subnet: boolean;
}

const SUBNET_FIXED_LENGTH = 4;
const IPV4_FAMILY = 1;
const IPV6_FAMILY = 2;
/** The longest text of an address: IPv6 with an IPv4 part. */
const TEXT_LENGTH_MAX = 45;

/** Makes the query that of the client which its forwarder names, if it does. The options have been found to be whole. */
export function takeForwardedClient(query: Query, edns: Edns, { from, subnet }: ForwarderOptions): void {
  if (!from.has(query.client, query.clientLength)) return;
  const { octets, clientPort } = query;
  const { localAt, localLength, subnetAt, subnetLength } = edns;
  const named = localAt === -1 ? null : addressIn(octets, localAt, localLength);
  const address = named ?? (subnet && subnetAt !== -1 ? hostIn(octets, subnetAt, subnetLength) : null);
  if (address !== null) query.speakFor(address, address.length, clientPort);
}

/** An address in 4 or 16 octets, or as text. */
function addressIn(octets: Uint8Array, at: number, length: number): Uint8Array | null {
  if (length === 4) return octets.slice(at, at + 4);
  if (length === 16) {
    const raw = unmapped(octets.slice(at, at + 16));
    // Sixteen characters may also be an address in words; as octets they would be one of no network there is.
    return addressOctets(Buffer.from(raw).toString('latin1')) ?? raw;
  }
  if (length === 0 || length > TEXT_LENGTH_MAX) return null;
  return addressOctets(Buffer.from(octets.buffer, octets.byteOffset + at, length).toString('latin1'));
}

/** The address of a client subnet that leaves nothing out: family, source length, scope length, address. */
function hostIn(octets: Uint8Array, at: number, length: number): Uint8Array | null {
  if (length < SUBNET_FIXED_LENGTH) return null;
  const family = u16(octets, at);
  const size = family === IPV4_FAMILY ? 4 : family === IPV6_FAMILY ? 16 : 0;
  if (size === 0 || octets[at + 2] !== size * 8 || length !== SUBNET_FIXED_LENGTH + size) return null;
  return unmapped(octets.slice(at + SUBNET_FIXED_LENGTH, at + length));
}

/** An IPv4-mapped address is the IPv4 address it stands for. */
function unmapped(address: Uint8Array): Uint8Array {
  if (address.length !== 16 || address[10] !== 0xff || address[11] !== 0xff) return address;
  for (let i = 0; i < 10; i++) if (address[i] !== 0) return address;
  return address.slice(12);
}
