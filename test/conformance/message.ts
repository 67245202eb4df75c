/**
 * Raw DNS messages for examining a running server from outside: nothing here imports `src`, so that a fault shared by
 * writer and reader cannot hide.
 */

/** `www.example.com` as octets; `\046` and `\.` are understood. A `Uint8Array` is taken as it is. */
export function name(text: string | Uint8Array): Buffer {
  if (typeof text !== 'string') return Buffer.from(text);
  const labels: number[][] = [[]];
  for (let i = 0; i < text.length; i++) {
    const decimal = /^\\(\d{3})/.exec(text.slice(i))?.[1];
    if (decimal !== undefined) {
      labels.at(-1)?.push(Number(decimal));
      i += 3;
    } else if (text[i] === '\\') {
      labels.at(-1)?.push(text.charCodeAt(++i));
    } else if (text[i] === '.') {
      labels.push([]);
    } else {
      labels.at(-1)?.push(text.charCodeAt(i));
    }
  }
  return Buffer.from([
    ...labels.filter((label) => label.length > 0).flatMap((label) => [label.length, ...label]),
    0,
  ]);
}

export const u16 = (value: number): Buffer => Buffer.from([value >>> 8, value & 255]);
export const u32 = (value: number): Buffer => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value]);

export interface RecordText {
  readonly owner?: string | Uint8Array;
  readonly type: number;
  readonly class?: number;
  readonly ttl?: number;
  readonly rdata: Uint8Array;
  /** Written instead of the true length. */
  readonly rdlength?: number;
}

export const record = (text: RecordText): Buffer =>
  Buffer.concat([
    name(text.owner ?? Uint8Array.of(0xc0, 12)),
    u16(text.type),
    u16(text.class ?? 1),
    u32(text.ttl ?? 300),
    u16(text.rdlength ?? text.rdata.length),
    text.rdata,
  ]);

export const a = (address: string, text: Partial<RecordText> = {}): Buffer =>
  record({ type: 1, rdata: Uint8Array.from(address.split('.').map(Number)), ...text });

export const cname = (target: string | Uint8Array, text: Partial<RecordText> = {}): Buffer =>
  record({ type: 5, rdata: name(target), ...text });

export const soa = (owner: string, minimum: number, text: Partial<RecordText> = {}): Buffer =>
  record({
    owner,
    type: 6,
    rdata: Buffer.concat([name('ns.example.com'), name('host.example.com'), Buffer.alloc(16), u32(minimum)]),
    ...text,
  });

export const question = (qname: string | Uint8Array, type = 1, rrclass = 1): Buffer =>
  Buffer.concat([name(qname), u16(type), u16(rrclass)]);

export const option = (code: number, data: Uint8Array = Buffer.alloc(0), length = data.length): Buffer =>
  Buffer.concat([u16(code), u16(length), data]);

export interface OptText {
  readonly size?: number;
  readonly version?: number;
  readonly rcode?: number;
  /** DO and the flags beside it, 16 bits. */
  readonly flags?: number;
  readonly owner?: Uint8Array;
  readonly options?: Uint8Array;
}

export const opt = (text: OptText = {}): Buffer =>
  record({
    owner: text.owner ?? Uint8Array.of(0),
    type: 41,
    class: text.size ?? 1232,
    ttl: (((text.rcode ?? 0) << 24) | ((text.version ?? 0) << 16) | (text.flags ?? 0)) >>> 0,
    rdata: text.options ?? Buffer.alloc(0),
  });

export interface MessageText {
  readonly id?: number;
  /** Third and fourth octet of the header. */
  readonly flags?: number;
  readonly question?: readonly Uint8Array[];
  readonly answer?: readonly Uint8Array[];
  readonly authority?: readonly Uint8Array[];
  readonly additional?: readonly Uint8Array[];
  /** Counts written instead of the true ones. */
  readonly counts?: readonly [number, number, number, number];
  readonly trailing?: Uint8Array;
}

export function message(text: MessageText): Buffer {
  const sections = [text.question ?? [], text.answer ?? [], text.authority ?? [], text.additional ?? []];
  return Buffer.concat([
    u16(text.id ?? 0),
    u16(text.flags ?? 0x0100),
    ...sections.map((section, i) => u16(text.counts?.[i] ?? section.length)),
    ...sections.flat(),
    text.trailing ?? Buffer.alloc(0),
  ]);
}

/** An ordinary query: RD set, no EDNS unless given. */
export const query = (qname: string | Uint8Array, type = 1, more: MessageText = {}): Buffer =>
  message({ question: [question(qname, type)], ...more });

export interface SeenRecord {
  readonly owner: string;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly rdata: Buffer;
}

export interface Seen {
  readonly octets: Buffer;
  readonly id: number;
  readonly rcode: number;
  readonly opcode: number;
  readonly flags: ReadonlySet<'qr' | 'aa' | 'tc' | 'rd' | 'ra' | 'z' | 'ad' | 'cd'>;
  /** Questions octet for octet. */
  readonly questions: readonly Buffer[];
  readonly answer: readonly SeenRecord[];
  readonly authority: readonly SeenRecord[];
  readonly additional: readonly SeenRecord[];
  readonly opt: {
    readonly size: number;
    readonly version: number;
    readonly flags: number;
    readonly options: readonly { readonly code: number; readonly data: Buffer }[];
  } | null;
}

/** Expands the name at `at`: text with odd octets as `\DDD`, and the position behind it. Throws for what is broken. */
function readName(octets: Buffer, at: number): { text: string; end: number } {
  const labels: Buffer[] = [];
  let end = -1;
  for (let length = 0; ; ) {
    const octet = octets.readUInt8(at);
    if (octet >= 0xc0) {
      const target = octets.readUInt16BE(at) & 0x3fff;
      if (target >= at) throw new Error(`a pointer at ${at} does not point backwards`);
      if (end === -1) end = at + 2;
      at = target;
      continue;
    }
    if (octet > 63) throw new Error(`a label type ${octet >> 6} at ${at}`);
    length += octet + 1;
    if (length > 255) throw new Error('a name longer than 255 octets');
    if (at + octet >= octets.length) throw new Error('a name past the end');
    if (octet === 0) {
      const text = labels.map((label) =>
        [...label]
          .map((c) =>
            c > 32 && c < 127 && c !== 46 && c !== 92
              ? String.fromCharCode(c)
              : `\\${String(c).padStart(3, '0')}`,
          )
          .join(''),
      );
      return {
        text: text.join('.') || '.',
        end: end === -1 ? at + 1 : end,
      };
    }
    labels.push(octets.subarray(at + 1, at + 1 + octet));
    at += octet + 1;
  }
}

/** Reads a response strictly: throws when it is not well formed to its last octet. */
export function read(octets: Buffer): Seen {
  const bits = octets.readUInt16BE(2);
  const flagBits = { qr: 15, aa: 10, tc: 9, rd: 8, ra: 7, z: 6, ad: 5, cd: 4 } as const;
  let at = 12;
  const questions: Buffer[] = [];
  for (let i = 0; i < octets.readUInt16BE(4); i++) {
    const { end } = readName(octets, at);
    questions.push(octets.subarray(at, end + 4));
    at = end + 4;
  }
  let edns: Seen['opt'] = null;
  let rcode = bits & 15;
  const sections: SeenRecord[][] = [];
  for (const countAt of [6, 8, 10]) {
    const section: SeenRecord[] = [];
    for (let i = 0; i < octets.readUInt16BE(countAt); i++) {
      const { text, end } = readName(octets, at);
      const type = octets.readUInt16BE(end);
      const rdataEnd = end + 10 + octets.readUInt16BE(end + 8);
      if (rdataEnd > octets.length) throw new Error('rdata past the end');
      const rdata = octets.subarray(end + 10, rdataEnd);
      const ttl = octets.readUInt32BE(end + 4);
      if (type === 41) {
        if (edns !== null || countAt !== 10 || text !== '.') throw new Error('an OPT where none may be');
        const options: { code: number; data: Buffer }[] = [];
        for (let o = 0; o < rdata.length; ) {
          const length = rdata.readUInt16BE(o + 2);
          if (o + 4 + length > rdata.length) throw new Error('an option past the end');
          options.push({ code: rdata.readUInt16BE(o), data: rdata.subarray(o + 4, o + 4 + length) });
          o += 4 + length;
        }
        edns = {
          size: octets.readUInt16BE(end + 2),
          version: (ttl >>> 16) & 255,
          flags: ttl & 0xffff,
          options,
        };
        rcode |= (ttl >>> 24) << 4;
      } else {
        section.push({ owner: text, type, class: octets.readUInt16BE(end + 2), ttl, rdata });
      }
      at = rdataEnd;
    }
    sections.push(section);
  }
  if (at !== octets.length) throw new Error(`${octets.length - at} octets behind the last record`);
  return {
    octets,
    id: octets.readUInt16BE(0),
    rcode,
    opcode: (bits >> 11) & 15,
    flags: new Set(
      (Object.keys(flagBits) as (keyof typeof flagBits)[]).filter((flag) => (bits >> flagBits[flag]) & 1),
    ),
    questions,
    answer: sections[0],
    authority: sections[1],
    additional: sections[2],
    opt: edns,
  };
}

/** Addresses of the A records of an answer, in order. */
export const addresses = (seen: Seen): string[] =>
  seen.answer.filter(({ type }) => type === 1).map(({ rdata }) => [...rdata].join('.'));

/** Extended errors, by code (RFC 8914). */
export const extendedErrors = (seen: Seen): number[] =>
  (seen.opt?.options ?? []).filter(({ code }) => code === 15).map(({ data }) => data.readUInt16BE(0));
