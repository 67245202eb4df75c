import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildReachFilter, mayReach } from '../../src/policy/reach-filter.ts';

describe('the reach filter', () => {
  const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

  test('never says no of a name that it was given', () => {
    fc.assert(
      fc.property(fc.array(int32, { maxLength: 300 }), (hashes) => {
        const filter = buildReachFilter(hashes);
        expect(hashes.filter((hash) => !mayReach(filter, hash))).toEqual([]);
      }),
    );
    for (const hash of [0, -1, 1, 2 ** 31 - 1, -(2 ** 31)])
      expect(mayReach(buildReachFilter([hash]), hash)).toBe(true);
  });

  test.each([
    { given: 0, most: 0 },
    { given: 50, most: 0.1 },
    { given: 10_000, most: 0.1 },
    { given: 400_000, most: 0.25 },
  ])('says no of most others when it was given $given', ({ given, most }) => {
    let state = 12345;
    const next = (): number => {
      state = Math.imul(state ^ (state >>> 13), 0x5bd1e995) + 0x9e3779b9;
      return (state ^ (state >>> 15)) | 0;
    };
    const filter = buildReachFilter(Array.from({ length: given }, next));
    const others = Array.from({ length: 20_000 }, next);
    expect(others.filter((hash) => mayReach(filter, hash)).length / others.length).toBeLessThanOrEqual(most);
    expect(filter.bits.byteLength).toBeLessThanOrEqual(256 * 1024);
  });
});
