/** The machine's own list of upstream servers, and any server as people write it (config/endpoint.ts reads that). */
import { readFileSync } from 'node:fs';
import { isIP, isIPv4 } from 'node:net';
import type { ServerOptions } from './options.ts';

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

/** A server as it appears in state, audit and log, and as settings may have it. */
export function serverText(options: ServerOptions): string {
  const name = options.address === '' ? (options.serverName ?? '') : options.address;
  const host = isIPv4(name) || !name.includes(':') ? name : `[${name}]`;
  const scheme = options.transport === 'udp' ? '' : `${options.transport}://`;
  const known = options.address !== '' && options.serverName !== undefined ? `#${options.serverName}` : '';
  return `${scheme}${host}:${options.port}${options.path ?? ''}${known}`;
}
