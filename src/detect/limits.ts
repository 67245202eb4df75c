/**
 * Every bound of the detector in one place: bits unless said otherwise. `docs/detection.md` gives the curve behind them.
 */
export const LIMITS = {
  /** Data-like bits of one name. */
  name: 150,
  /** Data-like bits of an hour, client and zone. */
  burst: 360,
  /** Octets of an hour that come back in types that carry free text, client and zone. */
  download: 2048,
  /** Bits of a day, client and zone. */
  day: 2400,
  /** Bits of a day, client and zone, by the choice and order of names it has asked before. Beyond it answers are held. */
  order: 3500,
  /** Bits of 30 days, client and zone. */
  month: 8192,
  /** Bits of 30 days, zone, all clients; names that more than one client asked do not count. */
  domain: 8192,
  /** On top of it, for each client that asks the zone: an identifier of its own. */
  domainPerClient: 128,
  /** Bits of a day where several clients ask names of one form, and on top for each client: about two identifiers. */
  form: 2400,
  formPerClient: 220,
  /** The same where the names are probes of browsers, which weigh half: about fifteen. */
  probePerClient: 400,
  /** Bits of a day and of 30 days that one client spreads over unknown zones, beyond what each has free. */
  client: 2100,
  clientMonth: 10_000,
  /** On top of it, for each unknown zone the client asked within 30 days: forwarders speak for many. */
  clientPerZone: 6,
  freePerZone: 100,
  freePerZoneKnownForm: 400,
} as const;

/** Multiples of the bounds by what is known of the zone. */
export const TRUST = {
  strict: 0.6,
  stranger: 1,
  established: 1.5,
  /** The same in the budgets of one name and of an hour: history does not make a loud name quieter. */
  establishedLoud: 1.1,
  popular: 3,
  /** Most a single name of the local network may be of the ordinary. */
  localName: 4,
  /** Names of tenants on a suffix that strangers share, charged to the suffix. */
  tenant: 4,
  /** Names of one form asked by several clients, in the budget of an hour. */
  sharedForm: 3,
  /** The same in the budget of a day, where the zone has a bound for all of these names. */
  sharedFormDay: 1.4,
  /** Names of the own network, in the budgets of an hour, a day and 30 days of each client. */
  home: 3,
} as const;

/** Data-like bits weigh more when they follow within RAPID_SECONDS, and in types that bring free text back. */
export const RAPID_SECONDS = 3;
export const RAPID_WEIGHT = 1.5;
export const RAPID_BITS = 40;
export const FREE_TEXT_WEIGHT = 1.5;

/** This many times the bound of `order` is no longer held but blocked. */
export const ORDER_BLOCK = 3;
/** How long after they were fetched answers are held. */
export const HOLD_SECONDS_MAX = 6 * 3600;

export const HOUR = 3600;
export const DAY = 86_400;
export const MONTH = 30 * DAY;

/** A zone is established when it was first asked this long ago, by so many clients. */
export const ESTABLISHED_SECONDS = DAY / 2;
export const ESTABLISHED_CLIENTS = 3;
export const FORM_CLIENTS = 3;
/** A zone is the network's own when so many clients ask it for their directory, or through their search list. */
export const HOME_CLIENTS = 3;

/** How long a block holds unless it is released by hand. The budgets stay as they are: what goes on is blocked again. */
export const BLOCK_SECONDS = DAY;
