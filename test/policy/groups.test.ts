import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compilePolicy, openPolicy } from '../../src/policy/index.ts';
import { addressOf, policySource, SEED } from './policy-source.ts';

function groupFinder(
  groups: Readonly<Record<string, readonly string[]>>,
): (address: string | Uint8Array) => string | null {
  const source = policySource({
    sets: {},
    groups: Object.fromEntries(
      Object.entries(groups).map(([name, clients]) => [name, { sets: [], clients }]),
    ),
  });
  const policy = openPolicy(compilePolicy(source, { hashSeed: SEED, generation: 1 }).compiled);
  return (address) => {
    const octets = typeof address === 'string' ? addressOf(address) : address;
    const group = policy.groupOf(octets, octets.length);
    return group < 0 ? null : policy.groups[group].name;
  };
}

/** ::ffff:10.1.2.3 */
const MAPPED = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 1, 2, 3);

describe('groupOf', () => {
  const find = groupFinder({
    lan: ['10.0.0.0/8', '2001:db8::/32'],
    lab: ['10.1.0.0/16', '10.3.3.3', '2001:db8:1::/48', '::1/128'],
    host: ['10.1.2.3/32'],
    top: ['255.255.255.255/32', 'ffff::/16'],
  });

  test.each([
    { address: '10.0.0.0', group: 'lan' },
    { address: '9.255.255.255', group: null },
    { address: '10.0.255.255', group: 'lan' },
    { address: '10.1.0.0', group: 'lab' },
    { address: '10.1.2.2', group: 'lab' },
    { address: '10.1.2.3', group: 'host' },
    { address: '10.1.2.4', group: 'lab' },
    { address: '10.1.255.255', group: 'lab' },
    { address: '10.2.0.0', group: 'lan' },
    { address: '10.3.3.3', group: 'lab' },
    { address: '10.255.255.255', group: 'lan' },
    { address: '11.0.0.0', group: null },
    { address: '255.255.255.255', group: 'top' },
    { address: '255.255.255.254', group: null },
    { address: '::1', group: 'lab' },
    { address: '::', group: null },
    { address: '2001:db8::1', group: 'lan' },
    { address: '2001:db8:1:ffff:ffff:ffff:ffff:ffff', group: 'lab' },
    { address: '2001:db8:2::', group: 'lan' },
    { address: '2001:db9::', group: null },
    { address: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', group: 'top' },
  ])('finds $group for $address', ({ address, group }) => {
    expect(find(address)).toBe(group);
  });

  test('takes an IPv4 address in IPv6 clothes for what it is', () => {
    expect(find(MAPPED)).toBe('host');
  });

  test('takes no IPv4 address for `::/0`, nor an address of an odd length', () => {
    const onlySix = groupFinder({ six: ['::/0'] });
    expect(onlySix('10.0.0.1')).toBeNull();
    expect(onlySix(MAPPED)).toBeNull();
    expect(onlySix('2001:db8::1')).toBe('six');
    expect(find(Uint8Array.of(10, 0, 0))).toBeNull();
    expect(find(new Uint8Array(0))).toBeNull();
  });

  test('reads the octets of the address and none behind them', () => {
    const policy = openPolicy(
      compilePolicy(policySource({ sets: {}, groups: { a: { sets: [], clients: ['10.0.0.0/8'] } } }), {
        hashSeed: SEED,
        generation: 1,
      }).compiled,
    );
    expect(policy.groupOf(Uint8Array.of(10, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9), 4)).toBe(0);
  });

  test('has no group when there are no groups', () => {
    expect(groupFinder({})('10.0.0.1')).toBeNull();
  });

  test('agrees with looking at every prefix, for random prefixes that nest', () => {
    const octet = fc.constantFrom(0, 1, 127, 128, 255);
    const address = fc.oneof(
      fc.tuple(octet, octet, octet, octet),
      fc.tuple(...Array<typeof octet>(16).fill(octet)),
    );
    const prefix = address.chain((octets) =>
      fc.record({ octets: fc.constant(octets), length: fc.integer({ min: 0, max: octets.length * 8 }) }),
    );
    const bits = (octets: readonly number[]): string =>
      octets.map((value) => value.toString(2).padStart(8, '0')).join('');
    fc.assert(
      fc.property(
        fc.array(prefix, { maxLength: 12 }),
        fc.array(address, { minLength: 4 }),
        (prefixes, addresses) => {
          // One group for each different prefix, as config sees to it.
          const distinct = new Map(
            prefixes.map(({ octets, length }) => [
              `${octets.length} ${bits(octets).slice(0, length)}`,
              { octets, length },
            ]),
          );
          const source = policySource({ sets: {}, groups: {} });
          const groups = [...distinct.values()].map(({ octets, length }, i) => ({
            name: String(i),
            sets: [],
            mode: 'enforce' as const,
            answer: { kind: 'nxdomain' as const },
            forwarder: false,
            contact: null,
            tunnels: null,
            clients: [{ address: Uint8Array.from(octets), prefixLength: length }],
          }));
          const policy = openPolicy(
            compilePolicy({ ...source, groups }, { hashSeed: SEED, generation: 1 }).compiled,
          );
          for (const octets of addresses) {
            let best = -1;
            let bestLength = -1;
            for (const [i, prefixOf] of [...distinct.values()].entries()) {
              const { length } = prefixOf;
              if (length <= bestLength || prefixOf.octets.length !== octets.length) continue;
              if (!bits(octets).startsWith(bits(prefixOf.octets).slice(0, length))) continue;
              best = i;
              bestLength = length;
            }
            expect(policy.groupOf(Uint8Array.from(octets), octets.length)).toBe(best);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
