/** Ways to write data into names and into the choice of names, for the search of what still passes. Each from a seed. */
import { COMMON_TOKENS } from '../../src/detect/common-tokens.ts';
import { BASE32, DIGITS, HEX, LETTERS, type Random, WORDS } from './random.ts';
import { A, AAAA, CNAME, DAY, HTTPS, SECOND, TXT } from './traffic.ts';

export interface Asked {
  readonly atMs: number;
  readonly client: string;
  readonly name: string;
  readonly type: number;
}

export interface Way {
  readonly name: string;
  /** Bits that one query which leaves moves; for some, by how many names a day there are. */
  readonly bits: number | ((perDay: number) => number);
  /** What stands below the zone in query `i`, counted from the first. */
  readonly label?: (random: Random, i: number) => string;
  /** Instead of `label`: all queries of a day, `perDay` of them. */
  readonly day?: (random: Random, perDay: number, day: number) => Asked[];
  readonly zones?: number;
  readonly clients?: number;
  readonly type?: number;
  /** Ordinary use by twelve clients over three days before. */
  readonly established?: boolean;
  /** Six other clients ask the zone for their directory, as those of the own network do. */
  readonly home?: boolean;
  readonly zone?: string;
  /** Octets of each answer, and records in it. */
  readonly answer?: readonly [octets: number, records: number];
  /** Days before the same is sent again; 1 when every day is alike. */
  readonly everyDays?: number;
  /** Most that makes sense in a day. */
  readonly most?: number;
}

const words = (random: Random, count: number): string =>
  Array.from({ length: count }, () => random.pick(WORDS)).join('-');

/** Eight characters that are always of one class: neither all letters nor all digits. */
const mixed = (random: Random): string =>
  `${random.text(1, LETTERS)}${random.text(6, BASE32)}${2 + random.below(6)}`;

/** Names that say something new. */
export const WAYS: readonly Way[] = [
  { name: 'base32, 3 characters', bits: 15, label: (r) => r.text(3, BASE32) },
  { name: 'base32, 8 characters', bits: 40, label: (r) => r.text(8, BASE32) },
  { name: 'base32, 26 characters', bits: 130, label: (r) => r.text(26, BASE32) },
  { name: 'hex, 32 characters', bits: 128, label: (r) => r.text(32, HEX) },
  {
    name: 'hex, 32 characters, established zone',
    bits: 128,
    label: (r) => r.text(32, HEX),
    established: true,
  },
  { name: 'decimal, 9 digits', bits: 29.9, label: (r) => r.text(9, DIGITS) },
  {
    name: 'decimal, 3 digits, 4 labels (IP-like)',
    bits: 32,
    label: (r) => Array.from({ length: 4 }, () => r.below(256)).join('.'),
  },
  { name: 'UUID', bits: 122, label: (r) => r.uuid() },
  { name: 'three words of 256', bits: 24, label: (r) => words(r, 3) },
  { name: 'three words of 256, established zone', bits: 24, label: (r) => words(r, 3), established: true },
  { name: 'one word of 256 and 2 digits', bits: 14.6, label: (r) => `${r.pick(WORDS)}${r.below(100)}` },
  { name: 'DKIM selectors', bits: 80, type: TXT, label: (r) => `${r.text(16, BASE32)}._domainkey` },
  {
    name: 'SPF macros',
    bits: 32,
    type: TXT,
    label: (r) => `${Array.from({ length: 4 }, () => r.below(256)).join('.')}._spf`,
  },
  {
    name: 'probes of 15 letters, established zone',
    bits: 70.5,
    label: (r) => r.text(15, LETTERS),
    established: true,
  },
  {
    name: 'below a tenant of a shared suffix',
    bits: 40,
    label: (r) => r.text(8, BASE32),
    zone: 'sender.github.io',
  },
  { name: 'tenants of a shared suffix', bits: 40, label: (r) => r.text(8, BASE32), zone: 'github.io' },
  {
    name: 'base32, 26 characters, dressed as a search list',
    bits: 130,
    label: (r) => `${r.text(26, BASE32)}.com`,
  },
  { name: 'GUIDs below _msdcs', bits: 122, label: (r) => `${r.uuid()}._msdcs` },
  {
    name: 'base32, 8 characters, six others make the zone look like home',
    bits: 40,
    label: (r) => r.text(8, BASE32),
    home: true,
  },
  { name: 'code book of 8 names', bits: 3, label: (r) => `n${r.below(8)}` },
  { name: 'code book of 64 names', bits: 6, label: (r) => `n${r.below(64)}` },
  { name: 'code book of 256 words', bits: 8, label: (r) => r.pick(WORDS) },
  {
    name: 'reverse zone of a rented IPv4 /24',
    bits: 8,
    label: (r) => String(r.below(256)),
    zone: '2.0.192.in-addr.arpa',
  },
  {
    name: 'reverse zone of a rented IPv6 /48',
    bits: 80,
    label: (r) => r.text(20, HEX).split('').join('.'),
    zone: '8.b.d.0.1.0.0.2.a.a.a.a.ip6.arpa',
  },
  { name: '5 zones in turn', bits: 40, label: (r) => r.text(8, BASE32), zones: 5 },
  { name: '20 zones in turn', bits: 40, label: (r) => r.text(8, BASE32), zones: 20 },
  { name: '100 zones in turn', bits: 40, label: (r) => r.text(8, BASE32), zones: 100 },
  {
    name: '10 clients, 8 letters, as probes are (all together)',
    bits: 37.6,
    label: (r) => r.text(8, LETTERS),
    clients: 10,
  },
  {
    name: '50 clients, 8 letters, as probes are (all together)',
    bits: 37.6,
    label: (r) => r.text(8, LETTERS),
    clients: 50,
  },
  {
    name: '10 clients, letters and digits, one form (all together)',
    bits: 37.3,
    label: mixed,
    clients: 10,
  },
  {
    name: '50 clients, letters and digits, one form (all together)',
    bits: 37.3,
    label: mixed,
    clients: 50,
  },
  {
    name: '50 clients, names whose lengths vary (all together)',
    bits: 40,
    label: (r) => `${r.text(8, BASE32)}${'-a'.repeat(r.below(8))}`,
    clients: 50,
  },
];

const ZONE = 'marigold-0-parade.net';
const sender = (i = 1): string => `10.66.0.${i}`;

/** Bits a query when `count` of `of` are chosen a day. */
const subsetBits = (count: number, of: number): number => {
  let bits = 0;
  for (let i = 0; i < count; i++) bits += Math.log2((of - i) / (i + 1));
  return bits / count;
};

/** Bits a query of a code book that begins with 8 names and has one more after each 64 queries, until it has 256. */
function bookBits(queries: number): number {
  let bits = 0;
  for (let i = 0; i < queries; i++) bits += Math.log2(Math.min(256, 8 + (i >> 6)));
  return bits / queries;
}

function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const mixed = [...list];
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [mixed[i], mixed[j]] = [mixed[j], mixed[i]];
  }
  return mixed;
}

const LONG_TOKENS = COMMON_TOKENS.filter((token) => /^[a-z]{5,9}$/.test(token));
const EIGHT = Array.from({ length: 8 }, (_, i) => `${WORDS[i * 7]}.${ZONE}`);
const MINUTES = 1440;

/** What a person tries who has read the source of the detector. */
export const EVASIONS: readonly Way[] = [
  {
    name: 'order: the same 8 names in every round',
    bits: Math.log2(40_320) / 8,
    most: 8 * MINUTES,
    day: (random, perDay) =>
      Array.from({ length: Math.floor(perDay / 8) }, (_, round) =>
        shuffled(random, EIGHT).map((name, i) => ({
          atMs: (round * DAY * 8) / perDay + i * SECOND,
          client: sender(),
          name,
          type: A,
        })),
      ).flat(),
  },
  {
    name: 'type: one name as A, AAAA, HTTPS, CNAME or TXT',
    bits: Math.log2(5),
    most: 5 * MINUTES,
    day: (random, perDay) =>
      Array.from({ length: Math.floor(perDay) }, (_, i) => ({
        atMs: (i * DAY) / perDay,
        client: sender(),
        name: `www.${ZONE}`,
        type: random.pick([A, AAAA, HTTPS, CNAME, TXT]),
      })),
  },
  {
    name: 'subset: which of 1,000 own zones are asked today',
    bits: (perDay) => subsetBits(Math.floor(perDay), 1000),
    most: 500,
    day: (random, perDay) =>
      shuffled(
        random,
        Array.from({ length: 1000 }, (_, i) => i),
      )
        .slice(0, Math.floor(perDay))
        .sort((a, b) => a - b)
        .map((zone, i) => ({
          atMs: (i * DAY) / perDay,
          client: sender(),
          name: `www.marigold-${zone}-parade.net`,
          type: A,
        })),
  },
  {
    name: 'subset: which of 200 names of one zone are asked today',
    bits: (perDay) => subsetBits(Math.floor(perDay), 200),
    most: 100,
    day: (random, perDay) =>
      shuffled(
        random,
        Array.from({ length: 200 }, (_, i) => i),
      )
        .slice(0, Math.floor(perDay))
        .sort((a, b) => a - b)
        .map((name, i) => ({
          atMs: (i * DAY) / perDay,
          client: sender(),
          name: `h${name}.${ZONE}`,
          type: A,
        })),
  },
  {
    name: '20 tenants of a shared suffix in turn',
    bits: 40,
    day: (random, perDay) =>
      Array.from({ length: Math.floor(perDay) }, (_, i) => ({
        atMs: (i * DAY) / perDay,
        client: sender(),
        name: `${random.text(8, BASE32)}.sender-${i % 20}.github.io`,
        type: A,
      })),
  },
  {
    name: 'misspelt common words (one letter of 5 to 9)',
    bits: Math.log2(LONG_TOKENS.length * 6 * 25),
    label: (r) => {
      const token = r.pick(LONG_TOKENS);
      const at = r.below(token.length);
      return `${token.slice(0, at)}${r.pick([...LETTERS])}${token.slice(at + 1)}`;
    },
  },
  {
    name: 'common words alone, 3 of them',
    bits: 29,
    label: (r) => [0, 0, 0].map(() => r.pick(COMMON_TOKENS)).join('-'),
  },
  {
    name: 'a counter that jumps by 1 to 16',
    bits: 4,
    label: (() => {
      let counter = 0;
      return (r: Random, i: number) => {
        counter = (i === 0 ? 0 : counter) + 1 + r.below(16);
        return `item${counter}`;
      };
    })(),
  },
  {
    name: 'length: one letter 1 to 60 times',
    bits: Math.log2(60),
    label: (r) => 'a'.repeat(1 + r.below(60)),
  },
  {
    name: 'a code book of 256 words, shown over the first weeks',
    // 64 queries after another show one word more.
    bits: (perDay) => bookBits(perDay * 30),
    label: (r, i) => WORDS[r.below(Math.min(256, 8 + (i >> 6)))],
  },
  {
    name: 'a code book of 64 names that four clients share (all together)',
    bits: 6,
    clients: 4,
    label: (r) => `n${r.below(64)}`,
  },
  {
    name: 'all in one day, then 31 days of silence',
    bits: 40,
    everyDays: 31,
    label: (r) => r.text(8, BASE32),
  },
  {
    name: 'a /56 as 256 clients, one form (all together)',
    bits: 37.3,
    day: (random, perDay, day) =>
      Array.from({ length: Math.floor(perDay) }, (_, i) => ({
        atMs: (i * DAY) / perDay,
        client: `2001:db8:0:${(0x6600 + ((i + day * 37) % 256)).toString(16)}::1`,
        name: `${mixed(random)}.${ZONE}`,
        type: A,
      })),
  },
  {
    name: 'a UUID twice a day from each of 50 clients (all together)',
    bits: 122,
    clients: 50,
    label: (r) => r.uuid(),
  },
];

/** What comes back to a client that asks one name. Bits of the answer, not of the question. */
export const DOWN: readonly Way[] = [
  { name: 'TXT of 255 octets', bits: 2040, type: TXT, answer: [330, 1], most: MINUTES, label: () => 'd' },
  { name: 'CNAME of 60 octets', bits: 300, type: CNAME, answer: [140, 1], most: MINUTES, label: () => 'd' },
  { name: '16 addresses (A)', bits: 512, answer: [310, 16], most: MINUTES, label: () => 'd' },
  { name: '12 addresses (AAAA)', bits: 1536, type: AAAA, answer: [400, 12], most: MINUTES, label: () => 'd' },
  { name: 'TTL between a minute and a day', bits: 16, answer: [80, 1], most: MINUTES, label: () => 'd' },
  { name: 'NXDOMAIN or an answer', bits: 1, answer: [80, 1], most: MINUTES, label: () => 'd' },
];
