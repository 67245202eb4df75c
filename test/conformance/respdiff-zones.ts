/** Zones with odd things in them, for named to serve. */

const SOA = '@ 300 IN SOA ns.example.com. host.example.com. 1 3600 600 86400 60';
const rows = (count: number, row: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => row(i)).join('\n');
/** `count` strings of 255 octets. */
const strings = (count: number): string =>
  rows(count, (i) => `"${String.fromCharCode(97 + (i % 26)).repeat(255)}"`).replaceAll('\n', ' ');

const ODD = String.raw`
$TTL 300
@ NS ns
ns A 192.0.2.53
@ A 192.0.2.1
@ AAAA 2001:db8::1
@ MX 10 mail
@ MX 20 mail.example.net.
@ TXT "v=spf1 -all" "second string"
@ CAA 0 issue "ca.example.net"
www A 192.0.2.10
www AAAA 2001:db8::10
mail A 192.0.2.25
UPPER A 192.0.2.11
zero 0 A 192.0.2.12
huge 2147483647 A 192.0.2.13
day 200000 A 192.0.2.14
short 5 TXT "five seconds"
c1 CNAME c2
c2 CNAME c3
c3 CNAME c4
c4 CNAME c5
c5 CNAME c6
c6 CNAME c7
c7 CNAME c8
c8 CNAME www
ttls 100 CNAME ttls2
ttls2 20 CNAME www
out CNAME www.example.net.
out2 CNAME out.example.net.
dangling CNAME nothing
dangling-out CNAME nothing.example.net.
nodata CNAME mail
loop1 CNAME loop2
loop2 CNAME loop1
self CNAME self
*.wild A 192.0.2.20
*.wild TXT "wild"
exact.wild TXT "not wild"
*.wildalias CNAME www
*.wildchain CNAME a.wild
a.b.ent A 192.0.2.21
dname DNAME example.net.
deep.dname2 DNAME dname2.example.net.
www.dname3 A 192.0.2.22
bintxt TXT "\000\001\255\128" "" "quote\"d" "back\\slash"
emptytxt TXT ""
svc SVCB 1 www alpn=h2,h3 port=8443 ipv4hint=192.0.2.10 ipv6hint=2001:db8::10
svc HTTPS 1 . alpn=h2
alias HTTPS 0 www
ech HTTPS 2 www mandatory=alpn alpn=h2 key65400="private"
self-svc SVCB 1 .
_sip._tcp SRV 0 5 5060 www
_sip._tcp SRV 1 5 5060 .
_dmarc TXT "v=DMARC1; p=none"
_443._tcp.www TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
typ TYPE65280 \# 4 0a000001
typ TYPE731 \# 0
typ TYPE65280 \# 6 0a0000020304
naptr NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .
host HINFO "PDP-11" "UNIX"
rp RP mailbox.example.com. text.example.com.
sshfp SSHFP 4 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
uri URI 10 1 "https://example.com/"
loc LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
ptr PTR www.example.net.
kx KX 10 www
afs AFSDB 1 www
spf SPF "v=spf1 -all"
cds CDS 12345 13 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
eui EUI48 00-00-5e-00-53-2a
esc\.aped A 192.0.2.30
sp\032ace A 192.0.2.31
\000\255 A 192.0.2.32
under_score A 192.0.2.33
-hyphen- A 192.0.2.34
xn--bcher-kva A 192.0.2.35
1234 A 192.0.2.36
`;

export const ZONES: Readonly<Record<string, string>> = {
  '.': `$TTL 300\n${SOA}\n@ NS ns.example.com.\nns.example.com. A 192.0.2.53\n`,
  'example.net': `$TTL 300
${SOA}
@ NS ns.example.com.
@ A 192.0.2.101
www A 192.0.2.102
out CNAME www.example.com.
*.dname2 A 192.0.2.103
mail A 192.0.2.104
`,
  'signed.test.example': `$TTL 300
${SOA}
@ NS ns.example.com.
@ A 192.0.2.110
www A 192.0.2.111
alias CNAME www
*.wild A 192.0.2.112
a.ent A 192.0.2.113
`,
  'example.com': `${SOA}${ODD}
${rows(28, (i) => `few A 192.0.2.${i + 100}`)}
${rows(100, (i) => `many A 198.51.100.${i + 1}`)}
${rows(40, (i) => `many AAAA 2001:db8::${i + 1}`)}
${rows(10, (i) => `l${i} CNAME l${i + 1}`)}
l10 A 192.0.2.40
${rows(20, (i) => `toolong${i} CNAME toolong${i + 1}`)}
toolong20 A 192.0.2.41
fits TXT ${strings(4)}
big TXT ${strings(12)}
bigger TXT ${strings(60)}
${'x'.repeat(63)} A 192.0.2.42
${'x'.repeat(63)}.${'y'.repeat(63)}.${'z'.repeat(63)}.${'w'.repeat(49)} A 192.0.2.43
${rows(110, () => 'a').replaceAll('\n', '.')} A 192.0.2.44
`,
};

/** Signed when the server starts. */
export const SIGNED = ['signed.test.example'];

const below = (zone: string, ...owners: string[]): string[] => owners.map((owner) => `${owner}.${zone}`);

export const NAMES: readonly string[] = [
  '.',
  'com',
  'nothing',
  'example.com',
  'example.net',
  ...below(
    'example.com',
    ...'www mail ns UPPER zero huge day short c1 c4 c8 ttls out out2 dangling dangling-out nodata loop1 self'.split(
      ' ',
    ),
    ...'x.wild y.x.wild wild *.wild exact.wild a.exact.wild q.wildalias q.wildchain wildalias'.split(' '),
    ...'ent b.ent a.b.ent x.b.ent nothing a.b.c.d.nothing'.split(' '),
    ...'dname www.dname x.y.dname deep.dname2 q.deep.dname2 dname2'.split(' '),
    ...'bintxt emptytxt svc alias ech self-svc _sip._tcp _tcp _dmarc _443._tcp.www'.split(' '),
    ...'typ naptr host rp sshfp uri loc ptr kx afs spf cds eui under_score -hyphen- xn--bcher-kva 1234'.split(
      ' ',
    ),
    ...'few many l0 l5 toolong0 toolong12 fits big bigger'.split(' '),
    'esc\\.aped',
    'esc.aped',
    'sp\\032ace',
    '\\000\\255',
    'x'.repeat(63),
    `${'x'.repeat(63)}.${'y'.repeat(63)}.${'z'.repeat(63)}.${'w'.repeat(49)}`,
    Array.from({ length: 110 }, () => 'a').join('.'),
  ),
  ...below('example.net', 'www', 'out', 'x.dname2', 'nothing'),
  'signed.test.example',
  ...below('signed.test.example', 'www', 'alias', 'x.wild', 'ent', 'a.ent', 'nothing', 'a.b.nothing'),
];
