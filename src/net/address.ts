/**
 * IP addresses between their text and their octets: 4 for IPv4, 16 for IPv6 (RFC 4291 section 2.2), and text in the one
 * form that RFC 5952 recommends, so that equal addresses have equal text.
 */
import { isIPv4, isIPv6 } from 'node:net';

export const IPV4_LENGTH = 4;
export const IPV6_LENGTH = 16;

/** Text of the address in `octets[0 … length)`; `length` is 4 or 16. Allocates: for people, never for the path. */
export function addressText(octets: Uint8Array, length: number): string {
  if (length === IPV4_LENGTH) return `${octets[0]}.${octets[1]}.${octets[2]}.${octets[3]}`;
  const groups: number[] = [];
  for (let at = 0; at < IPV6_LENGTH; at += 2) groups.push((octets[at] << 8) | octets[at + 1]);
  const [from, count] = longestZeroRun(groups);
  if (count < 2) return hexGroups(groups);
  return `${hexGroups(groups.slice(0, from))}::${hexGroups(groups.slice(from + count))}`;
}

/**
 * Octets of an address literal, or null for anything else. A zone (`%eth0`) is not part of an address and is refused.
 * An IPv4-mapped address (`::ffff:192.0.2.1`) is the IPv4 address that it stands for: nothing here carries the mapped
 * form, so that one host cannot appear as two.
 */
export function addressOctets(text: string): Uint8Array | null {
  if (isIPv4(text)) return ipv4Octets(text);
  if (!isIPv6(text) || text.includes('%')) return null;
  const octets = ipv6Octets(text);
  return isMapped(octets) ? octets.slice(12) : octets;
}

const ipv4Octets = (text: string): Uint8Array => Uint8Array.from(text.split('.'), Number);

/** `text` has been found to be IPv6 by node:net, so every group is in range and there is at most one `::`. */
function ipv6Octets(text: string): Uint8Array {
  const [head, tail] = text.split('::');
  const front = groupOctets(head);
  const back = tail === undefined ? [] : groupOctets(tail);
  const octets = new Uint8Array(IPV6_LENGTH);
  octets.set(front, 0);
  octets.set(back, IPV6_LENGTH - back.length);
  return octets;
}

function groupOctets(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return [...ipv4Octets(group)];
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function isMapped(octets: Uint8Array): boolean {
  for (let at = 0; at < 10; at++) if (octets[at] !== 0) return false;
  return octets[10] === 0xff && octets[11] === 0xff;
}

const hexGroups = (groups: readonly number[]): string => groups.map((group) => group.toString(16)).join(':');

/** The first of the longest runs of zero groups, as `[from, count]`. */
function longestZeroRun(groups: readonly number[]): [number, number] {
  let best: [number, number] = [0, 0];
  for (let from = 0; from < groups.length; from++) {
    let count = 0;
    while (groups[from + count] === 0) count++;
    if (count > best[1]) best = [from, count];
  }
  return best;
}
