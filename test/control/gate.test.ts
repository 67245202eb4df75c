import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { createGate } from '../../src/control/gate.ts';
import { gateFault, isLoopback } from '../../src/control/index.ts';

const TOKEN = 'a-token-of-some-length';

describe('isLoopback', () => {
  test.each([
    { address: '127.0.0.1', is: true },
    { address: '127.255.0.9', is: true },
    { address: '::1', is: true },
    { address: '0:0:0:0:0:0:0:1', is: true },
    { address: 'localhost', is: true },
    { address: '0.0.0.0', is: false },
    { address: '::', is: false },
    { address: '128.0.0.1', is: false },
    { address: '192.0.2.1', is: false },
    { address: '127.0.0.1.example.com', is: false },
    { address: 'localhost.example.com', is: false },
    { address: '', is: false },
  ])('$address → $is', ({ address, is }) => {
    expect(isLoopback(address)).toBe(is);
  });
});

describe('gateFault', () => {
  test.each([
    { name: 'loopback without a token', address: '127.0.0.1', token: null, says: null },
    { name: 'loopback with a token', address: '::1', token: TOKEN, says: null },
    { name: 'the network with a token', address: '0.0.0.0', token: TOKEN, says: null },
    {
      name: 'the network without a token',
      address: '0.0.0.0',
      token: null,
      says: /set a token, or listen on/,
    },
    {
      name: 'one address of the network without a token',
      address: '192.0.2.1',
      token: null,
      says: /192\.0\.2\.1/,
    },
    { name: 'an empty token', address: '0.0.0.0', token: '', says: /at least 16/ },
    { name: 'a short token, even on loopback', address: '127.0.0.1', token: 'secret', says: /openssl rand/ },
    {
      name: 'a token that no header can carry',
      address: '127.0.0.1',
      token: `${TOKEN}\n`,
      says: /visible ASCII/,
    },
  ])('$name', ({ address, token, says }) => {
    const fault = gateFault(address, token);
    if (says === null) expect(fault).toBeNull();
    else expect(fault).toMatch(says);
  });
});

describe('the gate', () => {
  const json = { 'content-type': 'application/json' };
  const own = { host: '127.0.0.1:8053' };
  const bearer = { authorization: `Bearer ${TOKEN}`, host: 'sallyport.example.com' };
  test.each([
    { name: 'a name of this machine', headers: own, status: null },
    { name: 'localhost without a port', headers: { host: 'LocalHost' }, status: null },
    { name: 'IPv6 loopback', headers: { host: '[::1]:8053' }, status: null },
    { name: 'a rebound name', headers: { host: 'attacker.example:8053' }, status: 421 },
    { name: 'a name that begins like ours', headers: { host: 'localhost.attacker.example' }, status: 421 },
    { name: 'a name with our address in it', headers: { host: '127.0.0.1.attacker.example' }, status: 421 },
    { name: 'no Host', headers: {}, status: 421 },
    {
      name: 'health under a rebound name',
      headers: { host: 'attacker.example' },
      path: '/healthz',
      status: null,
    },
    {
      name: 'a POST that a form could send',
      headers: { ...own, 'content-type': 'text/plain' },
      method: 'POST',
      status: 403,
    },
    { name: 'a POST without a type', headers: own, method: 'POST', status: 403 },
    {
      name: 'a POST of JSON',
      headers: { ...own, 'content-type': 'application/json; charset=utf-8' },
      method: 'POST',
      status: null,
    },
    {
      name: 'a type that only begins like JSON',
      headers: { ...own, 'content-type': 'application/json-form' },
      method: 'POST',
      status: 403,
    },
    {
      name: 'a POST with a header of its own',
      headers: { ...own, 'x-sallyport': '1' },
      method: 'POST',
      status: null,
    },
    {
      name: 'a POST from another site',
      headers: { ...own, ...json, 'sec-fetch-site': 'cross-site' },
      method: 'POST',
      status: 403,
    },
    {
      name: 'a POST from the same site, other origin',
      headers: { ...own, ...json, 'sec-fetch-site': 'same-site' },
      method: 'POST',
      status: 403,
    },
    { name: 'the token', headers: bearer, token: TOKEN, status: null },
    { name: 'the token, posting', headers: bearer, token: TOKEN, method: 'POST', status: null },
    { name: 'no token', headers: own, token: TOKEN, status: 401 },
    { name: 'a wrong token', headers: { authorization: `Bearer ${TOKEN}x` }, token: TOKEN, status: 401 },
    {
      name: 'the beginning of the token',
      headers: { authorization: `Bearer ${TOKEN.slice(0, -1)}` },
      token: TOKEN,
      status: 401,
    },
    {
      name: 'the token under another scheme',
      headers: { authorization: `Basic ${TOKEN}` },
      token: TOKEN,
      status: 401,
    },
    { name: 'readiness without a token', headers: {}, token: TOKEN, path: '/readyz', status: null },
    { name: 'metrics without a token', headers: own, token: TOKEN, path: '/metrics', status: 401 },
  ])('$name → $status', ({ headers, token = null, path = '/api/state', method = 'GET', status }: GateRow) => {
    const refusal = createGate(token)({ headers, method } as IncomingMessage, path);
    expect(refusal?.status ?? null).toBe(status);
  });
});

interface GateRow {
  headers: Record<string, string>;
  token?: string | null;
  path?: string;
  method?: string;
  status: number | null;
}
