import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { compilePolicy, openPolicy } from '../../src/policy/index.ts';
import { nameOctets, Question } from '../../src/wire/index.ts';
import { ask, policySource, SEED } from './policy-source.ts';

const OPTIONS = { hashSeed: SEED, generation: 1 };

/** Different names of two to four labels. */
const nameAt = (i: number): string => {
  const labels = [
    `n${i}`,
    `zone${i % 977}`,
    ...(i % 3 === 0 ? [`deep${i % 31}`] : []),
    i % 2 === 0 ? 'com' : 'net',
  ];
  return labels.join('.');
};

describe('compilePolicy', () => {
  test('holds fifty thousand names of lists, and knows each of them, the names above and nothing else', () => {
    const count = 25_000;
    const allow = Array.from({ length: count }, (_, i) => nameAt(i));
    const deny = Array.from({ length: count }, (_, i) => nameAt(count + i));
    const source = policySource({
      sets: {
        s: {
          lists: [
            { action: 'allow', text: allow.join('\n') },
            { action: 'deny', text: deny.join('\r\n') },
          ],
        },
      },
    });
    const { compiled, faults, lists } = compilePolicy(source, OPTIONS);
    expect(faults).toEqual([]);
    expect(lists.map(({ names }) => names)).toEqual([count, count]);
    const policy = openPolicy(structuredClone(compiled));
    const question = new Question(SEED);
    const causes = { allow: 0, denied: 0, ancestor: 0, 'not-listed': 0, other: 0 };
    const count1 = (name: string): void => {
      const verdict = policy.judge(0, question.set(nameOctets(name), 1), 0);
      if (verdict.action === 'local') causes.other++;
      else if (verdict.action === 'allow') causes.allow++;
      else if (verdict.cause in causes) causes[verdict.cause as 'denied']++;
      else causes.other++;
    };
    for (const name of allow) count1(name);
    expect(causes).toEqual({ allow: count, denied: 0, ancestor: 0, 'not-listed': 0, other: 0 });
    for (const name of deny) count1(name);
    expect(causes.denied).toBe(count);
    for (const name of allow) count1(name.slice(name.indexOf('.') + 1));
    expect(causes.ancestor).toBe(count);
    for (const name of allow) count1(`x.${name}`);
    expect(causes).toEqual({ allow: count, denied: count, ancestor: count, 'not-listed': count, other: 0 });
    // Names take their octets and a share of the table, and little else.
    expect(compiled.memory.byteLength).toBeLessThan(50_000 * 60);
  });

  test.each([
    {
      name: 'more names above than there are rules',
      text: Array.from({ length: 300 }, (_, i) => `a.b.c.d.e.f${i}.test`),
    },
    { name: 'one rule of many names above', text: [`${'a.'.repeat(120)}test`] },
    { name: 'far more lines than names', text: [...Array<string>(5000).fill('# nothing'), 'a.b.test'] },
    { name: 'the same name a thousand times', text: Array<string>(1000).fill('a.b.test') },
    {
      name: 'names of scripts that grow when they are written in ASCII',
      text: Array.from({ length: 200 }, (_, i) => `ü${i}.test`),
    },
  ])('lays the table out anew for $name', ({ text }) => {
    const source = policySource({ sets: { s: { lists: [{ action: 'allow', text: text.join('\n') }] } } });
    const { compiled, faults } = compilePolicy(source, OPTIONS);
    expect(faults).toEqual([]);
    const policy = openPolicy(compiled);
    for (const name of text.filter((line) => !line.startsWith('#'))) {
      const ascii = name.startsWith('ü') ? new URL(`http://${name}`).hostname : name;
      expect(policy.judge(0, ask(ascii), 0).action).toBe('allow');
      expect(policy.judge(0, ask(`x.${ascii.slice(2)}`), 0).action).toBe('deny');
      expect(policy.judge(0, ask('test'), 0)).toMatchObject({ cause: 'ancestor' });
    }
    expect(compiled.memory.byteLength).toBeLessThan(80_000);
  });

  test('keeps a policy working when another takes its place', () => {
    const first = openPolicy(
      compilePolicy(policySource({ sets: { s: { allow: ['a.test'] } } }), OPTIONS).compiled,
    );
    const verdict = first.judge(0, ask('a.test'), 0);
    const second = openPolicy(
      compilePolicy(policySource({ sets: { s: { allow: ['b.test'] } } }), { ...OPTIONS, generation: 2 })
        .compiled,
    );
    expect([first.generation, second.generation]).toEqual([1, 2]);
    expect([first, second].map((policy) => policy.judge(0, ask('a.test'), 0).action)).toEqual([
      'allow',
      'deny',
    ]);
    expect([first, second].map((policy) => policy.judge(0, ask('b.test'), 0).action)).toEqual([
      'deny',
      'allow',
    ]);
    expect(first.judge(0, ask('a.test'), 0)).toBe(verdict);
  });

  test('shares its memory with a worker instead of copying it', async () => {
    const { compiled } = compilePolicy(policySource({ sets: { s: { allow: ['a.test'] } } }), OPTIONS);
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       new Uint8Array(workerData.memory)[0] ^= 255;
       parentPort.postMessage(workerData.description.rules.length);`,
      { eval: true, workerData: compiled },
    );
    const before = new Uint8Array(compiled.memory)[0];
    const rules = await new Promise((resolve, reject) =>
      worker.once('message', resolve).once('error', reject),
    );
    await worker.terminate();
    expect(rules).toBe(1);
    expect(new Uint8Array(compiled.memory)[0]).toBe(before ^ 255);
  });

  test('does not keep the list, the source or any part of them', () => {
    const source = policySource({
      sets: { s: { lists: [{ action: 'allow', text: 'a.test' }] } },
      local: [{ zone: 'corp.test', records: ['www A 192.0.2.1'] }],
    });
    const policy = openPolicy(compilePolicy(source, OPTIONS).compiled);
    source.sets[0].lists[0].octets.fill(0);
    source.local[0].zone.fill(0);
    for (const { owner, rdata } of source.local[0].rrsets)
      for (const octets of [owner, ...rdata]) octets.fill(0);
    expect(policy.judge(0, ask('a.test'), 0).action).toBe('allow');
    expect(policy.answerLocally(0, ask('www.corp.test')).answers[0].rdata).toEqual([
      Uint8Array.of(192, 0, 2, 1),
    ]);
  });

  test('does not find names that were hashed with another seed', () => {
    const policy = openPolicy(
      compilePolicy(policySource({ sets: { s: { allow: ['a.test'] } } }), OPTIONS).compiled,
    );
    expect(policy.judge(0, new Question(SEED + 1).set(nameOctets('a.test'), 1), 0).action).toBe('deny');
  });

  test('refuses a group that includes a set that is not there', () => {
    const source = policySource({ sets: {}, groups: { g: { sets: ['missing'] } } });
    expect(() => compilePolicy(source, OPTIONS)).toThrow(
      'group g includes set missing, which does not exist',
    );
  });
});
