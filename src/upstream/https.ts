/**
 * DNS over HTTPS (RFC 8484) to one server: one HTTP/2 session, a stream for each message, POST, id 0.
 *
 * The session begins only after the certificate and the pins have passed: messages wait for it here.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { isIPv6 } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Attempt } from './attempt.ts';
import type { Carrier, CarrierEvents, Loss } from './carrier.ts';
import { type Dial, IDLE_SILENT_MS, PIPELINE_MAX, RESTED_MS, SILENT_MS } from './link.ts';
import type { ServerOptions } from './options.ts';
import { dialTls } from './streams.ts';

const BODY_MAX = 65_535;
const CONNECT_MS = 2000;
const IDLE_MS = 30_000;
const MEDIA_TYPE = 'application/dns-message';

export class HttpsSession implements Carrier {
  readonly #options: ServerOptions;
  readonly #address: () => string;
  readonly #dial: Dial;
  readonly #events: CarrierEvents;
  readonly #now: () => number;
  #socket: TLSSocket | null = null;
  #session: ClientHttp2Session | null = null;
  #error: Error | null = null;
  /** What is asked, and its stream once there is one. */
  readonly #carried = new Map<Attempt, ClientHttp2Stream | null>();
  #waiting: Attempt[] = [];
  #begunMs = 0;
  #heardMs = 0;
  #patienceMs = SILENT_MS;
  #usedMs = 0;
  #closed = false;
  opened = 0;

  constructor(options: ServerOptions, address: () => string, events: CarrierEvents, now: () => number) {
    this.#options = options;
    this.#address = address;
    this.#dial = dialTls(options, address, 'h2');
    this.#events = events;
    this.#now = now;
  }

  get inFlight(): number {
    return this.#carried.size;
  }

  send(attempt: Attempt, nowMs: number): boolean {
    const most = Math.min(PIPELINE_MAX, this.#session?.remoteSettings.maxConcurrentStreams ?? PIPELINE_MAX);
    if (this.#closed || this.#carried.size >= most) return false;
    attempt.id = 0;
    attempt.message[0] = 0;
    attempt.message[1] = 0;
    attempt.place = this;
    if (this.#carried.size === 0) {
      this.#patienceMs =
        this.#session !== null && nowMs - this.#heardMs > RESTED_MS ? IDLE_SILENT_MS : SILENT_MS;
      this.#heardMs = nowMs;
    }
    this.#usedMs = nowMs;
    this.#carried.set(attempt, null);
    this.#waiting.push(attempt);
    if (this.#socket === null) this.#connect(nowMs);
    return true;
  }

  resend(): boolean {
    return false;
  }

  forget(attempt: Attempt): void {
    const stream = this.#carried.get(attempt);
    if (stream === undefined) return;
    this.#carried.delete(attempt);
    attempt.place = null;
    if (stream === null) this.#waiting = this.#waiting.filter((other) => other !== attempt);
    else stream.close(constants.NGHTTP2_CANCEL);
  }

  flush(): void {
    if (this.#session === null) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const attempt of waiting) this.#post(this.#session, attempt);
  }

  maintain(nowMs: number): void {
    if (this.#socket === null) return;
    if (this.#session === null) {
      if (nowMs - this.#begunMs > CONNECT_MS) this.#end('refused');
    } else if (this.#carried.size > 0 && nowMs - this.#heardMs > this.#patienceMs) this.#end('closed');
    else if (this.#carried.size === 0 && nowMs - this.#usedMs > IDLE_MS) this.#end('closed');
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#end('closed');
  }

  #connect(nowMs: number): void {
    this.opened++;
    this.#begunMs = nowMs;
    this.#error = null;
    const socket = this.#dial(() => {
      if (socket !== this.#socket) return;
      if (socket.alpnProtocol !== 'h2') {
        socket.destroy(new Error('the server does not speak HTTP/2'));
        return;
      }
      this.#begin(socket);
    }) as TLSSocket;
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#error ??= error;
    });
    socket.on('close', () => {
      if (socket === this.#socket) this.#end(this.#session === null ? 'refused' : 'closed');
    });
  }

  #begin(socket: TLSSocket): void {
    const session = connect(this.#origin, {
      createConnection: () => socket,
      settings: { enablePush: false },
    });
    this.#session = session;
    this.#heardMs = this.#now();
    session.on('error', (error) => {
      this.#error ??= error;
    });
    // After GOAWAY the server takes no new streams: the next message gets a new session.
    const ended = (): void => {
      if (session === this.#session) this.#end('closed');
    };
    session.on('goaway', ended);
    session.on('close', ended);
    this.flush();
  }

  get #origin(): string {
    const { serverName, port } = this.#options;
    const host = serverName ?? (isIPv6(this.#address()) ? `[${this.#address()}]` : this.#address());
    return port === 443 ? `https://${host}` : `https://${host}:${port}`;
  }

  #post(session: ClientHttp2Session, attempt: Attempt): void {
    let stream: ClientHttp2Stream;
    try {
      stream = session.request({
        ':method': 'POST',
        ':path': this.#options.path ?? '/dns-query',
        'content-type': MEDIA_TYPE,
        accept: MEDIA_TYPE,
        'content-length': attempt.length,
      });
    } catch {
      // The session is going away; its close event gives up the rest.
      this.#drop(attempt, 'closed');
      return;
    }
    this.#carried.set(attempt, stream);
    const chunks: Buffer[] = [];
    let length = 0;
    let fault = '';
    stream.on('response', (headers) => {
      this.#heardMs = this.#now();
      if (headers[':status'] !== 200) fault = `HTTP status ${headers[':status']}`;
      else if (String(headers['content-type']).split(';')[0].trim().toLowerCase() !== MEDIA_TYPE)
        fault = 'another media type';
      if (fault !== '') stream.close(constants.NGHTTP2_CANCEL);
    });
    stream.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > BODY_MAX) {
        fault = 'a body over 65535 octets';
        stream.close(constants.NGHTTP2_CANCEL);
      } else if (fault === '') chunks.push(chunk);
    });
    stream.on('error', (error) => {
      fault ||= error.message;
    });
    let whole = false;
    stream.on('end', () => {
      whole = true;
    });
    stream.on('close', () => {
      // Given up meanwhile, or given up and carried by another stream by now.
      if (this.#carried.get(attempt) !== stream) return;
      if (fault !== '') this.#events.trouble(`DoH: ${fault}`);
      if (fault === '' && whole && length >= 12) {
        this.#events.received(attempt, chunks.length === 1 ? chunks[0] : Buffer.concat(chunks), 0, length);
      }
      if (this.#carried.get(attempt) === stream)
        this.#drop(attempt, fault === '' && !whole ? 'closed' : 'unusable');
    });
    stream.end(attempt.message.slice(0, attempt.length));
  }

  #drop(attempt: Attempt, loss: Loss): void {
    this.#carried.delete(attempt);
    attempt.place = null;
    this.#events.lost(attempt, loss);
  }

  #end(loss: Loss): void {
    const socket = this.#socket;
    const session = this.#session;
    this.#socket = null;
    this.#session = null;
    this.#waiting = [];
    session?.destroy();
    socket?.destroy();
    if (this.#error !== null) this.#events.trouble(this.#error.message);
    this.#error = null;
    const carried = [...this.#carried.keys()];
    this.#carried.clear();
    for (const attempt of carried) {
      attempt.place = null;
      this.#events.lost(attempt, loss);
    }
  }
}
