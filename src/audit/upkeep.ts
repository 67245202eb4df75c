/** What is done beside the queries: the reserve is filled again, and segments that were kept long enough are deleted. */
import type { LogCore } from './core.ts';
import { deleteSegments, dueForRetirement, type Retirement } from './retention.ts';

const REFILL_MS = 10_000;

export class Upkeep {
  readonly #core: LogCore;
  #refillAtMs: number;
  #maintainAtMs: number;
  /** Segments whose end is recorded, and the size of the tree at which a checkpoint covers that record. */
  #retired: Retirement | null = null;
  #retiredSize: number | null = null;

  constructor(core: LogCore) {
    this.#core = core;
    const { monotonicMs, maintenanceMs } = core.settings;
    this.#refillAtMs = monotonicMs() + REFILL_MS;
    this.#maintainAtMs = monotonicMs() + Math.min(1000, maintenanceMs);
    void core.ledger.reserve.fill();
  }

  refill(nowMs: number): void {
    if (nowMs < this.#refillAtMs) return;
    this.#refillAtMs = nowMs + REFILL_MS;
    void this.#core.ledger.reserve.fill();
  }

  /** Deletes what was recorded as retired the last time, and records what is due now. */
  retire(nowMs: number): void {
    if (nowMs < this.#maintainAtMs) return;
    const { settings, notes, trouble, ledger, records } = this.#core;
    const { directory, worker, retention, maintenanceMs, wallMs } = settings;
    this.#maintainAtMs = nowMs + maintenanceMs;
    this.#destroyKeys();
    if (retention === null || trouble.why !== null) return;
    const retired = this.#retired;
    if (retired !== null) {
      if (!notes.isEmpty) return;
      // The record is in the block at hand or in one before it: the next checkpoint on the disk covers it.
      this.#retiredSize ??= ledger.size + (records > 0 ? 1 : 0);
      if (ledger.publishedSize < this.#retiredSize) return;
      deleteSegments(directory, retired);
      this.#retired = this.#retiredSize = null;
    }
    try {
      this.#retired = dueForRetirement(directory, worker, retention, wallMs());
    } catch {
      // A file went away while it was looked at; the next round sees the rest.
    }
    if (this.#retired !== null) this.#core.addNote('retired', { ...this.#retired });
  }

  /** Pseudonyms whose key is gone are anonymous; the chain says from when on. */
  #destroyKeys(): void {
    const { clients, wallMs } = this.#core.settings;
    if (!('keys' in clients)) return;
    let untilMs: number | null = null;
    try {
      untilMs = clients.keys.destroyOld(wallMs());
    } catch {
      // The directory cannot be read at present; the next round sees it.
    }
    if (untilMs === null) return;
    const why = 'the keys of pseudonyms were kept long enough and are destroyed';
    this.#core.addNote('anonymised', { until: new Date(untilMs).toISOString(), why });
  }
}
