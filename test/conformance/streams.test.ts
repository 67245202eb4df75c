/** DNS over TCP (RFC 7766): framing at any octet, pipelining, order, ends, and lengths that lie. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Serving } from '../e2e/processes.ts';
import { askUdp, framed, Stream } from './client.ts';
import { faultsOf, startServing } from './house.ts';
import { addresses, message, query, read } from './message.ts';
import { ScriptedUpstream, TRUTH } from './upstream.ts';

let upstream: ScriptedUpstream;
let serving: Serving;
beforeAll(async () => {
  upstream = await ScriptedUpstream.start({
    slow: (asked) => void setTimeout(() => asked.truth(), 250),
    never: () => undefined,
  });
  serving = await startServing(upstream.address, { 'limits.tcpMessage': '700ms', 'limits.tcpIdle': '2s' });
});
afterAll(async () => {
  expect(await faultsOf(serving)).toEqual([]);
  expect(await serving.stop()).toBe(0);
  await upstream.stop();
});

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const WWW = 'www.example.com';
const idsOf = (messages: readonly Buffer[]): number[] => messages.map((octets) => read(octets).id);

describe('a message', () => {
  test('may arrive octet by octet', async () => {
    const stream = await Stream.open(serving.port);
    for (const octet of framed(query(WWW, 1, { id: 1 }))) {
      stream.write(Uint8Array.of(octet));
      await sleep(2);
    }
    const [octets] = await stream.wait(1);
    expect(addresses(read(octets))).toEqual([TRUTH]);
    stream.destroy();
  });

  test('may be split at any octet', async () => {
    const octets = framed(query(WWW, 1, { id: 2 }));
    const stream = await Stream.open(serving.port);
    for (let at = 1; at < octets.length; at++) {
      stream.write(octets.subarray(0, at));
      await sleep(1);
      stream.write(octets.subarray(at));
      expect(await stream.wait(at)).toHaveLength(at);
    }
    expect(idsOf(stream.messages)).toEqual(Array.from({ length: octets.length - 1 }, () => 2));
    stream.destroy();
  });

  test('may come with others in one piece, and one and a half at a time', async () => {
    const all = Buffer.concat(Array.from({ length: 50 }, (_, i) => framed(query(WWW, 1, { id: 100 + i }))));
    const stream = await Stream.open(serving.port);
    stream.write(all.subarray(0, 1000));
    await sleep(20);
    stream.write(all.subarray(1000));
    await stream.wait(50);
    expect(idsOf(stream.messages).sort()).toEqual(Array.from({ length: 50 }, (_, i) => 100 + i));
    stream.destroy();
  });

  test('of one transport is answered with the id it had, though ids repeat', async () => {
    const stream = await Stream.open(serving.port);
    stream.write(
      Buffer.concat([framed(query('p.example.com', 1, { id: 7 })), framed(query('home.test', 1, { id: 7 }))]),
    );
    const seen = (await stream.wait(2)).map((octets) => read(octets));
    expect(seen.flatMap(addresses).sort()).toEqual([TRUTH, '192.0.2.80']);
    stream.destroy();
  });
});

describe('answers', () => {
  test('overtake slow ones (RFC 7766 section 6.2.1.1)', async () => {
    const stream = await Stream.open(serving.port);
    stream.write(
      Buffer.concat([
        framed(query('a.slow.example.com', 1, { id: 1 })),
        framed(query('home.test', 1, { id: 2 })),
      ]),
    );
    expect(idsOf(await stream.wait(2))).toEqual([2, 1]);
    stream.destroy();
  });

  test('still come after the client has ended its half (RFC 7766 section 6.2.3)', async () => {
    const stream = await Stream.open(serving.port);
    stream.write(
      Buffer.concat([framed(query('b.slow.example.com', 1, { id: 1 })), framed(query(WWW, 1, { id: 2 }))]),
    );
    stream.end();
    await stream.wait(2);
    expect(idsOf(stream.messages).sort()).toEqual([1, 2]);
    await stream.wait(3, 1000);
    expect(stream.closed).toBe(true);
  });

  test('come to a client that ends its half while nothing answers: SERVFAIL within the budget', async () => {
    const stream = await Stream.open(serving.port);
    stream.write(framed(query('a.never.example.com', 1, { id: 1 })));
    stream.end();
    const [octets] = await stream.wait(1, 2000);
    expect(read(octets).rcode).toBe(2);
  });

  test('do not hurt when their client is gone', async () => {
    for (let i = 0; i < 20; i++) {
      const stream = await Stream.open(serving.port);
      stream.write(framed(query(`gone${i}.slow.example.com`)));
      await sleep(2);
      stream.destroy();
    }
    await sleep(400);
    expect(await faultsOf(serving)).toEqual([]);
  });
});

describe('a connection', () => {
  test.each([
    { what: 'a message of no length', octets: Uint8Array.of(0, 0) },
    { what: 'a message shorter than a header', octets: framed(Buffer.alloc(5)) },
    { what: 'a response', octets: framed(message({ id: 3, flags: 0x8000 })) },
  ])('with $what gets no answer to it, and others live on', async ({ octets }) => {
    const stream = await Stream.open(serving.port);
    stream.write(octets);
    await sleep(100);
    expect(stream.messages).toEqual([]);
    const other = await Stream.open(serving.port);
    other.write(framed(query(WWW, 1, { id: 4 })));
    expect(idsOf(await other.wait(1))).toEqual([4]);
    stream.destroy();
    other.destroy();
  });

  test('that promises 65535 octets and sends noise is answered FORMERR once they are there', async () => {
    const noise = Buffer.alloc(65_535, 0x2a);
    noise.writeUInt16BE(0x0100, 2);
    const stream = await Stream.open(serving.port);
    stream.write(framed(noise));
    const [octets] = await stream.wait(1);
    expect(read(octets)).toMatchObject({ id: 0x2a2a, rcode: 1 });
    stream.destroy();
  });

  test('that promises a message and never completes it is closed', async () => {
    const stream = await Stream.open(serving.port);
    stream.write(framed(query(WWW)).subarray(0, 20));
    await stream.wait(1, 2500);
    expect(stream.closed).toBe(true);
  });

  test('that drips one octet at a time for ever is closed', async () => {
    const stream = await Stream.open(serving.port);
    stream.write(Uint8Array.of(1, 0));
    const started = Date.now();
    while (!stream.closed && Date.now() - started < 4000) {
      stream.write(Uint8Array.of(0x61));
      await sleep(100);
    }
    expect(stream.closed).toBe(true);
  });

  test('that stays idle is closed, and UDP goes on', async () => {
    const stream = await Stream.open(serving.port);
    stream.write(framed(query(WWW, 1, { id: 1 })));
    await stream.wait(1);
    await stream.wait(2, 4000);
    expect(stream.closed).toBe(true);
    expect(await askUdp(serving.port, query(WWW, 1, { id: 9 }))).not.toBeNull();
  });
});
