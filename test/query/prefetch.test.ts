/** Names that are asked often are asked anew before they end; counted at the upstream. */
import { describe, expect, test } from 'vitest';
import { At } from '../../src/metrics/index.ts';
import { NO_DETECTOR } from '../../src/query/index.ts';
import { House, type HouseOptions } from './house.ts';

const POLICY = `
sets:
  work: {reason: Needed for work., allow: [+.example.com]}
groups:
  staff: {clients: [192.0.2.0/24], sets: [work]}
`;
const DENIED = POLICY.replace('[+.example.com]', '[www.example.org]');
const NAME = 'www.example.com';
const A = (address: string, ttl = 100, name = NAME): string => `${name} ${ttl} A ${address}`;

/** A house that has answered NAME once from its upstream and `hits` times from its cache. */
async function houseWith(hits: number, options: HouseOptions = {}, ttl = 100): Promise<House> {
  const house = new House(POLICY, {
    ...options,
    limits: { prefetch: { hits: 2, perSecond: 5 }, ...options.limits },
  });
  await store(house, NAME, ttl);
  for (let i = 0; i < hits; i++) house.ask(NAME);
  return house;
}

async function store(house: House, name: string, ttl: number): Promise<void> {
  house.ask(name);
  house.asked.at(-1)?.answer({ answer: [A('192.0.2.1', ttl, name)] });
  await house.heard();
}

const answers = (house: House): string[] => {
  const response = house.ask(NAME);
  return response?.answer.map(({ ttl, rdata }) => `${ttl} ${rdata}`) ?? ['no answer'];
};

describe('a name that is asked often', () => {
  test('is asked anew once in its last tenth, and what comes back is a new entry of the cache', async () => {
    const house = await houseWith(2);
    house.pass(89_000);
    expect(answers(house)).toEqual(['11 192.0.2.1']);
    expect(house.asked).toHaveLength(1);

    house.pass(2000);
    expect(answers(house)).toEqual(['9 192.0.2.1']);
    expect(house.asked).toHaveLength(2);
    expect(house.asked[1]).toMatchObject({ name: NAME, type: 'A', pool: 'default' });
    expect(house.lastEntry).toMatchObject({ qname: NAME, cached: true, prefetch: true, rcode: 'NOERROR' });
    // Not again while it is on its way, nor in the name of anybody who hits it meanwhile.
    expect(answers(house)).toEqual(['9 192.0.2.1']);
    expect(house.asked).toHaveLength(2);
    expect(house.lastEntry).not.toHaveProperty('prefetch');

    house.asked[1].answer({ answer: [A('192.0.2.2', 50)] });
    expect(await house.heard()).toHaveLength(5);
    expect(answers(house)).toEqual(['50 192.0.2.2']);
    expect(house.counters.columns[At.prefetches]).toBe(1);
  });

  test('ends when it would have ended when nothing comes back, and a failure leaves it alone', async () => {
    const house = await houseWith(2);
    house.pass(95_000);
    house.ask(NAME);
    house.asked[1].fail('timeout');
    expect(answers(house)).toEqual(['5 192.0.2.1']);
    house.pass(5001);
    // No memory of the failure either: the next one is asked like any other.
    expect(house.ask(NAME)).toBeNull();
    expect(house.asked).toHaveLength(3);
  });

  test('whoever asks after its end waits for the question that is on its way', async () => {
    const house = await houseWith(2);
    house.pass(99_000);
    house.ask(NAME);
    house.pass(2000);
    await house.heard();
    expect(house.ask(NAME)).toBeNull();
    expect(house.asked).toHaveLength(2);
    house.asked[1].answer({ answer: [A('192.0.2.3')] });
    expect(await house.heard()).toMatchObject([{ rcode: 'NOERROR' }]);
  });
});

describe('nothing is asked anew', () => {
  test.each([
    ['when it is off', { limits: { prefetch: null } }, 9, 100],
    ['for a name with fewer hits', {}, 0, 100],
    ['for a life of a few seconds', {}, 9, 9],
    ['while the detector holds the name', { detector: { ...NO_DETECTOR, holds: () => true } }, 9, 100],
    [
      'when the detector would not let it leave',
      { detector: { ...NO_DETECTOR, check: checkOnce() } },
      9,
      100,
    ],
  ] as const)('%s', async (_, options, hits, ttl) => {
    const house = await houseWith(hits, options, ttl);
    house.pass(ttl * 950);
    house.ask(NAME);
    expect(house.asked).toHaveLength(1);
  });

  test('for a name that the policy no longer allows', async () => {
    const house = await houseWith(5);
    house.reload(DENIED);
    house.pass(95_000);
    expect(house.ask(NAME)).toMatchObject({ rcode: 'NXDOMAIN' });
    expect(house.asked).toHaveLength(1);
  });

  test('beyond so many names in a second; the rest have their turn later', async () => {
    const house = await houseWith(2);
    const names = Array.from({ length: 8 }, (_, i) => `n${i}.example.com`);
    for (const name of names) await store(house, name, 100);
    for (const name of [...names, ...names]) house.ask(name);
    house.pass(95_000);
    for (const name of names) house.ask(name);
    expect(house.asked).toHaveLength(9 + 5);
    expect(house.counters.columns[At.prefetchesSkipped]).toBe(3);
    house.pass(1000);
    for (const name of names) house.ask(name);
    expect(house.asked).toHaveLength(9 + 8);
  });
});

/** Lets the first name leave and no other. */
function checkOnce(): () => { evidence: string[] } | null {
  let asked = 0;
  return () => (asked++ === 0 ? null : { evidence: ['The name is not what it was.'] });
}
