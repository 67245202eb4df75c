import { describe, expect, test } from 'vitest';
import { Answered, Pairs } from '../../src/cli/hunt-tables.ts';

const keyOf = (i: number) => ({ a: Math.imul(i, 0x9e3779b1) | 0, b: Math.imul(i + 7, 0x85ebca6b) | 0 });

describe('pairs', () => {
  test('keep what a map would keep, however many there are', () => {
    const pairs = new Pairs();
    const plain = new Map<number, { firstMs: number; queries: number; octets: number }>();
    for (let i = 0; i < 400_000; i++) {
      const number = (i * 7919) % 150_000;
      const at = pairs.open(keyOf(number), i);
      pairs.noteLeft(at, number % 100);
      const known = plain.get(number) ?? { firstMs: i, queries: 0, octets: 0 };
      known.queries++;
      known.octets += number % 100;
      plain.set(number, known);
    }
    expect(pairs.count).toBe(plain.size);
    for (const [number, known] of plain) {
      const at = pairs.open(keyOf(number), -1);
      const found = { firstMs: pairs.firstMs(at), queries: pairs.queries(at), octets: pairs.octets(at) };
      if (JSON.stringify(found) !== JSON.stringify(known)) expect(found).toEqual(known);
    }
  });

  test('are flagged once, and counted on', () => {
    const pairs = new Pairs();
    const at = pairs.open(keyOf(1), 0);
    pairs.noteLeft(at, 10);
    expect([pairs.flag(at), pairs.flag(at)]).toEqual([true, false]);
    pairs.noteLeft(at, 10);
    expect([pairs.queries(at), pairs.octets(at)]).toEqual([2, 20]);
  });
});

describe('answered questions', () => {
  test('are known until a set is full, the oldest first forgotten', () => {
    const answered = new Answered();
    const inOneSet = (i: number) => ({ a: i << 16, b: i });
    for (let i = 1; i <= 9; i++) answered.note(inOneSet(i), i * 1000);
    expect(answered.find(inOneSet(1))).toBe(Number.NEGATIVE_INFINITY);
    for (let i = 2; i <= 9; i++) expect(answered.find(inOneSet(i))).toBe(i * 1000);
  });

  test('are as old as their last answer', () => {
    const answered = new Answered();
    answered.note(keyOf(5), 1000);
    answered.note(keyOf(5), 9000);
    expect(answered.find(keyOf(5))).toBe(9000);
    expect(answered.find(keyOf(6))).toBe(Number.NEGATIVE_INFINITY);
  });
});
