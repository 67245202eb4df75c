/**
 * Reading header fields of HTTP/2 (HPACK, RFC 7541). Only reading: what we send needs no compression state, see
 * `http2-connection.ts`.
 *
 * The decoder follows every index and keeps the dynamic table even for requests that are refused, because a table
 * that differs from the client's garbles all that comes later.
 */
import { huffmanDecode } from './huffman.ts';

/** Takes the fields of one block as they are read. */
export interface FieldSink {
  /** `name` is BAD_NAME when it has characters that no field name may have (RFC 9113 section 8.2.1). */
  field(name: string, value: string): void;
}

export const BAD_NAME = '\0';

/** Octets of dynamic table that we allow (SETTINGS_HEADER_TABLE_SIZE), the default of the RFC. */
const TABLE_LENGTH_MAX = 4096;
/** What each entry costs besides its text (section 4.1). */
const ENTRY_OVERHEAD = 32;

interface Field {
  readonly name: string;
  readonly value: string;
}

/** The static table (appendix A); the index is the position plus one. */
const STATIC_TABLE: readonly Field[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  ...['200', '204', '206', '304', '400', '404', '500'].map((status) => [':status', status]),
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ...(
    'accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control ' +
    'content-disposition content-encoding content-language content-length content-location content-range ' +
    'content-type cookie date etag expect expires from host if-match if-modified-since if-none-match if-range ' +
    'if-unmodified-since last-modified link location max-forwards proxy-authenticate proxy-authorization range ' +
    'referer refresh retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary via ' +
    'www-authenticate'
  )
    .split(' ')
    .map((name) => [name, '']),
].map(([name, value]) => ({ name, value }));

const TOKEN = /^:?[!#$%&'*+.^_`|~0-9a-z-]+$/;
const hasControl = (value: string): boolean => /[\0\r\n]/.test(value);

export class HeaderDecoder {
  /** The dynamic table, oldest first. */
  readonly #table: Field[] = [];
  #tableLength = 0;
  #tableMax = TABLE_LENGTH_MAX;
  #block: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  #failed = false;

  /** Reads block[at … end) and gives each field to `sink`. False when the connection cannot go on (COMPRESSION_ERROR). */
  decode(block: Buffer, at: number, end: number, sink: FieldSink): boolean {
    this.#block = block;
    this.#at = at;
    this.#end = end;
    this.#failed = false;
    let mayResize = true;
    while (this.#at < this.#end && !this.#failed) {
      const octet = block[this.#at];
      if ((octet & 0xe0) === 0x20) {
        // Only before the first field may the table be resized (section 4.2).
        if (mayResize) this.#resize(this.#integer(5));
        else this.#failed = true;
        continue;
      }
      mayResize = false;
      if (octet >= 0x80) this.#indexed(sink);
      else if (octet >= 0x40) this.#literal(6, true, sink);
      else this.#literal(4, false, sink);
    }
    this.#block = EMPTY;
    return !this.#failed;
  }

  #indexed(sink: FieldSink): void {
    const entry = this.#entry(this.#integer(7));
    if (entry !== null) sink.field(entry.name, entry.value);
  }

  #literal(prefix: number, keep: boolean, sink: FieldSink): void {
    const index = this.#integer(prefix);
    let name: string;
    if (index === 0) {
      name = this.#string();
      if (!TOKEN.test(name)) name = BAD_NAME;
    } else {
      const entry = this.#entry(index);
      if (entry === null) return;
      name = entry.name;
    }
    const value = this.#string();
    if (this.#failed) return;
    if (hasControl(value)) name = BAD_NAME;
    if (keep) this.#keep({ name, value });
    sink.field(name, value);
  }

  #entry(index: number): Field | null {
    const dynamic = index - STATIC_TABLE.length;
    const entry =
      dynamic > 0
        ? this.#table[this.#table.length - dynamic]
        : index > 0
          ? STATIC_TABLE[index - 1]
          : undefined;
    if (entry === undefined) this.#failed = true;
    return entry ?? null;
  }

  #keep(entry: Field): void {
    const length = lengthOf(entry);
    this.#evict(this.#tableMax - length);
    if (length > this.#tableMax) return;
    this.#table.push(entry);
    this.#tableLength += length;
  }

  #resize(length: number): void {
    if (length > TABLE_LENGTH_MAX) this.#failed = true;
    if (this.#failed) return;
    this.#tableMax = length;
    this.#evict(length);
  }

  #evict(lengthMax: number): void {
    while (this.#tableLength > Math.max(0, lengthMax)) this.#tableLength -= lengthOf(this.#table.shift()!);
  }

  /** An integer whose first `prefix` bits stand in the octet at hand (section 5.1). */
  #integer(prefix: number): number {
    const mask = (1 << prefix) - 1;
    let value = this.#block[this.#at++] & mask;
    if (value < mask) return value;
    // Four more octets are 28 bits: more than any length or index that is allowed here.
    for (let shift = 0; shift < 28; shift += 7) {
      if (this.#at >= this.#end) break;
      const octet = this.#block[this.#at++];
      value += (octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
    this.#failed = true;
    return 0;
  }

  /** A string, plain or Huffman-coded (section 5.2). */
  #string(): string {
    if (this.#failed || this.#at >= this.#end) {
      this.#failed = true;
      return '';
    }
    const huffman = this.#block[this.#at] >= 0x80;
    const length = this.#integer(7);
    const from = this.#at;
    if (this.#failed || from + length > this.#end) {
      this.#failed = true;
      return '';
    }
    this.#at = from + length;
    if (!huffman) return this.#block.toString('latin1', from, this.#at);
    const text = huffmanDecode(this.#block, from, this.#at);
    if (text === null) this.#failed = true;
    return text ?? '';
  }
}

const EMPTY = Buffer.alloc(0);

const lengthOf = ({ name, value }: Field): number => name.length + value.length + ENTRY_OVERHEAD;
