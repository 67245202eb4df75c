/** Who asks, when a proxy in front of us ended the client's connection. */
import { type BinaryAddress, readAddress } from '../address.ts';

/**
 * The client that `X-Forwarded-For` names, or null when the connection's own peer is the client: it is no trusted
 * proxy, or it names nobody. Each proxy adds the peer it saw at the end of the list, so it is read from there, and the first that
 * is not itself a trusted proxy is the client; what stands before that anybody may have written.
 */
export function forwardedClient(
  list: string | undefined,
  peerAddress: string,
  isTrustedProxy: (address: string) => boolean,
): BinaryAddress | null {
  if (list === undefined || !isTrustedProxy(peerAddress)) return null;
  let client: BinaryAddress | null = null;
  for (const entry of list.split(',').slice(-HOPS_MAX).reverse()) {
    const text = addressIn(entry.trim());
    const address = readAddress(text);
    // Who cannot be read cannot be given another client's rights: the last proxy that could is asking.
    if (address === null) return client;
    client = address;
    if (!isTrustedProxy(text)) return client;
  }
  return client;
}

/** Entries that are looked at. */
const HOPS_MAX = 8;

/** Some proxies write `[2001:db8::1]:443` or `192.0.2.1:443`. */
function addressIn(entry: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(entry);
  if (bracketed !== null) return bracketed[1];
  return entry.replace(/^([^:]*):\d+$/, '$1');
}
