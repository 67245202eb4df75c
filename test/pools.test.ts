import { describe, expect, test } from 'vitest';
import { socketsAwake } from '../src/pools.ts';
import type { PoolOptions, ServerOptions } from '../src/upstream/index.ts';

const udp: ServerOptions = { transport: 'udp', address: '192.0.2.53', port: 53 };
const tls: ServerOptions = { ...udp, transport: 'tls', port: 853 };
const pool = (...servers: ServerOptions[]): PoolOptions => ({ name: 'test', servers });

describe('sockets to a server that is asked', () => {
  test.each([
    { what: 'are 128', pools: [pool(udp)], workers: 1, descriptors: 65_536, each: 128 },
    { what: 'are 128 over all workers', pools: [pool(udp)], workers: 3, descriptors: 65_536, each: 43 },
    { what: 'are a share of few descriptors', pools: [pool(udp)], workers: 1, descriptors: 256, each: 64 },
    {
      what: 'which servers share',
      pools: [pool(udp, udp), pool(udp)],
      workers: 2,
      descriptors: 256,
      each: 10,
    },
    {
      what: 'which encrypted ones need not',
      pools: [pool(udp, tls)],
      workers: 1,
      descriptors: 256,
      each: 64,
    },
    { what: 'are two at least', pools: [pool(udp)], workers: 64, descriptors: 256, each: 2 },
    { what: 'where nobody knows a limit', pools: [pool(udp)], workers: 1, descriptors: Infinity, each: 128 },
    { what: 'of pools without servers', pools: [pool()], workers: 1, descriptors: 1024, each: 128 },
  ])('$what', ({ pools, workers, descriptors, each }) => {
    expect(socketsAwake(pools, workers, descriptors)).toBe(each);
  });
});
