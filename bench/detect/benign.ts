/**
 * Ordinary traffic, made from a seed: a general office, and the services that detectors wrongly flag. About half of the
 * hard services live in zones that the shipped profiles have never heard of (`unknown`), because so does the world's.
 */
import {
  type BenignClass,
  brand,
  dotted,
  during,
  FIRST,
  kept,
  office,
  PTR,
  perClient,
  query,
} from './benign-class.ts';
import { BENIGN_HOME } from './benign-home.ts';
import { BENIGN_MORE } from './benign-more.ts';
import { BASE32, BASE36, DIGITS, HEX, LETTERS, WORDS } from './random.ts';
import { A, AAAA, CNAME, HOUR, HTTPS, type Made, MINUTE, MX, SRV, TXT } from './traffic.ts';

export const BENIGN: readonly BenignClass[] = [
  {
    name: 'office browsing, 4,000 unknown sites',
    kind: 'general',
    make(random, days, fleet) {
      const sites = Array.from({ length: 4000 }, () => {
        const zone = brand(random);
        const hosts = Array.from({ length: 1 + random.zipf(25) }, () => `${random.pick(FIRST)}.${zone}`);
        const odd = random.unit();
        if (odd < 0.05) hosts.push(`${random.text(random.between(8, 14), BASE36)}.${zone}`);
        if (odd > 0.97) hosts.push(`${random.text(32, HEX)}.cdn.${zone}`);
        if (odd > 0.94 && odd < 0.97)
          hosts.push(`${random.pick(WORDS)}-${random.pick(WORDS)}-${random.text(5, DIGITS)}.${zone}`);
        return hosts;
      });
      const made: Made[] = [];
      for (const client of office(random, fleet?.clients ?? 60, fleet?.network)) {
        during(random, days, 2 * MINUTE, (at) => {
          for (let page = 0; page < 6; page++) {
            const hosts = sites[random.zipf(sites.length)];
            const host = hosts[random.zipf(hosts.length)];
            made.push(
              query(at + page * 120, client, host, A),
              query(at + page * 120 + 1, client, host, random.pick([AAAA, HTTPS])),
            );
          }
        });
      }
      return made;
    },
  },
  perClient('devices of one vendor, numbered hosts', 'general', 80, 20 * MINUTE, (r, at, client, state) => {
    const site = kept(state, 'zone', () => brand(r));
    const host = kept(
      state,
      `h${r.zipf(250)}`,
      () =>
        `${r.pick(['edge', 'node', 'valve', 'srv', 'cache'])}${r.below(900)}.${r.pick(['fra', 'iad', 'sin', 'ams'])}`,
    );
    return [query(at, client, `${host}.${site}`)];
  }),
  perClient('internal hosts of an Active Directory', 'general', 100, 10 * MINUTE, (r, at, client, state) => {
    const corp = kept(state, 'corp', () => `ad.${brand(r)}`);
    const host =
      r.unit() < 0.5
        ? `${r.pick(['srv', 'dc', 'fs', 'print', 'sql', 'app'])}-${r.pick(WORDS)}${r.below(20)}`
        : `${r.pick(['desktop', 'laptop', 'pc', 'nb'])}-${r.text(7, BASE36)}`;
    return [query(at, client, `${kept(state, `h${r.zipf(300)}`, () => host)}.${corp}`)];
  }),

  // Reputation and block lists.
  perClient('AV lookups (McAfee)', 'hard', 50, 6 * MINUTE, (r, at, client) => [
    query(at, client, `${r.text(26, BASE32)}.${r.pick(['avqs', 'avts'])}.mcafee.com`, A, 0, 90),
  ]),
  perClient('AV lookups (ESET)', 'hard', 50, 6 * MINUTE, (r, at, client) => [
    query(at, client, `${r.text(50, BASE32)}.${r.text(30, BASE32)}.a.j.e5.sk`, TXT, 0, 200),
  ]),
  perClient('AV lookups (Sophos)', 'hard', 50, 8 * MINUTE, (r, at, client) => [
    query(at, client, `${r.text(32, HEX)}.${r.text(16, HEX)}.f.00.s.sophosxl.net`, TXT, 0, 160),
  ]),
  perClient('AV lookups (Trend Micro, Bitdefender)', 'hard', 40, 10 * MINUTE, (r, at, client) => [
    query(
      at,
      client,
      r.unit() < 0.5 ? `${r.text(40, BASE36)}.icrc.trendmicro.com` : `${r.text(32, HEX)}.v1.bdnsrt.org`,
      r.pick([A, TXT]),
    ),
  ]),
  perClient(
    'reputation, unknown vendor, hashes of common files',
    'hard',
    60,
    12 * MINUTE,
    (r, at, client, state) => {
      const zone = kept(state, 'zone', () => `rep.${brand(r)}`);
      const hash = kept(state, `f${r.zipf(600)}`, () => r.text(32, HEX));
      return [query(at, client, `${hash}.${zone}`)];
    },
  ),
  perClient('DNSBL at a mail server (public lists)', 'hard', 2, 20_000, (r, at, client) => {
    const ip = dotted(r);
    return [
      'zen.spamhaus.org',
      'bl.spamcop.net',
      'b.barracudacentral.org',
      'dnsbl.sorbs.net',
      'psbl.surriel.com',
    ].map((zone, i) => query(at + i, client, `${ip}.${zone}`, r.pick([A, A, TXT]), 3));
  }),
  perClient('URIBL and SURBL at a mail server', 'hard', 2, 30_000, (r, at, client) =>
    ['multi.uribl.com', 'multi.surbl.org', 'dbl.spamhaus.org'].map((zone, i) =>
      query(at + i, client, `${brand(r)}.${zone}`, A, 3),
    ),
  ),
  perClient('Cymru origin and hash lookups', 'hard', 3, 2 * MINUTE, (r, at, client) => [
    query(
      at,
      client,
      r.unit() < 0.5 ? `${dotted(r)}.origin.asn.cymru.com` : `${r.text(32, HEX)}.malware.hash.cymru.com`,
      TXT,
      0,
      150,
    ),
  ]),

  // Reverse, discovery, telephone.
  perClient('reverse lookups of a log server', 'hard', 3, 15_000, (r, at, client) => [
    query(at, client, `${dotted(r)}.in-addr.arpa`, PTR, r.pick([0, 3])),
  ]),
  perClient('reverse lookups of IPv6', 'hard', 5, 2 * MINUTE, (r, at, client, state) => {
    const prefix = kept(state, `p${r.zipf(40)}`, () => r.text(12, HEX));
    return [
      query(
        at,
        client,
        `${`20010db8${prefix}${r.text(12, HEX)}`.split('').reverse().join('.')}.ip6.arpa`,
        PTR,
        3,
      ),
    ];
  }),
  perClient('DNS-SD and service records', 'hard', 30, 30 * MINUTE, (r, at, client, state) => {
    const corp = kept(state, 'corp', () => brand(r));
    return [
      query(
        at,
        client,
        `lb._dns-sd._udp.0.${client.split('.')[2]}.${client.split('.')[1]}.10.in-addr.arpa`,
        PTR,
        3,
      ),
      query(at + 1, client, `_${r.pick(['ipp', 'airplay', 'googlecast', 'http', 'ssh'])}._tcp.local`, PTR, 3),
      query(
        at + 2,
        client,
        `${r.pick(WORDS)}\\032${r.pick(WORDS)}\\032[${r.text(12, HEX)}]._workstation._tcp.local`,
        SRV,
        3,
      ),
      query(at + 3, client, `_sip._tls.${corp}`, SRV),
    ];
  }),

  // Mail and certificates.
  perClient('DKIM, SPF, DMARC of senders', 'hard', 2, 20_000, (r, at, client) => {
    const zone = brand(r);
    const selector = r.pick([
      () => 'default',
      () => 's1',
      () => 'google',
      () => 'selector1',
      () => `${r.between(2012, 2026)}${r.text(4, DIGITS)}`,
      () => `k${r.below(9)}`,
      () => r.text(32, BASE32),
      () => `mta-${r.text(6, BASE36)}`,
      () => `s${r.pick(['1024', '2048'])}-${r.between(2013, 2025)}-q${r.between(1, 4)}`,
    ])();
    return [
      query(at, client, `${selector}._domainkey.${zone}`, TXT, 0, 420),
      query(at + 1, client, zone, TXT, 0, r.between(150, 1700)),
      query(at + 2, client, `_dmarc.${zone}`, TXT, 0, 150),
      query(at + 3, client, `_mta-sts.${zone}`, TXT, 3),
      query(at + 4, client, `_25._tcp.mx.${zone}`, 52, 3),
    ];
  }),
  perClient(
    'mail of partners, records fetched again and again',
    'hard',
    2,
    MINUTE,
    (r, at, client, state) => {
      const zone = kept(state, `z${r.zipf(60)}`, () => ({
        name: brand(r),
        apex: r.between(200, 1900),
        key: r.between(250, 480),
      }));
      return [
        query(at, client, `s1._domainkey.${zone.name}`, TXT, 0, zone.key),
        query(at + 1, client, zone.name, TXT, 0, zone.apex),
        query(at + 2, client, `_dmarc.${zone.name}`, TXT, 0, 190),
        query(at + 3, client, zone.name, MX, 0, 260),
      ];
    },
  ),
  perClient('SES DKIM selectors of one big sender', 'hard', 2, 5 * MINUTE, (r, at, client) => [
    query(at, client, `${r.text(32, BASE32)}._domainkey.amazonses.com`, TXT, 0, 420),
  ]),
  perClient('SPF macros of known and unknown senders', 'hard', 2, 5 * MINUTE, (r, at, client, state) => {
    const zone = kept(state, `z${r.zipf(60)}`, () => brand(r));
    return [
      query(at, client, `${dotted(r)}._spf.${zone}`, A, 3),
      query(at + 1, client, `${dotted(r)}.spf.has.pphosted.com`, A),
    ];
  }),
  perClient('ACME and domain control validation', 'hard', 2, 10 * MINUTE, (r, at, client) => {
    const zone = brand(r);
    return [
      query(at, client, `_acme-challenge.${r.pick(FIRST)}.${zone}`, TXT, 0, 130),
      query(at + 1, client, `_${r.text(32, HEX)}.${zone}`, CNAME, 0, 160),
      query(at + 2, client, `_${r.text(32, HEX)}.${r.text(10, LETTERS)}.acm-validations.aws`, CNAME),
    ];
  }),
  perClient('ACME in one own zone', 'hard', 2, 30 * MINUTE, (r, at, client, state) => {
    const zone = kept(state, 'own', () => brand(r));
    const host = kept(state, `h${r.below(80)}`, () => `${r.pick(WORDS)}-${r.pick(WORDS)}`);
    return [query(at, client, `_acme-challenge.${host}.${zone}`, TXT, 0, 130)];
  }),
  perClient('DANE and OPENPGPKEY', 'hard', 3, HOUR, (r, at, client) => [
    query(at, client, `${r.text(56, HEX)}._openpgpkey.${brand(r)}`, 61, 3, 120),
  ]),

  // Search paths and directories.
  perClient('Kubernetes search path', 'hard', 40, 3 * MINUTE, (r, at, client, state) => {
    const host = kept(state, `h${r.zipf(400)}`, () => `${r.pick(FIRST)}.${brand(r)}`);
    const ns = kept(state, `n${client}`, () => `${r.pick(WORDS)}-${r.pick(WORDS)}`);
    const corp = kept(state, 'corp', () => brand(r));
    return [
      `${ns}.svc.cluster.local`,
      'svc.cluster.local',
      'cluster.local',
      'eu-west-1.compute.internal',
      corp,
    ]
      .map((suffix, i) => query(at + i, client, `${host}.${suffix}`, A, 3))
      .concat(query(at + 9, client, host));
  }),
  perClient('Kubernetes pods and headless services', 'hard', 40, 10 * MINUTE, (r, at, client) => [
    query(
      at,
      client,
      `${r.pick(WORDS)}-${r.text(9, BASE36)}-${r.text(5, BASE36)}.${r.pick(WORDS)}.${r.pick(['default', 'prod'])}.svc.cluster.local`,
    ),
    query(at + 1, client, `10-${r.below(255)}-${r.below(255)}-${r.below(255)}.default.pod.cluster.local`),
  ]),
  perClient('CoreDNS loop and health probes', 'hard', 6, 12 * HOUR, (r, at, client) => [
    query(at, client, `${r.text(19, DIGITS)}.${r.text(19, DIGITS)}`, 13, 3),
  ]),
  perClient('Active Directory sites and GUIDs', 'hard', 60, 20 * MINUTE, (r, at, client, state) => {
    const corp = kept(state, 'corp', () => `corp.${brand(r)}`);
    const forest = kept(state, 'forest', () => r.uuid());
    const dc = kept(state, `dc${r.below(24)}`, () => r.uuid());
    return [
      query(
        at,
        client,
        `_ldap._tcp.${r.pick(['berlin', 'default-first-site-name', 'paris-hq', 'osaka'])}._sites.dc._msdcs.${corp}`,
        SRV,
        0,
        900,
      ),
      query(at + 3, client, corp, A, 0, 1100),
      query(at + 1, client, `_ldap._tcp.${forest}.domains._msdcs.${corp}`, SRV),
      query(at + 2, client, `${dc}._msdcs.${corp}`, CNAME),
    ];
  }),
  perClient('browsers’ random probes', 'hard', 80, 4 * HOUR, (r, at, client, state) => {
    const corp = kept(state, 'corp', () => `corp.${brand(r)}`);
    return Array.from({ length: 3 }, () => r.text(r.between(7, 15), LETTERS)).flatMap((probe, i) => [
      query(at + i, client, probe, A, 3),
      query(at + 5 + i, client, `${probe}.${corp}`, A, 3),
    ]);
  }),

  // Clouds and delivery.
  perClient('CloudFront, ELB, S3, ECR, RDS, EKS', 'hard', 60, 10 * MINUTE, (r, at, client, state) => {
    const names = kept(state, 'names', () => [
      ...Array.from({ length: 800 }, () => `d${r.text(13, BASE36)}.cloudfront.net`),
      ...Array.from(
        { length: 100 },
        () => `${r.pick(WORDS)}-${r.text(10, DIGITS)}.us-east-1.elb.amazonaws.com`,
      ),
      ...Array.from(
        { length: 60 },
        () =>
          `internal-k8s-${r.pick(WORDS)}-${r.text(10, HEX)}-${r.text(9, DIGITS)}.eu-west-1.elb.amazonaws.com`,
      ),
      ...Array.from({ length: 60 }, () => `${r.pick(WORDS)}-${r.pick(WORDS)}.s3.eu-west-1.amazonaws.com`),
      ...Array.from({ length: 20 }, () => `${r.text(12, DIGITS)}.dkr.ecr.us-east-1.amazonaws.com`),
      ...Array.from(
        { length: 30 },
        () => `${r.pick(WORDS)}-db.${r.text(12, BASE36)}.us-east-1.rds.amazonaws.com`,
      ),
      ...Array.from({ length: 10 }, () => `${r.text(32, HEX)}.gr7.us-east-1.eks.amazonaws.com`),
      ...Array.from({ length: 40 }, () => `${r.text(10, BASE36)}.execute-api.us-east-1.amazonaws.com`),
      ...Array.from(
        { length: 10 },
        () => `search-${r.pick(WORDS)}-${r.text(26, BASE32)}.us-east-1.es.amazonaws.com`,
      ),
    ]);
    return [query(at, client, names[r.below(names.length)])];
  }),
  perClient('Azure, Cloud Run, previews, Pages', 'hard', 60, 15 * MINUTE, (r, at, client, state) => {
    const names = kept(state, 'names', () =>
      Array.from({ length: 400 }, () =>
        r.pick([
          () => `${r.pick(WORDS)}${r.text(6, BASE36)}.blob.core.windows.net`,
          () => `${r.pick(WORDS)}-${r.text(10, LETTERS)}-uc.a.run.app`,
          () => `${r.pick(WORDS)}-git-${r.pick(WORDS)}-${r.pick(WORDS)}.vercel.app`,
          () => `deploy-preview-${r.below(900)}--${r.pick(WORDS)}-${r.text(6, HEX)}.netlify.app`,
          () => `${r.text(8, HEX)}.${r.pick(WORDS)}.pages.dev`,
          () => `${r.pick(WORDS)}-${r.text(8, HEX)}.azurewebsites.net`,
          () => `${r.text(32, BASE36)}.ipfs.dweb.link`,
          () => `${r.pick(WORDS)}.${r.pick(WORDS)}-${r.text(5, BASE36)}.workers.dev`,
        ])(),
      ),
    );
    return [query(at, client, names[r.below(names.length)])];
  }),
  perClient('video and edge nodes', 'hard', 60, 6 * MINUTE, (r, at, client) => [
    query(
      at,
      client,
      r.pick([
        () => `rr${r.between(1, 9)}---sn-${r.text(8, BASE36)}.googlevideo.com`,
        () => `e${r.text(5, DIGITS)}.dsc${r.pick(['a', 'b', 'g', 'x'])}.akamaiedge.net`,
        () => `video-${r.text(6, LETTERS)}${r.between(1, 3)}-1.xx.fbcdn.net`,
        () => `ipv4-c${r.below(200)}-fra00${r.between(1, 9)}-ix.1.oca.nflxvideo.net`,
      ])(),
    ),
  ]),
  perClient('CDN with hashes, unknown zone, fleet-wide', 'hard', 80, 40 * MINUTE, (r, at, client, state) => {
    const zone = kept(state, 'zone', () => `cdn.${brand(r)}`);
    return [query(at, client, `${kept(state, `o${r.zipf(120)}`, () => r.text(32, HEX))}.${zone}`)];
  }),
  perClient('CDN with hashes, many unknown zones', 'hard', 60, 20 * MINUTE, (r, at, client, state) => {
    const zone = kept(state, `z${r.zipf(300)}`, () => ({
      name: brand(r),
      hosts: Array.from({ length: 3 }, () => r.text(r.pick([8, 12, 16, 20, 32]), HEX)),
    }));
    return [query(at, client, `${r.pick(zone.hosts)}.${r.pick(['static', 'img', 'cdn'])}.${zone.name}`)];
  }),

  // Telemetry and measurements.
  perClient('UUID of the device, unknown vendor', 'hard', 100, 2 * HOUR, (r, at, client, state) => {
    const zone = kept(state, 'zone', () => `telemetry.${brand(r)}`);
    return [query(at, client, `${kept(state, client, () => r.uuid())}.${zone}`)];
  }),
  perClient('UUID of the session, unknown vendor', 'hard', 100, 8 * HOUR, (r, at, client, state) => {
    const zone = kept(state, 'zone', () => `events.${brand(r)}`);
    return [query(at, client, `${r.uuid()}.${zone}`)];
  }),
  perClient('device numbers of IoT, unknown vendor', 'hard', 60, HOUR, (r, at, client, state) => {
    const zone = kept(state, 'zone', () => `iot.${brand(r)}`);
    return [
      query(
        at,
        client,
        `${kept(state, client, () => `dev-${r.text(12, HEX)}`)}.${r.pick(['mqtt', 'ota', 'time'])}.${zone}`,
      ),
    ];
  }),
  perClient('measurements of browsers and CDNs', 'hard', 60, 30 * MINUTE, (r, at, client) => [
    query(
      at,
      client,
      r.pick([
        () => `${r.text(32, HEX)}.clo.footprintdns.com`,
        () => `p5-${r.text(13, BASE36)}-${r.text(16, BASE36)}-if-v6exp3-v4.metric.gstatic.com`,
        () => `${r.text(32, HEX)}.safeframe.googlesyndication.com`,
        () => `${r.text(7, DIGITS)}.fls.doubleclick.net`,
        () => `u${r.text(20, BASE36)}.u${r.text(10, DIGITS)}.i${r.below(999)}.v6024.v4.z.dotnxdomain.net`,
      ])(),
    ),
  ]),
  perClient('trackers behind aliases of customers', 'hard', 60, 10 * MINUTE, (r, at, client, state) => [
    query(
      at,
      client,
      kept(
        state,
        `t${r.zipf(500)}`,
        () => `${r.pick(['smetrics', 'metrics', 'sgtm', `${r.text(6, BASE36)}`, 'trk'])}.${brand(r)}`,
      ),
    ),
  ]),
  ...BENIGN_MORE,
  ...BENIGN_HOME,
];
