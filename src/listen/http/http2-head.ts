/** The head of an HTTP/2 request (RFC 9113 section 8.3): what we need of it, and whether it is well formed. */
import type { FieldSink } from './hpack.ts';
import { BAD_NAME } from './hpack.ts';
import { HEADERS_LENGTH_MAX, type RequestHead } from './request.ts';

/** Fields that speak of the connection have no place in HTTP/2 (section 8.2.2). */
const CONNECTION_FIELDS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** One object reads all heads of a thread, one after the other. */
export class Http2Head implements RequestHead, FieldSink {
  method = '';
  url = '';
  contentType: string | undefined;
  contentLength: string | undefined;
  forwardedFor: string | undefined;
  /** The request breaks the rules for fields: the stream is reset (PROTOCOL_ERROR). */
  malformed = false;
  /** Octets of all fields, as RFC 9113 section 6.5.2 counts them. */
  length = 0;
  #scheme = false;
  #authority = false;
  #regular = false;

  clear(): void {
    this.method = '';
    this.url = '';
    this.contentType = undefined;
    this.contentLength = undefined;
    this.forwardedFor = undefined;
    this.malformed = false;
    this.length = 0;
    this.#scheme = false;
    this.#authority = false;
    this.#regular = false;
  }

  get tooLong(): boolean {
    return this.length > HEADERS_LENGTH_MAX;
  }

  /** Whether all that a request must say is there. CONNECT alone has no scheme and path. */
  get complete(): boolean {
    if (this.malformed || this.method === '') return false;
    return this.method === 'CONNECT' || (this.#scheme && this.url !== '');
  }

  /** Whether this is fit to follow a body: no pseudo-header fields. */
  get isTrailer(): boolean {
    return !this.malformed && this.method === '' && this.url === '' && !this.#scheme && !this.#authority;
  }

  field(name: string, value: string): void {
    this.length += name.length + value.length + 32;
    if (name.charCodeAt(0) === 0x3a) this.#pseudo(name, value);
    else this.#ordinary(name, value);
  }

  #pseudo(name: string, value: string): void {
    let again = this.#regular;
    if (name === ':method') {
      again ||= this.method !== '';
      this.method = value;
    } else if (name === ':path') {
      again ||= this.url !== '' || value === '';
      this.url = value;
    } else if (name === ':scheme') {
      again ||= this.#scheme;
      this.#scheme = true;
    } else if (name === ':authority') {
      again ||= this.#authority;
      this.#authority = true;
    } else {
      again = true;
    }
    if (again) this.malformed = true;
  }

  #ordinary(name: string, value: string): void {
    this.#regular = true;
    switch (name) {
      case 'content-type':
        this.contentType = value;
        break;
      case 'content-length':
        if (!/^\d{1,15}$/.test(value) || (this.contentLength ?? value) !== value) this.malformed = true;
        this.contentLength = value;
        break;
      case 'x-forwarded-for':
        // Several lines are one list (RFC 9110 section 5.3).
        this.forwardedFor = this.forwardedFor === undefined ? value : `${this.forwardedFor},${value}`;
        break;
      case 'te':
        if (value !== 'trailers') this.malformed = true;
        break;
      case BAD_NAME:
        this.malformed = true;
        break;
      default:
        if (CONNECTION_FIELDS.has(name)) this.malformed = true;
    }
  }
}
