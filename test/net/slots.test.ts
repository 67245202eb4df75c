import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkSlots, Slots } from '../../src/net/slots.ts';

describe('Slots', () => {
  test('give every slot once, and the one freed last first', () => {
    const slots = new Slots(3);
    expect([slots.take(), slots.take(), slots.take()]).toEqual([0, 1, 2]);
    expect(slots.freeCount).toBe(0);
    slots.release(2);
    slots.release(0);
    expect([slots.take(), slots.take()]).toEqual([0, 2]);
  });

  test.each([
    {
      step: 'a second reply',
      misuse: (slots: Slots) => slots.enqueue(0),
      before: ['take', 'enqueue'],
      says: /reply of slot 0, which was already replied to/,
    },
    {
      step: 'a release after a reply',
      misuse: (slots: Slots) => slots.release(0),
      before: ['take', 'enqueue'],
      says: /release of slot 0, which was already replied to/,
    },
    {
      step: 'a second release',
      misuse: (slots: Slots) => slots.release(0),
      before: ['take', 'release'],
      says: /release of slot 0, which is free/,
    },
    {
      step: 'a reply after a release',
      misuse: (slots: Slots) => slots.enqueue(0),
      before: ['take', 'release'],
      says: /reply of slot 0, which is free/,
    },
    {
      step: 'freeing what was not queued',
      misuse: (slots: Slots) => slots.freeQueued(0),
      before: ['take'],
      says: /send of slot 0/,
    },
  ])('throw at $step, and lose nothing by it', ({ before, misuse, says }) => {
    const slots = new Slots(1);
    for (const step of before) {
      if (step === 'take') slots.take();
      if (step === 'enqueue') slots.enqueue(0);
      if (step === 'release') slots.release(0);
    }
    const free = slots.freeCount;
    expect(() => misuse(slots)).toThrow(says);
    expect(slots.freeCount).toBe(free);
  });

  test('agree with a plain model over any order of steps', () => {
    const step = fc.record({
      do: fc.constantFrom('take', 'enqueue', 'release', 'freeQueued'),
      slot: fc.nat(7),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const slots = new Slots(8);
        const model = new Map<number, 'held' | 'queued'>();
        for (const { do: verb, slot } of steps) {
          const state = model.get(slot);
          if (verb === 'take') {
            if (slots.freeCount === 0) continue;
            const taken = slots.take();
            expect(model.has(taken)).toBe(false);
            model.set(taken, 'held');
          } else if (verb === 'enqueue') {
            if (state === 'held') slots.enqueue(slot);
            else expect(() => slots.enqueue(slot)).toThrow();
            if (state === 'held') model.set(slot, 'queued');
          } else {
            const due = verb === 'release' ? 'held' : 'queued';
            if (state === due) slots[verb as 'release' | 'freeQueued'](slot);
            else expect(() => slots[verb as 'release' | 'freeQueued'](slot)).toThrow();
            if (state === due) model.delete(slot);
          }
          expect(slots.freeCount).toBe(8 - model.size);
        }
      }),
    );
  });
});

describe('checkSlots', () => {
  test.each([0, -1, 1.5, Number.NaN])('refuses %s', (count) => {
    expect(() => checkSlots(count)).toThrow(/expected a whole number of at least 1/);
  });
});
