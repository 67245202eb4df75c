import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Settings } from '../../src/config/settings.ts';
import { poolOptions } from '../../src/pools.ts';
import { type ServerOptions, serverText, systemServers } from '../../src/upstream/index.ts';

describe('serverText', () => {
  test.each<{ text: string; server: ServerOptions }>([
    { text: '9.9.9.9:53', server: { transport: 'udp', address: '9.9.9.9', port: 53 } },
    { text: '[2620:fe::fe]:53', server: { transport: 'udp', address: '2620:fe::fe', port: 53 } },
    { text: 'tcp://192.0.2.53:54', server: { transport: 'tcp', address: '192.0.2.53', port: 54 } },
    {
      text: 'tls://9.9.9.9:853#dns.quad9.net',
      server: { transport: 'tls', address: '9.9.9.9', port: 853, serverName: 'dns.quad9.net' },
    },
    {
      text: 'tls://dns.example:853',
      server: { transport: 'tls', address: '', port: 853, serverName: 'dns.example' },
    },
    {
      text: 'https://dns.quad9.net:443/dns-query',
      server: { transport: 'https', address: '', port: 443, serverName: 'dns.quad9.net', path: '/dns-query' },
    },
    {
      text: 'https://9.9.9.9:5053/resolve#dns.quad9.net',
      server: {
        transport: 'https',
        address: '9.9.9.9',
        port: 5053,
        serverName: 'dns.quad9.net',
        path: '/resolve',
      },
    },
  ])('is $text, and settings read it as the same server', ({ text, server }) => {
    expect(serverText(server)).toBe(text);
    const pools = poolOptions(
      Settings.parse({ upstreams: { default: { servers: [text], bootstrap: ['192.0.2.53'] } } }),
    );
    expect(pools[0].servers).toEqual([server]);
  });
});

describe('systemServers', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-resolv-'));
  const file = join(folder, 'resolv.conf');

  test('reads the nameserver lines and nothing else', () => {
    writeFileSync(
      file,
      '# nameserver 192.0.2.9\nsearch example\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 # second\nnameserver fe80::1%eth0\nnameserver nonsense\noptions edns0\n',
    );
    expect(systemServers(file)).toEqual([
      { transport: 'udp', address: '192.0.2.1', port: 53 },
      { transport: 'udp', address: '2001:db8::1', port: 53 },
    ]);
  });

  test('is empty without the file', () => {
    rmSync(folder, { recursive: true });
    expect(systemServers(file)).toEqual([]);
  });
});
