/**
 * Who may ask the control server what. Three attacks shape it:
 *
 * - A stranger on the network: beyond loopback nothing but health is told without the bearer token.
 * - A page in a browser on this machine whose name was rebound to 127.0.0.1: it arrives with its own name in `Host`, so
 *   without a token only names of this machine are accepted there.
 * - A page that posts a form across origins: it can send neither a JSON content type nor a header of its own without asking
 *   first (CORS), and Sallyport never says yes; so a POST must carry one of them.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** A request that is turned away: what it gets. */
export interface Refusal {
  readonly status: 401 | 403 | 405 | 415 | 421;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Paths that answer without a token, so that a load balancer or kubelet can ask. They tell up or not, and what is not ready. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/livez', '/healthz', '/health', '/readyz', '/ready']);

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether the address is one that only this machine can reach. `localhost` counts, other names do not. */
export function isLoopback(address: string): boolean {
  if (address === 'localhost') return true;
  const family = isIP(address);
  return family !== 0 && loopback.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** Shortest token that is accepted: 128 bits as hex or base64 are longer. */
const TOKEN_LENGTH_MIN = 16;

/** What is wrong with listening on `address` with `token`, or null. */
export function gateFault(address: string, token: string | null): string | null {
  if (token !== null && token.length < TOKEN_LENGTH_MIN) {
    return `the control token has ${token.length} characters; use at least ${TOKEN_LENGTH_MIN}, e.g. the output of "openssl rand -hex 32"`;
  }
  if (token !== null && !/^[\x21-\x7e]+$/.test(token)) {
    return 'the control token may hold visible ASCII characters only, no spaces; e.g. the output of "openssl rand -hex 32"';
  }
  if (token === null && !isLoopback(address)) {
    return `the control server would listen on ${address}, which others can reach, without a token; set a token, or listen on 127.0.0.1 or ::1`;
  }
  return null;
}

/** Makes the check that stands before every request. */
export function createGate(token: string | null): (request: IncomingMessage, path: string) => Refusal | null {
  const expected = token === null ? null : digest(`Bearer ${token}`);
  return (request, path) => {
    if (OPEN_PATHS.has(path)) return null;
    if (expected === null) {
      if (!isOwnName(request.headers.host)) return MISDIRECTED;
    } else if (!timingSafeEqual(digest(request.headers.authorization ?? ''), expected)) {
      return UNAUTHORIZED;
    }
    if (request.method === 'POST' && !mayPost(request, expected !== null)) return CROSS_SITE;
    return null;
  };
}

const UNAUTHORIZED: Refusal = {
  status: 401,
  message: 'send the control token as "Authorization: Bearer TOKEN"',
  headers: { 'www-authenticate': 'Bearer realm="sallyport"' },
};

const MISDIRECTED: Refusal = {
  status: 421,
  message: 'the Host header names another machine; without a token use localhost, 127.0.0.1 or [::1]',
};

const CROSS_SITE: Refusal = {
  status: 403,
  message:
    'a POST needs "Content-Type: application/json" or "X-Sallyport: 1", and must not come from another site',
};

/** Digests have one length, so comparing them tells nothing of how much of the token was right. */
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

function isOwnName(host: string | undefined): boolean {
  const parts = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::\d{1,5})?$/.exec(host ?? '');
  return parts !== null && isLoopback(parts[1]!.toLowerCase().replace(/^\[(.*)\]$/, '$1'));
}

/** A browser adds `Sec-Fetch-Site` and `Origin` by itself; nothing else does. */
function mayPost(request: IncomingMessage, withToken: boolean): boolean {
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  const isJson = /^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '');
  return withToken || isJson || request.headers['x-sallyport'] !== undefined;
}
