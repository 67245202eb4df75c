/** Upstream servers as people write them: parsing, the machine's own list, and the way back to text. */
import { readFileSync } from 'node:fs';
import { isIP, isIPv4, isIPv6 } from 'node:net';
import type { ServerOptions, Transport } from './options.ts';

/** What is wrong with a server's text, and what to write instead. */
export interface ServerFault {
  readonly fault: string;
}

const PORTS: Readonly<Record<Transport, number>> = { udp: 53, tcp: 53, tls: 853, https: 443 };
const EXAMPLES =
  'write 9.9.9.9, 9.9.9.9:53, [2620:fe::fe]:53, tcp://9.9.9.9, tls://9.9.9.9:853#dns.quad9.net or ' +
  'https://dns.quad9.net/dns-query';
const HOST_NAME =
  /^(?=.{1,253}\.?$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\.?$/i;

/**
 * Reads one server. `system` is not one server but a list: see `systemServers`.
 *
 *    [scheme://]host[:port][/path][#name]     scheme: udp, tcp, tls, https
 *
 * The name behind `#` is what the certificate must carry when the host is an address. A host that is a name is only
 * possible for tls and https, and needs bootstrap servers.
 */
export function parseServer(text: string): ServerOptions | ServerFault {
  const parts = /^(?:([a-z0-9+]+):\/\/)?(\[[^\]]*\]|[^/#[\]]*?)(?::(\d*))?(\/[^#]*)?(?:#(.*))?$/i.exec(
    bracketed(text.trim()),
  );
  if (parts === null) return { fault: `"${text}" is not a server; ${EXAMPLES}` };
  const [, scheme = 'udp', hostPart, portText, path, name] = parts;
  const transport = scheme.toLowerCase();
  if (!isTransport(transport)) {
    return { fault: `"${text}" has the unknown scheme "${scheme}"; the schemes are udp, tcp, tls and https` };
  }
  const isEncrypted = transport === 'tls' || transport === 'https';
  const host = hostPart.startsWith('[') ? hostPart.slice(1, -1) : hostPart;
  if (hostPart.startsWith('[') && (!isIPv6(host) || host.includes('%'))) {
    return { fault: `"${text}" has "${host}" in brackets, which is not an IPv6 address` };
  }
  const isAddress = isIP(host) !== 0 && !host.includes('%');
  if (host === '') return { fault: `"${text}" names no host; ${EXAMPLES}` };
  if (!isAddress && !HOST_NAME.test(host))
    return { fault: `"${text}" has the host "${host}", which is neither an address nor a name; ${EXAMPLES}` };
  if (!isAddress && /^[\d.]+$/.test(host)) return { fault: `"${host}" is not an IPv4 address; ${EXAMPLES}` };
  if (!isAddress && !isEncrypted) {
    return {
      fault: `"${text}" names the server "${host}"; a plain server is given by its address, as in 9.9.9.9`,
    };
  }
  const port = portText === undefined ? PORTS[transport] : Number(portText);
  if (portText === '' || port < 1 || port > 65_535) {
    return { fault: `"${text}" has the port "${portText}"; a port is a number from 1 to 65535` };
  }
  if (path !== undefined && transport !== 'https') {
    return { fault: `"${text}" has the path "${path}"; only https:// servers have a path` };
  }
  if (name !== undefined && !isEncrypted) {
    return {
      fault: `"${text}" has the name "${name}"; only tls:// and https:// servers are known by a name`,
    };
  }
  if (name !== undefined && (!HOST_NAME.test(name) || isIP(name) !== 0)) {
    return {
      fault: `"${text}" has "${name}" behind the #; write the host name that is in the server's certificate`,
    };
  }
  const serverName = name ?? (isAddress ? undefined : host);
  return {
    transport,
    address: isAddress ? host : '',
    port,
    ...(serverName === undefined ? {} : { serverName: serverName.toLowerCase().replace(/\.$/, '') }),
    ...(transport === 'https' ? { path: path === undefined || path === '/' ? '/dns-query' : path } : {}),
  };
}

const isTransport = (scheme: string): scheme is Transport => scheme in PORTS;

/** An IPv6 address may stand alone; with a port it needs brackets. */
const bracketed = (text: string): string => (isIPv6(text) && !text.includes('%') ? `[${text}]` : text);

/** The machine's own resolvers from `resolv.conf`; empty when there is no such file or none in it. */
export function systemServers(file = '/etc/resolv.conf'): ServerOptions[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  const servers: ServerOptions[] = [];
  for (const line of text.split('\n')) {
    const address = /^\s*nameserver\s+(\S+)/.exec(line)?.[1];
    // A link-local address with a zone cannot be connected to here.
    if (address === undefined || isIP(address) === 0 || address.includes('%')) continue;
    servers.push({ transport: 'udp', address, port: 53 });
  }
  return servers;
}

/** A server as it appears in state, audit and log. `parseServer` reads it back. */
export function serverText(options: ServerOptions): string {
  const name = options.address === '' ? (options.serverName ?? '') : options.address;
  const host = isIPv4(name) || !name.includes(':') ? name : `[${name}]`;
  const scheme = options.transport === 'udp' ? '' : `${options.transport}://`;
  const known = options.address !== '' && options.serverName !== undefined ? `#${options.serverName}` : '';
  return `${scheme}${host}:${options.port}${options.path ?? ''}${known}`;
}
