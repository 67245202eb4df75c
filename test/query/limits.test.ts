/** Bounds of the path: who has how many places, who gives way, and how fast responses may go to one network. */
import { describe, expect, test } from 'vitest';
import { At } from '../../src/metrics/index.ts';
import { createRateTable, RateLimit } from '../../src/query/index.ts';
import { type Asked, House, type QueryText, queryOctets } from './house.ts';

const POLICY = `
sets:
  limits:
    reason: Names of these tests.
    allow:
      - name: +.torture.test
        profile: 'off'
      - name: +.other.test
      - name: +.example.com
      - name: +.corp.test
groups:
  relays:
    clients: [198.51.100.0/24]
    forwarder: true
    sets: [limits]
  everyone:
    clients: [192.0.2.0/24, 127.0.0.0/8]
    sets: [limits]
via:
  - suffix: corp.test
    pool: vpc
`;

const RELAY = '198.51.100.1';

/** The COOKIE option of a response: ours, to be sent back. */
function cookieOf(response: Buffer): Uint8Array {
  const at = response.indexOf(Uint8Array.of(0, 10, 0, 24));
  if (at < 0) throw new Error('the response has no cookie');
  return response.subarray(at, at + 28);
}

const CLIENT_COOKIE = Uint8Array.of(0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8);

function withCookie(house: House, from: string): Uint8Array {
  const [response] = house.receive({
    octets: queryOctets('denied.example.net', { options: CLIENT_COOKIE }),
    from,
  });
  return cookieOf(response);
}

describe('places of a client', () => {
  test('are more for forwarders', () => {
    const house = new House(POLICY, { limits: { pendingPerClient: 2, pendingPerForwarder: 5 } });
    for (let i = 0; i < 5; i++) expect(house.ask(`w${i}.example.com`, { from: RELAY })).toBeNull();
    expect(house.ask('w5.example.com', { from: RELAY })?.rcode).toBe('SERVFAIL');
  });

  test('are more for who has our cookie, and only at his own address', () => {
    const house = new House(POLICY, { limits: { pendingPerClient: 2, pendingPerProvenClient: 4 } });
    const options = withCookie(house, '192.0.2.7');
    for (let i = 0; i < 4; i++) expect(house.ask(`w${i}.example.com`, { options })).toBeNull();
    expect(house.ask('w4.example.com', { options })?.rcode).toBe('SERVFAIL');
    for (let i = 0; i < 2; i++) {
      expect(house.ask(`v${i}.example.com`, { options, from: '192.0.2.9' })).toBeNull();
    }
    expect(house.ask('v2.example.com', { options, from: '192.0.2.9' })?.rcode).toBe('SERVFAIL');
  });

  test('go from the domain that has most to one that has few', async () => {
    const house = new House(POLICY, { limits: { pendingPerClient: 20 } });
    for (let i = 0; i < 20; i++) expect(house.ask(`r${i}.torture.test`, { id: i })).toBeNull();
    // More of the same is turned away, something else is not: the oldest of the flood goes.
    expect(house.ask('r20.torture.test')?.rcode).toBe('SERVFAIL');
    house.socket.sent.length = 0;
    expect(house.ask('www.other.test', { id: 100 })?.id).toBe(0);
    expect(house.lastEntry).toMatchObject({ verdict: 'fail', cause: 'limit', qname: 'r0.torture.test' });
    expect(house.asked.at(-1)?.name).toBe('www.other.test');
    house.asked.at(-1)?.answer({ answer: ['www.other.test 60 A 192.0.2.1'] });
    const heard = await house.heard();
    expect(heard.find(({ id }) => id === 100)).toMatchObject({ rcode: 'NOERROR' });
    expect(house.counters.columns[At.limited]).toBe(2);
  });

  test('are free again when the queries have ended', () => {
    const house = new House(POLICY, { limits: { pendingPerClient: 2 } });
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 2; i++) expect(house.ask(`w${round}-${i}.example.com`)).toBeNull();
      expect(house.ask(`w${round}-2.example.com`)?.rcode).toBe('SERVFAIL');
      house.pass(4000);
    }
    expect(house.path.waiting).toBe(0);
  });
});

describe('questions in flight', () => {
  test.each([
    { name: 'for the same last three labels', ask: (i: number) => `r${i}.www.torture.test`, most: 10 },
    {
      name: 'for the same last three labels, however deep',
      ask: (i: number) => `a.r${i}.b.torture.test`,
      most: 10,
    },
    { name: 'for the same last two labels', ask: (i: number) => `r${i}.torture.test`, most: 20 },
    { name: 'below random labels', ask: (i: number) => `www.r${i}.torture.test`, most: 20 },
  ])('$name are bounded, and others still asked', ({ ask, most }) => {
    const house = new House(POLICY, { limits: { flightsPerDomain: 10 } });
    for (let i = 0; i < most; i++) {
      expect(house.ask(ask(i), { from: `127.0.0.${i + 1}` }), `${i}`).toBeNull();
    }
    expect(house.ask(ask(most), { from: '127.0.1.1' })).toMatchObject({ rcode: 'SERVFAIL' });
    expect(house.lastEntry).toMatchObject({ verdict: 'fail', cause: 'limit' });
    expect(house.counters.columns[At.limitedDomain]).toBe(1);
    // Waiting for the same question asks nothing new.
    expect(house.ask(ask(0), { from: '127.0.1.2' })).toBeNull();
    expect(house.ask('www.other.test', { from: '127.0.1.1' })).toBeNull();
    expect(house.asked).toHaveLength(most + 1);
  });

  test('are counted down when the upstream has failed', async () => {
    const house = new House(POLICY, { limits: { flightsPerDomain: 1, failureTtlSeconds: 1 } });
    for (let round = 0; round < 3; round++) {
      expect(house.ask(`a${round}.b.torture.test`)).toBeNull();
      expect(house.ask(`c${round}.b.torture.test`)?.rcode).toBe('SERVFAIL');
      house.asked.at(-1)?.fail('timeout');
      expect((await house.heard()).length).toBeGreaterThan(0);
    }
  });

  test('of one pool leave room for the others', () => {
    const house = new House(POLICY, { limits: { flights: 8 } });
    for (let i = 0; i < 4; i++) expect(house.ask(`w${i}.corp.test`)).toBeNull();
    expect(house.ask('w4.corp.test')?.rcode).toBe('SERVFAIL');
    expect(house.lastEntry).toMatchObject({ cause: 'overload' });
    expect(house.counters.columns[At.limitedPool]).toBe(1);
    for (let i = 0; i < 4; i++) expect(house.ask(`w${i}.other.test`)).toBeNull();
    expect(house.ask('w4.example.com')?.rcode).toBe('SERVFAIL');
    expect(house.counters.columns[At.limitedFlights]).toBe(1);
  });
});

describe('the response rate', () => {
  const limited = (perSecond: number, includesForwarders = false): House =>
    new House(POLICY, {
      rateLimit: new RateLimit({ table: createRateTable(), perSecond, seed: 1, includesForwarders }),
    });

  /** Rcodes of `count` denials asked at once; TC for a truncated response, silence for none. */
  const ask = (house: House, count: number, text: QueryText = {}): string[] =>
    Array.from({ length: count }, () => {
      const response = house.ask('denied.example.net', text);
      if (response === null) return 'silence';
      return response.flags.includes('tc') ? 'TC' : response.rcode;
    });

  test('sends every second response beyond it truncated and the others not at all', () => {
    const house = limited(10);
    const seen = ask(house, 20);
    expect(seen.slice(0, 10)).toEqual(new Array(10).fill('NXDOMAIN'));
    expect(seen.slice(10)).toEqual(new Array(5).fill(['TC', 'silence']).flat());
    expect(house.lastEntry).toMatchObject({ verdict: 'drop', cause: 'limit', qname: 'denied.example.net' });
    expect(house.audit.entries).toHaveLength(20);
    expect(house.counters.columns[At.rateSlipped]).toBe(5);
    expect(house.counters.columns[At.rateDropped]).toBe(5);
    expect(house.socket.freeSlots).toBe(256);
    // A tenth of a second pays for one more.
    house.pass(100);
    expect(ask(house, 2)).toEqual(['NXDOMAIN', 'TC']);
    house.pass(60_000);
    expect(ask(house, 10)).toEqual(new Array(10).fill('NXDOMAIN'));
  });

  test.each([
    { name: 'another address of the same /24', from: '192.0.2.200', isLimited: true },
    { name: 'another /24', from: '127.0.0.1', isLimited: false },
    { name: 'a forwarder', from: RELAY, isLimited: false },
  ])('$name: limited $isLimited', ({ from, isLimited }) => {
    const house = limited(5);
    ask(house, 5, { from: '192.0.2.1' });
    if (from === RELAY) ask(house, 5, { from });
    expect(ask(house, 1, { from })).toEqual([isLimited ? 'TC' : 'NXDOMAIN']);
  });

  test('holds for forwarders too when that is asked for', () => {
    const house = limited(5, true);
    ask(house, 5, { from: RELAY });
    expect(ask(house, 1, { from: RELAY })).toEqual(['TC']);
  });

  test('is for responses of every kind: who is in no group and who sends what cannot be read', () => {
    const house = limited(2);
    const from = '203.0.113.1';
    expect(ask(house, 3, { from })).toEqual(['REFUSED', 'REFUSED', 'TC']);
    expect(house.receive({ octets: new Uint8Array(12), from })).toEqual([]);
    expect(house.lastEntry).toMatchObject({ verdict: 'drop', cause: 'limit', qname: null });
  });

  test('spares who has our cookie, which a slip hands out', () => {
    const house = limited(1);
    ask(house, 1);
    const [slip] = house.receive({ octets: queryOctets('denied.example.net', { options: CLIENT_COOKIE }) });
    expect(slip[2] & 2).toBe(2);
    const options = cookieOf(slip);
    expect(ask(house, 50, { options })).toEqual(new Array(50).fill('NXDOMAIN'));
    expect(ask(house, 1, { options, from: '192.0.2.8' })).not.toEqual(['NXDOMAIN']);
  });

  test('is kept in a table of fixed size that a million networks cannot break', () => {
    const rate = new RateLimit({
      table: createRateTable(),
      perSecond: 1,
      seed: 7,
      includesForwarders: false,
    });
    const client = new Uint8Array(16);
    const view = new DataView(client.buffer);
    let refused = 0;
    for (let i = 0; i < 1_000_000; i++) {
      view.setUint32(0, i << 8);
      if (!rate.take(client, 4, 1000)) refused++;
    }
    // Only networks whose hashes are equal share a bucket: about n² / 2³³ pairs.
    expect(refused).toBeLessThan(500);
    view.setUint32(0, 0xfffffe00);
    expect(rate.take(client, 4, 2000)).toBe(true);
    expect(rate.take(client, 4, 2000)).toBe(false);
  });

  test('is the same for threads of which one is behind', () => {
    const options = { table: createRateTable(), perSecond: 100, seed: 7, includesForwarders: false };
    const threads = [new RateLimit(options), new RateLimit(options)];
    const client = Uint8Array.of(192, 0, 2, 1);
    let taken = 0;
    // 800 a second for three seconds; the second thread took its time up to 700 ms ago.
    for (let i = 0; i < 2400; i++) {
      const nowMs = 100_000 + i / 0.8;
      if (threads[i % 2].take(client, 4, i % 2 === 0 ? nowMs : nowMs - (i % 700))) taken++;
    }
    expect(taken).toBeGreaterThanOrEqual(390);
    expect(taken).toBeLessThanOrEqual(401);
  });

  test('goes on over the turn of its clock', () => {
    const rate = new RateLimit({
      table: createRateTable(),
      perSecond: 2,
      seed: 7,
      includesForwarders: false,
    });
    const client = Uint8Array.of(192, 0, 2, 1);
    // 2^32 microseconds are 71.6 minutes; steps of seven cover every part of the turn.
    for (let minutes = 0; minutes < 200; minutes += 7) {
      const nowMs = minutes * 60_000;
      expect(
        [1, 2, 3].map(() => rate.take(client, 4, nowMs)),
        `${minutes}`,
      ).toEqual([true, true, false]);
    }
  });
});

describe('a hundred thousand clients at twice what upstreams can do', () => {
  test('get everything that is cached, and an entry for everything they ask', () => {
    const CLIENTS = 100_000;
    const PER_TURN = 200;
    const house = new House(POLICY, { slots: 4096, limits: { flights: 2000, flightsPerDomain: 400 } });
    house.ask('www.other.test', { from: '127.0.0.1' });
    house.asked.splice(0)[0].answer({ answer: ['www.other.test 3600 A 192.0.2.1'] });
    house.path.endTurn();
    house.audit.entries.length = 0;
    const hit = queryOctets('www.other.test');
    let hits = 0;
    let taken = 0;
    let waitingMost = 0;
    let others = 0;
    const silent: Asked[] = [];
    for (let turn = 0; turn < CLIENTS / PER_TURN; turn++) {
      const batch = [];
      for (let i = 0; i < PER_TURN; i++) {
        const n = turn * PER_TURN + i;
        const from = `127.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
        batch.push({ octets: i % 2 === 0 ? hit : queryOctets(`r${n}.torture.test`), from });
        if (i % 50 === 0) batch.push({ octets: queryOctets(`n${n}.example.com`), from });
      }
      taken += batch.length;
      const sent = house.receive(...batch);
      hits += sent.filter((response) => (response[3] & 15) === 0 && response[7] === 1).length;
      // The servers of the flooded domain are silent and time out; others answer.
      for (const question of house.asked.splice(0)) {
        if (question.name.endsWith('.torture.test')) {
          silent.push(question);
          continue;
        }
        others++;
        question.answer({ answer: [`${question.name} 60 A 192.0.2.2`] });
      }
      if (turn % 20 === 19) for (const question of silent.splice(0)) question.fail('timeout');
      waitingMost = Math.max(waitingMost, house.path.waiting);
      house.socket.sent.length = 0;
      house.pass(20);
    }
    house.pass(5000);
    house.path.endTurn();
    expect(hits / (CLIENTS / 2)).toBeGreaterThanOrEqual(0.999);
    expect(others).toBe((CLIENTS / PER_TURN) * 4);
    expect(house.audit.entries).toHaveLength(taken);
    expect(waitingMost).toBeLessThanOrEqual(2000);
    expect(house.path.waiting).toBe(0);
    expect(house.socket.freeSlots).toBe(4096);
    expect(house.counters.columns[At.limitedDomain]).toBeGreaterThan(10_000);
    expect(house.bugs).toEqual([]);
  });
});
