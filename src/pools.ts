/** From pools as they are written in the settings to what the upstream room opens. */
import type { PoolSettings, Settings, UpstreamServer } from './config/index.ts';
import { type PoolOptions, type ServerOptions, systemServers } from './upstream/index.ts';

const SYSTEM_PORT = 53;

/**
 * The pools of the settings. Servers of this machine that are our own listening addresses are left out: a forwarder that
 * asks itself never ends.
 */
export function poolOptions(settings: Settings): PoolOptions[] {
  return Object.entries(settings.upstreams).map(([name, pool]) => onePool(name, pool, settings));
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
    return systemServers().filter(
      ({ address, port }) =>
        !settings.listen.addresses.some((own) => own.host === address && own.port === port),
    );
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
