/**
 * What is wrong with the log at present, and what it has cost.
 *
 *    well ──▶ trouble: nothing is kept; a new segment is tried, after growing pauses
 *               └──▶ probing: a segment was begun; queries are refused until the disk has confirmed it ──▶ well
 */
import type { AuditCounters } from './contract.ts';
import { isFull } from './ledger.ts';
import type { Notes } from './notes.ts';
import type { AuditSettings } from './options.ts';

export const RETRY_MS = 250;
const ATTEMPT_MS_MAX = 8000;

export class Trouble {
  readonly #settings: AuditSettings;
  readonly #counters: AuditCounters;
  readonly #notes: Notes;
  #why: string | null = null;
  /** Queries are refused until the disk has confirmed the new segment. */
  probing = false;
  /** Syncs in a row that came to nothing, and when the next segment is due. */
  #attempts = 0;
  #attemptAtMs = 0;

  constructor(settings: AuditSettings, counters: AuditCounters, notes: Notes) {
    this.#settings = settings;
    this.#counters = counters;
    this.#notes = notes;
  }

  /** Why nothing is kept; null when all is well. */
  get why(): string | null {
    return this.#why;
  }

  set(why: string | null): void {
    const changed = (why === null) !== (this.#why === null);
    this.#why = why;
    if (changed) this.#settings.onState(why === null, why ?? 'the audit log is written again');
  }

  /** Counts queries that have no record; the next record that is kept says so. */
  miss(count: number, why: string): void {
    const { mode, wallMs } = this.#settings;
    if (mode === 'open') this.#counters.lost += count;
    else this.#counters.refused += count;
    this.#notes.addMissing(count, wallMs(), why);
    this.set(why);
  }

  /** Whether the next attempt is due. */
  isAttemptDue(nowMs: number): boolean {
    return nowMs >= this.#attemptAtMs;
  }

  /** An attempt is made now. Segments that come to nothing must not pile up: a disk that keeps failing is asked less and less often. */
  beginAttempt(nowMs: number): void {
    this.#attemptAtMs = nowMs + Math.min(RETRY_MS * 2 ** this.#attempts, ATTEMPT_MS_MAX);
  }

  /** The disk did not confirm a segment; true when it is the first time in a row. */
  fail(): boolean {
    return this.#attempts++ === 0;
  }

  /** The disk has confirmed what was asked of it; true when that ends the trouble. */
  confirm(): boolean {
    this.#attempts = 0;
    if (!this.probing && this.#why === null) return false;
    this.probing = false;
    return true;
  }
}

export const failureText = (error: NodeJS.ErrnoException): string =>
  isFull(error) ? `the disk of the audit log is full (${error.code})` : error.message;
