/**
 * Every bound of the detector in one place: bits unless said otherwise. `docs/detection.md` gives the curve behind them.
 */
export const LIMITS = {
  /** Data-like bits of one name. */
  name: 150,
  /** Data-like bits of an hour, client and zone. */
  burst: 360,
  /** Octets of an hour that come back in types that carry free text, client and zone. */
  download: 4096,
  /** Bits of a day, client and zone. */
  day: 3000,
  /** Bits of 30 days, client and zone. */
  month: 8192,
  /** Bits of 30 days, zone, all clients. */
  domain: 8192,
  /** On top of it, for each client that asks the zone: one identifier of its own. */
  domainPerClient: 160,
  /** Bits of a day and of 30 days that one client spreads over zones without history, beyond `freePerZone` each. */
  client: 3000,
  clientMonth: 12_000,
  freePerZone: 48,
} as const;

/** Multiples of the bounds by what is known of the zone. */
export const TRUST = {
  strict: 0.6,
  stranger: 1,
  established: 1.5,
  popular: 4,
  tenant: 4,
  /** Names of one form asked by several clients. */
  sharedForm: 3,
} as const;

export const HOUR = 3600;
export const DAY = 86_400;
export const MONTH = 30 * DAY;

/** A zone is established when it was first asked this long ago, by so many clients. */
export const ESTABLISHED_SECONDS = DAY / 2;
export const ESTABLISHED_CLIENTS = 3;
export const FORM_CLIENTS = 4;

/** How long a block holds unless it is released by hand. The budgets stay as they are: what goes on is blocked again. */
export const BLOCK_SECONDS = DAY;
