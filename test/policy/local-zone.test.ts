import { describe, expect, test } from 'vitest';
import { compilePolicy, type LocalRrset, openPolicy } from '../../src/policy/index.ts';
import { nameText, typeName } from '../../src/wire/index.ts';
import { ask, policySource, SEED } from './policy-source.ts';

const policy = openPolicy(
  structuredClone(
    compilePolicy(
      policySource({
        sets: {},
        groups: { g: { sets: [] } },
        local: [
          {
            zone: 'corp.test',
            records: [
              '@ SOA ns root 1 3600 600 86400 60',
              '@ NS ns',
              '@ MX 10 mail',
              '@ MX 20 mail.other.test.',
              'ns A 192.0.2.53',
              'mail A 192.0.2.25',
              'mail AAAA 2001:db8::25',
              'www CNAME web',
              'web A 192.0.2.80',
              'out CNAME www.example.com.',
              'near CNAME corp.test.',
              'far CNAME www',
              'dangling CNAME nothing',
              'loop CNAME pool',
              'pool CNAME loop',
              'self CNAME self',
              'a.b.c A 192.0.2.1',
              '*.wild A 192.0.2.7',
              '*.wild TXT "any"',
              'real.wild TXT "here"',
              'below.deep.wild A 192.0.2.8',
              '*.alias CNAME web',
              '_sip._tcp SRV 0 0 5060 web',
              ...Array.from({ length: 12 }, (_, i) => `chain${i} CNAME chain${i + 1}`),
            ],
          },
        ],
      }),
      { hashSeed: SEED, generation: 1 },
    ).compiled,
  ),
);

const told = (rrsets: readonly LocalRrset[]): string[] =>
  rrsets.map(
    ({ owner, type, rdata }) =>
      `${nameText(owner)} ${typeName(type)}${rdata.length > 1 ? ` ×${rdata.length}` : ''}`,
  );

describe('answerLocally', () => {
  const SOA = ['corp.test SOA'];
  test.each<{
    asked: string;
    rcode?: string;
    answers?: string[];
    authority?: string[];
    leadsTo?: string;
  }>([
    { asked: 'web.corp.test A', answers: ['web.corp.test A'] },
    { asked: 'WEB.corp.test A', answers: ['web.corp.test A'] },
    { asked: 'web.corp.test AAAA', authority: SOA },
    { asked: 'nothing.corp.test A', rcode: 'NXDOMAIN', authority: SOA },
    { asked: 'x.web.corp.test A', rcode: 'NXDOMAIN', authority: SOA },
    { asked: 'corp.test A', authority: SOA },
    { asked: 'corp.test SOA', answers: SOA },
    { asked: 'corp.test NS', answers: ['corp.test NS'] },
    {
      asked: 'corp.test MX',
      answers: ['corp.test MX ×2'],
    },
    {
      asked: '_sip._tcp.corp.test SRV',
      answers: ['_sip._tcp.corp.test SRV'],
    },
    { asked: 'b.c.corp.test A', authority: SOA },
    { asked: 'c.corp.test A', authority: SOA },
    { asked: '_tcp.corp.test SRV', authority: SOA },
    { asked: 'x.b.c.corp.test A', rcode: 'NXDOMAIN', authority: SOA },
    // Aliases.
    { asked: 'www.corp.test A', answers: ['www.corp.test CNAME', 'web.corp.test A'] },
    { asked: 'www.corp.test AAAA', answers: ['www.corp.test CNAME'], authority: SOA },
    { asked: 'www.corp.test CNAME', answers: ['www.corp.test CNAME'] },
    { asked: 'far.corp.test A', answers: ['far.corp.test CNAME', 'www.corp.test CNAME', 'web.corp.test A'] },
    {
      asked: 'near.corp.test MX',
      answers: ['near.corp.test CNAME', 'corp.test MX ×2'],
    },
    { asked: 'out.corp.test A', answers: ['out.corp.test CNAME'], leadsTo: 'www.example.com' },
    {
      asked: 'dangling.corp.test A',
      rcode: 'NXDOMAIN',
      answers: ['dangling.corp.test CNAME'],
      authority: SOA,
    },
    { asked: 'loop.corp.test A', answers: ['loop.corp.test CNAME', 'pool.corp.test CNAME'] },
    { asked: 'self.corp.test A', answers: ['self.corp.test CNAME'] },
    {
      asked: 'chain0.corp.test A',
      answers: Array.from({ length: 9 }, (_, i) => `chain${i}.corp.test CNAME`),
    },
    // Wildcards (RFC 4592 section 2.2.1).
    { asked: 'x.wild.corp.test A', answers: ['x.wild.corp.test A'] },
    { asked: 'x.y.wild.corp.test A', answers: ['x.y.wild.corp.test A'] },
    { asked: '*.wild.corp.test A', answers: ['*.wild.corp.test A'] },
    { asked: 'x.wild.corp.test AAAA', authority: SOA },
    { asked: 'wild.corp.test A', authority: SOA },
    { asked: 'real.wild.corp.test A', authority: SOA },
    { asked: 'x.real.wild.corp.test A', rcode: 'NXDOMAIN', authority: SOA },
    { asked: 'deep.wild.corp.test A', authority: SOA },
    { asked: 'x.deep.wild.corp.test A', rcode: 'NXDOMAIN', authority: SOA },
    { asked: 'x.alias.corp.test A', answers: ['x.alias.corp.test CNAME', 'web.corp.test A'] },
    // RFC 8482: one RRset stands for all.
    { asked: 'mail.corp.test ANY', answers: ['mail.corp.test A'] },
  ])('says to $asked what RFC 1034 and 4592 say', ({ asked, rcode, answers, authority, leadsTo }) => {
    const [name, type] = asked.split(' ');
    const answer = policy.answerLocally(0, ask(name, type));
    expect({
      rcode: answer.rcode,
      answers: told(answer.answers),
      authority: told(answer.authority),
      leadsTo: answer.leadsTo && nameText(answer.leadsTo),
    }).toEqual({
      rcode: rcode ?? 'NOERROR',
      answers: answers ?? [],
      authority: authority ?? [],
      leadsTo: leadsTo ?? null,
    });
  });

  test('gives the SOA of a negative answer the smaller of its TTL and its MINIMUM', () => {
    expect(policy.answerLocally(0, ask('nothing.corp.test')).authority[0].ttlSeconds).toBe(60);
    expect(policy.answerLocally(0, ask('corp.test', 'SOA')).answers[0].ttlSeconds).toBe(300);
  });

  test.each(['other.test', 'test', '.', 'xcorp.test'])(
    'says nothing about %s, which is not in the zone',
    (name) => {
      const answer = policy.answerLocally(0, ask(name));
      expect(answer).toEqual({
        rcode: 'NXDOMAIN',
        answers: [],
        authority: [],
        leadsTo: null,
      });
    },
  );

  test('keeps its answers when the question is used for another name', () => {
    const question = ask('x.wild.corp.test');
    const { answers } = policy.answerLocally(0, question);
    question.name.fill(0);
    expect(nameText(answers[0].owner)).toBe('x.wild.corp.test');
  });
});
