/** Whatever stands in a file, faults come back and nothing is thrown. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { formatFaults } from '../../src/config/index.ts';
import { jsonSchema, keysAt } from '../../src/config/schema-keys.ts';
import { Settings } from '../../src/config/settings.ts';
import { shapeFaults } from '../../src/config/shape-faults.ts';
import { readYaml } from '../../src/config/yaml-source.ts';
import { faultsOf, joinTexts } from './policy-text.ts';

const SCHEMA = jsonSchema(Settings);

function readBoth(text: string): void {
  const faults = faultsOf(joinTexts([text]));
  for (const fault of faults) {
    expect(fault.what).not.toBe('');
    expect(fault.instead).not.toBe('');
    expect(fault.line).toBeLessThanOrEqual(text.split('\n').length);
  }
  expect(formatFaults(faults)).toBeTypeOf('string');

  const source = readYaml('sallyport.yaml', text);
  const parsed = Settings.safeParse(source.value);
  if (parsed.success) return;
  for (const { path, what, instead } of shapeFaults(parsed.error.issues, source.value, (at) =>
    keysAt(SCHEMA, at),
  )) {
    expect(source.fault('fault', path, what, instead).what).not.toBe('');
    expect(instead).not.toBe('');
  }
}

const WORDS = [
  ...[
    'sets',
    'groups',
    'local',
    'via',
    'allow',
    'deny',
    'lists',
    'clients',
    'name',
    'names',
    'reason',
    'expires',
    'types',
    'answer',
  ],
  ...[
    'listen',
    'cache',
    'upstreams',
    'servers',
    'memory',
    'base',
    '*.example.com',
    '10.0.0.0/8',
    'A',
    'system',
    '5m',
    '2027-01-01',
  ],
  ...['__proto__', 'constructor', 'toString', 'ü', '', ' ', '\u0000', '+.', '*'],
];

const TOKENS = [
  ...WORDS,
  ':',
  ': ',
  '- ',
  '\n',
  '\n  ',
  '\n    ',
  '{',
  '}',
  '[',
  ']',
  ',',
  '"',
  "'",
  '&a ',
  '*a',
  '<<: ',
  '|',
  '>',
  '!!',
  '#',
  '---\n',
  '%',
  '?',
  '\t',
];

const word = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...WORDS) }, fc.string({ maxLength: 12 }));
const value = fc.letrec<{ node: unknown }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.oneof(word, fc.integer(), fc.boolean(), fc.constant(null), fc.double()),
    fc.array(tie('node'), { maxLength: 4 }),
    fc.dictionary(word, tie('node'), { maxKeys: 4 }),
  ),
})).node;

/** A document of the right outline with anything at its leaves. */
const outline = fc.record(
  {
    sets: fc.dictionary(
      word,
      fc.record(
        { reason: value, allow: value, deny: value, lists: value, expires: value },
        { requiredKeys: [] },
      ),
      { maxKeys: 3 },
    ),
    groups: fc.dictionary(
      word,
      fc.record(
        { clients: fc.array(word, { maxLength: 3 }), sets: value, answer: value },
        { requiredKeys: [] },
      ),
      { maxKeys: 3 },
    ),
    local: fc.array(
      fc.record({ zone: word, records: fc.array(word, { maxLength: 3 }), ttl: value }, { requiredKeys: [] }),
      { maxLength: 2 },
    ),
    via: fc.array(fc.record({ suffix: word, pool: word }, { requiredKeys: [] }), { maxLength: 2 }),
    upstreams: fc.dictionary(
      word,
      fc.record({ servers: fc.array(word, { maxLength: 3 }), strict: value }, { requiredKeys: [] }),
      { maxKeys: 2 },
    ),
  },
  { requiredKeys: [] },
);

describe('nothing is thrown for', () => {
  test('noise', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), readBoth), { numRuns: 300 });
  });

  test('tokens of YAML in any order', () => {
    const text = fc.array(fc.constantFrom(...TOKENS), { maxLength: 60 }).map((tokens) => tokens.join(''));
    fc.assert(fc.property(text, readBoth), { numRuns: 1000 });
  });

  test('any document', () => {
    fc.assert(
      fc.property(value, (document) => readBoth(stringify(document))),
      { numRuns: 500 },
    );
  });

  // A thousand documents take seconds; on a machine that others use as well, many.
  test('documents of the right outline', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(outline, (document) => readBoth(stringify(document))),
      { numRuns: 1000 },
    );
  });

  test('aliases that grow without bound', () => {
    const laughs = [
      'a: &a [x, x, x, x, x, x, x, x, x]',
      ...'bcdefghi'.split('').map((key, i) => `${key}: &${key} [${`*${'abcdefgh'[i]}, `.repeat(9)}]`),
    ];
    const faults = faultsOf(joinTexts([laughs.join('\n')]));
    expect(faults[0].what).toContain('aliases');
  });

  test('an alias inside itself', () => {
    readBoth('sets: &a {base: *a}');
  });

  test('nesting as deep as a file allows', () => {
    readBoth(`${'['.repeat(5000)}${']'.repeat(5000)}`);
  });
});

describe('formatFaults', () => {
  test('shows the line, the caret and what to write', () => {
    expect(
      formatFaults(faultsOf(joinTexts(['groups:\n  g:\n    clients: [10.0.0.5/8]\n'])).slice(0, 1)),
    ).toBe(
      [
        'a.yaml:3:15: fault at groups.g.clients[0]',
        '  "10.0.0.5/8" has bits set behind its prefix.',
        '    3 |     clients: [10.0.0.5/8]',
        '      |               ^',
        '  write "10.0.0.0/8" for the network, or "10.0.0.5" for that one address.',
      ].join('\n'),
    );
  });

  test('lets no control character through to the terminal', () => {
    const text = formatFaults(
      faultsOf(joinTexts(['sets: {"\\e[2J\\u202e": {}}\ngroups: {g: {clients: ["\\a"]}}'])),
    );
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });
});
