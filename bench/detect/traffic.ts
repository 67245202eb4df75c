/** One query of made-up traffic; `payload` is what it really moves, in octets. */
export interface Made {
  readonly atMs: number;
  readonly client: string;
  readonly name: string;
  readonly type: number;
  readonly rcode: number;
  readonly octets: number;
  readonly payload: number;
}

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** A Monday, 00:00 UTC. */
export const START = Date.UTC(2026, 0, 5);

export const A = 1;
export const CNAME = 5;
export const NULL = 10;
export const MX = 15;
export const TXT = 16;
export const AAAA = 28;
export const SRV = 33;
export const HTTPS = 65;
