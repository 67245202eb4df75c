/**
 * The load generator: a process of its own, `node generate.js PLAN`. Closed loop: it keeps `window` queries in flight on
 * each socket, so a slow server is asked less and none is drowned. SIGTERM ends it; either way it prints its result.
 */
import { writeFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { Latency } from './latency.ts';
import { BATCH, Batch, openUdp, Readiness, receive, STRIDE, transmit } from './mmsg.ts';
import { DIGITS, KINDS, type Kind, LETTER_AT, readNumber, template, writeNumber } from './names.ts';
import { type LoadPlan, type LoadResult, type LoadSample, SAMPLE_MS } from './plan.ts';

const SERVFAIL = 2;

const plan = JSON.parse(process.argv[2]!) as LoadPlan;
const kinds = Object.keys(KINDS) as Kind[];
const kindOfLetter = new Map(kinds.map((kind, index) => [KINDS[kind].letter.charCodeAt(0), index]));
const mix = Uint8Array.from(plan.mix.map((kind) => kinds.indexOf(kind)));
const templates = kinds.map(template);
const first = kinds.map((kind) => plan.numbers[kind]?.first ?? 0);
const count = kinds.map((kind) => plan.numbers[kind]?.count ?? 0);
const asked = new Float64Array(kinds.length);
const rcodes = kinds.map(() => new Float64Array(16));
const answered = kinds.map(() => new Uint8Array(0));

interface Line {
  readonly fd: number;
  /** When the query with this id was sent, `performance.now()`; 0 when none is in flight. */
  readonly sentAt: Float64Array;
  inFlight: number;
  nextId: number;
}

const lines: Line[] = Array.from({ length: plan.sockets }, () => ({
  fd: openUdp('connect', plan.address, plan.port),
  sentAt: new Float64Array(65_536),
  inFlight: 0,
  nextId: (Math.random() * 65_536) | 0,
}));
const readiness = new Readiness(lines.map(({ fd }) => fd));
const outgoing = new Batch(false);
const incoming = new Batch(false);

const whole = new Latency();
const recent = new Latency();
const timeline: LoadSample[] = [];
let sent = 0;
let received = 0;
let lost = 0;
let unexpected = 0;
let turn = 0;

let stopped = false;
process.on('SIGTERM', () => (stopped = true));

const started = performance.now();
let sampledAt = started;
let sweptAt = started;

async function run(): Promise<void> {
  const end = plan.seconds > 0 ? started + plan.seconds * 1000 : Number.POSITIVE_INFINITY;
  let breathedAt = started;
  for (;;) {
    const now = performance.now();
    if (stopped || now >= end || (plan.queries > 0 && sent >= plan.queries)) break;
    fill(now);
    await step(now);
    if (now - breathedAt > 50) {
      breathedAt = now;
      await setImmediate();
    }
  }
  const giveUp = performance.now() + plan.timeoutMs;
  while (lines.some(({ inFlight }) => inFlight > 0) && performance.now() < giveUp)
    await step(performance.now());
  for (const line of lines) lost += line.inFlight;
}

async function step(now: number): Promise<void> {
  readiness.wait(plan.rate > 0 ? 1 : 10);
  for (const line of lines) drain(line);
  if (now - sampledAt >= SAMPLE_MS) sample(now);
  if (now - sweptAt >= 250) sweep(now);
}

function fill(now: number): void {
  let budget = Number.POSITIVE_INFINITY;
  if (plan.rate > 0) budget = ((now - started) / 1000) * plan.rate - sent;
  if (plan.queries > 0) budget = Math.min(budget, plan.queries - sent);
  for (const line of lines) {
    while (budget >= 1 && line.inFlight < plan.window) {
      const wanted = Math.min(BATCH, plan.window - line.inFlight, Math.floor(budget));
      const taken = sendSome(line, wanted, now);
      budget -= taken;
      if (taken < wanted) break;
    }
  }
}

function sendSome(line: Line, wanted: number, now: number): number {
  const { octets } = outgoing;
  for (let i = 0; i < wanted; i++) {
    const kind = mix[turn]!;
    turn = turn + 1 === mix.length ? 0 : turn + 1;
    const at = i * STRIDE;
    const query = templates[kind]!;
    octets.set(query, at);
    let number = first[kind]! + asked[kind]!;
    if (count[kind]! > 0) number %= count[kind]!;
    asked[kind]!++;
    writeNumber(octets, at, number);
    while (line.sentAt[line.nextId] !== 0) line.nextId = (line.nextId + 1) & 0xffff;
    const id = line.nextId;
    line.sentAt[id] = now;
    line.nextId = (id + 1) & 0xffff;
    octets[at] = id >> 8;
    octets[at + 1] = id & 0xff;
    outgoing.setLength(i, query.length);
  }
  const taken = Math.max(0, transmit(line.fd, outgoing, wanted));
  // What the kernel would not take was never sent: its ids are free again. Its numbers are not asked again.
  for (let i = taken; i < wanted; i++) line.sentAt[(octets[i * STRIDE]! << 8) | octets[i * STRIDE + 1]!] = 0;
  line.inFlight += taken;
  sent += taken;
  return taken;
}

function drain(line: Line): void {
  for (;;) {
    const got = receive(line.fd, incoming);
    if (got <= 0) return;
    const now = performance.now();
    for (let i = 0; i < got; i++) take(line, i * STRIDE, incoming.received(i), now);
    if (got < BATCH) return;
  }
}

function take(line: Line, at: number, length: number, now: number): void {
  const { octets } = incoming;
  const id = (octets[at]! << 8) | octets[at + 1]!;
  const sentAt = line.sentAt[id]!;
  const kind = length > LETTER_AT + DIGITS ? kindOfLetter.get(octets[at + LETTER_AT]! | 0x20) : undefined;
  if (sentAt === 0 || kind === undefined) {
    unexpected++;
    return;
  }
  line.sentAt[id] = 0;
  line.inFlight--;
  received++;
  rcodes[kind]![octets[at + 3]! & 15]!++;
  const us = (now - sentAt) * 1000;
  whole.add(us);
  recent.add(us);
  // A refusal says that nothing was recorded; every other response promises an entry.
  if (plan.record !== null && (octets[at + 3]! & 15) !== SERVFAIL) note(kind, readNumber(octets, at));
}

function note(kind: number, number: number): void {
  const place = number >>> 3;
  if (place >= answered[kind]!.length) {
    const larger = new Uint8Array(Math.max(1 << 16, place * 2));
    larger.set(answered[kind]!);
    answered[kind] = larger;
  }
  answered[kind]![place]! |= 1 << (number & 7);
}

function sweep(now: number): void {
  sweptAt = now;
  for (const line of lines) {
    if (line.inFlight === 0) continue;
    for (let id = 0; id < line.sentAt.length; id++) {
      const sentAt = line.sentAt[id]!;
      if (sentAt === 0 || now - sentAt < plan.timeoutMs) continue;
      line.sentAt[id] = 0;
      line.inFlight--;
      lost++;
    }
  }
}

function sample(now: number): void {
  sampledAt = now;
  timeline.push({
    atMs: Date.now(),
    received: recent.count,
    p50Us: recent.percentileUs(0.5),
    p99Us: recent.percentileUs(0.99),
    maxUs: Math.round(recent.maxUs),
  });
  recent.reset();
}

function result(): LoadResult {
  const byKind = kinds.map((kind, index) => [
    kind,
    Object.fromEntries([...rcodes[index]!.entries()].filter(([, number]) => number > 0)),
  ]);
  return {
    seconds: (performance.now() - started) / 1000,
    sent,
    received,
    lost,
    unexpected,
    rcodes: Object.fromEntries(byKind),
    p50Us: whole.percentileUs(0.5),
    p99Us: whole.percentileUs(0.99),
    p999Us: whole.percentileUs(0.999),
    maxUs: Math.round(whole.maxUs),
    timeline,
  };
}

await run();
if (plan.record !== null) {
  const parts = answered.flatMap((bits) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bits.length);
    return [length, bits];
  });
  writeFileSync(plan.record, Buffer.concat(parts));
}
process.stdout.write(`${JSON.stringify(result())}\n`);
