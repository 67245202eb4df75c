import { describe, expect, test } from 'vitest';
import { compilePolicy, openPolicy } from '../../src/policy/index.ts';
import { ask, policySource, SEED } from './policy-source.ts';

const policy = openPolicy(
  compilePolicy(
    policySource({
      sets: {
        s: {
          allow: [
            '+.example.com',
            'www.example.com',
            { names: ['mail.example.com'], types: ['MX', 'TXT'] },
            { names: ['*.example.com'], expiresAtMs: Date.UTC(2026, 0, 1) },
            { names: ['soon.test'], expiresAtMs: Date.UTC(2026, 0, 1, 12) },
            'www.example.com',
          ],
          deny: ['bad.example.com'],
          lists: [
            { action: 'deny', text: '*.bad.example.com\nwww.corp.test' },
            { action: 'deny', format: 'rpz', text: '*.zone.test CNAME .\nok.zone.test CNAME rpz-passthru.' },
          ],
        },
        other: { allow: ['www.example.com'] },
      },
      groups: { g: { sets: ['s'] } },
      local: [{ zone: 'corp.test' }],
    }),
    { hashSeed: SEED, generation: 1 },
  ).compiled,
);
const NOW = Date.UTC(2026, 1, 1);

describe('explain', () => {
  test.each<{ asked: string; contest: string[] }>([
    {
      asked: 'www.example.com A',
      contest: [
        's/allow/1 www.example.com won: most specific rule that covers the question',
        's/allow/5 www.example.com lost: written after s/allow/1',
        's/allow/0 +.example.com lost: less specific than www.example.com',
        's/allow/3 *.example.com lost: expired 2026-01-01',
      ],
    },
    {
      asked: 'bad.example.com A',
      contest: [
        's/deny/0 bad.example.com won: deny beats allow',
        's/allow/0 +.example.com lost: deny beats allow',
        's/allow/3 *.example.com lost: expired 2026-01-01',
      ],
    },
    {
      asked: 'mail.example.com AAAA',
      contest: [
        's/allow/2 mail.example.com lost: covers MX, TXT only, not AAAA',
        's/allow/0 +.example.com won: most specific rule that covers the question',
        's/allow/3 *.example.com lost: expired 2026-01-01',
      ],
    },
    {
      asked: 'example.com TXT',
      contest: ['s/allow/0 +.example.com lost: covers A, AAAA, CNAME, SVCB, HTTPS only, not TXT'],
    },
    { asked: 'soon.test A', contest: ['s/allow/4 soon.test lost: expired 2026-01-01T12:00:00.000Z'] },
    {
      asked: 'a\\032b.example.com A',
      contest: [
        's/allow/0 +.example.com lost: the name has octets other than letters, digits, hyphen and underscore, and the rule does not accept them',
        's/allow/3 *.example.com lost: expired 2026-01-01',
      ],
    },
    {
      asked: 'www.corp.test A',
      contest: [
        's/lists/0 www.corp.test lost: a local zone answers; only a deny rule of a set stands above it',
      ],
    },
    {
      asked: 'ok.zone.test A',
      contest: ['s/lists/1/nxdomain *.zone.test lost: the same zone lets a closer name pass'],
    },
    { asked: 'nothing.test A', contest: [] },
    { asked: 'com A', contest: [] },
  ])('tells the contest for $asked', ({ asked, contest }) => {
    const [name, type] = asked.split(' ');
    const { contestants, verdict, group } = policy.explain(0, ask(name, type), NOW);
    expect(
      contestants.map(({ rule, pattern, outcome, why }) => `${rule.id} ${pattern} ${outcome}: ${why}`),
    ).toEqual(contest);
    expect(verdict).toBe(policy.judge(0, ask(name, type), NOW));
    expect(group?.name).toBe('g');
  });

  test('has no contest for a client of no group', () => {
    const { contestants, verdict, group } = policy.explain(-1, ask('www.example.com'), NOW);
    expect(contestants).toEqual([]);
    expect(group).toBeNull();
    expect(verdict).toMatchObject({ action: 'deny', response: { kind: 'refused' } });
  });
});
