/**
 * The log of one worker: entries gathered for a batch, handed over as the mode promises, divided into leaves and
 * blocks, and spread over segments.
 *
 *    append … append  commit ──▶ write ──▶ then(true) ──▶ block full? segment full? ──▶ sync within the interval
 *                                  │ failed
 *                                  ▼
 *                          take back, refuse ──▶ every 250 ms: a new segment, and a record of what is missing
 *
 * Modes (RELIABILITY section 4):
 *    strict   no answer leaves before its record is on stable storage
 *    bounded  no answer leaves before its record is written to the kernel; at most 100 ms of records are not yet synced
 *    open     answers never wait; records that could not be kept are counted, and the next one says how many
 */
import { mkdirSync } from 'node:fs';
import { Block } from './block.ts';
import type { AuditCounters, AuditLog, DetailFields, Entry, OutcomeFields } from './contract.ts';
import { jsonLine } from './json-text.ts';
import { ENTRY_LENGTH_MAX, LineWriter, timeText } from './line.ts';
import type { AuditSettings } from './options.ts';
import { renderDetail, renderOutcome } from './outcome.ts';
import { type Previous, type Recovered, resume } from './recover.ts';
import { Segment, segmentName } from './segment.ts';
import type { Tree } from './tree.ts';

const VERSION = 1;
const RETRY_MS = 250;
/** Clocks that part by more than this are recorded. */
const CLOCK_STEP_MS = 1000;

const encoder = new TextEncoder();
const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');

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
  readonly #block: Block;
  readonly #writer: LineWriter;
  readonly #tree: Tree;
  #seq: number;
  /** Entries of the open batch, and those of it that an abandoned segment took along. */
  #open = 0;
  #doomed = 0;
  /** Records since the last block line. */
  #records = 0;
  #segment: Segment | null = null;
  #segmentNumber: number;
  #previous: Previous | null;
  /** Leaves that are in the tree while the block line that lists them is not in the file yet. */
  #announcing: readonly string[] | null = null;
  #checkpointAtMs: number;
  #offsetMs: number;
  /** Why nothing is kept at present; null when all is well. */
  #trouble: string | null = null;
  /** Queries without a record since the log stopped, and since when (wall clock). */
  #missing = 0;
  #missingSinceMs = 0;
  #missingWhy = '';
  #syncTimer: NodeJS.Timeout | null = null;
  readonly #tick: NodeJS.Timeout;
  #closed = false;
  /** What was repaired at the start, until a record says so. */
  #recovered: Recovered | null;

  constructor(settings: AuditSettings) {
    this.#settings = settings;
    this.#block = new Block(settings.bufferLength, settings.bufferLengthMax);
    this.#writer = new LineWriter(settings.clients);
    mkdirSync(settings.directory, { recursive: true, mode: 0o750 });
    const resumption = resume(settings.directory, settings.worker);
    this.#seq = resumption.seq;
    this.#segmentNumber = resumption.segment;
    this.#tree = resumption.tree;
    this.#previous = resumption.previous;
    this.#checkpointAtMs = settings.monotonicMs();
    this.#offsetMs = settings.wallMs() - settings.monotonicMs();
    this.#writer.setClockOffset(this.#offsetMs);
    this.#recovered = resumption.recovered;
    this.#begin();
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

  append(entry: Entry): void {
    const length =
      ENTRY_LENGTH_MAX + entry.outcome.length + (entry.detail === null ? 0 : entry.detail.length);
    const block = this.#block;
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
    const kept = this.#keep();
    then(kept || this.#settings.mode === 'open');
    if (kept) this.#afterWrite();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#tick);
    if (this.#syncTimer !== null) clearTimeout(this.#syncTimer);
    const segment = this.#segment;
    if (segment === null) return;
    this.#closeBlock(true, true);
    const error = this.#writeCommitted();
    this.#segment = null;
    await new Promise<void>((resolve, reject) => {
      const finish = (syncError: Error | null): void => {
        if (syncError === null && error === null) resolve();
        else reject(syncError ?? error);
      };
      segment.finish(finish);
    });
  }

  /** Puts the open batch where the mode wants it; false when it was taken back. */
  #keep(): boolean {
    const count = this.#open;
    if (count === 0 && this.#doomed === 0) return this.#trouble === null;
    const segment = this.#segment;
    if (segment === null || this.#doomed > 0)
      return this.#takeBack(this.#trouble ?? 'the batch was too large');
    const nowMs = this.#settings.monotonicMs();
    if (this.#isLate(segment, nowMs)) return this.#takeBack('the disk confirms too slowly');
    this.#block.commit();
    const error = this.#writeCommitted();
    if (error !== null) {
      this.#open = 0;
      this.#seq -= count;
      this.#miss(count, failureText(error));
      this.#abandon(failureText(error));
      return false;
    }
    this.#open = 0;
    this.#records += count;
    this.counters.entries += count;
    this.counters.commits++;
    return true;
  }

  /** `bounded`: whether a record waits for the disk longer than promised. */
  #isLate(segment: Segment, nowMs: number): boolean {
    if (
      this.#settings.mode !== 'bounded' ||
      nowMs - segment.unsyncedSinceMs <= this.#settings.unsyncedMsMax
    ) {
      return false;
    }
    if (segment.syncing) return true;
    try {
      // This thread was held up and the timer with it; the disk itself may be quick.
      segment.syncNow();
      return false;
    } catch (error) {
      this.#poison(segment, error as Error);
      return true;
    }
  }

  #takeBack(why: string): false {
    this.#block.takeBack();
    this.#seq -= this.#open;
    const count = this.#open + this.#doomed;
    this.#open = this.#doomed = 0;
    this.counters.failures++;
    this.#miss(count, why);
    return false;
  }

  #miss(count: number, why: string): void {
    if (this.#missing === 0) {
      this.#missingSinceMs = this.#settings.wallMs();
      this.#missingWhy = why;
    }
    this.#missing += count;
    if (this.#settings.mode === 'open') this.counters.lost += count;
    else this.counters.refused += count;
    this.#setTrouble(why);
  }

  #setTrouble(why: string | null): void {
    if (why === this.#trouble) return;
    const changed = (why === null) !== (this.#trouble === null);
    this.#trouble = why;
    if (changed) this.#settings.onState(why === null, why ?? 'the audit log is written again');
  }

  /** Writes everything committed that is not in the file. */
  #writeCommitted(): NodeJS.ErrnoException | null {
    const block = this.#block;
    const segment = this.#segment!;
    const length = block.committedAt - block.writtenAt;
    if (length === 0) return null;
    const nowMs = this.#settings.monotonicMs();
    const error = segment.write(block.octets, block.writtenAt, block.committedAt, nowMs);
    if (error !== null) return error;
    block.wrote();
    this.#announcing = null;
    this.counters.octets += length;
    this.#scheduleSync(this.#settings.syncIntervalMs);
    return null;
  }

  #afterWrite(): void {
    const settings = this.#settings;
    const block = this.#block;
    const segment = this.#segment;
    if (segment === null) return;
    if (this.#missing > 0) this.#confess();
    const nowMs = settings.monotonicMs();
    const offsetMs = settings.wallMs() - nowMs;
    if (Math.abs(offsetMs - this.#offsetMs) > CLOCK_STEP_MS) this.#noteClock(offsetMs);
    const isDue = nowMs - this.#checkpointAtMs >= settings.checkpointMs;
    if (isDue || this.#records >= settings.blockRecords || block.writtenLength >= settings.blockLength) {
      this.#closeBlock(isDue);
    }
    if (segment.octets >= settings.segmentLength || nowMs - segment.openedAtMs >= settings.segmentAgeMs) {
      this.#rotate();
    }
  }

  /** Every 250 ms: tries again after a failure, writes what waits while no query comes. */
  #onTick(): void {
    if (this.#segment === null) {
      this.#begin();
      return;
    }
    if (this.#open > 0) return;
    if (this.#missing > 0) this.#confess();
    if (this.#segment !== null && this.#records > 0) {
      if (this.#settings.monotonicMs() - this.#checkpointAtMs >= this.#settings.checkpointMs) {
        this.#closeBlock(true);
        this.#write();
      }
    }
  }

  /** Writes what is committed outside of a batch; a failure stops the log. */
  #write(): boolean {
    const error = this.#writeCommitted();
    if (error === null) return true;
    this.#setTrouble(failureText(error));
    this.#abandon(failureText(error));
    return false;
  }

  /** Ends the block with a line that lists its leaves. It is written with what comes next. */
  #closeBlock(isCheckpoint: boolean, closes = false): void {
    if (isCheckpoint) this.#checkpointAtMs = this.#settings.monotonicMs();
    const leaves = this.#block.leaves();
    for (const leaf of leaves) this.#tree.add(leaf);
    const names = leaves.map(hex);
    this.#announcing = names;
    this.#records = 0;
    const line = jsonLine({
      type: isCheckpoint ? 'checkpoint' : 'block',
      ...(isCheckpoint ? { time: timeText(this.#settings.wallMs()) } : {}),
      ...(closes ? { closes: true } : {}),
      leaves: names,
      size: this.#tree.size,
      ...(isCheckpoint ? { root: hex(this.#tree.root()) } : {}),
    });
    this.#block.restart(encoder.encode(line));
  }

  /** Ends this segment and begins the next. The caller knows that no batch is open. */
  #rotate(): void {
    const segment = this.#segment!;
    this.#closeBlock(true, true);
    if (!this.#write()) return;
    this.#leave(segment);
    this.counters.rotations++;
    segment.finish((error) => {
      if (error !== null) this.#poison(segment, error);
    });
    this.#begin();
  }

  /** Takes the end of a segment into the tree, so that the header of the next can name it. */
  #leave(segment: Segment): void {
    let leaves = this.#announcing;
    if (leaves === null) {
      const tail = this.#block.leaves();
      for (const leaf of tail) this.#tree.add(leaf);
      leaves = tail.map(hex);
    }
    this.#announcing = null;
    this.#previous = {
      file: segment.file,
      octets: segment.octets,
      leaves,
      ...(segment.torn ? { torn: true as const } : {}),
    };
    this.#segment = null;
  }

  /** Gives a segment up; the next attempt begins a new one. Whatever is not in the file is dropped. */
  #abandon(why: string): void {
    const segment = this.#segment!;
    this.#doomed += this.#open;
    this.#seq -= this.#open;
    this.#open = 0;
    this.counters.failures++;
    this.#block.dropUnwritten();
    this.#leave(segment);
    segment.retire();
    this.#setTrouble(why);
  }

  #poison(segment: Segment, error: Error): void {
    if (segment === this.#segment)
      this.#abandon(`the disk did not confirm ${segment.file}: ${failureText(error)}`);
  }

  /** Begins a segment; a failure leaves the log stopped until the next attempt. */
  #begin(): void {
    const settings = this.#settings;
    let segment: Segment;
    const wallMs = settings.wallMs();
    try {
      mkdirSync(settings.directory, { recursive: true, mode: 0o750 });
      const file = segmentName(settings.worker, this.#segmentNumber, wallMs);
      segment = new Segment(settings.disk, settings.directory, file, settings.monotonicMs());
      this.#segmentNumber++;
    } catch (error) {
      this.counters.failures++;
      this.#setTrouble(failureText(error as NodeJS.ErrnoException));
      return;
    }
    const header = jsonLine({
      type: 'segment',
      version: VERSION,
      worker: settings.worker,
      boot: settings.bootId,
      number: this.#segmentNumber - 1,
      seq: this.#seq,
      time: timeText(wallMs),
      previous: this.#previous,
      tree: { size: this.#tree.size, frontier: this.#tree.frontier.map(hex) },
    });
    const open = this.#open;
    if (open > 0) {
      this.#doomed += open;
      this.#seq -= open;
      this.#open = 0;
      this.#block.takeBack();
    }
    this.#block.restart(encoder.encode(header));
    this.#segment = segment;
    if (!this.#write()) return;
    if (this.#recovered !== null) {
      if (!this.#note('recovered', { ...this.#recovered })) return;
      this.#recovered = null;
    }
    if (this.#missing > 0) this.#confess();
    else this.#setTrouble(null);
  }

  /** Writes how many queries have no record, and since when. */
  #confess(): void {
    const kept = this.#settings.mode !== 'open';
    const noted = this.#note('gap', {
      [kept ? 'refused' : 'lost']: this.#missing,
      since: timeText(this.#missingSinceMs),
      why: this.#missingWhy,
    });
    if (!noted) return;
    this.#missing = 0;
    this.#setTrouble(null);
  }

  #noteClock(offsetMs: number): void {
    const stepMs = Math.round(offsetMs - this.#offsetMs);
    this.#offsetMs = offsetMs;
    this.#writer.setClockOffset(offsetMs);
    this.#note('clock', { stepMs });
  }

  /** Writes a record of the log about itself, at once; false when that failed. No batch is open. */
  #note(type: string, members: Readonly<Record<string, unknown>>): boolean {
    const wallMs = this.#settings.wallMs();
    const up = Math.max(0, Math.round(wallMs - this.#offsetMs));
    const line = jsonLine({ type, seq: this.#seq, time: timeText(wallMs), up, ...members });
    this.#block.addLine(encoder.encode(line));
    this.#block.commit();
    this.#seq++;
    this.#records++;
    if (this.#write()) return true;
    this.#seq--;
    return false;
  }

  #scheduleSync(delayMs: number): void {
    if (this.#syncTimer !== null || this.#closed) return;
    this.#syncTimer = setTimeout(() => {
      this.#syncTimer = null;
      this.#sync();
    }, delayMs).unref();
  }

  #sync(): void {
    const segment = this.#segment;
    if (segment === null || segment.syncing || segment.unsyncedSinceMs === Number.POSITIVE_INFINITY) return;
    segment.sync((error) => {
      if (error !== null) return this.#poison(segment, error);
      segment.isInPlace((inPlace) => {
        if (!inPlace && segment === this.#segment) this.#abandon(`${segment.path} was removed or replaced`);
      });
      if (segment.unsyncedSinceMs !== Number.POSITIVE_INFINITY)
        this.#scheduleSync(this.#settings.syncIntervalMs);
    });
  }
}

const failureText = (error: NodeJS.ErrnoException): string =>
  error.code === 'ENOSPC' ? 'the disk of the audit log is full (ENOSPC)' : error.message;
