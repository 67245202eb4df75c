/** Scripted servers and a pool in front of them, closed after each test. */
import { afterEach } from 'vitest';
import { type EngineName, openEngine } from '../../src/net/index.ts';
import {
  type OpenUpstreams,
  openUpstreams,
  type PoolOptions,
  type UpstreamEvent,
  type UpstreamsOptions,
} from '../../src/upstream/index.ts';
import { type Script, type ScriptedServer, scriptedServer } from './scripted-server.ts';

const opened: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

/** Closes it, after what was opened later, when the test is over. */
export function closeLater<Closable extends { close(): Promise<void> }>(closable: Closable): Closable {
  opened.push(closable);
  return closable;
}

export interface World {
  readonly servers: ScriptedServer[];
  readonly upstreams: OpenUpstreams;
  readonly events: UpstreamEvent[];
}

export interface WorldOptions {
  readonly engine?: EngineName;
  /** False: the servers do not listen on TCP. */
  readonly tcp?: boolean;
  readonly pool?: Partial<PoolOptions>;
  readonly room?: Partial<UpstreamsOptions>;
}

/** Opens one server for each script, and a pool `test` of them. */
export async function world(scripts: readonly Script[], options: WorldOptions = {}): Promise<World> {
  const { engine = 'portable', tcp = true, pool = {}, room = {} } = options;
  const servers: ScriptedServer[] = [];
  for (const script of scripts) servers.push(closeLater(await scriptedServer(script, { tcp })));
  const members = servers.map(({ port }) => ({ transport: 'udp' as const, address: '127.0.0.1', port }));
  return { servers, ...(await pooled({ servers: members, ...pool }, engine, room)) };
}

/** A pool `test` of given servers. */
export async function pooled(
  pool: Partial<PoolOptions> & Pick<PoolOptions, 'servers'>,
  engine: EngineName = 'portable',
  room: Partial<UpstreamsOptions> = {},
): Promise<{ upstreams: OpenUpstreams; events: UpstreamEvent[] }> {
  const events: UpstreamEvent[] = [];
  const upstreams = await openUpstreams({
    engine: (await openEngine(engine)).engine,
    pools: [{ name: 'test', ...pool }],
    log: (event) => events.push(event),
    ...room,
  });
  return { upstreams: closeLater(upstreams), events };
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
