import { describe, expect, test } from 'vitest';
import { compilePolicy, FAULTS_PER_LIST_MAX, openPolicy } from '../../src/policy/index.ts';
import { ask, type ListText, policySource, SEED } from './policy-source.ts';

/** One list under test, and an allow rule for everything so that what a deny list says can be seen. */
function compileList(list: ListText) {
  const source = policySource({
    sets: { s: { allow: list.action === 'deny' ? ['+.'] : [], lists: [list] } },
  });
  const { compiled, faults, lists } = compilePolicy(source, { hashSeed: SEED, generation: 1 });
  return { policy: openPolicy(compiled), faults, summary: lists[0] };
}

/** Which of the names the list allows (or denies). */
function matched(list: ListText, names: readonly string[]): string[] {
  const { policy } = compileList(list);
  return names.filter((name) => policy.judge(0, ask(name), 0).action === list.action);
}

describe('a list of names', () => {
  const tested = ['a.test', 'x.a.test', 'b.test', 'x.b.test', 'c.test', 'x.c.test', 'test'];
  test.each<{ name: string; text: string; match?: ListText['match']; found: string[] }>([
    { name: 'one name a line', text: 'a.test\nb.test\n', found: ['a.test', 'b.test'] },
    { name: 'without a line feed at the end', text: 'a.test\nb.test', found: ['a.test', 'b.test'] },
    {
      name: 'with CR LF and a byte order mark',
      text: '\ufeffa.test\r\nb.test\r\n',
      found: ['a.test', 'b.test'],
    },
    {
      name: 'capitals, final dots, blanks and tabs',
      text: '  A.Test.\t\n\tb.TEST \n',
      found: ['a.test', 'b.test'],
    },
    { name: 'comments', text: '# a.test\nb.test # a.test\nc.test#a.test\n#\n', found: ['b.test', 'c.test'] },
    { name: 'stars and pluses', text: '*.a.test\n+.b.test\n', found: ['x.a.test', 'b.test', 'x.b.test'] },
    {
      name: 'bare names as both',
      text: 'a.test\n*.b.test',
      match: 'both',
      found: ['a.test', 'x.a.test', 'x.b.test'],
    },
    { name: 'bare names as exact', text: 'a.test\n*.b.test', match: 'exact', found: ['a.test', 'x.b.test'] },
    { name: 'the same name twice', text: 'a.test\na.test\na.test', found: ['a.test'] },
    { name: 'a top-level name', text: 'test', found: ['test'] },
  ])('is read: $name', ({ text, match, found }) => {
    expect(matched({ action: 'deny', text, ...(match && { match }) }, tested)).toEqual(found);
    expect(matched({ action: 'allow', text, ...(match && { match }) }, tested)).toEqual(found);
    expect(compileList({ action: 'deny', text }).faults).toEqual([]);
  });

  test('takes names of other scripts as A-labels, and escapes', () => {
    const list: ListText = {
      action: 'deny',
      text: 'bücher.test\nЯндекс.test\na\\046b.test\n_dmarc.x-y.test',
    };
    const names = ['xn--bcher-kva.test', 'xn--d1acpjx3f.test', 'a\\.b.test', '_dmarc.x-y.test', 'a.b.test'];
    expect(matched(list, names)).toEqual(names.slice(0, 4));
  });

  test('takes the longest names there are, and reports one octet more', () => {
    const label = 'a'.repeat(63);
    const longest = `${label}.${label}.${label}.${'b'.repeat(61)}`;
    expect(matched({ action: 'deny', text: longest }, [longest])).toEqual([longest]);
    const { faults } = compileList({ action: 'deny', text: `${longest}b\n${'a'.repeat(64)}.test\nok.test` });
    expect(faults.map(({ line, problem }) => [line, problem])).toEqual([
      [1, expect.stringContaining('256 octets long; at most 255')],
      [2, expect.stringContaining('a label of 64 octets; at most 63')],
    ]);
  });

  test.each([
    { line: 'two words', problem: 'has more than one word', instead: 'hosts' },
    { line: '0.0.0.0 ads.test', problem: 'is an address', instead: 'leave addresses out' },
    { line: '192.0.2.1', problem: 'is an address', instead: 'leave addresses out' },
    { line: '.ads.test', problem: 'begins with a dot', instead: '"*.ads.test"' },
    { line: 'a..test', problem: 'an empty label', instead: 'a name like' },
    { line: '*', problem: 'names everything', instead: 'the names that are meant' },
    { line: 'a.*.test', problem: 'a star inside', instead: '"*.example.com"' },
    { line: '*ads.test', problem: 'a star inside', instead: '"*.example.com"' },
    { line: '||ads.test^', problem: 'a filter of a browser', instead: '"+.ads.test"' },
    { line: '@@||ads.test^', problem: 'a filter of a browser', instead: '"ads.test"' },
    { line: 'https://ads.test/x?y', problem: 'a URL', instead: '"ads.test"' },
    { line: '2001:db8::1', problem: 'an address or a URL', instead: 'a host name alone' },
    {
      line: 'xn--a\u00ad\u2260.\u{1F600}\u0000',
      problem: 'not a valid internationalised name',
      instead: 'the A-label',
    },
  ])('reports "$line" and reads on', ({ line, problem, instead }) => {
    const { faults, policy } = compileList({ action: 'deny', text: `good.test\n${line}\nafter.test\n` });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatchObject({ severity: 'warning', file: 'list-0.txt', line: 2 });
    expect(faults[0].problem).toContain(problem);
    expect(faults[0].instead).toContain(instead);
    expect(faults[0].problem).not.toMatch(/[\x00-\x1f]/);
    for (const name of ['good.test', 'after.test']) expect(policy.judge(0, ask(name), 0).action).toBe('deny');
  });

  test('cannot be read at all: an error, and nothing is allowed by it', () => {
    const { faults, policy } = compileList({ action: 'allow', text: '# nothing\n\n' });
    expect(faults).toEqual([
      {
        severity: 'error',
        file: 'list-0.txt',
        line: null,
        problem: expect.stringContaining('no name'),
        instead: expect.any(String),
      },
    ]);
    expect(policy.judge(0, ask('a.test'), 0).action).toBe('deny');
  });

  test('of another format: an error, with a bounded number of warnings that add up', () => {
    const text = `ok.test\n${Array.from({ length: 50 }, (_, i) => `||ads${i}.test^`).join('\n')}`;
    const { faults, summary } = compileList({ action: 'deny', text });
    const warnings = faults.filter(({ severity }) => severity === 'warning');
    expect(warnings.filter(({ line }) => line !== null)).toHaveLength(FAULTS_PER_LIST_MAX);
    expect(summary).toEqual({
      rule: 's/lists/0',
      file: 'list-0.txt',
      names: 1,
      badLines: 50,
      faultsOmitted: 50 - FAULTS_PER_LIST_MAX,
      unsupported: {},
    });
    expect(warnings.at(-1)).toMatchObject({ line: null, problem: '30 more lines are at fault' });
    expect(faults.filter(({ severity }) => severity === 'error').map(({ problem }) => problem)).toEqual([
      '50 of 51 lines cannot be read as format names',
    ]);
  });

  test('asks the public-suffix guard about wildcards of allow lists, and leaves out what it calls an error', () => {
    const source = policySource({
      sets: {
        s: {
          lists: [
            { action: 'allow', text: 'com\n*.com\n+.example.com\n' },
            { action: 'deny', text: '*.net' },
          ],
        },
      },
    });
    const asked: string[] = [];
    const { compiled, faults } = compilePolicy(source, {
      hashSeed: SEED,
      generation: 1,
      judgeWildcard: (name) => {
        asked.push(name);
        return name === 'com' ? { severity: 'error', problem: 'too wide', instead: 'less' } : null;
      },
    });
    expect(asked).toEqual(['com', 'example.com']);
    expect(faults).toEqual([
      { severity: 'error', file: 'list-0.txt', line: 2, problem: 'too wide', instead: 'less' },
    ]);
    expect(openPolicy(compiled).judge(0, ask('x.com'), 0).action).toBe('deny');
  });
});

describe('a hosts file', () => {
  const text = [
    '# hosts',
    '127.0.0.1 localhost localhost.localdomain',
    '::1 localhost ip6-loopback',
    'fe80::1%lo0 localhost',
    '0.0.0.0 0.0.0.0',
    '0.0.0.0 a.test B.test # c.test',
    '0.0.0.0\tc.test\t',
    '127.0.0.1 bad..name d.test',
    'e.test f.test',
    '0.0.0.0',
    '0.0.0.0 g.test',
  ].join('\n');

  test('gives all names of a line, and none of the machine it lies on', () => {
    const names = [
      'localhost',
      'localhost.localdomain',
      'a.test',
      'b.test',
      'c.test',
      'd.test',
      'e.test',
      'g.test',
    ];
    expect(matched({ action: 'deny', text, format: 'hosts' }, names)).toEqual([
      'a.test',
      'b.test',
      'c.test',
      'd.test',
      'g.test',
    ]);
  });

  test('reports lines that are none', () => {
    const { faults } = compileList({ action: 'deny', text, format: 'hosts' });
    expect(faults.map(({ line, problem }) => [line, problem])).toEqual([
      [8, expect.stringContaining('empty label')],
      [9, 'begins with "e.test", which is no address'],
      [10, 'has an address and no name'],
    ]);
  });
});

describe('a response policy zone', () => {
  const zone = (records: string): ListText => ({
    action: 'deny',
    format: 'rpz',
    text: `$TTL 60\n${HEAD}${records}`,
  });
  const HEAD =
    '@ SOA ns.rpz.example. root.rpz.example. (\n  1 ; serial\n  3600 600 86400 60 )\n  NS localhost.\n';

  function told(list: ListText, names: readonly string[]): string[] {
    const { policy } = compileList(list);
    return names.map((name) => {
      const verdict = policy.judge(0, ask(name), 0);
      return verdict.action === 'deny' && verdict.rule !== null
        ? `${verdict.rule.id} ${verdict.response.kind}`
        : verdict.action;
    });
  }

  test('does what its actions say', () => {
    const list = zone(
      'a.test CNAME .\nb.test 30 IN CNAME *.\nc.test in 30 cname rpz-drop.\nd.test A 192.0.2.1\n       AAAA 2001:db8::1\n*.e.test CNAME .\n',
    );
    expect(told(list, ['a.test', 'b.test', 'c.test', 'd.test', 'e.test', 'x.y.e.test', 'x.a.test'])).toEqual([
      's/lists/0/nxdomain nxdomain',
      's/lists/0/nodata nodata',
      's/lists/0/drop drop',
      's/lists/0 nxdomain',
      'allow',
      's/lists/0/nxdomain nxdomain',
      'allow',
    ]);
  });

  test('says nothing of names that it lets pass, whatever it says above them; below, it does', () => {
    const list = zone(
      '*.a.test CNAME .\nok.a.test CNAME rpz-passthru.\n*.sub.a.test CNAME rpz-passthru.\nbad.sub.a.test CNAME .\nold.a.test CNAME old.a.test.\n',
    );
    expect(
      told(list, ['x.a.test', 'ok.a.test', 'x.ok.a.test', 'x.sub.a.test', 'bad.sub.a.test', 'old.a.test']),
    ).toEqual([
      's/lists/0/nxdomain nxdomain',
      'allow',
      's/lists/0/nxdomain nxdomain',
      'allow',
      's/lists/0/nxdomain nxdomain',
      'allow',
    ]);
  });

  test('that contradicts itself about one name denies it', () => {
    expect(told(zone('a.test CNAME rpz-passthru.\na.test CNAME .\n'), ['a.test'])).toEqual([
      's/lists/0/nxdomain nxdomain',
    ]);
  });

  test('lets nothing pass that another list or rule denies', () => {
    const source = policySource({
      sets: {
        s: {
          allow: ['+.test'],
          deny: ['b.test'],
          lists: [
            zone('a.test CNAME rpz-passthru.\nb.test CNAME rpz-passthru.'),
            { action: 'deny', text: 'a.test' },
          ],
        },
      },
    });
    const policy = openPolicy(compilePolicy(source, { hashSeed: SEED, generation: 1 }).compiled);
    expect(['a.test', 'b.test'].map((name) => policy.judge(0, ask(name), 0).action)).toEqual([
      'deny',
      'deny',
    ]);
  });

  test('as an allow list allows what passes, denies what it denies, and takes "everything else" as given', () => {
    const list: ListText = {
      action: 'allow',
      format: 'rpz',
      text: `${HEAD}*.a.test CNAME rpz-passthru.\nbad.a.test CNAME .\nb.test CNAME rpz-passthru.\n* CNAME .\nc.test A 192.0.2.1\n`,
    };
    expect(told(list, ['x.a.test', 'bad.a.test', 'b.test', 'c.test', 'd.test'])).toEqual([
      'allow',
      's/lists/0/nxdomain nxdomain',
      'allow',
      'deny',
      'deny',
    ]);
    expect(compileList(list).faults.map(({ severity, problem }) => `${severity}: ${problem}`)).toEqual([
      'warning: denies every name, which is the rule here for what nothing allows',
      'warning: 1 record has data of its own; they allow nothing',
    ]);
  });

  test('never allows everything', () => {
    const { faults, policy } = compileList({
      action: 'allow',
      format: 'rpz',
      text: `${HEAD}* CNAME rpz-passthru.\na.test CNAME rpz-passthru.`,
    });
    expect(faults).toMatchObject([{ line: 5, problem: 'allows every name' }]);
    expect(policy.judge(0, ask('b.test'), 0).action).toBe('deny');
  });

  test('knows its origin, by directive and by SOA', () => {
    const text = `$ORIGIN rpz.example.\n@ SOA . . 1 1 1 1 1\n@ NS localhost.\na.test CNAME .\nb.test.rpz.example. CNAME .\n$ORIGIN test.rpz.example.\nc CNAME .\nother.example. CNAME .\n`;
    const list: ListText = { action: 'deny', format: 'rpz', text };
    expect(
      matched(list, ['a.test', 'b.test', 'c.test', 'a.test.rpz.example', 'rpz.example', 'other.example']),
    ).toEqual(['a.test', 'b.test', 'c.test']);
    expect(compileList(list).faults).toMatchObject([
      { line: 8, problem: 'other.example is outside the zone rpz.example' },
    ]);
  });

  test('has its other triggers and actions counted and reported', () => {
    const list = zone(
      '24.0.2.0.192.rpz-ip CNAME .\n32.1.2.0.192.rpz-ip CNAME .\n8.0.0.0.10.rpz-client-ip CNAME rpz-drop.\nns.test.rpz-nsdname CNAME .\n128.1.zz.2001.rpz-nsip CNAME .\nt.test CNAME rpz-tcp-only.\ng.test CNAME garden.test.\na.test CNAME .\nrpz-shop.test CNAME .\n',
    );
    const { summary, faults } = compileList(list);
    expect(summary).toMatchObject({
      names: 3,
      unsupported: {
        'rpz-ip': 2,
        'rpz-client-ip': 1,
        'rpz-nsdname': 1,
        'rpz-nsip': 1,
        'rpz-tcp-only': 1,
        data: 1,
      },
    });
    expect(faults.filter(({ severity }) => severity === 'warning')).toHaveLength(6);
    expect(matched(list, ['t.test', 'g.test', 'a.test', 'rpz-shop.test'])).toEqual([
      'g.test',
      'a.test',
      'rpz-shop.test',
    ]);
  });

  test.each([
    { record: 'a.test CNAME', problem: 'is a CNAME without a target' },
    { record: 'a.test 60 IN', problem: 'has no type' },
    { record: '$INCLUDE other', problem: '$INCLUDE is not understood' },
    { record: 'a..test CNAME .', problem: 'an empty label' },
    { record: 'a.test\u0001CNAME\u007f .', problem: '"CNAME?" is not a type' },
    { record: 'a.test \\', problem: '"\\" is not a type' },
  ])('reports "$record" and reads on', ({ record, problem }) => {
    const list = zone(`${record}\nafter.test CNAME .\n`);
    expect(compileList(list).faults).toMatchObject([
      { severity: 'warning', line: 6, problem: expect.stringContaining(problem) },
    ]);
    expect(matched(list, ['after.test'])).toEqual(['after.test']);
  });

  test('lets the operator choose another answer for all of it', () => {
    expect(told({ ...zone('a.test CNAME rpz-drop.\n'), answer: { kind: 'refused' } }, ['a.test'])).toEqual([
      's/lists/0/drop refused',
    ]);
  });
});
