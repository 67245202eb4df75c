import { describe, expect, test } from 'vitest';
import { brief, faultsOf, joinTexts } from './policy-text.ts';

const GROUP = 'groups: {here: {clients: [127.0.0.1], sets: [base]}}';

/** A policy with a set of one rule, and more in it from line 2, column 39 on. */
const inSet = (more: string): string => `sets:\n  base: {reason: r, allow: [a.example]${more}}\n${GROUP}`;

/** A rule of its own on line 4 (`- ` at column 7). */
const rule = (text: string): string => `sets:\n  base:\n    allow:\n      - ${text}\n${GROUP}`;
const named = (name: string): string => rule(`{name: ${name}, reason: r}`);
const group = (text: string): string =>
  `sets: {base: {reason: r, allow: [a.example]}}\ngroups:\n  g: ${text}`;

interface Row {
  readonly fault: string;
  readonly text: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly says: readonly string[];
  readonly severity?: 'warning' | 'notice';
}

const SYNTAX: Row[] = [
  {
    fault: 'another encoding',
    text: 'version: 1\n\ufffd\ufffd',
    line: 2,
    column: 1,
    path: '',
    says: ['not UTF-8', 'save the file as UTF-8'],
  },
  {
    fault: 'a key in another column than its neighbours',
    text: 'sets:\n  base:\n    reason: r\n      allow: []',
    line: 3,
    column: 13,
    path: '',
    says: ['not YAML', 'in the same column'],
  },
  {
    fault: 'broken YAML',
    text: 'sets:\n  base: [a',
    line: 2,
    column: 11,
    path: '',
    says: ['not YAML', 'close what was opened'],
  },
  {
    fault: 'a tab as indentation',
    text: 'sets:\n\tbase: {}',
    line: 2,
    column: 1,
    path: '',
    says: ['not YAML', 'indent with spaces'],
  },
  {
    fault: 'a key written twice',
    text: 'version: 1\nsets: {}\nsets: {}',
    line: 3,
    column: 1,
    path: '',
    says: ['unique', 'write each key once'],
  },
  {
    fault: 'a star without quotes',
    text: 'sets:\n  base:\n    allow:\n      - *.example.com',
    line: 4,
    column: 9,
    path: '',
    says: ['in quotes', '"*.example.com"'],
  },
  {
    fault: 'two documents',
    text: 'version: 1\n---\nversion: 1',
    line: 2,
    column: 1,
    path: '',
    says: ['write one document'],
  },
  {
    fault: 'a document that is a list',
    text: '- a\n- b',
    line: 1,
    column: 1,
    path: '',
    says: ['a list cannot stand here', 'write a mapping'],
  },
  {
    fault: 'no group at all',
    text: 'version: 1',
    line: 0,
    column: 0,
    path: '',
    says: ['no group', 'write for example "groups:'],
  },
];

const SHAPES: Row[] = [
  {
    fault: 'an unknown key with a near one',
    text: `sts: {}\n${GROUP}`,
    line: 1,
    column: 1,
    path: 'sts',
    says: ['no key "sts"', 'write "sets"'],
  },
  {
    fault: 'an unknown key with none near',
    text: named('a.example').replace('reason', 'x: 1, reason'),
    line: 4,
    column: 27,
    path: 'sets.base.allow[0].x',
    says: ['no key "x"', 'name, names, reason'],
  },
  {
    fault: 'a key without value',
    text: 'sets:\ngroups: {g: {clients: [127.0.0.1]}}',
    line: 1,
    column: 6,
    path: 'sets',
    says: ['no value', 'write a mapping', 'remove the key'],
  },
  {
    fault: 'a list where text belongs',
    text: rule('{name: [a.example], reason: r}'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['a list cannot stand here', 'write text'],
  },
  {
    fault: 'text where a list belongs',
    text: group('{clients: 127.0.0.1}'),
    line: 3,
    column: 16,
    path: 'groups.g.clients',
    says: ['"127.0.0.1" cannot', 'write a list'],
  },
  {
    fault: 'a number where a rule belongs',
    text: rule('5'),
    line: 4,
    column: 9,
    path: 'sets.base.allow[0]',
    says: ['5 cannot', 'write a mapping', 'or text'],
  },
  {
    fault: 'a word that is no choice',
    text: group('{clients: [127.0.0.1], mode: watch}'),
    line: 3,
    column: 35,
    path: 'groups.g.mode',
    says: ['"watch"', 'write "enforce" or "observe"'],
  },
  {
    fault: 'another version',
    text: `version: 2\n${GROUP}`,
    line: 1,
    column: 10,
    path: 'version',
    says: ['2 cannot', 'write 1'],
  },
  {
    fault: 'a bad set name',
    text: `sets:\n  my set: {}\n`,
    line: 2,
    column: 3,
    path: 'sets["my set"]',
    says: ['letters, digits', 'write for example "base"'],
  },
  {
    fault: 'an empty reason',
    text: rule('{name: a.example, reason: ""}'),
    line: 4,
    column: 35,
    path: 'sets.base.allow[0].reason',
    says: ['the text is empty', 'write some text'],
  },
  {
    fault: 'a missing key',
    text: 'groups:\n  g: {}',
    line: 2,
    column: 6,
    path: 'groups.g.clients',
    says: ['"clients" is missing', 'write a list'],
  },
  {
    fault: 'a group of nobody',
    text: group('{clients: []}'),
    line: 3,
    column: 16,
    path: 'groups.g.clients',
    says: ['the list is empty', 'write at least 1 entry'],
  },
  {
    fault: 'a processor without a country code',
    text: rule('{name: a.example, reason: r, processor: {name: N, country: Germany}}'),
    line: 4,
    column: 68,
    path: 'sets.base.allow[0].processor.country',
    says: ['"Germany" is not a country code', 'write two capital letters', '"US"'],
  },
];

const NAMES: Row[] = [
  {
    fault: 'a star inside a label',
    text: named('foo*.example.com'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['"foo*.example.com"', 'write "*.example.com"', '"+.example.com"'],
  },
  {
    fault: 'a star in the middle',
    text: named('a.*.example.com'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['write "*.example.com"'],
  },
  {
    fault: 'two stars',
    text: named('"**.example.com"'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['two stars', 'write "*.example.com"', 'every depth'],
  },
  {
    fault: 'a star label twice',
    text: named('"*.*.example.com"'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['write "*.example.com"'],
  },
  {
    fault: 'a lone star',
    text: named('"*"'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['every name there is', '"+."', 'unsafeWildcard'],
  },
  {
    fault: 'a leading dot',
    text: named('.example.com'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['begins with a dot', '"*.example.com"', '"+.example.com"'],
  },
  {
    fault: 'a URL',
    text: named('https://u:p@example.com:8443/x'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['is a URL', 'write the name alone: "example.com"'],
  },
  {
    fault: 'a port',
    text: named('"example.com:443"'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['has a port', 'write "example.com"'],
  },
  {
    fault: 'a path',
    text: named('example.com/x'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['has a path', 'write "example.com"'],
  },
  {
    fault: 'a regular expression',
    text: named('/^ads/'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['regular expression', '"*.example.com"'],
  },
  {
    fault: 'a rule of a content blocker',
    text: named('"||ads.example.com^"'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['content blocker', 'write "+.ads.example.com"'],
  },
  {
    fault: 'a mail address',
    text: named('"me@example.com"'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['mail address', 'write the name alone: "example.com"'],
  },
  {
    fault: 'an address',
    text: named('192.0.2.1'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['is an address', '1.2.0.192.in-addr.arpa'],
  },
  {
    fault: 'several names in one',
    text: named('"a.example, b.example"'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['more than one name', '["a.example", "b.example"]'],
  },
  {
    fault: 'an empty label',
    text: named('a..example'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['empty label', 'single dots'],
  },
  {
    fault: 'a label that is too long',
    text: named(`${'x'.repeat(64)}.example`),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['64 octets', '1 to 63'],
  },
  {
    fault: 'an odd character',
    text: named('"a$b.example"'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['the character "$"', '\\036'],
  },
  {
    fault: 'an escaped octet that no query may carry',
    text: named('"a\\\\036b.example"'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['no query can match', 'characters: any'],
  },
  {
    fault: 'a name that UTS 46 does not know',
    text: named('"\u202eü.example"'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['UTS 46', 'xn--'],
  },
  {
    fault: 'digits of another script that make an address',
    text: named('１２７.１'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['UTS 46'],
  },
  {
    fault: 'a question mark that would cut a name short',
    text: named('"ü?.example"'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['UTS 46'],
  },
  {
    fault: 'a name in another script',
    text: named('faß.example'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['stored as "xn--fa-hia.example"'],
    severity: 'notice',
  },
  {
    fault: 'a rule that names nothing',
    text: rule('{reason: r}'),
    line: 4,
    column: 9,
    path: 'sets.base.allow[0]',
    says: ['names nothing', 'write "name: example.com"'],
  },
];

const REACH: Row[] = [
  {
    fault: 'a wildcard over a top-level domain',
    text: named('"*.com"'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['anybody can register', 'unsafeWildcard'],
  },
  {
    fault: 'a wildcard over a public suffix',
    text: named('+.co.uk'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['anybody can register'],
  },
  {
    fault: 'a wildcard over an unknown top-level domain',
    text: named('+.zzqq'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['anybody can register'],
  },
  {
    fault: 'a wildcard over everything',
    text: named('+.'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['anybody can register'],
  },
  {
    fault: 'a wildcard over a shared suffix',
    text: named('"*.github.io"'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['customers of a shared service', 'strict'],
    severity: 'warning',
  },
  {
    fault: 'a wildcard above shared suffixes',
    text: named('+.amazonaws.com'),
    line: 4,
    column: 16,
    path: 'sets.base.allow[0].name',
    says: ['customers of a shared service'],
    severity: 'warning',
  },
  {
    fault: 'unsafeWildcard without need',
    text: rule('{name: +.example.com, reason: r, unsafeWildcard: w}'),
    line: 4,
    column: 42,
    path: 'sets.base.allow[0].unsafeWildcard',
    says: ['no name of this rule needs', 'remove it'],
    severity: 'warning',
  },
];

const RULES: Row[] = [
  {
    fault: 'a set of rules without reason, once for all',
    text: `sets:\n  base:\n    allow:\n      - a.example\n      - b.example\n      - name: c.example\n${GROUP}`,
    line: 4,
    column: 9,
    path: 'sets.base.allow[0]',
    says: ['no reason, nor have 2 more of this set (line 5, 6)', 'write "reason:'],
  },
  {
    fault: 'a rule without reason',
    text: rule('{name: a.example}'),
    line: 4,
    column: 9,
    path: 'sets.base.allow[0]',
    says: ['no reason', 'write "reason:'],
  },
  {
    fault: 'a bare name without reason',
    text: rule('a.example'),
    line: 4,
    column: 9,
    path: 'sets.base.allow[0]',
    says: ['no reason', 'on its set'],
  },
  {
    fault: 'a date in another form',
    text: rule('{name: a.example, reason: r, expires: 31.12.2026}'),
    line: 4,
    column: 47,
    path: 'sets.base.allow[0].expires',
    says: ['not a date', 'write "2026-12-31"'],
  },
  {
    fault: 'a day that does not exist',
    text: rule('{name: a.example, reason: r, expires: 2027-02-30}'),
    line: 4,
    column: 47,
    path: 'sets.base.allow[0].expires',
    says: ['no day 2027-02-30', 'YYYY-MM-DD'],
  },
  {
    fault: 'a time without zone',
    text: rule('{name: a.example, reason: r, expires: "2027-01-01T10:00"}'),
    line: 4,
    column: 47,
    path: 'sets.base.allow[0].expires',
    says: ['no zone', '"2027-01-01T10:00Z"'],
  },
  {
    fault: 'a rule that never ends',
    text: rule('{name: a.example, reason: r, expires: never}'),
    line: 4,
    column: 47,
    path: 'sets.base.allow[0].expires',
    says: ['not a date', 'remove the key'],
  },
  {
    fault: 'an expired rule',
    text: rule('{name: a.example, reason: r, expires: 2026-11-21}'),
    line: 4,
    column: 47,
    path: 'sets.base.allow[0].expires',
    says: ['expired on 2026-11-21', 'a later date'],
    severity: 'warning',
  },
  {
    fault: 'a rule that ends soon',
    text: rule('{name: a.example, reason: r, expires: 2026-11-30}'),
    line: 4,
    column: 47,
    path: 'sets.base.allow[0].expires',
    says: ['expires in 9 days'],
    severity: 'notice',
  },
  {
    fault: 'an expired set',
    text: inSet(', expires: 2020-01-01'),
    line: 2,
    column: 50,
    path: 'sets.base.expires',
    says: ['expired on 2020-01-01'],
    severity: 'warning',
  },
  {
    fault: 'an unknown type',
    text: rule('{name: a.example, reason: r, types: [AAA]}'),
    line: 4,
    column: 46,
    path: 'sets.base.allow[0].types[0]',
    says: ['"AAA" is not a query type', 'write AAAA'],
  },
  {
    fault: 'a type refused at the door',
    text: rule('{name: a.example, reason: r, types: [AXFR]}'),
    line: 4,
    column: 46,
    path: 'sets.base.allow[0].types[0]',
    says: ['AXFR is refused', 'remove it'],
  },
  {
    fault: 'a denial with an address of the wrong family',
    text: inSet(', deny: [{name: b.example, answer: {aaaa: 192.0.2.1}}]'),
    line: 2,
    column: 81,
    path: 'sets.base.deny[0].answer.aaaa',
    says: ['not an IPv6 address', '2001:db8::1'],
  },
  {
    fault: 'a denial with no address',
    text: inSet(', deny: [{name: b.example, answer: {}}]'),
    line: 2,
    column: 74,
    path: 'sets.base.deny[0].answer',
    says: ['no address', 'nxdomain'],
  },
  {
    fault: 'a pattern both allowed and denied',
    text: inSet(', deny: [A.example]'),
    line: 2,
    column: 48,
    path: 'sets.base.deny[0]',
    says: ['allowed on line 2', 'the denial wins'],
    severity: 'warning',
  },
  {
    fault: 'a pattern twice',
    text: rule('{names: [a.example, A.example.], reason: r}'),
    line: 4,
    column: 29,
    path: 'sets.base.allow[0].names[1]',
    says: ['stands on line 4 already', 'remove one'],
    severity: 'warning',
  },
  {
    fault: 'a list file that is not there',
    text: inSet(', lists: [{file: none.txt, action: deny}]'),
    line: 2,
    column: 56,
    path: 'sets.base.lists[0].file',
    says: ['no file none.txt', 'relative to this policy file'],
  },
  {
    fault: 'a list file that is a directory',
    text: inSet(', lists: [{file: ".", action: deny}]'),
    line: 2,
    column: 56,
    path: 'sets.base.lists[0].file',
    says: ['not a regular file'],
  },
];

const CLIENTS: Row[] = [
  {
    fault: 'bits behind the prefix',
    text: group('{clients: [10.0.0.5/8]}'),
    line: 3,
    column: 17,
    path: 'groups.g.clients[0]',
    says: ['bits set behind', 'write "10.0.0.0/8"', '"10.0.0.5"'],
  },
  {
    fault: 'bits behind an IPv6 prefix',
    text: group('{clients: ["2001:db8::1/32"]}'),
    line: 3,
    column: 17,
    path: 'groups.g.clients[0]',
    says: ['write "2001:db8::/32"'],
  },
  {
    fault: 'a prefix that is too long',
    text: group('{clients: [10.0.0.0/33]}'),
    line: 3,
    column: 17,
    path: 'groups.g.clients[0]',
    says: ['"/33"', '0 to 32'],
  },
  {
    fault: 'a netmask',
    text: group('{clients: [10.0.0.0/255.255.0.0]}'),
    line: 3,
    column: 17,
    path: 'groups.g.clients[0]',
    says: ['netmask', 'write "10.0.0.0/16"'],
  },
  {
    fault: 'a range',
    text: group('{clients: [10.0.0.1-10.0.0.9]}'),
    line: 3,
    column: 17,
    path: 'groups.g.clients[0]',
    says: ['range', 'prefixes'],
  },
  {
    fault: 'a zone index',
    text: group('{clients: ["fe80::1%eth0"]}'),
    line: 3,
    column: 17,
    path: 'groups.g.clients[0]',
    says: ['zone', 'write "fe80::1"'],
  },
  {
    fault: 'an IPv4-mapped address',
    text: group('{clients: ["::ffff:192.0.2.0/120"]}'),
    line: 3,
    column: 17,
    path: 'groups.g.clients[0]',
    says: ['write "192.0.2.0/24"'],
  },
  {
    fault: 'everybody in a word',
    text: group('{clients: [any]}'),
    line: 3,
    column: 17,
    path: 'groups.g.clients[0]',
    says: ['"0.0.0.0/0" and "::/0"'],
  },
  {
    fault: 'a name for a client',
    text: group('{clients: [localhost]}'),
    line: 3,
    column: 17,
    path: 'groups.g.clients[0]',
    says: ['is a name', '127.0.0.0/8'],
  },
  {
    fault: 'no address at all',
    text: group('{clients: [10.0.0]}'),
    line: 3,
    column: 17,
    path: 'groups.g.clients[0]',
    says: ['not an address', 'CIDR'],
  },
  {
    fault: 'the same prefix in two groups',
    text: `${group('{clients: [10.0.0.0/8]}')}\n  h: {clients: [10.0.0.0/8]}`,
    line: 4,
    column: 17,
    path: 'groups.h.clients[0]',
    says: ['belongs to the group "g" already (a.yaml:3)', 'longer prefix'],
  },
  {
    fault: 'the same prefix twice in a group',
    text: group('{clients: ["::1", "0::1"], sets: [base]}'),
    line: 3,
    column: 24,
    path: 'groups.g.clients[1]',
    says: ['stands in this group twice'],
    severity: 'warning',
  },
];

const REFERENCES: Row[] = [
  {
    fault: 'a group that may ask nothing',
    text: group('{clients: [127.0.0.1]}'),
    line: 3,
    column: 3,
    path: 'groups.g',
    says: ['the group "g" has no sets', 'write "sets:'],
    severity: 'notice',
  },
  {
    fault: 'an unknown set',
    text: group('{clients: [127.0.0.1], sets: [bse]}'),
    line: 3,
    column: 36,
    path: 'groups.g.sets[0]',
    says: ['no set "bse"', 'write "base"'],
  },
  {
    fault: 'an unknown pool',
    text: `${GROUP}\nsets: {base: {reason: r, allow: [+.b.example]}}\nvia: [{suffix: b.example, pool: vcp}]`,
    line: 3,
    column: 33,
    path: 'via[0].pool',
    says: ['no pool "vcp"', 'write "vpc"', 'upstreams:'],
  },
  {
    fault: 'an unknown group of a zone',
    text: `${group('{clients: [127.0.0.1]}')}\nlocal: [{zone: b.test, groups: [x1]}]`,
    line: 4,
    column: 33,
    path: 'local[0].groups[0]',
    says: ['no group "x1"', 'g'],
  },
  {
    fault: 'a zone twice',
    text: `${GROUP}\nlocal: [{zone: b.test}, {zone: B.test.}]`,
    line: 2,
    column: 25,
    path: 'local[1]',
    says: ['a local zone "B.test." already, in a.yaml:2'],
  },
  {
    fault: 'a route twice',
    text: `${GROUP}\nsets: {base: {reason: r, allow: [+.b.example]}}\nvia: [{suffix: b.example, pool: vpc}, {suffix: b.example, pool: default}]`,
    line: 3,
    column: 39,
    path: 'via[1]',
    says: ['a route "b.example" already'],
  },
  {
    fault: 'a pattern for a zone',
    text: `${GROUP}\nlocal: [{zone: "*.b.test"}]`,
    line: 2,
    column: 16,
    path: 'local[0].zone',
    says: ['is a pattern', 'write "b.test"'],
  },
  {
    fault: 'a record that cannot be read',
    text: `${GROUP}\nlocal: [{zone: b.test, records: [www A 192.0.2.300]}]`,
    line: 2,
    column: 34,
    path: 'local[0].records[0]',
    says: ['www A 192.0.2.300', 'write '],
  },
  {
    fault: 'a TTL without unit',
    text: `${GROUP}\nlocal: [{zone: b.test, ttl: 300}]`,
    line: 2,
    column: 29,
    path: 'local[0].ttl',
    says: ['with its unit', '"5m"'],
  },
  {
    fault: 'a set that nobody uses',
    text: group('{clients: [127.0.0.1]}'),
    line: 1,
    column: 8,
    path: 'sets.base',
    says: ['no group uses the set "base"', 'under the sets of a group'],
    severity: 'warning',
  },
  {
    fault: 'a route that no rule opens',
    text: `${GROUP}\nsets: {base: {reason: r, allow: [b.example]}}\nvia: [{suffix: corp.example, pool: vpc}]`,
    line: 3,
    column: 16,
    path: 'via[0].suffix',
    says: ['nothing takes this route', '+.corp.example'],
    severity: 'warning',
  },
];

describe.each([
  ['YAML', SYNTAX],
  ['shapes', SHAPES],
  ['names', NAMES],
  ['reach of wildcards', REACH],
  ['rules', RULES],
  ['clients', CLIENTS],
  ['references', REFERENCES],
])('faults of %s', (_, rows) => {
  test.each(rows)('$fault', ({ text, line, column, path, says, severity = 'fault' }) => {
    const outcome = joinTexts([text]);
    const faults = faultsOf(outcome);
    const place = `a.yaml:${line}:${column} ${severity} ${path}: `;
    const found = faults
      .map(brief)
      .find((one) => (line === 0 || one.startsWith(place)) && one.includes(says[0]));
    expect(found, faults.map(brief).join('\n')).toBeDefined();
    for (const words of says) expect(found).toContain(words);
    expect('faults' in outcome).toBe(severity === 'fault');
  });
});

describe('faults of several files', () => {
  const A =
    'sets: {base: {reason: r, allow: [a.example]}}\ngroups: {g: {clients: [10.0.0.0/8], sets: [base]}}';

  test('name the place of the first set, group and prefix', () => {
    const outcome = joinTexts([A, A]);
    expect(faultsOf(outcome).map(brief)).toEqual(
      [
        'b.yaml:1:8 fault sets.base: there is a set "base" already, in a.yaml:1; write another name, or put both into one set',
        'b.yaml:2:10 fault groups.g: there is a group "g" already, in a.yaml:2; write another name, or put both into one group',
        'b.yaml:2:24 fault groups.g.clients[0]: "10.0.0.0/8" stands in this group twice; remove it',
      ].map((line) => line.replace('fault groups.g.clients[0]', 'warning groups.g.clients[0]')),
    );
  });

  test('are none where one file uses the sets of another', () => {
    const sets = 'sets: {base: {reason: r, allow: [a.example]}}';
    expect(faultsOf(joinTexts([sets, GROUP]))).toEqual([]);
  });
});

test('all faults of a file come at once, in the order of the file', () => {
  const text = [
    'sets:',
    '  base:',
    '    alow: []',
    '    allow:',
    '      - name: "*.com"',
    '        expires: soon',
    '        tipes: [A]',
    'groups:',
    '  g: {clients: [10.0.0.1/8], sets: [bas], mode: watch}',
  ].join('\n');
  expect(faultsOf(joinTexts([text])).map(({ line, path }) => `${line} ${path}`)).toEqual([
    '3 sets.base.alow',
    '5 sets.base.allow[0]',
    '5 sets.base.allow[0].name',
    '6 sets.base.allow[0].expires',
    '7 sets.base.allow[0].tipes',
    '9 groups.g.clients[0]',
    '9 groups.g.sets[0]',
    '9 groups.g.mode',
  ]);
});
