/** Questions that nobody waits for any more: what the servers still get of them. */
import { describe, expect, test } from 'vitest';
import { ask } from './asking.ts';
import { type Query, reply, type Script } from './scripted-server.ts';
import { sleep, world } from './world.ts';

const silent: Script = () => undefined;
/** Longer than the first retransmissions and the fall back to TCP take. */
const LONG_MS = 1500;

describe('a question that nobody waits for', () => {
  test('is not sent again, to no server and over no transport, and its reply is still taken', async () => {
    let first: Query | null = null;
    let isWanted = true;
    const script: Script = (query) => {
      first ??= query;
    };
    const { upstreams, servers } = await world([script, script]);
    const told = ask(upstreams, 'www.example.com', { isWanted: () => isWanted });
    await expect.poll(() => first, { timeout: 3000 }).not.toBeNull();
    isWanted = false;
    const sent = servers[0].queries.length + servers[1].queries.length;
    await sleep(LONG_MS);
    // One may have been on its way when the client left.
    expect(servers[0].queries.length + servers[1].queries.length - sent).toBeLessThanOrEqual(1);
    expect(upstreams.counters.abandoned).toBe(1);
    (first as unknown as Query).send(reply(first as unknown as Query));
    expect((await told).failure).toBeNull();
  });

  test('is sent again when somebody waits for it again', async () => {
    let isWanted = true;
    const { upstreams, servers } = await world([silent]);
    const told = ask(upstreams, 'www.example.com', { isWanted: () => isWanted });
    await expect.poll(() => servers[0].queries.length, { timeout: 3000 }).toBe(1);
    isWanted = false;
    await sleep(LONG_MS);
    expect(servers[0].queries.length).toBeLessThanOrEqual(2);
    isWanted = true;
    servers[0].script = (query) => query.send(reply(query));
    expect((await told).failure).toBeNull();
  });

  test('is over at once when nothing is on its way, and that is no failure of the server', async () => {
    let isWanted = true;
    const { upstreams, servers } = await world([silent]);
    servers[0].script = (query) => {
      isWanted = false;
      const refusal = reply(query);
      refusal[3] = (refusal[3] & 0xf0) | 5;
      query.send(refusal);
    };
    expect((await ask(upstreams, 'www.example.com', { isWanted: () => isWanted })).failure).toBe('abandoned');
    expect(servers[0].queries).toHaveLength(1);
  });
});
