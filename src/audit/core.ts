/**
 * What all modes do alike with the log of one worker: segments begun, rotated and given up, and the records that the
 * log makes of itself.
 *
 *    write ──▶ block full? segment full? ──▶ sync within the interval
 *      │ failed                                │ failed
 *      ▼                                       ▼
 *    stop ──▶ every 250 ms: `begin`          poison ──▶ `begin` at once, then with growing pauses
 *                 └──▶ a new segment, and in it a record of what is missing
 */
import { Batch } from './batch.ts';
import type { AuditCounters, NoteMembers } from './contract.ts';
import { jsonLine } from './json-text.ts';
import { isFull, Ledger } from './ledger.ts';
import { timeText } from './line.ts';
import { type Mode, TOO_LARGE, TOO_SLOW, type Waiting } from './mode.ts';
import { Notes } from './notes.ts';
import type { AuditSettings } from './options.ts';
import type { Resumption } from './recover.ts';
import type { Reserve } from './reserve.ts';
import type { Segment } from './segment.ts';
import { failureText, Trouble } from './trouble.ts';

/** Clocks that part by more than this are recorded. */
const CLOCK_STEP_MS = 1000;

/** Types of records that say nothing of clients: they stay readable where entries are encrypted. */
const OPEN_TYPES = new Set([
  'gap',
  'stopped',
  'recovered',
  'poisoned',
  'late',
  'removed',
  'clock',
  'retired',
  'anonymised',
  'erased',
  'unshipped',
]);

const encoder = new TextEncoder();

export class LogCore {
  readonly settings: AuditSettings;
  readonly counters: AuditCounters = {
    entries: 0,
    octets: 0,
    commits: 0,
    failures: 0,
    refused: 0,
    lost: 0,
    rotations: 0,
  };
  readonly batch: Batch;
  readonly ledger: Ledger;
  readonly notes: Notes;
  readonly trouble: Trouble;
  /** Records since the last block line. */
  records = 0;
  isClosed = false;
  readonly #mode: Mode;
  #offsetMs: number;
  #syncTimer: NodeJS.Timeout | null = null;

  constructor(
    settings: AuditSettings,
    resumption: Resumption,
    reserve: Reserve,
    modeOf: (core: LogCore) => Mode,
  ) {
    this.settings = settings;
    this.notes = new Notes(settings.mode === 'open' ? 'lost' : 'refused');
    this.trouble = new Trouble(settings, this.counters, this.notes);
    this.ledger = new Ledger(settings, this.counters, resumption, reserve);
    this.batch = new Batch(this.ledger.block, resumption.seq, settings.clients, this.ledger.sealer);
    this.#mode = modeOf(this);
    this.#offsetMs = settings.wallMs() - settings.monotonicMs();
    this.batch.setClockOffset(this.#offsetMs);
    if (resumption.recovered !== null) this.addNote('recovered', { ...resumption.recovered });
  }

  get mode(): Mode {
    return this.#mode;
  }

  addNote(type: string, members: NoteMembers, kept: (() => void) | null = null): boolean {
    return this.notes.add({ type, members, kept }, this.settings.wallMs());
  }

  // ── a batch ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Hands the open batch to the kernel; false when it was taken back. */
  keep(): boolean {
    const { batch, trouble, ledger } = this;
    if (batch.isEmpty) return trouble.why === null;
    const { segment } = ledger;
    if (segment === null || trouble.probing || batch.doomed > 0) {
      return this.takeBack(trouble.why ?? TOO_LARGE);
    }
    if (this.isLate()) return this.takeBack(trouble.why ?? TOO_SLOW);
    const count = batch.close();
    const error = ledger.write();
    if (error !== null) {
      trouble.miss(count, failureText(error));
      this.stop(error);
      return false;
    }
    this.kept(count, batch.seq);
    return true;
  }

  /** Records up to `seq` are where the mode promises; `count` of them are entries. */
  kept(count: number, seq: number): void {
    this.batch.keptSeq = seq;
    this.records += count;
    this.counters.entries += count;
    this.counters.commits++;
    if (this.settings.mode !== 'strict') this.scheduleSync();
  }

  /** Drops the open batch; its numbers are used again. */
  takeBack(why: string): false {
    const count = this.batch.drop();
    this.counters.failures++;
    this.trouble.miss(count, why);
    return false;
  }

  refuse(commits: readonly Waiting[], why: string): void {
    for (const { count } of commits) this.trouble.miss(count, why);
    for (const { then } of commits) then(false);
  }

  /** `bounded`: whether a record waits for the disk longer than promised; if so the disk is at it. */
  isLate(): boolean {
    if (!this.#isBehind()) return false;
    // This thread was held up, and its timer with it. Waiting for the disk here would hold it up again.
    if (!this.ledger.syncing) this.#sync();
    return true;
  }

  #isBehind(): boolean {
    const { mode, monotonicMs, unsyncedMsMax } = this.settings;
    return mode === 'bounded' && monotonicMs() - this.ledger.unsyncedSinceMs > unsyncedMsMax;
  }

  /** Ends the block or the segment when it is time, and writes what the log has to say of itself. */
  afterWrite(): void {
    const { blockRecords, blockLength, wallMs, monotonicMs } = this.settings;
    const { ledger } = this;
    ledger.block.hashWhole();
    const nowMs = monotonicMs();
    const offsetMs = wallMs() - nowMs;
    if (Math.abs(offsetMs - this.#offsetMs) > CLOCK_STEP_MS) this.#noteClock(offsetMs);
    const isDue = ledger.isCheckpointDue(nowMs);
    // On a full disk the segment at hand goes on growing: it is the one that can still say that it stopped.
    if (ledger.isSegmentDue(nowMs) && this.#mayRotate()) {
      this.#rotate();
    } else if (isDue || this.records >= blockRecords || ledger.block.writtenLength >= blockLength) {
      this.records = 0;
      ledger.closeBlock(isDue ? 'checkpoint' : 'block');
    }
    // Last, because in `strict` it begins a group.
    if (!this.notes.isEmpty && ledger.segment !== null) this.flushNotes();
  }

  #noteClock(offsetMs: number): void {
    const stepMs = Math.round(offsetMs - this.#offsetMs);
    this.#offsetMs = offsetMs;
    this.batch.setClockOffset(offsetMs);
    this.addNote('clock', { stepMs });
  }

  // ── records of the log about itself ───────────────────────────────────────────────────────────────────────────────

  /** Writes the notes; false when that failed and the log stopped. */
  flushNotes(): boolean {
    if (this.batch.open > 0 || this.#mode.isBusy || this.notes.isEmpty) return true;
    for (const { type, members } of this.notes.take()) this.#addRecord(type, members);
    const kept = this.#mode.writeOwn();
    if (kept && !this.trouble.probing && this.settings.mode !== 'strict') this.trouble.set(null);
    return kept;
  }

  #addRecord(type: string, members: NoteMembers): void {
    const { batch, settings } = this;
    const wallMs = settings.wallMs();
    const up = Math.max(0, Math.round(wallMs - this.#offsetMs));
    const line = jsonLine({ type, seq: batch.seq, time: timeText(wallMs), up, ...members });
    batch.addLine(encoder.encode(line), !OPEN_TYPES.has(type));
    this.records++;
  }

  /** Writes lines of the log's own at once; false when that failed and the log stopped. */
  writeNow(): boolean {
    const error = this.ledger.write();
    if (error !== null) {
      this.stop(error);
      return false;
    }
    this.batch.keptSeq = this.batch.seq;
    this.notes.settle(true);
    this.scheduleSync();
    return true;
  }

  // ── segments ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Begins a segment; on failure the log stays stopped until the next attempt. */
  begin(): void {
    const { batch, trouble, ledger, settings } = this;
    trouble.beginAttempt(settings.monotonicMs());
    batch.doom();
    const error = ledger.begin(batch.seq);
    if (error !== null) {
      this.counters.failures++;
      trouble.set(failureText(error));
      return;
    }
    trouble.probing = trouble.why !== null && settings.mode !== 'open';
    if (!this.flushNotes()) return;
    if (!trouble.probing) {
      trouble.set(null);
      this.scheduleSync();
    } else if (!this.#mode.isBusy) {
      this.#sync();
    }
  }

  #mayRotate(): boolean {
    try {
      return this.ledger.hasRoom();
    } catch {
      // The directory is gone; `begin` makes it again.
      return true;
    }
  }

  #rotate(): void {
    const { ledger } = this;
    const segment = ledger.segment!;
    const error = ledger.end((syncError) => {
      if (syncError !== null) this.#notePoison(segment, syncError);
    });
    if (error !== null) {
      this.#mode.refuseWaiting(failureText(error));
      this.stop(error);
      return;
    }
    this.records = 0;
    this.counters.rotations++;
    const beginError = ledger.begin(this.batch.keptSeq);
    if (beginError === null) {
      this.scheduleSync();
      return;
    }
    // What waited for the next group in `strict` went with the segment that could not be begun.
    this.#mode.refuseWaiting(failureText(beginError));
    this.counters.failures++;
    this.trouble.set(failureText(beginError));
  }

  /** Gives the segment up after a failed write. When the disk is full, the last of the reserve holds the record of it. */
  stop(error: NodeJS.ErrnoException): void {
    const { batch, ledger } = this;
    const why = failureText(error);
    this.counters.failures++;
    ledger.dropWaiting();
    this.notes.settle(false);
    batch.rewind();
    const { segment } = ledger;
    if (segment === null) return;
    if (isFull(error) && !segment.torn && ledger.reserve.releaseLast()) {
      this.#addRecord('stopped', { why });
      if (ledger.write() === null) batch.keptSeq = batch.seq;
      else batch.seq = batch.keptSeq;
    }
    ledger.abandon((syncError) => {
      if (syncError !== null) this.#notePoison(segment, syncError);
    });
    this.records = 0;
    this.trouble.set(why);
  }

  /** A sync that failed may have lost what it was to keep, whatever a second one says: the segment is not used again. */
  poison(segment: Segment, error: Error): void {
    this.#notePoison(segment, error);
    if (segment !== this.ledger.segment) return;
    this.counters.failures++;
    this.#mode.onPoison(failureText(error));
    this.batch.doom();
    this.ledger.abandon(null);
    this.records = 0;
    this.trouble.probing = false;
    this.trouble.set(`the disk did not confirm ${segment.file}: ${failureText(error)}`);
    // At once after the first failure, with growing pauses when they go on.
    if (this.trouble.fail()) this.begin();
  }

  #notePoison(segment: Segment, error: Error): void {
    const why = 'the disk did not confirm its latest records: after a power cut they may be missing';
    this.addNote('poisoned', { file: segment.file, octets: segment.octets, error: failureText(error), why });
  }

  // ── the disk ──────────────────────────────────────────────────────────────────────────────────────────────────────

  scheduleSync(): void {
    if (this.#syncTimer !== null || this.isClosed) return;
    this.#syncTimer = setTimeout(() => {
      this.#syncTimer = null;
      this.#sync();
    }, this.settings.syncIntervalMs).unref();
  }

  #sync(): void {
    const { segment } = this.ledger;
    if (segment === null || segment.unsyncedSinceMs === Number.POSITIVE_INFINITY) return;
    if (this.ledger.syncing) {
      // What is under way may be an earlier segment; this one has its turn.
      this.scheduleSync();
      return;
    }
    this.#askDisk(segment);
  }

  #askDisk(segment: Segment): void {
    this.ledger.sync((error) => {
      // A segment that was given up meanwhile has had its note.
      if (segment !== this.ledger.segment) return;
      if (error !== null) {
        this.poison(segment, error);
        return;
      }
      this.watchPlace(segment);
      // What was written since the disk was asked has waited for as long as that took.
      if (this.#isBehind()) {
        this.#askDisk(segment);
        return;
      }
      this.trust();
      if (segment.unsyncedSinceMs !== Number.POSITIVE_INFINITY) this.scheduleSync();
    });
  }

  /** The disk has confirmed what was asked of it. */
  trust(): void {
    if (this.trouble.confirm() && this.ledger.segment !== null) this.trouble.set(null);
  }

  /** Notices that the file was removed or replaced: what is written to it then is written to nowhere. */
  watchPlace(segment: Segment): void {
    segment.isInPlace((inPlace) => {
      if (inPlace || segment !== this.ledger.segment || this.#mode.isBusy || this.isClosed) return;
      this.addNote('removed', {
        file: segment.file,
        why: 'the segment was removed or replaced while in use',
      });
      this.batch.doom();
      this.#mode.refuseWaiting('the audit segment was removed');
      this.ledger.abandon(null);
      this.records = 0;
      this.trouble.set(`${segment.path} was removed or replaced`);
      this.begin();
    });
  }

  close(): void {
    this.isClosed = true;
    if (this.#syncTimer !== null) clearTimeout(this.#syncTimer);
  }
}
