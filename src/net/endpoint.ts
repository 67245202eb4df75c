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

/** What to do about a failed bind, to be put behind the code. */
export const bindAdvice = (code: string): string => advice(BIND_ADVICE, code);

/** What to do when the system gives no socket, to be put behind the code. */
export const openAdvice = (code: string): string => advice(OPEN_ADVICE, code);

const OPEN_ADVICE: Partial<Record<string, string>> = {
  EAFNOSUPPORT: 'this system does not speak it; take its addresses out of the settings',
  EMFILE: 'raise the limit of open files (ulimit -n, LimitNOFILE)',
};

const BIND_ADVICE: Partial<Record<string, string>> = {
  EADDRINUSE: 'another process listens there; stop it or choose another port',
  EADDRNOTAVAIL: 'this machine has no such address; choose one of its own',
  EACCES: 'ports below 1024 need root or the capability CAP_NET_BIND_SERVICE',
};

function advice(table: Partial<Record<string, string>>, code: string): string {
  const text = table[code];
  return text === undefined ? '' : `; ${text}`;
}
