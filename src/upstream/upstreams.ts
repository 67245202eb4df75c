/** Opens the pools and keeps them: the one way into this room. */
import { accessSync, constants } from 'node:fs';
import { isIP } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { Bootstrap } from './bootstrap.ts';
import type { UpstreamPool, UpstreamServerState, Upstreams } from './contract.ts';
import { Exchange } from './exchange.ts';
import { type PoolOptions, SERVERS_MAX, type UpstreamsOptions } from './options.ts';
import type { ExchangeCounters } from './outcome.ts';
import { Pool } from './pool.ts';
import { Server } from './server.ts';
import { serverText } from './server-text.ts';

const MAINTENANCE_MS = 250;
/** Wait at start for addresses of servers known by name. Without them it starts too, and goes on asking. */
const BOOTSTRAP_MS = 1000;

/** `Upstreams` with what metrics read besides. */
export interface OpenUpstreams extends Upstreams {
  readonly counters: Readonly<ExchangeCounters>;
  /** Questions in flight, lingering ones included. */
  readonly inFlight: number;
}

/**
 * Opens every pool. Servers that cannot be reached are no error: they are down until they answer. Throws for options
 * that contradict each other, with what to write instead.
 */
export async function openUpstreams(options: UpstreamsOptions): Promise<OpenUpstreams> {
  const now = options.now ?? ((): number => performance.now());
  const room = { ...options, now };
  const servers: Server[] = [];
  const bootstraps: Bootstrap[] = [];
  const pools = new Map<string, Pool>();
  const flush = (): void => {
    for (const server of servers) server.flush();
  };
  const exchange = new Exchange(now, options.inFlightMax, flush);
  for (const each of options.pools) {
    const fault = poolFault(each);
    if (fault !== null) throw new Error(`upstream pool "${each.name}" ${fault}`);
    if (pools.has(each.name))
      throw new Error(`upstream pool "${each.name}" is there twice; give each its own name`);
    const members = each.servers.map((_, index) => new Server(each, index, room, exchange));
    const pool = new Pool(each, members, (from, question, deadlineMs, asker) => {
      exchange.ask(from, question, deadlineMs, asker);
    });
    exchange.adopt(pool);
    pools.set(each.name, pool);
    if (members.length === 0) options.log({ event: 'pool-empty', pool: each.name });
    servers.push(...members);
    const nameless = members.filter((server) => server.options.address === '');
    if (nameless.length === 0) continue;
    const guide = openGuide(each, room, exchange);
    servers.push(...guide.servers);
    bootstraps.push(...nameless.map((server) => new Bootstrap(server, guide, now, flush)));
  }
  await Promise.all(servers.map((server) => server.ports?.open()));
  if (bootstraps.length > 0) {
    const patience = new AbortController();
    await Promise.race([
      Promise.all(bootstraps.map((bootstrap) => bootstrap.find())),
      setTimeout(BOOTSTRAP_MS, undefined, { signal: patience.signal }).catch(() => undefined),
    ]);
    patience.abort();
  }
  const maintain = (): void => {
    const nowMs = now();
    for (const bootstrap of bootstraps) bootstrap.maintain(nowMs);
    for (const server of servers) server.maintain(nowMs);
  };
  // Once before the first question: servers without socket or address are known to be down.
  maintain();
  const maintenance = setInterval(maintain, MAINTENANCE_MS);
  maintenance.unref();
  return {
    counters: exchange.counters,
    get inFlight(): number {
      return exchange.inFlight;
    },
    pool: (name: string): UpstreamPool | undefined => pools.get(name),
    flush,
    state: (): UpstreamServerState[] => servers.map((server) => server.state()),
    close: async (): Promise<void> => {
      clearInterval(maintenance);
      exchange.close();
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

/** The pool of plain servers that finds the addresses of a pool's named ones. */
function openGuide(
  of: PoolOptions,
  room: UpstreamsOptions & { now: () => number },
  exchange: Exchange,
): Pool {
  const options: PoolOptions = {
    name: `${of.name} (bootstrap)`,
    servers: of.bootstrap ?? [],
    strategy: 'ordered',
    sockets: 4,
  };
  const servers = options.servers.map((_, index) => new Server(options, index, room, exchange));
  const pool = new Pool(options, servers, (from, question, deadlineMs, asker) => {
    exchange.ask(from, question, deadlineMs, asker);
  });
  exchange.adopt(pool);
  return pool;
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** What is wrong with a pool, or null. A pool without servers is none: the machine may have no resolvers. */
function poolFault(pool: PoolOptions): string | null {
  const { servers, strict = true } = pool;
  if (servers.length > SERVERS_MAX) return `has ${servers.length} servers; at most ${SERVERS_MAX} are used`;
  const unreadableFile = servers
    .map((server) => server.caFile)
    .find((file) => file !== undefined && !isReadable(file));
  if (unreadableFile !== undefined) {
    return `names the file ${unreadableFile}, which cannot be read; give a PEM file with the authorities to believe`;
  }
  const isPlain = (transport: string): boolean => transport === 'udp' || transport === 'tcp';
  const plain = servers.find((server) => isPlain(server.transport));
  if (strict && plain !== undefined && servers.some((server) => !isPlain(server.transport))) {
    return `mixes the plain server ${plain.address} with encrypted ones; leave it out, or write "strict: false" so that it stands in when no encrypted one is up`;
  }
  const unreadable = servers.find(
    (server) => server.address !== '' && (isIP(server.address) === 0 || server.address.includes('%')),
  );
  if (unreadable !== undefined)
    return `has the address "${unreadable.address}", which is not an IPv4 or IPv6 literal`;
  const nameless = servers.find((server) => server.address === '');
  const bootstrap = pool.bootstrap ?? [];
  const misleading = bootstrap.find((server) => isIP(server.address) === 0 || !isPlain(server.transport));
  if (misleading !== undefined) {
    return `has the bootstrap server ${serverText(misleading)}; bootstrap servers are plain and given by address, as in 9.9.9.9`;
  }
  if (bootstrap.length > SERVERS_MAX)
    return `has ${bootstrap.length} bootstrap servers; at most ${SERVERS_MAX} are used`;
  if (nameless !== undefined && bootstrap.length === 0) {
    return `has the server ${nameless.serverName ?? ''} without an address; write the address and the name, as in tls://9.9.9.9#dns.quad9.net, or give bootstrap servers`;
  }
  return null;
}
