/** What all connections of one listener share: its counters, its limits, and the way to the query path. */
import type {
  CloseReason,
  ListenerCounters,
  MessageHandler,
  StreamListenerOptions,
  StreamTransport,
} from './contract.ts';
import type { ConnectionLimits } from './limits.ts';
import { BATCH_ENOUGH, endBatchLater } from './turn.ts';

/** A connection as its listener sees it. */
export interface Closable {
  /** Answers what is in flight, takes no more, then closes. */
  finish(reason: CloseReason): void;
  /** Closes at once. */
  shut(reason: CloseReason): void;
}

export class Hub {
  readonly transport: StreamTransport;
  readonly limits: ConnectionLimits;
  readonly onMessage: MessageHandler;
  readonly isProxy: (address: string) => boolean;
  readonly #onBatchEnd: () => void;
  readonly counters: ListenerCounters = {
    open: 0,
    inFlight: 0,
    accepted: 0,
    queries: 0,
    responses: 0,
    discarded: 0,
    cancelled: 0,
    closed: {
      peer: 0,
      idle: 0,
      evicted: 0,
      'client-limit': 0,
      'slow-message': 0,
      'slow-reader': 0,
      malformed: 0,
      spent: 0,
      handshake: 0,
      'handshake-limit': 0,
      abuse: 0,
      shutdown: 0,
    },
    paused: 0,
    handshakes: 0,
    resumed: 0,
    handshakesFailed: 0,
    httpErrors: {},
    streamsReset: { streams: 0, urls: 0, output: 0 },
  };
  readonly #open = new Set<Closable>();
  #onEmpty: (() => void) | null = null;

  constructor(transport: StreamTransport, options: StreamListenerOptions) {
    this.transport = transport;
    this.limits = options.limits;
    this.onMessage = options.onMessage;
    this.isProxy = options.isProxy ?? (() => false);
    this.#onBatchEnd = options.onBatchEnd;
  }

  /** One read brought `count` queries: says so to the path, at once or together with what others bring in this turn. */
  batchEnded(count: number): void {
    if (count >= BATCH_ENOUGH) this.#onBatchEnd();
    else endBatchLater(this.#onBatchEnd);
  }

  enter(connection: Closable): void {
    this.#open.add(connection);
    this.counters.open++;
  }

  leave(connection: Closable, reason: CloseReason): void {
    if (!this.#open.delete(connection)) return;
    this.counters.open--;
    this.counters.closed[reason]++;
    if (this.#open.size === 0) this.#onEmpty?.();
  }

  /** A connection goes on as another one, which enters at once. */
  pass(connection: Closable): void {
    if (this.#open.delete(connection)) this.counters.open--;
  }

  /** Ends every connection and resolves when none is left, after `graceMs` at the latest. */
  async empty(graceMs: number): Promise<void> {
    if (this.#open.size === 0) return;
    const emptied = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    for (const connection of [...this.#open]) connection.finish('shutdown');
    const timer = setTimeout(() => {
      for (const connection of [...this.#open]) connection.shut('shutdown');
    }, graceMs);
    await emptied;
    clearTimeout(timer);
  }
}
