/**
 * What may be written in `sallyport.yaml`. Type, default, description, JSON Schema, reference page and variables all
 * come from these lines. Once read, times are milliseconds and sizes octets; an address is an `Endpoint`, an upstream
 * an `UpstreamServer`; paths are absolute.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { readPrefix } from './address.ts';
import { Checkpoints } from './checkpoint-settings.ts';
import { endpoint, isListening, isLoopback, upstreamServer } from './endpoint.ts';
import { TUNNEL_ACTIONS, TUNNEL_ACTIONS_MEAN } from './policy-document.ts';
import { Ship } from './ship-settings.ts';
import { duration, size } from './units.ts';

const flag = (preset: boolean, description: string) => z.boolean().default(preset).meta({ description });
const count = (preset: number, least: number, most: number, description: string) =>
  z.int().min(least).max(most).default(preset).meta({ description });
const path = (description: string) => z.string().trim().min(1).meta({ description });

/** Fields of an encrypted listener. */
const encrypted = {
  addresses: z
    .array(endpoint('0.0.0.0:853'))
    .default([])
    .meta({ description: 'Addresses and ports to listen on; none: the listener is off.' }),
  certificate: path('PEM file with the certificate chain; read again on reload.').optional(),
  key: path('PEM file with the private key.').optional(),
  clientCa: path(
    'PEM file of the CA whose client certificates are demanded; without it clients need none.',
  ).optional(),
  dev: flag(false, 'Make a self-signed certificate at start. For trying out only: clients cannot check it.'),
};

const TlsListener = z.strictObject(encrypted);
const prefix = z.string().superRefine((text, context) => {
  const read = readPrefix(text);
  if ('what' in read) context.addIssue({ code: 'custom', message: `${read.what}; ${read.instead}` });
});

const HttpsListener = z.strictObject({
  ...encrypted,
  path: z
    .string()
    .startsWith('/')
    .default('/dns-query')
    .meta({ description: 'Path of DNS over HTTPS (RFC 8484).' }),
  plain: flag(
    false,
    'Speak HTTP without TLS, for a proxy that ends it. Whoever reaches the address is served: listen on loopback, or where only the proxy is.',
  ),
  trustedProxies: z.array(prefix).default([]).meta({
    description:
      'Addresses and prefixes of proxies whose X-Forwarded-For says which client asks. Of all others it is ignored.',
  }),
});

type EncryptedListener = z.infer<typeof TlsListener>;

function needCertificate(listener: EncryptedListener, context: z.RefinementCtx): void {
  if (listener.addresses.length === 0 || listener.dev) return;
  for (const field of ['certificate', 'key'] as const) {
    if (listener[field] !== undefined) continue;
    const message = `an encrypted listener needs a ${field}; write "${field}: /path/to/${field}.pem", or "dev: true" to try it out`;
    context.addIssue({ code: 'custom', path: [field], message });
  }
}

function needCertificateOrPlain(listener: z.infer<typeof HttpsListener>, context: z.RefinementCtx): void {
  if (!listener.plain) {
    needCertificate(listener, context);
    return;
  }
  for (const field of ['certificate', 'key', 'clientCa', 'dev'] as const) {
    if (listener[field] === undefined || listener[field] === false) continue;
    const message = `"plain: true" speaks no TLS and has no use for "${field}"; write one of the two only`;
    context.addIssue({ code: 'custom', path: [field], message });
  }
}

const Listen = z
  .strictObject({
    addresses: z.array(endpoint('127.0.0.1:1053')).prefault(['127.0.0.1:1053', '[::1]:1053']).meta({
      description:
        'Addresses and ports for plain DNS, each over UDP and TCP. 0.0.0.0 and [::] answer from the address that was asked.',
    }),
    name: z
      .string()
      .trim()
      .min(1)
      .meta({
        description:
          'Name of this resolver in its certificate. Announced to clients together with the encrypted listeners (DDR, RFC 9462); without it nothing is announced.',
      })
      .optional(),
    proxyProtocolFrom: z.array(prefix).default([]).meta({
      description:
        'Addresses and prefixes of load balancers that put a PROXY header of version 2 before every datagram and at the start of every TCP and DoT connection (dnsdist: useProxyProtocol). From these it must be there, and the client it names is the one that is judged, limited and recorded; from all others it is not understood.',
    }),
    forwarders: z
      .strictObject({
        from: z.array(prefix).default([]).meta({
          description:
            'Addresses and prefixes of forwarders (CoreDNS, NodeLocal DNSCache, dnsmasq, dnsdist) that say in EDNS which client asks. Of all others such options are ignored.',
        }),
        option: z.int().min(65_001).max(65_534).default(65_518).meta({
          description:
            'Code of the option with the address: 4 or 16 octets, or text. 65518 is 0xffee (CoreDNS: rewrite edns0 local set 0xffee {client_ip}).',
        }),
        subnet: flag(true, 'Take a client subnet of full length (/32, /128) as the address too.'),
      })
      .prefault({})
      .meta({ description: 'Forwarders whose clients are judged, limited and recorded one by one.' }),
    tls: TlsListener.superRefine(needCertificate)
      .prefault({})
      .meta({ description: 'DNS over TLS (RFC 7858).' }),
    https: HttpsListener.superRefine(needCertificateOrPlain)
      .prefault({})
      .meta({ description: 'DNS over HTTPS (RFC 8484).' }),
  })
  .superRefine((listen, context) => {
    if (listen.addresses.length + listen.tls.addresses.length + listen.https.addresses.length > 0) return;
    const message = 'no listener has an address; write for example addresses: ["127.0.0.1:1053"]';
    context.addIssue({ code: 'custom', path: ['addresses'], message });
  });

const Http = z
  .strictObject({
    enabled: flag(true, 'Serve metrics, health, explain and reload over HTTP.'),
    listen: endpoint('127.0.0.1:8053').prefault('127.0.0.1:8053').meta({ description: 'Address and port.' }),
    token: z
      .string()
      .min(16, 'a token shorter than 16 characters can be guessed; write at least 16 random characters')
      .optional()
      .meta({
        description:
          'Secret that callers send as "Authorization: Bearer …". Required, here or as tokenFile, unless `listen` is a loopback address.',
      }),
    tokenFile: path('File with the token; keeps it out of settings and environment.').optional(),
  })
  .superRefine((http, context) => {
    if (
      !http.enabled ||
      isLoopback(http.listen.host) ||
      http.token !== undefined ||
      http.tokenFile !== undefined
    )
      return;
    const message = `${http.listen.host} is open to other machines and there is no token; write "tokenFile: /path/to/token", or listen on 127.0.0.1`;
    context.addIssue({ code: 'custom', path: ['listen'], message });
  });

const SPKI = /^[A-Za-z0-9+/]{43}=$/;

/** Most servers of a pool; every one is asked now and then to know its round-trip time. */
const SERVER_COUNT_MAX = 16;

const Upstream = z
  .strictObject({
    servers: z.array(upstreamServer).min(1).max(SERVER_COUNT_MAX).meta({
      description:
        '"system": the resolvers of this machine (/etc/resolv.conf, read at start; our own addresses are left out); "192.0.2.53" or "192.0.2.53:5353": UDP, and TCP when truncated; "tcp://…"; "tls://192.0.2.53:853#name.of.certificate"; "https://name/dns-query". At most 16.',
    }),
    strategy: z.enum(['fastest', 'ordered', 'random']).default('fastest').meta({
      description:
        'fastest: the healthy server with the lowest round-trip time, others tried now and then; ordered: the first healthy one; random: any healthy one.',
    }),
    strict: flag(true, 'A pool with encrypted servers never asks over a plain transport.'),
    bootstrap: z
      .array(z.union([z.ipv4(), z.ipv6()]))
      .default([])
      .meta({
        description:
          'Addresses of plain resolvers that are asked for the addresses of servers written by name.',
      }),
    caFile: path('PEM file of the CA to trust instead of the public ones.').optional(),
    spki: z
      .array(
        z
          .string()
          .regex(
            SPKI,
            'is not a pin; write the base64 of the SHA-256 of the public key, 44 characters with a final "="',
          ),
      )
      .default([])
      .meta({
        description: 'Pins: SHA-256 of the public key of a server, in base64. One of them must match.',
      }),
    sockets: count(
      128,
      1,
      4096,
      'UDP sockets per worker and server, each on its own random port; more make forged replies harder.',
    ),
    randomCase: flag(
      true,
      'Random letter case in the name (0x20), checked in the reply; switched off by itself for a server that does not copy it.',
    ),
  })
  .superRefine((pool, context) => {
    const isEncrypted = pool.servers.map(({ transport }) => transport === 'tls' || transport === 'https');
    for (const [index, server] of pool.servers.entries()) {
      const complain = (message: string) =>
        context.addIssue({ code: 'custom', path: ['servers', index], message });
      if (pool.strict && isEncrypted.includes(true) && !isEncrypted[index]) {
        complain(
          `"${server.text}" is not encrypted and other servers of the pool are; write it as "tls://…" or "https://…", or "strict: false" on the pool`,
        );
      }
      if (server.transport !== 'system' && isIP(server.host) === 0 && pool.bootstrap.length === 0) {
        complain(
          `nobody knows the address of "${server.host}"; write "bootstrap: [192.0.2.53]" with resolvers to ask, or "${server.transport}://192.0.2.53#${server.host}" with its address`,
        );
      }
    }
  });

const POOL_NAME = /^[a-z][a-z0-9-]{0,31}$/;
const POOL_NAME_FAULT =
  'a pool name has lower-case letters, digits and hyphens, at most 32; write for example "default" or "vpc"';

const Cache = z
  .strictObject({
    memory: size('64MiB', 'Memory for responses, of all workers together. 0B switches the cache off.', {
      most: '64GiB',
    }),
    ttlMin: duration('0s', 'No answer is kept, or shown to clients, for less. Above 0 fewer repeats leave.', {
      most: '1h',
    }),
    ttlMinStrict: duration(
      '1m',
      'The same for names under the strict profile, while the detector is on: negative answers too, whatever their SOA says.',
      { most: '1h' },
    ),
    ttlMax: duration('1d', 'No answer is kept for longer.', { least: '1s', most: '7d' }),
    negativeTtlMax: duration('1h', 'No negative answer (RFC 2308) is kept for longer.', { most: '3h' }),
    failureTtl: duration(
      '5s',
      'How long the failure of all upstreams is remembered for a question (RFC 9520).',
      { least: '1s', most: '5m' },
    ),
    prefetch: z
      .strictObject({
        enabled: flag(
          false,
          'Ask anew for a name that is asked often when its life in the cache is in its last tenth. Never for names that are denied by now.',
        ),
        hits: count(3, 1, 1_000_000, 'So many times it must have been answered from the cache.'),
        perSecond: count(100, 1, 100_000, 'Names asked anew in a second, by each worker.'),
      })
      .prefault({})
      .meta({ description: 'Names asked anew before they end.' }),
    serveStale: z
      .strictObject({
        enabled: flag(
          false,
          'Answer from what has ended when no upstream answers (RFC 8767). Never for names that are denied by now.',
        ),
        max: duration('1d', 'Nothing that ended longer ago is used.', { most: '7d' }),
        clientTimer: duration(
          '1.8s',
          'How long an upstream is waited for before the stale answer is given.',
          { least: '100ms', most: '10s' },
        ),
      })
      .prefault({})
      .meta({ description: 'Stale answers.' }),
  })
  .superRefine((cache, context) => {
    for (const field of ['ttlMin', 'ttlMinStrict'] as const) {
      if (cache[field] <= cache.ttlMax) continue;
      const message = `${field} is above ttlMax; write the smaller time here`;
      context.addIssue({ code: 'custom', path: [field], message });
    }
  });

const Audit = z
  .strictObject({
    directory: path('Where the segments are written. One process has it at a time.').default('var/audit'),
    mode: z.enum(['strict', 'bounded', 'open']).default('bounded').meta({
      description:
        'strict: no answer leaves before its entry is on the disk; bounded: none leaves before its entry is with the kernel, at most 100 ms of entries are not on the disk; open: answers never wait, lost entries are counted.',
    }),
    segmentSize: size('64MiB', 'A segment is closed when it is this large; readers hold one in memory.', {
      least: '64KiB',
      most: '1GiB',
    }),
    segmentAge: duration('1h', 'A segment is closed when it is this old.', { least: '1s', most: '7d' }),
    syncInterval: duration(
      '40ms',
      'How long an entry waits at most before the disk is asked to keep it (bounded and strict).',
      {
        least: '1ms',
        most: '100ms',
      },
    ),
    checkpointInterval: duration('1s', 'How often a checkpoint line closes a stretch of the chain.', {
      least: '10ms',
      most: '1h',
    }),
    reserve: size(
      '16MiB',
      'Space kept aside; used when the disk is full, so that the last entries still fit.',
      { most: '1GiB' },
    ),
    retention: z
      .strictObject({
        age: duration('90d', 'Closed segments older than this are deleted.', { least: '1h' }),
        size: size('10GiB', 'The oldest closed segments are deleted when all are larger than this.', {
          least: '1MiB',
        }),
      })
      .prefault({})
      .meta({ description: 'How long entries are kept. What is deleted is noted in the chain.' }),
    checkpoints: Checkpoints,
    encryptTo: z.array(z.string().trim().min(1)).max(16).default([]).meta({
      description:
        'Public keys (X25519, PEM files or texts) of those who may read entries: entries are encrypted to them as they are written, and nobody else can read them, this resolver included; with `ship` it can until they are shipped. `sallyport audit keygen` makes a pair. At most 16.',
    }),
    clients: z.enum(['keep', 'truncate', 'pseudonymise']).default('keep').meta({
      description:
        'Client addresses in entries: keep them; truncate to /24 and /56; or pseudonymise with a keyed hash.',
    }),
    secrets: z.enum(['redact', 'keep']).default('redact').meta({
      description:
        'Keys, tokens, card numbers, IBANs and mail addresses inside names: redact puts a mark with a keyed hash in their place, keep leaves them.',
    }),
    pseudonymKeyFile: path(
      'File with a key of the pseudonyms that does not change, at least 32 octets. For `clients: pseudonymise`; this or `pseudonyms.rotate`.',
    ).optional(),
    pseudonyms: z
      .strictObject({
        rotate: duration(
          '0s',
          'Length of the periods, each with a key of its own: a client has one pseudonym within a period, and no link to those before and after; 0s: keys do not change.',
          { most: '365d' },
        ),
        keep: duration(
          '30d',
          'How long a key is kept after its period; then it is destroyed, and its pseudonyms lead to nobody.',
        ),
        directory: path(
          'Where the keys lie, readable by the server only; default: `pseudonyms` beside `audit.directory`.',
        ).optional(),
      })
      .prefault({})
      .meta({ description: 'Keys of pseudonyms that change.' }),
  })
  .superRefine((audit, context) => {
    const { rotate } = audit.pseudonyms;
    const complain = (path: string[], message: string): void =>
      context.addIssue({ code: 'custom', path, message });
    if (rotate !== 0 && (rotate < 60_000 || rotate % 1000 !== 0)) {
      complain(
        ['pseudonyms', 'rotate'],
        'a period is whole seconds and at least a minute; write for example "24h"',
      );
    }
    if (audit.clients !== 'pseudonymise') return;
    if (audit.pseudonymKeyFile === undefined && rotate === 0) {
      complain(
        ['clients'],
        'pseudonyms need a key; write "pseudonyms: {rotate: 24h}" for keys that change by themselves, or "pseudonymKeyFile: /path/to/key" (for example made by: head -c 32 /dev/urandom > key)',
      );
    } else if (audit.pseudonymKeyFile !== undefined && rotate !== 0) {
      complain(
        ['pseudonymKeyFile'],
        'a key that does not change and keys that do exclude each other; write one of pseudonymKeyFile and pseudonyms.rotate',
      );
    }
  });

const Limits = z
  .strictObject({
    slots: count(
      8192,
      256,
      1_048_576,
      'Queries in flight per worker, over UDP and likewise over TCP, TLS and HTTPS together; more are dropped (UDP), left unread or refused, and counted.',
    ),
    pendingPerClient: count(
      200,
      1,
      65_535,
      'Queries of one client address that may wait for an upstream, per worker.',
    ),
    pendingPerProvenClient: count(
      2000,
      1,
      65_535,
      'The same for an address that cannot be forged: with a valid DNS cookie, or over TCP, TLS or HTTPS.',
    ),
    pendingPerForwarder: count(
      4000,
      1,
      65_535,
      'The same for clients of a group with `forwarder: true`, which have many clients behind them.',
    ),
    flightsPerDomain: count(
      1024,
      1,
      524_288,
      'Questions in flight to upstreams for names with the same last three labels, per worker; twice as many for the same last two. A flood of random names of one domain is held here.',
    ),
    responseRate: z
      .strictObject({
        perSecond: count(
          0,
          0,
          1_000_000,
          'Responses a second over UDP to one /24 or /56; 0: no limit. Beyond it every second response is truncated and the others are not sent. Clients with a valid DNS cookie are spared.',
        ),
        includeForwarders: flag(false, 'Limit groups with `forwarder: true` as well.'),
      })
      .prefault({})
      .meta({ description: 'Response-rate limiting, for networks whose addresses may be forged.' }),
    clientDeadline: duration('3.8s', 'A client gets its SERVFAIL after this time.', {
      least: '100ms',
      most: '30s',
    }),
    forwarderDeadline: duration(
      '1.8s',
      'The same for clients that are forwarders; CoreDNS and dnsdist give up after 2 s.',
      { least: '100ms', most: '30s' },
    ),
    aliasRestarts: count(11, 0, 32, 'Aliases followed for one query.'),
    udpSize: count(
      1232,
      512,
      4096,
      'Largest response over UDP, in octets; larger ones are truncated and asked again over TCP.',
    ),
    tcpClients: count(
      1000,
      1,
      65_535,
      'TCP connections in all; the longest idle one is closed for a new one.',
    ),
    tcpClientsPerAddress: count(32, 1, 65_535, 'TCP connections of one client address.'),
    tcpIdle: duration('30s', 'An idle TCP connection is closed after this time.', {
      least: '1s',
      most: '1h',
    }),
    tcpMessage: duration('5s', 'A message that has begun must be complete within this time.', {
      least: '100ms',
      most: '1m',
    }),
    tcpPipeline: count(
      100,
      1,
      10_000,
      'Queries in flight on one TCP connection; then nothing more is read from it.',
    ),
    tcpQueries: count(10_000, 1, 10_000_000, 'Queries in all on one TCP connection; then it is closed.'),
    tcpOutput: size(
      '256KiB',
      'Octets that a TCP client may leave unread before nothing more is read from it.',
      { least: '64KiB', most: '64MiB' },
    ),
    tcpOutputTotal: size(
      '64MiB',
      'The same for all TCP clients of a worker together; beyond it the connection with most of it is closed.',
      { least: '1MiB', most: '16GiB' },
    ),
    tcpAge: duration('1h', 'A TCP connection is closed after this time, in use or not.', {
      least: '10s',
      most: '7d',
    }),
    tlsHandshake: duration(
      '5s',
      'A TLS handshake must be complete, and the first octets of HTTP without TLS be there, within this time.',
      { least: '100ms', most: '1m' },
    ),
    tlsHandshakesPerSecond: count(
      400,
      4,
      100_000,
      'TLS handshakes begun in a second, per worker; a quarter of them by one address that is no forwarder. A full one costs about a millisecond.',
    ),
    http2Streams: count(100, 1, 1000, 'HTTP/2 streams of one connection at once; more are refused.'),
    http2Resets: count(
      200,
      1,
      100_000,
      'HTTP/2 streams of one connection that may be reset within 30 s, by the client or for its faults; then it is closed.',
    ),
  })
  .superRefine(({ tcpOutput, tcpOutputTotal }, context) => {
    if (tcpOutput <= tcpOutputTotal) return;
    const message =
      'tcpOutputTotal is below tcpOutput, which one client may leave unread; write at least as much here';
    context.addIssue({ code: 'custom', path: ['tcpOutputTotal'], message });
  });

const Detect = z.strictObject({
  enabled: flag(true, 'Watch for data that leaves inside names.'),
  profile: z
    .enum(['default', 'strict'])
    .default('default')
    .meta({ description: 'Profile for rules that name none.' }),
  action: z
    .enum(TUNNEL_ACTIONS)
    .default('block')
    .meta({
      description: `What an alarm does in groups that say nothing of it. ${TUNNEL_ACTIONS_MEAN}`,
    }),
  strictAction: z
    .enum(TUNNEL_ACTIONS)
    .optional()
    .meta({ description: 'The same for names under the strict profile; default: as `action`.' }),
  hold: duration('1d', 'How long that holds after the last query that it stops.', {
    least: '1m',
    most: '30d',
  }),
  namesPerMinute: count(
    6,
    1,
    600,
    'throttle: new names a minute that pass, for each client and zone. Each may carry a hundred octets.',
  ),
  secrets: z.enum(['alert', 'block', 'off']).default('alert').meta({
    description:
      'Names with a key, token, card number, IBAN or mail address inside: alert counts them and writes a line to the log; block denies them as well, but for rules with `profile: off`.',
  }),
  events: flag(
    true,
    'Tell when a group asks a domain for the first time, and when that domain looks made by an algorithm.',
  ),
  learn: duration(
    '1d',
    'For so long after its first start Sallyport learns which domains are asked, and tells of none.',
    {
      most: '90d',
    },
  ),
  stateDirectory: path('Where budgets and history are kept over a restart.').default('var/detect'),
});

const Log = z.strictObject({
  level: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .meta({ description: 'Least level that is written.' }),
  format: z
    .enum(['auto', 'json', 'text'])
    .default('auto')
    .meta({ description: 'auto: text on a terminal, else one JSON object a line.' }),
});

export const Settings = z
  .strictObject({
    listen: Listen.prefault({}).meta({ description: 'Where clients ask.' }),
    http: Http.prefault({}).meta({ description: 'Metrics, health, explain and reload.' }),
    workers: z
      .union([z.literal('auto'), z.int().min(1).max(256)], {
        error: 'is not a number of workers; write "auto" (one per core) or a number from 1 to 256',
      })
      .default('auto')
      .meta({
        description:
          'Threads that answer queries; auto: one per core, fewer where a control group has no memory for them (about 48 MiB each).',
      }),
    io: z.enum(['auto', 'native', 'portable']).default('auto').meta({
      description:
        'Socket engine. native: batches through recvmmsg and sendmmsg (Linux); portable: node:dgram; auto: native where it works.',
    }),
    policies: z
      .array(z.string().trim().min(1))
      .min(1)
      .default(['policies/starter.yaml'])
      .meta({ description: 'Policy files, or directories whose *.yaml files are all read.' }),
    upstreams: z
      .record(z.string().regex(POOL_NAME, POOL_NAME_FAULT), Upstream)
      .prefault({ default: { servers: ['system'] } })
      .meta({
        description:
          'Pools of upstream servers by name. The pool "default" is asked for all that no `via:` route of a policy sends elsewhere.',
      })
      .refine((pools) => Object.hasOwn(pools, 'default'), {
        error: 'there is no pool named "default"; write for example "default: {servers: [system]}"',
      }),
    cache: Cache.prefault({}).meta({ description: 'Responses that are kept.' }),
    audit: Audit.prefault({}).meta({ description: 'The entry of every query.' }),
    ship: Ship.default([]).meta({
      description: 'Receivers to which the audit is shipped (docs/shipping.md); none by default.',
    }),
    limits: Limits.prefault({}).meta({ description: 'Bounds; every one has a counter in the metrics.' }),
    detect: Detect.prefault({}).meta({ description: 'The tunnel detector.' }),
    log: Log.prefault({}).meta({
      description: 'The operational log on standard error; never one line per query.',
    }),
  })
  .superRefine(({ listen, upstreams }, context) => {
    const ours = {
      udp: listen.addresses,
      tcp: listen.addresses,
      tls: listen.tls.addresses,
      https: listen.https.addresses,
    };
    for (const [pool, { servers }] of Object.entries(upstreams)) {
      for (const [index, server] of servers.entries()) {
        if (server.transport === 'system') continue;
        if (!isListening(server.host, server.port, ours[server.transport])) continue;
        const message = `"${server.text}" is where Sallyport itself listens, and it would ask itself; write the resolver that it should ask`;
        context.addIssue({ code: 'custom', path: ['upstreams', pool, 'servers', index], message });
      }
    }
  })
  .meta({ title: 'Sallyport settings' });
export type Settings = z.infer<typeof Settings>;
export type PoolSettings = Settings['upstreams'][string];
