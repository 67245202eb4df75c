/** How late the event loop of a thread runs: measured in the thread itself, published through its counters. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { At } from './catalogue.ts';
import type { Counters } from './counters.ts';

const RESOLUTION_MS = 10;
const PUBLISH_EVERY_MS = 1000;
/** A second has a hundred samples, and no thousandth of them: the last quantile is taken over this many seconds. */
const LONG_SPAN = 60;

/**
 * Publishes the lag of this thread's event loop once a second: median, 99 of 100 and most over the second before, 999 of
 * 1000 over the last one to two minutes. Returns what stops it. Never keeps a process alive.
 */
export function publishLag(counters: Counters): () => void {
  const second = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  const span = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  second.enable();
  span.enable();
  let seconds = 0;
  let before = 0;
  const publish = (): void => {
    const columns = counters.columns;
    columns[At.lagP50Us] = lagUs(second.percentile(50));
    columns[At.lagP99Us] = lagUs(second.percentile(99));
    columns[At.lagMaxUs] = lagUs(second.max);
    second.reset();
    const now = lagUs(span.percentile(99.9));
    columns[At.lagP999Us] = Math.max(before, now);
    if (++seconds < LONG_SPAN) return;
    seconds = 0;
    before = now;
    span.reset();
  };
  const timer = setInterval(publish, PUBLISH_EVERY_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    second.disable();
    span.disable();
  };
}

/** The monitor counts its own period in; what is above it is lag. Nanoseconds in, microseconds out. */
function lagUs(delayNs: number): number {
  if (!Number.isFinite(delayNs)) return 0;
  return Math.max(0, delayNs / 1000 - RESOLUTION_MS * 1000);
}
