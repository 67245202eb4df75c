import { describe, expect, test } from 'vitest';
import { createFastPath } from '../../src/detect/index.ts';
import { At } from '../../src/metrics/index.ts';
import { type Detector, NO_DETECTOR } from '../../src/query/index.ts';
import { House, queryOctets } from './house.ts';

const POLICY = `
sets:
  work:
    reason: Needed for work.
    allow:
      - {name: +.example.com, types: [A, AAAA, CNAME, TXT]}
      - {name: +.telemetry.example.org, profile: off}
      - {name: +.strict.example.org, cname: inspect}
groups:
  staff: {clients: [192.0.2.0/24], sets: [work], contact: net@example.com}
  lab: {clients: [203.0.113.0/24], sets: [work], mode: observe}
`;
const KEY = `AKIA${'IOSFODNN7EXAMPLE'}`;
const CARD = ['4012', '8888', '8888', '1881'].join('');
const MARK = /^\(secret:(api-key|card|e-mail):[0-9a-f]{8}\)$/;
/** The secrets in any form in which a line could give them away. */
const LEAK = new RegExp(
  [KEY, CARD, Buffer.from(KEY.toLowerCase()).toString('hex'), Buffer.from(CARD).toString('hex')].join('|'),
  'i',
);

describe('a name with a secret', () => {
  test('is answered, marked in its entry, counted and told, and never written', async () => {
    const house = new House(POLICY);
    house.ask(`${KEY}.c2.example.com`);
    house.asked[0].answer({ answer: [`${KEY}.c2.example.com 300 A 192.0.2.99`] });
    expect((await house.heard())[0]).toMatchObject({ rcode: 'NOERROR' });
    expect(house.lastEntry).toMatchObject({ verdict: 'allow', secrets: ['api-key'] });
    const [mark, ...rest] = (house.lastEntry.qname ?? '').split('.');
    expect(mark).toMatch(MARK);
    expect(rest.join('.')).toBe('c2.example.com');
    expect(house.counters.columns[At.secretApiKey]).toBe(1);
    expect(house.told).toEqual([
      { kinds: ['api-key'], client: '192.0.2.7', group: 'staff', domain: 'example.com', denied: false },
    ]);
    expect(JSON.stringify([house.audit.entries, house.told])).not.toMatch(LEAK);
  });

  test('stays redacted when the cache answers, whatever case it is asked in', async () => {
    const house = new House(POLICY);
    const name = `${Buffer.from(`key=${KEY}`).toString('base64url')}.c2.example.com`;
    house.ask(name);
    house.asked[0].answer({ answer: [`${name} 300 A 192.0.2.99`] });
    await house.heard();
    const first = house.lastEntry.qname;
    expect(first).toMatch(/^\(secret:api-key:[0-9a-f]{8}\)\.c2\.example\.com$/);
    house.ask(name.toLowerCase());
    house.ask(name);
    expect(house.audit.entries.map(({ qname, cached }) => [qname, cached])).toEqual([
      [first, false],
      [first, true],
      [first, true],
    ]);
    expect(house.lastEntry.secrets).toEqual(['api-key']);
  });

  test('has the same mark however it is written, and another under another key', async () => {
    const house = new House(POLICY);
    const names = [
      `${CARD}.a.example.com`,
      '4012-8888-8888-1881.b.example.com',
      '4012.8888.8888.1881.c.example.com',
      `${Buffer.from(CARD).toString('hex')}.d.example.com`,
      `${Buffer.from(CARD).toString('hex').slice(0, 12)}.${Buffer.from(CARD).toString('hex').slice(12)}.e.example.com`,
    ];
    for (const name of names) house.ask(name, { type: 'MX' });
    const marks = house.audit.entries.map(({ qname }) => qname?.split('.')[0]);
    expect(marks[0]).toMatch(MARK);
    expect(new Set(marks).size).toBe(1);
  });

  test('is redacted where it is denied', async () => {
    const house = new House(POLICY);
    house.ask(`${CARD}.evil.example.net`);
    expect(house.lastEntry).toMatchObject({ verdict: 'deny', cause: 'not-listed', secrets: ['card'] });
    expect(house.lastEntry.qname).toMatch(/^\(secret:card:[0-9a-f]{8}\)\.evil\.example\.net$/);
    expect(house.told).toMatchObject([{ kinds: ['card'], domain: 'example.net', denied: true }]);
  });

  test.each([
    {
      what: 'an alias below another name',
      answer: [
        `${KEY}.c2.example.com 60 CNAME ${KEY}.alias.example.com`,
        `${KEY}.alias.example.com 60 A 192.0.2.9`,
      ],
    },
    { what: 'text that repeats it', answer: [`${KEY}.c2.example.com 60 TXT got ${KEY} thanks`] },
  ])('is redacted in its answers: $what', async ({ answer }) => {
    const house = new House(POLICY);
    house.ask(`${KEY}.c2.example.com`, { type: answer[0].includes('TXT') ? 'TXT' : 'A' });
    house.asked[0].answer({ answer });
    await house.heard();
    expect(house.lastEntry.answers?.[0]).toMatch(/\(secret:api-key:[0-9a-f]{8}\)/);
    expect(JSON.stringify(house.audit.entries)).not.toMatch(LEAK);
  });

  test('is redacted where the alias of a clean name holds it', async () => {
    const house = new House(POLICY);
    house.ask('www.strict.example.org');
    house.asked[0].answer({
      answer: [
        `www.strict.example.org 60 CNAME ${KEY}.evil.example.net`,
        `${KEY}.evil.example.net 60 A 192.0.2.9`,
      ],
    });
    await house.heard();
    expect(house.lastEntry.reason).toMatch(/by way of \(secret:api-key:[0-9a-f]{8}\)\.evil\.example\.net/);
    expect(JSON.stringify(house.audit.entries)).not.toMatch(LEAK);
  });

  test('is redacted when its query cannot be read, with the digest that would give it away', async () => {
    const house = new House(POLICY);
    const whole = queryOctets(`${CARD}.c2.example.com`, { edns: null });
    house.receive({ octets: whole.slice(0, whole.length - 3) });
    expect(house.lastEntry).toMatchObject({ verdict: 'malformed', qname: null, secrets: ['card'] });
    expect(house.lastEntry.raw).toEqual({ redacted: expect.stringMatching(MARK) });
  });

  test('is redacted in the evidence of the detector', async () => {
    const fast = createFastPath({ seed: 0x5a11, nameText: () => '(redacted)' });
    const detector: Detector = {
      ...NO_DETECTOR,
      check: (question, client, length, _profile, _response, nowMs) =>
        fast.check(question, client, length, nowMs, 'default'),
    };
    const house = new House(POLICY, { detector });
    house.ask(`${'q7x3k9vz2m5w8c1r4t6y0p'.repeat(2)}.${KEY}.c2.example.com`);
    expect(house.lastEntry).toMatchObject({ cause: 'tunnel', secrets: ['api-key'] });
    expect(house.lastEntry.evidence?.[0]).toContain('(redacted)');
    expect(JSON.stringify(house.audit.entries)).not.toMatch(LEAK);
  });

  test('is kept where that is wanted, and marked all the same', async () => {
    const house = new House(POLICY, { secrets: { redacts: false } });
    house.ask(`${KEY}.evil.example.net`);
    expect(house.lastEntry).toMatchObject({
      qname: `${KEY.toLowerCase()}.evil.example.net`,
      secrets: ['api-key'],
    });
  });

  test('cannot be forged by a name that looks like a mark', async () => {
    const house = new House(POLICY);
    house.ask('\\(secret:card:00000000\\).evil.example.net');
    expect(house.lastEntry.qname).toBe('\\(secret:card:00000000\\).evil.example.net');
    expect(house.lastEntry.secrets).toBeUndefined();
  });
});

describe('with secrets blocked', () => {
  const secrets = { block: true };

  test('such a name is denied and does not leave', async () => {
    const house = new House(POLICY, { secrets });
    const response = house.ask(`${KEY}.c2.example.com`);
    expect(response).toMatchObject({ rcode: 'NXDOMAIN' });
    expect(response?.edns?.extendedErrors[0]).toBe(
      '15 (blocked): a secret or personal data stands in the name (group staff); ask net@example.com',
    );
    expect(house.asked).toEqual([]);
    expect(house.lastEntry).toMatchObject({
      verdict: 'deny',
      cause: 'secret',
      ede: 15,
      evidence: ['The name holds: api-key.'],
    });
    expect(house.told).toMatchObject([{ denied: true }]);
  });

  test('a group that observes gets its answer, and the entry says what would have been', async () => {
    const house = new House(POLICY, { secrets });
    house.ask(`${KEY}.c2.example.com`, { from: '203.0.113.5' });
    house.asked[0].answer({ answer: [`${KEY}.c2.example.com 300 A 192.0.2.99`] });
    await house.heard();
    expect(house.lastEntry).toMatchObject({
      verdict: 'observe',
      cause: 'secret',
      observed: true,
      rcode: 'NOERROR',
    });
  });

  test('a rule with profile: off lets it pass, redacted', async () => {
    const house = new House(POLICY, { secrets });
    house.ask(`${KEY}.telemetry.example.org`);
    expect(house.asked).toHaveLength(1);
    house.asked[0].fail('timeout');
    await house.heard();
    expect(house.lastEntry).toMatchObject({ verdict: 'fail', secrets: ['api-key'] });
    expect(JSON.stringify(house.audit.entries)).not.toMatch(LEAK);
  });
});

test('the log is told the same once a minute', async () => {
  const house = new House(POLICY);
  for (let i = 0; i < 5; i++) house.ask(`${KEY}.h${i}.evil.example.net`);
  expect(house.told).toHaveLength(1);
  expect(house.counters.columns[At.secretApiKey]).toBe(5);
  expect(house.counters.columns[At.secretUntold]).toBe(4);
});
