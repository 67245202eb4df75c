/**
 * The `policy` of a dnstap message: which rule decided, what it was decided about, and what was done. On every message, for
 * allowed names too.
 *
 *    policy   1 type   2 rule   3 action   4 match   5 value
 *
 * The enumeration has no action for REFUSED and SERVFAIL: those messages have none, and `extra` has the verdict in words.
 */
import type { AuditRecord } from '../audit/index.ts';
import { nameOctets } from '../wire/index.ts';
import { questionName } from './dns-message.ts';
import { messageField, numberField, octetsField } from './protobuf.ts';

export const POLICY_TYPE = 'SALLYPORT';

const Action = { NXDOMAIN: 1, NODATA: 2, PASS: 3, DROP: 4, TRUNCATE: 5, LOCAL_DATA: 6 } as const;
const Match = { QNAME: 1, CLIENT_IP: 2 } as const;

function actionOf({ verdict, rcode }: AuditRecord): number | null {
  switch (verdict) {
    case 'allow':
    case 'observe':
      return Action.PASS;
    case 'local':
      return Action.LOCAL_DATA;
    case 'drop':
      // Over the response rate, every second response goes out truncated.
      return rcode === null || rcode === undefined ? Action.DROP : Action.TRUNCATE;
    case 'deny':
      if (rcode === 'NXDOMAIN') return Action.NXDOMAIN;
      return rcode === 'NOERROR' ? Action.NODATA : null;
    default:
      return null;
  }
}

/** Field `policy` (15) of a Message. `client` are the octets of the address, if it is known. */
export function policyField(record: AuditRecord, client: Uint8Array | null): Buffer {
  const { rule, cause, verdict } = record;
  const [match, value] = matched(record, client);
  return messageField(15, [
    octetsField(1, POLICY_TYPE),
    // Where no rule decided, the cause is what did: `not-listed`, `special-use`, `timeout`.
    octetsField(2, rule ?? cause ?? verdict ?? 'none'),
    numberField(3, actionOf(record)),
    numberField(4, match),
    octetsField(5, value),
  ]);
}

/** What was looked at when it was decided; addresses and names in wire format. */
function matched(record: AuditRecord, client: Uint8Array | null): [number | null, Uint8Array | null] {
  const { cause, reason } = record;
  if (cause === 'client' || cause === 'limit') return [Match.CLIENT_IP, client];
  const name = (cause === 'answer' ? aliasOf(reason) : null) ?? questionName(record);
  // Unreadable queries have no name; that it was the client's query is all there is to say.
  return name === null ? [Match.CLIENT_IP, client] : [Match.QNAME, name];
}

/** The alias by way of which an answer was denied stands at the end of its reason. */
function aliasOf(reason: string | undefined): Uint8Array | null {
  const name = /\(by way of (\S+)\)$/.exec(reason ?? '')?.[1];
  try {
    return name === undefined ? null : nameOctets(name);
  } catch {
    return null;
  }
}
