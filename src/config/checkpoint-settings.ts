/** Where signed checkpoints are sent as they are made: one entry of `audit.checkpoints` for each place. */
import { z } from 'zod';
import { isLoopback } from './endpoint.ts';
import { receiver } from './receiver.ts';
import { duration, size } from './units.ts';

const path = (description: string) => z.string().trim().min(1).meta({ description });

/** Fields that belong to one kind of place alone. */
const KIND_OF: Readonly<Record<string, readonly Kind[]>> = {
  size: ['file'],
  tokenFile: ['webhook'],
  transport: ['syslog'],
  serverName: ['syslog'],
  caFile: ['webhook', 'syslog'],
};
type Kind = 'file' | 'webhook' | 'syslog';
const KINDS: readonly Kind[] = ['file', 'webhook', 'syslog'];

const FORMS =
  'write "file: /mnt/other/checkpoints.ndjson", "webhook: https://receiver.example/checkpoints" or "syslog: logs.example:6514"';

const webhook = z
  .string()
  .superRefine((text, context) => {
    const url = URL.canParse(text) ? new URL(text) : null;
    const isPlain = url?.protocol === 'http:';
    if (url === null || !/^https?:$/.test(url.protocol)) {
      context.addIssue(
        'is not a URL that begins with https://; write for example "https://receiver.example/checkpoints"',
      );
    } else if (isPlain && !isLoopback(url.hostname.replace(/^\[|\]$/g, ''))) {
      context.addIssue(
        `is not encrypted, and ${url.hostname} is another machine; write it with https://, or send it to 127.0.0.1`,
      );
    } else if (url.username !== '' || url.password !== '') {
      context.addIssue('holds a password; write it without, and "tokenFile: /path/to/token"');
    }
  })
  .meta({ description: 'URL that takes a POST with a JSON list of checkpoints and answers 2xx.' });

const Place = z
  .strictObject({
    file: path(
      'File to append to, on another disk or a share; it is opened anew each time, so it may be moved away.',
    ).optional(),
    webhook: webhook.optional(),
    syslog: receiver('logs.example:6514', 'Host and port of a syslog receiver (RFC 5424).').optional(),
    every: duration(
      '10s',
      'Sent at most this often, and each time the newest of each worker, which covers all before it; 0s: each as it is made.',
      { most: '1h' },
    ),
    size: size(
      '64MiB',
      '`file`: when it has become this large it is renamed to end in `.1`, in place of an older one.',
      {
        least: '64KiB',
      },
    ),
    transport: z.enum(['tls', 'tcp', 'udp']).default('tls').meta({
      description:
        '`syslog`: TLS (RFC 5425), TCP with octet counting (RFC 6587), or UDP (RFC 5426), which loses silently.',
    }),
    serverName: path(
      '`syslog`: name that the certificate of the receiver must carry; default: the host.',
    ).optional(),
    caFile: path('`webhook`, `syslog`: PEM file of the CA to trust instead of the public ones.').optional(),
    tokenFile: path('`webhook`: file with a token, sent as "Authorization: Bearer …".').optional(),
  })
  .superRefine((place, context) => {
    const kinds = KINDS.filter((kind) => place[kind] !== undefined);
    if (kinds.length === 1) return;
    const what = kinds.length === 0 ? 'nothing says where checkpoints go' : 'an entry is one place';
    context.addIssue({ code: 'custom', path: [], message: `${what}; ${FORMS}` });
  });

/** What was written for another kind of place would silently do nothing. */
function refuseForeign(written: unknown, context: z.RefinementCtx): void {
  if (!Array.isArray(written)) return;
  for (const [index, entry] of written.entries()) {
    if (typeof entry !== 'object' || entry === null) continue;
    const kinds = KINDS.filter((kind) => Object.hasOwn(entry, kind));
    if (kinds.length !== 1) continue;
    for (const [field, of] of Object.entries(KIND_OF)) {
      if (!Object.hasOwn(entry, field) || of.includes(kinds[0])) continue;
      const message = `"${field}" means nothing for a ${kinds[0]}; write it in an entry with ${of.join(' or ')}, or remove it`;
      context.addIssue({ code: 'custom', path: [index, field], message });
    }
  }
}

export const Checkpoints = z
  .preprocess((written, context) => {
    refuseForeign(written, context);
    return written;
  }, z.array(Place).max(8))
  .prefault([])
  .meta({
    description:
      'Places outside of this machine to which signed checkpoints go as they are made: what is cut off the end of the log afterwards contradicts them. At most 8.',
  });
