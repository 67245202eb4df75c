/** Faults of upstreams, of the process and of the clock: the drills of bench/drills/faults in their shortest form. */
import { describe, test } from 'vitest';
import {
  clockJumps,
  fakeTimeLibrary,
  killed,
  reloads,
  threadEnds,
} from '../../bench/drills/faults/machine.ts';
import { allDown, flapping, loss, oneOfThree, unanswered } from '../../bench/drills/faults/network.ts';
import type { Claim } from '../../bench/drills/verdict.ts';

/** All run side by side, on whatever else the machine is doing. */
const LIMIT_MS = 90_000;

/** Latencies are judged by `run.ts` on a quiet machine: a test suite that shares its cores cannot. */
const TIMING = /p99|at most 1 %|answering again after|is back after|SERVFAIL within/;

const notHeld = (claims: readonly Claim[]): Claim[] => {
  if (claims.length < 2) throw new Error('the drill claimed nothing');
  return claims.filter(({ claim, held }) => !held && !TIMING.test(claim));
};

describe.concurrent('upstreams', () => {
  test.for([
    { name: 'that lose one datagram of five each way', drill: () => loss(1) },
    { name: 'that are silent every other second', drill: () => flapping(1) },
    { name: 'of which one of three is silent', drill: () => oneOfThree(1) },
    { name: 'that are closed or silent', drill: unanswered },
    { name: 'that are all down and come back', drill: allDown },
  ])('$name are lived with', { timeout: LIMIT_MS }, async ({ drill }, { expect }) => {
    expect(notHeld(await drill())).toEqual([]);
  });
});

describe.concurrent('the process', () => {
  test(
    'loses no query while it reloads',
    async ({ expect }) => {
      expect(notHeld(await reloads(1))).toEqual([]);
    },
    LIMIT_MS,
  );

  test(
    'has an entry for every answer when it is killed',
    async ({ expect }) => {
      expect(notHeld(await killed(1))).toEqual([]);
    },
    LIMIT_MS,
  );

  test(
    'loses nothing but what a data thread had in hand when that ends',
    async ({ expect }) => {
      expect(notHeld(await threadEnds())).toEqual([]);
    },
    LIMIT_MS,
  );

  const library = fakeTimeLibrary();
  if (library === null) console.log('skipped what needs libfaketime: it is not installed here');
  test.skipIf(library === null)(
    'keeps TTLs and ends rules when the clock jumps',
    async ({ expect }) => {
      expect(notHeld(await clockJumps(library ?? ''))).toEqual([]);
    },
    LIMIT_MS,
  );
});
