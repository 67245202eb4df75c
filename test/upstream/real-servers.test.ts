/** Real servers of Debian packages as upstreams, where they are installed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ask } from './asking.ts';
import { closeLater, pooled, sleep } from './world.ts';

interface Peer {
  readonly name: string;
  readonly command: string;
  readonly argumentsFor: (folder: string) => string[];
  readonly files: (folder: string, port: number) => Record<string, string>;
}

const PEERS: readonly Peer[] = [
  {
    name: 'unbound',
    command: 'unbound',
    argumentsFor: (folder) => ['-d', '-c', join(folder, 'unbound.conf')],
    files: (folder, port) => ({
      'unbound.conf': [
        `server:\n  directory: "${folder}"\n  chroot: ""\n  username: ""\n  pidfile: ""\n  use-syslog: no\n  do-daemonize: no`,
        `  interface: 127.0.0.1@${port}\n  access-control: 127.0.0.0/8 allow\n  local-zone: "example." static`,
        '  local-data: "www.example. A 192.0.2.1"',
        ...Array.from({ length: 60 }, (_, i) => `  local-data: "big.example. TXT ${'x'.repeat(60)}${i}"`),
        'remote-control:\n  control-enable: no',
      ].join('\n'),
    }),
  },
  {
    name: 'named',
    command: 'named',
    argumentsFor: (folder) => ['-f', '-c', join(folder, 'named.conf')],
    files: (folder, port) => ({
      'named.conf': [
        `options { directory "${folder}"; listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };`,
        // It serves nobody over UDP who cannot show its cookie (RFC 7873).
        '  recursion no; pid-file none; session-keyfile none; require-server-cookie yes; };',
        'controls { };',
        `zone "example" { type primary; file "${join(folder, 'zone')}"; };`,
      ].join('\n'),
      zone: [
        '$TTL 60',
        '@ SOA ns.example. root.example. 1 3600 600 86400 60',
        '@ NS ns.example.',
        'ns A 127.0.0.1',
        'www A 192.0.2.1',
        ...Array.from({ length: 60 }, (_, i) => `big TXT "${'x'.repeat(60)}${i}"`),
        '',
      ].join('\n'),
    }),
  },
];

const isInstalled = (command: string): boolean =>
  spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

describe.each(PEERS)('$name', (peer) => {
  const isHere = isInstalled(peer.command);
  if (!isHere) console.log(`${peer.name} as upstream: not tested here, the Debian package is not installed`);

  test.skipIf(!isHere)('answers over UDP, over TCP when it is long, and is learnt', async () => {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), `sallyport-${peer.name}-`));
    for (const [file, text] of Object.entries(peer.files(folder, port)))
      writeFileSync(join(folder, file), text);
    const child: ChildProcess = spawn(peer.command, peer.argumentsFor(folder), { stdio: 'ignore' });
    closeLater({
      close: async () => {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill();
        await ended;
        rmSync(folder, { recursive: true, force: true });
      },
    });
    const { upstreams } = await pooled(
      { servers: [{ transport: 'udp', address: '127.0.0.1', port }] },
      'native',
    );
    for (
      let i = 0;
      i < 60 && (await ask(upstreams, 'www.example', { budgetMs: 300 })).failure !== null;
      i++
    ) {
      await sleep(100);
    }
    const told = await Promise.all(Array.from({ length: 100 }, () => ask(upstreams, 'www.example')));
    expect(told.every(({ failure, rcode }) => failure === null && rcode === 0)).toBe(true);
    expect((await ask(upstreams, 'nothing.example')).rcode).toBe(3);
    const big = await ask(upstreams, 'big.example', { type: 16 });
    expect(big.message?.readUInt16BE(6)).toBe(60);
    expect(upstreams.state()[0]).toMatchObject({ healthy: true, mismatched: 0, truncated: 1 });
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
