/**
 * EDNS(0) (RFC 6891): the OPT pseudo-record of a query, and writing our own.
 *
 *    00  type 41  size(2)  extended rcode(1) version(1) DO|Z(2)  rdlength(2)  { code(2) length(2) data }*
 *
 * Readers make one pass over the options and stop at a bound (CVE-2026-41292 was a cost per option).
 */
import { Ede, EdnsOption, Rrtype } from './codes.ts';
import { MALFORMED, putU16, u16 } from './octets.ts';
import { RecordPlace } from './record.ts';

/** Octets of an OPT record without options. */
export const OPT_LENGTH = 11;
/** The UDP size that Sallyport advertises and the most that it sends: no fragments on common paths. */
export const UDP_SIZE = 1232;
/** Most options read in one message. */
export const OPTION_COUNT_MAX = 64;

/** What a query's additional section says; one object serves all queries of a thread. */
export class Edns {
  present = false;
  version = 0;
  /** Requestor's UDP payload size, at least 512 (RFC 6891 section 6.2.3). */
  udpSize = 512;
  dnssecOk = false;
  /** Place and length of the COOKIE option's data; length 0 when there is none. */
  cookieAt = 0;
  cookieLength = 0;
  /** Place and length of the data of the client-subnet option (RFC 7871), and of `localCode`; −1 and 0 without them. */
  subnetAt = -1;
  subnetLength = 0;
  localAt = -1;
  localLength = 0;
  /** A PADDING option was sent: responses on encrypted transports are padded (RFC 7830). */
  padding = false;
  /** The edns-tcp-keepalive option was sent (RFC 7828). */
  keepalive = false;
  /** Place of a TSIG record, −1 when there is none. */
  signatureAt = -1;
  readonly #localCode: number;
  readonly #record = new RecordPlace();

  /** `localCode`: an option of local use (65001 to 65534) that is looked for; −1 for none. */
  constructor(localCode = -1) {
    this.#localCode = localCode;
  }

  clear(): void {
    this.present = false;
    this.version = 0;
    this.udpSize = 512;
    this.dnssecOk = false;
    this.cookieLength = 0;
    this.subnetAt = -1;
    this.localAt = -1;
    this.padding = false;
    this.keepalive = false;
    this.signatureAt = -1;
  }

  /**
   * Reads `count` additional records from `at` up to the end of the message. Returns `end`, or MALFORMED for a second
   * OPT (RFC 6891 section 6.1.1), an OPT whose owner is not the root, a TSIG that is not the last record (RFC 8945 section 5.1),
   * a broken record or option, too many options, or octets left over.
   */
  read(message: Uint8Array, at: number, end: number, count: number): number {
    this.clear();
    const record = this.#record;
    for (; count > 0; count--) {
      const recordAt = at;
      at = record.read(message, at, end);
      if (at === MALFORMED) return MALFORMED;
      if (record.type !== Rrtype.OPT) {
        if (record.type !== Rrtype.TSIG) continue;
        if (count !== 1) return MALFORMED;
        this.signatureAt = recordAt;
        continue;
      }
      if (this.present || message[recordAt] !== 0) return MALFORMED;
      this.present = true;
      this.udpSize = Math.max(512, record.class);
      this.version = message[record.ttlAt + 1];
      this.dnssecOk = (message[record.ttlAt + 2] & 0x80) !== 0;
      if (record.rdataLength > 0 && !this.#readOptions(message, record.rdataAt, at)) return MALFORMED;
    }
    return at === end ? end : MALFORMED;
  }

  #readOptions(message: Uint8Array, at: number, end: number): boolean {
    for (let options = 0; at < end; options++) {
      if (options === OPTION_COUNT_MAX || at + 4 > end) return false;
      const code = u16(message, at);
      const length = u16(message, at + 2);
      at += 4;
      if (at + length > end) return false;
      // Of several cookies only the first is looked at (RFC 7873 section 4).
      if (code === EdnsOption.COOKIE && this.cookieLength === 0) {
        // A client cookie alone is 8 octets, with a server cookie 16 to 40 (RFC 7873 section 5.2.2).
        if (length !== 8 && (length < 16 || length > 40)) return false;
        this.cookieAt = at;
        this.cookieLength = length;
      } else if (code === EdnsOption.PADDING) this.padding = true;
      else if (code === EdnsOption.TCP_KEEPALIVE) this.keepalive = true;
      else if (code === EdnsOption.CLIENT_SUBNET) {
        this.subnetAt = at;
        this.subnetLength = length;
      } else if (code === this.#localCode) {
        this.localAt = at;
        this.localLength = length;
      }
      at += length;
    }
    return true;
  }
}

/** Writes an OPT record without options and returns the position behind it. `extendedRcode` is the upper eight bits. */
export function writeOpt(
  message: Uint8Array,
  at: number,
  udpSize: number,
  extendedRcode: number,
  dnssecOk: boolean,
): number {
  message[at] = 0;
  at = putU16(message, at + 1, Rrtype.OPT);
  at = putU16(message, at, udpSize);
  message[at] = extendedRcode;
  message[at + 1] = 0;
  message[at + 2] = dnssecOk ? 0x80 : 0;
  message[at + 3] = 0;
  return putU16(message, at + 4, 0);
}

/** Extended error as an EDNS option (RFC 8914 section 2): code and UTF-8 text of at most `textMax` octets. */
export function edeOption(code: number, text: string, textMax = 200): Uint8Array {
  // INFO-CODE 0 with text is legal, but clients mishandle it; nobody here sends it without text.
  if (code === Ede.OTHER && text === '') throw new RangeError('extended error 0 needs a text');
  let octets = new TextEncoder().encode(text);
  if (octets.length > textMax) {
    let cut = textMax;
    while (cut > 0 && (octets[cut] & 0xc0) === 0x80) cut--;
    octets = octets.subarray(0, cut);
  }
  const option = new Uint8Array(6 + octets.length);
  putU16(option, 0, EdnsOption.EDE);
  putU16(option, 2, 2 + octets.length);
  putU16(option, 4, code);
  option.set(octets, 6);
  return option;
}
