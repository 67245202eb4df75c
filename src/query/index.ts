/** The path of a query: from datagram or message to response and audit entry. */
export * from './contract.ts';
export { type Intake, type PathLimits, type PathOptions, QueryPath } from './path.ts';
export { createRateTable, RateLimit } from './rate-limit.ts';
export { GroupView, Site, type SiteLimits } from './site.ts';
