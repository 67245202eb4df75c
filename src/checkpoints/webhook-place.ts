/** Checkpoints posted as a JSON list. Redirects are not followed: the receiver is who was written down. */
import { readFileSync } from 'node:fs';
import { type ClientRequest, request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import type { Checkpoint, Place } from './contract.ts';

const TIMEOUT_MS = 10_000;
/** Octets of a response that are read; nothing in it is needed. */
const RESPONSE_MAX = 65_536;

export interface WebhookOptions {
  readonly url: string;
  readonly caFile: string | null;
  /** Read for every request, so that it can be exchanged. */
  readonly tokenFile: string | null;
}

export class WebhookPlace implements Place {
  readonly kind = 'webhook';
  readonly where: string;
  readonly #options: WebhookOptions;

  constructor(options: WebhookOptions) {
    this.#options = options;
    // What follows the path may be a secret of the receiver.
    const { origin, pathname } = new URL(options.url);
    this.where = origin + pathname;
  }

  async put(checkpoints: readonly Checkpoint[]): Promise<void> {
    const { url, caFile, tokenFile } = this.#options;
    const body = `[${checkpoints.map(({ line }) => line).join(',')}]`;
    const headers: Record<string, string | number> = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'sallyport',
    };
    if (tokenFile !== null) headers['authorization'] = `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`;
    const options = { method: 'POST', headers, agent: false, timeout: TIMEOUT_MS };
    const request = url.startsWith('https:')
      ? secureRequest(url, { ...options, ...(caFile === null ? {} : { ca: readFileSync(caFile) }) })
      : plainRequest(url, options);
    await this.#ask(request, body);
  }

  #ask(request: ClientRequest, body: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)),
        TIMEOUT_MS,
      );
      const end = (error: Error | null): void => {
        clearTimeout(timer);
        if (error === null) resolve();
        else reject(error);
      };
      request.on('error', end);
      request.on('response', (response) => {
        const { statusCode = 0 } = response;
        let length = 0;
        response.on('data', (piece: Buffer) => {
          length += piece.length;
          if (length > RESPONSE_MAX) request.destroy();
        });
        response.on('error', () => {});
        response.on('close', () => request.destroy());
        end(
          statusCode >= 200 && statusCode < 300
            ? null
            : new Error(`the receiver answered with status ${statusCode}`),
        );
      });
      request.end(body);
    });
  }
}
