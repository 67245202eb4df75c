/**
 * Puts records in order of time with bounded memory: at most twice WINDOW records are held. A record that comes later than
 * WINDOW others after its time is passed on where it stands, and counted.
 */
import type { HuntRecord } from './hunt-records.ts';

const WINDOW = 500_000;

export interface OrderCounters {
  late: number;
}

export async function* inOrder(
  records: AsyncIterable<HuntRecord> | Iterable<HuntRecord>,
  counters: OrderCounters,
  window = WINDOW,
): AsyncGenerator<HuntRecord> {
  let held: HuntRecord[] = [];
  let isSorted = true;
  let lastMs = Number.NEGATIVE_INFINITY;
  const emit = (record: HuntRecord): HuntRecord => {
    if (record.atMs < lastMs) counters.late++;
    else lastMs = record.atMs;
    return record;
  };
  const sort = (): void => {
    // Sorting is stable, so records of one moment keep the order of the file.
    if (!isSorted) held.sort((left, right) => left.atMs - right.atMs);
    isSorted = true;
  };
  for await (const record of records) {
    if (held.length > 0 && record.atMs < held[held.length - 1].atMs) isSorted = false;
    held.push(record);
    if (held.length < 2 * window) continue;
    sort();
    for (let i = 0; i < window; i++) yield emit(held[i]);
    held = held.slice(window);
  }
  sort();
  for (const record of held) yield emit(record);
}

/** One stream from several that are each in order. */
export async function* merged(streams: readonly AsyncGenerator<HuntRecord>[]): AsyncGenerator<HuntRecord> {
  const heads = await Promise.all(streams.map((stream) => stream.next()));
  for (;;) {
    let first = -1;
    for (let i = 0; i < heads.length; i++) {
      if (heads[i].done === true) continue;
      if (first < 0 || (heads[i].value as HuntRecord).atMs < (heads[first].value as HuntRecord).atMs)
        first = i;
    }
    if (first < 0) return;
    yield heads[first].value as HuntRecord;
    heads[first] = await streams[first].next();
  }
}
