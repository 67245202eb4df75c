/** Sockets to upstreams, the in-flight table, health: asking other resolvers, and believing only what was asked. */
export * from './contract.ts';
export type {
  DownReason,
  PoolOptions,
  ServerOptions,
  Strategy,
  Transport,
  UpstreamEvent,
  UpstreamsOptions,
} from './options.ts';
export { parseServer, type ServerFault, serverText, systemServers } from './server-text.ts';
export { type OpenUpstreams, openUpstreams } from './upstreams.ts';
