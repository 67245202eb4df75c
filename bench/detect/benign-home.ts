/** The own network as a resolver sees it: a directory, search lists, probes, devices, discovery; and mail servers that look both ways. */
import { type BenignClass, brand, dotted, kept, PTR, perClient, query } from './benign-class.ts';
import { BASE36, LETTERS, type Random, WORDS } from './random.ts';
import { A, AAAA, type Made, SRV, TXT } from './traffic.ts';

const MINUTE_MS = 60_000;
const NXDOMAIN = 3;
const reversed = (address: string): string => address.split('.').reverse().join('.');

/** Three names of 7 to 15 letters at once, bare and behind the search list. */
function probes(r: Random, at: number, client: string, zone: string): Made[] {
  return Array.from({ length: 3 }, () => r.text(r.between(7, 15), LETTERS)).flatMap((name) => [
    query(at, client, `${name}.${zone}`, A, NXDOMAIN),
    query(at + 10, client, name, A, NXDOMAIN),
  ]);
}

const host = (r: Random): string =>
  r.pick([
    () => `desktop-${r.text(7, BASE36)}`,
    () => `laptop-${r.text(8, BASE36)}`,
    () => `npi${r.text(6, '0123456789abcdef')}`,
    () => `${r.pick(WORDS)}s-iphone-${r.below(20)}`,
    () => `srv-${r.pick(WORDS)}-${r.below(40)}`,
  ])();

function homeClass(name: string, prefix: readonly string[], directory: boolean): BenignClass {
  return perClient(name, 'general', 40, 8 * MINUTE_MS, (r, at, client, state) => {
    const zone = kept(state, 'zone', () => `${r.pick(prefix)}${brand(r)}`);
    const controller = (): string => kept(state, `dc${r.below(8)}`, () => r.uuid());
    switch (r.below(directory ? 8 : 6)) {
      case 0:
        return r.unit() < 0.3
          ? probes(r, at, client, zone)
          : [query(at, client, `wpad.${zone}`, A, NXDOMAIN)];
      case 1:
        return [A, AAAA].map((type) =>
          query(at, client, `${kept(state, `h${r.zipf(200)}`, () => host(r))}.${zone}`, type),
        );
      case 2:
        return [
          query(
            at,
            client,
            `${kept(state, `s${r.zipf(900)}`, () => `${r.pick(['www.', 'api.', ''])}${brand(r)}`)}.${zone}`,
            A,
            NXDOMAIN,
          ),
        ];
      case 3:
        return [query(at, client, `${r.pick(['b', 'lb', 'db'])}._dns-sd._udp.${zone}`, PTR, NXDOMAIN)];
      case 4:
        return [query(at, client, `lb._dns-sd._udp.0.${r.below(20)}.168.192.in-addr.arpa`, PTR, NXDOMAIN)];
      case 5:
        return [query(at, client, `${r.pick(WORDS)}${r.pick(['', 's', 'x'])}.${zone}`, A, NXDOMAIN)];
      case 6:
        return [query(at, client, `${controller()}._msdcs.${zone}`)];
      default:
        return [
          query(
            at,
            client,
            `_${r.pick(['ldap', 'kerberos', 'gc'])}._tcp.${r.pick(['london', 'hq', 'default-first-site-name'])}._sites.dc._msdcs.${zone}`,
            SRV,
          ),
        ];
    }
  });
}

export const BENIGN_HOME: readonly BenignClass[] = [
  homeClass('own network with a directory', ['ad.', 'corp.', 'int.', ''], true),
  homeClass('own network without one', ['office.', 'intra.', 'dev.', ''], false),
  perClient(
    'addresses looked up forth and back at a mail server',
    'hard',
    2,
    4 * MINUTE_MS,
    (r, at, client) => {
      const address = dotted(r);
      const dashed = address.replaceAll('.', '-');
      const name = r.pick([
        `c-${dashed}.hsd1.${r.pick(['ca', 'il', 'pa'])}.comcast.net`,
        `static.${reversed(address)}.clients.your-server.de`,
        `pool-${dashed}.nycmny.fios.verizon.net`,
        `${dashed}.dynamic.${brand(r)}`,
      ]);
      return [query(at, client, `${reversed(address)}.in-addr.arpa`, PTR), query(at + 50, client, name)];
    },
  ),
  perClient('accounts and buckets of object storage', 'hard', 20, 60 * MINUTE_MS, (r, at, client, state) => [
    query(
      at,
      client,
      `${kept(state, `r${r.zipf(60)}`, () => r.text(32, '0123456789abcdef'))}.r2.cloudflarestorage.com`,
    ),
  ]),
  perClient(
    'selectors and policies of many domains at a mail server',
    'hard',
    2,
    5 * MINUTE_MS,
    (r, at, client, state) => {
      const domain = kept(state, `d${r.zipf(2000)}`, () => brand(r));
      const label = r.pick([
        'selector1._domainkey',
        '_dmarc',
        '_mta-sts',
        '_smtp._tls',
        `s${r.between(2016, 2026)}._domainkey`,
      ]);
      return [query(at, client, `${label}.${domain}`, TXT)];
    },
  ),
];
