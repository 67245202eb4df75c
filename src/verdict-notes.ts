/**
 * What the audit says of verdicts and events, in records of their own. Clients stand there as in every entry: whole, cut,
 * or as a pseudonym of the time of the record.
 */
import type { ClientTexts, NoteMembers } from './audit/index.ts';
import { addressOctets } from './net/index.ts';
import type { FoundEvent, FoundVerdict, Released } from './verdicts.ts';

const isoText = (ms: number): string => new Date(ms).toISOString();

/** The client of a verdict, or the network of an IPv6 client, as the audit may have it. */
export function auditedClient(client: string, atMs: number, texts: ClientTexts): string {
  const [address, prefix] = client.split('/');
  const octets = addressOctets(address);
  if (octets === null) return client;
  const text = texts.textAt(atMs, octets, octets.length);
  // A pseudonym says nothing of a network, and what is cut has its own length behind it.
  return prefix === undefined || text !== address ? text : client;
}

/** Members of a `verdict` record. */
export function verdictMembers(found: FoundVerdict, texts: ClientTexts): NoteMembers {
  const { verdict, zone, group, action, left } = found;
  const { scope, rule, scoreBits, limitBits, firstSeenMs, decidedAtMs, untilMs, evidence } = verdict;
  const client = auditedClient(found.client, decidedAtMs, texts);
  return {
    action,
    scope,
    ...(scope === 'domain' ? {} : { client }),
    // A verdict on a client was reached at this zone, though it holds for others too.
    domain: zone,
    group,
    by: rule,
    score: Math.round(scoreBits),
    limit: Math.round(limitBits),
    firstSeen: isoText(firstSeenMs),
    decidedAt: isoText(decidedAtMs),
    until: isoText(untilMs),
    queriesBefore: left.queries,
    octetsBefore: left.octets,
    evidence,
  };
}

/** Members of a `verdict-ended` record. */
export function endedMembers(
  { client, zone, scope }: Released,
  how: 'released' | 'over',
  atMs: number,
  texts: ClientTexts,
): NoteMembers {
  return {
    how,
    scope,
    ...(client === null ? {} : { client: auditedClient(client, atMs, texts) }),
    ...(zone === null ? {} : { domain: zone }),
  };
}

/** Members of an `event` record. */
export function eventMembers(event: FoundEvent, texts: ClientTexts): NoteMembers {
  const { event: kind, atMs, group, client, domain, bits } = event;
  return {
    event: kind,
    group,
    client: auditedClient(client, atMs, texts),
    domain,
    ...(bits > 0 ? { bits: Math.round(bits) } : {}),
  };
}
