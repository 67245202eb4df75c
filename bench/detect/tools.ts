/**
 * Tunnels, implants and thieves by name, as their queries are described by who has taken them apart: what stands in front
 * of the zone, in which types, at what pace. Each sender has its own session, and a zone of one to four labels.
 *
 * A generator is no recording: what the live tests do with iodine and dns2tcp themselves counts more.
 */
import type { Channel } from './channels.ts';
import { BASE32, BASE36, BASE64URL, DIGITS, HEX, LETTERS, type Random, WORDS } from './random.ts';
import { A, AAAA, CNAME, type Made, MINUTE, MX, NULL, SECOND, TXT } from './traffic.ts';

/** What stands in front of the zone, and the octets of data in it. */
type Said = readonly [labels: string, octets: number];

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
/** Labels between the registrable domain and the tool's names. */
const DEPTHS = ['', '', 't.', 'ns1.', 'eu.cdn.', 'v2.us-east.edge.'];

const cut = (text: string, length: number): string =>
  (text.match(new RegExp(`.{1,${length}}`, 'g')) ?? []).join('.');

/** `begin` makes a session of its own and returns what its query `i` says; `paceMs` between them, now shorter, now longer. */
const tool = (
  name: string,
  paceMs: number,
  types: readonly number[],
  begin: (random: Random) => (i: number) => Said,
  count = 80,
): Channel => ({
  name,
  kind: 'loud',
  make(random, domains, startMs) {
    const say = begin(random);
    const depth = random.pick(DEPTHS);
    const made: Made[] = [];
    let at = startMs;
    for (let i = 0; i < count; i++) {
      const [labels, payload] = say(i);
      const zone = `${depth}${domains[i % domains.length]}`;
      made.push({
        atMs: at,
        client: '10.66.0.1',
        name: `${labels}.${zone}`,
        type: random.pick(types),
        rcode: 0,
        octets: 100,
        payload,
      });
      at += paceMs * (0.7 + 0.6 * random.unit());
    }
    return made;
  },
});

/** Random octets in hex, so many. */
const hex = (r: Random, octets: number): string => r.text(2 * octets, HEX);
const base32 = (r: Random, octets: number): string => r.text(Math.ceil(octets * 1.6), BASE32);

/** Tools that move data, or ask for orders, as fast as they are set up to. */
export const TOOLS: readonly Channel[] = [
  tool('iodine: login, Base32, A', 30, [A], (r) => {
    const user = r.text(1, HEX);
    return (i) =>
      i < 2
        ? [`yr${r.text(4, BASE32)}`, 2]
        : i === 2
          ? [`vaaaakat${r.text(4, BASE32)}`, 4]
          : i === 3
            ? [`l${r.text(31, BASE32)}`, 17]
            : [cut(`${user}${r.text(4, BASE32)}${base32(r, 60)}`, 57), 60];
  }),
  tool('dnscat2: encrypted session', SECOND, [TXT, CNAME, MX], (r) => {
    const session = hex(r, 2);
    return (i) => [
      cut(`${hex(r, 2)}0${i === 0 ? '3' : '1'}${session}${hex(r, i === 0 ? 68 : r.between(12, 60))}`, 60),
      i === 0 ? 66 : 20,
    ];
  }),
  tool('dnscat2 over A and AAAA', SECOND, [A, AAAA], (r) => {
    const session = hex(r, 2);
    return () => [cut(`${hex(r, 2)}01${session}${hex(r, r.between(12, 40))}`, 60), 20];
  }),
  tool('dnstt: polls and data', 40, [TXT], (r) => {
    const client = r.text(13, BASE32);
    return () => {
      const octets = r.pick([8, 120]);
      return [cut(`${client}${base32(r, octets)}`, 63), octets];
    };
  }),
  tool('DNSExfiltrator', 200, [TXT], (r) => (i) => [
    i === 0 ? `init.${base32(r, 14)}` : `${i}.${cut(r.text(120, BASE64URL).replaceAll('_', 'x'), 60)}`,
    i === 0 ? 14 : 90,
  ]),
  tool('dnsteal', 100, [A], (r) => () => [
    `${[0, 1, 2].map(() => `${r.text(48, BASE64URL).replaceAll('_', '-')}-`).join('.')}.report.pdf-`,
    108,
  ]),
  tool('OzymanDNS, upload', 100, [TXT], (r) => {
    const id = r.below(65_000);
    return (i) => [`${cut(base32(r, 110), 63)}.${i}.id-${id}.up`, 110];
  }),
  tool('Heyoka', 200, [TXT, NULL], (r) => () => [cut(base32(r, r.between(50, 100)), 60), 70]),
  tool('Cobalt Strike: beacon and posts', 200, [A], (r) => {
    const session = hex(r, 4);
    return (i) =>
      i === 0
        ? [session, 4]
        : [
            `${r.pick(['post', 'www', 'api', 'cdn'])}.1${hex(r, 28)}.${hex(r, 20)}.${i}${hex(r, 3)}.${session}`,
            48,
          ];
  }),
  tool('Cobalt Strike: beacon without orders', MINUTE, [A, AAAA, TXT], (r) => {
    const session = hex(r, 4);
    return () => [`${r.pick(['www', 'api', 'cdn'])}.0${r.text(7, HEX)}.${session}`, 3];
  }),
  tool('Sliver: Base32', 300, [A, TXT], (r) => () => {
    const octets = r.pick([18, 100]);
    return [cut(base32(r, octets), 63), octets];
  }),
  tool('Sliver: Base58', 300, [A, TXT], (r) => () => {
    const length = r.pick([28, 160]);
    return [cut(r.text(length, BASE58), 63), length * 0.73];
  }),
  tool('godoh', 100, [A], (r) => {
    const id = hex(r, 2);
    return (i) => [`${id}.ef.${i}.${hex(r, 4)}.1.3.${hex(r, 30)}.${hex(r, 30)}.${hex(r, 25)}`, 85];
  }),
  tool('Chashell', 200, [TXT], (r) => () => [cut(hex(r, 56), 63), 56]),
  tool('Pupy', SECOND, [A], (r) => () => [base32(r, 24), 24]),
  tool('Decoy Dog', 20 * SECOND, [A], (r) => () => [`${r.text(12, BASE32)}9.${r.text(4, BASE32)}9`, 9]),
  tool('Saitama', 50 * SECOND, [A], (r) => () => [r.text(r.pick([11, 16, 30]), BASE36), 10]),
  tool('Symbiote', 500, [A], (r) => {
    const machine = hex(r, 3);
    return (i) => [`${base32(r, 25)}.${i}.${machine}`, 25];
  }),
  tool('WEASEL', SECOND, [AAAA], (r) => () => [cut(base32(r, r.between(12, 60)), 40), 36]),
  tool('RogueRobin', SECOND, [A, AAAA, CNAME, MX, TXT], (r) => {
    const id = r.text(4, 'ghijkl');
    return () => [`${id}-${r.text(20, 'abcdefghijklmnop')}`, 10];
  }),
  tool('Glimpse, BondUpdater', 700, [A, TXT], (r) => {
    const id = r.text(4, HEX);
    return (i) => [
      `${id}${String(i).padStart(3, '0')}${r.text(3, DIGITS)}${hex(r, 22)}C${10 + r.below(89)}T`,
      22,
    ];
  }),
  tool('DNSpionage', 5 * SECOND, [A], (r) => () => [
    `${r.text(4, BASE64URL).replace(/[-_]/g, 'Q')}.${r.text(18, BASE64URL).replace(/[-_]/g, 'Q')}`,
    13,
  ]),
  tool('ALMA Communicator', 500, [A], (r) => {
    const id = r.text(4, DIGITS);
    return (i) => [`${r.text(4, HEX)}-ID-${id}-${i}-${hex(r, 10)}.prv`, 10];
  }),
  tool('pisloader', 5 * SECOND, [TXT], (r) => () => [
    `${r.text(4, LETTERS)}${base32(r, 20)}`.toUpperCase(),
    20,
  ]),
  tool('Multigrain', 5 * MINUTE, [A], (r) => (i) => [
    i === 0 ? `install.${base32(r, 20)}` : `log.${cut(base32(r, 100), 60)}`,
    i === 0 ? 20 : 100,
  ]),
  tool('UDPoS', SECOND, [A], (r) => {
    const id = r.text(15, HEX);
    return (i) => [`${id}.${i === 0 ? 'bin' : 'trp'}.${cut(hex(r, 36), 60)}`, 36];
  }),
  tool('FrameworkPOS', MINUTE, [A], (r) => {
    const id = hex(r, 4);
    return () => [`${id}.grp.${hex(r, 18)}`, 18];
  }),
  tool('AlinaPOS', 5 * MINUTE, [A], (r) => () => [cut(hex(r, 44), 60), 24]),
  tool('Denis', 2 * SECOND, [NULL], (r) => () => [
    `${cut(r.text(110, BASE64URL).replaceAll('_', 'A'), 60)}.z`,
    80,
  ]),
  tool('Snugy', 5 * SECOND, [A], (r) => {
    const id = r.text(6, DIGITS);
    return () => [`${id}${hex(r, 16)}.shell`, 16];
  }),
  tool('QUADAGENT', SECOND, [AAAA], (r) => {
    const id = hex(r, 5);
    return (i) =>
      i < 2 ? [`${r.pick(['mail', 'ns1', 'ns2'])}.${id}${r.below(99)}`, 5] : [`${hex(r, 25)}.${i}.${id}`, 25];
  }),
  tool('slipstream', 5, [TXT], (r) => () => [cut(base32(r, 120), 57), 120]),
  tool('SUNBURST: one name below a region', 50 * MINUTE, [A], (r) => {
    const machine = r.text(15, BASE36);
    return () => [
      `${machine}${r.text(r.between(10, 17), BASE36)}.appsync-api.${r.pick(['eu-west-1', 'us-east-1', 'us-west-2'])}`,
      9,
    ];
  }),
];

/** The same by hand, in letters that look like something else. */
export const BY_HAND: readonly Channel[] = [
  tool('loop: text in hex, 8 octets', 150, [A], (r) => () => [hex(r, 8), 8]),
  tool('loop: Base36 of 20 octets', 300, [A], (r) => () => [r.text(31, BASE36), 20]),
  tool('loop: octets as decimals, 6', 500, [A], (r) => () => [
    Array.from({ length: 6 }, () => r.below(256)).join('-'),
    6,
  ]),
  tool('loop: as MAC addresses', 500, [A], (r) => () => [
    Array.from({ length: 6 }, () => hex(r, 1)).join('-'),
    6,
  ]),
  tool('loop: as host names', 500, [A], (r) => () => [`web-${hex(r, 3)}.prod-${r.below(99)}`, 4]),
  tool('loop: as service labels', 500, [A], (r) => () => [`_${r.text(14, BASE36)}._tcp`, 9]),
  tool('loop: as international labels', 500, [A], (r) => () => [
    `xn--${r.text(10, LETTERS)}-${r.text(8, BASE36)}`,
    11,
  ]),
  tool('loop: a nibble a label', 500, [A], (r) => () => [[...hex(r, 10)].join('.'), 10]),
  tool('loop: five words', 500, [A], (r) => () => [
    Array.from({ length: 5 }, () => r.pick(WORDS)).join('-'),
    5,
  ]),
  tool('loop: a fixed beginning and 16 characters', 500, [A], (r) => () => [
    `api-gateway-internal-eu-${base32(r, 10)}`,
    10,
  ]),
];
