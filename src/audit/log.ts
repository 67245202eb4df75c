/**
 * The log of one worker: numbers, batches, and what becomes of them when the disk fails.
 *
 *    append … append  commit ──▶ write ──▶ then(true) ──▶ block full? segment full? ──▶ sync within the interval
 *                                  │ failed
 *                                  ▼
 *                          take back, refuse ──▶ every 250 ms: a new segment, and a record of what is missing
 *
 * Modes (docs/audit.md):
 *    strict   no answer leaves before its record is on stable storage
 *    bounded  no answer leaves before its record is written to the kernel; at most 100 ms of records are not yet synced:
 *             behind a slow disk answers wait, at most half a second, and are refused after that
 *    open     answers never wait; records that could not be kept are counted, and the next one says how many
 *
 * `strict` gathers: what is committed while the disk is busy forms the next group, and a group is written and synced
 * as a whole or taken back as a whole.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditCounters, AuditLog, DetailFields, Entry, OutcomeFields } from './contract.ts';
import { jsonLine } from './json-text.ts';
import { isFull, Ledger, type Mark } from './ledger.ts';
import { ENTRY_LENGTH_MAX, LineWriter, timeText } from './line.ts';
import { Lock } from './lock.ts';
import { Notes } from './notes.ts';
import type { AuditSettings } from './options.ts';
import { renderDetail, renderOutcome } from './outcome.ts';
import { resume } from './recover.ts';
import { Reserve } from './reserve.ts';
import { deleteSegments, dueForRetirement, type Retirement } from './retention.ts';
import type { Segment } from './segment.ts';

const RETRY_MS = 250;
const ATTEMPT_MS_MAX = 8000;
const REFILL_MS = 10_000;
/** Clocks that part by more than this are recorded. */
const CLOCK_STEP_MS = 1000;
const TOO_SLOW = 'the disk of the audit log confirms too slowly';
const TOO_LARGE = 'a batch was too large for the buffer of the audit log';

const encoder = new TextEncoder();

/** How often held batches are looked at. */
const HOLD_TICK_MS = 5;

/** One commit that waits for the disk: all of them in `strict`, those behind a slow disk in `bounded`. */
interface Waiting {
  readonly then: (kept: boolean) => void;
  readonly count: number;
}

/** `strict`: what is written and synced together. */
interface Group {
  readonly commits: readonly Waiting[];
  readonly mark: Mark;
  /** Number of the first record, and of the first behind it. */
  readonly from: number;
  readonly to: number;
  /** Its queries were refused because the disk took too long; the records may still come to be. */
  overdue: boolean;
}

export class WorkerLog implements AuditLog {
  readonly counters: AuditCounters = {
    entries: 0,
    octets: 0,
    commits: 0,
    failures: 0,
    refused: 0,
    lost: 0,
    rotations: 0,
  };
  readonly #settings: AuditSettings;
  readonly #writer: LineWriter;
  readonly #ledger: Ledger;
  readonly #notes = new Notes();
  /** Number of the next record, and of the first that is not where the mode promises. */
  #seq: number;
  #keptSeq: number;
  /** Entries of the open batch, and those that cannot be kept any more whatever happens. */
  #open = 0;
  #doomed = 0;
  /** Records since the last block line. */
  #records = 0;
  #offsetMs: number;
  /** Why nothing is kept at present; null when all is well. */
  #trouble: string | null = null;
  #waiting: Waiting[] = [];
  #group: Group | null = null;
  #syncTimer: NodeJS.Timeout | null = null;
  /** `bounded`: looks whether the disk has caught up with what it owes, while batches are held. */
  #holdTimer: NodeJS.Timeout | null = null;
  #heldSinceMs: number | null = null;
  readonly #tick: NodeJS.Timeout;
  readonly #lock: Lock;
  #refillAtMs: number;
  #maintainAtMs: number;
  /** Segments whose end is recorded, and the size of the tree at which a checkpoint covers that record. */
  #retired: Retirement | null = null;
  #retiredSize: number | null = null;
  #closed = false;
  /** After trouble: queries are refused until the disk has confirmed the new segment. */
  #probing = false;
  /** Attempts in a row that came to nothing, and when the next is due. */
  #attempts = 0;
  #attemptAtMs = 0;

  constructor(settings: AuditSettings) {
    this.#settings = settings;
    const { directory, worker } = settings;
    mkdirSync(directory, { recursive: true, mode: 0o750 });
    this.#lock = new Lock(directory, worker, settings.bootId);
    const resumption = resume(directory, worker);
    const reserve = new Reserve(join(directory, `w${worker}.reserve`), settings.reserveLength, () => {
      settings.onState(
        true,
        'the disk of the audit log is full; the reserve is in use, then queries will be refused',
      );
    });
    this.#writer = new LineWriter(settings.clients);
    this.#ledger = new Ledger(settings, this.counters, resumption, reserve);
    this.#seq = this.#keptSeq = resumption.seq;
    this.#offsetMs = settings.wallMs() - settings.monotonicMs();
    this.#writer.setClockOffset(this.#offsetMs);
    if (resumption.recovered !== null) this.#notes.add('recovered', { ...resumption.recovered });
    this.#refillAtMs = settings.monotonicMs() + REFILL_MS;
    this.#maintainAtMs = settings.monotonicMs() + Math.min(1000, settings.maintenanceMs);
    this.#begin();
    void reserve.fill();
    this.#tick = setInterval(() => this.#onTick(), Math.min(RETRY_MS, settings.checkpointMs)).unref();
  }

  get healthy(): boolean {
    return this.#trouble === null;
  }

  renderOutcome(fields: OutcomeFields): Uint8Array {
    return renderOutcome(fields);
  }

  renderDetail(fields: DetailFields): Uint8Array {
    return renderDetail(fields);
  }

  renderTail(entry: Entry): Uint8Array {
    const tail = new Uint8Array(entryLengthMax(entry));
    return tail.slice(0, this.#writer.writeTail(tail, 0, entry));
  }

  append(entry: Entry): void {
    const length = entryLengthMax(entry);
    const { block } = this.#ledger;
    if (!block.hasRoom(length)) {
      // The batch has outgrown the largest buffer: it can no longer be kept whole, so none of it is.
      this.#doomed++;
      return;
    }
    block.beginLine();
    block.at = this.#writer.write(block.octets, block.at, this.#seq++, entry);
    this.#open++;
  }

  commit(then: (kept: boolean) => void): void {
    const { mode } = this.#settings;
    if (mode === 'strict') {
      this.#commitToDisk(then);
      return;
    }
    if (mode === 'bounded' && this.#mustHold()) {
      this.#hold(then);
      return;
    }
    if (mode === 'open') then(true);
    const kept = this.#keep();
    if (mode === 'bounded') then(kept);
    if (kept) this.#afterWrite();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    while (this.#group !== null || this.#holdTimer !== null)
      await new Promise((resolve) => setTimeout(resolve, 5));
    this.#closed = true;
    clearInterval(this.#tick);
    if (this.#syncTimer !== null) clearTimeout(this.#syncTimer);
    if (this.#ledger.segment !== null) {
      if (this.#flushNotes()) {
        await new Promise<void>((resolve, reject) => {
          const error = this.#ledger.end((syncError) => (syncError === null ? resolve() : reject(syncError)));
          if (error !== null) reject(error);
        });
      }
    }
    await this.#ledger.close();
    this.#lock.release();
  }

  // ── bounded and open ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Hands the open batch to the kernel; false when it was taken back. */
  #keep(): boolean {
    const count = this.#open;
    if (count === 0 && this.#doomed === 0) return this.#trouble === null;
    const { segment, block } = this.#ledger;
    if (segment === null || this.#probing || this.#doomed > 0) {
      return this.#takeBack(this.#trouble ?? TOO_LARGE);
    }
    if (this.#isLate(segment)) return this.#takeBack(this.#trouble ?? TOO_SLOW);
    block.commit();
    this.#open = 0;
    const error = this.#ledger.write();
    if (error !== null) {
      this.#miss(count, failureText(error));
      this.#stop(error);
      return false;
    }
    this.#kept(count, this.#seq);
    return true;
  }

  /** `bounded`: the disk is busy with records older than was promised; what comes now waits for it, and then for no one. */
  #mustHold(): boolean {
    if (this.#waiting.length > 0) return true;
    const { segment } = this.#ledger;
    // Once a batch had to be refused the rest is refused at once, until the disk has caught up.
    if (segment === null || this.#probing || this.#doomed > 0 || this.#trouble !== null) return false;
    return this.#isLate(segment) && segment === this.#ledger.segment && this.#ledger.syncing;
  }

  /** A batch that waits for the disk costs its clients some milliseconds; refusing it would cost them the answer. */
  #hold(then: (kept: boolean) => void): void {
    if (this.#doomed > 0) {
      then(this.#takeBack(TOO_LARGE));
      return;
    }
    if (this.#open === 0) {
      then(this.#trouble === null);
      return;
    }
    this.#ledger.block.commit();
    this.#waiting.push({ then, count: this.#open });
    this.#open = 0;
    this.#heldSinceMs ??= this.#settings.monotonicMs();
    this.#holdTimer ??= setInterval(() => this.#onHold(), HOLD_TICK_MS);
  }

  /** Lets go of what was held as soon as the disk has caught up, and refuses it when that takes too long. */
  #onHold(): void {
    const { monotonicMs, strictMsMax } = this.#settings;
    const { segment } = this.#ledger;
    if (this.#waiting.length > 0 && segment !== null && this.#isLate(segment)) {
      // A poisoned segment has just taken what was held with it: see `#poison`.
      if (monotonicMs() - (this.#heldSinceMs ?? 0) < strictMsMax) return;
      this.#ledger.block.dropUnwritten();
      this.counters.failures++;
      this.#refuseWaiting(TOO_SLOW);
    }
    if (this.#holdTimer !== null) clearInterval(this.#holdTimer);
    this.#holdTimer = null;
    this.#heldSinceMs = null;
    this.#writeHeld();
  }

  #writeHeld(): void {
    const commits = this.#waiting;
    if (commits.length === 0) return;
    if (this.#ledger.segment === null || this.#probing) {
      this.#ledger.block.dropUnwritten();
      this.#refuseWaiting(this.#trouble ?? TOO_SLOW);
      return;
    }
    this.#waiting = [];
    const count = commits.reduce((sum, commit) => sum + commit.count, 0);
    const to = this.#seq - this.#open;
    const error = this.#ledger.write();
    if (error !== null) {
      this.#miss(count, failureText(error));
      this.#stop(error);
      for (const commit of commits) commit.then(false);
      return;
    }
    this.#kept(count, to);
    this.#setTrouble(null);
    for (const commit of commits) commit.then(true);
    this.#afterWrite();
  }

  #kept(count: number, seq: number): void {
    this.#keptSeq = seq;
    this.#records += count;
    this.counters.entries += count;
    this.counters.commits++;
    if (this.#settings.mode !== 'strict') this.#scheduleSync();
  }

  /** `bounded`: whether a record waits for the disk longer than promised. */
  #isLate(segment: Segment): boolean {
    const { mode, monotonicMs, unsyncedMsMax } = this.#settings;
    if (mode !== 'bounded' || monotonicMs() - this.#ledger.unsyncedSinceMs <= unsyncedMsMax) return false;
    if (this.#ledger.syncing) return true;
    try {
      // This thread was held up and its timer with it; the disk itself may be quick.
      segment.syncNow();
      return false;
    } catch (error) {
      this.#poison(segment, error as Error);
      return true;
    }
  }

  /** Drops the open batch; its numbers are used again. */
  #takeBack(why: string): false {
    const count = this.#open + this.#doomed;
    this.#doom();
    this.#doomed = 0;
    this.counters.failures++;
    this.#miss(count, why);
    return false;
  }

  #doom(): void {
    this.#ledger.block.takeBack();
    this.#seq -= this.#open;
    this.#doomed += this.#open;
    this.#open = 0;
  }

  #miss(count: number, why: string): void {
    const { mode, wallMs } = this.#settings;
    if (mode === 'open') this.counters.lost += count;
    else this.counters.refused += count;
    this.#notes.addMissing(mode === 'open' ? 'lost' : 'refused', count, wallMs(), why);
    this.#setTrouble(why);
  }

  #setTrouble(why: string | null): void {
    const changed = (why === null) !== (this.#trouble === null);
    this.#trouble = why;
    if (changed) this.#settings.onState(why === null, why ?? 'the audit log is written again');
  }

  // ── strict ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #commitToDisk(then: (kept: boolean) => void): void {
    if (this.#open === 0 && this.#doomed === 0) {
      then(this.#trouble === null);
      return;
    }
    const mustWait = this.#probing || this.#group?.overdue === true;
    if (this.#ledger.segment === null || this.#doomed > 0 || mustWait) {
      this.#takeBack(this.#trouble ?? TOO_LARGE);
      then(false);
      return;
    }
    this.#ledger.block.commit();
    this.#waiting.push({ then, count: this.#open });
    this.#open = 0;
    if (this.#group === null) this.#startGroup();
  }

  #startGroup(): void {
    const segment = this.#ledger.segment!;
    const mark = this.#ledger.mark();
    const commits = this.#waiting;
    this.#waiting = [];
    const group: Group = { commits, mark, from: this.#keptSeq, to: this.#seq - this.#open, overdue: false };
    const error = this.#ledger.write();
    if (error !== null) {
      this.#failGroup(group, failureText(error));
      this.#stop(error);
      return;
    }
    this.#group = group;
    const timer = setTimeout(() => this.#onOverdue(group), this.#settings.strictMsMax).unref();
    this.#ledger.sync((syncError) => {
      clearTimeout(timer);
      this.#group = null;
      if (syncError === null) this.#endGroup(group, segment);
      else {
        this.#ledger.rollBack(mark);
        this.#failGroup(group, failureText(syncError));
        this.#poison(segment, syncError);
      }
    });
  }

  #endGroup(group: Group, segment: Segment): void {
    const count = group.commits.reduce((sum, commit) => sum + commit.count, 0);
    this.#kept(count, group.to);
    this.#notes.settle(true);
    this.#trust();
    if (group.overdue && count > 0) {
      const why = 'these records were written, but their queries had been refused: the disk took too long';
      this.#notes.add('late', { from: group.from, to: group.to - 1, why });
    } else {
      for (const commit of group.commits) commit.then(true);
    }
    if (segment === this.#ledger.segment) {
      this.#afterWrite();
      this.#watchPlace(segment);
    }
    if (this.#waiting.length > 0 && this.#group === null && this.#ledger.segment !== null) this.#startGroup();
  }

  /** The disk has not answered in time: everyone who waits is refused, and nobody else is let in until it has. */
  #onOverdue(group: Group): void {
    group.overdue = true;
    const refused = [...group.commits, ...this.#waiting];
    this.#waiting = [];
    this.#doom();
    this.#ledger.block.dropUnwritten();
    this.#seq = group.to;
    this.counters.failures++;
    this.#setTrouble(TOO_SLOW);
    for (const commit of refused) this.#miss(commit.count, TOO_SLOW);
    for (const commit of refused) commit.then(false);
  }

  /** Refuses a group that is not in the file, and all that waited behind it. */
  #failGroup(group: Group, why: string): void {
    const refused = group.overdue ? this.#waiting : [...group.commits, ...this.#waiting];
    this.#waiting = [];
    this.#doom();
    this.#ledger.block.dropUnwritten();
    this.#notes.settle(false);
    this.#seq = this.#keptSeq = group.from;
    for (const commit of refused) this.#miss(commit.count, why);
    for (const commit of refused) commit.then(false);
  }

  // ── all modes ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #afterWrite(): void {
    const { blockRecords, blockLength, wallMs, monotonicMs } = this.#settings;
    const ledger = this.#ledger;
    const nowMs = monotonicMs();
    const offsetMs = wallMs() - nowMs;
    if (Math.abs(offsetMs - this.#offsetMs) > CLOCK_STEP_MS) this.#noteClock(offsetMs);
    const isDue = ledger.isCheckpointDue(nowMs);
    // On a full disk the segment at hand goes on growing: it is the one that can still say that it stopped.
    if (ledger.isSegmentDue(nowMs) && this.#mayRotate()) {
      this.#rotate();
    } else if (isDue || this.#records >= blockRecords || ledger.block.writtenLength >= blockLength) {
      this.#records = 0;
      ledger.closeBlock(isDue ? 'checkpoint' : 'block');
    }
    // Last, because in `strict` it begins a group.
    if (!this.#notes.isEmpty && ledger.segment !== null) this.#flushNotes();
  }

  /** Tries again after a failure, and writes what waits while no query comes. */
  #onTick(): void {
    if (this.#group !== null || this.#open > 0 || this.#holdTimer !== null) return;
    const nowMs = this.#settings.monotonicMs();
    const { segment, reserve } = this.#ledger;
    if (segment === null) {
      if (nowMs >= this.#attemptAtMs) this.#begin();
      return;
    }
    if (nowMs >= this.#refillAtMs) {
      this.#refillAtMs = nowMs + REFILL_MS;
      void reserve.fill();
    }
    if (this.#probing || this.#isLate(segment)) return;
    if (nowMs >= this.#maintainAtMs) this.#maintain(nowMs);
    if (!this.#notes.isEmpty) {
      this.#flushNotes();
      return;
    }
    const ledger = this.#ledger;
    if (!ledger.isAnnounced) {
      this.#writeOwn();
      return;
    }
    if ((this.#records === 0 && ledger.isSigned) || !ledger.isCheckpointDue(nowMs)) return;
    this.#records = 0;
    ledger.closeBlock('checkpoint');
    this.#writeOwn();
  }

  /** Deletes what was recorded as retired the last time, and records what is due now. */
  #maintain(nowMs: number): void {
    const { directory, worker, retention, maintenanceMs, wallMs } = this.#settings;
    this.#maintainAtMs = nowMs + maintenanceMs;
    if (retention === null || this.#trouble !== null) return;
    const retired = this.#retired;
    if (retired !== null) {
      if (!this.#notes.isEmpty) return;
      // The record is in the block at hand or in one before it: the next checkpoint on the disk covers it.
      this.#retiredSize ??= this.#ledger.size + (this.#records > 0 ? 1 : 0);
      if (this.#ledger.publishedSize < this.#retiredSize) return;
      deleteSegments(directory, retired);
      this.#retired = this.#retiredSize = null;
    }
    try {
      this.#retired = dueForRetirement(directory, worker, retention, wallMs());
    } catch {
      // A file went away while it was looked at; the next round sees the rest.
    }
    if (this.#retired !== null) this.#notes.add('retired', { ...this.#retired });
  }

  /** Writes lines of the log's own; false when that failed and the log stopped. In `strict` they are a group. */
  #writeOwn(): boolean {
    if (this.#settings.mode === 'strict' && !this.#closed) {
      if (this.#group === null) this.#startGroup();
      return this.#ledger.segment !== null;
    }
    const error = this.#ledger.write();
    if (error !== null) {
      this.#stop(error);
      return false;
    }
    this.#notes.settle(true);
    this.#keptSeq = this.#seq;
    this.#scheduleSync();
    return true;
  }

  /** Begins a segment; on failure the log stays stopped until the next attempt. */
  #begin(): void {
    const { mode, monotonicMs } = this.#settings;
    // Segments that come to nothing must not pile up: a disk that keeps failing is asked less and less often.
    this.#attemptAtMs = monotonicMs() + Math.min(RETRY_MS * 2 ** this.#attempts, ATTEMPT_MS_MAX);
    this.#doom();
    const error = this.#ledger.begin(this.#seq);
    if (error !== null) {
      this.counters.failures++;
      this.#setTrouble(failureText(error));
      return;
    }
    this.#probing = this.#trouble !== null && mode !== 'open';
    if (!this.#flushNotes()) return;
    if (!this.#probing) {
      this.#setTrouble(null);
      this.#scheduleSync();
    } else if (this.#group === null) {
      this.#sync();
    }
  }

  /** The disk has confirmed what was asked of it. */
  #trust(): void {
    this.#attempts = 0;
    if (!this.#probing && this.#trouble === null) return;
    this.#probing = false;
    if (this.#ledger.segment !== null) this.#setTrouble(null);
  }

  #mayRotate(): boolean {
    try {
      return this.#ledger.hasRoom();
    } catch {
      // The directory is gone; `begin` makes it again.
      return true;
    }
  }

  #rotate(): void {
    const segment = this.#ledger.segment!;
    const error = this.#ledger.end((syncError) => {
      if (syncError !== null) this.#notePoison(segment, syncError);
    });
    if (error !== null) {
      this.#refuseWaiting(failureText(error));
      this.#stop(error);
      return;
    }
    this.#records = 0;
    this.counters.rotations++;
    const beginError = this.#ledger.begin(this.#keptSeq);
    if (beginError === null) {
      this.#scheduleSync();
      return;
    }
    // What waited for the next group in `strict` went with the segment that could not be begun.
    this.#refuseWaiting(failureText(beginError));
    this.counters.failures++;
    this.#setTrouble(failureText(beginError));
  }

  #refuseWaiting(why: string): void {
    const refused = this.#waiting;
    this.#waiting = [];
    this.#doomed += this.#open;
    this.#open = 0;
    this.#seq = this.#keptSeq;
    for (const commit of refused) this.#miss(commit.count, why);
    for (const commit of refused) commit.then(false);
  }

  /** Gives the segment up after a failed write. When the disk is full, the last of the reserve holds the record of it. */
  #stop(error: NodeJS.ErrnoException): void {
    const why = failureText(error);
    const ledger = this.#ledger;
    this.counters.failures++;
    this.#doomed += this.#open;
    this.#open = 0;
    ledger.block.dropUnwritten();
    this.#notes.settle(false);
    this.#seq = this.#keptSeq;
    const segment = ledger.segment;
    if (segment === null) return;
    if (isFull(error) && !segment.torn && ledger.reserve.releaseLast()) {
      this.#addRecord('stopped', { why });
      if (ledger.write() === null) this.#keptSeq = this.#seq;
      else this.#seq = this.#keptSeq;
    }
    ledger.abandon((syncError) => {
      if (syncError !== null) this.#notePoison(segment, syncError);
    });
    this.#records = 0;
    this.#setTrouble(why);
  }

  /** A sync that failed may have lost what it was to keep, whatever a second one says: the segment is not used again. */
  #poison(segment: Segment, error: Error): void {
    this.#notePoison(segment, error);
    if (segment !== this.#ledger.segment) return;
    this.counters.failures++;
    if (this.#settings.mode === 'bounded') this.#refuseWaiting(failureText(error));
    this.#doom();
    this.#ledger.abandon(null);
    this.#records = 0;
    this.#probing = false;
    this.#setTrouble(`the disk did not confirm ${segment.file}: ${failureText(error)}`);
    // At once after the first failure, with growing pauses when they go on.
    if (this.#attempts++ === 0) this.#begin();
  }

  #notePoison(segment: Segment, error: Error): void {
    const why = 'the disk did not confirm its latest records: after a power cut they may be missing';
    this.#notes.add('poisoned', {
      file: segment.file,
      octets: segment.octets,
      error: failureText(error),
      why,
    });
  }

  #noteClock(offsetMs: number): void {
    const stepMs = Math.round(offsetMs - this.#offsetMs);
    this.#offsetMs = offsetMs;
    this.#writer.setClockOffset(offsetMs);
    this.#notes.add('clock', { stepMs });
  }

  /** Writes the records that the log has to make of itself; false when that failed and the log stopped. */
  #flushNotes(): boolean {
    if (this.#open > 0 || this.#holdTimer !== null || this.#notes.isEmpty) return true;
    for (const { type, members } of this.#notes.take()) this.#addRecord(type, members);
    const kept = this.#writeOwn();
    if (kept && !this.#probing && this.#settings.mode !== 'strict') this.#setTrouble(null);
    return kept;
  }

  #addRecord(type: string, members: Readonly<Record<string, unknown>>): void {
    const wallMs = this.#settings.wallMs();
    const up = Math.max(0, Math.round(wallMs - this.#offsetMs));
    const line = jsonLine({ type, seq: this.#seq, time: timeText(wallMs), up, ...members });
    const { block } = this.#ledger;
    block.addLine(encoder.encode(line));
    block.commit();
    this.#seq++;
    this.#records++;
  }

  #scheduleSync(): void {
    if (this.#syncTimer !== null || this.#closed) return;
    this.#syncTimer = setTimeout(() => {
      this.#syncTimer = null;
      this.#sync();
    }, this.#settings.syncIntervalMs).unref();
  }

  #sync(): void {
    const { segment } = this.#ledger;
    if (segment === null || segment.unsyncedSinceMs === Number.POSITIVE_INFINITY) return;
    if (this.#ledger.syncing) {
      // What is under way may be an earlier segment; this one has its turn.
      this.#scheduleSync();
      return;
    }
    this.#ledger.sync((error) => {
      // A segment that was given up meanwhile has had its note.
      if (segment !== this.#ledger.segment) return;
      if (error !== null) {
        this.#poison(segment, error);
        return;
      }
      this.#trust();
      this.#watchPlace(segment);
      if (segment.unsyncedSinceMs !== Number.POSITIVE_INFINITY) this.#scheduleSync();
    });
  }

  /** Notices that the file was removed or replaced: what is written to it then is written to nowhere. */
  #watchPlace(segment: Segment): void {
    segment.isInPlace((inPlace) => {
      if (inPlace || segment !== this.#ledger.segment || this.#group !== null || this.#closed) return;
      this.#notes.add('removed', {
        file: segment.file,
        why: 'the segment was removed or replaced while in use',
      });
      this.#doom();
      this.#refuseWaiting('the audit segment was removed');
      this.#ledger.abandon(null);
      this.#records = 0;
      this.#setTrouble(`${segment.path} was removed or replaced`);
      this.#begin();
    });
  }
}

const entryLengthMax = ({ outcome, detail, tail }: Entry): number =>
  ENTRY_LENGTH_MAX + (tail === null ? outcome.length + (detail === null ? 0 : detail.length) : tail.length);

const failureText = (error: NodeJS.ErrnoException): string =>
  isFull(error) ? `the disk of the audit log is full (${error.code})` : error.message;
