import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Answer } from '../../src/answer/index.ts';
import { lineTextOf } from '../../src/audit/line-text.ts';
import { Cell, NO_RECORD, ResponseCache } from '../../src/cache/index.ts';
import { nameOctets, Question, u32 } from '../../src/wire/index.ts';

const SEED = 5;
const GENERATION = 1;
const PHASE = 0;
const GROUP = 2;
const ENDING = Object.freeze({ audit: 'allow' });
const question = (name: string, type = 1): Question => new Question(SEED).set(nameOctets(name), type);
const text = (value: string) => lineTextOf(Buffer.from(value));

/** A body of `length` octets, all of them `fill`, with a TTL of 300 at its begin. */
function answer(length: number, fill: number, changes: Partial<Answer> = {}): Answer {
  const body = new Uint8Array(length).fill(fill);
  body.set([0, 0, 1, 44], 0);
  return {
    rcode: 0,
    answerCount: 1,
    authorityCount: 0,
    body,
    ttlAt: Uint16Array.of(0),
    ttlSeconds: 300,
    targets: [],
    aliasCount: 0,
    complete: true,
    negative: false,
    authenticated: false,
    extendedErrors: new Uint8Array(0),
    ...changes,
  };
}

function cellOf(asked: Question, kept: Answer, storedAtMs = 1000): Cell {
  const cell = new Cell(asked.name.slice(0, asked.length), asked.type, 0, kept, {
    pool: 'default',
    server: 'server',
    storedAtMs,
    ttlSeconds: 300,
    judgedBy: GENERATION,
  });
  cell.phase = PHASE;
  cell.hits = 2;
  return cell;
}

/** The text at a word of the store, as the audit reads it. */
function textAt(words: Float64Array, at: number): string {
  return Buffer.from(words.buffer, (at + 1) * 8, words[at]).toString();
}

const find = (cache: ResponseCache, asked: Question, nowMs = 2000, group = GROUP): number =>
  cache.findHot(asked, 0, group, GENERATION, PHASE, nowMs);

describe('a record of what is asked often', () => {
  test('holds what the cell holds, with the text and the ending it was given', () => {
    const cache = new ResponseCache(1 << 20);
    const asked = question('www.example.com', 28);
    const kept = answer(60, 7, {
      rcode: 3,
      answerCount: 5,
      authorityCount: 2,
      negative: true,
      authenticated: true,
    });
    const cell = cellOf(asked, kept);
    cache.store(asked, cell);
    cache.keepHot(asked, cell, GROUP, ENDING, text(',"qname":"www.example.com"'));
    const line = find(cache, asked);
    const { hot } = cache;
    expect(line).not.toBe(NO_RECORD);
    expect(hot.endingOf(line)).toBe(ENDING);
    expect([hot.rcodeOf(line), hot.answerCountOf(line), hot.authorityCountOf(line)]).toEqual([3, 5, 2]);
    expect([hot.isNegative(line), hot.isAuthenticated(line), hot.bodyLengthOf(line)]).toEqual([
      true,
      true,
      60,
    ]);
    expect(textAt(hot.words, hot.textAt(line))).toBe(',"qname":"www.example.com"');
    expect(hot.ageSecondsOf(line, 12_999)).toBe(11);
    for (const ageSeconds of [0, 1, 299, 300, 1000]) {
      const fromRecord = new Uint8Array(100);
      const fromCell = new Uint8Array(100);
      expect(hot.writeAged(line, fromRecord, 9, ageSeconds)).toBe(cell.writeAged(fromCell, 9, ageSeconds));
      expect(fromRecord).toEqual(fromCell);
      expect(u32(fromRecord, 9)).toBe(Math.max(0, 300 - ageSeconds));
    }
  });

  test.each<readonly [string, () => Parameters<ResponseCache['findHot']>]>([
    ['of another name', () => [question('www.example.net'), 0, GROUP, GENERATION, PHASE, 2000]],
    ['of another type', () => [question('www.example.com', 28), 0, GROUP, GENERATION, PHASE, 2000]],
    ['with DO', () => [question('www.example.com'), 2, GROUP, GENERATION, PHASE, 2000]],
    ['of another group', () => [question('www.example.com'), 0, GROUP + 1, GENERATION, PHASE, 2000]],
    [
      'under another policy',
      () => [question('www.example.com'), 0, GROUP, GENERATION + 1, PHASE, 2000] as const,
    ],
    [
      'after a rule has ended',
      () => [question('www.example.com'), 0, GROUP, GENERATION, PHASE + 1, 2000] as const,
    ],
    ['at its end', () => [question('www.example.com'), 0, GROUP, GENERATION, PHASE, 301_000]],
  ])('is not for a question %s', (_, other) => {
    const cache = new ResponseCache(1 << 20);
    const asked = question('www.example.com');
    const cell = cellOf(asked, answer(40, 1));
    cache.store(asked, cell);
    cache.keepHot(asked, cell, GROUP, ENDING, text('x'));
    expect(cache.findHot(...other())).toBe(NO_RECORD);
  });

  test('is not for a name with the same hash', () => {
    const cache = new ResponseCache(1 << 20);
    const asked = question('one.test');
    const other = question('two.test');
    other.suffixHash[0] = asked.suffixHash[0];
    const cell = cellOf(asked, answer(40, 1));
    cache.store(asked, cell);
    cache.keepHot(asked, cell, GROUP, ENDING, text('x'));
    expect(find(cache, other)).toBe(NO_RECORD);
    expect(find(cache, asked)).not.toBe(NO_RECORD);
  });

  test.each([
    ['replaced', (cache: ResponseCache, asked: Question) => cache.store(asked, cellOf(asked, answer(40, 2)))],
    ['forgotten', (cache: ResponseCache, asked: Question) => cache.forget(asked, 0)],
    ['evicted', (cache: ResponseCache) => cache.trim(cache.memory)],
    ['cleared away', (cache: ResponseCache) => cache.clear()],
  ])('goes with its cell when that is %s', (how, act) => {
    const cache = new ResponseCache(1 << 20);
    const asked = question('www.example.com');
    const cell = cellOf(asked, answer(40, 1));
    cache.store(asked, cell);
    cache.keepHot(asked, cell, GROUP, ENDING, text('x'));
    if (how === 'evicted') cache.memoryMax = 1 << 18;
    act(cache, asked);
    expect(find(cache, asked)).toBe(NO_RECORD);
  });

  test.each([
    ['asked once', { hits: 1 }],
    ['a failure', { failure: 'timeout' }],
  ])('is not made of what was %s', (_, change) => {
    const cache = new ResponseCache(1 << 20);
    const asked = question('www.example.com');
    const cell = cellOf(asked, answer(40, 1));
    Object.assign(cell, change);
    cache.store(asked, cell);
    cache.keepHot(asked, cell, GROUP, ENDING, text('x'));
    expect(find(cache, asked)).toBe(NO_RECORD);
  });

  test('is not made of an answer with extended errors, nor of one longer than 4 KiB', () => {
    const cache = new ResponseCache(1 << 20);
    for (const [name, kept] of [
      ['errors.test', answer(40, 1, { extendedErrors: new Uint8Array(6) })],
      ['long.test', answer(4100, 1)],
    ] as const) {
      const asked = question(name);
      const cell = cellOf(asked, kept);
      cache.store(asked, cell);
      cache.keepHot(asked, cell, GROUP, ENDING, text('x'));
      expect(find(cache, asked)).toBe(NO_RECORD);
    }
  });

  test('tells its cell of every hit, some late', () => {
    const cache = new ResponseCache(1 << 20);
    const asked = question('www.example.com');
    const cell = cellOf(asked, answer(40, 1));
    cache.store(asked, cell);
    cache.keepHot(asked, cell, GROUP, ENDING, text('x'));
    for (let i = 0; i < 37; i++) find(cache, asked);
    expect(cell.hits).toBe(2 + 32);
    find(cache, asked, 400_000);
    expect(cell.hits).toBe(2 + 37);
  });

  test('keeps a cell in the cache that is asked for here only', () => {
    const cache = new ResponseCache(1 << 20);
    const asked = question('asked.test');
    const cell = cellOf(asked, answer(40, 1));
    cache.store(asked, cell);
    cache.keepHot(asked, cell, GROUP, ENDING, text('x'));
    for (let i = 0; i < 5000; i++) {
      const other = question(`other-${i}.test`);
      cache.store(other, cellOf(other, answer(40, 1)));
      find(cache, asked);
    }
    expect(cache.counters.evictions).toBeGreaterThan(1000);
    expect(cache.find(asked, 0)).toBe(cell);
  });

  test('a cache too small for it works without', () => {
    const cache = new ResponseCache(100_000);
    const asked = question('www.example.com');
    const cell = cellOf(asked, answer(40, 1));
    cache.store(asked, cell);
    cache.keepHot(asked, cell, GROUP, ENDING, text('x'));
    expect([cache.hot.memory, find(cache, asked)]).toEqual([0, NO_RECORD]);
    expect(cache.find(asked, 0)).toBe(cell);
  });

  test('gives its memory back when the bound is lowered, and has it again when that has grown', () => {
    const cache = new ResponseCache(1 << 20);
    expect(cache.hot.memory).toBe(1 << 18);
    cache.memoryMax = 1 << 19;
    expect(cache.hot.memory).toBe(1 << 17);
    cache.memoryMax = (1 << 20) - 1;
    expect(cache.hot.memory).toBe(1 << 17);
    cache.memoryMax = 1 << 20;
    expect(cache.hot.memory).toBe(1 << 18);
  });
});

describe('records of many sizes in a ring of 64 KiB', () => {
  test('are found as they were put, or not at all', () => {
    const step = fc.record({
      name: fc.nat(400),
      length: fc.integer({ min: 4, max: 3000 }),
      kind: fc.constantFrom('put', 'put', 'find', 'find', 'forget', 'late'),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 100, maxLength: 600 }), (steps) => {
        const cache = new ResponseCache(1 << 18);
        expect(cache.hot.memory).toBe(1 << 16);
        const model = new Map<number, { cell: Cell; said: string }>();
        for (const [i, { name, length, kind }] of steps.entries()) {
          const asked = question(`n${name}.test`);
          if (kind === 'put') {
            const cell = cellOf(asked, answer(length, i & 0xff));
            const said = `${i}:`.padEnd(1 + (i % 90), 'x');
            cache.store(asked, cell);
            cache.keepHot(asked, cell, GROUP, ENDING, text(said));
            model.set(name, { cell, said });
          } else if (kind === 'forget') {
            cache.forget(asked, 0);
            model.delete(name);
          } else {
            const line = find(cache, asked, kind === 'late' ? 301_000 : 2000);
            if (line === NO_RECORD) continue;
            const known = model.get(name)!;
            expect(kind).toBe('find');
            expect(textAt(cache.hot.words, cache.hot.textAt(line))).toBe(known.said);
            const body = new Uint8Array(known.cell.bodyLength);
            cache.hot.writeAged(line, body, 0, 0);
            expect(body).toEqual(known.cell.body);
          }
        }
      }),
    );
  });

  test('the newest are there, and the oldest made room', () => {
    const cache = new ResponseCache(1 << 18);
    const names = Array.from({ length: 1000 }, (_, i) => question(`n${i}.test`));
    for (const asked of names) {
      const cell = cellOf(asked, answer(100, 1));
      cache.store(asked, cell);
      cache.keepHot(asked, cell, GROUP, ENDING, text('x'));
    }
    expect(find(cache, names[0])).toBe(NO_RECORD);
    expect(names.slice(-100).filter((asked) => find(cache, asked) !== NO_RECORD).length).toBeGreaterThan(60);
  });
});
