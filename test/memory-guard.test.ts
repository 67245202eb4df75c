import { describe, expect, test } from 'vitest';
import type { Answer } from '../src/answer/index.ts';
import { Cell, ResponseCache } from '../src/cache/index.ts';
import { MemoryGuard, memoryRoom, threadsWithin } from '../src/memory-guard.ts';
import { nameOctets, Question } from '../src/wire/index.ts';
import { a, NAME, readReply } from './answer/reply.ts';

const MIB = 2 ** 20;
const answer = readReply({ answer: [a('192.0.2.1')] }, {}, { name: NAME }) as Answer;

function fill(cache: ResponseCache, count: number): void {
  for (let i = 0; i < count; i++) {
    const question = new Question(1).set(nameOctets(`n${i}.example.com`), 1);
    const origin = { pool: 'default', server: 's', storedAtMs: 0, ttlSeconds: 60, judgedBy: 1 };
    cache.store(question, new Cell(question.name.slice(0, question.length), 1, 0, answer, origin));
  }
}

describe('with little memory left', () => {
  test('the cache is halved, second by second and in small steps, and grows back when there is room', () => {
    const cache = new ResponseCache(32 * MIB);
    fill(cache, 30_000);
    const full = cache.memory;
    expect(full).toBeGreaterThan(31 * MIB);
    let room: number | null = 10 * MIB;
    const told: number[] = [];
    const guard = new MemoryGuard({ cache, room: () => room, onShed: (left) => told.push(left) });
    guard.look();
    expect(cache.memoryMax).toBe(full / 2);
    // The records of what is asked most are one piece, a power of two: 2 MiB of 8 are left at once, in no time.
    const left = full - 6 * MIB;
    expect(cache.memory).toBe(left);
    guard.step();
    expect(cache.memory).toBeLessThan(left - 3 * MIB);
    expect(cache.memory).toBeGreaterThan(left - 5 * MIB);
    for (let i = 0; i < 10; i++) guard.step();
    expect(cache.memory).toBeLessThanOrEqual(full / 2);
    for (let i = 0; i < 20; i++) guard.look();
    expect(cache.memoryMax).toBe(MIB);
    expect(told).toEqual([10 * MIB]);
    expect(guard.sheds).toBe(21);

    room = null;
    for (let i = 0; i < 64; i++) guard.look();
    expect(cache.memoryMax).toBe(32 * MIB);
    fill(cache, 30_000);
    expect(cache.memory).toBeGreaterThan(31 * MIB);
  });

  test('stores go on, and each takes a little of what is too much along', () => {
    const cache = new ResponseCache(8 * MIB);
    fill(cache, 10_000);
    cache.memoryMax = MIB;
    const { size } = cache;
    const question = new Question(1).set(nameOctets('new.example.com'), 1);
    const origin = { pool: 'default', server: 's', storedAtMs: 0, ttlSeconds: 60, judgedBy: 1 };
    cache.store(question, new Cell(question.name.slice(0, question.length), 1, 0, answer, origin));
    expect(cache.find(question, 0)).toBeDefined();
    expect(size - cache.size).toBeGreaterThan(1);
    expect(size - cache.size).toBeLessThan(100);
  });
});

test('the room of this process is a number of octets, or there is no bound', () => {
  const room = memoryRoom();
  if (room !== null) expect(room).toBeGreaterThan(0);
});

describe('threads within the memory of a control group', () => {
  test.each([
    { room: null, cache: 64, threads: Number.POSITIVE_INFINITY },
    { room: 4096, cache: 64, threads: 80 },
    { room: 690, cache: 128, threads: 7 },
    { room: 180, cache: 64, threads: 1 },
    { room: 0, cache: 0, threads: 1 },
  ])('$room MiB and $cache MiB of cache: $threads', ({ room, cache, threads }) => {
    expect(threadsWithin(room === null ? null : room * MIB, cache * MIB)).toBe(threads);
  });
});
