/**
 * What a line of the table of known services says, and how its shapes are written.
 *
 * A shape lists labels from the leaf to the zone: `x` hex, `d` digits, `a` letters, `b` letters and digits, `n` the
 * same and hyphens, `h` underscores too, `o` anything, a word in quotes for itself; `:n` or `:n-m` is the length. A
 * leading `+` repeats the class one or more times. `ip4` is four decimal octets.
 */
export interface Service {
  readonly zone: string;
  readonly shapes: readonly string[];
  readonly kind: ServiceKind;
  readonly why: string;
}

/**
 * How much one client may ask of it in its shapes, as a multiple of the ordinary budget. `operator`: the zone is run by
 * one party that rents no names to strangers; its names need no shape.
 */
export const SERVICE_BUDGETS = {
  reputation: 4096,
  blocklist: 4096,
  telemetry: 128,
  delivery: 128,
  reverse: 64,
  reverse6: 8,
  local: 128,
  operator: 16,
  tenant: 8,
  mail: 128,
} as const;
export type ServiceKind = keyof typeof SERVICE_BUDGETS;

/**
 * The same over a day and 30 days, where it differs. All names of an IPv4 /24 fit in: a log that is read turns it over within minutes,
 * and then it has said what it has to say. Of what a shared suffix names for its tenants a busy client meets some dozens a day.
 */
export const SLOW_BUDGETS: Partial<Record<ServiceKind, number>> = { reverse: 2, tenant: 4 };

/** Lines of one kind, reason and shapes, a zone each. */
export const of =
  (kind: ServiceKind, why: string, ...shapes: string[]) =>
  (...zones: string[]): Service[] =>
    zones.map((zone) => ({ zone, shapes, kind, why }));

/** Any host name, underscores included. */
export const ANY = '+h:1-63';
