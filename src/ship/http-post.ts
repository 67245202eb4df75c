/** POST to one place, on connections that are kept; what comes back is an answer or an error in words. */
import { Agent, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps, Agent as SecureAgent } from 'node:https';
import { gzip } from 'node:zlib';
import type { Secret } from '../config/index.ts';
import { ANSWER_MS } from './contract.ts';
import { readSecret, readTls, type TlsFiles } from './secrets.ts';

/** No more of an answer is read. */
const ANSWER_OCTETS_MAX = 64 * 1024;

export interface PostOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | Secret>>;
  readonly files: TlsFiles;
  readonly compression: 'none' | 'gzip';
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export class Poster {
  readonly #options: PostOptions;
  readonly #agent: Agent;

  /** Throws in words when a file of the settings cannot be read. */
  constructor(options: PostOptions) {
    this.#options = options;
    const common = { keepAlive: true, maxSockets: 1 };
    this.#agent =
      options.url.protocol === 'https:'
        ? new SecureAgent({ ...common, ...readTls(options.files), minVersion: 'TLSv1.2' })
        : new Agent(common);
  }

  /** Rejects when no answer comes within 30 s. */
  async post(url: URL, type: string, text: string): Promise<Answer> {
    const { headers, compression } = this.#options;
    const body = compression === 'gzip' ? await compressed(text) : Buffer.from(text);
    const sent: Record<string, string | number> = { 'content-type': type, 'content-length': body.length };
    if (compression === 'gzip') sent['content-encoding'] = 'gzip';
    for (const [name, value] of Object.entries(headers))
      sent[name] = typeof value === 'string' ? value : readSecret(value);
    const ask = url.protocol === 'https:' ? requestHttps : requestHttp;
    return new Promise((resolve, reject) => {
      const request = ask(url, { method: 'POST', agent: this.#agent, headers: sent }, (response) => {
        readAnswer(response).then(resolve, reject);
      });
      const timer = setTimeout(
        () => request.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)),
        ANSWER_MS,
      );
      request.on('close', () => clearTimeout(timer));
      request.on('error', reject);
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

const compressed = (text: string): Promise<Buffer> =>
  new Promise((resolve, reject) =>
    gzip(text, (error, octets) => (error === null ? resolve(octets) : reject(error))),
  );

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    if (length < ANSWER_OCTETS_MAX) pieces.push(piece);
    length += piece.length;
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(pieces).toString('utf8') };
}

/** The beginning of an answer, on one line. */
export const shortly = (body: string): string => body.replace(/\s+/g, ' ').trim().slice(0, 200);
