/** Forwarders that say in EDNS which client asks: whom they are believed, and what of it. */
import { describe, expect, test } from 'vitest';
import { PrefixSet } from '../../src/net/index.ts';
import { House, queryOctets } from './house.ts';

const POLICY = `
sets:
  work: {reason: Needed for work., allow: [+.example.com]}
groups:
  staff: {clients: [198.51.100.0/24, '2001:db8:1::/48'], sets: [work]}
  cluster: {clients: [192.0.2.0/24], sets: [], forwarder: true}
`;
const FORWARDER = '192.0.2.250';
const OPTION = 0xffee;

const option = (code: number, data: Uint8Array | readonly number[]): number[] => [
  code >> 8,
  code & 0xff,
  data.length >> 8,
  data.length & 0xff,
  ...data,
];
const address = (text: string): number[] => text.split('.').map(Number);
const text = (written: string): Uint8Array => new TextEncoder().encode(written);
const subnet = (bits: number, octets: readonly number[], family = 1): number[] =>
  option(8, [0, family, bits, 0, ...octets]);

function ask(options: readonly number[], from = FORWARDER, subnets = true): House {
  const house = new House(POLICY, {
    forwarders: { from: new PrefixSet([`${FORWARDER}/32`]), option: OPTION, subnet: subnets },
  });
  house.receive({ octets: queryOctets('www.example.com', { options: Uint8Array.from(options) }), from });
  house.asked[0]?.answer({ answer: ['www.example.com 300 A 192.0.2.1'] });
  house.path.endTurn();
  return house;
}

describe('a forwarder that is named says which client asks', () => {
  test.each([
    ['in four octets', option(OPTION, address('198.51.100.7')), '198.51.100.7'],
    ['in text', option(OPTION, text('198.51.100.7')), '198.51.100.7'],
    ['in a client subnet of full length', subnet(32, address('198.51.100.7')), '198.51.100.7'],
    [
      'in sixteen octets that are an IPv4 address',
      option(OPTION, [...Array(10).fill(0), 255, 255, ...address('198.51.100.7')]),
      '198.51.100.7',
    ],
    [
      'in both, and then the option counts',
      [...subnet(32, address('192.0.2.9')), ...option(OPTION, address('198.51.100.7'))],
      '198.51.100.7',
    ],
  ])('%s', (_, options, client) => {
    expect(ask(options).lastEntry).toMatchObject({ client, group: 'staff', verdict: 'allow' });
  });

  test.each([
    ['sixteen octets', option(OPTION, [0x20, 1, 0x0d, 0xb8, 0, 1, ...Array(9).fill(0), 7])],
    ['text', option(OPTION, text('2001:db8:1::7'))],
    ['text of sixteen characters', option(OPTION, text('2001:db8:1::1007'))],
    ['a client subnet', subnet(128, [0x20, 1, 0x0d, 0xb8, 0, 1, ...Array(9).fill(0), 7], 2)],
  ])('in IPv6: %s', (_, options) => {
    expect(ask(options).lastEntry).toMatchObject({ group: 'staff', verdict: 'allow' });
  });

  test('and nothing of it is sent on', () => {
    const { asked } = ask(option(OPTION, address('198.51.100.7')));
    expect(Object.keys(asked[0]).sort()).toEqual([
      'answer',
      'checkingDisabled',
      'deadlineMs',
      'dnssecOk',
      'fail',
      'isWanted',
      'name',
      'pool',
      'type',
    ]);
  });
});

describe('the query stays that of the forwarder', () => {
  test.each([
    ['without an option', []],
    ['when the option is empty: the metadata was missing', option(OPTION, [])],
    ['when it says no address', option(OPTION, text('pod-7'))],
    ['when it is longer than any address', option(OPTION, text('1'.repeat(60)))],
    ['when the subnet leaves something out', subnet(24, [198, 51, 100])],
    ['when the subnet says 32 and has 3 octets', subnet(32, [198, 51, 100])],
    ['when the subnet is of no family', subnet(32, address('198.51.100.7'), 3)],
    ['when the option has another code', option(OPTION + 1, address('198.51.100.7'))],
  ])('%s', (_, options) => {
    const house = ask(options);
    expect(house.lastEntry).toMatchObject({ client: FORWARDER, group: 'cluster', verdict: 'deny' });
    expect(house.asked).toEqual([]);
  });

  test('when subnets are not taken', () => {
    const house = ask(subnet(32, address('198.51.100.7')), FORWARDER, false);
    expect(house.lastEntry).toMatchObject({ client: FORWARDER });
  });
});

test.each([
  ['option', option(OPTION, address('198.51.100.7'))],
  ['subnet', subnet(32, address('198.51.100.7'))],
])('the %s of anybody else is not believed', (_, options) => {
  const house = ask(options, '192.0.2.9');
  expect(house.lastEntry).toMatchObject({ client: '192.0.2.9', group: 'cluster', verdict: 'deny' });
});
