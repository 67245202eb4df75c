import { describe, expect, test } from 'vitest';
import { PrefixSet } from '../../src/net/index.ts';

describe('a set of prefixes', () => {
  const set = new PrefixSet(['192.0.2.0/25', '198.51.100.7', '2001:db8:0:8000::/49']);

  test.each([
    ['192.0.2.0', true],
    ['192.0.2.127', true],
    ['192.0.2.128', false],
    ['::ffff:192.0.2.5', true],
    ['198.51.100.7', true],
    ['198.51.100.6', false],
    ['2001:db8:0:8000::1', true],
    ['2001:db8:0:ffff::1', true],
    ['2001:db8:0:7fff::1', false],
    ['2001:db8:0:8000::1%eth0', true],
    ['', false],
    ['no address', false],
  ])('%s: %s', (address, isIn) => {
    expect(set.hasText(address)).toBe(isIn);
  });

  test('of no prefixes is empty and has nobody; that of all has everybody of its family', () => {
    expect([new PrefixSet([]).isEmpty, new PrefixSet([]).hasText('192.0.2.1')]).toEqual([true, false]);
    expect(new PrefixSet(['0.0.0.0/0']).hasText('192.0.2.1')).toBe(true);
    expect(new PrefixSet(['0.0.0.0/0']).hasText('::1')).toBe(false);
  });
});
