/**
 * Checkpoints as syslog messages: the line as the message, and worker, size and root as structured data before it, which a
 * receiver that cuts long messages keeps.
 *
 * Syslog has no acknowledgement. Over TCP and TLS each delivery is a connection that is ended in order: when the receiver
 * ends it as well, it has read to the end.
 */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { connect, isIP, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { connect as connectSecurely } from 'node:tls';
import { octetCounted, syslogMessage } from '../syslog/index.ts';
import type { Checkpoint, Place } from './contract.ts';

const TIMEOUT_MS = 10_000;

export interface SyslogOptions {
  readonly host: string;
  readonly port: number;
  readonly transport: 'tls' | 'tcp' | 'udp';
  readonly serverName: string | null;
  readonly caFile: string | null;
}

export class SyslogPlace implements Place {
  readonly kind = 'syslog';
  readonly where: string;
  readonly #options: SyslogOptions;

  constructor(options: SyslogOptions) {
    this.#options = options;
    const host = isIP(options.host) === 6 ? `[${options.host}]` : options.host;
    this.where = `${options.transport}://${host}:${options.port}`;
  }

  put(checkpoints: readonly Checkpoint[]): Promise<void> {
    const messages = checkpoints.map(messageOf);
    return this.#options.transport === 'udp' ? this.#sendDatagrams(messages) : this.#deliver(messages);
  }

  #sendDatagrams(messages: readonly Buffer[]): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      const socket = createSocket(isIP(host) === 6 ? 'udp6' : 'udp4');
      let left = messages.length;
      const end = (error: Error | null): void => {
        if (left < 0) return;
        left = -1;
        socket.close();
        if (error === null) resolve();
        else reject(error);
      };
      socket.on('error', end);
      for (const message of messages) {
        socket.send(message, port, host, (error) => {
          if (error !== null) end(error);
          else if (--left === 0) end(null);
        });
      }
    });
  }

  #deliver(messages: readonly Buffer[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = this.#connect();
      const timer = setTimeout(() => {
        socket.destroy(new Error(`${this.where} did not take the checkpoints within ${TIMEOUT_MS / 1000} s`));
      }, TIMEOUT_MS);
      let fault: Error | null = null;
      socket.on('error', (error) => {
        fault = error;
      });
      socket.on('close', () => {
        clearTimeout(timer);
        if (fault !== null) reject(fault);
        else if (socket.bytesWritten === 0) reject(new Error(`${this.where} closed the connection at once`));
        else resolve();
      });
      // Nothing is expected; what comes is read, so that the end of the connection is seen.
      socket.resume();
      socket.end(Buffer.concat(messages.map(octetCounted)));
    });
  }

  #connect(): Socket {
    const { host, port, transport, serverName, caFile } = this.#options;
    if (transport === 'tcp') return connect({ host, port });
    const name = serverName ?? host;
    return connectSecurely({
      host,
      port,
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ...(caFile === null ? {} : { ca: readFileSync(caFile) }),
    });
  }
}

function messageOf({ worker, line }: Checkpoint): Buffer {
  const { size, root } = JSON.parse(line) as { size: number; root: string };
  return syslogMessage({
    facility: 'local0',
    severity: 'info',
    atMs: Date.now(),
    hostname: hostname(),
    app: 'sallyport',
    procid: String(process.pid),
    msgid: 'checkpoint',
    data: [{ id: 'checkpoint@32473', values: { worker: String(worker), size: String(size), root } }],
    text: line,
  });
}
