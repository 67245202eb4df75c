/** Floods against a running process: the drills of bench/drills/faults in their shortest form. */
import { describe, test } from 'vitest';
import { descriptors, idleClients, neverReads } from '../../bench/drills/faults/streams.ts';
import { responseRate, torture } from '../../bench/drills/faults/water-torture.ts';
import type { Claim } from '../../bench/drills/verdict.ts';
import { isInstalled } from './processes.ts';

/** All run side by side, on whatever else the machine is doing. */
const LIMIT_MS = 90_000;

/** What memory may grow by here at the most, MiB: several drills run at once, and young heaps differ from Node to Node. */
const MEMORY_MIB_MAX = 48;

/**
 * Latencies and the last megabytes are judged by `run.ts` on a quiet machine: a suite that shares its cores cannot. Memory
 * that grows without bound is found here all the same.
 */
const notHeld = (claims: readonly Claim[]): Claim[] => {
  if (claims.length < 2) throw new Error('the drill claimed nothing');
  return claims.filter(({ claim, held, measured }) => {
    if (/memory \(≤ \+/.test(claim)) return !(Number.parseFloat(measured) <= MEMORY_MIB_MAX);
    return !held && !claim.includes('lag of the event loop');
  });
};

describe.concurrent('a flood of random names below a silent domain', () => {
  test.for([1, 40])(
    'from %i addresses costs nobody else an answer',
    { timeout: LIMIT_MS },
    async (addresses, { expect }) => {
      expect(notHeld(await torture(addresses, 6))).toEqual([]);
    },
  );
});

describe.concurrent('more responses than one network may have', () => {
  test(
    'are truncated or left out, counted and recorded',
    async ({ expect }) => {
      expect(notHeld(await responseRate())).toEqual([]);
    },
    LIMIT_MS,
  );
});

describe.concurrent('clients that take and do not give', () => {
  test.skipIf(!isInstalled('prlimit'))(
    'cannot use up the descriptors of others',
    async ({ expect }) => {
      expect(notHeld(await descriptors())).toEqual([]);
    },
    LIMIT_MS,
  );

  test(
    'keep no new client waiting while they are idle',
    async ({ expect }) => {
      expect(notHeld(await idleClients())).toEqual([]);
    },
    LIMIT_MS,
  );

  test(
    'are not answered into memory when they never read',
    async ({ expect }) => {
      expect(notHeld(await neverReads())).toEqual([]);
    },
    LIMIT_MS,
  );
});
