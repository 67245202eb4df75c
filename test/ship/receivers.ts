/** Receivers that keep what they were sent, and can be ended and begun again on the same port. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../e2e/processes.ts';
import { until } from './fixture.ts';

/** An HTTP receiver whose answers a test decides. */
export class HttpReceiver {
  readonly requests: { url: string; headers: IncomingMessage['headers']; body: Buffer }[] = [];
  /** Called for each request; by default it is accepted. */
  answer: (body: string, response: ServerResponse) => void = (_, response) => response.end('{}');
  port = 0;
  #server: Server | null = null;
  readonly #sockets = new Set<Socket>();

  async start(): Promise<this> {
    const server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        const body = Buffer.concat(pieces);
        this.requests.push({ url: request.url ?? '', headers: request.headers, body });
        this.answer(body.toString('utf8'), response);
      });
    });
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  /** Ends at once, in the middle of whatever is under way. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => (server === null ? resolve() : server.close(() => resolve())));
  }
}

/** A program that receives; started in the foreground, in a directory of its own. */
class Program {
  readonly #command: readonly string[];
  readonly port: number;
  #child: ChildProcess | null = null;
  #said = '';

  constructor(command: readonly string[], port: number) {
    this.#command = command;
    this.port = port;
  }

  async start(): Promise<void> {
    const [program, ...args] = this.#command;
    const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (piece) => {
        this.#said = (this.#said + piece).slice(-4000);
      });
    }
    this.#child = child;
    await until(`${program} listens`, () => {
      if (child.exitCode !== null) throw new Error(`${program} ended: ${this.#said}`);
      return this.#isListening();
    });
  }

  #isListening(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.on('exit', resolve));
    child.kill(signal);
    await ended;
  }
}

/** rsyslogd with a configuration of its own: a listener over TLS or plain TCP, and a file with a line for each message. */
export class Rsyslog {
  readonly port: number;
  readonly #file: string;
  readonly #program: Program;

  private constructor(directory: string, port: number) {
    this.port = port;
    this.#file = join(directory, 'rsyslog.log');
    const config = join(directory, 'rsyslog.conf');
    this.#program = new Program(['rsyslogd', '-n', '-f', config, '-i', join(directory, 'rsyslog.pid')], port);
  }

  static async start(
    directory: string,
    tls: { readonly certFile: string; readonly keyFile: string } | null,
  ): Promise<Rsyslog> {
    const port = await freePort();
    const rsyslog = new Rsyslog(directory, port);
    const files =
      tls === null
        ? ''
        : `DefaultNetstreamDriverCAFile="${tls.certFile}" DefaultNetstreamDriverCertFile="${tls.certFile}" DefaultNetstreamDriverKeyFile="${tls.keyFile}"`;
    const driver =
      tls === null ? '' : 'StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon"';
    const properties = ['pri', 'timestamp', 'hostname', 'app-name', 'msgid', 'structured-data', 'msg'];
    const template = properties
      .map((name) => `property(name="${name}"${name === 'timestamp' ? ' dateFormat="rfc3339"' : ''})`)
      .join(' constant(value="\\t") ');
    writeFileSync(
      join(directory, 'rsyslog.conf'),
      [
        `global(workDirectory="${directory}" maxMessageSize="64k" ${files})`,
        `module(load="imtcp" ${driver})`,
        `input(type="imtcp" address="127.0.0.1" port="${port}")`,
        `template(name="line" type="list") { ${template} constant(value="\\n") }`,
        `action(type="omfile" file="${join(directory, 'rsyslog.log')}" template="line")`,
        '',
      ].join('\n'),
    );
    await rsyslog.#program.start();
    return rsyslog;
  }

  again(): Promise<void> {
    return this.#program.start();
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    return this.#program.stop(signal);
  }

  /** Messages as it understood them: priority, time, host, app, msgid, structured data, message. */
  messages(): {
    pri: number;
    time: string;
    host: string;
    app: string;
    msgid: string;
    data: string;
    text: string;
  }[] {
    let file: string;
    try {
      file = readFileSync(this.#file, 'utf8');
    } catch {
      return [];
    }
    return file
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [pri, time, host, app, msgid, data, ...text] = line.split('\t');
        return {
          pri: Number(pri),
          time: time ?? '',
          host: host ?? '',
          app: app ?? '',
          msgid: msgid ?? '',
          data: data ?? '',
          text: text.join('\t'),
        };
      });
  }
}

/** clickhouse-server with a configuration and a directory of its own; the password of its user is `secret`. */
export class ClickHouse {
  readonly port: number;
  readonly #program: Program;

  private constructor(port: number, config: string) {
    this.port = port;
    this.#program = new Program(['clickhouse-server', `--config-file=${config}`], port);
  }

  static async start(directory: string): Promise<ClickHouse> {
    const port = await freePort();
    const home = join(directory, 'clickhouse');
    mkdirSync(join(home, 'data'), { recursive: true });
    mkdirSync(join(home, 'tmp'));
    writeFileSync(
      join(home, 'config.xml'),
      `<yandex><logger><level>error</level><console>1</console></logger><http_port>${port}</http_port>
      <listen_host>127.0.0.1</listen_host><path>${home}/data/</path><tmp_path>${home}/tmp/</tmp_path>
      <users_config>users.xml</users_config><default_profile>default</default_profile>
      <default_database>default</default_database><mark_cache_size>5368709</mark_cache_size></yandex>`,
    );
    writeFileSync(
      join(home, 'users.xml'),
      `<yandex><profiles><default/></profiles><quotas><default/></quotas><users><default><password>secret</password>
      <networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users></yandex>`,
    );
    const server = new ClickHouse(port, join(home, 'config.xml'));
    await server.#program.start();
    return server;
  }

  again(): Promise<void> {
    return this.#program.start();
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    return this.#program.stop(signal);
  }

  async ask(query: string): Promise<string> {
    const headers = { 'x-clickhouse-user': 'default', 'x-clickhouse-key': 'secret' };
    const response = await fetch(`http://127.0.0.1:${this.port}/`, { method: 'POST', body: query, headers });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return text.trim();
  }
}
