import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { faultOfList, formatFaults, loadPolicies } from '../../src/config/index.ts';
import type { PolicySource } from '../../src/policy/index.ts';
import { nameText } from '../../src/wire/index.ts';
import { brief, faultsOf, joinTexts, NOW_MS } from './policy-text.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-policy-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function sourceOf(text: string): PolicySource {
  const outcome = joinTexts([text], directory);
  if ('faults' in outcome) throw new Error(outcome.faults.map(brief).join('\n'));
  return outcome.source;
}

describe('a rule', () => {
  const source = sourceOf(`
sets:
  base:
    reason: reason of the set
    owner: set@example.com
    expires: 2030-01-01
    processor: {name: N, country: US}
    allow:
      - bare.example
      - name: "*.full.example"
        names: [+.more.example]
        reason: own reason
        owner: own@example.com
        ticket: T-1
        expires: 2031-01-01
        types: [txt, A, TYPE65280, A]
        cname: same-site
        profile: off
        characters: any
      - "*.github.io"
      - {name: "*.s3.amazonaws.com", profile: default}
      - {name: "+.dev", unsafeWildcard: why}
    deny:
      - name: bad.example
        answer: {a: 192.0.2.1, aaaa: "2001:db8::1"}
groups:
  g: {clients: [10.0.0.0/8, "2001:db8::/32"], sets: [base], answer: refused, forwarder: true, contact: c, tunnels: {action: throttle, strictAction: quarantine, hold: 1h, namesPerMinute: 2}}
  h: {clients: [10.1.0.0/16], mode: observe}
`);
  const [bare, full, shared, chosen, unsafe, denied] = source.sets[0].rules;

  test('takes from its set what it does not say', () => {
    expect(bare.description).toEqual({
      id: 'base/allow/0',
      set: 'base',
      action: 'allow',
      reason: 'reason of the set',
      patterns: ['bare.example'],
      types: null,
      expiresAtMs: Date.UTC(2030, 0, 1),
      owner: 'set@example.com',
      ticket: null,
      processor: { name: 'N', country: 'US', agreement: null },
      cname: 'trust',
      profile: 'default',
      answer: null,
      file: 'a.yaml',
      line: 9,
    });
  });

  test('keeps what it says itself', () => {
    expect(full.description).toMatchObject({
      id: 'base/allow/1',
      reason: 'own reason',
      owner: 'own@example.com',
      ticket: 'T-1',
      types: [1, 16, 65_280],
      expiresAtMs: Date.UTC(2031, 0, 1),
      cname: 'same-site',
      profile: 'off',
      line: 10,
    });
    expect(full.characters).toBe('any');
    expect(full.patterns.map(({ kind, name }) => `${kind} ${nameText(name)}`)).toEqual([
      'below full.example',
      'both more.example',
    ]);
  });

  test.each([
    { what: 'over a shared suffix', rule: shared, profile: 'strict' },
    { what: 'over a shared suffix with a profile of its own', rule: chosen, profile: 'default' },
    { what: 'over a public suffix', rule: unsafe, profile: 'strict' },
    { what: 'over one name', rule: bare, profile: 'default' },
  ])('$what is watched with the profile $profile', ({ rule, profile }) => {
    expect(rule.description.profile).toBe(profile);
  });

  test('answers with addresses as octets', () => {
    expect(denied.description).toMatchObject({ id: 'base/deny/0', action: 'deny' });
    expect(denied.description.answer).toEqual({
      kind: 'address',
      a: Uint8Array.of(192, 0, 2, 1),
      aaaa: Uint8Array.of(0x20, 1, 0x0d, 0xb8, ...Array(11).fill(0), 1),
    });
  });

  test('is there for groups with prefixes as octets', () => {
    expect(source.groups).toEqual([
      {
        name: 'g',
        clients: [
          { address: Uint8Array.of(10, 0, 0, 0), prefixLength: 8 },
          { address: Uint8Array.of(0x20, 1, 0x0d, 0xb8, ...Array(12).fill(0)), prefixLength: 32 },
        ],
        sets: ['base'],
        mode: 'enforce',
        answer: { kind: 'refused' },
        forwarder: true,
        contact: 'c',
        tunnels: { action: 'throttle', strictAction: 'quarantine', holdSeconds: 3600, namesPerMinute: 2 },
      },
      {
        name: 'h',
        clients: [{ address: Uint8Array.of(10, 1, 0, 0), prefixLength: 16 }],
        sets: [],
        mode: 'observe',
        answer: { kind: 'nxdomain' },
        forwarder: false,
        contact: null,
        tunnels: null,
      },
    ]);
  });
});

test('zones and routes have canonical names, and records their TTL', () => {
  const source = sourceOf(`
sets: {base: {reason: r, allow: [+.Corp.Example]}}
groups: {g: {clients: ["::1"], sets: [base]}}
local: [{zone: B.Test, ttl: 90s, groups: [g], records: ["www A 192.0.2.1"]}]
via: [{suffix: Corp.Example., pool: vpc}]
`);
  expect(nameText(source.local[0].zone)).toBe('b.test');
  expect(source.local[0].groups).toEqual(['g']);
  const rrset = source.local[0].rrsets.find(({ owner }) => nameText(owner) === 'www.b.test');
  expect(rrset).toMatchObject({ type: 1, ttlSeconds: 90, rdata: [Uint8Array.of(192, 0, 2, 1)] });
  expect(source.via.map(({ suffix, pool }) => `${nameText(suffix)} ${pool}`)).toEqual(['corp.example vpc']);
});

describe('a list', () => {
  const policy = (file: string): string => `
sets: {base: {reason: r, lists: [{file: ${file}, action: deny, match: both}]}}
groups: {g: {clients: ["::1"], sets: [base]}}
`;

  test.each([
    { file: 'plain.txt', octets: Buffer.from('bad.example\n') },
    { file: 'packed.gz', octets: gzipSync('bad.example\n') },
    { file: 'packed.txt', octets: gzipSync('bad.example\n') },
  ])('$file is handed on as octets', ({ file, octets }) => {
    writeFileSync(join(directory, file), octets);
    const [list] = sourceOf(policy(file)).sets[0].lists;
    expect(Buffer.from(list.octets).toString()).toBe('bad.example\n');
    expect(list).toMatchObject({
      format: 'names',
      match: 'both',
      description: { id: 'base/lists/0', file, line: 1 },
    });
  });

  test('that is damaged is a fault', () => {
    writeFileSync(join(directory, 'cut.gz'), gzipSync('bad.example\n'.repeat(1000)).subarray(0, 30));
    const [fault] = faultsOf(joinTexts([policy('cut.gz')], directory));
    expect(fault).toMatchObject({ severity: 'fault', what: 'cut.gz is damaged: it cannot be decompressed' });
  });
});

test.each([
  {
    fault: { severity: 'error', file: 'l.txt', line: null, problem: 'p', instead: 'names' } as const,
    shown: 'l.txt: fault\n  p.\n  write names.',
  },
  {
    fault: { severity: 'warning', file: 'l.txt', line: 7, problem: 'p', instead: 'remove it' } as const,
    shown: 'l.txt:7:1: warning\n  p.\n  remove it.',
  },
])('a $fault.severity of a list is shown like any other', ({ fault, shown }) => {
  expect(formatFaults([faultOfList(fault)])).toBe(shown);
});

describe('loadPolicies', () => {
  const load = (...paths: string[]) => loadPolicies({ paths, pools: ['default'], nowMs: NOW_MS });
  const GOOD = 'sets: {base: {reason: r, allow: [a.example]}}\ngroups: {g: {clients: ["::1"], sets: [base]}}';

  test('reads the YAML files of a directory and nothing else', () => {
    const inside = mkdtempSync(join(directory, 'd-'));
    writeFileSync(join(inside, 'b.yaml'), 'sets: {base: {reason: r, allow: [a.example]}}');
    writeFileSync(join(inside, 'a.yml'), 'groups: {g: {clients: ["::1"], sets: [base]}}');
    writeFileSync(join(inside, 'notes.txt'), ': : :');
    writeFileSync(join(inside, '.hidden.yaml'), ': : :');
    expect(load(inside)).toMatchObject({
      files: [join(inside, 'a.yml'), join(inside, 'b.yaml')],
      warnings: [],
    });
  });

  test('names a list by the path that leads to it', () => {
    const inside = mkdtempSync(join(directory, 'l-'));
    writeFileSync(join(inside, 'names.txt'), 'bad.example');
    writeFileSync(
      join(inside, 'p.yaml'),
      'sets: {base: {reason: r, lists: [{file: names.txt, action: deny}]}}\ngroups: {g: {clients: ["::1"], sets: [base]}}',
    );
    expect(load(inside)).toMatchObject({
      source: { sets: [{ lists: [{ description: { file: join(inside, 'names.txt') } }] }] },
    });
  });

  test('reads a file once though it is named twice', () => {
    const file = join(directory, 'once.yaml');
    writeFileSync(file, GOOD);
    expect(load(file, file)).toMatchObject({ files: [file] });
  });

  test.each([
    { what: 'a path that is not there', path: () => join(directory, 'none'), says: 'no such file' },
    {
      what: 'a directory without policies',
      path: () => mkdtempSync(join(directory, 'e-')),
      says: 'has no *.yaml file',
    },
    { what: 'a device', path: () => '/dev/null', says: 'not a regular file' },
  ])('$what is a fault, even beside a good file', ({ path, says }) => {
    const file = join(directory, 'good.yaml');
    writeFileSync(file, GOOD);
    const outcome = load(file, path());
    expect('faults' in outcome && outcome.faults.map(({ what }) => what).join()).toContain(says);
  });
});
