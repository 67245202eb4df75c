/** Checking endpoints that were configured, with advice for those that cannot be had. Both engines say the same. */
import { addressOctets } from './address.ts';
import type { Endpoint } from './datagram.ts';

/** Octets of an address that was configured, or an error that says what to write. */
export function literal({ address, port }: Endpoint): Uint8Array {
  const octets = addressOctets(address);
  if (octets === null) {
    throw new TypeError(
      `UDP address '${address}': expected an IPv4 or IPv6 literal such as 127.0.0.1 or ::1`,
    );
  }
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new RangeError(`UDP port ${port}: expected a whole number from 0 to 65535`);
  }
  return octets;
}

export const isWildcard = (address: Uint8Array): boolean => address.every((octet) => octet === 0);

const ADVICE: Partial<Record<string, string>> = {
  EADDRINUSE: 'another process listens there; stop it or choose another port',
  EADDRNOTAVAIL: 'this machine has no such address; choose one of its own',
  EACCES: 'ports below 1024 need root or the capability CAP_NET_BIND_SERVICE',
};

/** What to do about a failed bind, to be put behind the code. */
export function bindAdvice(code: string): string {
  const advice = ADVICE[code];
  return advice === undefined ? '' : `; ${advice}`;
}
