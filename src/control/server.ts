/**
 * The HTTP server of the control thread: health, metrics, state, reload and explain.
 *
 *   GET  /livez               200 while the threads run
 *   GET  /healthz /health     200 while all is well, the audit included; what is amiss elsewhere stands in the text
 *   GET  /readyz  /ready      200 when queries are welcome, else 503 and what is not ready
 *   GET  /metrics             text exposition format
 *   GET  /api/state           what runs, as JSON
 *   GET  /explain?name=…&type=…&client=…    which rules compete for a name, as JSON
 *   GET  /api/verdicts        verdicts of the tunnel detector, as JSON
 *   GET  /api/events          first questions of a group for a domain, as JSON
 *   POST /api/release         ends a verdict: {"client": …, "zone": …}, one of them or both
 *   POST /reload              reads the policies again; 422 with every fault when the old one stays
 *
 * It shares the process with the guard of a network, so it is held small: every length, count and time has a bound, and
 * a fault in a handler ends in a 500 here, never in the process.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGate, gateFault } from './gate.ts';
import { fault, json, type Reply, send, text } from './reply.ts';
import type { ControlRoom } from './room.ts';

/** The bounds. Times in milliseconds, sizes in octets. */
export const CONTROL_LIMITS = Object.freeze({
  headerLength: 8_192,
  bodyLength: 65_535,
  connections: 128,
  requestsPerConnection: 1_000,
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 10_000,
  keepAliveTimeoutMs: 5_000,
  /** A response not read by its client for so long is given up. */
  idleTimeoutMs: 15_000,
  /** An answer of `/explain` names what was asked: no name is longer than this, escapes included. */
  nameLength: 1_100,
});

/** What the server has to say to the operator; pino's logger fits. */
export interface ControlLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface ControlOptions {
  /** An address, not a name: loopback unless a token is given. */
  readonly address: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** Required beyond loopback; when given it is asked for on loopback too. */
  readonly token: string | null;
  readonly log: ControlLog;
}

export interface ControlServer {
  readonly address: string;
  readonly port: number;
  /** Connections turned away because too many were open. */
  readonly dropped: number;
  /** Stops listening, lets running requests end for `graceMs`, then cuts them off. */
  close(graceMs?: number): Promise<void>;
}

/** Starts to listen. Rejects when the address is taken, or when it would be open to others without a token. */
export async function startControl(options: ControlOptions, room: ControlRoom): Promise<ControlServer> {
  const wrong = gateFault(options.address, options.token);
  if (wrong !== null) throw new Error(wrong);

  const server = createServer(
    {
      maxHeaderSize: CONTROL_LIMITS.headerLength,
      headersTimeout: CONTROL_LIMITS.headersTimeoutMs,
      requestTimeout: CONTROL_LIMITS.requestTimeoutMs,
      keepAliveTimeout: CONTROL_LIMITS.keepAliveTimeoutMs,
      connectionsCheckingInterval: 1_000,
      requireHostHeader: true,
    },
    createHandler(options, room),
  );
  server.maxConnections = CONTROL_LIMITS.connections;
  server.maxRequestsPerSocket = CONTROL_LIMITS.requestsPerConnection;
  server.timeout = CONTROL_LIMITS.idleTimeoutMs;
  let dropped = 0;
  server.on('drop', () => dropped++);
  server.on('connection', (socket) => socket.on('error', () => socket.destroy()));

  await listen(server, options);
  server.on('error', (error) => options.log.error({ err: error }, 'the control server failed'));
  const { address, port } = server.address() as AddressInfo;
  return {
    address,
    port,
    get dropped() {
      return dropped;
    },
    close: (graceMs = 1_000) => close(server, graceMs),
  };
}

const listen = (server: Server, { address, port }: ControlOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port, exclusive: true }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });

const close = (server: Server, graceMs: number): Promise<void> =>
  new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });

function createHandler({ token, log }: ControlOptions, room: ControlRoom) {
  const mayAsk = createGate(token);
  const routes = createRoutes(room, log);
  return (request: IncomingMessage, response: ServerResponse): void => {
    answer(request)
      .catch((error: unknown): Reply => {
        log.error({ err: error, url: request.url }, 'a control request failed');
        return fault(500, 'the request failed; the log says why');
      })
      .then((reply) => {
        // What was not read of the body would be taken for the next request.
        const headers = request.complete ? reply.headers : { ...reply.headers, connection: 'close' };
        send(response, { ...reply, ...(headers && { headers }) }, request.method !== 'HEAD');
      });
  };

  async function answer(request: IncomingMessage): Promise<Reply> {
    const url = parseTarget(request.url);
    if (url === null) return fault(400, 'the request target is not a path, e.g. /metrics');
    const refusal = mayAsk(request, url.pathname);
    if (refusal !== null) return fault(refusal.status, refusal.message, refusal.headers);

    const route = routes.get(url.pathname);
    if (route === undefined) return fault(404, `nothing here; try one of: ${[...routes.keys()].join(' ')}`);
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    if (method !== route.method) {
      return fault(405, `use ${route.method}`, {
        allow: route.method === 'GET' ? 'GET, HEAD' : route.method,
      });
    }
    const body = await readWhole(request);
    if (body === null) return fault(413, `the body is longer than ${CONTROL_LIMITS.bodyLength} octets`);
    return await route.answer(url.searchParams, request, body);
  }
}

/** Only the origin form of a target is taken (RFC 9112 section 3.2.1): `//host/path` names no other host here. */
function parseTarget(target: string | undefined): URL | null {
  if (target === undefined || !target.startsWith('/')) return null;
  try {
    return new URL(`http://control${target}`);
  } catch {
    return null;
  }
}

/** The body as text; null once it is too long. */
async function readWhole(request: IncomingMessage): Promise<string | null> {
  if (Number(request.headers['content-length'] ?? 0) > CONTROL_LIMITS.bodyLength) return null;
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    pieces.push(piece as Buffer);
    length += (piece as Buffer).length;
    if (length > CONTROL_LIMITS.bodyLength) return null;
  }
  return Buffer.concat(pieces).toString('utf8');
}

interface Route {
  readonly method: 'GET' | 'POST';
  answer(query: URLSearchParams, request: IncomingMessage, body: string): Reply | Promise<Reply>;
}

function createRoutes(room: ControlRoom, log: ControlLog): ReadonlyMap<string, Route> {
  const get = (answer: Route['answer']): Route => ({ method: 'GET', answer });
  const health = get(() => {
    if (!room.healthy()) return text(503, 'not all is well: see /readyz');
    const degraded = room.degraded();
    return text(200, degraded.length === 0 ? 'OK' : `OK, but ${degraded.join('; ')}`);
  });
  const ready = get(() => {
    const unready = room.unready();
    return unready.length === 0 ? text(200, 'OK') : text(503, unready.join(', '));
  });
  return new Map<string, Route>([
    ['/livez', get(() => (room.alive() ? text(200, 'OK') : text(503, 'a thread is missing')))],
    ['/healthz', health],
    ['/health', health],
    ['/readyz', ready],
    ['/ready', ready],
    ['/metrics', get(async () => metrics(await room.metrics()))],
    ['/api/state', get(() => json(200, room.state()))],
    ['/api/verdicts', get(() => json(200, { verdicts: room.verdicts() }))],
    ['/api/events', get(() => json(200, { events: room.events() }))],
    ['/api/release', { method: 'POST', answer: (_, __, body) => release(room, body) }],
    ['/explain', get((query, request) => explain(room, query, request))],
    ['/reload', { method: 'POST', answer: createReload(room, log) }],
  ]);
}

const metrics = (page: { contentType: string; body: string }): Reply => ({ status: 200, ...page });

function explain(room: ControlRoom, query: URLSearchParams, request: IncomingMessage): Reply {
  const name = query.get('name');
  if (name === null || name === '') {
    return fault(400, 'which name? e.g. /explain?name=www.example.com&type=A&client=192.0.2.7');
  }
  if (name.length > CONTROL_LIMITS.nameLength)
    return fault(400, 'the name is longer than any name of the DNS');
  const result = room.explain({
    name,
    type: query.get('type') ?? 'A',
    client: query.get('client') ?? request.socket.remoteAddress ?? null,
  });
  return result.ok ? json(200, result.answer) : fault(400, result.fault);
}

const RELEASE_EXAMPLE = 'e.g. {"client": "192.0.2.7", "zone": "example.com"}, or one of the two';

function release(room: ControlRoom, body: string): Reply {
  let asked: unknown;
  try {
    asked = JSON.parse(body);
  } catch {
    return fault(400, `the body is not JSON; write what to release, ${RELEASE_EXAMPLE}`);
  }
  if (typeof asked !== 'object' || asked === null || Array.isArray(asked))
    return fault(400, `the body is not a JSON object; write what to release, ${RELEASE_EXAMPLE}`);
  for (const [key, value] of Object.entries(asked)) {
    // A word that is not known might have narrowed what is released.
    if (key !== 'client' && key !== 'zone')
      return fault(400, `"${key}" is not known here; write ${RELEASE_EXAMPLE}`);
    if (typeof value !== 'string') return fault(400, `"${key}" is not a text; write ${RELEASE_EXAMPLE}`);
    if (value.length > CONTROL_LIMITS.nameLength)
      return fault(400, `"${key}" is longer than any name of the DNS`);
  }
  const { client = null, zone = null } = asked as { client?: string; zone?: string };
  const result = room.release({ client, zone });
  return result.ok ? json(200, result.answer) : fault(result.status, result.fault);
}

/** One reload at a time: a second one meanwhile could not say which files it had read. */
function createReload(room: ControlRoom, log: ControlLog): Route['answer'] {
  let running = false;
  return async () => {
    if (running)
      return fault(409, 'a reload is running; ask again when it has ended', { 'retry-after': '1' });
    running = true;
    try {
      const result = await room.reload();
      log.info({ ok: result.ok, generation: result.generation }, 'reload was asked for over HTTP');
      return json(result.ok ? 200 : 422, result);
    } finally {
      running = false;
    }
  };
}
