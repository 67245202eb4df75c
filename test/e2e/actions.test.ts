/** What groups do about tunnels, through a running Sallyport: each action, its records, its end, and a restart. */
import { createSocket, type Socket } from 'node:dgram';
import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nameOctets, nameText } from '../../src/wire/index.ts';
import { Serving, sallyport } from './processes.ts';

/** One client of each group, and a second one of `all`. */
const CLIENT = {
  alert: '127.1.0.1',
  slow: '127.2.0.1',
  one: '127.3.0.1',
  all: '127.4.0.1',
  apart: '127.5.0.1',
};
const SECOND = '127.4.0.2';
const POLICY = `
sets:
  work:
    reason: Needed for work.
    allow: ['*.example.com', exact.example.net, '*.example.org', '*.example.info', '*.xk7qv2mz9wt4rp8hd3.net']
groups:
  alert: {clients: [127.1.0.0/16], sets: [work], tunnels: {action: alert}}
  slow: {clients: [127.2.0.0/16], sets: [work], tunnels: {action: throttle, namesPerMinute: 3}}
  one: {clients: [127.3.0.0/16], sets: [work], tunnels: {hold: 1m}}
  all: {clients: [127.4.0.0/16], sets: [work], tunnels: {action: block-all}}
  apart: {clients: [127.5.0.0/16], sets: [work], tunnels: {action: quarantine}}
local:
  - zone: corp.test
    records: ['www A 192.0.2.80']
`;
const SETTINGS = `detect: {stateDirectory: state, learn: 0s}\n`;

/** A name that no ordinary service has; another one for each number. */
const loud = (zone: string, i = 0): string =>
  `${'q7xk2m9vzr4t8w1p3s6y5b0nqcjh2gfd'.slice(i)}${'7l4xk9vm2zq8w3e5r1t6y0'.slice(0, 12)}${i}.${zone}`;

let upstream: Socket;
const seen: string[] = [];
let serving: Serving;

/** Answers every question with one address and remembers it. */
function openUpstream(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.on('message', (query, { port, address }) => {
    const end = query.indexOf(0, 12) + 5;
    seen.push(nameText(query.subarray(12, end)).toLowerCase());
    const reply = Buffer.concat([
      query.subarray(0, end),
      Buffer.from('c00c00010001000000780004c0000201', 'hex'),
    ]);
    reply.writeUInt16BE(0x8180, 2);
    reply.writeUInt16BE(1, 6);
    reply.writeUInt32BE(0, 8);
    socket.send(reply, port, address);
  });
  return new Promise((resolve) => socket.bind(0, '127.0.0.1', () => resolve(socket)));
}

/** Response code of an A question from an address of loopback. */
function ask(from: string, name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const timer = setTimeout(() => socket.close(() => reject(new Error(`no answer for ${name}`))), 5000);
    socket.on('error', reject);
    socket.on('message', (reply) => {
      clearTimeout(timer);
      socket.close(() => resolve(reply[3] & 15));
    });
    socket.bind(0, from, () => {
      const head = Buffer.from('4711010000010000000000', 'hex');
      const query = Buffer.concat([head, Buffer.alloc(1), nameOctets(name), Buffer.from([0, 1, 0, 1])]);
      socket.send(query, serving.port, '127.0.0.1');
    });
  });
}

const ANSWERED = 0;
const DENIED = 3;

interface Shown {
  readonly client: string | null;
  readonly zone: string | null;
  readonly action: string;
  readonly state: string;
  readonly group: string;
}

const verdicts = async (): Promise<Shown[]> =>
  (JSON.parse((await serving.get('/api/verdicts')).body) as { verdicts: Shown[] }).verdicts;
const ofGroup = async (group: string): Promise<Shown[]> =>
  (await verdicts()).filter((one) => one.group === group);
const records = (type: string): Record<string, unknown>[] =>
  serving.records().filter((entry) => entry['type'] === type);
const start = async (directory?: string): Promise<Serving> =>
  Serving.start({
    ...(directory === undefined ? {} : { directory }),
    policy: POLICY,
    settings: SETTINGS,
    upstream: `127.0.0.1:${(upstream.address() as AddressInfo).port}`,
    workers: 2,
    set: { 'upstreams.default.randomCase': 'false' },
  });

beforeAll(async () => {
  upstream = await openUpstream();
  serving = await start();
});
afterAll(async () => {
  await serving?.stop();
  upstream?.close();
});

describe('a verdict', () => {
  test('with alert denies nothing, and is told and recorded', async () => {
    expect(await ask(CLIENT.alert, loud('alert.example.com'))).toBe(ANSWERED);
    expect(await ask(CLIENT.alert, loud('alert.example.com', 1))).toBe(ANSWERED);
    await expect.poll(() => ofGroup('alert')).toMatchObject([{ action: 'alert', state: 'alert' }]);
    const [entry] = serving.entries().filter(({ qname }) => qname === loud('alert.example.com'));
    expect(entry).toMatchObject({ verdict: 'observe', cause: 'tunnel', observed: true });
    expect(entry['evidence']).not.toEqual([]);
  });

  test('with throttle lets three new names a minute pass, and what is known', async () => {
    const names = Array.from({ length: 12 }, (_, i) => loud('slow.example.com', i));
    const ends: number[] = [];
    for (const name of names) ends.push(await ask(CLIENT.slow, name));
    const passed = ends.filter((rcode) => rcode === ANSWERED).length;
    // A minute may end between two of them.
    expect([3, 4, 5, 6]).toContain(passed);
    expect(seen.filter((name) => name.endsWith('.slow.example.com'))).toHaveLength(passed);
    // The data thread that has it in its cache answers it again; the other one counts it as new.
    const again = await Promise.all(
      Array(8)
        .fill(names[ends.indexOf(ANSWERED)])
        .map((name) => ask(CLIENT.slow, name)),
    );
    expect(again).toContain(ANSWERED);
    expect(seen.filter((name) => name.endsWith('.slow.example.com'))).toHaveLength(passed);
    expect(await ofGroup('slow')).toMatchObject([{ action: 'throttle', state: 'held' }]);
    const throttled = async (): Promise<string | undefined> =>
      /^sallyport_tunnel_throttled_total (\d+)$/m.exec((await serving.get('/metrics')).body)?.[1];
    // Numbers of the data threads are published once a second.
    await expect.poll(throttled, { timeout: 5000 }).toBe(String(passed));
  });

  test('with block denies the zone to its client, and to nobody else', async () => {
    expect(await ask(CLIENT.one, loud('one.example.com'))).toBe(DENIED);
    expect(await ask(CLIENT.one, 'www.one.example.com')).toBe(DENIED);
    expect(await ask(CLIENT.one, 'www.example.org')).toBe(ANSWERED);
    expect(await ask(CLIENT.alert, 'www.one.example.com')).toBe(ANSWERED);
    const [{ until, since }] = (await ofGroup('one')) as unknown as { until: string; since: string }[];
    expect(Date.parse(until) - Date.parse(since)).toBeLessThanOrEqual(62_000);
  });

  test('with block-all denies the zone to everybody', async () => {
    expect(await ask(CLIENT.all, loud('all.example.info'))).toBe(DENIED);
    expect(await ask(SECOND, 'www.all.example.info')).toBe(DENIED);
    expect(await ask(CLIENT.one, 'www2.all.example.info')).toBe(DENIED);
    expect(await ofGroup('all')).toMatchObject([{ client: null, zone: 'example.info', action: 'block-all' }]);
    expect((await sallyport('release', '--zone', 'example.info', '--http', serving.http.slice(7))).code).toBe(
      0,
    );
    expect(await ask(SECOND, 'www.all.example.info')).toBe(ANSWERED);
  });

  test('with quarantine leaves local names and exact ones, also against the cache', async () => {
    expect(await ask(CLIENT.apart, 'cached.example.org')).toBe(ANSWERED);
    expect(await ask(CLIENT.apart, loud('apart.example.com'))).toBe(DENIED);
    const asked = [
      ['cached.example.org', DENIED],
      ['www.example.org', DENIED],
      ['exact.example.net', ANSWERED],
      ['www.corp.test', ANSWERED],
      ['not-listed.test', DENIED],
    ] as const;
    for (const [name, rcode] of asked) expect(await ask(CLIENT.apart, name), name).toBe(rcode);
    const ofName = (qname: string): unknown =>
      serving.entries().findLast((entry) => entry['qname'] === qname);
    expect(ofName('cached.example.org')).toMatchObject({ verdict: 'deny', cause: 'quarantine' });
    expect(ofName('not-listed.test')).toMatchObject({ cause: 'not-listed' });
    expect(await ask('127.5.0.2', 'cached.example.org')).toBe(ANSWERED);
    expect(await ofGroup('apart')).toMatchObject([
      { client: CLIENT.apart, zone: null, action: 'quarantine' },
    ]);
  });

  test('is a record of its own, in front of the first query that it denied', async () => {
    const entries = serving.records();
    const at = entries.findIndex(({ type, group }) => type === 'verdict' && group === 'one');
    const denied = entries.findIndex(({ qname }) => qname === loud('one.example.com'));
    const [verdict, entry] = [entries[at], entries[denied]];
    expect(verdict).toMatchObject({
      action: 'block',
      scope: 'client+domain',
      client: CLIENT.one,
      domain: 'example.com',
      by: 'name',
      queriesBefore: 0,
      octetsBefore: 0,
    });
    expect(Number(verdict['score'])).toBeGreaterThan(Number(verdict['limit']));
    expect(verdict['evidence']).toEqual(entry['evidence']);
    expect(Math.abs(Number(verdict['seq']) - Number(entry['seq']))).toBe(1);
    const audit = join(serving.directory, 'audit');
    const found = await sallyport(
      'audit',
      'query',
      audit,
      '--kind',
      'verdict',
      '--client',
      CLIENT.one,
      '--json',
    );
    expect(
      found.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([{ group: 'one' }]);
  });

  test('says what to type next, and that finds the queries', async () => {
    const { stdout } = await sallyport('verdicts', '--http', serving.http.slice(7));
    const line = stdout.split('\n').find((text) => text.includes(`--client ${CLIENT.one} --since`));
    const args =
      /sallyport (audit query .*)$/
        .exec(line ?? '')?.[1]
        .replaceAll("'", '')
        .split(' ') ?? [];
    const [room, verb, ...flags] = args;
    const audit = join(serving.directory, 'audit');
    const found = await sallyport(room, verb, audit, ...flags, '--count');
    expect(Number(found.stdout)).toBeGreaterThanOrEqual(2);
  });

  test('released by hand is recorded, and the API says who was meant', async () => {
    const body = JSON.stringify({ client: CLIENT.apart });
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${serving.http}/api/release`, { method: 'POST', body, headers });
    expect(response.status).toBe(200);
    expect(await ask(CLIENT.apart, 'cached.example.org')).toBe(ANSWERED);
    // The zone where it was found is free again as well.
    expect(await ask(CLIENT.apart, 'www.apart.example.com')).toBe(ANSWERED);
    await expect
      .poll(() => records('verdict-ended').filter(({ client }) => client === CLIENT.apart))
      .toMatchObject([
        { how: 'released', scope: 'client' },
        { how: 'released', scope: 'client+domain' },
      ]);
  });

  test('is there after a kill and a restart, and holds', async () => {
    await expect.poll(() => readList(serving).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(5);
    expect(await ask(CLIENT.one, 'www.one.example.com')).toBe(DENIED);
    await serving.kill();
    serving = await start(serving.directory);
    expect((await ofGroup('one'))[0]).toMatchObject({ state: 'held', client: CLIENT.one });
    expect(await ask(CLIENT.one, 'www.one.example.com')).toBe(DENIED);
    await serving.kill();
    writeFileSync(join(serving.directory, 'state', 'verdicts.json'), '{"version": 1, "verdicts": "none"}');
    serving = await start(serving.directory);
    expect(await verdicts()).toEqual([]);
    expect(serving.stderr).toMatch(/the list of verdicts begins empty/);
  });
});

const readList = ({ directory }: Serving): unknown[] => {
  try {
    return JSON.parse(readFileSync(join(directory, 'state', 'verdicts.json'), 'utf8')).verdicts;
  } catch {
    return [];
  }
};

describe('events', () => {
  test('tell a new destination of a group once, and one that looks made by an algorithm', async () => {
    const strange = 'www.xk7qv2mz9wt4rp8hd3.net';
    for (const from of [CLIENT.one, CLIENT.one, CLIENT.alert])
      expect(await ask(from, strange)).toBe(ANSWERED);
    const mine = (): unknown[] =>
      records('event')
        .filter(({ domain }) => domain === 'xk7qv2mz9wt4rp8hd3.net')
        .map(({ event, group, client }) => ({ event, group, client }));
    await expect.poll(mine).toEqual([
      { event: 'generated-name', group: 'one', client: CLIENT.one },
      { event: 'generated-name', group: 'alert', client: CLIENT.alert },
    ]);
    expect(records('event')).toContainEqual(
      expect.objectContaining({ event: 'new-destination', group: 'apart', domain: 'example.org' }),
    );
    const { events } = JSON.parse((await serving.get('/api/events')).body) as { events: unknown[] };
    expect(events.length).toBeGreaterThan(0);
  });
});
