/**
 * Ways to carry data out (or in) through names, each made from a seed. `loud` ones move a file as fast as they can; the
 * others try to stay unnoticed. Every sender has endless data: only the detector ends a transfer.
 */
import { BASE32, BASE36, BASE64URL, DIGITS, HEX, LETTERS, type Random, WORDS } from './random.ts';
import { A, AAAA, CNAME, DAY, HOUR, type Made, MINUTE, MX, NULL, SECOND, START, TXT } from './traffic.ts';

export interface Channel {
  readonly name: string;
  readonly kind: 'loud' | 'slow' | 'download';
  make(random: Random, domains: readonly string[], startMs: number): Made[];
}

interface Plan {
  readonly count: number;
  readonly everyMs: number;
  readonly clients?: number;
  readonly type?: number | readonly number[];
  readonly rcode?: number;
  readonly octets?: number;
  readonly jitter?: number;
}

/** A channel that sends `label(i)` below its domain, one after the other. `bits`: what one name moves. */
const simple = (
  kind: Channel['kind'],
  name: string,
  plan: Plan,
  bits: number,
  label: (random: Random, i: number) => string,
): Channel => ({
  name,
  kind,
  make(random, domains, startMs) {
    const made: Made[] = [];
    let at = startMs;
    const clients = Array.from({ length: plan.clients ?? 1 }, (_, i) => `10.66.${i >> 8}.${(i & 255) + 1}`);
    for (let i = 0; i < plan.count; i++) {
      at += plan.everyMs * (1 + (plan.jitter ?? 0.2) * (random.unit() - 0.5));
      const types = plan.type ?? A;
      made.push({
        atMs: at,
        client: clients[i % clients.length],
        name: `${label(random, i)}.${domains[i % domains.length]}`,
        type: typeof types === 'number' ? types : random.pick(types),
        rcode: plan.rcode ?? 0,
        octets: plan.octets ?? 120,
        payload: bits / 8,
      });
    }
    return made;
  },
});

const split = (text: string, length: number): string =>
  (text.match(new RegExp(`.{1,${length}}`, 'g')) ?? []).join('.');

const english = (random: Random, words: number): string =>
  Array.from({ length: words }, () => random.pick(WORDS)).join('-');

const month = (everyMs: number): number => Math.floor((10 * DAY) / everyMs);

export const LOUD: readonly Channel[] = [
  simple(
    'loud',
    'dnstt-like: base32, 4 labels, TXT',
    { count: 400, everyMs: 5, type: TXT, octets: 900 },
    1100,
    (r) => split(r.text(220, BASE32), 63),
  ),
  simple(
    'loud',
    'iodine-like: base32, NULL',
    { count: 400, everyMs: 30, type: NULL, octets: 700 },
    900,
    (r, i) => split(`0${BASE32[i & 31]}${r.text(180, BASE32)}`, 57),
  ),
  simple(
    'loud',
    'iodine-like: base64url, CNAME',
    { count: 400, everyMs: 30, type: CNAME, octets: 300 },
    600,
    (r) => split(r.text(100, BASE64URL).replaceAll('_', 'z'), 57),
  ),
  simple(
    'loud',
    'dnscat2-like: hex, A/AAAA/CNAME/MX/TXT',
    { count: 300, everyMs: 1000, type: [A, AAAA, CNAME, MX, TXT] },
    200,
    (r) => split(r.text(18 + r.below(80), HEX), 60),
  ),
  simple(
    'loud',
    'dnscat2-like idle: 18 hex',
    { count: 300, everyMs: 1000, type: [TXT, CNAME, MX] },
    64,
    (r) => `${r.text(4, HEX)}01${r.text(12, HEX)}`,
  ),
  simple('loud', 'xxd loop: 30 octets a label', { count: 300, everyMs: 50, rcode: 3 }, 240, (r) =>
    r.text(60, HEX),
  ),
  simple(
    'loud',
    'base64 loop with counter',
    { count: 300, everyMs: 100, rcode: 3 },
    240,
    (r, i) => `${i}.${r.text(40, BASE64URL).replaceAll('_', 'q').replaceAll('-', 'w')}`,
  ),
  simple(
    'loud',
    'DNSExfiltrator-like: counter and base32',
    { count: 300, everyMs: 200, type: TXT },
    640,
    (r, i) => `${i}.${split(r.text(128, BASE32), 60)}`,
  ),
  simple(
    'loud',
    'WEASEL-like: AAAA, 3 labels base32',
    { count: 300, everyMs: 100, type: AAAA },
    320,
    (r) => `${r.text(8, BASE32)}.${split(r.text(56, BASE32), 28)}`,
  ),
  simple(
    'loud',
    'Symbiote-like: hex key and user',
    { count: 30, everyMs: 300, type: A, rcode: 3 },
    200,
    (r, i) => `${i}.${r.text(8, HEX)}.${r.text(50, HEX)}`,
  ),
  simple('loud', 'base32 of 20 characters, 5 a second', { count: 600, everyMs: 200 }, 100, (r) =>
    r.text(20, BASE32),
  ),
  simple('loud', 'base32 of 32 characters, 1 a second', { count: 600, everyMs: 1000 }, 160, (r) =>
    r.text(32, BASE32),
  ),
  simple('loud', 'hex of 32 characters, 2 a second', { count: 600, everyMs: 500 }, 128, (r) =>
    r.text(32, HEX),
  ),
  simple('loud', 'hex of 16 characters, 4 labels', { count: 600, everyMs: 500 }, 256, (r) =>
    split(r.text(64, HEX), 16),
  ),
  simple('loud', 'decimal: 60 digits', { count: 600, everyMs: 500 }, 199, (r) => r.text(60, DIGITS)),
  simple('loud', 'plain sentences, 8 words', { count: 300, everyMs: 1000 }, 64, (r) => english(r, 8)),
];

export const SLOW: readonly Channel[] = [
  simple(
    'slow',
    '16 octets hex every 5 minutes',
    { count: month(5 * MINUTE), everyMs: 5 * MINUTE },
    128,
    (r) => r.text(32, HEX),
  ),
  simple(
    'slow',
    '16 octets base32 every 30 minutes',
    { count: month(30 * MINUTE), everyMs: 30 * MINUTE },
    128,
    (r) => r.text(26, BASE32),
  ),
  simple('slow', '16 octets base32 every 2 hours', { count: month(2 * HOUR), everyMs: 2 * HOUR }, 128, (r) =>
    r.text(26, BASE32),
  ),
  simple(
    'slow',
    'Saitama-like: 6 letters every 10 minutes',
    { count: month(10 * MINUTE), everyMs: 10 * MINUTE, jitter: 1 },
    28,
    (r) => r.text(6, BASE36),
  ),
  simple('slow', '8 characters every minute', { count: month(MINUTE), everyMs: MINUTE }, 40, (r) =>
    r.text(8, BASE32),
  ),
  simple(
    'slow',
    'words: three of 256, every 2 minutes',
    { count: month(2 * MINUTE), everyMs: 2 * MINUTE },
    24,
    (r) => english(r, 3),
  ),
  simple(
    'slow',
    'words as labels: one of 256, every minute',
    { count: month(MINUTE), everyMs: MINUTE },
    16,
    (r) => `${r.pick(WORDS)}.${r.pick(WORDS)}`,
  ),
  simple(
    'slow',
    'questions in plain text, every 10 minutes',
    { count: month(10 * MINUTE), everyMs: 10 * MINUTE, type: A },
    56,
    (r) => english(r, 7),
  ),
  simple('slow', 'short labels: 4 characters a second', { count: 40_000, everyMs: SECOND }, 20, (r) =>
    r.text(4, BASE32),
  ),
  simple(
    'slow',
    'counters and decimal: 9 digits a minute',
    { count: month(MINUTE), everyMs: MINUTE },
    30,
    (r, i) => `${i}.${r.text(9, DIGITS)}`,
  ),
  simple(
    'slow',
    'IP-like: four decimal octets every 2 minutes',
    { count: month(2 * MINUTE), everyMs: 2 * MINUTE },
    32,
    (r) => Array.from({ length: 4 }, () => r.below(256)).join('.'),
  ),
  simple(
    'slow',
    'dashed IP-like every 2 minutes',
    { count: month(2 * MINUTE), everyMs: 2 * MINUTE },
    32,
    (r) => `ip-${Array.from({ length: 4 }, () => r.below(256)).join('-')}`,
  ),
  simple(
    'slow',
    'UUID-like every 10 minutes',
    { count: month(10 * MINUTE), everyMs: 10 * MINUTE },
    122,
    (r) => r.uuid(),
  ),
  simple(
    'slow',
    'CDN-like: d + 13 characters every 5 minutes',
    { count: month(5 * MINUTE), everyMs: 5 * MINUTE },
    67,
    (r) => `d${r.text(13, BASE36)}.cdn`,
  ),
  simple(
    'slow',
    'DKIM-like: selector and _domainkey, TXT',
    { count: month(5 * MINUTE), everyMs: 5 * MINUTE, type: TXT },
    80,
    (r) => `${r.text(16, BASE32)}._domainkey`,
  ),
  simple(
    'slow',
    'ACME-like: _acme-challenge and a label, TXT',
    { count: month(5 * MINUTE), everyMs: 5 * MINUTE, type: TXT },
    80,
    (r) => `_acme-challenge.${r.text(16, BASE32)}`,
  ),
  simple(
    'slow',
    'AV-like: fixed suffix a.j and base32',
    { count: month(5 * MINUTE), everyMs: 5 * MINUTE },
    120,
    (r) => `${r.text(26, BASE32)}.a.j`,
  ),
  simple(
    'slow',
    'type-coded: one of 8 types and 3 characters',
    { count: month(MINUTE), everyMs: MINUTE, type: [A, AAAA, CNAME, MX, TXT, 33, 65, 64] },
    18,
    (r) => r.text(3, BASE32),
  ),
  simple(
    'slow',
    '20 domains in turn, 10 octets every minute',
    { count: month(MINUTE), everyMs: MINUTE },
    80,
    (r) => r.text(16, BASE32),
  ),
  simple(
    'slow',
    '50 clients, a name an hour each',
    { count: month(HOUR) * 50, everyMs: HOUR / 50, clients: 50 },
    100,
    (r) => r.text(20, BASE32),
  ),
  simple(
    'slow',
    '50 clients, words, a name an hour each',
    { count: month(HOUR) * 50, everyMs: HOUR / 50, clients: 50 },
    24,
    (r) => english(r, 3),
  ),
  {
    name: 'office hours: 12 characters every 15 minutes',
    kind: 'slow',
    make(random, domains, startMs) {
      const made: Made[] = [];
      for (let at = startMs; at < startMs + 10 * DAY; at += 15 * MINUTE) {
        const hour = new Date(at).getUTCHours();
        if (hour < 9 || hour >= 17) continue;
        made.push({
          atMs: at,
          client: '10.66.0.1',
          name: `${random.text(12, BASE32)}.${domains[0]}`,
          type: A,
          rcode: 0,
          octets: 120,
          payload: 7.5,
        });
      }
      return made;
    },
  },
];

export const DOWNLOADS: readonly Channel[] = [
  simple(
    'download',
    'TXT answers of 1.2 kB, counter in the name',
    { count: 2000, everyMs: 100, type: TXT, octets: 1200 },
    1000 * 8,
    (_, i) => `${i}.d`,
  ),
  simple(
    'download',
    'NULL answers of 700 octets',
    { count: 2000, everyMs: 200, type: NULL, octets: 700 },
    600 * 8,
    (_, i) => `p${i}`,
  ),
  simple(
    'download',
    'CNAME answers of 230 octets',
    { count: 2000, everyMs: 500, type: CNAME, octets: 300 },
    150 * 8,
    (_, i) => `c${i}`,
  ),
  simple(
    'download',
    'AAAA lists of 20 addresses',
    { count: 2000, everyMs: 1000, type: AAAA, octets: 640 },
    320 * 8,
    (_, i) => `f${i}`,
  ),
  simple(
    'download',
    'TXT staged payload, one a minute',
    { count: 2000, everyMs: MINUTE, type: TXT, octets: 400 },
    255 * 8,
    (_, i) => `s${i}`,
  ),
];

/** Base domains nobody tuned on: words from a seed below common suffixes. */
export function strangeDomain(random: Random): string {
  const shape = random.below(4);
  const word = (): string => random.pick(WORDS);
  const owner =
    shape === 0
      ? `${word()}${word()}`
      : shape === 1
        ? random.text(random.between(5, 12), LETTERS)
        : shape === 2
          ? `${word()}-${word()}`
          : `${word()}${random.below(99)}`;
  const tld = random.pick([
    'com',
    'net',
    'org',
    'io',
    'xyz',
    'info',
    'co.uk',
    'dev',
    'top',
    'de',
    'com.br',
    'online',
  ]);
  return random.unit() < 0.5
    ? `${owner}.${tld}`
    : `${random.pick(['t', 'ns', 'tun', 'x', 'dns', 'a', 'cdn'])}.${owner}.${tld}`;
}

/** Ordinary use of a domain over three days before the transfer begins. */
export function history(random: Random, domain: string, untilMs: number): Made[] {
  const made: Made[] = [];
  const base = domain.split('.').slice(-2).join('.');
  for (let at = untilMs - 3 * DAY; at < untilMs; at += random.wait(40 * MINUTE)) {
    made.push({
      atMs: at,
      client: `10.1.0.${random.between(1, 12)}`,
      name: `${random.pick(['www', 'api', 'mail', 'static', 'login', 'cdn', 'blog', 'images', 'ns1', 'ns2'])}.${base}`,
      type: random.pick([A, AAAA]),
      rcode: 0,
      octets: 110,
      payload: 0,
    });
  }
  return made;
}

export const TRANSFER_START = START + 4 * DAY;
