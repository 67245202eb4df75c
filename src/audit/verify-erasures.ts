/**
 * Records that were erased on somebody's request. An `erased` record in the chain names the leaves that were changed, the
 * hash that each had and the one it has since: such a leaf is as it should be, and any other change of it is not.
 */
import { HASH } from './verify-format.ts';
import type { Fault, Place } from './verify-report.ts';

/** First and last number of a run of records. */
export type Run = readonly [from: number, to: number];

interface Tombstone {
  /** Number of the `erased` record. */
  readonly seq: number;
  readonly was: string;
  readonly now: string;
  readonly records: readonly Run[];
}

/** A leaf whose octets are not those that were hashed, and that holds erased records. */
export interface Suspect {
  readonly index: number;
  readonly listed: string;
  readonly actual: string;
  readonly place: Place;
  readonly what: string;
  /** Numbers of the records in it that say that they are erased; null: it is encrypted and cannot be looked into. */
  readonly stubs: readonly number[] | null;
}

const STUB = /^\{"seq":(\d{1,16}),.*"erased":true\} *$/;

/** Number of an erased record; null for any other line. */
export function stubNumber(line: string): number | null {
  const [, seq] = STUB.exec(line) ?? [];
  return seq === undefined ? null : Number(seq);
}

export class Erasures {
  readonly #byLeaf = new Map<number, Tombstone[]>();
  readonly #suspects: Suspect[] = [];
  /** Leaves as they were written, by index, that erasures name; they were not changed yet if they are here. */
  readonly #whole = new Set<number>();

  /** Takes an `erased` record. False when it is not what one looks like. */
  take(record: Record<string, unknown>): boolean {
    const { seq, leaves } = record;
    if (typeof seq !== 'number' || !Array.isArray(leaves)) return false;
    for (const leaf of leaves as unknown[]) {
      const { index, was, now, records } = (leaf ?? {}) as Record<string, unknown>;
      if (typeof index !== 'number' || !isHash(was) || !isHash(now) || !areRuns(records)) return false;
      const known = this.#byLeaf.get(index) ?? [];
      known.push({ seq, was, now, records });
      this.#byLeaf.set(index, known);
    }
    return true;
  }

  suspect(suspect: Suspect): void {
    this.#suspects.push(suspect);
  }

  /** A leaf that is as it was written. */
  whole(index: number): void {
    this.#whole.add(index);
  }

  /** After the last segment: how many records were erased, what is not explained, and what is to be known. */
  judge(lastSigned: number): {
    readonly erased: number;
    readonly faults: Fault[];
    readonly remarks: string[];
  } {
    const faults: Fault[] = [];
    const by = new Set<number>();
    let erased = 0;
    for (const suspect of this.#suspects) {
      const explained = this.#explain(suspect, lastSigned);
      if (typeof explained === 'string') {
        faults.push({ ...suspect.place, what: `${suspect.what}; ${explained}` });
        continue;
      }
      erased += explained.reduce((sum, { records }) => sum + countOf(records), 0);
      for (const { seq } of explained) by.add(seq);
    }
    const remarks: string[] = [];
    if (erased > 0) {
      const where = [...by].sort((left, right) => left - right).join(', ');
      remarks.push(`${erased} records were erased on request; who, when and why stands in record ${where}`);
    }
    const undone = [...this.#byLeaf].flatMap(([index, stones]) => (this.#whole.has(index) ? stones : []));
    if (undone.length > 0) {
      const count = undone.reduce((sum, { records }) => sum + countOf(records), 0);
      const where = [...new Set(undone.map(({ seq }) => seq))].join(', ');
      remarks.push(
        `record ${where} says that ${count} records are erased, and they are still there: run the erasure again`,
      );
    }
    return { erased, faults, remarks };
  }

  /** The erasures that lead from the hash of a leaf to the one that it has; or why none do. */
  #explain({ index, listed, actual, stubs }: Suspect, lastSigned: number): Tombstone[] | string {
    const stones = this.#byLeaf.get(index) ?? [];
    if (stones.length === 0)
      return 'records in it say that they are erased, and no record of the log says so';
    const unsigned = stones.find(({ now, seq }) => now === actual && seq > lastSigned);
    if (unsigned !== undefined) return `the erasure in record ${unsigned.seq} is under no signed checkpoint`;
    // Hashes that erasures have led to, each with the erasures on the way; one that was never carried out leads nowhere.
    const reached = new Map<string, Tombstone[]>([[listed, []]]);
    for (const stone of stones) {
      const before = reached.get(stone.was);
      if (before !== undefined && !reached.has(stone.now) && stone.seq <= lastSigned)
        reached.set(stone.now, [...before, stone]);
    }
    const steps = reached.get(actual);
    if (steps === undefined) return `it is not what the erasure in record ${stones.at(-1)?.seq} left either`;
    const isNamed = (number: number): boolean =>
      steps.some(({ records }) => records.some(([from, to]) => number >= from && number <= to));
    const unnamed = stubs?.find((number) => !isNamed(number));
    return unnamed === undefined ? steps : `record ${unnamed} is erased and no erasure names it`;
  }
}

const isHash = (value: unknown): value is string => typeof value === 'string' && HASH.test(value);

const areRuns = (value: unknown): value is Run[] =>
  Array.isArray(value) &&
  value.every(
    (run) => Array.isArray(run) && run.length === 2 && run.every(Number.isSafeInteger) && run[0] <= run[1],
  );

const countOf = (records: readonly Run[]): number =>
  records.reduce((sum, [from, to]) => sum + to - from + 1, 0);
