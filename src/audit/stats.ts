/** What a stretch of the log adds up to. */
import type { Found } from './read.ts';

/** Different names and clients counted at most; what comes after is under `other`, so that memory stays bounded. */
const DISTINCT_MAX = 200_000;

export class Tally {
  readonly #counts = new Map<string, number>();
  other = 0;

  add(key: string): void {
    const count = this.#counts.get(key);
    if (count !== undefined) this.#counts.set(key, count + 1);
    else if (this.#counts.size < DISTINCT_MAX) this.#counts.set(key, 1);
    else this.other++;
  }

  get distinct(): number {
    return this.#counts.size;
  }

  /** The `count` most frequent, most frequent first. */
  top(count: number): [key: string, count: number][] {
    return [...this.#counts]
      .sort((left, right) => right[1] - left[1] || (left[0] < right[0] ? -1 : 1))
      .slice(0, count);
  }
}

/** Upper bounds in microseconds of the classes in which latencies are counted: 1, 1.25, 1.56, … */
const BOUNDS = Array.from({ length: 80 }, (_, i) => 1.25 ** i);

export class AuditStats {
  queries = 0;
  cached = 0;
  refused = 0;
  lost = 0;
  first = '';
  last = '';
  readonly verdicts = new Tally();
  readonly rcodes = new Tally();
  readonly types = new Tally();
  readonly rules = new Tally();
  readonly clients = new Tally();
  readonly denied = new Tally();
  readonly names = new Tally();
  readonly notes = new Tally();
  readonly #latency = new Array<number>(BOUNDS.length + 1).fill(0);

  add({ record }: Found): void {
    if (this.first === '') this.first = record.time;
    this.last = record.time;
    if (record.type !== undefined) {
      this.notes.add(record.type);
      const { refused, lost } = record as { refused?: number; lost?: number };
      this.refused += refused ?? 0;
      this.lost += lost ?? 0;
      return;
    }
    this.queries++;
    if (record.cached === true) this.cached++;
    this.verdicts.add(record.verdict ?? '-');
    this.rcodes.add(record.rcode ?? 'no response');
    this.types.add(record.qtype ?? '-');
    if (record.rule !== undefined) this.rules.add(record.rule);
    if (record.client !== undefined) this.clients.add(record.client);
    const name = record.qname ?? '(unreadable)';
    this.names.add(name);
    if (record.verdict === 'deny') this.denied.add(name);
    const us = record.us ?? 0;
    const index = BOUNDS.findIndex((bound) => us <= bound);
    this.#latency[index < 0 ? BOUNDS.length : index]++;
  }

  /** Latency in microseconds that `part` (0 to 1) of the queries did not exceed, to within a quarter. */
  latencyUs(part: number): number {
    let left = this.queries * part;
    for (let i = 0; i < BOUNDS.length; i++) {
      left -= this.#latency[i];
      if (left <= 0) return Math.round(BOUNDS[i]);
    }
    return Number.POSITIVE_INFINITY;
  }
}
