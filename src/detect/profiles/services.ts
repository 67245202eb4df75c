/**
 * Services whose ordinary names look like payloads, one line each, to be reviewed like code; the lines stand in files by subject.
 *
 * A line gives the zone, the shapes its names have there, and why it is known. It exempts nothing but those shapes: any
 * other name below the zone is charged as everywhere. Zones where a stranger can rent a place never stand here.
 */
import { CLOUDS } from './clouds.ts';
import { LOCAL } from './local.ts';
import { MAIL } from './mail.ts';
import { REPUTATION } from './reputation.ts';
import type { Service } from './service.ts';
import { TELEMETRY } from './telemetry.ts';
import { VENDORS } from './vendors.ts';

export { SERVICE_BUDGETS, type Service, SLOW_BUDGETS } from './service.ts';

export const SERVICES: readonly Service[] = [
  ...REPUTATION,
  ...LOCAL,
  ...TELEMETRY,
  ...VENDORS,
  ...CLOUDS,
  ...MAIL,
];

/** Labels kept above these zones when the registrable domain is cut: who can rent a place there rents a whole prefix. */
export const REVERSE_CUTS: readonly { readonly zone: string; readonly labels: number }[] = [
  { zone: 'in-addr.arpa', labels: 3 },
  { zone: 'ip6.arpa', labels: 12 },
];
