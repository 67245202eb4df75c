/** "Numbers to hold" of the design, as data. Ratios compare medians of one run on one machine. */

export interface RatioGoal {
  readonly row: string;
  /** Which contender the goal is for; Sallyport as it is installed when not said. */
  readonly own?: string;
  readonly peer: string;
  /** Its cost divided by the peer's is at most this. */
  readonly most: number;
}

export const RATIO_GOALS: readonly RatioGoal[] = [
  { row: 'hits', peer: 'unbound', most: 0.95 },
  { row: 'hits', peer: 'dnsdist', most: 0.85 },
  { row: 'hits', peer: 'echo in C', most: 1.6 },
  { row: 'hits-logged', peer: 'unbound', most: 0.5 },
  { row: 'hits-logged', peer: 'dnsdist', most: 0.5 },
  { row: 'denials', peer: 'unbound', most: 1.0 },
  { row: 'misses', peer: 'dnsdist', most: 1.0 },
  { row: 'misses', peer: 'unbound', most: 0.5 },
  { row: 'audit-modes', own: 'bounded', peer: 'without audit', most: 1.1 },
  { row: 'audit-misses', own: 'bounded', peer: 'without audit', most: 1.1 },
];

/** What `strict` answers a second, divided by what `bounded` does on the same disk, is at least this. */
export const STRICT_RATE_GOAL = 0.5;

/** A million rules: seconds to load from text, and octets of memory. */
export const RULE_LOAD_GOAL = { seconds: 1.5, octets: 60 * 2 ** 20 } as const;
