/**
 * dnstap (dnstap.proto, dnstap.info): for each entry a CLIENT_QUERY and, when something was sent, a CLIENT_RESPONSE; when an
 * upstream was asked, a FORWARDER_QUERY and, when it answered, a FORWARDER_RESPONSE.
 *
 *    Dnstap   1 identity   2 version   3 extra   14 message   15 type (1 = MESSAGE)
 *    Message  1 type   2 family   3 protocol   4 query address   5 response address   6 query port   7 response port
 *             8, 9 query time   10 query message   12, 13 response time   14 response message   15 policy
 *
 * `extra` is JSON with log, worker, seq, verdict and what else dnstap has no field for.
 */
import { isIP, isIPv4 } from 'node:net';
import type { AuditRecord } from '../audit/index.ts';
import type { SinkOf } from '../config/index.ts';
import { Rrtype, rdataOctets } from '../wire/index.ts';
import { Connection } from './connection.ts';
import type { ShipRecord, Sink } from './contract.ts';
import { queryMessage, rcodeOf, responseMessage } from './dns-message.ts';
import { policyField } from './dnstap-policy.ts';
import { FrameWriter } from './frame-streams.ts';
import { fixed32Field, messageField, numberField, octetsField } from './protobuf.ts';

export const CONTENT_TYPE = 'protobuf:dnstap.Dnstap';

const Type = { CLIENT_QUERY: 5, CLIENT_RESPONSE: 6, FORWARDER_QUERY: 7, FORWARDER_RESPONSE: 8 } as const;
type Protocols = Readonly<Record<string, number>>;
const PROTOCOLS: Protocols = { udp: 1, tcp: 2, dot: 3, doh: 4, tls: 3, https: 4 };
/** For readers that are older than the others and stop at what they do not know. */
const OLD_PROTOCOLS: Protocols = { udp: 1, tcp: 2, dot: 2, doh: 2, tls: 2, https: 2 };

export async function openDnstap(settings: SinkOf<'dnstap'>, version: string): Promise<Sink> {
  const { socket, address } = settings;
  const connection = await Connection.open(
    address === undefined ? { kind: 'unix', path: socket ?? '' } : { kind: 'tcp', ...address },
  );
  let writer: FrameWriter;
  try {
    writer = await FrameWriter.open(connection, CONTENT_TYPE);
  } catch (error) {
    connection.close();
    throw error;
  }
  const encode = dnstapEncoder(version, settings.oldProtocols);
  return {
    async send(records) {
      await writer.write(records.flatMap(encode));
      return undefined;
    },
    settle: () => writer.finish(),
    close: () => writer.close(),
  };
}

/** The frames of a record; none for what the log says of itself, which dnstap has no message for. */
export function dnstapEncoder(version: string, hasOldProtocols = false): (shipped: ShipRecord) => Buffer[] {
  const protocols = hasOldProtocols ? OLD_PROTOCOLS : PROTOCOLS;
  const server = octetsField(2, `sallyport ${version}`);
  return (shipped) => {
    const { record } = shipped;
    if (record.type !== undefined) return [];
    const head = [octetsField(1, shipped.host), server, octetsField(3, extraText(shipped))];
    const frame = (message: readonly Buffer[]): Buffer =>
      Buffer.concat([...head, messageField(14, message), numberField(15, 1)]);
    return messagesOf(record, protocols).map(frame);
  };
}

function extraText({ log, worker, record }: ShipRecord): string {
  const { seq, verdict, cause, group, reason, cached, observed, evidence, secrets } = record;
  return JSON.stringify({
    log,
    worker,
    seq,
    verdict,
    cause,
    group,
    reason,
    cached,
    observed,
    evidence,
    secrets,
  });
}

/** Messages of an entry, each as its fields. */
function messagesOf(record: AuditRecord, protocols: Protocols): Buffer[][] {
  const endMs = Date.parse(record.time);
  const times = { query: endMs - (record.us ?? 0) / 1000, response: endMs };
  const id = record.id ?? 0;
  const client = clientOctets(record.client);
  const ends = [
    numberField(2, familyOf(client)),
    numberField(3, protocols[record.via ?? ''] ?? null),
    octetsField(4, client),
    numberField(6, record.port ?? null),
  ];
  const policy = policyField(record, client);
  const { rcode } = record;
  const messages = [
    [
      numberField(1, Type.CLIENT_QUERY),
      ...ends,
      ...timeFields(8, times.query),
      octetsField(10, queryMessage(record, id)),
      policy,
    ],
  ];
  if (rcode !== null && rcode !== undefined) {
    const response = responseMessage(record, id, rcodeOf(rcode), record.answers ?? [], record.ede ?? null);
    messages.push([
      numberField(1, Type.CLIENT_RESPONSE),
      ...ends,
      ...timeFields(8, times.query),
      ...timeFields(12, times.response),
      octetsField(14, response),
      policy,
    ]);
  }
  return [...messages, ...forwarderMessages(record, protocols, times, policy)];
}

/** What went to the upstream and came from it; of a cached answer nothing did. The times are those of the client's query. */
function forwarderMessages(
  record: AuditRecord,
  protocols: Protocols,
  times: { readonly query: number; readonly response: number },
  policy: Buffer,
): Buffer[][] {
  const server = record.cached === true ? null : serverOf(record.upstream);
  if (server === null) return [];
  const ends = [
    numberField(2, familyOf(server.address)),
    numberField(3, protocols[server.transport] ?? null),
    octetsField(5, server.address),
    numberField(7, server.port),
  ];
  // The id of our own question is not kept; it was random.
  const query = [
    numberField(1, Type.FORWARDER_QUERY),
    ...ends,
    ...timeFields(8, times.query),
    octetsField(10, queryMessage(record, 0)),
    policy,
  ];
  const rcode = upstreamRcode(record);
  if (rcode === null) return [query];
  const response = responseMessage(record, 0, rcode, record.answers ?? [], null);
  return [
    query,
    [
      numberField(1, Type.FORWARDER_RESPONSE),
      ...ends,
      ...timeFields(8, times.query),
      ...timeFields(12, times.response),
      octetsField(14, response),
      policy,
    ],
  ];
}

/** What the upstream said; null when it said nothing, or nothing usable. */
function upstreamRcode({ verdict, rcode, upstreamRcode: said }: AuditRecord): number | null {
  if (said !== undefined) return /^[A-Z][A-Z0-9]*$/.test(said) ? rcodeOf(said) : null;
  return verdict === 'fail' || rcode === null || rcode === undefined ? null : rcodeOf(rcode);
}

function timeFields(field: number, atMs: number): Buffer[] {
  const seconds = Math.floor(atMs / 1000);
  return [
    numberField(field, seconds),
    fixed32Field(field + 1, Math.min(999_999_999, Math.round((atMs - seconds * 1000) * 1e6))),
  ];
}

/** Octets of an address; of one that was truncated, its network; none of a pseudonym. */
function clientOctets(text: string | undefined): Uint8Array | null {
  const address = (text ?? '').replace(/\/\d+$/, '');
  if (isIP(address) === 0) return null;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const plain = mapped ?? address;
  return rdataOctets(isIPv4(plain) ? Rrtype.A : Rrtype.AAAA, plain);
}

const familyOf = (address: Uint8Array | null): number | null =>
  address === null ? null : address.length === 4 ? 1 : 2;

interface Server {
  readonly transport: string;
  /** Null for a server that is known by its name only. */
  readonly address: Uint8Array | null;
  readonly port: number;
}

/** `192.0.2.53:53`, `tls://[2001:db8::53]:853#dns.example`, `https://dns.example:443/dns-query`. */
function serverOf(text: string | undefined): Server | null {
  const parts = /^(?:(tcp|tls|https):\/\/)?(?:\[([^\]]+)\]|([^:/#]+)):(\d+)/.exec(text ?? '');
  if (parts === null) return null;
  return {
    transport: parts[1] ?? 'udp',
    address: clientOctets(parts[2] ?? parts[3]),
    port: Number(parts[4]),
  };
}
