/**
 * What an HTTP request means as DNS over HTTPS (RFC 8484 section 4.1), the same for HTTP/1.1 and HTTP/2.
 *
 * Lengths are looked at before anything is decoded.
 */
import { HEADER_LENGTH, QR } from '../../wire/index.ts';

export const DNS_MESSAGE = 'application/dns-message';
export const MESSAGE_LENGTH_MAX = 65_535;
/** Octets of a URL that are looked at. */
const URL_LENGTH_MAX = 8192;
/** Octets of all header fields together. */
export const HEADERS_LENGTH_MAX = 16_384;

/** What is wrong with a request: an HTTP status, and a sentence that says what to send instead. */
export interface HttpFault {
  readonly status: number;
  readonly text: string;
}

const fault = (status: number, text: string): HttpFault => Object.freeze({ status, text: `${text}\n` });

const NO_SUCH_PATH = fault(404, 'DNS over HTTPS is served at another path, usually /dns-query.');
export const METHOD_NOT_ALLOWED = fault(405, 'Use GET with ?dns= or POST with a DNS message.');
const METHOD_UNKNOWN = fault(501, 'This method is not known. Use GET or POST.');
const URL_TOO_LONG = fault(414, 'The URL is longer than 8192 octets. Use POST.');
export const HEADERS_TOO_LONG = fault(431, 'The header fields are longer than 16384 octets together.');
const PARAMETER_MISSING = fault(400, 'The parameter dns is missing: /dns-query?dns=<message in base64url>.');
const NOT_BASE64URL = fault(400, 'The parameter dns is not base64url without padding (RFC 4648 section 5).');
const MESSAGE_TOO_SHORT = fault(400, 'A DNS message has at least 12 octets.');
const NO_QUERY = fault(400, 'QR is set: this message is a response, not a query.');
export const MESSAGE_TOO_LONG = fault(413, 'A DNS message has at most 65535 octets.');
const MEDIA_TYPE_WRONG = fault(415, 'The body must be of type application/dns-message.');
/** Of HTTP/1 only. */
export const VERSION_UNKNOWN = fault(505, 'This version of HTTP is not known here. Use HTTP/1.1 or HTTP/2.');
export const CODING_UNKNOWN = fault(
  501,
  'This Transfer-Encoding is not known. Send the body as it is, or chunked.',
);
export const HOST_TWICE = fault(400, 'There is more than one Host field. Send one.');
export const MALFORMED_BODY = fault(
  400,
  'The body is not what HTTP/1.1 calls chunked (RFC 9112 section 7.1).',
);
export const BUSY = fault(503, 'Too many queries are in flight. Try again soon.');

/** Methods of RFC 9110 and PATCH: known, but not for this. */
const KNOWN_METHODS = new Set(['PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH']);

/** What a request's head says, before its body is there. */
export interface RequestHead {
  readonly method: string;
  /** Path and query, as sent. */
  readonly url: string;
  readonly contentType: string | undefined;
  readonly contentLength: string | undefined;
}

/** Null when the head is in order. The query of a GET is not looked at yet. */
export function judgeHead(head: RequestHead, path: string): HttpFault | null {
  const { method, url } = head;
  if (url.length > URL_LENGTH_MAX) return URL_TOO_LONG;
  if (!url.startsWith(path) || (url.length > path.length && url[path.length] !== '?')) return NO_SUCH_PATH;
  if (method === 'GET' || method === 'HEAD') return null;
  if (method !== 'POST') return KNOWN_METHODS.has(method) ? METHOD_NOT_ALLOWED : METHOD_UNKNOWN;
  if (!isDnsMessage(head.contentType)) return MEDIA_TYPE_WRONG;
  if (Number(head.contentLength ?? 0) > MESSAGE_LENGTH_MAX) return MESSAGE_TOO_LONG;
  return null;
}

/**
 * What is wrong with a message of `length` octets at `at` before it goes on its way, or null. Over UDP and TCP a response is
 * met with silence; here the request has to end somehow, and the client can read why.
 */
export function judgeMessage(octets: Uint8Array, at: number, length: number): HttpFault | null {
  if (length < HEADER_LENGTH) return MESSAGE_TOO_SHORT;
  return (octets[at + 2] & QR) === 0 ? null : NO_QUERY;
}

/** Media types are compared without their parameters and without regard to case (RFC 9110 section 8.3.1). */
function isDnsMessage(type: string | undefined): boolean {
  if (type === undefined || type === DNS_MESSAGE) return type !== undefined;
  const semicolonAt = type.indexOf(';');
  const essence = semicolonAt < 0 ? type : type.slice(0, semicolonAt);
  return essence.trim().toLowerCase() === DNS_MESSAGE;
}

/** Room for the message of the longest URL. */
export const queryRoom = Buffer.alloc(URL_LENGTH_MAX);

/** Decodes the message of a GET to `queryRoom` and returns its length in octets, or what is wrong. */
export function readQuery(url: string, path: string): number | HttpFault {
  const at = parameterAt(url, path.length);
  if (at < 0) return PARAMETER_MISSING;
  const ampersandAt = url.indexOf('&', at);
  const text = ampersandAt < 0 ? url.slice(at) : url.slice(at, ampersandAt);
  if (ampersandAt >= 0 && parameterAt(url, ampersandAt) >= 0) return NOT_BASE64URL;
  // Four characters carry three octets; one alone carries none.
  if (text.length % 4 === 1 || !/^[A-Za-z0-9_-]*$/.test(text)) return NOT_BASE64URL;
  if (text.length < (HEADER_LENGTH * 4) / 3) return MESSAGE_TOO_SHORT;
  return queryRoom.write(text, 'base64url');
}

/** Where the value of the parameter `dns` begins that stands behind a `?` or `&` at `from` or later; −1 without one. */
function parameterAt(url: string, from: number): number {
  for (let at = from; at >= 0 && at < url.length; at = url.indexOf('&', at + 1)) {
    if (url.startsWith('dns=', at + 1)) return at + 5;
  }
  return -1;
}
