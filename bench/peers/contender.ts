/** A server that takes part: what it needs, and how it is started for each row. */
import type { Running } from '../process.ts';

/** How a contender is set up for a row. */
export interface Setup {
  /** A directory of its own; configuration, logs and audit go there. */
  readonly directory: string;
  readonly port: number;
  /** Port of the authority that everything allowed is forwarded to; more than one where failover is tried. */
  readonly authorities: readonly number[];
  /** File with one denied name a line, or null. */
  readonly denyList: string | null;
  /** Peers: write a line for each query. Sallyport always does. */
  readonly logging: boolean;
  /** Core it is kept on; null: any. */
  readonly core: number | null;
  /** Sallyport: memory of its cache, as its settings write it. */
  readonly cacheMemory?: string;
  /** Sallyport: its sinks, as its settings write them. */
  readonly ship?: readonly object[];
}

export interface Contender {
  readonly name: string;
  /** Why it does not take part, or null. */
  missing(): string | null;
  start(setup: Setup): Running;
}
