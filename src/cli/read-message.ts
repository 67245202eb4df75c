/** A whole DNS message for people: what `sallyport query` prints. Reads with the same care as the resolver itself. */
import {
  Ede,
  expandName,
  HEADER_LENGTH,
  MALFORMED,
  nameLayoutOf,
  nameText,
  opcodeName,
  opcodeOf,
  RecordPlace,
  Rrtype,
  rcodeName,
  rdataText,
  skipName,
  typeName,
  u16,
} from '../wire/index.ts';

export interface ReadRecord {
  readonly name: string;
  readonly ttl: number;
  readonly type: string;
  readonly rdata: string;
}

export interface ReadMessage {
  readonly id: number;
  readonly opcode: string;
  readonly rcode: string;
  readonly flags: readonly string[];
  readonly question: { readonly name: string; readonly type: string } | null;
  readonly answer: readonly ReadRecord[];
  readonly authority: readonly ReadRecord[];
  readonly additional: readonly ReadRecord[];
  readonly edns: { readonly udpSize: number; readonly extendedErrors: readonly string[] } | null;
}

const FLAGS: readonly (readonly [string, number, number])[] = [
  ['qr', 2, 0x80],
  ['aa', 2, 0x04],
  ['tc', 2, 0x02],
  ['rd', 2, 0x01],
  ['ra', 3, 0x80],
  ['ad', 3, 0x20],
  ['cd', 3, 0x10],
];

const EDE_NAMES = new Map<number, string>(
  Object.entries(Ede).map(([name, code]) => [code, name.toLowerCase().replaceAll('_', ' ')]),
);

/** The message, or what is wrong with it. */
export function readMessage(message: Uint8Array): ReadMessage | string {
  if (message.length < HEADER_LENGTH) return 'shorter than a header';
  let at = HEADER_LENGTH;
  let question: ReadMessage['question'] = null;
  for (let i = 0; i < u16(message, 4); i++) {
    const name = nameAt(message, at);
    const end = skipName(message, at, message.length);
    if (name === null || end === MALFORMED || end + 4 > message.length) return 'a broken question';
    question = { name, type: typeName(u16(message, end)) };
    at = end + 4;
  }
  const sections: ReadRecord[][] = [[], [], []];
  let edns: ReadMessage['edns'] = null;
  let extendedRcode = 0;
  const place = new RecordPlace();
  for (const [section, countAt] of [6, 8, 10].entries()) {
    for (let i = 0; i < u16(message, countAt); i++) {
      const next = place.read(message, at, message.length);
      const name = next === MALFORMED ? null : nameAt(message, at);
      if (next === MALFORMED || name === null) return 'a broken record';
      at = next;
      if (place.type === Rrtype.OPT) {
        extendedRcode = message[place.ttlAt];
        edns = { udpSize: place.class, extendedErrors: extendedErrors(message, place) };
        continue;
      }
      const rdata = expandedRdata(message, place);
      sections[section].push({
        name,
        ttl: place.ttlSeconds,
        type: typeName(place.type),
        rdata: rdata === null ? '(broken)' : rdataText(place.type, rdata),
      });
    }
  }
  return {
    id: u16(message, 0),
    opcode: opcodeName(opcodeOf(message)),
    rcode: rcodeName((extendedRcode << 4) | (message[3] & 15)),
    flags: FLAGS.filter(([, octet, bit]) => (message[octet] & bit) !== 0).map(([name]) => name),
    question,
    answer: sections[0],
    authority: sections[1],
    additional: sections[2],
    edns,
  };
}

function nameAt(message: Uint8Array, at: number): string | null {
  const name = new Uint8Array(256);
  return expandName(message, at, message.length, name, 0) === MALFORMED ? null : nameText(name);
}

/** Rdata with compressed names written out. */
function expandedRdata(message: Uint8Array, place: RecordPlace): Uint8Array | null {
  const form = nameLayoutOf(place.type);
  const end = place.rdataAt + place.rdataLength;
  if (form === undefined) return message.slice(place.rdataAt, end);
  const out = new Uint8Array(place.rdataLength + form.names * 256);
  let at = place.rdataAt + form.before;
  if (at > end) return null;
  out.set(message.subarray(place.rdataAt, at));
  let to = form.before;
  for (let i = 0; i < form.names; i++) {
    const length = expandName(message, at, end, out, to);
    if (length === MALFORMED) return null;
    to += length;
    at = skipName(message, at, end);
    if (at === MALFORMED) return null;
  }
  out.set(message.subarray(at, end), to);
  return out.subarray(0, to + end - at);
}

function extendedErrors(message: Uint8Array, place: RecordPlace): string[] {
  const texts: string[] = [];
  const end = place.rdataAt + place.rdataLength;
  for (let at = place.rdataAt; at + 4 <= end; ) {
    const length = u16(message, at + 2);
    if (u16(message, at) === 15 && length >= 2 && at + 4 + length <= end) {
      const code = u16(message, at + 4);
      const text = new TextDecoder().decode(message.subarray(at + 6, at + 4 + length));
      texts.push(`${code} (${EDE_NAMES.get(code) ?? 'unknown'})${text === '' ? '' : `: ${printable(text)}`}`);
    }
    at += 4 + length;
  }
  return texts;
}

/** What a stranger wrote must not move the cursor of whoever reads it. */
const printable = (text: string): string =>
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);

/** The message in the form that users of dig know. */
export function describeMessage(message: ReadMessage): string {
  const lines = [
    `;; ${message.opcode}, rcode ${message.rcode}, id ${message.id}, flags ${message.flags.join(' ')}`,
  ];
  if (message.edns !== null) lines.push(`;; EDNS, UDP size ${message.edns.udpSize}`);
  for (const error of message.edns?.extendedErrors ?? []) lines.push(`;; EDE ${error}`);
  if (message.question !== null) lines.push(`;; ${message.question.name} ${message.question.type}?`);
  for (const section of ['answer', 'authority', 'additional'] as const) {
    if (message[section].length === 0) continue;
    lines.push('', `;; ${section}`);
    for (const { name, ttl, type, rdata } of message[section]) lines.push(`${name} ${ttl} ${type} ${rdata}`);
  }
  return lines.join('\n');
}
