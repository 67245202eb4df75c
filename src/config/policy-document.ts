/**
 * What may be written in a policy file (`policies/*.yaml`). Type, default, description, JSON Schema, reference page
 * and error messages all come from these lines.
 *
 * Zod checks shapes; what needs a second look at the text (names, CIDRs, dates, public suffixes, references between
 * sections) is checked by `policy-reader.ts`, so that every fault of a file is shown at once.
 */
import { z } from 'zod';
import { duration, optionalDuration } from './units.ts';

const text = (description: string) => z.string().trim().min(1).meta({ description });

const Processor = z
  .strictObject({
    name: text('Who processes the data, e.g. "GitHub, Inc.".'),
    country: z
      .string()
      .regex(/^[A-Z]{2}$/, 'is not a country code; write two capital letters (ISO 3166-1), for example "US"')
      .meta({ description: 'Where, as an ISO 3166-1 code, e.g. "US".' }),
    agreement: text('The agreement it is processed under, e.g. "DPA 2024-03, SCC".').optional(),
  })
  .meta({ description: 'The processor behind the name, for GDPR Art. 28, 30 and 44–46.' });

/** Fields that document a rule; a set may give defaults for all of its rules. */
const documentation = {
  owner: text('Who answers for this rule: a team or a mail address.').optional(),
  ticket: text('Where it was decided: an issue or change number.').optional(),
  processor: Processor.optional(),
};

const pattern = text(
  '"example.com" is that name only; "*.example.com" everything below it at any depth, not the name itself; "+.example.com" both.',
);

const types = z.array(text('A type by name or as TYPEnnn.')).min(1).meta({
  description:
    'Query types the rule covers. Default for allow: A, AAAA, CNAME, HTTPS, SVCB; for deny: every type.',
});

const expires = text(
  'The rule ends at this moment: "2026-12-31" (start of that day, UTC) or a full ISO 8601 time with zone.',
);

const NAME = /^[a-zA-Z0-9][\w-]{0,62}$/;
const named = (kind: string) =>
  z
    .string()
    .regex(
      NAME,
      `a ${kind} name has letters, digits, hyphens and underscores, at most 63; write for example "base" or "team-a"`,
    );

const Cname = z.enum(['trust', 'inspect', 'same-site']).meta({
  description:
    'What an alias in the answer may point to. trust: anything no deny rule names; inspect: only names that are allowed themselves; same-site: only names of the same registrable domain.',
});

const Profile = z.enum(['default', 'strict', 'off']).meta({
  description:
    'How closely the tunnel detector watches names under this rule; strict also keeps answers for `cache.ttlMinStrict` at least.',
});

const ruleFields = {
  name: pattern.optional(),
  names: z.array(pattern).min(1).meta({ description: 'Several names that share all else.' }).optional(),
  reason: text('Why this rule exists. Required, here or on the set.').optional(),
  types: types.optional(),
  expires: expires.optional(),
  ...documentation,
};

export const AllowRule = z.strictObject({
  ...ruleFields,
  cname: Cname.optional(),
  profile: Profile.optional(),
  characters: z
    .enum(['hostname', 'any'])
    .meta({ description: 'hostname (default): letters, digits, hyphen, underscore only; any: every octet.' })
    .optional(),
  unsafeWildcard: text(
    'Why a wildcard at or above a public suffix is right here. Without it such a wildcard is a fault.',
  ).optional(),
});
export type AllowRule = z.infer<typeof AllowRule>;

export const DenyAnswer = z
  .union([
    z.enum(['nxdomain', 'nodata', 'refused', 'drop']),
    z.strictObject({
      a: text('IPv4 address to answer with.').optional(),
      aaaa: text('IPv6 address to answer with.').optional(),
    }),
  ])
  .meta({ description: 'What a denied client gets. nxdomain is the safe choice: see docs/deny-answers.md.' });
export type DenyAnswer = z.infer<typeof DenyAnswer>;

export const DenyRule = z.strictObject({ ...ruleFields, answer: DenyAnswer.optional() });
export type DenyRule = z.infer<typeof DenyRule>;

export const NameList = z.strictObject({
  file: text('Path of a text file, relative to the policy file; ".gz" is read too.'),
  action: z
    .enum(['allow', 'deny'])
    .meta({ description: 'What the names of the list are: allowed or denied.' }),
  format: z.enum(['names', 'hosts', 'rpz']).default('names').meta({
    description:
      'names: one name or pattern a line, "#" opens a comment; hosts: as /etc/hosts; rpz: a response policy zone.',
  }),
  match: z.enum(['as-written', 'exact', 'both']).default('as-written').meta({
    description:
      'How a line without a prefix is read: as-written and exact: that name only; both: it and all below.',
  }),
  reason: text('Why the list is used. Required, here or on the set.').optional(),
  types: types.optional(),
  expires: expires.optional(),
  answer: DenyAnswer.optional(),
  profile: Profile.optional(),
  cname: Cname.optional(),
  ...documentation,
});
export type NameList = z.infer<typeof NameList>;

export const RuleSet = z.strictObject({
  description: text('What the set is for.').optional(),
  reason: text('Reason for every rule that gives none.').optional(),
  expires: expires.optional(),
  ...documentation,
  allow: z
    .array(z.union([AllowRule, pattern]))
    .default([])
    .meta({ description: 'Names that may be asked. A bare name takes the reason of the set.' }),
  deny: z
    .array(z.union([DenyRule, pattern]))
    .default([])
    .meta({ description: 'Names that may not be asked, whatever allows them.' }),
  lists: z.array(NameList).default([]).meta({ description: 'Rules by the thousand, from text files.' }),
});
export type RuleSet = z.infer<typeof RuleSet>;

export const TUNNEL_ACTIONS = ['alert', 'throttle', 'block', 'block-all', 'quarantine'] as const;

/** The words of `action`, for settings and groups alike. */
export const TUNNEL_ACTIONS_MEAN =
  'alert: nothing is denied; throttle: a few new names a minute pass; block: the zone is denied to that client; block-all: to every client; quarantine: that client gets local names and those its group allows by exact name, nothing else.';

const Tunnels = z
  .strictObject({
    action: z.enum(TUNNEL_ACTIONS).optional().meta({ description: TUNNEL_ACTIONS_MEAN }),
    strictAction: z
      .enum(TUNNEL_ACTIONS)
      .optional()
      .meta({ description: 'The same for names under the strict profile; default: as `action`.' }),
    hold: optionalDuration('How long it holds after the last query that it stops.', {
      least: '1m',
      most: '30d',
    }),
    namesPerMinute: z
      .int()
      .min(1)
      .max(600)
      .optional()
      .meta({ description: 'throttle: new names a minute that pass, for each client and zone.' }),
  })
  .meta({ description: 'What alarms of the tunnel detector do to these clients; default: as in `detect`.' });

export const Group = z.strictObject({
  description: text('Who these clients are.').optional(),
  clients: z
    .array(text('An address or CIDR prefix.'))
    .min(1)
    .meta({ description: 'Addresses and prefixes of the clients; the longest prefix over all groups wins.' }),
  sets: z
    .array(text('Name of a set.'))
    .default([])
    .meta({ description: 'Rule sets that hold for these clients.' }),
  mode: z.enum(['enforce', 'observe']).default('enforce').meta({
    description:
      'enforce: what is not allowed is denied. observe: it is answered, and recorded as would-be denied.',
  }),
  answer: DenyAnswer.default('nxdomain'),
  forwarder: z.boolean().default(false).meta({
    description:
      'These clients are resolvers themselves (CoreDNS, dnsdist) that give up after 2 s: they get their SERVFAIL at 1.8 s.',
  }),
  contact: text('Whom to ask about a denial; shown in the extended error.').optional(),
  tunnels: Tunnels.optional(),
});
export type Group = z.infer<typeof Group>;

export const LocalZone = z.strictObject({
  zone: text('Apex of the zone, e.g. "corp.example".'),
  groups: z
    .array(text('Name of a group.'))
    .optional()
    .meta({ description: 'Groups that may ask it; default: all.' }),
  ttl: duration('5m', 'TTL of records that give none.', { most: '7d' }),
  records: z.array(text('A record in master-file form.')).default([]).meta({
    description:
      'Records such as "www 300 A 192.0.2.1" or "@ MX 10 mail.corp.example."; names without final dot are relative to the zone.',
  }),
});
export type LocalZone = z.infer<typeof LocalZone>;

export const Route = z.strictObject({
  suffix: text('A name; it and everything below it goes to the pool.'),
  pool: text('Name of an upstream pool in the settings.'),
  reason: text('Why it goes there.').optional(),
});
export type Route = z.infer<typeof Route>;

export const PolicyDocument = z
  .strictObject({
    version: z.literal(1).default(1).meta({ description: 'Version of this form.' }),
    sets: z
      .record(named('set'), RuleSet)
      .default({})
      .meta({ description: 'Named sets of rules; groups include them.' }),
    groups: z
      .record(named('group'), Group)
      .default({})
      .meta({ description: 'Clients that share rules. An address that no group has is refused.' }),
    local: z
      .array(LocalZone)
      .default([])
      .meta({ description: 'Zones that Sallyport answers itself, with authority.' }),
    via: z.array(Route).default([]).meta({
      description:
        'Names that are asked at other upstreams; the longest suffix wins. A route allows nothing.',
    }),
  })
  .meta({ title: 'Sallyport policy' });
export type PolicyDocument = z.infer<typeof PolicyDocument>;
