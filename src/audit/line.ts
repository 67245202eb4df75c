/**
 * Entries as octets. Per query only seven numbers are written; the rest is copied from texts made earlier:
 *
 *    {"seq":          123   ,"time":"2026-11-21T09:10:11.123Z","up":81234,"us":   85
 *    constant         per query          made once per millisecond                per query
 *
 *    ,"via":"udp","client":"192.0.2.7","port":   5353  ,"id":  4711  ,"cached":true,"rcode":"NOERROR","size":  77
 *    made once per client                              constant      made once per rcode
 *
 *    ,"qname":"example.com","qtype":"A"   ,"group":"ci",…          ,"answers":[…],…         }\n
 *    escaped octet by octet               made once per outcome    made once per response
 */
import { className, nameText, Rrclass, rcodeName, typeName } from '../wire/index.ts';
import { type ClientPrivacy, ClientTexts } from './client.ts';
import type { Entry } from './contract.ts';
import { CountingText, type LineText, lineTextOf, putLineText, putNumber } from './line-text.ts';

/**
 * Octets that an entry can take at most besides its outcome and detail: about 300 of numbers and texts, 130 of kinds of
 * secrets (a mark in the name is shorter than what it replaces could be), and a name of 255
 * octets of which each may become five (`\\\\DDD`).
 */
export const ENTRY_LENGTH_MAX = 1800;

/** Octets that the beginning of a line, up to its number, can take, and those it may overwrite behind itself. */
export const SEQ_LENGTH_MAX = 40;

const encoder = new TextEncoder();
const ID = lineTextOf(encoder.encode(',"id":'));
const QNAME = encoder.encode(',"qname":"');
const NO_TEXT = lineTextOf(new Uint8Array(0));
const CLOSING_BRACE = 0x7d;
const NEWLINE = 10;

/**
 * How an octet of a label stands inside a JSON string: `nameText` first, JSON over it, so that `JSON.parse` returns
 * exactly what `nameText` says of the whole name. Everything outside printable ASCII has become digits by then.
 */
const ESCAPED: readonly (Uint8Array | null)[] = Array.from({ length: 256 }, (_, octet) => {
  const text = JSON.stringify(nameText(Uint8Array.of(1, octet, 0))).slice(1, -1);
  return text.length === 1 ? null : encoder.encode(text);
});
const PLAIN = Uint8Array.from(ESCAPED, (text) => (text === null ? 1 : 0));
/** Types below this have their text kept; the few above are rendered when they occur. */
const TYPES_KEPT = 512;

/** Rcodes 0 to 4095 (RFC 6891), one more for "no response"; twice, for cached and not. */
const RCODES = 4097;

/** Octets that lines are written to, and a view of the same. */
export interface LineRoom {
  readonly octets: Uint8Array;
  readonly view: DataView;
}

export class LineWriter {
  readonly #clients: ClientTexts;
  readonly #rcodeTexts: (LineText | undefined)[] = new Array(RCODES * 2);
  readonly #typeTexts: (Uint8Array | undefined)[] = new Array(TYPES_KEPT);
  readonly #seqText = new CountingText('{"seq":');
  #clockText = NO_TEXT;
  #clockMs = Number.NaN;
  #clockDay = Number.NaN;
  #dayText = '';
  /** Wall clock minus monotonic clock, milliseconds. */
  #offsetMs = 0;

  constructor(privacy: ClientPrivacy) {
    this.#clients = new ClientTexts(privacy);
  }

  /** Sets how far the wall clock is ahead of the monotonic one, from which `up` is reckoned. */
  setClockOffset(offsetMs: number): void {
    this.#offsetMs = offsetMs;
    this.#clockMs = Number.NaN;
  }

  /** Writes one entry at `at` and returns the position behind it. The caller has made sure of room. */
  write(room: LineRoom, at: number, seq: number, entry: Entry): number {
    return this.writeRest(room, this.writeSeq(room, at, seq), entry);
  }

  /** The beginning of a line, up to its number. Up to `OVERRUN` octets more are overwritten. */
  writeSeq({ view }: LineRoom, at: number, seq: number): number {
    return this.#seqText.put(view, at, seq);
  }

  /** What follows the number. */
  writeRest({ octets, view }: LineRoom, at: number, entry: Entry): number {
    if (entry.atMs !== this.#clockMs) this.#renderClock(entry.atMs);
    at = putLineText(this.#clockText, view, at);
    at = putNumber(view, at, entry.latencyUs);
    at = putLineText(this.#clients.find(entry.client, entry.clientLength, entry.transport), view, at);
    at = putNumber(view, at, entry.clientPort);
    at = putLineText(ID, view, at);
    at = putNumber(view, at, entry.id);
    at = putLineText(this.#rcodeText(entry.rcode, entry.cached), view, at);
    at = putNumber(view, at, entry.size);
    return entry.tail === null
      ? this.writeTail(octets, at, entry)
      : putLineText(entry.tail, view, at, entry.tailAt);
  }

  /** The part of a line from the name on. */
  writeTail(into: Uint8Array, at: number, entry: Entry): number {
    if (entry.nameLength > 0) at = this.#writeQuestion(into, at, entry);
    at = putText(entry.outcome, into, at);
    if (entry.detail !== null) at = putText(entry.detail, into, at);
    if (entry.redaction !== null) at = putText(entry.redaction.members, into, at);
    into[at] = CLOSING_BRACE;
    into[at + 1] = NEWLINE;
    return at + 2;
  }

  #writeQuestion(into: Uint8Array, at: number, entry: Entry): number {
    const redacted = entry.redaction === null ? null : entry.redaction.qname;
    at = putShort(QNAME, into, at);
    at = redacted === null ? putName(into, at, entry.name, entry.nameLength) : putText(redacted, into, at);
    at = putText(this.#typeText(entry.qtype), into, at);
    if (entry.qclass === Rrclass.IN) return at;
    return putText(encoder.encode(`,"qclass":"${className(entry.qclass)}"`), into, at);
  }

  #typeText(type: number): Uint8Array {
    const known = this.#typeTexts[type];
    if (known !== undefined) return known;
    const text = encoder.encode(`","qtype":"${typeName(type)}"`);
    if (type < TYPES_KEPT) this.#typeTexts[type] = text;
    return text;
  }

  #rcodeText(rcode: number, cached: boolean): LineText {
    const index = (rcode + 1) * 2 + (cached ? 1 : 0);
    const known = this.#rcodeTexts[index];
    if (known !== undefined) return known;
    const word = rcode < 0 ? 'null' : `"${rcodeName(rcode)}"`;
    const text = lineTextOf(encoder.encode(`,"cached":${cached},"rcode":${word},"size":`));
    if (index >= 0 && index < this.#rcodeTexts.length) this.#rcodeTexts[index] = text;
    return text;
  }

  #renderClock(atMs: number): void {
    this.#clockMs = atMs;
    this.#clients.turnTo(atMs);
    const wholeMs = Math.floor(atMs);
    const day = Math.floor(wholeMs / 86_400_000);
    if (day !== this.#clockDay) {
      this.#clockDay = day;
      this.#dayText = timeText(day * 86_400_000).slice(0, 11);
    }
    const inDay = wholeMs - day * 86_400_000;
    const time =
      `${two(Math.floor(inDay / 3_600_000))}:${two(Math.floor(inDay / 60_000) % 60)}:` +
      `${two(Math.floor(inDay / 1000) % 60)}.${String(inDay % 1000).padStart(3, '0')}`;
    const up = Math.max(0, Math.round(atMs - this.#offsetMs));
    this.#clockText = lineTextOf(encoder.encode(`,"time":"${this.#dayText}${time}Z","up":${up},"us":`));
  }
}

/** Writes a canonical name as the inside of a JSON string, without the final dot. */
export function putName(into: Uint8Array, at: number, name: Uint8Array, length: number): number {
  let from = 0;
  let left = name[0];
  if (left === 0) {
    into[at] = 46;
    return at + 1;
  }
  for (;;) {
    for (from++; left > 0 && from < length; left--, from++) {
      const octet = name[from];
      if (PLAIN[octet] === 1) into[at++] = octet;
      else at = putEscaped(into, at, octet);
    }
    if (from >= length || name[from] === 0) return at;
    into[at++] = 46;
    left = name[from];
  }
}

function putEscaped(into: Uint8Array, at: number, octet: number): number {
  const text = ESCAPED[octet];
  return text === null ? at : putShort(text, into, at);
}

const two = (value: number): string => (value < 10 ? `0${value}` : `${value}`);

/** ISO 8601 in UTC with milliseconds; a time no calendar has is shown as the nearest one it has. */
export function timeText(atMs: number): string {
  const bounded = Number.isFinite(atMs)
    ? Math.min(Math.max(atMs, -62_135_596_800_000), 253_402_300_799_999)
    : 0;
  return new Date(bounded).toISOString();
}

/** `set` costs about 25 ns whatever the length, a loop 2 to 3 ns an octet: this is for texts of a dozen or more. */
function putText(text: Uint8Array, into: Uint8Array, at: number): number {
  into.set(text, at);
  return at + text.length;
}

function putShort(text: Uint8Array, into: Uint8Array, at: number): number {
  const count = text.length;
  for (let i = 0; i < count; i++) into[at + i] = text[i];
  return at + count;
}
