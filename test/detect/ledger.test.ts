import { describe, expect, test } from 'vitest';
import { createDetectMemory, createFastPath, createSlowView } from '../../src/detect/index.ts';
import { spread } from '../../src/detect/keys.ts';
import { drained, Ledger, WEIGHT } from '../../src/detect/ledger.ts';
import { nameOctets, Question } from '../../src/wire/index.ts';

describe('Ledger', () => {
  test('keeps a row that owes much while many that owe little pass through', () => {
    const ledger = new Ledger(new ArrayBuffer(Ledger.octets(64, 7)), 7);
    const debtor = ledger.open(12345, 678, 1000);
    ledger.floats[debtor + WEIGHT] = 300;
    for (let i = 0; i < 100_000; i++) {
      const row = ledger.open(spread(i), spread(~i), 1001);
      ledger.floats[row + WEIGHT] = 20;
    }
    expect(ledger.find(12345, 678)).toBe(debtor);
    expect(ledger.evictions).toBeGreaterThan(90_000);
    expect(ledger.count()).toBeLessThanOrEqual(64);
  });

  test.each([
    { level: 100, elapsed: 0, left: 100 },
    { level: 100, elapsed: 43_200, left: 50 },
    { level: 100, elapsed: 86_400, left: 0 },
    { level: 20, elapsed: 86_400, left: 0 },
  ])('drains $level to $left in $elapsed seconds', ({ level, elapsed, left }) => {
    expect(drained(level, elapsed, 100, 86_400)).toBe(left);
  });
});

describe('memory', () => {
  test('is 52 octets a pair in both views, and below 64 MiB in all at a million pairs', () => {
    const octets = (state: object): number =>
      Object.values(state).reduce((sum, part) => sum + (typeof part === 'number' ? 0 : part.byteLength), 0);
    const fast = createDetectMemory({ pairs: 1_000_000 });
    const slow = createSlowView({ pairs: 1_000_000 });
    expect(fast.pairs.byteLength + slow.save().pairs.byteLength).toBe(52_000_000);
    expect(slow.memory).toBeGreaterThan(octets(slow.save()));
    expect(octets(fast) + slow.memory).toBeLessThan(64 * 1_048_576);
  });

  test('ends a flood of random names where it began, and the verdict before it still holds', () => {
    const memory = createDetectMemory({ pairs: 8192, zones: 4096, clients: 1024, names: 65_536 });
    const detector = createFastPath({ seed: 5, memory });
    const question = new Question(5);
    const client = Uint8Array.of(10, 0, 0, 1);
    const payload = nameOctets(`${'k7q2vz5x'.repeat(7)}.evil.example`);
    expect(detector.check(question.set(payload, 1), client, 4, 1_700_000_000_000, 'default')).not.toBeNull();
    const before = process.memoryUsage();
    for (let i = 0; i < 200_000; i++) {
      question.set(nameOctets(`r${Math.imul(i, 0x9e3779b1) >>> 0}.z${i}.example`), 1);
      detector.check(question, client, 4, 1_700_000_000_000 + i, 'default');
    }
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(1 << 20);
    expect(
      detector.check(question.set(nameOctets('www.evil.example'), 1), client, 4, 1_700_000_300_000, 'default')
        ?.rule,
    ).toBe('name');
  });
});
