/**
 * The parts of an entry that are the same for many queries: rendered once, then copied. Each is a run of JSON members
 * with its leading comma; members without a value are left out.
 *
 *    outcome   ,"group":"ci","verdict":"allow","rule":"base/allow/3","reason":"…"      per verdict and group
 *    detail    ,"answers":["A 192.0.2.1"],"upstream":"192.0.2.53:53"                  per stored response
 */
import type { DetailFields, OutcomeFields, Redaction } from './contract.ts';
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
  const raw = fields.raw;
  return octetsOf(
    list('answers', fields.answers) +
      member('upstream', fields.upstream) +
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
