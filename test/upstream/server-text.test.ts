import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseServer, type ServerOptions, serverText, systemServers } from '../../src/upstream/index.ts';

describe('parseServer', () => {
  test.each<{ text: string; server: ServerOptions }>([
    { text: '9.9.9.9', server: { transport: 'udp', address: '9.9.9.9', port: 53 } },
    { text: '9.9.9.9:5353', server: { transport: 'udp', address: '9.9.9.9', port: 5353 } },
    { text: '2620:fe::fe', server: { transport: 'udp', address: '2620:fe::fe', port: 53 } },
    { text: '[2620:fe::fe]:53', server: { transport: 'udp', address: '2620:fe::fe', port: 53 } },
    { text: 'udp://192.0.2.53', server: { transport: 'udp', address: '192.0.2.53', port: 53 } },
    { text: 'TCP://192.0.2.53:54', server: { transport: 'tcp', address: '192.0.2.53', port: 54 } },
    {
      text: 'tls://9.9.9.9:853#dns.quad9.net',
      server: { transport: 'tls', address: '9.9.9.9', port: 853, serverName: 'dns.quad9.net' },
    },
    { text: 'tls://[2620:fe::fe]', server: { transport: 'tls', address: '2620:fe::fe', port: 853 } },
    {
      text: 'tls://dns.example',
      server: { transport: 'tls', address: '', port: 853, serverName: 'dns.example' },
    },
    {
      text: 'https://dns.quad9.net/dns-query',
      server: { transport: 'https', address: '', port: 443, serverName: 'dns.quad9.net', path: '/dns-query' },
    },
    {
      text: 'https://9.9.9.9:5053/resolve#Dns.Quad9.Net.',
      server: {
        transport: 'https',
        address: '9.9.9.9',
        port: 5053,
        serverName: 'dns.quad9.net',
        path: '/resolve',
      },
    },
    {
      text: 'https://192.0.2.1',
      server: { transport: 'https', address: '192.0.2.1', port: 443, path: '/dns-query' },
    },
  ])('reads $text, and its text reads the same again', ({ text, server }) => {
    expect(parseServer(text)).toEqual(server);
    expect(parseServer(serverText(server))).toEqual(server);
  });

  test.each([
    { text: '', says: /names no host/ },
    { text: 'dns.example', says: /plain server is given by its address/ },
    { text: 'tcp://dns.example', says: /plain server is given by its address/ },
    { text: '999.1.1.1', says: /not an IPv4 address/ },
    { text: '9.9.9', says: /not an IPv4 address/ },
    { text: '9.9.9.9:', says: /port/ },
    { text: '9.9.9.9:0', says: /1 to 65535/ },
    { text: '9.9.9.9:65536', says: /1 to 65535/ },
    { text: '9.9.9.9/24', says: /only https/ },
    { text: '9.9.9.9#name.example', says: /only tls/ },
    { text: 'tls://9.9.9.9#192.0.2.1', says: /host name that is in the server's certificate/ },
    { text: 'tls://9.9.9.9#', says: /host name/ },
    { text: '[9.9.9.9]:53', says: /not an IPv6 address/ },
    { text: '[fe80::1%eth0]:53', says: /not an IPv6 address/ },
    { text: 'fe80::1%eth0', says: /write 9\.9\.9\.9/ },
    { text: 'quic://9.9.9.9', says: /unknown scheme "quic"/ },
    { text: 'https://bad host/', says: /neither an address nor a name/ },
    { text: 'https://-x.example/', says: /neither an address nor a name/ },
  ])('refuses "$text" with what to write instead', ({ text, says }) => {
    const read = parseServer(text);
    expect(read).toHaveProperty('fault');
    expect('fault' in read ? read.fault : '').toMatch(says);
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
