/**
 * What the query path may ask of upstreams. `query` knows upstreams only through this interface.
 */

/** Why no reply came. */
export type UpstreamFailure =
  /** No reply within the time, from any server of the pool. */
  | 'timeout'
  /** Every server refused, reset, or could not be reached. */
  | 'unreachable'
  /** Replies came, but none that could be believed or understood. */
  | 'unusable'
  /** A bound was hit: too many questions in flight, or no file descriptor. */
  | 'overload'
  /** Nobody waited any more, and nothing was on its way. */
  | 'abandoned';

/**
 * Who waits for a reply. In the end one of the two methods has been called, `failed` once or `answered` with what it could
 * use, and neither from inside `ask`.
 */
export interface Asker {
  /**
   * False while nobody waits for the reply: then nothing more is sent for it, and what is on its way is still awaited.
   * Looked at again now and then, so it may come true again. Absent: always wanted.
   */
  readonly isWanted?: boolean;
  /**
   * A reply whose socket, id, QR, opcode, QDCOUNT and question were matched. Not truncated (TC was followed over TCP).
   * `message[0 … length)` is valid only during the call. `server` names the upstream server, for the audit.
   * `trusted` is true when it came over an authenticated transport, so that its AD bit means something.
   *
   * Returns false when nothing can be made of the reply (records under NXDOMAIN, an alias loop): then another server of the
   * pool is asked if there is one, and `answered` or `failed` follows.
   */
  answered(message: Uint8Array, length: number, server: string, trusted: boolean): boolean;
  failed(failure: UpstreamFailure, server: string): void;
}

/** What is asked: the rest of the message (id, RD, OPT, port, case) is the upstream room's own making. */
export interface UpstreamQuestion {
  /** Canonical name; copied before `ask` returns. */
  readonly name: Uint8Array;
  readonly nameLength: number;
  readonly type: number;
  /** DO and CD are the only bits of a client that pass. */
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
}

export interface UpstreamPool {
  readonly name: string;
  /**
   * Asks the pool: picks a server, retransmits, fails over, falls back to TCP. Gives up at `deadlineMs` (clock of
   * `performance.now()`).
   */
  ask(question: UpstreamQuestion, deadlineMs: number, asker: Asker): void;
}

export interface UpstreamServerState {
  readonly pool: string;
  readonly server: string;
  readonly healthy: boolean;
  /** Smoothed round-trip time. */
  readonly rttMs: number;
  readonly inFlight: number;
  readonly asked: number;
  readonly answered: number;
  readonly timeouts: number;
  readonly errors: number;
  /** Replies that matched a socket but not what was asked on it. */
  readonly mismatched: number;
  readonly truncated: number;
}

export interface Upstreams {
  pool(name: string): UpstreamPool | undefined;
  /** Sends what was queued since the last flush; called once for each batch of the data plane. */
  flush(): void;
  state(): UpstreamServerState[];
  close(): Promise<void>;
}
