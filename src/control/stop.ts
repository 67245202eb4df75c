/**
 * Stopping without losing a query: first not ready, so that load balancers look elsewhere; then the lame duck, in which
 * everything is still answered; then the drain; then the end. Asked a second time it does not wait.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlLog } from './server.ts';

export interface StopOptions {
  /** How long queries are still welcome after readiness has gone. */
  readonly lameDuckMs: number;
  /** Longest time for the drain; what is not done by then is left undone. */
  readonly drainMs: number;
  /** Stops listening, waits for queries in flight, closes the audit. */
  drain(): Promise<void>;
  readonly log: ControlLog;
}

export interface Stop {
  /** True from the first moment on; `unready` of the control room says so. */
  readonly stopping: boolean;
  /** Begins the stop, or hurries it when it has begun. Resolves to the exit code: 0, or 1 when the drain did not end. */
  begin(reason: string): Promise<number>;
}

export function createStop({ lameDuckMs, drainMs, drain, log }: StopOptions): Stop {
  const hurry = new AbortController();
  let ending: Promise<number> | null = null;

  async function end(reason: string): Promise<number> {
    log.info({ reason, lameDuckMs }, 'stopping: no longer ready, still answering');
    await sleep(lameDuckMs, undefined, { signal: hurry.signal }).catch(() => {});
    const timer = new AbortController();
    const outcome = await Promise.race([
      drain().then(
        () => 'drained' as const,
        (error: unknown) => {
          log.error({ err: error }, 'the drain failed');
          return 'failed' as const;
        },
      ),
      sleep(drainMs, 'late' as const, { signal: timer.signal }),
    ]);
    timer.abort();
    if (outcome === 'late') log.warn({ drainMs }, 'stopped before every query was answered');
    return outcome === 'drained' ? 0 : 1;
  }

  return {
    get stopping() {
      return ending !== null;
    },
    begin(reason) {
      if (ending === null) ending = end(reason);
      else hurry.abort();
      return ending;
    },
  };
}

/** What signals ask for. Returns what takes the handlers away again. */
export function onSignals(handlers: { stop(signal: string): void; reload(): void }): () => void {
  const stop = (signal: NodeJS.Signals): void => handlers.stop(signal);
  const reload = (): void => handlers.reload();
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', reload);
  return () => {
    process.off('SIGTERM', stop).off('SIGINT', stop).off('SIGHUP', reload);
  };
}
