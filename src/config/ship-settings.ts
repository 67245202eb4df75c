/**
 * Where the audit is shipped to: one entry of `ship` for each receiver. What a type of receiver takes stands in one object;
 * `sallyport check` tells every fault with what to write instead.
 */
import { z } from 'zod';
import { type Receiver, receiver } from './receiver.ts';
import { duration, size } from './units.ts';

export type { Receiver } from './receiver.ts';

const path = (description: string) => z.string().trim().min(1).meta({ description });

/** A secret is never written into the settings: it stands in a file or in a variable. */
const secret = (example: string, description: string) =>
  z
    .union(
      [
        z.strictObject({
          file: path('File that holds the secret; the newline at its end does not count.'),
        }),
        z.strictObject({ env: path('Name of the variable that holds the secret.') }),
      ],
      {
        error: `is a secret and does not stand in the settings; write "{file: ${example}}" or "{env: NAME_OF_A_VARIABLE}"`,
      },
    )
    .meta({ description });
export type Secret = { readonly file: string } | { readonly env: string };

const url = (example: string, description: string) =>
  z
    .string({ error: `must be a URL; write for example "${example}"` })
    .superRefine((text, context) => {
      const parsed = URL.canParse(text) ? new URL(text) : null;
      if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
        context.addIssue(
          `"${text}" is not a URL that begins with http:// or https://; write for example "${example}"`,
        );
      } else if (parsed.username !== '' || parsed.password !== '') {
        // The text itself is not shown: it holds a password.
        context.addIssue(
          `this URL holds a user or a password; write them as "user" and "password: {file: …}", or as a header`,
        );
      }
    })
    .meta({ description });

const NAME = /^[a-z][a-z0-9-]{0,31}$/;

/** Words of `verdicts`. */
export const SHIPPED_VERDICTS = [
  'allow',
  'observe',
  'deny',
  'local',
  'refuse',
  'fail',
  'drop',
  'malformed',
  'note',
] as const;

/** What every sink takes. */
const common = {
  name: z
    .string()
    .regex(
      NAME,
      'is not a name of a sink; write lower-case letters, digits and hyphens, at most 32, for example "siem"',
    )
    .meta({
      description:
        'Name of the sink, in metrics, logs and `sallyport ship`. The place up to which was shipped is kept under it.',
    }),
  verdicts: z
    .array(
      z.enum(SHIPPED_VERDICTS, {
        error: `is not a verdict; write one or more of ${SHIPPED_VERDICTS.join(', ')}`,
      }),
    )
    .min(1)
    .optional()
    .meta({
      description:
        'Only records with these verdicts, e.g. [deny, drop]; `note`: what the log says of itself. Without it: all records.',
    }),
  identity: path('Name of this resolver in what is shipped; default: the name of this host.').optional(),
  begin: z.enum(['now', 'oldest']).default('now').meta({
    description:
      'Where a sink begins that has never shipped: with what comes from now on, or with the oldest record that is there.',
  }),
  spool: size(
    '4GiB',
    'Segments that are not shipped are kept from retention up to this size; beyond it the oldest may be deleted unshipped.',
    { least: '1MiB' },
  ),
};

const tls = {
  caFile: path('PEM file of the CA to trust instead of the public ones.').optional(),
  certificate: path('PEM file with a certificate to show to the receiver.').optional(),
  key: path('PEM file with the key of that certificate.').optional(),
};

interface TlsFields {
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
}

function needBoth({ certificate, key }: TlsFields, context: z.RefinementCtx): void {
  if ((certificate === undefined) === (key === undefined)) return;
  const [missing, given] = certificate === undefined ? ['certificate', 'key'] : ['key', 'certificate'];
  const message = `there is a ${given} and no ${missing}; write "${missing}: /path/to/${missing}.pem", or remove the ${given}`;
  context.addIssue({ code: 'custom', path: [missing], message });
}

const flush = duration(
  '10s',
  'The protocol has no acknowledgement: this often the connection is ended in order, and what the receiver has read to its end counts as shipped. After a break, at most this much is sent again.',
  { least: '100ms', most: '10m' },
);

const Dnstap = z
  .strictObject({
    type: z.literal('dnstap').meta({ description: 'dnstap over Frame Streams, bidirectional.' }),
    ...common,
    socket: path('Unix socket of the receiver; this or `address`.').optional(),
    address: receiver(
      '192.0.2.7:6000',
      'Host and port of the receiver over TCP; this or `socket`.',
    ).optional(),
    oldProtocols: z.boolean().default(false).meta({
      description:
        'Say TCP of what came over TLS or HTTPS: for dnstap-ldns up to 0.2.1, which stops at protocols that are younger than it.',
    }),
    flush,
  })
  .superRefine(({ socket, address }, context) => {
    if ((socket === undefined) !== (address === undefined)) return;
    const which =
      socket === undefined ? 'nothing says where the receiver is' : 'there are a socket and an address';
    context.addIssue({
      code: 'custom',
      path: [],
      message: `${which}; write either "socket: /run/dnstap.sock" or "address: 192.0.2.7:6000"`,
    });
  });

export const FACILITIES = [
  'user',
  'daemon',
  'auth',
  'authpriv',
  'local0',
  'local1',
  'local2',
  'local3',
  'local4',
  'local5',
  'local6',
  'local7',
] as const;

const Syslog = z
  .strictObject({
    type: z.literal('syslog').meta({ description: 'Syslog (RFC 5424) over TLS (RFC 5425) or plain TCP.' }),
    ...common,
    address: receiver('logs.example.net:6514', 'Host and port of the receiver.'),
    transport: z.enum(['tls', 'tcp']).default('tls').meta({
      description: 'tls, or tcp: in the clear, for receivers on this host or behind a tunnel.',
    }),
    serverName: path('Name that the certificate of the receiver must carry; default: the host.').optional(),
    ...tls,
    format: z.enum(['json', 'structured']).default('json').meta({
      description:
        'json: the record as the message; structured: its members as structured data, and a short text.',
    }),
    facility: z.enum(FACILITIES).default('local0').meta({ description: 'Facility of the messages.' }),
    enterprise: z.int().min(1).max(4_294_967_295).default(32_473).meta({
      description:
        'Private enterprise number behind the @ of structured data; the default is the one reserved for examples (RFC 5612).',
    }),
    messageMax: size('8KiB', 'Longest message; of longer ones answers are left out.', {
      least: '2KiB',
      most: '64KiB',
    }),
    flush,
  })
  .superRefine(needBoth);

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const OWN_HEADERS = new Set(['content-type', 'content-length', 'content-encoding', 'host', 'connection']);

const headers = z
  .record(
    z
      .string()
      .regex(HEADER_NAME, 'is not the name of a header; write for example "authorization"')
      .refine((name) => !OWN_HEADERS.has(name.toLowerCase()), {
        error: 'is a header that Sallyport sets itself; write others only, for example "authorization"',
      }),
    z.union(
      [
        z.string(),
        z.strictObject({ file: path('File that holds the value.') }),
        z.strictObject({ env: path('Name of the variable that holds the value.') }),
      ],
      {
        error: 'is not a header; write text, or for a secret "{file: /run/secrets/header}" or "{env: NAME}"',
      },
    ),
  )
  .default({})
  .meta({
    description:
      'Headers of every request. Secrets are written as `{file: …}` or `{env: …}` and hold the whole value.',
  });

const Otlp = z
  .strictObject({
    type: z.literal('otlp').meta({ description: 'OpenTelemetry logs: OTLP over HTTP with JSON.' }),
    ...common,
    url: url('http://127.0.0.1:4318', 'URL of the collector; without a path /v1/logs is added.'),
    headers,
    ...tls,
    compression: z.enum(['none', 'gzip']).default('none').meta({ description: 'Compression of requests.' }),
  })
  .superRefine(needBoth);

const Kafka = z
  .strictObject({
    type: z.literal('kafka').meta({ description: 'Kafka; needs `npm install kafkajs@2.2.4`.' }),
    ...common,
    brokers: z
      .array(receiver('kafka-1.example.net:9092', 'Host and port of a broker.'))
      .min(1)
      .max(64)
      .meta({ description: 'Brokers to begin with.' }),
    topic: z
      .string()
      .regex(
        /^[A-Za-z0-9._-]{1,249}$/,
        'is not a topic; write letters, digits, ".", "_" and "-", for example "dns-audit"',
      )
      .meta({
        description: 'Topic; the key of a message is the worker, so that each worker stays in order.',
      }),
    tls: z.boolean().default(false).meta({ description: 'Encrypt; implied by `caFile` and `certificate`.' }),
    ...tls,
    sasl: z
      .strictObject({
        mechanism: z
          .enum(['plain', 'scram-sha-256', 'scram-sha-512'])
          .default('scram-sha-512')
          .meta({ description: 'Mechanism.' }),
        user: path('Name of the user.'),
        password: secret('/run/secrets/kafka', 'Password.'),
      })
      .optional()
      .meta({ description: 'Authentication.' }),
    compression: z.enum(['none', 'gzip']).default('none').meta({ description: 'Compression of batches.' }),
  })
  .superRefine((kafka, context) => {
    needBoth(kafka, context);
    const isPlain = !kafka.tls && kafka.caFile === undefined && kafka.certificate === undefined;
    if (!isPlain || kafka.sasl?.mechanism !== 'plain') return;
    const message = 'the password would travel in the clear; write "tls: true", or another mechanism';
    context.addIssue({ code: 'custom', path: ['sasl', 'mechanism'], message });
  });

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]{0,127}(\.[A-Za-z_][A-Za-z0-9_]{0,127})?$/;

const ClickHouse = z
  .strictObject({
    type: z.literal('clickhouse').meta({ description: 'ClickHouse over its HTTP interface.' }),
    ...common,
    url: url('http://127.0.0.1:8123', 'URL of the HTTP interface.'),
    table: z
      .string()
      .regex(IDENTIFIER, 'is not a table; write "table" or "database.table", for example "audit.dns"')
      .meta({ description: 'Table to insert into, see docs/shipping.md for its columns.' }),
    user: path('Name of the user.').optional(),
    password: secret('/run/secrets/clickhouse', 'Password of the user.').optional(),
    ...tls,
  })
  .superRefine((clickhouse, context) => {
    needBoth(clickhouse, context);
    if (clickhouse.password === undefined || clickhouse.user !== undefined) return;
    const message = 'there is a password and no user; write "user: default"';
    context.addIssue({ code: 'custom', path: ['user'], message });
  });

const TYPES = 'write "dnstap", "syslog", "otlp", "kafka" or "clickhouse"';

const Sink = z.discriminatedUnion('type', [Dnstap, Syslog, Otlp, Kafka, ClickHouse], {
  error: ({ input }) =>
    typeof input === 'object'
      ? `is not a type of sink; ${TYPES}`
      : `is not a sink; write for example "{name: siem, type: syslog, address: 'logs.example.net:6514'}"`,
});

export const Ship = z
  .array(Sink)
  .max(16)
  .superRefine((sinks, context) => {
    for (const [index, { name }] of sinks.entries()) {
      if (sinks.findIndex((one) => one.name === name) === index) continue;
      const message = `there are two sinks named "${name}"; write another name here, for example "${name.slice(0, 30)}-2"`;
      context.addIssue({ code: 'custom', path: [index, 'name'], message });
    }
  });
export type SinkSettings = z.infer<typeof Sink>;
export type SinkOf<Type extends SinkSettings['type']> = Extract<SinkSettings, { type: Type }>;

/** Where a sink ships to, without secrets. */
export function destinationText(settings: SinkSettings): string {
  const at = ({ host, port }: Receiver): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;
  switch (settings.type) {
    case 'dnstap':
      return settings.address === undefined ? `unix:${settings.socket}` : `tcp://${at(settings.address)}`;
    case 'syslog':
      return `${settings.transport}://${at(settings.address)}`;
    case 'kafka':
      return `${settings.brokers.map(at).join(',')}/${settings.topic}`;
    case 'clickhouse':
      return `${new URL(settings.url).origin} ${settings.table}`;
    case 'otlp':
      return new URL(settings.url).origin;
  }
}
