import { describe, expect, test } from 'vitest';
import type { StreamMessage } from '../../src/listen/contract.ts';
import { NO_DETECTOR } from '../../src/query/index.ts';
import { House, queryOctets } from './house.ts';

const POLICY = `
sets:
  work:
    reason: Needed for work.
    allow:
      - +.example.com
      - name: strict.example.org
        cname: inspect
      - name: site.example.org
        cname: same-site
      - name: short.example.org
        expires: 2026-11-21T12:00:10Z
      - name: deep.allowed.example.net
      - +.corp.test-routes.example.net
    deny:
      - name: +.bad.example.com
        reason: Known to be bad.
groups:
  staff: {clients: [192.0.2.0/24], sets: [work], contact: net@example.com}
  cluster: {clients: [198.51.100.0/24], sets: [work], forwarder: true}
  lab: {clients: [203.0.113.0/24], sets: [work], mode: observe}
local:
  - zone: home.example.net
    records: ['@ A 192.0.2.80', 'www CNAME @', 'out CNAME www.example.com.', 'worse CNAME www.bad.example.com.', 'round CNAME about', 'about CNAME round']
via:
  - {suffix: corp.test-routes.example.net, pool: vpc}
`;

const A = (name: string, address = '192.0.2.99', ttl = 300): string => `${name} ${ttl} A ${address}`;

describe('a denied query', () => {
  test('gets NXDOMAIN with SOA and the reason, and nothing is forwarded', () => {
    const house = new House(POLICY);
    const response = house.ask('www.bad.example.com');
    expect(response).toMatchObject({ rcode: 'NXDOMAIN', flags: ['qr', 'rd', 'ra'] });
    expect(response?.authority).toMatchObject([{ type: 'SOA', ttl: 10, name: 'www.bad.example.com' }]);
    expect(response?.edns?.extendedErrors[0]).toContain(
      '15 (blocked): Known to be bad. (rule work/deny/0); ask net@example.com',
    );
    expect(house.asked).toEqual([]);
    expect(house.lastEntry).toMatchObject({
      qname: 'www.bad.example.com',
      verdict: 'deny',
      cause: 'denied',
      rule: 'work/deny/0',
      rcode: 'NXDOMAIN',
      group: 'staff',
    });
  });

  test.each([
    { what: 'not listed', name: 'exfil.example.net', type: 'A', rcode: 'NXDOMAIN', cause: 'not-listed' },
    {
      what: 'a type that no rule names',
      name: 'www.example.com',
      type: 'TXT',
      rcode: 'NOERROR',
      cause: 'type',
    },
    {
      what: 'above an allowed name',
      name: 'allowed.example.net',
      type: 'A',
      rcode: 'NOERROR',
      cause: 'ancestor',
    },
    { what: 'the root', name: '.', type: 'NS', rcode: 'NOERROR', cause: 'ancestor' },
    {
      what: 'odd octets in the name',
      name: 'a\\032b.example.com',
      type: 'A',
      rcode: 'NXDOMAIN',
      cause: 'characters',
    },
  ])('$what: $rcode', ({ name, type, rcode, cause }) => {
    const house = new House(POLICY);
    expect(house.ask(name, { type })).toMatchObject({ rcode, answer: [] });
    expect(house.lastEntry).toMatchObject({ cause });
    expect(house.asked).toEqual([]);
  });

  test('without EDNS gets no OPT record', () => {
    const house = new House(POLICY);
    expect(house.ask('exfil.example.net', { edns: null })).toMatchObject({ rcode: 'NXDOMAIN', edns: null });
  });

  test('fits 512 octets, whatever its reason', () => {
    const house = new House(POLICY);
    const name = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(30)}.example.net`;
    const [sent] = house.receive({ octets: queryOctets(name, { edns: 512 }) });
    expect(sent.length).toBeLessThanOrEqual(512);
  });

  test('a client of no group is refused', () => {
    const house = new House(POLICY);
    const response = house.ask('www.example.com', { from: '10.9.9.9' });
    expect(response?.rcode).toBe('REFUSED');
    expect(response?.edns?.extendedErrors[0]).toContain('18 (prohibited)');
    expect(house.lastEntry).toMatchObject({ verdict: 'refuse', cause: 'client' });
  });

  test('a rule ends at its moment, also for what the cache holds', async () => {
    const house = new House(POLICY);
    house.ask('short.example.org');
    house.asked[0].answer({ answer: [A('short.example.org')] });
    expect(await house.heard()).toMatchObject([{ rcode: 'NOERROR' }]);
    house.pass(9_999);
    expect(house.ask('short.example.org')?.answer).toHaveLength(1);
    house.pass(1);
    expect(house.ask('short.example.org')).toMatchObject({ rcode: 'NXDOMAIN', answer: [] });
    expect(house.lastEntry).toMatchObject({ cause: 'expired' });
  });
});

describe('an allowed query', () => {
  test('is asked once, answered, recorded, and then answered from the cache with an aged TTL', async () => {
    const house = new House(POLICY);
    expect(house.ask('WwW.Example.com', { id: 77 })).toBeNull();
    expect(house.asked).toMatchObject([{ name: 'www.example.com', type: 'A', pool: 'default' }]);
    house.asked[0].answer({ answer: [A('www.example.com')] });
    const [first] = await house.heard();
    expect(first).toMatchObject({ id: 77, rcode: 'NOERROR', flags: ['qr', 'rd', 'ra'] });
    expect(first.answer).toEqual([{ name: 'WwW.Example.com', ttl: 300, type: 'A', rdata: '192.0.2.99' }]);
    expect(house.lastEntry).toMatchObject({
      verdict: 'allow',
      rule: 'work/allow/0',
      answers: ['A 192.0.2.99'],
      upstream: 'default-server',
      cached: false,
    });
    house.pass(100_000);
    expect(house.ask('www.example.COM', { id: 78 })).toMatchObject({ id: 78, answer: [{ ttl: 200 }] });
    expect(house.lastEntry).toMatchObject({ cached: true, answers: ['A 192.0.2.99'] });
    expect(house.asked).toHaveLength(1);
    house.pass(200_000);
    expect(house.ask('www.example.com')).toBeNull();
    expect(house.asked).toHaveLength(2);
  });

  test('identical questions are merged, each client is answered and recorded', async () => {
    const house = new House(POLICY);
    house.ask('www.example.com', { id: 1, from: '192.0.2.1' });
    house.ask('www.EXAMPLE.com', { id: 2, from: '192.0.2.2' });
    house.ask('www.example.com', { id: 3, from: '192.0.2.3', type: 'AAAA' });
    expect(house.asked.map(({ type }) => type)).toEqual(['A', 'AAAA']);
    house.asked[0].answer({ answer: [A('www.example.com')] });
    expect((await house.heard()).map(({ id }) => id).sort()).toEqual([1, 2]);
    expect(house.audit.entries).toHaveLength(2);
    expect(house.path.waiting).toBe(1);
  });

  test('DO and CD are kept apart in the cache and passed on', async () => {
    const house = new House(POLICY);
    house.ask('www.example.com', { dnssecOk: true, cd: true });
    expect(house.asked[0]).toMatchObject({ dnssecOk: true, checkingDisabled: true });
    house.asked[0].answer({ answer: [A('www.example.com')] });
    const [response] = await house.heard();
    expect(response.flags).toEqual(['qr', 'rd', 'ra', 'cd']);
    expect(house.ask('www.example.com')).toBeNull();
    expect(house.asked[1]).toMatchObject({ dnssecOk: false, checkingDisabled: false });
  });

  test('AD is passed on only from a trusted upstream, and only to who asked for it', async () => {
    const house = new House(POLICY);
    house.ask('www.example.com');
    house.asked[0].answer({ answer: [A('www.example.com')], ad: true, trusted: true });
    expect((await house.heard())[0].flags).not.toContain('ad');
    expect(house.ask('www.example.com', { ad: true })?.flags).toContain('ad');
    house.ask('w2.example.com', { ad: true });
    house.asked[1].answer({ answer: [A('w2.example.com')], ad: true, trusted: false });
    expect((await house.heard()).at(-1)?.flags).not.toContain('ad');
  });

  test('groups do not share cells', async () => {
    const house = new House(POLICY);
    house.ask('www.example.com');
    house.asked[0].answer({ answer: [A('www.example.com')] });
    await house.heard();
    expect(house.ask('www.example.com', { from: '203.0.113.5' })).toBeNull();
  });

  test('a route decides the pool', () => {
    const house = new House(POLICY);
    house.ask('db.corp.test-routes.example.net');
    expect(house.asked[0].pool).toBe('vpc');
  });

  test('ANY gets one small HINFO and is not forwarded (RFC 8482)', () => {
    const house = new House(POLICY);
    expect(house.ask('www.example.com', { type: 'ANY' })?.answer).toMatchObject([
      { type: 'HINFO', rdata: '"RFC8482" ""' },
    ]);
    expect(house.ask('exfil.example.net', { type: 'ANY' })?.rcode).toBe('NXDOMAIN');
    expect(house.asked).toEqual([]);
  });

  test('RD=0 does not look into the cache', () => {
    const house = new House(POLICY);
    expect(house.ask('www.example.com', { rd: false })?.rcode).toBe('REFUSED');
    expect(house.asked).toEqual([]);
  });

  test('an observe group is answered, and what would have been denied is recorded', async () => {
    const house = new House(POLICY);
    house.ask('exfil.example.net', { from: '203.0.113.5' });
    house.asked[0].answer({ answer: [A('exfil.example.net')] });
    expect(await house.heard()).toMatchObject([{ rcode: 'NOERROR' }]);
    expect(house.lastEntry).toMatchObject({ verdict: 'observe', cause: 'not-listed', observed: true });
  });
});

describe('a kept answer', () => {
  const rules = (more: string): string => `
sets:
  work:
    reason: Needed.
    allow:
      - {name: www.example.com, cname: inspect}
      - {name: cdn.example.org, expires: 2026-11-21T12:00:10Z}
    deny: ${more}
groups:
  staff: {clients: [192.0.2.0/24], sets: [work]}
`;
  const chain = { answer: ['www.example.com 300 CNAME cdn.example.org', A('cdn.example.org')] };

  test('is judged anew when a rule ends that its alias needed', async () => {
    const house = new House(rules('[]'));
    house.ask('www.example.com');
    house.asked[0].answer(chain);
    await house.heard();
    house.pass(9_000);
    expect(house.ask('www.example.com')?.answer).toHaveLength(2);
    house.pass(1_000);
    expect(house.ask('www.example.com')).toBeNull();
    house.asked[1].answer(chain);
    expect((await house.heard()).at(-1)).toMatchObject({ rcode: 'NXDOMAIN' });
  });

  test('is judged anew when the wall clock is set back or on', async () => {
    const house = new House(rules('[]'), { startMs: Date.parse('2026-11-21T12:00:05Z') });
    house.ask('www.example.com');
    house.asked[0].answer(chain);
    await house.heard();
    expect(house.ask('www.example.com')?.answer).toHaveLength(2);
    house.wallMs += 3_600_000;
    expect(house.ask('www.example.com')).toBeNull();
    house.wallMs -= 3_600_000;
    expect(house.ask('www.example.com')?.answer).toHaveLength(2);
  });

  test('is not looked at for a query without RD, whatever was said of it before', async () => {
    const house = new House(POLICY);
    house.ask('www.example.com');
    house.asked[0].answer({ answer: [A('www.example.com')] });
    await house.heard();
    for (let i = 0; i < 3; i++) expect(house.ask('www.example.com')?.answer).toHaveLength(1);
    expect(house.ask('www.example.com', { rd: false })?.rcode).toBe('REFUSED');
  });
});

describe('negative and failing upstreams', () => {
  const soa = 'example.com 900 SOA 60';

  test('NXDOMAIN is kept for the lesser of SOA TTL and MINIMUM (RFC 2308)', async () => {
    const house = new House(POLICY);
    house.ask('gone.example.com');
    house.asked[0].answer({ rcode: 3, authority: [soa] });
    const [first] = await house.heard();
    expect(first).toMatchObject({
      rcode: 'NXDOMAIN',
      authority: [{ type: 'SOA', ttl: 60, name: 'example.com' }],
    });
    house.pass(59_000);
    expect(house.ask('gone.example.com')).toMatchObject({ rcode: 'NXDOMAIN', authority: [{ ttl: 1 }] });
    house.pass(1_000);
    expect(house.ask('gone.example.com')).toBeNull();
  });

  test('a negative answer without SOA is not kept', async () => {
    const house = new House(POLICY);
    house.ask('gone.example.com');
    house.asked[0].answer({ rcode: 3 });
    await house.heard();
    expect(house.ask('gone.example.com')).toBeNull();
  });

  test.each([
    { failure: 'timeout', ede: '22 (no reachable authority)' },
    { failure: 'unreachable', ede: '23 (network error)' },
    { failure: 'unusable', ede: '24 (invalid data)' },
  ] as const)('$failure: SERVFAIL with EDE $ede, remembered for a moment', async ({ failure, ede }) => {
    const house = new House(POLICY);
    house.ask('www.example.com');
    house.asked[0].fail(failure);
    const [response] = await house.heard();
    expect(response.rcode).toBe('SERVFAIL');
    expect(response.edns?.extendedErrors[0]).toContain(ede);
    expect(house.lastEntry).toMatchObject({ verdict: 'fail', cause: failure });
    expect(house.ask('www.example.com')?.rcode).toBe('SERVFAIL');
    house.pass(5_001);
    expect(house.ask('www.example.com')).toBeNull();
  });

  test('SERVFAIL of the upstream is SERVFAIL for the client', async () => {
    const house = new House(POLICY);
    house.ask('www.example.com');
    house.asked[0].answer({ rcode: 2 });
    expect(await house.heard()).toMatchObject([{ rcode: 'SERVFAIL', answer: [] }]);
  });

  test('a client gets SERVFAIL at 3.8 s, a forwarder at 1.8 s, and the late answer is kept', async () => {
    const house = new House(POLICY);
    house.ask('slow.example.com');
    house.ask('slow.example.com', { from: '198.51.100.9' });
    house.pass(1_799);
    expect(await house.heard()).toEqual([]);
    house.pass(1);
    expect(await house.heard()).toMatchObject([{ rcode: 'SERVFAIL' }]);
    expect(house.lastEntry).toMatchObject({ group: 'cluster', cause: 'timeout' });
    house.pass(2_000);
    expect(await house.heard()).toMatchObject([{ rcode: 'SERVFAIL' }]);
    expect(house.path.waiting).toBe(0);
    for (const asked of house.asked) asked.answer({ answer: [A('slow.example.com')] });
    expect(await house.heard()).toEqual([]);
    expect(house.ask('slow.example.com')?.answer).toHaveLength(1);
  });

  test('a stale answer is given when no upstream answers, if it is switched on (RFC 8767)', async () => {
    const house = new House(POLICY, { limits: { staleSeconds: 86_400 } });
    house.ask('www.example.com');
    house.asked[0].answer({ answer: [A('www.example.com', '192.0.2.99', 5)] });
    await house.heard();
    house.pass(6_000);
    house.ask('www.example.com');
    house.pass(1_800);
    const [stale] = await house.heard();
    expect(stale).toMatchObject({ rcode: 'NOERROR', answer: [{ ttl: 30, rdata: '192.0.2.99' }] });
    expect(stale.edns?.extendedErrors[0]).toContain('3 (stale answer)');
    // What policy denies by now is never served, stale or not.
    house.pass(10_000);
    house.ask('www.example.com');
    house.reload(POLICY.replace('+.bad.example.com', '+.example.com'));
    house.pass(1_900);
    expect(house.ask('www.example.com')).toMatchObject({ rcode: 'NXDOMAIN', answer: [] });
  });

  test('one client cannot have more than its share of waiting queries', () => {
    const house = new House(POLICY, { limits: { pendingPerClient: 3 } });
    for (let i = 0; i < 3; i++) expect(house.ask(`w${i}.example.com`)).toBeNull();
    expect(house.ask('w4.example.com')?.rcode).toBe('SERVFAIL');
    expect(house.lastEntry).toMatchObject({ cause: 'limit' });
    expect(house.ask('w5.example.com', { from: '192.0.2.8' })).toBeNull();
  });

  test('when slots run out the oldest waiting queries are given up', async () => {
    const house = new House(POLICY, { slots: 70, limits: { pendingPerClient: 1000 } });
    for (let i = 0; i < 10; i++) house.ask(`w${i}.example.com`, { id: i });
    const given = await house.heard();
    expect(given.map(({ id, rcode }) => `${id} ${rcode}`)).toEqual([
      '0 SERVFAIL',
      '1 SERVFAIL',
      '2 SERVFAIL',
      '3 SERVFAIL',
    ]);
    expect(house.lastEntry).toMatchObject({ cause: 'overload' });
    expect(house.socket.freeSlots).toBe(64);
  });
});

describe('alias chains', () => {
  test('are followed and recorded; records off the chain are dropped', async () => {
    const house = new House(POLICY);
    house.ask('www.example.com');
    house.asked[0].answer({
      answer: [
        'www.example.com 60 CNAME cdn.example.org',
        A('evil.example.com'),
        A('cdn.example.org'),
        A('other.example.org'),
      ],
    });
    const [response] = await house.heard();
    expect(response.answer.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'www.example.com CNAME',
      'cdn.example.org A',
    ]);
    expect(house.lastEntry.answers).toEqual(['CNAME cdn.example.org', 'A 192.0.2.99']);
  });

  test('a denied name in the chain denies the answer, and nothing of it is kept', async () => {
    const house = new House(POLICY);
    house.ask('www.example.com');
    const reply = { answer: ['www.example.com 60 CNAME x.bad.example.com', A('x.bad.example.com')] };
    house.asked[0].answer(reply);
    const [response] = await house.heard();
    expect(response).toMatchObject({ rcode: 'NXDOMAIN', answer: [] });
    expect(response.edns?.extendedErrors[0]).toContain('by way of x.bad.example.com');
    expect(house.lastEntry).toMatchObject({ verdict: 'deny', cause: 'answer', rule: 'work/deny/0' });
    expect(house.ask('www.example.com')).toBeNull();
  });

  test.each([
    { name: 'strict.example.org', to: 'elsewhere.example.net', rcode: 'NXDOMAIN' },
    { name: 'strict.example.org', to: 'www.example.com', rcode: 'NOERROR' },
    { name: 'site.example.org', to: 'cdn.example.org', rcode: 'NOERROR' },
    { name: 'site.example.org', to: 'cdn.example.net', rcode: 'NXDOMAIN' },
  ])('$name to $to: $rcode', async ({ name, to, rcode }) => {
    const house = new House(POLICY);
    house.ask(name);
    house.asked[0].answer({ answer: [`${name} 60 CNAME ${to}`, A(to)] });
    expect(await house.heard()).toMatchObject([{ rcode }]);
  });

  test('an alias into another pool is asked there, and its first pool is not believed about it', async () => {
    const house = new House(POLICY);
    house.ask('www.example.com');
    house.asked[0].answer({
      answer: [
        'www.example.com 60 CNAME db.corp.test-routes.example.net',
        A('db.corp.test-routes.example.net', '203.0.113.66'),
      ],
    });
    expect(house.asked[1]).toMatchObject({ name: 'db.corp.test-routes.example.net', pool: 'vpc' });
    house.asked[1].answer({ answer: [A('db.corp.test-routes.example.net', '10.0.0.9')] });
    const [response] = await house.heard();
    expect(response.answer.map(({ rdata }) => rdata)).toEqual([
      'db.corp.test-routes.example.net',
      '10.0.0.9',
    ]);
  });

  test('an upstream that does not follow aliases is asked for the target', async () => {
    const house = new House(POLICY);
    house.ask('www.example.com');
    house.asked[0].answer({ answer: ['www.example.com 60 CNAME cdn.example.org'] });
    expect(house.asked[1]).toMatchObject({ name: 'cdn.example.org', pool: 'default' });
    house.asked[1].answer({ answer: [A('cdn.example.org')] });
    expect(await house.heard()).toMatchObject([{ answer: [{ type: 'CNAME' }, { type: 'A' }] }]);
    house.ask('w2.example.com');
    house.asked[2].answer({ answer: ['w2.example.com 60 CNAME nowhere.example.org'] });
    house.asked[3].answer({});
    expect(await house.heard()).toMatchObject([{ rcode: 'NOERROR', answer: [{ type: 'CNAME' }] }]);
  });

  test.each([
    {
      what: 'a loop',
      answer: ['www.example.com 60 CNAME b.example.com', 'b.example.com 60 CNAME www.example.com'],
    },
    { what: 'a loop onto itself', answer: ['www.example.com 60 CNAME www.example.com'] },
    {
      what: 'two aliases',
      answer: ['www.example.com 60 CNAME b.example.com', 'www.example.com 60 CNAME c.example.com'],
    },
    {
      what: 'a chain of fifty',
      answer: Array.from(
        { length: 50 },
        (_, i) => `${i === 0 ? 'www' : `c${i}`}.example.com 60 CNAME c${i + 1}.example.com`,
      ),
    },
  ])('$what is SERVFAIL', async ({ answer }) => {
    const house = new House(POLICY);
    house.ask('www.example.com');
    house.asked[0].answer({ answer });
    expect(await house.heard()).toMatchObject([{ rcode: 'SERVFAIL', answer: [] }]);
    expect(house.path.waiting).toBe(0);
  });
});

describe('local zones', () => {
  test('are answered with authority', () => {
    const house = new House(POLICY);
    expect(house.ask('www.home.example.net')).toMatchObject({
      rcode: 'NOERROR',
      flags: ['qr', 'aa', 'rd', 'ra'],
    });
    expect(house.ask('nothing.home.example.net')).toMatchObject({
      rcode: 'NXDOMAIN',
      authority: [{ type: 'SOA' }],
    });
    expect(house.ask('home.example.net', { type: 'MX' })).toMatchObject({
      rcode: 'NOERROR',
      authority: [{ type: 'SOA' }],
    });
    expect(house.ask('home.example.net', { rd: false })?.answer).toHaveLength(1);
    expect(house.asked).toEqual([]);
    expect(house.lastEntry).toMatchObject({ verdict: 'local' });
  });

  test('an alias out of the zone is asked and appended', async () => {
    const house = new House(POLICY);
    expect(house.ask('out.home.example.net')).toBeNull();
    expect(house.asked[0]).toMatchObject({ name: 'www.example.com', pool: 'default' });
    house.asked[0].answer({ answer: [A('www.example.com')] });
    const [response] = await house.heard();
    expect(response.answer.map(({ type, rdata }) => `${type} ${rdata}`)).toEqual([
      'CNAME www.example.com',
      'A 192.0.2.99',
    ]);
    // AA speaks for the first owner, which is ours (RFC 1035 section 4.1.1).
    expect(response.flags).toContain('aa');
  });

  test('an alias out of the zone to a denied name is not asked', () => {
    const house = new House(POLICY);
    const response = house.ask('worse.home.example.net');
    expect(response).toMatchObject({ rcode: 'NXDOMAIN', answer: [] });
    expect(response?.edns?.extendedErrors[0]).toContain(
      '15 (blocked): Known to be bad. (by way of www.bad.example.com) (rule work/deny/0)',
    );
    expect(house.asked).toEqual([]);
    expect(house.lastEntry).toMatchObject({ verdict: 'deny', cause: 'answer', rule: 'work/deny/0' });
  });

  test('aliases in a circle are SERVFAIL, with a word on where', () => {
    const house = new House(POLICY);
    const response = house.ask('round.home.example.net');
    expect(response).toMatchObject({ rcode: 'SERVFAIL', answer: [] });
    expect(response?.edns?.extendedErrors[0]).toContain('the aliases of local zones lead nowhere');
    expect(house.lastEntry).toMatchObject({ verdict: 'fail', cause: 'unusable' });
  });

  test('ANY gets one small record for a name that exists, and NXDOMAIN for others (RFC 8482)', () => {
    const house = new House(POLICY);
    for (const name of ['home.example.net', 'www.home.example.net']) {
      const response = house.ask(name, { type: 'ANY' });
      expect(response).toMatchObject({ rcode: 'NOERROR', flags: ['qr', 'aa', 'rd', 'ra'] });
      expect(response?.answer).toMatchObject([{ type: 'HINFO', name }]);
    }
    expect(house.ask('none.home.example.net', { type: 'ANY' })).toMatchObject({
      rcode: 'NXDOMAIN',
      authority: [{ type: 'SOA' }],
    });
  });
});

describe('special-use names', () => {
  test.each([
    { name: 'host.invalid', type: 'A', rcode: 'NXDOMAIN' },
    { name: 'hidden.onion', type: 'A', rcode: 'NXDOMAIN' },
    { name: 'localhost', type: 'A', rcode: 'NOERROR', rdata: '127.0.0.1' },
    { name: 'a.localhost', type: 'AAAA', rcode: 'NOERROR', rdata: '::1' },
    { name: '1.0.0.127.in-addr.arpa', type: 'PTR', rcode: 'NOERROR', rdata: 'localhost' },
    { name: '9.2.0.192.in-addr.arpa', type: 'PTR', rcode: 'NXDOMAIN' },
    { name: '4.3.20.172.in-addr.arpa', type: 'PTR', rcode: 'NXDOMAIN' },
    { name: '_dns.resolver.arpa', type: 'SVCB', rcode: 'NOERROR' },
    { name: 'resolver.arpa', type: 'SVCB', rcode: 'NOERROR' },
    { name: 'use-application-dns.net', type: 'A', rcode: 'NXDOMAIN' },
    { name: 'mask.icloud.com', type: 'AAAA', rcode: 'NXDOMAIN' },
  ])('$name $type: $rcode, and nothing is forwarded, in no kind of group', ({ name, type, rcode, rdata }) => {
    const house = new House(POLICY);
    const response = house.ask(name, { type });
    expect(response?.rcode).toBe(rcode);
    expect(response?.answer.map((record) => record.rdata)).toEqual(rdata === undefined ? [] : [rdata]);
    house.ask(name, { type, from: '203.0.113.5' });
    expect(house.asked).toEqual([]);
  });

  test('a policy that speaks of such a zone knows better', () => {
    const house = new House(POLICY.replace('- +.example.com', '- +.example.com\n      - +.lab.test'));
    expect(house.ask('www.lab.test')).toBeNull();
    expect(house.asked).toMatchObject([{ name: 'www.lab.test' }]);
  });

  test('the probe of CoreDNS goes to an upstream in a group that observes, and is answered without one too', async () => {
    const house = new House(POLICY);
    const from = '203.0.113.9';
    expect(house.ask('.', { type: 'NS', from })).toBeNull();
    house.asked[0].answer({ answer: ['. 300 NS ns.example.com'] });
    expect(await house.heard()).toMatchObject([{ rcode: 'NOERROR', answer: [{ rdata: 'ns.example.com' }] }]);
    house.pass(301_000);
    // Silent: after half a second, before CoreDNS gives up.
    expect(house.ask('.', { type: 'NS', from })).toBeNull();
    house.pass(520);
    const [silent] = await house.heard();
    expect(silent).toMatchObject({ rcode: 'NOERROR', flags: ['qr', 'rd', 'ra'] });
    expect(silent.answer).toHaveLength(13);
    expect(house.lastEntry).toMatchObject({ qname: '.', verdict: 'local' });
    house.asked[1].fail('timeout');
    // Away: at once, and no failure is remembered.
    for (const nth of [2, 3]) {
      expect(house.ask('.', { type: 'NS', from })).toBeNull();
      house.asked[nth].fail('unreachable');
      expect((await house.heard())[0].answer).toHaveLength(13);
    }
    // Who wants the signatures wants the set of those who made them.
    house.ask('.', { type: 'NS', from, dnssecOk: true });
    house.asked[4].fail('unreachable');
    expect(await house.heard()).toMatchObject([{ rcode: 'SERVFAIL' }]);
  });

  test('the probes of CoreDNS and dnsdist are answered at once, whatever the policy', () => {
    const house = new House(POLICY);
    expect(house.ask('.', { type: 'NS' })?.rcode).toBe('NOERROR');
    // With `mustResolve` dnsdist takes NXDOMAIN for a failure.
    for (const from of ['192.0.2.9', '203.0.113.9']) {
      const probed = house.ask('a.root-servers.net', { from });
      expect(probed).toMatchObject({ rcode: 'NOERROR', flags: ['qr', 'aa', 'rd', 'ra'] });
      expect(probed?.answer).toMatchObject([{ type: 'A', rdata: '198.41.0.4' }]);
    }
    expect(
      house.ask('5577006791947779410.8674665223082153551.cluster.example', { type: 'HINFO' })?.rcode,
    ).toBe('NXDOMAIN');
    expect(house.asked).toEqual([]);
  });
});

describe('what is not one plain question', () => {
  const whole = queryOctets('www.example.com');
  const patched = (patch: (octets: Uint8Array) => void): Uint8Array => {
    const octets = whole.slice();
    patch(octets);
    return octets;
  };

  test.each([
    { what: 'no question (RFC 9619)', octets: patched((o) => o.set([0, 0], 4)), rcode: 'FORMERR' },
    { what: 'two questions (RFC 9619)', octets: patched((o) => o.set([0, 2], 4)), rcode: 'FORMERR' },
    { what: 'an answer in the query', octets: patched((o) => o.set([0, 1], 6)), rcode: 'FORMERR' },
    { what: 'a question cut short', octets: whole.slice(0, 20), rcode: 'FORMERR' },
    { what: 'octets left over', octets: Buffer.concat([whole, Buffer.alloc(3)]), rcode: 'FORMERR' },
    { what: 'an OPT record cut short', octets: whole.slice(0, -1), rcode: 'FORMERR' },
    { what: 'a pointer in the question', octets: patched((o) => o.set([0xc0, 12], 12)), rcode: 'FORMERR' },
    { what: 'EDNS version 1', octets: queryOctets('www.example.com', { version: 1 }), rcode: 'BADVERS' },
    { what: 'class CH', octets: queryOctets('version.bind', { qclass: 3, type: 'TXT' }), rcode: 'REFUSED' },
    { what: 'class ANY', octets: queryOctets('www.example.com', { qclass: 255 }), rcode: 'REFUSED' },
    { what: 'AXFR', octets: queryOctets('example.com', { type: 'AXFR' }), rcode: 'REFUSED' },
    { what: 'type OPT', octets: queryOctets('example.com', { type: 41 }), rcode: 'FORMERR' },
    { what: 'opcode UPDATE', octets: queryOctets('example.com', { opcode: 5 }), rcode: 'NOTIMP' },
    { what: 'opcode 15', octets: queryOctets('example.com', { opcode: 15 }), rcode: 'NOTIMP' },
    {
      what: 'a client cookie of the wrong length (RFC 7873)',
      octets: queryOctets('www.example.com', { options: Uint8Array.of(0, 10, 0, 7, 1, 2, 3, 4, 5, 6, 7) }),
      rcode: 'FORMERR',
    },
  ])('$what: $rcode', ({ octets, rcode }) => {
    const house = new House(POLICY);
    const [sent] = house.receive({ octets });
    expect(house.audit.entries).toHaveLength(1);
    expect(house.lastEntry.rcode).toBe(rcode);
    expect(sent[2] & 0x80).toBe(0x80);
    expect(sent.subarray(0, 2)).toEqual(Buffer.from(octets.subarray(0, 2)));
    expect(house.asked).toEqual([]);
    expect(house.bugs).toEqual([]);
  });

  test.each([
    { what: 'a response', octets: patched((o) => o.set([o[2] | 0x80], 2)) },
    { what: 'eleven octets', octets: whole.slice(0, 11) },
    { what: 'nothing', octets: new Uint8Array(0) },
  ])('$what: silence', ({ octets }) => {
    const house = new House(POLICY);
    expect(house.receive({ octets })).toEqual([]);
    expect(house.socket.freeSlots).toBe(256);
  });
  test.each([0, 7, 9, 13, 17, 19, 37, 464])(
    'from port %i, where whatever is sent is answered: silence',
    (port) => {
      const octets = queryOctets('www.example.com');
      const house = new House(POLICY);
      expect(house.receive({ octets, port })).toEqual([]);
      expect(house.audit.entries).toEqual([]);
    },
  );

  test.each([1, 53, 463, 465, 65_535])('from port %i: an answer', (port) => {
    const house = new House(POLICY);
    expect(house.receive({ octets: queryOctets('nothing.test'), port })).toHaveLength(1);
  });

  test('an unreadable query is recorded with its first octets and a digest', () => {
    const house = new House(POLICY);
    house.receive({ octets: whole.slice(0, 15) });
    expect(house.lastEntry).toMatchObject({ verdict: 'malformed', qname: null });
    expect(house.lastEntry.raw?.hex).toBe(Buffer.from(whole.slice(0, 15)).toString('hex'));
    expect(house.lastEntry.raw?.sha256).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('sizes', () => {
  const records = Array.from({ length: 40 }, (_, i) => A('big.example.com', `192.0.2.${i}`));

  test.each([
    { what: 'EDNS 512', edns: 512, truncated: true },
    { what: 'no EDNS', edns: null, truncated: true },
    { what: 'EDNS 1232', edns: 1232, truncated: false },
    { what: 'EDNS 100, which counts as 512', edns: 100, truncated: true },
  ])('$what: truncated $truncated', async ({ edns, truncated }) => {
    const house = new House(POLICY);
    house.ask('big.example.com', { edns });
    house.asked[0].answer({ answer: records });
    const [response] = await house.heard();
    expect(response.flags.includes('tc')).toBe(truncated);
    expect(response.answer).toHaveLength(truncated ? 0 : 40);
  });

  test('never more than 1232 octets, whatever is advertised', async () => {
    const house = new House(POLICY);
    house.ask('big.example.com', { edns: 4096 });
    house.asked[0].answer({
      answer: Array.from({ length: 100 }, (_, i) => A('big.example.com', `192.0.2.${i}`)),
    });
    expect((await house.heard())[0].flags).toContain('tc');
  });
});

describe('the audit', () => {
  test('when it cannot be written nothing is answered, and service resumes by itself', async () => {
    const house = new House(POLICY);
    house.ask('www.example.com');
    house.asked[0].answer({ answer: [A('www.example.com')] });
    await house.heard();
    house.audit.broken = true;
    for (const name of ['www.example.com', 'exfil.example.net', 'home.example.net']) {
      const response = house.ask(name);
      expect(response).toMatchObject({ rcode: 'SERVFAIL', answer: [], authority: [] });
      expect(response?.edns?.extendedErrors[0]).toContain('audit unavailable');
    }
    house.audit.broken = false;
    expect(house.ask('www.example.com')?.answer).toHaveLength(1);
  });

  test('an exception around a query is SERVFAIL, recorded, and never forwarded', () => {
    const detector = {
      ...NO_DETECTOR,
      check: () => {
        throw new Error('a bug');
      },
    };
    const house = new House(POLICY, { detector });
    expect(house.ask('www.example.com')?.rcode).toBe('SERVFAIL');
    expect(house.lastEntry).toMatchObject({ verdict: 'fail', cause: 'bug' });
    expect(house.asked).toEqual([]);
    expect(house.bugs).toHaveLength(1);
  });
});

describe('the detector', () => {
  test('stops a name before it leaves, with its evidence in the entry', () => {
    const detector = {
      ...NO_DETECTOR,
      check: () => ({ evidence: ['40 octets in one name'] }),
    };
    const house = new House(POLICY, { detector });
    expect(house.ask('aGVsbG8.example.com')?.rcode).toBe('NXDOMAIN');
    expect(house.lastEntry).toMatchObject({ cause: 'tunnel', evidence: ['40 octets in one name'] });
    expect(house.asked).toEqual([]);
  });

  test('holds an answer past its time, but not for ever, nor where policy denies it by now', async () => {
    const house = new House(POLICY, { detector: { ...NO_DETECTOR, holds: () => true } });
    house.ask('www.example.com');
    house.asked[0].answer({ answer: [A('www.example.com')] });
    await house.heard();
    house.pass(301_000);
    const held = house.ask('www.example.com');
    expect(held).toMatchObject({ rcode: 'NOERROR', answer: [{ ttl: 30, rdata: '192.0.2.99' }] });
    expect(held?.edns?.extendedErrors[0]).toContain('kept past its time');
    expect(house.lastEntry).toMatchObject({ verdict: 'allow' });
    expect(house.lastEntry?.evidence?.[0]).toContain('held answer');
    expect(house.asked).toHaveLength(1);

    house.pass(6 * 3_600_000);
    expect(house.ask('www.example.com')).toBeNull();
    expect(house.asked).toHaveLength(2);
    house.reload(POLICY.replace('+.bad.example.com', '+.example.com'));
    expect(house.ask('www.example.com')?.rcode).toBe('NXDOMAIN');
  });

  test('a group that observes is never answered from what is held', async () => {
    const house = new House(POLICY, { detector: { ...NO_DETECTOR, holds: () => true } });
    house.ask('www.example.com', { from: '203.0.113.9' });
    house.asked[0].answer({ answer: [A('www.example.com')] });
    await house.heard();
    house.pass(301_000);
    expect(house.ask('www.example.com', { from: '203.0.113.9' })).toBeNull();
    expect(house.asked).toHaveLength(2);
  });
});

describe('a client that has gone', () => {
  /** A message of a connection that can be ended. */
  class Message implements StreamMessage {
    readonly slot = 0;
    octets = new Uint8Array(4096);
    length: number;
    readonly transport = 'tcp';
    readonly peer = Uint8Array.of(192, 0, 2, 7);
    readonly peerLength = 4;
    readonly peerPort = 5353;
    readonly clientName = '';
    readonly restMs = -1;
    context: unknown = null;
    cancelled = false;
    ended = '';

    constructor(name: string) {
      const query = queryOctets(name);
      this.octets.set(query);
      this.length = query.length;
    }

    respond(): void {
      this.ended += 'responded';
    }

    discard(): void {
      this.ended += 'discarded';
    }
  }

  test('gives its place back, is recorded, and nobody is asked for it any more; the late reply is kept', async () => {
    const house = new House(POLICY);
    const message = new Message('www.example.com');
    house.path.takeMessage(message);
    house.path.endTurn();
    expect(house.asked[0].isWanted()).toBe(true);
    message.cancelled = true;
    expect(house.asked[0].isWanted()).toBe(false);
    house.pass(300);
    expect(message.ended).toBe('discarded');
    expect(house.path.waiting).toBe(0);
    expect(house.lastEntry).toMatchObject({ verdict: 'drop', cause: 'gone', rcode: null });
    house.asked[0].answer({ answer: [A('www.example.com')] });
    await house.heard();
    expect(house.ask('www.example.com')?.answer).toHaveLength(1);
    expect(house.asked).toHaveLength(1);
  });

  test('does not take along another who asked the same', async () => {
    const house = new House(POLICY);
    const message = new Message('www.example.com');
    house.path.takeMessage(message);
    house.path.endTurn();
    house.ask('www.example.com');
    message.cancelled = true;
    house.pass(300);
    expect(house.asked[0].isWanted()).toBe(true);
    house.asked[0].answer({ answer: [A('www.example.com')] });
    expect(await house.heard()).toMatchObject([{ rcode: 'NOERROR' }]);
  });

  test('may come back: who asks again joins what is on its way', async () => {
    const house = new House(POLICY);
    const message = new Message('www.example.com');
    house.path.takeMessage(message);
    house.path.endTurn();
    message.cancelled = true;
    house.pass(300);
    expect(house.ask('www.example.com')).toBeNull();
    expect(house.asked).toHaveLength(1);
    expect(house.asked[0].isWanted()).toBe(true);
  });

  test('and a flight that is abandoned leaves no failure behind', async () => {
    const house = new House(POLICY);
    const message = new Message('www.example.com');
    house.path.takeMessage(message);
    house.path.endTurn();
    message.cancelled = true;
    house.pass(300);
    house.asked[0].fail('abandoned');
    expect(house.ask('www.example.com')).toBeNull();
    expect(house.asked).toHaveLength(2);
  });
});

describe('a reload', () => {
  test('holds for new queries at once, also for what is in the cache', async () => {
    const house = new House(POLICY);
    house.ask('www.example.com');
    house.asked[0].answer({ answer: ['www.example.com 300 CNAME cdn.example.org', A('cdn.example.org')] });
    await house.heard();
    house.reload(POLICY.replace('name: +.bad.example.com', 'names: [+.bad.example.com, cdn.example.org]'));
    // The question is still allowed, but its alias is not any more: the cell is judged anew.
    expect(house.ask('www.example.com')).toBeNull();
    house.asked[1].answer({ answer: ['www.example.com 300 CNAME cdn.example.org', A('cdn.example.org')] });
    expect(await house.heard()).toMatchObject([{ rcode: 'NXDOMAIN' }]);
  });

  test('keeps the cache of what is still allowed, and queries in flight', async () => {
    const house = new House(POLICY);
    house.ask('www.example.com');
    house.asked[0].answer({ answer: [A('www.example.com')] });
    await house.heard();
    house.ask('flying.example.com');
    house.reload(POLICY);
    expect(house.ask('www.example.com')?.answer).toHaveLength(1);
    house.asked[1].answer({ answer: [A('flying.example.com')] });
    expect(await house.heard()).toHaveLength(2);
  });
});

describe('DNS cookies', () => {
  const cookie = (...octets: number[]): Uint8Array => Uint8Array.of(0, 10, 0, octets.length, ...octets);

  test('a client cookie is answered with a server cookie (RFC 9018 form)', () => {
    const house = new House(POLICY);
    const [sent] = house.receive({
      octets: queryOctets('exfil.example.net', { options: cookie(1, 2, 3, 4, 5, 6, 7, 8) }),
    });
    const at = sent.indexOf(Buffer.from([0, 10, 0, 24, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0, 0]));
    expect(at).toBeGreaterThan(0);
  });
});
