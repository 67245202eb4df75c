import { describe, expect, test } from 'vitest';
import { isLoopback, readEndpoint, readServer } from '../../src/config/endpoint.ts';

describe('readEndpoint', () => {
  test.each([
    { text: '127.0.0.1:53', host: '127.0.0.1', port: 53, family: 4 },
    { text: '0.0.0.0:0', host: '0.0.0.0', port: 0, family: 4 },
    { text: '[::]:53', host: '::', port: 53, family: 6 },
    { text: '[2001:db8::1]:65535', host: '2001:db8::1', port: 65_535, family: 6 },
  ])('reads $text', ({ text, ...endpoint }) => {
    expect(readEndpoint(text)).toEqual(endpoint);
  });

  test.each([
    '',
    ':53',
    '127.0.0.1',
    '::1',
    '::1:53',
    '[127.0.0.1]:53',
    '[::1]',
    '[::1]53',
    'x:53',
    '1.2.3:53',
    '1.2.3.4:-1',
  ])('refuses %s', (text) => {
    expect(readEndpoint(text)).toBeTypeOf('string');
  });
});

describe('readServer', () => {
  test.each([
    { text: '9.9.9.9', transport: 'udp', host: '9.9.9.9', port: 53, tlsName: null, path: null },
    { text: '9.9.9.9:5353', transport: 'udp', host: '9.9.9.9', port: 5353, tlsName: null, path: null },
    { text: '2001:db8::1', transport: 'udp', host: '2001:db8::1', port: 53, tlsName: null, path: null },
    {
      text: '[2001:db8::1]:5353',
      transport: 'udp',
      host: '2001:db8::1',
      port: 5353,
      tlsName: null,
      path: null,
    },
    { text: 'udp://9.9.9.9', transport: 'udp', host: '9.9.9.9', port: 53, tlsName: null, path: null },
    { text: 'tcp://9.9.9.9', transport: 'tcp', host: '9.9.9.9', port: 53, tlsName: null, path: null },
    {
      text: 'tls://9.9.9.9#dns.quad9.net',
      transport: 'tls',
      host: '9.9.9.9',
      port: 853,
      tlsName: 'dns.quad9.net',
      path: null,
    },
    {
      text: 'tls://[2001:db8::1]:8853#a.example',
      transport: 'tls',
      host: '2001:db8::1',
      port: 8853,
      tlsName: 'a.example',
      path: null,
    },
    {
      text: 'tls://dns.example',
      transport: 'tls',
      host: 'dns.example',
      port: 853,
      tlsName: 'dns.example',
      path: null,
    },
    {
      text: 'https://dns.example/q',
      transport: 'https',
      host: 'dns.example',
      port: 443,
      tlsName: 'dns.example',
      path: '/q',
    },
    {
      text: 'https://192.0.2.1',
      transport: 'https',
      host: '192.0.2.1',
      port: 443,
      tlsName: null,
      path: '/dns-query',
    },
  ])('reads $text', (server) => {
    expect(readServer(server.text)).toEqual(server);
  });

  test('reads system', () => {
    expect(readServer('system')).toEqual({ transport: 'system', text: 'system' });
  });

  test.each([
    { text: '', says: 'not a server' },
    { text: 'dns.example', says: 'not an IP address' },
    { text: 'tcp://dns.example', says: 'not an IP address' },
    { text: 'tls://999.1.1.1', says: 'not an IP address' },
    { text: 'quic://192.0.2.1', says: 'not a transport' },
    { text: '192.0.2.1:0', says: 'port 0' },
    { text: '192.0.2.1:99999', says: 'port 99999' },
    { text: '192.0.2.1/x', says: 'has a path' },
    { text: '192.0.2.1#a.example', says: 'certificate name' },
    { text: 'tls://a b', says: 'not' },
    { text: 'tls://[192.0.2.1]', says: 'only they stand in brackets' },
    { text: 'tls://192.0.2.1#192.0.2.1', says: 'behind the #' },
  ])('refuses "$text"', ({ text, says }) => {
    expect(readServer(text)).toContain(says);
  });
});

describe('isLoopback', () => {
  test.each([
    ['127.0.0.1', true],
    ['127.8.8.8', true],
    ['::1', true],
    ['0.0.0.0', false],
    ['::', false],
    ['1.127.0.1', false],
  ])('%s: %s', (host, expected) => {
    expect(isLoopback(host)).toBe(expected);
  });
});
