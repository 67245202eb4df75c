import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compilePolicy, openPolicy, parseLocalZone } from '../../src/policy/index.ts';
import { nameLength, nameOctets } from '../../src/wire/index.ts';
import { ask, describeRule, policySource, SEED } from './policy-source.ts';

/** Text that is nearly a list: the characters that mean something, in any order. */
const nearly = (characters: string): fc.Arbitrary<Uint8Array> =>
  fc
    .array(
      fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom(...characters) },
        { weight: 1, arbitrary: fc.string() },
      ),
      { maxLength: 120 },
    )
    .map((parts) => new TextEncoder().encode(parts.join('')));

const octets = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  nearly('ab.*+# \t\r\n\\|^/:@ü0'),
  nearly('a.*@ \n\n;()"\\$'),
  fc
    .array(
      fc.constantFrom(
        'a',
        '*.b',
        '@',
        '$ORIGIN',
        'CNAME',
        '.',
        '*.',
        'rpz-ip',
        'SOA',
        'IN',
        '60',
        '\n',
        '\n',
        ' ',
        '(',
        ')',
        'rpz-passthru.',
        'c.',
        '32.rpz-ip',
      ),
    )
    .map((words) => new TextEncoder().encode(words.join(' '))),
);

describe('the readers of lists', () => {
  test('never throw, whatever the octets, and report a line for what they leave out', () => {
    fc.assert(
      fc.property(
        octets,
        fc.constantFrom('names', 'hosts', 'rpz'),
        fc.constantFrom('allow', 'deny'),
        (text, format, action) => {
          const description = describeRule('s/lists/0', action, { file: 'list.txt' });
          const source = {
            ...policySource({ sets: { s: {} } }),
            sets: [
              {
                name: 's',
                rules: [],
                lists: [{ description, octets: text, format, match: 'as-written' as const }],
              },
            ],
          };
          const { compiled, faults, lists } = compilePolicy(source, { hashSeed: SEED, generation: 1 });
          const lines = text.filter((octet) => octet === 10).length + 1;
          for (const { line, problem, instead, severity } of faults) {
            if (line !== null) expect(line).toBeLessThanOrEqual(lines);
            expect(problem).not.toMatch(/[\x00-\x1f\x7f]/);
            expect(instead).not.toMatch(/[\x00-\x1f\x7f]|^$/);
            expect(['error', 'warning']).toContain(severity);
          }
          expect(lists[0].names > 0).toBe(!faults.some(({ problem }) => problem.startsWith('no name')));
          // Nothing is allowed by accident: no list allows the root or everything.
          if (action === 'allow') expect(openPolicy(compiled).judge(0, ask('.'), 0).action).toBe('deny');
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('find every plain name that simple splitting finds', () => {
    const name = fc
      .array(fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_-]{0,5}$/), { minLength: 1, maxLength: 5 })
      .map((labels) => labels.join('.'));
    fc.assert(
      fc.property(
        fc.array(name, { minLength: 1 }),
        fc.constantFrom('\n', '\r\n', '\n\n', ' # note\n'),
        (names, feed) => {
          const source = policySource({
            sets: { s: { lists: [{ action: 'allow', text: names.join(feed) }] } },
          });
          const { compiled, faults } = compilePolicy(source, { hashSeed: SEED, generation: 1 });
          expect(faults).toEqual([]);
          const policy = openPolicy(compiled);
          for (const each of names) expect(policy.judge(0, ask(each), 0).action).toBe('allow');
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('parseLocalZone', () => {
  test('never throws, and gives RRsets of its zone only', () => {
    const zone = nameOctets('corp.test');
    const word = fc.oneof(
      fc.constantFrom(
        'a',
        '@',
        '*',
        'IN',
        '60',
        'A',
        'TXT',
        'HTTPS',
        'SOA',
        'CNAME',
        'MX',
        'CAA',
        'TYPE9',
        '\\#',
        '192.0.2.1',
        '"',
        ';',
        '1',
        '.',
        'b.',
        'alpn=h2',
        '\\',
      ),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(
        fc.array(
          fc.array(word, { maxLength: 8 }).map((words) => words.join(' ')),
          { maxLength: 6 },
        ),
        (lines) => {
          const { rrsets, faults } = parseLocalZone(zone, 300, lines);
          expect(rrsets.length).toBeGreaterThan(0);
          for (const { owner, rdata } of rrsets) {
            expect(owner.length).toBe(nameLength(owner));
            expect(Buffer.from(owner).subarray(-zone.length)).toEqual(Buffer.from(zone));
            for (const data of rdata) expect(data.length).toBeLessThanOrEqual(0xffff);
          }
          for (const { index, instead } of faults) {
            expect(index).toBeLessThan(lines.length);
            expect(instead).not.toBe('');
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
