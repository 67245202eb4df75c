import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { At, createCounters, openCounters, publishLag } from '../../src/metrics/index.ts';

test('publishLag shows an event loop that was held up', async () => {
  const counters = openCounters(createCounters());
  const stop = publishLag(counters);
  await sleep(50);
  const until = performance.now() + 200;
  while (performance.now() < until);
  await sleep(1100);
  stop();
  expect(counters.columns[At.lagMaxUs]).toBeGreaterThan(100_000);
  // Of so few samples one is more than a thousandth.
  expect(counters.columns[At.lagP999Us]).toBeGreaterThan(100_000);
  expect(counters.columns[At.lagP50Us]).toBeLessThan(100_000);
});
