/**
 * Mode `open`: a log that never waits for anything. Lines go into memory; a thread of its own writes them, and everything
 * else that touches the disk happens there: segments, keys, syncs, retention.
 *
 *    append ─▶ open-buffer ─▶ open-thread: WorkerLog ─▶ disk
 *                 └ full: the query is answered all the same, counted, and confessed before the next line that is kept
 *
 * A disk that hangs holds up that thread only.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { lineLengthMax } from './batch.ts';
import type { AuditCounters, AuditLog, DetailFields, Entry, NoteMembers, OutcomeFields } from './contract.ts';
import { LineWriter } from './line.ts';
import { type LineText, lineTextOf } from './line-text.ts';
import { AuditInUse } from './lock.ts';
import { checkNote } from './notes.ts';
import { CHUNK_LENGTH, FillingEnd, PLACE_LENGTH } from './open-buffer.ts';
import type { AuditSettings } from './options.ts';
import { renderDetail, renderOutcome } from './outcome.ts';
import { anonymise } from './pseudonyms.ts';
import { AuditDamaged } from './recover.ts';

/** What the writing thread is started with. */
export interface OpenThreadStart {
  readonly port: MessagePort;
  readonly lines: SharedArrayBuffer;
  readonly control: SharedArrayBuffer;
  readonly figures: SharedArrayBuffer;
  /** Milliseconds since 1970 at which the monotonic clock of this thread began: that of a record is the data thread's. */
  readonly timeOrigin: number;
  /** Settings without their functions. */
  readonly settings: OpenThreadSettings;
}

/** Settings that can be handed to a thread. */
export type OpenThreadSettings = Omit<
  AuditSettings,
  'clients' | 'onCheckpoint' | 'wallMs' | 'monotonicMs' | 'onState' | 'disk' | 'threadFile'
>;

export type ToOpenThread =
  /** There are lines, and the thread was asleep. */
  | { readonly kind: 'lines' }
  /** `lost`: so many notes before it found no room. */
  | {
      readonly kind: 'note';
      readonly id: number;
      readonly type: string;
      readonly members: NoteMembers;
      readonly lost: number;
    }
  | { readonly kind: 'close' };

export type FromOpenThread =
  | { readonly kind: 'failed'; readonly name: string; readonly message: string }
  /** The log is open, and well. */
  | { readonly kind: 'well' }
  | { readonly kind: 'state'; readonly healthy: boolean; readonly why: string }
  | { readonly kind: 'checkpoint'; readonly line: string }
  | { readonly kind: 'kept'; readonly id: number }
  | { readonly kind: 'closed' };

/** Places of `control`. */
export const ASLEEP = 0;
export const OPENED = 1;
/** Where `open-buffer` keeps the place of the writer. */
export const PLACE = 2;
export const IS_OPEN = 1;
export const HAS_FAILED = 2;
/** What stands in `figures`, in this order. */
export const FIGURES = ['entries', 'octets', 'commits', 'failures', 'lost', 'rotations'] as const;

const START_MS_MAX = 30_000;
const RESTART_MS = 1000;
const TICK_MS = 250;
/** How long a log that is closed waits for a disk that hangs. */
const CLOSE_MS_MAX = 5000;
const NOTES_MAX = 256;
/** Clocks that part by more than this are looked at anew. */
const CLOCK_STEP_MS = 1000;
const BEHIND = 'the disk of the audit log takes less than there is to write: entries are lost';

export class OpenLog implements AuditLog {
  readonly #settings: AuditSettings;
  readonly #lines: SharedArrayBuffer;
  readonly #filling: FillingEnd;
  readonly #writer: LineWriter;
  readonly #control = new Int32Array(new SharedArrayBuffer((PLACE + PLACE_LENGTH) * 4));
  readonly #figures = new Float64Array(new SharedArrayBuffer(FIGURES.length * 8));
  #port!: MessagePort;
  #thread!: Worker;
  /** What the thread says of itself; null when all is well. */
  #trouble: string | null = null;
  #lost = 0;
  #losing = false;
  #noteId = 0;
  readonly #notes = new Map<number, (() => void) | null>();
  #notesLost = 0;
  #offsetMs: number;
  readonly #tick: NodeJS.Timeout;
  #closing = false;
  #maintainAtMs = 0;
  #onClosed: () => void = () => {};

  /** Waits until the thread has opened the log; throws as `openAudit` says. */
  constructor(settings: AuditSettings) {
    this.#settings = settings;
    const chunks = Math.max(2, Math.floor(settings.bufferLengthMax / CHUNK_LENGTH));
    this.#lines = new SharedArrayBuffer(chunks * CHUNK_LENGTH);
    this.#filling = new FillingEnd(this.#lines);
    this.#writer = new LineWriter(settings.clients);
    this.#offsetMs = settings.wallMs() - settings.monotonicMs();
    this.#writer.setClockOffset(this.#offsetMs);
    this.#start();
    if (Atomics.wait(this.#control, OPENED, 0, START_MS_MAX) === 'timed-out') {
      void this.#thread.terminate();
      throw new Error(
        `the audit log in ${settings.directory} was not opened within ${START_MS_MAX / 1000} s`,
      );
    }
    if (this.#control[OPENED] === HAS_FAILED) throw this.#failure();
    this.#tick = setInterval(() => this.#onTick(), TICK_MS).unref();
  }

  #start(): void {
    const { clients, onCheckpoint, wallMs, monotonicMs, onState, disk, threadFile, ...settings } =
      this.#settings;
    const { port1, port2 } = new MessageChannel();
    const start: OpenThreadStart = {
      port: port2,
      lines: this.#lines,
      control: this.#control.buffer as SharedArrayBuffer,
      figures: this.#figures.buffer as SharedArrayBuffer,
      timeOrigin: performance.timeOrigin,
      settings,
    };
    this.#port = port1;
    this.#thread = new Worker(threadFile, { workerData: start, transferList: [port2] });
    this.#thread.unref();
    port1.on('message', (message: FromOpenThread) => this.#hear(message));
    port1.unref();
    this.#thread.on('error', (error) =>
      this.#setTrouble(`the thread of the audit log failed: ${error.message}`),
    );
    this.#thread.on('exit', () => this.#onExit());
  }

  #failure(): Error {
    const message = receiveMessageOnPort(this.#port)?.message as FromOpenThread | undefined;
    this.#closing = true;
    if (message?.kind !== 'failed') return new Error('the thread of the audit log ended without a word');
    if (message.name === AuditDamaged.name) return new AuditDamaged(message.message);
    if (message.name === AuditInUse.name) return new AuditInUse(message.message);
    return new Error(message.message);
  }

  /** It ended by itself: another goes on where it was. */
  #onExit(): void {
    if (this.#closing) {
      this.#onClosed();
      return;
    }
    if (this.#trouble === null) this.#setTrouble('the thread of the audit log ended');
    Atomics.store(this.#control, ASLEEP, 0);
    setTimeout(() => {
      if (!this.#closing) this.#start();
    }, RESTART_MS).unref();
  }

  #hear(message: FromOpenThread): void {
    switch (message.kind) {
      case 'state':
        this.#hearState(message.healthy, message.why);
        return;
      case 'well':
        // From the first thread it is no news.
        if (this.#trouble !== null) this.#hearState(true, 'the audit log is written again');
        return;
      case 'checkpoint':
        this.#settings.onCheckpoint(message.line);
        return;
      case 'kept':
        this.#notes.get(message.id)?.();
        this.#notes.delete(message.id);
        return;
      case 'failed':
        this.#setTrouble(message.message);
        return;
      case 'closed':
        this.#onClosed();
    }
  }

  #hearState(healthy: boolean, why: string): void {
    this.#trouble = healthy ? null : why;
    if (!healthy || !this.#losing) this.#settings.onState(healthy, why);
  }

  #setTrouble(why: string): void {
    this.#trouble = why;
    this.#settings.onState(false, why);
  }

  get healthy(): boolean {
    return this.#trouble === null && !this.#losing;
  }

  get counters(): AuditCounters {
    const [entries, octets, commits, failures, lost, rotations] = this.#figures;
    return { entries, octets, commits, failures, refused: 0, lost: lost + this.#lost, rotations };
  }

  renderOutcome(fields: OutcomeFields): Uint8Array {
    return renderOutcome(fields);
  }

  renderDetail(fields: DetailFields): Uint8Array {
    return renderDetail(fields);
  }

  renderTail(entry: Entry): LineText {
    const tail = new Uint8Array(lineLengthMax(entry));
    return lineTextOf(tail.subarray(0, this.#writer.writeTail(tail, 0, entry)));
  }

  append(entry: Entry): void {
    const filling = this.#filling;
    if (!filling.hasRoom(lineLengthMax(entry))) {
      this.#lose();
      return;
    }
    if (this.#losing) this.#endLoss();
    filling.at = this.#writer.writeRest(filling.chunk, filling.at, entry);
  }

  commit(then: (kept: boolean) => void): void {
    this.#filling.publish();
    this.#wake();
    then(true);
  }

  #wake(): void {
    if (Atomics.load(this.#control, ASLEEP) === 0) return;
    Atomics.store(this.#control, ASLEEP, 0);
    this.#say({ kind: 'lines' });
  }

  #say(message: ToOpenThread): void {
    this.#port.postMessage(message);
  }

  #lose(): void {
    this.#lost++;
    this.#filling.lose(this.#settings.wallMs());
    if (this.#losing) return;
    this.#losing = true;
    if (this.#trouble === null) this.#settings.onState(false, BEHIND);
  }

  #endLoss(): void {
    this.#losing = false;
    if (this.#trouble === null) this.#settings.onState(true, 'the audit log is written again');
  }

  note(type: string, members: NoteMembers, kept: (() => void) | null = null): boolean {
    checkNote(type, members);
    if (this.#closing) return false;
    if (this.#notes.size >= NOTES_MAX) {
      this.#notesLost++;
      return false;
    }
    const id = this.#noteId++;
    this.#notes.set(id, kept);
    this.#filling.publish();
    this.#say({ kind: 'note', id, type, members, lost: this.#notesLost });
    this.#notesLost = 0;
    return true;
  }

  /** Keys of pseudonyms are on this side of the thread. */
  #maintain(): void {
    const { clients, wallMs, monotonicMs, maintenanceMs } = this.#settings;
    const nowMs = monotonicMs();
    if (nowMs < this.#maintainAtMs) return;
    this.#maintainAtMs = nowMs + maintenanceMs;
    anonymise(clients, wallMs(), (type, members) => this.note(type, members));
  }

  #onTick(): void {
    this.#maintain();
    const { wallMs, monotonicMs } = this.#settings;
    const offsetMs = wallMs() - monotonicMs();
    if (Math.abs(offsetMs - this.#offsetMs) > CLOCK_STEP_MS) {
      this.#offsetMs = offsetMs;
      this.#writer.setClockOffset(offsetMs);
    }
    if (this.#filling.lost === 0 || !this.#filling.confess()) return;
    this.#endLoss();
    this.#wake();
  }

  /** Resolves when everything is written, or after five seconds of a disk that hangs. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    clearInterval(this.#tick);
    this.#filling.publish();
    this.#filling.confess();
    const closed = new Promise<void>((resolve) => {
      this.#onClosed = resolve;
    });
    this.#thread.ref();
    this.#port.ref();
    this.#say({ kind: 'close' });
    let timer: NodeJS.Timeout | null = null;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        const why = `the disk of the audit log has not answered for ${CLOSE_MS_MAX / 1000} s: what waits is lost`;
        this.#settings.onState(false, why);
        resolve();
      }, CLOSE_MS_MAX);
    });
    await Promise.race([closed, late]);
    if (timer !== null) clearTimeout(timer);
    this.#thread.unref();
    this.#port.close();
  }
}
