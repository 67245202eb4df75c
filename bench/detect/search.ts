/**
 * What a sender who knows every rule can still move: for each way of writing, the highest steady rate that stays without a
 * verdict for 30 days, by bisection. `node …/bench/detect/search.js [--seed N]`
 */
import { HuntSession } from '../../src/cli/hunt-session.ts';
import { history } from './channels.ts';
import { BASE32, DIGITS, HEX, LETTERS, Random, WORDS } from './random.ts';
import { A, DAY, type Made, START, TXT } from './traffic.ts';

const at = process.argv.indexOf('--seed');
const seed = at < 0 ? 1 : Number(process.argv[at + 1]);
const DAYS = 30;
const BEGIN = START + 4 * DAY;

interface Way {
  readonly name: string;
  /** Bits one name moves. */
  readonly bits: number;
  readonly label: (random: Random, i: number) => string;
  readonly zones?: number;
  readonly clients?: number;
  readonly type?: number;
  /** Ordinary use by twelve clients over three days before. */
  readonly established?: boolean;
  readonly zone?: string;
}

const words = (random: Random, count: number): string =>
  Array.from({ length: count }, () => random.pick(WORDS)).join('-');

const WAYS: readonly Way[] = [
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
  { name: '10 clients, one zone (all together)', bits: 40, label: (r) => r.text(8, BASE32), clients: 10 },
  { name: '50 clients, one zone (all together)', bits: 40, label: (r) => r.text(8, BASE32), clients: 50 },
  {
    name: '50 clients, one zone, lengths vary (all together)',
    bits: 40,
    label: (r) => `${r.text(8, BASE32)}${'-a'.repeat(r.below(8))}`,
    clients: 50,
  },
];

/** Queries that leave within 30 days when `perDay` names a day are asked; −1 when there is a verdict. */
function leaving(way: Way, perDay: number): number {
  const random = new Random(seed * 31 + way.name.length);
  let verdicts = 0;
  const session = new HuntSession({
    profile: 'default',
    onVerdict: (verdict) => {
      if (verdict.client.startsWith('10.66.')) verdicts++;
    },
  });
  const zones = Array.from({ length: way.zones ?? 1 }, (_, i) => way.zone ?? `marigold-${i}-parade.net`);
  const traffic: Made[] = way.established === true ? history(random, zones[0], BEGIN) : [];
  traffic.sort((a, b) => a.atMs - b.atMs);
  for (const made of traffic) session.feed({ ...made, distinctAnswers: 1, line: 0, file: '' });
  const before = session.forwardedQueries;
  const count = Math.floor(perDay * DAYS);
  for (let i = 0; i < count && verdicts === 0; i++) {
    session.feed({
      atMs: BEGIN + (i * DAY) / perDay,
      client: `10.66.0.${i % (way.clients ?? 1)}`,
      name: `${way.label(random, i)}.${zones[i % zones.length]}`,
      type: way.type ?? A,
      rcode: 0,
      octets: 90,
      distinctAnswers: 1,
      line: 0,
      file: '',
    });
  }
  return verdicts === 0 ? session.forwardedQueries - before : -1;
}

const onlyAt = process.argv.indexOf('--only');
const only = onlyAt < 0 ? '' : process.argv[onlyAt + 1];
console.log(
  `seed ${seed}; ${DAYS} days\n\n${'way of writing'.padEnd(52)} names/day  octets/day  octets in 30 days`,
);
for (const way of WAYS.filter(({ name }) => name.includes(only))) {
  let low = 0;
  let left = 0;
  let high = 20_000;
  for (let step = 0; step < 14 && high - low > 0.02 * high + 0.05; step++) {
    const middle = low === 0 ? high / 4 : Math.sqrt(low * high);
    if (middle * DAYS < 1) break;
    const now = leaving(way, middle);
    if (now >= 0) {
      low = middle;
      left = now;
    } else high = middle;
  }
  const octets = (left * way.bits) / 8 / DAYS;
  console.log(
    `${way.name.padEnd(52)} ${low.toFixed(1).padStart(9)} ${octets.toFixed(0).padStart(11)} ${(octets * DAYS).toFixed(0).padStart(18)}`,
  );
}
