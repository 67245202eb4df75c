/**
 * The parts of an entry that are the same for many queries: rendered once, then copied. Each is a run of JSON members
 * with its leading comma; members without a value are left out.
 *
 *    outcome   ,"group":"ci","verdict":"allow","rule":"base/allow/3","reason":"…"      per verdict and group
 *    detail    ,"answers":["A 192.0.2.1"],"upstream":"192.0.2.53:53"                  per stored response
 */
import type { AddressRun, DetailFields, OutcomeFields, Redaction } from './contract.ts';
import { jsonLine, jsonText } from './json-text.ts';

/** Longest text taken from a policy or a response, in UTF-16 units; the rest is cut and marked with an ellipsis. */
const TEXT_LENGTH_MAX = 512;
const LIST_LENGTH_MAX = 16;

const encoder = new TextEncoder();

const cut = (text: string): string =>
  text.length <= TEXT_LENGTH_MAX ? text : `${text.slice(0, TEXT_LENGTH_MAX)}…`;

const member = (key: string, value: string | null | undefined): string =>
  value === null || value === undefined ? '' : `,"${key}":${jsonText(cut(value))}`;

const list = (key: string, values: readonly string[] | undefined): string =>
  values === undefined || values.length === 0
    ? ''
    : `,"${key}":[${values
        .slice(0, LIST_LENGTH_MAX)
        .map((value) => jsonText(cut(value)))
        .join(',')}]`;

export function renderOutcome(fields: OutcomeFields): Uint8Array {
  return encoder.encode(
    member('group', fields.group) +
      member('verdict', fields.verdict) +
      member('cause', fields.cause) +
      member('rule', fields.rule) +
      member('reason', fields.reason) +
      (fields.ede === null ? '' : `,"ede":${fields.ede}`) +
      (fields.observed ? ',"observed":true' : ''),
  );
}

const ASCII = /^[ -~]*$/;

/** Octets of a text; of ASCII, which it nearly always is, in half the time. */
const octetsOf = (text: string): Uint8Array =>
  ASCII.test(text) ? Buffer.from(text, 'latin1') : encoder.encode(text);

export function renderDetail(fields: DetailFields): Uint8Array {
  if (fields.addresses !== undefined) return renderAddresses(fields.addresses, fields.upstream);
  const raw = fields.raw;
  return octetsOf(
    list('answers', fields.answers) +
      member('upstream', fields.upstream) +
      (fields.prefetch === true ? ',"prefetch":true' : '') +
      member('upstreamRcode', fields.upstreamRcode) +
      (raw === undefined ? '' : `,"raw":${jsonLine(raw).trimEnd()}`) +
      list('evidence', fields.evidence),
  );
}

/** `qname` with marks in it, or null to leave the name as it is; `secrets`: the kinds of what was found in it. */
export const renderRedaction = (qname: string | null, secrets: readonly string[]): Redaction => ({
  qname: qname === null ? null : encoder.encode(jsonText(qname).slice(1, -1)),
  members: encoder.encode(list('secrets', secrets)),
});

// Addresses of a forwarded answer: written for every miss, so octet by octet.

const ANSWERS = encoder.encode(',"answers":[');
const FIRST = encoder.encode('"A ');
const NEXT = encoder.encode(',"A ');
const DOT = 0x2e;
const QUOTE = 0x22;
const CLOSING_BRACKET = 0x5d;
/** Upstream servers whose member is kept: there are as many as the settings name. */
const UPSTREAMS_MAX = 64;
const upstreams = new Map<string, Uint8Array>();
let upstreamLast: string | null = null;
const NO_OCTETS = new Uint8Array(0);
let upstreamMember: Uint8Array = NO_OCTETS;
/** `"A 255.255.255.255",` for each address, and the longest text of an upstream. */
const addressOctets = new Uint8Array(128 + LIST_LENGTH_MAX * 20 + TEXT_LENGTH_MAX * 6);

/** The same as for `answers: ['A 192.0.2.1', …]`. */
function renderAddresses(
  { octets, at, stride, count }: AddressRun,
  upstream: string | undefined,
): Uint8Array {
  const into = addressOctets;
  let to = put(ANSWERS, into, 0);
  for (let i = 0; i < count && i < LIST_LENGTH_MAX; i++) {
    to = put(i === 0 ? FIRST : NEXT, into, to);
    for (let part = 0; part < 4; part++) {
      if (part > 0) into[to++] = DOT;
      to = putOctet(into, to, octets[at + part]);
    }
    into[to++] = QUOTE;
    at += stride;
  }
  into[to++] = CLOSING_BRACKET;
  const rest = upstream === undefined ? NO_OCTETS : memberOf(upstream);
  into.set(rest, to);
  return into.subarray(0, to + rest.length);
}

function memberOf(upstream: string): Uint8Array {
  if (upstream === upstreamLast) return upstreamMember;
  let known = upstreams.get(upstream);
  if (known === undefined) {
    known = encoder.encode(member('upstream', upstream));
    if (upstreams.size === UPSTREAMS_MAX) upstreams.clear();
    upstreams.set(upstream, known);
  }
  upstreamLast = upstream;
  upstreamMember = known;
  return known;
}

function put(text: Uint8Array, into: Uint8Array, at: number): number {
  for (let i = 0; i < text.length; i++) into[at + i] = text[i];
  return at + text.length;
}

/** An octet in decimal. */
function putOctet(into: Uint8Array, at: number, octet: number): number {
  if (octet >= 100) into[at++] = 0x30 + Math.floor(octet / 100);
  if (octet >= 10) into[at++] = 0x30 + (Math.floor(octet / 10) % 10);
  into[at++] = 0x30 + (octet % 10);
  return at;
}
