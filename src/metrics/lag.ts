/** How late the event loop of a thread runs: measured in the thread itself, published through its counters. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { At } from './catalogue.ts';
import type { Counters } from './counters.ts';

const RESOLUTION_MS = 10;
const PUBLISH_EVERY_MS = 1000;

/**
 * Publishes the lag of this thread's event loop once a second, each time over the second before. Returns what stops it.
 * Never keeps a process alive.
 */
export function publishLag(counters: Counters): () => void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  const publish = (): void => {
    const columns = counters.columns;
    columns[At.lagP50Us] = lagUs(delay.percentile(50));
    columns[At.lagP99Us] = lagUs(delay.percentile(99));
    columns[At.lagMaxUs] = lagUs(delay.max);
    delay.reset();
  };
  const timer = setInterval(publish, PUBLISH_EVERY_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    delay.disable();
  };
}

/** The monitor counts its own period in; what is above it is lag. Nanoseconds in, microseconds out. */
function lagUs(delayNs: number): number {
  if (!Number.isFinite(delayNs)) return 0;
  return Math.max(0, delayNs / 1000 - RESOLUTION_MS * 1000);
}
