import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  COLUMN_COUNT,
  DECISIONS_AT,
  DURATION_AT,
  DURATION_SUM_AT,
  FAMILIES,
  QUERIES_AT,
  queryAt,
  RESPONSES_AT,
  responseAt,
  TRANSPORTS,
  TYPES,
} from '../../src/metrics/catalogue.ts';
import { durationAt } from '../../src/metrics/counters.ts';
import { At, Counters, createCounters, decisionAt, openCounters } from '../../src/metrics/index.ts';

describe('openCounters', () => {
  test('sees on one side what was counted on the other', () => {
    const memory = createCounters();
    openCounters(memory).columns[At.cacheMisses]!++;
    expect(openCounters(memory).columns[At.cacheMisses]).toBe(1);
  });

  test('refuses the memory of another build and says what to do', () => {
    expect(() => openCounters(new SharedArrayBuffer(64))).toThrow(/createCounters\(\)/);
  });

  test('begins at zero, and healthy', () => {
    const columns = [...openCounters(createCounters()).columns];
    expect(columns.splice(At.auditHealthy, 1)).toEqual([1]);
    expect(new Set(columns)).toEqual(new Set([0]));
  });
});

describe('the columns of two different things', () => {
  test('are different', () => {
    const columns = new Set<number>(Object.values(At));
    for (let transport = 0; transport < TRANSPORTS.length; transport++) {
      for (const ipv6 of [false, true])
        for (const [, type] of TYPES) columns.add(queryAt(transport, ipv6, type < 0 ? 9999 : type));
    }
    expect(columns.size).toBe(Object.values(At).length + TRANSPORTS.length * FAMILIES.length * TYPES.length);
    expect(Math.max(...columns)).toBeLessThan(RESPONSES_AT);
  });

  test('stay in their own run whatever a stranger sends', () => {
    fc.assert(
      fc.property(
        fc.nat(3),
        fc.boolean(),
        fc.nat(0xffff),
        fc.nat(0xffff),
        fc.nat(),
        fc.string(),
        (transport, ipv6, type, rcode, us, word) => {
          const query = queryAt(transport, ipv6, type);
          const response = responseAt(rcode);
          const decision = decisionAt(word, word);
          const bucket = durationAt(us);
          expect(query).toBeGreaterThanOrEqual(QUERIES_AT);
          expect(query).toBeLessThan(RESPONSES_AT);
          expect(response).toBeGreaterThanOrEqual(RESPONSES_AT);
          expect(response).toBeLessThan(DECISIONS_AT);
          expect(decision).toBeGreaterThanOrEqual(DECISIONS_AT);
          expect(decision).toBeLessThan(DURATION_AT);
          expect(bucket).toBeGreaterThanOrEqual(DURATION_AT);
          expect(bucket).toBeLessThan(DURATION_SUM_AT);
          expect(DURATION_SUM_AT).toBe(COLUMN_COUNT - 1);
        },
      ),
    );
  });
});

describe('durationAt', () => {
  test.each([
    { name: 'nothing', us: 0, bucket: 0 },
    { name: 'a bound itself', us: 50, bucket: 0 },
    { name: 'just above a bound', us: 51, bucket: 1 },
    { name: 'a millisecond', us: 1_000, bucket: 4 },
    { name: 'longer than every bound', us: 60_000_000, bucket: 16 },
    { name: 'a clock that went back', us: -5, bucket: 0 },
  ])('puts $name into bucket $bucket', ({ us, bucket }) => {
    expect(durationAt(us) - DURATION_AT).toBe(bucket);
  });
});

describe('decisionAt', () => {
  test('counts words it does not know as other, so that nothing goes uncounted', () => {
    expect(decisionAt('deny', 'a word of tomorrow')).toBe(decisionAt('deny', 'other'));
    expect(decisionAt('a word of tomorrow', null)).toBe(decisionAt('other', 'none'));
  });
});

describe('Counters', () => {
  test('counts a query, its response, its decision and its time', () => {
    const counters = new Counters(createCounters());
    const denied = decisionAt('deny', 'not-listed');
    counters.query(0, true, 28);
    counters.finished(3, denied, 70);
    counters.dropped(denied);
    const columns = counters.columns;
    expect(columns[queryAt(0, true, 28)]).toBe(1);
    expect(columns[responseAt(3)]).toBe(1);
    expect(columns[denied]).toBe(2);
    expect(columns[durationAt(70)]).toBe(1);
    expect(columns[DURATION_SUM_AT]).toBe(70);
  });
});
