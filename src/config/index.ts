/** What may be written in settings and policies, and what is wrong with what was written. */

export { addressOctets, addressText } from './address.ts';
export type { Endpoint, UpstreamServer } from './endpoint.ts';
export { type Fault, formatFaults, type Severity } from './fault.ts';
export {
  faultOfList,
  type LoadedPolicies,
  loadPolicies,
  type PolicyOutcome,
  type PolicyRequest,
} from './load-policies.ts';
export { type LoadedSettings, loadSettings, type SettingsRequest } from './load-settings.ts';
export { publishedFiles } from './reference.ts';
export { type PoolSettings, Settings } from './settings.ts';
export {
  destinationText,
  type Receiver,
  type Secret,
  type SinkOf,
  type SinkSettings,
} from './ship-settings.ts';
export { judgeWildcard } from './suffix-guard.ts';
export type { Milliseconds, Octets } from './units.ts';
