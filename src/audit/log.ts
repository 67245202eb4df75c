/**
 * The log of one worker, as the query path sees it.
 *
 *    append … append  commit ──▶ mode: strict │ bounded │ open ──▶ core: write, sync, rotate, recover
 *    note ─────────────────────────────────────────────────────▶ core: with the next batch, or at once when none comes
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Batch } from './batch.ts';
import { BoundedMode } from './bounded.ts';
import type { AuditCounters, AuditLog, DetailFields, Entry, NoteMembers, OutcomeFields } from './contract.ts';
import { LogCore } from './core.ts';
import type { LineText } from './line-text.ts';
import { Lock } from './lock.ts';
import type { Mode } from './mode.ts';
import { checkNote } from './notes.ts';
import { OpenMode } from './open.ts';
import type { AuditSettings } from './options.ts';
import { renderDetail, renderOutcome } from './outcome.ts';
import { resume } from './recover.ts';
import { Reserve } from './reserve.ts';
import { destroyShipKeys } from './ship-keys.ts';
import { StrictMode } from './strict.ts';
import { RETRY_MS } from './trouble.ts';
import { Upkeep } from './upkeep.ts';

const MODES = { strict: StrictMode, bounded: BoundedMode, open: OpenMode };

export class WorkerLog implements AuditLog {
  readonly counters: AuditCounters;
  readonly #core: LogCore;
  readonly #batch: Batch;
  readonly #mode: Mode;
  readonly #lock: Lock;
  readonly #upkeep: Upkeep;
  readonly #tick: NodeJS.Timeout;
  #isFlushDue = false;

  constructor(settings: AuditSettings) {
    const { directory, worker } = settings;
    mkdirSync(directory, { recursive: true, mode: 0o750 });
    this.#lock = new Lock(directory, worker, settings.bootId);
    if (settings.keysForShipping === false) destroyShipKeys(directory);
    const resumption = resume(directory, worker);
    const reserve = new Reserve(join(directory, `w${worker}.reserve`), settings.reserveLength, () => {
      settings.onState(
        true,
        'the disk of the audit log is full; the reserve is in use, then queries will be refused',
      );
    });
    const modeOf = (core: LogCore): Mode => new MODES[settings.mode](core);
    this.#core = new LogCore(settings, resumption, reserve, modeOf);
    this.#batch = this.#core.batch;
    this.#mode = this.#core.mode;
    this.counters = this.#core.counters;
    this.#core.begin();
    this.#upkeep = new Upkeep(this.#core, this.#lock);
    this.#tick = setInterval(() => this.#onTick(), Math.min(RETRY_MS, settings.checkpointMs)).unref();
  }

  get healthy(): boolean {
    return this.#core.trouble.why === null;
  }

  renderOutcome(fields: OutcomeFields): Uint8Array {
    return renderOutcome(fields);
  }

  renderDetail(fields: DetailFields): Uint8Array {
    return renderDetail(fields);
  }

  renderTail(entry: Entry): LineText {
    return this.#batch.renderTail(entry);
  }

  append(entry: Entry): void {
    this.#batch.append(entry);
  }

  commit(then: (kept: boolean) => void): void {
    this.#mode.commit(then);
  }

  note(type: string, members: NoteMembers, kept: (() => void) | null = null): boolean {
    checkNote(type, members);
    if (this.#core.isClosed) return false;
    if (!this.#isFlushDue) {
      this.#isFlushDue = true;
      setImmediate(() => {
        this.#isFlushDue = false;
        if (!this.#core.isClosed && this.#core.ledger.segment !== null) this.#core.flushNotes();
      });
    }
    return this.#core.addNote(type, members, kept);
  }

  /** Of the thread of mode `open`: an entry whose line is made already, but for its number. */
  appendRest(octets: Uint8Array, from: number, end: number): void {
    this.#batch.appendRest(octets, from, end);
  }

  /** Of the thread of mode `open`: queries lost before they came here; the next record says so. They are counted elsewhere. */
  miss(count: number, sinceMs: number, why: string): void {
    this.#core.notes.addMissing(count, sinceMs, why);
    if (this.#core.ledger.segment !== null) this.#core.flushNotes();
  }

  /** The same for records of the log about itself. */
  missNotes(count: number): void {
    this.#core.notes.missNotes(count, this.#core.settings.wallMs());
  }

  /** Tries again after a failure, and writes what waits while no query comes. */
  #onTick(): void {
    const { settings, ledger, notes, trouble } = this.#core;
    if (this.#mode.isBusy || this.#batch.open > 0) return;
    const nowMs = settings.monotonicMs();
    const { segment } = ledger;
    if (segment === null) {
      if (trouble.isAttemptDue(nowMs)) this.#core.begin();
      return;
    }
    this.#upkeep.refill(nowMs);
    if (trouble.probing || this.#core.isLate()) return;
    this.#upkeep.erase();
    this.#upkeep.retire(nowMs);
    if (!notes.isEmpty) {
      this.#core.flushNotes();
      return;
    }
    if (!ledger.isAnnounced) {
      this.#mode.writeOwn();
      return;
    }
    if ((this.#core.records === 0 && ledger.isSigned) || !ledger.isCheckpointDue(nowMs)) return;
    this.#core.records = 0;
    ledger.closeBlock('checkpoint');
    this.#mode.writeOwn();
  }

  async close(): Promise<void> {
    if (this.#core.isClosed) return;
    while (this.#mode.isBusy) await new Promise((resolve) => setTimeout(resolve, 5));
    this.#core.close();
    clearInterval(this.#tick);
    const { ledger } = this.#core;
    if (ledger.segment !== null && this.#core.flushNotes()) {
      await new Promise<void>((resolve, reject) => {
        const error = ledger.end((syncError) => (syncError === null ? resolve() : reject(syncError)));
        if (error !== null) reject(error);
      });
    }
    await ledger.close();
    this.#lock.release();
  }
}
