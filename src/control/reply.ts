/** Writing a response so that nothing in it can run, be framed, be cached or be taken for another type. */
import type { ServerResponse } from 'node:http';

const HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
});

export interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export const text = (status: number, body: string): Reply => ({
  status,
  contentType: 'text/plain; charset=utf-8',
  body: body.endsWith('\n') ? body : `${body}\n`,
});

export const json = (status: number, value: unknown): Reply => ({
  status,
  contentType: 'application/json; charset=utf-8',
  body: `${escapedJson(value)}\n`,
});

/** An error as JSON: `{"error": …}`. */
export const fault = (
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Reply => ({
  ...json(status, { error: message }),
  headers,
});

/**
 * JSON in ASCII without angle brackets and ampersands: the same value to every reader of JSON, and nothing that a page, a
 * terminal or a log viewer might take for markup or for a control sequence. Names come from strangers.
 */
function escapedJson(value: unknown): string {
  const plain =
    JSON.stringify(value, (_, member) => (typeof member === 'bigint' ? String(member) : member), 2) ?? 'null';
  return plain.replace(
    /[<>&\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

export function send(response: ServerResponse, reply: Reply, withBody: boolean): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(reply.status, {
    ...HEADERS,
    ...reply.headers,
    'content-type': reply.contentType,
    'content-length': Buffer.byteLength(reply.body),
  });
  response.end(withBody ? reply.body : undefined);
}
