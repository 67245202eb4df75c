import { describe, expect, test } from 'vitest';
import { compilePolicy, openPolicy, type Policy, type Verdict } from '../../src/policy/index.ts';
import { ask, type PolicyText, policySource, SEED } from './policy-source.ts';

const open = (text: PolicyText): Policy =>
  openPolicy(compilePolicy(policySource(text), { hashSeed: SEED, generation: 1 }).compiled);

/** A verdict in one line: `allow set/allow/0`, `deny cause rule response`, `local 0`. */
function told(verdict: Verdict): string {
  switch (verdict.action) {
    case 'allow':
      return `allow ${verdict.rule.id}`;
    case 'local':
      return `local ${verdict.zone}`;
    case 'deny':
      return `deny ${verdict.cause} ${verdict.rule?.id ?? '-'} ${verdict.response.kind}`;
  }
}

interface Row {
  readonly name: string;
  readonly policy: PolicyText;
  /** `name [type]` to what is said. */
  readonly asked: Readonly<Record<string, string>>;
  readonly nowMs?: number;
}

const rows: readonly Row[] = [
  {
    name: 'takes a plain name for that name only',
    policy: { sets: { s: { allow: ['example.com'] } } },
    asked: {
      'example.com': 'allow s/allow/0',
      'EXAMPLE.com': 'allow s/allow/0',
      'www.example.com': 'deny not-listed - nxdomain',
      'notexample.com': 'deny not-listed - nxdomain',
      'example.com.evil.test': 'deny not-listed - nxdomain',
    },
  },
  {
    name: 'takes a star for everything below, at any depth, and not for the name',
    policy: { sets: { s: { allow: ['*.example.com'] } } },
    asked: {
      'example.com': 'deny ancestor - nodata',
      'www.example.com': 'allow s/allow/0',
      'a.b.c.example.com': 'allow s/allow/0',
    },
  },
  {
    name: 'takes a plus for both',
    policy: { sets: { s: { allow: ['+.example.com'] } } },
    asked: { 'example.com': 'allow s/allow/0', 'a.b.example.com': 'allow s/allow/0' },
  },
  {
    name: 'compares labels, not dotted text',
    policy: { sets: { s: { allow: [{ names: ['*.example.com'], characters: 'any' }] } } },
    asked: {
      'x\\.example.com': 'deny not-listed - nxdomain',
      'x\\.y.example.com': 'allow s/allow/0',
    },
  },
  {
    name: 'lets deny beat allow, whatever is more specific',
    policy: { sets: { s: { allow: ['www.bad.example.com', '+.example.com'], deny: ['+.bad.example.com'] } } },
    asked: {
      'www.bad.example.com': 'deny denied s/deny/0 nxdomain',
      'bad.example.com': 'deny denied s/deny/0 nodata',
      'good.example.com': 'allow s/allow/1',
    },
  },
  {
    name: 'lets a deny list of one set beat an allow rule of another',
    policy: {
      sets: {
        s: { allow: ['+.example.com'] },
        feed: { lists: [{ action: 'deny', text: 'ads.example.com\n*.track.example.com\n' }] },
      },
    },
    asked: {
      'ads.example.com': 'deny denied feed/lists/0 nxdomain',
      'x.ads.example.com': 'allow s/allow/0',
      'x.track.example.com': 'deny denied feed/lists/0 nxdomain',
      'track.example.com': 'allow s/allow/0',
    },
  },
  {
    name: 'names the most specific of several deny rules, then the first',
    policy: { sets: { s: { deny: ['+.example.com', 'www.example.com', '+.www.example.com', '*.com'] } } },
    asked: {
      'www.example.com': 'deny denied s/deny/1 nxdomain',
      'x.www.example.com': 'deny denied s/deny/2 nxdomain',
      'x.example.com': 'deny denied s/deny/0 nxdomain',
      'other.com': 'deny denied s/deny/3 nxdomain',
    },
  },
  {
    name: 'names the most specific of several allow rules: exact, both, below, then sets and rules as written',
    policy: {
      sets: {
        second: { allow: ['+.example.com', 'www.example.com'] },
        first: { allow: ['*.com', '+.www.example.com', 'api.example.com'] },
      },
      groups: { g: { sets: ['first', 'second'] } },
    },
    asked: {
      'www.example.com': 'allow second/allow/1',
      'x.www.example.com': 'allow first/allow/1',
      'api.example.com': 'allow first/allow/2',
      'x.example.com': 'allow second/allow/0',
      'x.com': 'allow first/allow/0',
    },
  },
  {
    name: 'gives a tie to the set that the group names first',
    policy: {
      sets: { a: { allow: ['example.com'] }, b: { allow: ['example.com', 'example.com'] } },
      groups: { g: { sets: ['b', 'a'] } },
    },
    asked: { 'example.com': 'allow b/allow/0' },
  },
  {
    name: 'hears only the sets of the group',
    policy: {
      sets: { a: { allow: ['a.test'] }, b: { allow: ['b.test'], deny: ['a.test'] } },
      groups: { g: { sets: ['a'] } },
    },
    asked: { 'a.test': 'allow a/allow/0', 'b.test': 'deny not-listed - nxdomain' },
  },
  {
    name: 'covers A, AAAA, CNAME, HTTPS and SVCB unless a rule says otherwise',
    policy: { sets: { s: { allow: ['example.com', { names: ['mail.test'], types: ['MX', 'TXT'] }] } } },
    asked: {
      'example.com A': 'allow s/allow/0',
      'example.com AAAA': 'allow s/allow/0',
      'example.com CNAME': 'allow s/allow/0',
      'example.com HTTPS': 'allow s/allow/0',
      'example.com SVCB': 'allow s/allow/0',
      'example.com TXT': 'deny type s/allow/0 nodata',
      'example.com NULL': 'deny type s/allow/0 nodata',
      'example.com ANY': 'deny type s/allow/0 nodata',
      'example.com TYPE65399': 'deny type s/allow/0 nodata',
      'mail.test MX': 'allow s/allow/1',
      'mail.test A': 'deny type s/allow/1 nodata',
    },
  },
  {
    name: 'lets a less specific rule win when the closer one does not cover the type',
    policy: { sets: { s: { allow: ['www.example.com', { names: ['+.example.com'], types: ['TXT'] }] } } },
    asked: {
      'www.example.com TXT': 'allow s/allow/1',
      'www.example.com A': 'allow s/allow/0',
      'www.example.com MX': 'deny type s/allow/0 nodata',
    },
  },
  {
    name: 'denies every type, or those that a deny rule names, and then ANY as well',
    policy: { sets: { s: { allow: ['*.com'], deny: ['a.com', { names: ['b.com'], types: ['AAAA'] }] } } },
    asked: {
      'a.com TXT': 'deny denied s/deny/0 nxdomain',
      'b.com A': 'allow s/allow/0',
      'b.com AAAA': 'deny denied s/deny/1 nodata',
      'b.com ANY': 'deny denied s/deny/1 nodata',
    },
  },
  {
    name: 'denies unusual octets unless the rule accepts them',
    policy: {
      sets: { s: { allow: ['+.example.com', { names: ['*.any.example.com'], characters: 'any' }] } },
    },
    asked: {
      '_dmarc-x_9.example.com': 'allow s/allow/0',
      'a\\032b.example.com': 'deny characters s/allow/0 nxdomain',
      'a\\000.example.com': 'deny characters s/allow/0 nxdomain',
      '\\255.x.example.com': 'deny characters s/allow/0 nxdomain',
      'a\\.b.example.com': 'deny characters s/allow/0 nxdomain',
      'a\\032b.any.example.com': 'allow s/allow/1',
      'a\\032b.other.test': 'deny not-listed - nxdomain',
    },
  },
  {
    name: 'denies unusual octets in the pattern itself too',
    policy: { sets: { s: { allow: ['+.a\\/b.test'] } } },
    asked: {
      'a\\/b.test': 'deny characters s/allow/0 nodata',
      'x.a\\/b.test': 'deny characters s/allow/0 nxdomain',
    },
  },
  {
    name: 'answers names above an allowed one with NODATA, for every type and whatever the group answers',
    policy: {
      sets: { s: { allow: ['a.b.example.com', '*.c.example.org'], deny: ['example.com'] } },
      groups: { g: { sets: ['s'], answer: { kind: 'refused' } } },
    },
    asked: {
      'b.example.com': 'deny ancestor - nodata',
      'b.example.com TXT': 'deny ancestor - nodata',
      'example.com': 'deny denied s/deny/0 refused',
      com: 'deny ancestor - nodata',
      '. NS': 'deny ancestor - nodata',
      'c.example.org': 'deny ancestor - nodata',
      'x.b.example.com': 'deny not-listed - refused',
    },
  },
  {
    name: 'never answers NXDOMAIN above an allowed name, even for a deny rule or an ended one',
    policy: {
      sets: {
        s: {
          allow: ['www.denied.test', 'www.ended.test', { names: ['ended.test'], expiresAtMs: 5 }],
          deny: ['denied.test'],
        },
      },
    },
    nowMs: 5,
    asked: { 'denied.test': 'deny denied s/deny/0 nodata', 'ended.test': 'deny expired s/allow/2 nodata' },
  },
  {
    name: 'forgets the names above a rule that has ended',
    policy: {
      sets: {
        s: {
          allow: [
            { names: ['www.example.com'], expiresAtMs: 5 },
            { names: ['api.example.com'], expiresAtMs: 9 },
          ],
        },
      },
    },
    nowMs: 9,
    asked: { 'example.com': 'deny not-listed - nxdomain', com: 'deny not-listed - nxdomain' },
  },
  {
    name: 'keeps the names above as long as the last rule below lasts',
    policy: {
      sets: {
        s: {
          allow: [
            { names: ['api.example.com'], expiresAtMs: 9 },
            { names: ['www.example.com'], expiresAtMs: 5 },
          ],
        },
      },
    },
    nowMs: 8,
    asked: { 'example.com': 'deny ancestor - nodata', com: 'deny ancestor - nodata' },
  },
  {
    name: 'answers as the deny rule says, else as the group says',
    policy: {
      sets: {
        s: {
          deny: [
            { names: ['a.test'], answer: { kind: 'drop' } },
            { names: ['b.test'], answer: { kind: 'address', a: Uint8Array.of(192, 0, 2, 1), aaaa: null } },
            'c.test',
          ],
        },
      },
      groups: { g: { sets: ['s'], answer: { kind: 'refused' } } },
    },
    asked: {
      'a.test': 'deny denied s/deny/0 drop',
      'b.test': 'deny denied s/deny/1 address',
      'c.test': 'deny denied s/deny/2 refused',
      'd.test': 'deny not-listed - refused',
    },
  },
  {
    name: 'puts a local zone above allow rules and deny lists, and a deny rule above it',
    policy: {
      sets: {
        s: {
          allow: ['+.corp.test'],
          deny: ['secret.corp.test'],
          lists: [{ action: 'deny', text: '+.corp.test' }],
        },
      },
      local: [{ zone: 'corp.test' }, { zone: 'lab.corp.test' }, { zone: 'open.corp.test', groups: [] }],
    },
    asked: {
      'corp.test': 'local 0',
      'www.corp.test TXT': 'local 0',
      'x.lab.corp.test': 'local 1',
      'x.open.corp.test': 'local 0',
      'secret.corp.test': 'deny denied s/deny/0 nxdomain',
      test: 'deny ancestor - nodata',
    },
  },
  {
    name: 'shows a local zone only to its groups',
    policy: { sets: {}, groups: { g: { sets: [] } }, local: [{ zone: 'corp.test', groups: ['other'] }] },
    asked: { 'corp.test': 'deny not-listed - nxdomain', test: 'deny not-listed - nxdomain' },
  },
  {
    name: 'can allow and deny the root and all below',
    policy: { sets: { s: { allow: ['+.'], deny: ['*.test'] } } },
    asked: {
      '.': 'allow s/allow/0',
      'example.com': 'allow s/allow/0',
      test: 'allow s/allow/0',
      'a.test': 'deny denied s/deny/0 nxdomain',
    },
  },
  {
    name: 'denies all when there is nothing',
    policy: { sets: {}, groups: { g: { sets: [] } } },
    asked: { 'example.com': 'deny not-listed - nxdomain', '.': 'deny not-listed - nxdomain' },
  },
];

describe('judge', () => {
  test.each(rows)('$name', ({ policy, asked, nowMs }) => {
    const opened = open(policy);
    const answers = Object.keys(asked).map((question) => {
      const [name, type] = question.split(' ');
      return [question, told(opened.judge(0, ask(name, type), nowMs ?? 0))];
    });
    expect(Object.fromEntries(answers)).toEqual(asked);
  });

  test.each([
    { nowMs: 999, allow: 'allow s/allow/0', deny: 'deny denied s/deny/0 nxdomain', list: 'allow s/lists/0' },
    {
      nowMs: 1000,
      allow: 'deny expired s/allow/0 nxdomain',
      deny: 'allow s/allow/1',
      list: 'deny expired s/lists/0 nxdomain',
    },
    {
      nowMs: 1001,
      allow: 'deny expired s/allow/0 nxdomain',
      deny: 'allow s/allow/1',
      list: 'deny expired s/lists/0 nxdomain',
    },
  ])(
    'ends rules and lists at their millisecond, without a reload: at $nowMs',
    ({ nowMs, allow, deny, list }) => {
      const opened = open({
        sets: {
          s: {
            allow: [{ names: ['a.test'], expiresAtMs: 1000 }, 'b.test'],
            deny: [{ names: ['b.test'], expiresAtMs: 1000 }],
            lists: [{ action: 'allow', text: 'c.test', expiresAtMs: 1000 }],
          },
        },
      });
      const all = ['a.test', 'b.test', 'c.test'].map((name) => told(opened.judge(0, ask(name), nowMs)));
      expect(all).toEqual([allow, deny, list]);
    },
  );

  test('marks what an observed group would be denied, and through which pool it goes', () => {
    const opened = open({
      sets: { s: { allow: ['a.vpc.test', 'b.test'] } },
      groups: { g: { sets: ['s'], mode: 'observe' }, h: { sets: ['s'] } },
      via: { 'vpc.test': 'vpc', 'deep.vpc.test': 'deep' },
    });
    const pools = ['a.vpc.test', 'b.test', 'x.vpc.test', 'x.deep.vpc.test', 'vpc.test', 'x.test'].map(
      (name) => {
        const verdict = opened.judge(0, ask(name), 0);
        return verdict.action === 'local' ? 'local' : `${verdict.action} ${verdict.pool}`;
      },
    );
    expect(pools).toEqual([
      'allow vpc',
      'allow default',
      'deny vpc',
      'deny deep',
      'deny vpc',
      'deny default',
    ]);
    expect(opened.judge(0, ask('x.test'), 0)).toMatchObject({ action: 'deny', observed: true });
    expect(opened.judge(1, ask('x.test'), 0)).toMatchObject({ action: 'deny', observed: false });
  });

  test('hands out the same object for questions judged alike', () => {
    const opened = open({ sets: { s: { allow: ['*.example.com'] } } });
    expect(opened.judge(0, ask('a.example.com'), 0)).toBe(opened.judge(0, ask('b.example.com'), 1));
    expect(opened.judge(0, ask('a.test'), 0)).toBe(opened.judge(0, ask('b.test'), 1));
  });

  test.each([-1, 1, 99])('refuses a client of no group: %i', (group) => {
    const opened = open({ sets: { s: { allow: ['+.'] } } });
    expect(told(opened.judge(group, ask('example.com'), 0))).toBe('deny not-listed - refused');
  });

  test('does not take what is left over in the question from longer names', () => {
    const opened = open({ sets: { s: { allow: ['www.example.com', 'com'] } } });
    const question = ask('www.example.com');
    expect(told(opened.judge(0, question, 0))).toBe('allow s/allow/0');
    expect(told(opened.judge(0, question.set(Uint8Array.of(3, 99, 111, 109, 0), 1), 0))).toBe(
      'allow s/allow/1',
    );
    expect(told(opened.judge(0, question.set(Uint8Array.of(3, 119, 119, 119, 0), 1), 0))).toBe(
      'deny not-listed - nxdomain',
    );
  });
});
