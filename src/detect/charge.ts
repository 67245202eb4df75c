/** A charge of which nothing is said yet; a fast path has one and fills it anew with each query. */
import type { Charge } from './contract.ts';

export const newCharge = (): Charge => ({
  denied: false,
  clientA: 0,
  clientB: 0,
  zoneA: 0,
  zoneB: 0,
  nowMs: 0,
  bits: 0,
  payloadBits: 0,
  octets: 0,
  type: 0,
  trust: 1,
  standing: 'stranger',
  form: 'plain',
  isRepeat: false,
  symbol: 0,
  isNewZone: false,
  generatedBits: 0,
  sharedBits: 0,
  isSharedForm: false,
  zoneClients: 0,
  isHome: false,
  shape: 0,
});
