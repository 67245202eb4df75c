/** Sockets to upstreams, the in-flight table, health: asking other resolvers, and believing only what was asked. */
export * from './contract.ts';
export type { PoolOptions, ServerOptions, UpstreamEvent, UpstreamsOptions } from './options.ts';
export { SOCKETS_AWAKE } from './options.ts';
export { serverText, systemServers } from './server-text.ts';
export { type OpenUpstreams, openUpstreams } from './upstreams.ts';
