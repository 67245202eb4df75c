import { describe, expect, test } from 'vitest';
import { createFastPath } from '../../src/detect/index.ts';
import { nameOctets, Question } from '../../src/wire/index.ts';

const SEED = 77;
const CLIENT = Uint8Array.of(192, 0, 2, 1);
const START = Date.parse('2026-01-05T09:00:00Z');

/** Sends names one second apart and returns how many left before the first alarm. */
function leftBeforeAlarm(names: readonly string[], type = 1): number {
  const detector = createFastPath({ seed: SEED });
  const question = new Question(SEED);
  for (let i = 0; i < names.length; i++) {
    const alarm = detector.check(
      question.set(nameOctets(names[i]), type),
      CLIENT,
      4,
      START + i * 1000,
      'default',
    );
    if (alarm !== null) return i;
  }
  return names.length;
}

/** Characters that look random and are the same in every run. */
function noise(seed: number, length: number, alphabet: string): string {
  let state = seed;
  let text = '';
  for (let i = 0; i < length; i++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    text += alphabet[(state >>> 8) % alphabet.length];
  }
  return text;
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const HEX = '0123456789abcdef';

describe('check', () => {
  test.each([
    {
      name: 'base32 of 60 characters',
      make: (i: number) => `${noise(i, 60, BASE32)}.t.evil.test`,
      atMost: 0,
    },
    { name: 'hex of 60 characters', make: (i: number) => `${noise(i, 60, HEX)}.evil.test`, atMost: 0 },
    { name: 'hex of 32 characters', make: (i: number) => `${noise(i, 32, HEX)}.evil.test`, atMost: 2 },
    { name: 'base32 of 16 characters', make: (i: number) => `${noise(i, 16, BASE32)}.evil.test`, atMost: 5 },
  ])('stops a stranger zone that gets $name', ({ make, atMost }) => {
    const names = Array.from({ length: 100 }, (_, i) => make(i + 1));
    expect(leftBeforeAlarm(names)).toBeLessThanOrEqual(atMost);
  });

  test.each([
    {
      name: 'ordinary host names',
      make: (i: number) => `${['www', 'api', 'cdn', 'mail', 'static'][i % 5]}.shop.example`,
    },
    { name: 'reverse lookups', make: (i: number) => `${i % 250}.${i >> 8}.0.192.in-addr.arpa` },
    { name: 'block lists', make: (i: number) => `${i % 250}.${i >> 8}.0.192.zen.spamhaus.org` },
    { name: 'reputation lookups', make: (i: number) => `${noise(i, 26, BASE32)}.avqs.mcafee.com` },
    { name: 'search paths', make: (i: number) => `www.google${i % 7}.com.default.svc.cluster.local` },
  ])('lets $name pass', ({ make }) => {
    const names = Array.from({ length: 300 }, (_, i) => make(i + 1));
    expect(leftBeforeAlarm(names)).toBe(names.length);
  });
});
