/** Places on the network as they stand in the settings: addresses to listen on, and upstream servers. */
import { isIP, isIPv6 } from 'node:net';
import { z } from 'zod';

/** An address and port of this machine. Port 0: the kernel chooses. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly family: 4 | 6;
}

/** One upstream server; what the transports do not use is null. */
export type UpstreamServer =
  /** The resolvers of this machine (`/etc/resolv.conf`), read at start. */
  | { readonly transport: 'system'; readonly text: string }
  | {
      readonly transport: 'udp' | 'tcp' | 'tls' | 'https';
      /** An address, or for tls and https also a name, resolved at the pool's `bootstrap` addresses. */
      readonly host: string;
      readonly port: number;
      /** Name that the certificate must carry: what follows `#`, else the host if it is one; null: the address. */
      readonly tlsName: string | null;
      /** Path of a DoH server. */
      readonly path: string | null;
      readonly text: string;
    };

/** "127.0.0.1:1053" and "[::1]:1053" as an Endpoint; text without a port is a fault, a wildcard is not. */
export const endpoint = (example: string) =>
  z
    .string({ error: `must be an address with its port; write for example "${example}"` })
    .transform((text, context): Endpoint => {
      const found = readEndpoint(text.trim());
      if (typeof found !== 'string') return found;
      context.addIssue(`${found}; write for example "${example}"`);
      return z.NEVER;
    });

/** An Endpoint, or what is wrong with the text. */
export function readEndpoint(text: string): Endpoint | string {
  const parts = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  if (parts === null) {
    if (isIPv6(text)) return `"${text}" has no port, and an IPv6 address stands in brackets`;
    return isIP(text) === 4 ? `"${text}" has no port` : `"${text}" is not an address with a port`;
  }
  const host = parts[1] ?? parts[2];
  const family = isIP(host);
  if (family === 0) return `"${host}" is not an IP address`;
  if ((parts[1] !== undefined) !== (family === 6))
    return `brackets are for IPv6 addresses, and they need them`;
  const port = Number(parts[3]);
  return port > 65_535 ? `port ${port} is above 65535` : { host, port, family: family as 4 | 6 };
}

/** Whether a server of the settings is one of these listening addresses. */
export const isListening = (host: string, port: number, addresses: readonly Endpoint[]): boolean =>
  addresses.some(
    (own) =>
      own.port === port &&
      (own.host === host ||
        (own.host === '0.0.0.0' && host === '127.0.0.1') ||
        (own.host === '::' && host === '::1')),
  );

export const isLoopback = (host: string): boolean => /^127\./.test(host) || host === '::1';

const PORTS = { udp: 53, tcp: 53, tls: 853, https: 443 } as const;
const SERVER_FORMS =
  'write "system", "192.0.2.53", "192.0.2.53:5353", "tcp://192.0.2.53", "tls://192.0.2.53#dns.example" or "https://dns.example/dns-query"';

export const upstreamServer = z
  .string({ error: `must be a server; ${SERVER_FORMS}` })
  .transform((text, context): UpstreamServer => {
    const found = readServer(text.trim());
    if (typeof found !== 'string') return found;
    context.addIssue(`${found}; ${SERVER_FORMS}`);
    return z.NEVER;
  });

/** An upstream server, or what is wrong with the text. */
export function readServer(text: string): UpstreamServer | string {
  if (text === 'system') return { transport: 'system', text };
  const scheme = /^([a-z]+):\/\//.exec(text);
  const transport = scheme === null ? 'udp' : scheme[1];
  if (!Object.hasOwn(PORTS, transport)) return `"${transport}://" is not a transport of upstream servers`;
  return readLocation(
    transport as keyof typeof PORTS,
    scheme === null ? text : text.slice(scheme[0].length),
    text,
  );
}

function readLocation(
  transport: keyof typeof PORTS,
  location: string,
  text: string,
): UpstreamServer | string {
  const parts = /^(\[[^\]]+\]|[^/#:[\]]+|[0-9a-fA-F:.]+)(?::(\d{1,5}))?(\/[^#]*)?(?:#(.+))?$/.exec(location);
  // A bare IPv6 address has colons that could be a port; it is taken whole.
  const bare = isIP(location) !== 0 ? location : null;
  if (bare === null && parts === null) return `"${text}" is not a server`;
  const host = bare ?? parts![1].replace(/^\[|\]$/g, '');
  const [port, path, name] = bare === null ? [parts![2], parts![3], parts![4]] : [];
  const isEncrypted = transport === 'tls' || transport === 'https';
  if (isIP(host) === 0 && !(isEncrypted && isHostName(host))) return `"${host}" is not an IP address`;
  if (parts?.[1].startsWith('[') && isIP(host) !== 6)
    return `"${host}" is not an IPv6 address, and only they stand in brackets`;
  if (port !== undefined && (Number(port) > 65_535 || Number(port) === 0))
    return `port ${port} is not between 1 and 65535`;
  if (path !== undefined && transport !== 'https')
    return `"${text}" has a path, which only https:// servers have`;
  if (name !== undefined && !isEncrypted)
    return `"${text}" has a certificate name, which only tls:// and https:// servers have`;
  if (name !== undefined && !isHostName(name))
    return `"${name}" behind the # is not the name of a certificate`;
  return {
    transport,
    host,
    port: port === undefined ? PORTS[transport] : Number(port),
    tlsName: isEncrypted ? tlsNameOf(host, name) : null,
    path: transport === 'https' ? (path ?? '/dns-query') : null,
    text,
  };
}

const tlsNameOf = (host: string, name: string | undefined): string | null =>
  (name ?? (isIP(host) === 0 ? host : null))?.toLowerCase().replace(/\.$/, '') ?? null;

const isHostName = (text: string): boolean =>
  /^[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\.?$/i.test(text) &&
  !/^[\d.]+$/.test(text);
