/** The same over the network: a client and an upstream that both send near-valid messages, and Sallyport between them. */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { framed, Stream } from '../test/conformance/client.ts';
import { faultsOf, startServing } from '../test/conformance/house.ts';
import { query } from '../test/conformance/message.ts';
import { loadCorpus, saveFound } from './corpus.ts';
import { responseFault } from './examine.ts';
import { Chance, mutate } from './mutate.ts';

const seconds = Number(process.env['FUZZ_SECONDS'] ?? '10');
const seed = Number(process.env['FUZZ_SEED'] ?? '1');
/** Pause between bursts: the machine is shared. */
const PAUSE_MS = 5;
const BURST = 40;
const STREAMS_EVERY = 20;
const GROWTH_MAX = 200 * 1024 * 1024;

const residentOf = (pid: number | undefined): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test.runIf(process.env['FUZZ_LIVE'] === '1')('a client and an upstream that lie', async () => {
  const chance = new Chance(seed);
  const queries = loadCorpus('query').map(({ octets }) => octets);
  const replies = loadCorpus('reply').map(({ octets }) => octets);
  /** The id and question as they were asked, half of the time; the rest as the reply has them. */
  const lie = (asked: Buffer): Uint8Array => {
    const reply = Buffer.from(mutate(chance.pick(replies), replies, chance, 4000));
    if (reply.length < 12 || chance.below(2) === 0) return reply;
    let end = 12;
    while (end < asked.length && asked[end] !== 0) end += asked[end] + 1;
    let own = 12;
    while (own < reply.length && reply[own] !== 0) own += reply[own] + 1;
    const header = Buffer.from(reply.subarray(0, 12));
    header.set(asked.subarray(0, 2));
    return Buffer.concat([header, asked.subarray(12, end + 5), reply.subarray(own + 5)]);
  };
  const upstream = createSocket('udp4');
  await new Promise<void>((resolve) => upstream.bind(0, '127.0.0.1', resolve));
  upstream.on('message', (octets, { port }) => {
    for (let times = chance.below(3); times >= 0; times--) upstream.send(lie(octets), port, '127.0.0.1');
  });
  const { port } = upstream.address();
  const tcp = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (octets) => {
      if (chance.below(5) === 0) socket.destroy();
      else socket.write(framed(lie(Buffer.from(octets.subarray(2)))));
    });
  });
  await new Promise<void>((resolve) => tcp.listen(port, '127.0.0.1', resolve));

  const serving = await startServing(`127.0.0.1:${port}`);
  const client = createSocket('udp4');
  const found: string[] = [];
  const sent = new Map<number, Uint8Array>();
  let responses = 0;
  client.on('message', (response) => {
    responses++;
    const asked = sent.get(response.length < 2 ? -1 : response.readUInt16BE(0));
    const fault =
      asked === undefined ? 'a response with an id that nobody sent' : responseFault(asked, response);
    if (fault !== null) found.push(`${saveFound('query', asked ?? response, `live: ${fault}`)}: ${fault}`);
  });
  const before = residentOf(serving.child.pid);
  const started = Date.now();
  let runs = 0;
  let id = 0;
  while (Date.now() - started < seconds * 1000 && found.length < 20 && serving.child.exitCode === null) {
    for (let i = 0; i < BURST; i++) {
      const octets = Buffer.from(mutate(chance.pick(queries), queries, chance, 2500));
      id = (id + 1) & 0xffff;
      if (octets.length >= 2) octets.writeUInt16BE(id, 0);
      sent.set(id, octets);
      client.send(octets, serving.port, '127.0.0.1');
      runs++;
    }
    if (chance.below(STREAMS_EVERY) === 0) {
      const stream = await Stream.open(serving.port);
      const octets = Buffer.concat(
        Array.from({ length: 5 }, () => framed(mutate(chance.pick(queries), queries, chance, 5000))),
      );
      // Frames too may lie about their length.
      stream.write(chance.below(3) === 0 ? mutate(octets, queries, chance, 20_000) : octets);
      runs += 5;
      setTimeout(() => stream.destroy(), 50);
    }
    await sleep(PAUSE_MS);
  }
  await sleep(1500);
  console.log(`live, seed ${seed}: ${runs} queries, ${responses} responses, ${found.length} faults`);
  expect(await faultsOf(serving)).toEqual([]);
  expect(residentOf(serving.child.pid) - before).toBeLessThan(GROWTH_MAX);
  // It still answers what is right.
  const last = await new Promise<Buffer>((resolve) => {
    const other = createSocket('udp4');
    other.on('message', (octets) => other.close(() => resolve(octets)));
    other.send(query('home.test', 1, { id: 1 }), serving.port, '127.0.0.1');
  });
  expect(last.readUInt16BE(6)).toBe(1);
  expect(found).toEqual([]);
  client.close();
  expect(await serving.stop()).toBe(0);
  upstream.close();
  tcp.close();
});
