/** What is done beside the queries: the reserve is filled again, and segments that were kept long enough are deleted. */
import type { LogCore } from './core.ts';
import { type Erasure, readErasureRequest, removeErasureRequest } from './erasure-request.ts';
import type { Lock } from './lock.ts';
import { anonymise } from './pseudonyms.ts';
import { deleteSegments, dueForRetirement, type Retirement } from './retention.ts';

const REFILL_MS = 10_000;

export class Upkeep {
  readonly #core: LogCore;
  readonly #lock: Lock;
  #refillAtMs: number;
  #maintainAtMs: number;
  /** Segments whose end is recorded, and the size of the tree at which a checkpoint covers that record. */
  #retired: Retirement | null = null;
  #retiredSize: number | null = null;
  /** Erasures whose record was asked for: how many of these are not kept yet, and the size of the tree that covers all. */
  #erasing: { left: number; size: number | null } | null = null;

  constructor(core: LogCore, lock: Lock) {
    this.#core = core;
    this.#lock = lock;
    const { monotonicMs, maintenanceMs } = core.settings;
    this.#refillAtMs = monotonicMs() + REFILL_MS;
    this.#maintainAtMs = monotonicMs() + Math.min(1000, maintenanceMs);
    void core.ledger.reserve.fill();
  }

  /** What may have gone with a directory that was removed: the reserve, and the lock. */
  refill(nowMs: number): void {
    if (nowMs < this.#refillAtMs) return;
    this.#refillAtMs = nowMs + REFILL_MS;
    this.#lock.keep();
    void this.#core.ledger.reserve.fill();
  }

  /** Records erasures that are asked for (erasure-request.ts), and says so by removing the request. */
  erase(): void {
    const { settings, ledger, records, trouble } = this.#core;
    const { directory, worker } = settings;
    if (trouble.why !== null) return;
    const erasing = this.#erasing;
    if (erasing === null) {
      this.#begin(readErasureRequest(directory, worker));
      return;
    }
    if (erasing.left > 0) return;
    erasing.size ??= ledger.size + (records > 0 ? 1 : 0);
    if (ledger.publishedSize < erasing.size) return;
    removeErasureRequest(directory, worker);
    this.#erasing = null;
  }

  #begin(erasures: readonly Erasure[] | null): void {
    if (erasures === null) return;
    const erasing = { left: erasures.length, size: null };
    this.#erasing = erasing;
    for (const erasure of erasures) {
      const isTaken = this.#core.addNote('erased', { ...erasure }, () => {
        erasing.left--;
      });
      // Too many records wait: who asked is told by a request that stays, and tries again.
      if (!isTaken) this.#erasing = null;
    }
  }

  /** Deletes what was recorded as retired the last time, and records what is due now. */
  retire(nowMs: number): void {
    if (nowMs < this.#maintainAtMs) return;
    const { settings, notes, trouble, ledger, records } = this.#core;
    const { directory, worker, retention, maintenanceMs, wallMs } = settings;
    this.#maintainAtMs = nowMs + maintenanceMs;
    anonymise(settings.clients, wallMs(), (type, members) => this.#core.addNote(type, members));
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
}
