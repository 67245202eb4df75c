/** Sets of addresses that an operator has written as prefixes, e.g. those of load balancers. A handful, looked at in turn. */
import { addressOctets } from './address.ts';

interface Prefix {
  readonly octets: Uint8Array;
  readonly bits: number;
}

export class PrefixSet {
  readonly #prefixes: readonly Prefix[];

  /** Texts such as 192.0.2.0/24, 2001:db8::/32, 192.0.2.1; they have been checked when the settings were read. */
  constructor(texts: readonly string[]) {
    this.#prefixes = texts.flatMap((text) => {
      const [host, bits] = text.split('/');
      const octets = addressOctets(host);
      return octets === null ? [] : [{ octets, bits: bits === undefined ? octets.length * 8 : Number(bits) }];
    });
  }

  get isEmpty(): boolean {
    return this.#prefixes.length === 0;
  }

  /** Whether the address in `octets[0 … length)` is in the set; `length` is 4 or 16. */
  has(octets: Uint8Array, length: number): boolean {
    for (const prefix of this.#prefixes)
      if (prefix.octets.length === length && isWithin(octets, prefix)) return true;
    return false;
  }

  /** The same for an address as Node writes it: with a zone, or IPv4-mapped. */
  hasText(address: string): boolean {
    const octets = addressOctets(address.split('%')[0]);
    return octets !== null && this.has(octets, octets.length);
  }
}

function isWithin(octets: Uint8Array, { octets: prefix, bits }: Prefix): boolean {
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (octets[i] !== prefix[i]) return false;
  const rest = bits & 7;
  return rest === 0 || ((octets[whole] ^ prefix[whole]) & (0xff00 >> rest) & 0xff) === 0;
}
