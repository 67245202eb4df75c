/**
 * Resolvers of others from Debian beside which a Sallyport is examined: an authoritative named with a zone of odd things,
 * and named and Unbound as forwarders to it. All on loopback, each in a directory of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../e2e/processes.ts';
import { askUdp } from './client.ts';
import { query } from './message.ts';

const READY_MS = 15_000;

/** One neighbour: a process that answers DNS on a port of 127.0.0.1. */
export class Rival {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #directory: string;

  private constructor(port: number, child: ChildProcess, directory: string) {
    this.port = port;
    this.#child = child;
    this.#directory = directory;
  }

  /** `files` are written first; `command` gets the directory. Resolves when `probe` is answered with NOERROR. */
  static async start(
    files: (port: number, directory: string) => Readonly<Record<string, string>>,
    command: (directory: string) => readonly [string, ...string[]],
    probe: string,
  ): Promise<Rival> {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-rival-'));
    const port = await freePort();
    for (const [file, text] of Object.entries(files(port, directory)))
      writeFileSync(join(directory, file), text);
    const [program, ...args] = command(directory);
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk) => {
      if (said.length < 20_000) said += chunk;
    });
    const rival = new Rival(port, child, directory);
    const until = Date.now() + READY_MS;
    while (Date.now() < until && child.exitCode === null) {
      const reply = await askUdp(port, query(probe, 6, { id: 1 }), 250);
      if (reply !== null && (reply[3] & 15) === 0) return rival;
    }
    await rival.stop();
    throw new Error(`${program} does not answer for ${probe}: ${said}`);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null) {
      const ended = new Promise((resolve) => this.#child.on('exit', resolve));
      this.#child.kill('SIGKILL');
      await ended;
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

const NAMED = (directory: string): readonly [string, ...string[]] => [
  'named',
  '-g',
  '-n',
  '1',
  '-c',
  join(directory, 'named.conf'),
];

const namedOptions = (port: number, directory: string, more: string): string => `
options {
  directory "${directory}"; pid-file none; session-keyfile "${directory}/session.key"; key-directory "${directory}";
  listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
  dnssec-validation no; notify no; ${more}
};
controls {};
`;

/** An authoritative server; `zones` by name, the root written ".". Those in `signed` are signed on the fly. */
export const startAuthority = (
  zones: Readonly<Record<string, string>>,
  signed: readonly string[],
): Promise<Rival> =>
  Rival.start(
    (port, directory) => {
      const files: Record<string, string> = {};
      let conf = namedOptions(
        port,
        directory,
        'recursion yes; allow-recursion { 127.0.0.0/8; }; empty-zones-enable no; minimal-responses no; max-records 0; max-types-per-name 0;',
      );
      for (const [zone, text] of Object.entries(zones)) {
        const file = `${zone === '.' ? 'root' : zone}.zone`;
        files[file] = text;
        const policy = signed.includes(zone) ? 'dnssec-policy default; inline-signing yes;' : '';
        conf += `zone "${zone}" { type primary; file "${file}"; check-names ignore; ${policy} };\n`;
      }
      return { ...files, 'named.conf': conf };
    },
    NAMED,
    Object.keys(zones).at(-1) ?? '.',
  );

export const startNamed = (upstream: number, probe: string): Promise<Rival> =>
  Rival.start(
    (port, directory) => ({
      'named.conf': namedOptions(
        port,
        directory,
        `recursion yes; forward only; forwarders { 127.0.0.1 port ${upstream}; }; minimal-responses yes; max-records-per-type 0; max-types-per-name 0;`,
      ),
    }),
    NAMED,
    probe,
  );

export const startUnbound = (upstream: number, probe: string): Promise<Rival> =>
  Rival.start(
    (port, directory) => ({
      'unbound.conf': `
server:
  directory: "${directory}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  interface: 127.0.0.1
  port: ${port}
  do-ip6: no
  num-threads: 1
  module-config: "iterator"
  do-not-query-localhost: no
  outgoing-num-tcp: 50
  edns-buffer-size: 1232
  max-udp-size: 1232
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@${upstream}
`,
    }),
    (directory) => ['unbound', '-d', '-c', join(directory, 'unbound.conf')],
    probe,
  );
