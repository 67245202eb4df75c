import { describe, expect, test } from 'vitest';
import { parseLocalZone } from '../../src/policy/index.ts';
import { nameOctets, nameText, Rrtype, typeName } from '../../src/wire/index.ts';

const ZONE = nameOctets('corp.test');

/** `owner type ttl: rdata in hex` of every RRset but the SOA that is made. */
function parsed(...lines: string[]): string[] {
  const { rrsets, faults } = parseLocalZone(ZONE, 300, lines);
  expect(faults).toEqual([]);
  return rrsets.slice(1).map(({ owner, type, ttlSeconds, rdata }) => {
    const data = rdata.map((octets) => Buffer.from(octets).toString('hex')).join(' ');
    return `${nameText(owner)} ${typeName(type)} ${ttlSeconds}: ${data}`;
  });
}

describe('parseLocalZone', () => {
  test.each([
    { line: 'www 60 A 192.0.2.1', rrset: 'www.corp.test A 60: c0000201' },
    { line: 'www IN A 192.0.2.1', rrset: 'www.corp.test A 300: c0000201' },
    { line: 'WWW 1h30m in a 192.0.2.1 ; note', rrset: 'www.corp.test A 5400: c0000201' },
    { line: 'www IN 60 A 192.0.2.1', rrset: 'www.corp.test A 60: c0000201' },
    { line: '@ A 192.0.2.1', rrset: 'corp.test A 300: c0000201' },
    { line: 'www.corp.test. A 192.0.2.1', rrset: 'www.corp.test A 300: c0000201' },
    { line: 'www.corp.test A 192.0.2.1', rrset: 'www.corp.test.corp.test A 300: c0000201' },
    { line: '*.dev A 192.0.2.1', rrset: '*.dev.corp.test A 300: c0000201' },
    { line: 'bücher A 192.0.2.1', rrset: 'xn--bcher-kva.corp.test A 300: c0000201' },
    { line: 'x AAAA 2001:db8::1', rrset: `x.corp.test AAAA 300: 20010db8${'0'.repeat(23)}1` },
    { line: 'x AAAA ::ffff:192.0.2.1', rrset: `x.corp.test AAAA 300: ${'0'.repeat(20)}ffffc0000201` },
    { line: 'x AAAA ::', rrset: `x.corp.test AAAA 300: ${'0'.repeat(32)}` },
    { line: 'x AAAA 1:2:3:4:5:6:7:8', rrset: 'x.corp.test AAAA 300: 00010002000300040005000600070008' },
    { line: 'x CNAME y', rrset: 'x.corp.test CNAME 300: 017904636f7270047465737400' },
    { line: 'x CNAME y.test.', rrset: 'x.corp.test CNAME 300: 0179047465737400' },
    { line: '7 PTR host', rrset: '7.corp.test PTR 300: 04686f737404636f7270047465737400' },
    { line: '@ NS a.test.', rrset: 'corp.test NS 300: 0161047465737400' },
    { line: '@ MX 10 a.test.', rrset: 'corp.test MX 300: 000a0161047465737400' },
    { line: '@ MX 0 .', rrset: 'corp.test MX 300: 000000' },
    {
      line: '_sip._tcp SRV 1 2 5060 a.test.',
      rrset: '_sip._tcp.corp.test SRV 300: 0001000213c40161047465737400',
    },
    { line: 't TXT plain', rrset: 't.corp.test TXT 300: 05706c61696e' },
    { line: 't TXT "a b" ""', rrset: 't.corp.test TXT 300: 0361206200' },
    { line: 't TXT "a;\\"\\\\\\009"', rrset: 't.corp.test TXT 300: 05613b225c09' },
    { line: 't TXT é', rrset: 't.corp.test TXT 300: 02c3a9' },
    {
      line: '@ CAA 128 issue "ca.test; x=y"',
      rrset: 'corp.test CAA 300: 8005697373756563612e746573743b20783d79',
    },
    { line: '@ HTTPS 0 a.test.', rrset: 'corp.test HTTPS 300: 00000161047465737400' },
    {
      // RFC 9460 appendix D.2, vector 3 among others: keys come out in order whatever the order written.
      line: '@ SVCB 16 . port=53 alpn="h2,h3" mandatory=port,alpn',
      rrset: 'corp.test SVCB 300: 001000000000040001000300010006026832026833000300020035',
    },
    {
      line: '@ HTTPS 1 . ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1 key667=hello ech=AAEC no-default-alpn alpn=h3',
      rrset: `corp.test HTTPS 300: 00010000010003026833000200000004${'0008c0000201c0000202'}00050003000102${'00060010'}20010db8${'0'.repeat(23)}1029b000568656c6c6f`,
    },
    { line: 'x TYPE731 \\# 6 abcd ef 01 23 45', rrset: 'x.corp.test TYPE731 300: abcdef012345' },
  ])('reads $line', ({ line, rrset }) => {
    expect(parsed(line)).toEqual([rrset]);
  });

  test.each([
    { line: 'www', problem: 'has no type' },
    { line: 'www 300', problem: 'has no type' },
    { line: 'www ADDRESS 192.0.2.1', problem: '"ADDRESS" is not a type' },
    { line: 'www A', problem: 'A takes 1 value, not 0' },
    { line: 'www A 192.0.2.1 192.0.2.2', problem: 'A takes 1 value, not 2' },
    { line: 'www A 192.0.2.256', problem: 'not an IPv4 address' },
    { line: 'www A 2001:db8::1', problem: 'not an IPv4 address' },
    { line: 'www AAAA 192.0.2.1', problem: 'not an IPv6 address' },
    { line: 'www AAAA fe80::1%eth0', problem: 'not an IPv6 address' },
    { line: 'www CH A 192.0.2.1', problem: 'class CH is not served' },
    { line: 'www 4294967296 A 192.0.2.1', problem: 'TTL 4294967296 is too long' },
    { line: '$ORIGIN example.', problem: '$ORIGIN is not understood' },
    { line: 'a.example. A 192.0.2.1', problem: 'outside the zone corp.test' },
    { line: 'a..b A 192.0.2.1', problem: 'empty label' },
    { line: 'a.*.b A 192.0.2.1', problem: 'a star below other labels' },
    { line: '@ CNAME www', problem: 'CNAME at the apex' },
    { line: 'sub NS ns.test.', problem: 'would delegate' },
    { line: 'sub SOA a b 1 2 3 4 5', problem: 'SOA stands below the apex' },
    { line: '@ SOA a b 1 2 3 4', problem: 'SOA takes 7 values, not 6' },
    { line: '@ SOA a b 1 2 3 4 x', problem: 'not a number of 32 bits' },
    { line: '@ DNAME example.', problem: 'DNAME is not followed' },
    { line: '@ MX mail', problem: 'MX takes 2 values, not 1' },
    { line: '@ MX 65536 mail', problem: 'preference "65536" is not a number' },
    { line: '@ MX -1 mail', problem: 'preference "-1" is not a number' },
    { line: 't TXT', problem: 'TXT takes at least one' },
    { line: `t TXT ${'x'.repeat(256)}`, problem: '256 octets long' },
    { line: 't TXT "open', problem: 'an opening quote' },
    { line: 't TXT \\256', problem: 'the escape "\\256"' },
    { line: 't TXT x\\', problem: 'lone backslash' },
    { line: '@ CAA 256 issue x', problem: 'flags "256"' },
    { line: '@ CAA 0 is-sue x', problem: 'not a property tag' },
    { line: '@ HTTPS 1', problem: 'no target name' },
    { line: '@ HTTPS 0 . alpn=h2', problem: 'takes no parameters' },
    { line: '@ HTTPS 1 . alpn=h2 alpn=h3', problem: 'parameter alpn is given twice' },
    { line: '@ HTTPS 1 . colour=red', problem: '"colour" is not a parameter' },
    { line: '@ HTTPS 1 . mandatory=port alpn=h2', problem: 'parameter port is mandatory and missing' },
    { line: '@ HTTPS 1 . mandatory=mandatory', problem: 'not a list of parameters' },
    { line: '@ HTTPS 1 . no-default-alpn', problem: 'without alpn' },
    { line: '@ HTTPS 1 . alpn', problem: 'alpn needs a value' },
    { line: '@ HTTPS 1 . alpn=h2, no-default-alpn', problem: 'not a list of protocols' },
    { line: '@ HTTPS 1 . port=70000', problem: 'port "70000"' },
    { line: '@ HTTPS 1 . ipv4hint=x', problem: 'not an IPv4 address' },
    { line: '@ HTTPS 1 . ech=$$', problem: 'not base64' },
    { line: '@ HTTPS 1 . toString=1', problem: '"tostring" is not a parameter' },
    { line: 'x ANY 1', problem: 'a type for questions' },
    { line: 'x LOC 1', problem: 'cannot be written as text' },
    { line: 'x TYPE731 \\# 3 abcd', problem: 'do not match their length' },
    { line: 'x A \\# 4 c0000201', problem: 'A is written as text' },
    { line: 'x A ( 192.0.2.1 )', problem: 'a parenthesis' },
  ])('reports $line', ({ line, problem }) => {
    const { rrsets, faults } = parseLocalZone(ZONE, 300, ['ok A 192.0.2.1', line, 'too A 192.0.2.2']);
    expect(faults).toEqual([
      { index: 1, problem: expect.stringContaining(problem), instead: expect.stringMatching(/./) },
    ]);
    expect(rrsets.map(({ owner }) => nameText(owner))).toEqual([
      'corp.test',
      'ok.corp.test',
      'too.corp.test',
    ]);
  });

  test('reports a name with a CNAME and something else, and a second SOA', () => {
    const soa = '@ SOA a b 1 2 3 4 5';
    const { faults } = parseLocalZone(ZONE, 300, ['x CNAME y', 'x A 192.0.2.1', 'x CNAME z', soa, soa]);
    expect(faults.map(({ index, problem }) => [index, problem.split(': ')[1]])).toEqual([
      [1, 'x.corp.test has CNAME and A; a CNAME stands alone'],
      [2, 'x.corp.test has CNAME and CNAME; a CNAME stands alone'],
      [4, 'is a second SOA'],
    ]);
  });

  test('gathers RRsets, equal data once, the shortest TTL for all', () => {
    expect(parsed('x 60 A 192.0.2.1', 'X 30 A 192.0.2.2', 'x 90 A 192.0.2.1', 'x AAAA ::')).toEqual([
      'x.corp.test A 30: c0000201 c0000202',
      `x.corp.test AAAA 300: ${'0'.repeat(32)}`,
    ]);
  });

  test('passes over blank lines and comments', () => {
    expect(parsed('', '   ', '; note', 'x A 192.0.2.1')).toHaveLength(1);
  });

  test('makes an SOA when there is none, and keeps the one that is there', () => {
    const made = parseLocalZone(ZONE, 3600, []).rrsets;
    expect(made).toMatchObject([{ owner: ZONE, type: Rrtype.SOA, ttlSeconds: 300 }]);
    expect(Buffer.from(made[0].rdata[0]).toString('hex')).toBe(
      '04636f7270047465737400066e6f626f647907696e76616c6964000000000100000e10000004b000093a800000012c',
    );
    const kept = parseLocalZone(ZONE, 300, ['www A 192.0.2.1', '@ SOA . . 1 1h 10m 1w 60']).rrsets;
    expect(kept.map(({ type }) => type)).toEqual([Rrtype.SOA, Rrtype.A]);
    expect(Buffer.from(kept[0].rdata[0]).toString('hex')).toBe(
      '00000000000100000e1000000258000' + '93a800000003c',
    );
  });
});
