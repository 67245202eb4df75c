import { afterEach, describe, expect, test } from 'vitest';
import { openEngine } from '../../src/net/index.ts';
import { type OpenUpstreams, openUpstreams, type UpstreamEvent } from '../../src/upstream/index.ts';
import { ask } from './asking.ts';
import { reply, type Script, type ScriptedServer, scriptedServer } from './scripted-server.ts';

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

async function world(scripts: Script[], engineName: 'native' | 'portable', more: { tcp?: boolean } = {}) {
  const servers: ScriptedServer[] = [];
  for (const script of scripts) servers.push(await scriptedServer(script, more));
  opened.push(...servers);
  const events: UpstreamEvent[] = [];
  const upstreams: OpenUpstreams = await openUpstreams({
    engine: (await openEngine(engineName)).engine,
    pools: [
      {
        name: 'test',
        servers: servers.map(({ port }) => ({ transport: 'udp' as const, address: '127.0.0.1', port })),
      },
    ],
    log: (event) => events.push(event),
  });
  opened.push(upstreams);
  return { servers, upstreams, events };
}

describe.each(['native', 'portable'] as const)('a pool on %s sockets', (engineName) => {
  test('answers over UDP', async () => {
    const { upstreams } = await world([(query) => query.send(reply(query))], engineName);
    const told = await ask(upstreams, 'www.example.com');
    expect(told.failure).toBeNull();
    expect(told.rcode).toBe(0);
    expect(told.trusted).toBe(false);
  });

  test('follows a truncated reply over TCP', async () => {
    const { upstreams, servers } = await world(
      [(query) => query.send(reply(query, { truncated: query.transport === 'udp' }))],
      engineName,
    );
    const told = await ask(upstreams, 'www.example.com');
    expect(told.failure).toBeNull();
    expect(servers[0].queries.map((query) => query.transport)).toEqual(['udp', 'tcp']);
  });

  test('asks another server when one is silent', async () => {
    const { upstreams } = await world([() => undefined, (query) => query.send(reply(query))], engineName);
    const told = await ask(upstreams, 'www.example.com');
    expect(told.failure).toBeNull();
    expect(told.ms).toBeLessThan(600);
  });
});
