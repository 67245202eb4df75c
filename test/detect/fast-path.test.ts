import { describe, expect, test } from 'vitest';
import { type Alarm, createDetectMemory, createFastPath, type Profile } from '../../src/detect/index.ts';
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
    {
      name: 'GUIDs of an Active Directory',
      make: (i: number) =>
        `${noise(i % 12, 8, HEX)}-${noise((i % 12) + 7, 4, HEX)}-${noise((i % 12) + 5, 4, HEX)}-${noise((i % 12) + 3, 4, HEX)}-${noise((i % 12) + 2, 12, HEX)}._msdcs.corp.example`,
    },
    { name: 'search paths', make: (i: number) => `www.google${i % 7}.com.default.svc.cluster.local` },
  ])('lets $name pass', ({ make }) => {
    const names = Array.from({ length: 300 }, (_, i) => make(i + 1));
    expect(leftBeforeAlarm(names)).toBe(names.length);
  });
});

/** A detector, a question and a way to ask it. */
function start(): (
  name: string,
  atSeconds: number,
  options?: { type?: number; host?: number; profile?: Profile },
) => Alarm | null {
  const detector = createFastPath({ seed: SEED });
  const question = new Question(SEED);
  return (name, atSeconds, { type = 1, host = 1, profile = 'default' } = {}) =>
    detector.check(
      question.set(nameOctets(name), type),
      Uint8Array.of(192, 0, 2, host),
      4,
      START + atSeconds * 1000,
      profile,
    );
}

describe('a verdict', () => {
  const PAYLOAD = `${noise(3, 60, BASE32)}.evil.test`;

  test('holds for the client and zone, and for nobody else', () => {
    const ask = start();
    expect(ask(PAYLOAD, 0)?.rule).toBe('name');
    expect(ask('www.evil.test', 1)).not.toBeNull();
    expect(ask('www.other.test', 1)).toBeNull();
    expect(ask('www.evil.test', 1, { host: 2 })).toBeNull();
  });

  test('ends after a day without a try, not while they go on', () => {
    const ask = start();
    ask(PAYLOAD, 0);
    expect(ask('a.evil.test', 20 * 3600)).not.toBeNull();
    expect(ask('a.evil.test', 40 * 3600)).not.toBeNull();
    expect(ask('a.evil.test', 65 * 3600)).toBeNull();
  });

  test('says what was counted, in words', () => {
    const alarm = start()(PAYLOAD, 0);
    expect(alarm?.zone).toBe('evil.test');
    expect(alarm?.evidence[0]).toMatch(
      /^The name .+evil\.test says about \d+ bits that read like data .+ one name may say 150\.$/,
    );
    expect(alarm?.evidence.join(' ')).toMatch(/0 queries with 0 octets/);
    expect(alarm?.evidence.join(' ')).toMatch(/no history here/);
  });

  test('is seen by every fast path over the same memory', () => {
    const memory = createDetectMemory({ pairs: 1024, zones: 1024, clients: 1024, names: 4096 });
    const [first, second] = [createFastPath({ seed: SEED, memory }), createFastPath({ seed: SEED, memory })];
    const question = new Question(SEED);
    expect(first.check(question.set(nameOctets(PAYLOAD), 1), CLIENT, 4, START, 'default')).not.toBeNull();
    expect(
      second.check(question.set(nameOctets('www.evil.test'), 1), CLIENT, 4, START, 'default')?.scope,
    ).toBe('client+domain');
  });

  test('is released by hand', () => {
    const detector = createFastPath({ seed: SEED });
    const question = new Question(SEED);
    detector.check(question.set(nameOctets(PAYLOAD), 1), CLIENT, 4, START, 'default');
    const block = { scope: 'client+domain', ...detector.charge } as const;
    expect(detector.heldUntilMs(block)).toBe(START + 86_400_000);
    expect(detector.release(block, START + 1000)).toBe(true);
    expect(detector.heldUntilMs(block)).toBe(0);
    expect(detector.release(block, START + 1000)).toBe(false);
    expect(
      detector.check(question.set(nameOctets('www.evil.test'), 1), CLIENT, 4, START + 2000, 'default'),
    ).toBeNull();
    // The hour's budget is whole again: what data-like word ordinary use has, passes.
    expect(
      detector.check(question.set(nameOctets('k3x9vq7z.evil.test'), 1), CLIENT, 4, START + 3000, 'default'),
    ).toBeNull();
  });
});

describe('profiles', () => {
  const names = Array.from({ length: 20 }, (_, i) => `${noise(i + 1, 10, BASE32)}.shop.test`);
  const leftUnder = (profile: Profile): number => {
    const ask = start();
    const at = names.findIndex((name, i) => ask(name, i * 60, { profile }) !== null);
    return at < 0 ? names.length : at;
  };

  test('off lets everything pass, strict less than default', () => {
    expect(leftUnder('off')).toBe(names.length);
    expect(leftUnder('strict')).toBeLessThan(leftUnder('default'));
  });

  test('strict holds by itself below a suffix that strangers share', () => {
    const ask = start();
    const shared = names.findIndex(
      (name, i) => ask(name.replace('shop.test', 'shop.github.io'), i * 60) !== null,
    );
    expect(shared).toBeGreaterThanOrEqual(0);
    expect(shared).toBeLessThan(leftUnder('default'));
  });

  test('keep an IPv6 client that changes its interface identifier as one client', () => {
    const detector = createFastPath({ seed: SEED });
    const question = new Question(SEED);
    const client = Uint8Array.from({ length: 16 }, (_, i) => (i < 8 ? 0x20 + i : 0));
    detector.check(
      question.set(nameOctets(`${noise(3, 60, BASE32)}.evil.test`), 1),
      client,
      16,
      START,
      'default',
    );
    client[15] = 77;
    expect(
      detector.check(question.set(nameOctets('www.evil.test'), 1), client, 16, START + 1000, 'default'),
    ).not.toBeNull();
  });
});

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

describe('the own network', () => {
  /** Probes of one client until the first alarm, after `hosts` clients have asked `signs` below the zone. */
  const probesLeft = (hosts: number, signs: readonly string[], profile: Profile = 'default'): number => {
    const ask = start();
    for (let host = 1; host <= hosts; host++)
      signs.forEach((sign, i) => {
        expect(ask(`${sign}.corp.example`, host * 10 + i, { host, type: 33 })).toBeNull();
      });
    const names = Array.from({ length: 60 }, (_, i) => `${noise(i + 1, 11, LETTERS)}.corp.example`);
    const at = names.findIndex((name, i) => ask(name, 600 + i * 20, { host: 1, profile }) !== null);
    return at < 0 ? names.length : at;
  };
  const DIRECTORY = ['_ldap._tcp.dc._msdcs', '_kerberos._tcp.dc._msdcs'];

  test.each([
    { name: 'directory', signs: DIRECTORY },
    { name: 'search list', signs: ['www.example.com', 'mail.example.org'] },
    { name: 'proxy', signs: ['wpad'] },
  ])('has three times the budget of an hour where many clients ask it for their $name', ({ signs }) => {
    const stranger = probesLeft(0, []);
    expect(probesLeft(12, signs)).toBeGreaterThan(2.5 * stranger);
  });

  test.each([
    { name: 'what one client asks', hosts: 1, signs: DIRECTORY, profile: 'default' },
    { name: 'what two clients ask', hosts: 2, signs: DIRECTORY, profile: 'default' },
    { name: 'ordinary hosts', hosts: 12, signs: ['www', 'api'], profile: 'default' },
    { name: 'the strict profile', hosts: 12, signs: DIRECTORY, profile: 'strict' },
  ] as const)('is not made by $name', ({ hosts, signs, profile }) => {
    expect(probesLeft(hosts, signs, profile)).toBeLessThan(1.5 * probesLeft(0, []));
  });

  test('may stand below a label that is a top-level domain too', () => {
    const ask = start();
    // Two rounds of three probes within a minute, as when a network comes and goes.
    for (let i = 0; i < 6; i++)
      expect(ask(`${noise(i + 1, 14, LETTERS)}.ad.shop.example`, i < 3 ? 0 : 40)).toBeNull();
  });

  test('has no more than others in one name', () => {
    const ask = start();
    for (let host = 1; host <= 12; host++) ask('_ldap._tcp.dc._msdcs.corp.example', host, { host, type: 33 });
    expect(ask(`${noise(1, 50, BASE32)}.corp.example`, 60)?.rule).toBe('name');
  });
});

describe('names below no top-level domain', () => {
  test.each([
    {
      name: 'are one zone, the root',
      tld: (i: number) => noise(i, 40, HEX).replace(/^\d/, 'a'),
      isOne: true,
    },
    { name: 'are a zone each where they read like one', tld: () => 'ourcompany', isOne: false },
  ])('$name', ({ tld, isOne }) => {
    const ask = start();
    const zones = new Set<string>();
    for (let i = 1; i <= 12; i++) {
      const alarm = ask(`x${i}.${tld(i)}`, i * 60);
      if (alarm !== null) zones.add(alarm.zone);
    }
    expect([...zones]).toEqual(isOne ? ['.'] : []);
  });
});

describe('words that are common everywhere', () => {
  test('cost no more than what the zone has shown', () => {
    const detector = createFastPath({ seed: SEED });
    const question = new Question(SEED);
    const costs: number[] = [];
    for (let i = 0; i < 64; i++) {
      detector.check(
        question.set(nameOctets(`web-${i % 8}.db-${i >> 3}.shop.example`), 1),
        CLIENT,
        4,
        START,
        'default',
      );
      costs.push(detector.charge.bits);
    }
    expect(costs[63]).toBeLessThan(costs[0] * 0.7);
  });
});

describe('known services', () => {
  test.each([
    // The shape is what is known, not the suffix.
    {
      name: 'a tenant of a delivery network',
      make: (i: number) => `${noise(i, 50, BASE32)}.d111111abcdef8.cloudfront.net`,
    },
    {
      name: 'text in a rented reverse zone',
      make: (i: number) => `${noise(i, 50, BASE32)}.2.0.192.in-addr.arpa`,
    },
    { name: 'a bucket that nobody has', make: (i: number) => `${noise(i, 50, BASE32)}.x.s3.amazonaws.com` },
    {
      name: 'a long name of the local network',
      make: (i: number) =>
        `${noise(i, 60, BASE32)}.${noise(i + 9, 60, BASE32)}.${noise(i + 5, 60, BASE32)}.x.corp`,
    },
  ])('do not cover $name', ({ make }) => {
    expect(leftBeforeAlarm(Array.from({ length: 20 }, (_, i) => make(i + 1)))).toBeLessThanOrEqual(1);
  });
});

describe('observe', () => {
  test.each([
    { name: 'TXT answers of 1,200 octets', type: 16, octets: 1200, atMost: 3 },
    { name: 'NULL answers of 700 octets', type: 10, octets: 700, atMost: 5 },
    { name: 'CNAME answers of 300 octets', type: 5, octets: 300, atMost: 20 },
    { name: 'AAAA lists of 640 octets', type: 28, octets: 640, atMost: 15 },
  ])('stops a download in $name', ({ type, octets, atMost }) => {
    const detector = createFastPath({ seed: SEED });
    const question = new Question(SEED);
    let answered = 0;
    for (let i = 0; i < 100; i++) {
      question.set(nameOctets(`${i}.d.evil.test`), type);
      if (detector.check(question, CLIENT, 4, START + i * 1000, 'default') !== null) break;
      answered++;
      detector.observe(question, CLIENT, 4, START + i * 1000, 'default', 0, octets, 1);
    }
    expect(answered).toBeLessThanOrEqual(atMost);
  });

  test('takes ordinary addresses and mail records as they come', () => {
    const detector = createFastPath({ seed: SEED });
    const question = new Question(SEED);
    for (let i = 0; i < 200; i++) {
      for (const [label, type, octets] of [
        ['www', 1, 180],
        ['_dmarc', 16, 150],
        ['mail', 15, 140],
      ] as const) {
        question.set(nameOctets(`${label}.shop${i % 60}.test`), type);
        expect(detector.check(question, CLIENT, 4, START + i * 60_000, 'default')).toBeNull();
        expect(detector.observe(question, CLIENT, 4, START + i * 60_000, 'default', 0, octets, 1)).toBeNull();
      }
    }
  });
});

describe('events', () => {
  test.each([
    { name: 'www.kqvxzjwpyhtrfb.com', isNew: true, generated: true },
    { name: 'www.bluegarden.com', isNew: true, generated: false },
  ])('tell of $name', ({ name, isNew, generated }) => {
    const detector = createFastPath({ seed: SEED });
    const question = new Question(SEED);
    detector.check(question.set(nameOctets(name), 1), CLIENT, 4, START, 'default');
    expect(detector.charge.isNewZone).toBe(isNew);
    expect(detector.charge.generatedBits >= 40).toBe(generated);
    detector.check(
      question.set(nameOctets(name.replace('www', 'api')), 1),
      CLIENT,
      4,
      START + 1000,
      'default',
    );
    expect(detector.charge.isNewZone).toBe(false);
  });
});
