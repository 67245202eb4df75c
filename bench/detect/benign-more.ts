/**
 * More services that detectors wrongly flag: applications that ask their own names again and again, numbers, registries,
 * content addresses, names with an address in them, tenants of clouds, and lists for mail.
 */
import { type BenignClass, brand, dotted, FIRST, kept, PTR, perClient, query } from './benign-class.ts';
import { BASE32, BASE36, DIGITS, HEX, LETTERS, type Random, WORDS } from './random.ts';
import { A, AAAA, DAY, HOUR, type Made, MINUTE, MX, SECOND, SRV, START, TXT } from './traffic.ts';

/** One application a client, each with names that nobody else asks, day and night, as soon as an answer has run out. */
const application = (
  name: string,
  clients: number,
  names: number,
  ttlMs: number,
  idleMs: number,
  types: readonly number[],
): BenignClass => ({
  name,
  kind: 'hard',
  make(random, days, fleet) {
    const made: Made[] = [];
    const count = Math.min(clients, fleet?.clients ?? clients);
    for (let i = 0; i < count; i++) {
      const client = `${fleet?.network ?? '10.61'}.9.${i + 1}`;
      const zone = brand(random);
      for (let host = 0; host < names; host++) {
        const label = `${random.pick(FIRST)}${host}.svc`;
        for (let at = START + random.below(ttlMs); at < START + days * DAY; ) {
          for (const type of types) made.push(query(at + type, client, `${label}.${zone}`, type));
          at += ttlMs + random.wait(idleMs) + 30;
        }
      }
    }
    return made;
  },
});

/** A monitor that goes through its list in the same order, every `everyMs`. */
const monitor = (
  name: string,
  targets: (random: Random) => string[],
  everyMs: number,
  type: number,
): BenignClass => ({
  name,
  kind: 'hard',
  make(random, days, fleet) {
    const made: Made[] = [];
    const list = targets(random);
    const client = `${fleet?.network ?? '10.62'}.9.9`;
    for (let at = START + random.below(everyMs); at < START + days * DAY; at += everyMs) {
      list.forEach((target, i) => {
        made.push(query(at + i * 150 + random.below(40), client, target, type));
      });
    }
    return made;
  },
});

export const BENIGN_MORE: readonly BenignClass[] = [
  // The same names again and again.
  application('application with 4 busy names of its own', 2, 4, MINUTE, 2 * SECOND, [A, AAAA]),
  application('application with 12 names of its own, TTL 5 minutes', 2, 12, 5 * MINUTE, 30 * SECOND, [A]),
  application('application with 30 names of its own, asked now and then', 2, 30, 5 * MINUTE, HOUR, [A, AAAA]),
  monitor(
    'monitor of 60 hosts of its own, every minute',
    (r) => {
      const zone = brand(r);
      return Array.from({ length: 60 }, (_, i) => `node-${i}.${r.pick(['fra', 'ams'])}.${zone}`);
    },
    61 * SECOND,
    A,
  ),
  monitor(
    'reverse lookups of an own public /24, every hour',
    () => Array.from({ length: 254 }, (_, i) => `${i + 1}.100.51.198.in-addr.arpa`),
    HOUR,
    PTR,
  ),
  perClient('reverse lookups of private addresses', 'hard', 4, 10 * SECOND, (r, at, client) => [
    query(at, client, `${r.below(256)}.${r.below(30)}.20.10.in-addr.arpa`, PTR, r.pick([0, 3])),
  ]),
  perClient(
    'reverse lookups of visitors from a few networks',
    'hard',
    2,
    30 * SECOND,
    (r, at, client, state) => {
      const network = kept(state, `n${r.zipf(40)}`, () => `${r.below(256)}.${r.between(11, 200)}`);
      return [
        query(at, client, `${r.below(256)}.${r.below(256)}.${network}.in-addr.arpa`, PTR, r.pick([0, 3])),
      ];
    },
  ),

  // Numbers and lists.
  perClient('ENUM lookups of a telephone exchange', 'hard', 2, 2 * MINUTE, (r, at, client) => [
    query(at, client, `${r.text(10, DIGITS).split('').join('.')}.9.4.e164.arpa`, 35, 3),
  ]),
  perClient('HASHBL, DNSWL and origin lists at a mail server', 'hard', 2, MINUTE, (r, at, client) => [
    query(at, client, `${r.text(40, HEX)}.ebl.msbl.org`, A, 3),
    query(at + 1, client, `${dotted(r)}.list.dnswl.org`, A, 3),
    query(at + 2, client, `${dotted(r)}.origin.asn.cymru.com`, TXT, 0, 150),
  ]),
  perClient('TLSA, MTA-STS, TLSRPT, BIMI, ADSP of partners', 'hard', 2, MINUTE, (r, at, client) => {
    const zone = brand(r);
    return [
      query(at, client, zone, MX, 0, 200),
      query(at + 1, client, `_25._tcp.${r.pick(['mx', 'mx1', 'mail', 'in'])}.${zone}`, 52, 3),
      query(at + 2, client, `_mta-sts.${zone}`, TXT, 0, 130),
      query(at + 3, client, `_smtp._tls.${zone}`, TXT, 0, 150),
      query(at + 4, client, `default._bimi.${zone}`, TXT, 3),
    ];
  }),

  // Registries, content addresses, addresses in names.
  perClient('container registries and their buckets', 'hard', 30, 20 * MINUTE, (r, at, client, state) => [
    query(
      at,
      client,
      kept(state, `r${r.zipf(150)}`, () =>
        r.pick([
          () => `${r.text(12, DIGITS)}.dkr.ecr.eu-central-1.amazonaws.com`,
          () => `prod-${r.text(6, LETTERS)}-starport-layer-bucket.s3.eu-central-1.amazonaws.com`,
          () => `${r.text(32, HEX)}.r2.cloudflarestorage.com`,
          () => `${r.pick(WORDS)}${r.pick(WORDS)}.azurecr.io`,
          () => `${r.text(12, BASE36)}.blob.core.windows.net`,
          () => 'production.cloudflare.docker.com',
          () => 'pkg-containers.githubusercontent.com',
          () => `${r.pick(['europe', 'us'])}-docker.pkg.dev`,
        ])(),
      ),
    ),
  ]),
  perClient('IPFS gateways, content by its hash', 'hard', 20, 2 * HOUR, (r, at, client, state) => [
    query(
      at,
      client,
      kept(
        state,
        `c${r.zipf(400)}`,
        () => `bafybei${r.text(52, BASE32)}.ipfs.${r.pick(['dweb.link', 'w3s.link', 'inbrowser.link'])}`,
      ),
    ),
  ]),
  perClient(
    'addresses in names (nip.io, sslip.io, plex.direct)',
    'hard',
    20,
    HOUR,
    (r, at, client, state) => [
      query(
        at,
        client,
        r.pick([
          () => `app.10.0.${r.below(4)}.${r.below(256)}.nip.io`,
          () =>
            `192-168-${r.below(4)}-${r.below(256)}.${kept(state, client, () => r.text(32, HEX))}.plex.direct`,
          () => `${r.pick(WORDS)}.10-0-0-${r.below(256)}.sslip.io`,
        ])(),
      ),
    ],
  ),
  perClient('databases and tenants of clouds', 'hard', 30, 30 * MINUTE, (r, at, client, state) => {
    const cluster = kept(state, `m${r.below(8)}`, () => `cluster0.${r.text(5, BASE36)}.mongodb.net`);
    const [first, ...rest] = cluster.split('.');
    return [
      query(at, client, `_mongodb._tcp.${cluster}`, SRV, 0, 240),
      ...[0, 1, 2].map((shard) =>
        query(at + 1 + shard, client, `${first}-shard-00-0${shard}.${rest.join('.')}`),
      ),
      query(
        at + 5,
        client,
        kept(state, `t${r.zipf(60)}`, () =>
          r.pick([
            () => `${r.text(20, LETTERS)}.supabase.co`,
            () => `ep-${r.pick(WORDS)}-${r.pick(WORDS)}-${r.text(8, DIGITS)}.eu-central-1.aws.neon.tech`,
            () => `${r.text(7, LETTERS)}-${r.text(7, DIGITS)}.snowflakecomputing.com`,
            () => `redis-${r.text(5, DIGITS)}.c${r.below(400)}.eu-west-1-3.ec2.cloud.redislabs.com`,
            () => `${r.pick(WORDS)}-${r.pick(WORDS)}.hf.space`,
            () => `${r.pick(WORDS)}--${r.pick(WORDS)}-${r.text(6, HEX)}.modal.run`,
          ])(),
        ),
      ),
    ];
  }),
  perClient('tunnels and previews of developers', 'hard', 20, 3 * HOUR, (r, at, client) => [
    query(
      at,
      client,
      r.pick([
        () => `${r.pick(WORDS)}-${r.pick(WORDS)}-${r.pick(WORDS)}-${r.pick(WORDS)}.trycloudflare.com`,
        () => `${r.text(4, HEX)}-${r.text(12, DIGITS)}.ngrok-free.app`,
        () => `${r.pick(WORDS)}-${r.pick(WORDS)}-${r.text(16, BASE36)}-3000.app.github.dev`,
        () => `${r.pick(WORDS)}${r.below(99)}.duckdns.org`,
      ])(),
    ),
  ]),
  perClient('links in mail, a hash for each reader', 'hard', 60, 6 * HOUR, (r, at, client, state) => [
    query(at, client, `${r.text(24, HEX)}.link.${kept(state, `z${r.zipf(80)}`, () => brand(r))}`),
  ]),
  perClient('WebRTC and casting in the local network', 'hard', 40, HOUR, (r, at, client) => [
    query(at, client, `${r.uuid()}.local`, A, 3),
    query(at + 1, client, `${r.uuid()}._googlecast._tcp.local`, SRV, 3),
    query(at + 2, client, `_grpc_config.${r.pick(WORDS)}.service.consul`, TXT, 3),
  ]),

  // What nobody can tell from a transfer: each lookup says something fresh to a zone that nobody vouches for.
  perClient(
    'reputation, unknown vendor, every hash is new',
    'conflict',
    20,
    20 * MINUTE,
    (r, at, client, state) => [
      query(at, client, `${r.text(32, HEX)}.${kept(state, 'zone', () => `hash.${brand(r)}`)}`),
    ],
  ),
  perClient(
    'block list of an unknown operator at a mail server',
    'conflict',
    1,
    MINUTE,
    (r, at, client, state) => [
      query(at, client, `${dotted(r)}.${kept(state, 'zone', () => `bl.${brand(r)}`)}`, A, 3),
    ],
  ),
];
