/** What the connections of a DoH listener share besides what all listeners share. */
import type { StreamListenerOptions } from '../contract.ts';
import { Hub } from '../hub.ts';

export interface DohOptions {
  /** Path of the service (RFC 8484 section 3), by default `/dns-query`. */
  readonly path?: string;
  /** Whose `X-Forwarded-For` is believed; by default nobody's. */
  readonly isTrustedProxy?: (address: string) => boolean;
}

export class DohHub extends Hub {
  readonly path: string;
  readonly isTrustedProxy: (address: string) => boolean;

  constructor(options: StreamListenerOptions & DohOptions) {
    super('doh', options);
    this.path = options.path ?? '/dns-query';
    this.isTrustedProxy = options.isTrustedProxy ?? (() => false);
  }

  /** A request was answered with this status, which is not 200. */
  countError(status: number): void {
    const { httpErrors } = this.counters;
    httpErrors[status] = (httpErrors[status] ?? 0) + 1;
  }
}
