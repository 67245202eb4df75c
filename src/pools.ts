/** From pools as they are written in the settings to what the upstream room opens. */
import { networkInterfaces } from 'node:os';
import type { PoolSettings, Settings, UpstreamServer } from './config/index.ts';
import { type PoolOptions, type ServerOptions, SOCKETS_AWAKE, systemServers } from './upstream/index.ts';

const SYSTEM_PORT = 53;

/**
 * The pools of the settings. Resolvers of this machine that are our own listening addresses are left out: a forwarder that
 * asks itself never gets an answer. (One that is written by hand and is our own is a fault of the settings.)
 */
export function poolOptions(settings: Settings): PoolOptions[] {
  return Object.entries(settings.upstreams).map(([name, pool]) => onePool(name, pool, settings));
}

/** Share of the descriptors that may go to sockets kept only so that there are more to pick from. */
const DESCRIPTORS_SHARE = 1 / 4;

/**
 * How many UDP sockets each of `workers` threads keeps at least to a server that is asked: all together SOCKETS_AWAKE, or what
 * a process of few descriptors can spare.
 */
export function socketsAwake(pools: readonly PoolOptions[], workers: number, descriptorsMax: number): number {
  const servers = pools.flatMap((pool) => pool.servers).filter(({ transport }) => transport === 'udp');
  const spared = Math.floor((descriptorsMax * DESCRIPTORS_SHARE) / workers / Math.max(1, servers.length));
  return Math.max(2, Math.min(Math.ceil(SOCKETS_AWAKE / workers), spared));
}

function onePool(name: string, pool: PoolSettings, settings: Settings): PoolOptions {
  return {
    name,
    servers: pool.servers.flatMap((server) => serverOptions(server, pool, settings)),
    strategy: pool.strategy,
    sockets: pool.sockets,
    strict: pool.strict,
    mixCase: pool.randomCase,
    bootstrap: pool.bootstrap.map((address) => ({ transport: 'udp', address, port: SYSTEM_PORT })),
  };
}

function serverOptions(server: UpstreamServer, pool: PoolSettings, settings: Settings): ServerOptions[] {
  if (server.transport === 'system') {
    return systemServers().filter(({ address, port }) => !isOwn(address, port, settings));
  }
  const isAddress = /^[\d.]+$|:/.test(server.host);
  return [
    {
      transport: server.transport,
      address: isAddress ? server.host : '',
      port: server.port,
      ...(server.tlsName === null ? {} : { serverName: server.tlsName }),
      ...(server.path === null ? {} : { path: server.path }),
      ...(pool.spki.length === 0 ? {} : { spkiPins: pool.spki }),
      ...(pool.caFile === undefined ? {} : { caFile: pool.caFile }),
    },
  ];
}

/**
 * Whether we listen there. Behind a wildcard it is the addresses that this machine's interfaces have, and no more of
 * 127.0.0.0/8: Docker answers at 127.0.0.11, which is not ours even inside the container.
 */
function isOwn(address: string, port: number, { listen }: Settings): boolean {
  return listen.addresses.some(
    (own) =>
      own.port === port &&
      (own.host === address || (isWildcard(own.host) && isOfThisMachine(address, own.family))),
  );
}

const isWildcard = (host: string): boolean => host === '0.0.0.0' || host === '::';

const isOfThisMachine = (address: string, family: 4 | 6): boolean =>
  Object.values(networkInterfaces()).some((ofOne) =>
    ofOne?.some((one) => one.address === address && one.family === `IPv${family}`),
  );
