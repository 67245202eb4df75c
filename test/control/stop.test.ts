import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createStop, onSignals } from '../../src/control/index.ts';

const log = { info() {}, warn() {}, error() {} };

describe('createStop', () => {
  test('is not ready at once, drains after the lame duck, and ends with 0', async () => {
    const steps: string[] = [];
    const stop = createStop({
      lameDuckMs: 60,
      drainMs: 1_000,
      log,
      drain: async () => void steps.push('drained'),
    });
    expect(stop.stopping).toBe(false);
    const ended = stop.begin('SIGTERM');
    expect(stop.stopping).toBe(true);
    await sleep(20);
    expect(steps).toEqual([]);
    expect(await ended).toBe(0);
    expect(steps).toEqual(['drained']);
  });

  test('does not wait when asked twice, and drains once', async () => {
    let drains = 0;
    const stop = createStop({ lameDuckMs: 60_000, drainMs: 1_000, log, drain: async () => void drains++ });
    const first = stop.begin('SIGTERM');
    expect(await stop.begin('SIGINT')).toBe(0);
    expect(await first).toBe(0);
    expect(drains).toBe(1);
  });

  test.each([
    { name: 'never ends', drain: () => new Promise<void>(() => {}) },
    { name: 'fails', drain: () => Promise.reject(new Error('disk is full')) },
  ])('ends with 1 when the drain $name', async ({ drain }) => {
    const stop = createStop({ lameDuckMs: 0, drainMs: 50, log, drain });
    expect(await stop.begin('SIGTERM')).toBe(1);
  });
});

test('onSignals reloads on SIGHUP, stops on SIGTERM, and lets go', async () => {
  const seen: string[] = [];
  const release = onSignals({
    stop: (signal) => void seen.push(signal),
    reload: () => void seen.push('reload'),
  });
  process.emit('SIGHUP', 'SIGHUP');
  process.emit('SIGTERM', 'SIGTERM');
  release();
  expect(seen).toEqual(['reload', 'SIGTERM']);
  expect(process.listenerCount('SIGHUP')).toBe(0);
});
