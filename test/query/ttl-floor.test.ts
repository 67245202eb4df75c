import { describe, expect, test } from 'vitest';
import { House } from './house.ts';

const POLICY = `
sets:
  work:
    reason: Needed for work.
    allow:
      - +.plain.example.com
      - {name: +.strict.example.com, profile: strict}
groups:
  staff: {clients: [192.0.2.0/24], sets: [work]}
`;

/** Asks the same name every `seconds` for two minutes; how often the upstream was asked. */
function asked(house: House, name: string, answer: (name: string) => object, seconds = 5): number {
  let answered = 0;
  for (let at = 0; at < 120; at += seconds) {
    house.ask(name);
    for (; answered < house.asked.length; answered++) house.asked[answered].answer(answer(name));
    house.pass(seconds * 1000);
  }
  return house.asked.length;
}

const zeroTtl = (name: string) => ({ answer: [`${name} 0 A 192.0.2.9`] });
const shortTtl = (name: string) => ({ answer: [`${name} 4 A 192.0.2.9`] });
const noSoa = () => ({ rcode: 3 });
const zeroSoa = (name: string) => ({
  rcode: 3,
  authority: [`${name.split('.').slice(1).join('.')} 0 SOA 0`],
});

describe('a name that is asked every 5 s for two minutes leaves', () => {
  test.each([
    { what: 'TTL 0', answer: zeroTtl },
    { what: 'TTL 4 s', answer: shortTtl },
    { what: 'NXDOMAIN without SOA', answer: noSoa },
    { what: 'NXDOMAIN with a SOA of 0 s', answer: zeroSoa },
  ])('each time by default and twice under the strict profile: $what', ({ answer }) => {
    expect(asked(new House(POLICY), 'www.plain.example.com', answer)).toBe(24);
    expect(asked(new House(POLICY), 'www.strict.example.com', answer)).toBe(2);
  });

  test('twice where the strict profile is that of rules without one', () => {
    const house = new House(POLICY, { limits: { defaultProfile: 'strict' } });
    expect(asked(house, 'www.plain.example.com', zeroTtl)).toBe(2);
  });

  test('each time where the floor is taken away', () => {
    const house = new House(POLICY, { limits: { ttlMinStrictSeconds: 0 } });
    expect(asked(house, 'www.strict.example.com', zeroTtl)).toBe(24);
  });
});

test('clients are shown the floor too, so that they keep the answer as long', async () => {
  const house = new House(POLICY);
  house.ask('www.strict.example.com');
  house.asked[0].answer(zeroTtl('www.strict.example.com'));
  expect((await house.heard())[0].answer[0]).toMatchObject({ ttl: 60 });
});

test('a longer life of its own is left alone', async () => {
  const house = new House(POLICY);
  house.ask('www.strict.example.com');
  house.asked[0].answer({ answer: ['www.strict.example.com 300 A 192.0.2.9'] });
  expect((await house.heard())[0].answer[0]).toMatchObject({ ttl: 300 });
});

test('failures are not kept for longer: they may pass', () => {
  const house = new House(POLICY);
  for (let i = 0; i < 3; i++) {
    house.ask('www.strict.example.com');
    house.asked[i].fail('timeout');
    house.pass(6000);
  }
  expect(house.asked).toHaveLength(3);
});
