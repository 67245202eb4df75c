/**
 * One receiver and what has reached it: reads the log of every worker, hands records over, and moves the cursor once they
 * are acknowledged. When anything fails, what was not acknowledged is read again: at least once, never less.
 *
 *    tails → batch → send → (settle) → cursor
 *      ▲                │ failed
 *      └── rewind ◀─────┘ wait, twice as long each time
 */
import {
  type AuditRecord,
  jsonText,
  logId,
  type Place,
  readCursor,
  readSegmentName,
  writeCursor,
} from '../audit/index.ts';
import { BATCH_OCTETS, BATCH_RECORDS, failureText, Refused, type ShipRecord, type Sink } from './contract.ts';
import { type Backlog, backlogOf, type LogState } from './spool.ts';
import { type Item, startOf, WorkerTail } from './tail.ts';

const POLL_MS = 200;
const BACKOFF_MS = 250;
const BACKOFF_MS_MAX = 30_000;
const CURSOR_EVERY_MS = 250;
/** A connection without acknowledgements is settled after so many octets at the latest. */
const UNSETTLED_OCTETS_MAX = 64 * 1024 * 1024;
/** Requests to find out which records a receiver refuses, while it accepts none. */
const SPLITS_MAX = 40;

/** Records that did not reach the receiver and never will. */
export interface Loss {
  readonly sink: string;
  readonly worker: number;
  /** Numbers of the first and the last of them; there may be others between them. */
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly cause: 'gone' | 'refused';
  readonly why: string;
}

export interface PumpOptions {
  readonly name: string;
  readonly directory: string;
  /** Name of this resolver. */
  readonly host: string;
  /** Makes a connection to the receiver; called again after each failure. */
  readonly open: () => Promise<Sink>;
  readonly passes: (record: AuditRecord) => boolean;
  readonly spool: number;
  readonly flushMs: number | null;
  readonly onLoss: (loss: Loss) => void;
  /** Told when the receiver is away, or the cursor cannot be written (`why`), and when that is over (null). */
  readonly onState: (what: 'receiver' | 'cursor', why: string | null) => void;
}

/** Counters and state as the metrics and `ship status` show them. */
export interface PumpState {
  readonly name: string;
  readonly records: number;
  readonly octets: number;
  readonly failures: number;
  readonly connections: number;
  readonly lost: { readonly gone: number; readonly refused: number };
  readonly lagRecords: number;
  readonly lagSeconds: number;
  readonly spoolOctets: number;
  readonly overflows: boolean;
  /** What is wrong, in words, since when (milliseconds since 1970); null while all is well. */
  readonly trouble: { readonly why: string; readonly sinceMs: number } | null;
}

export class Pump {
  readonly #options: PumpOptions;
  readonly #tails = new Map<number, WorkerTail>();
  /** Names of the logs, by worker. */
  readonly #logs = new Map<number, string>();
  /** Behind what is acknowledged. */
  readonly #acked = new Map<number, Place>();
  /** Workers whose oldest record is being looked for. */
  readonly #found = new Map<number, Promise<void>>();
  #sink: Sink | null = null;
  #backlog: Backlog = { records: 0, octets: 0, holds: new Map(), overflows: false };
  /** Time of the oldest record that waits, milliseconds since 1970; null when none is known. */
  #oldestMs: number | null = null;
  #unsettled: { sinceMs: number; octets: number; records: number; losses: Loss[] } | null = null;
  #counts = { records: 0, octets: 0, failures: 0, connections: 0, gone: 0, refused: 0 };
  #trouble: { why: string; sinceMs: number } | null = null;
  #attempts = 0;
  #cursorAtMs = 0;
  #cursorIsOld = true;
  /** The disk does not take it; told once. */
  #cursorIsStuck = false;
  #stopAtMs = Number.POSITIVE_INFINITY;
  #wake: () => void = () => {};
  #running: Promise<void> | null = null;

  /** `places`: where each worker known so far begins; others begin with their first record. */
  constructor(options: PumpOptions, places: ReadonlyMap<number, Place>) {
    this.#options = options;
    for (const [worker, place] of places) this.#addWorker(worker, place);
  }

  get name(): string {
    return this.#options.name;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends once everything that is on the disk has arrived, or after `graceMs`; at once while the receiver is away. */
  async stop(graceMs: number): Promise<void> {
    this.#stopAtMs = performance.now() + graceMs;
    this.#wake();
    const late = new Promise<void>((resolve) => setTimeout(resolve, graceMs + 500).unref());
    await Promise.race([this.#running ?? Promise.resolve(), late]);
    if (this.#cursorIsOld) this.#saveCursor();
    this.#sink?.close();
    for (const tail of this.#tails.values()) tail.close();
  }

  /** Takes up what the log looks like now: new workers, what waits, which segments are kept for it. */
  note(state: LogState): void {
    for (const { worker } of state.names) {
      if (!this.#tails.has(worker) && !this.#found.has(worker)) this.#found.set(worker, this.#find(worker));
    }
    const before = this.#backlog;
    this.#backlog = backlogOf(state, this.#acked, this.#options.spool);
    if (JSON.stringify([...before.holds]) !== JSON.stringify([...this.#backlog.holds]))
      this.#cursorIsOld = true;
    if (this.#cursorIsOld) this.#saveCursor();
  }

  get state(): PumpState {
    const { records, octets, failures, connections, gone, refused } = this.#counts;
    const isBehind = this.#backlog.records > 0 && this.#oldestMs !== null;
    return {
      name: this.name,
      records,
      octets,
      failures,
      connections,
      lost: { gone, refused },
      lagRecords: this.#backlog.records,
      lagSeconds: isBehind ? Math.max(0, (Date.now() - this.#oldestMs!) / 1000) : 0,
      spoolOctets: this.#backlog.octets,
      overflows: this.#backlog.overflows,
      trouble: this.#trouble,
    };
  }

  /** A worker that is new begins with its oldest record; from then on none of them may be missing. */
  async #find(worker: number): Promise<void> {
    try {
      const place = await startOf(this.#options.directory, worker);
      if (place === null) return;
      this.#addWorker(worker, place);
      this.#saveCursor();
    } catch {
      // Its segment went away or cannot be read yet: the next look finds it.
    } finally {
      this.#found.delete(worker);
    }
  }

  #addWorker(worker: number, place: Place): void {
    this.#acked.set(worker, place);
    // Until the next look says how much waits.
    const number = readSegmentName(place.file)?.number ?? 0;
    this.#backlog = { ...this.#backlog, holds: new Map([...this.#backlog.holds, [worker, number]]) };
    this.#tails.set(worker, new WorkerTail(this.#options.directory, worker, place));
  }

  async #run(): Promise<void> {
    for (;;) {
      try {
        const isIdle = await this.#step();
        if (this.#isStopping && (isIdle || performance.now() > this.#stopAtMs)) break;
        if (isIdle) await this.#sleep(POLL_MS);
      } catch (error) {
        this.#fail(error);
        if (this.#isStopping) break;
        await this.#sleep(this.#backoffMs());
        if (this.#isStopping) break;
      }
    }
    this.#saveCursor();
  }

  /** Carries one batch; true when there was nothing to do. */
  async #step(): Promise<boolean> {
    const items = await this.#gather();
    if (items.length === 0) {
      await this.#settle(this.#isStopping);
      if (this.#cursorIsOld) this.#saveCursor();
      return true;
    }
    const records: ShipRecord[] = [];
    const losses: Loss[] = [];
    for (const { worker, item } of items) {
      if (item.lost !== null) losses.push(this.#gone(worker, item.lost));
      else if (item.record !== null && this.#options.passes(item.record))
        records.push(this.#shipped(worker, item.record, item.line));
    }
    if (records.length > 0) {
      this.#oldestMs ??= Date.parse(records[0].record.time);
      losses.push(...(await this.#deliver(records)));
    }
    const octets = records.reduce((sum, { line }) => sum + line.length, 0);
    if (this.#sink?.settle === undefined || (records.length === 0 && this.#unsettled === null)) {
      this.#acknowledge(records.length, octets, losses);
    } else {
      this.#unsettled ??= { sinceMs: performance.now(), octets: 0, records: 0, losses: [] };
      this.#unsettled.octets += octets;
      this.#unsettled.records += records.length;
      this.#unsettled.losses.push(...losses);
      await this.#settle(false);
    }
    return false;
  }

  #shipped(worker: number, record: AuditRecord, line: string): ShipRecord {
    const { host, directory } = this.#options;
    const log = this.#logs.get(worker) || logId(directory, worker);
    this.#logs.set(worker, log);
    const head = `{"host":${jsonText(host)},"log":"${log}","worker":${worker},`;
    return { host, log, worker, record, line: head + line.slice(1) };
  }

  /** What is next, of all workers. */
  async #gather(): Promise<{ worker: number; item: Item }[]> {
    await Promise.all(this.#found.values());
    const items: { worker: number; item: Item }[] = [];
    let octets = 0;
    for (const [worker, tail] of this.#tails) {
      const share = Math.ceil((BATCH_RECORDS - items.length) / (this.#tails.size > 1 ? 2 : 1));
      if (share <= 0 || octets >= BATCH_OCTETS) break;
      for (const item of await tail.read(share, BATCH_OCTETS - octets)) {
        items.push({ worker, item });
        octets += item.line.length;
      }
    }
    // The others come first the next time.
    const [first] = this.#tails;
    if (first !== undefined && this.#tails.size > 1) {
      this.#tails.delete(first[0]);
      this.#tails.set(...first);
    }
    return items;
  }

  /** Hands records over; returns those that the receiver will not have. Throws when it will not have any. */
  async #deliver(records: readonly ShipRecord[]): Promise<Loss[]> {
    if (this.#sink === null) {
      this.#sink = await this.#options.open();
      this.#counts.connections++;
    }
    const sink = this.#sink;
    const losses: Loss[] = [];
    let accepted = 0;
    let refusals = 0;
    const deliver = async (part: readonly ShipRecord[]): Promise<void> => {
      try {
        const partly = await sink.send(part);
        accepted += part.length;
        if (partly !== undefined) losses.push(this.#refused(part, partly.why, partly.refused));
        this.#recovered();
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        refusals++;
        // A receiver that refuses everything is set up wrongly: it is waited for. One that refuses some has its reasons.
        if (accepted === 0 && (refusals > SPLITS_MAX || records.length === 1)) throw error;
        if (part.length === 1) {
          losses.push(this.#refused(part, error.message, 1));
          return;
        }
        const half = part.length >> 1;
        await deliver(part.slice(0, half));
        await deliver(part.slice(half));
      }
    };
    await deliver(records);
    if (accepted === 0) throw new Error(losses[0]?.why ?? 'the receiver refuses every record');
    return losses;
  }

  async #settle(now: boolean): Promise<void> {
    const unsettled = this.#unsettled;
    const sink = this.#sink;
    if (unsettled === null || sink?.settle === undefined) return;
    const isDue = performance.now() - unsettled.sinceMs >= (this.#options.flushMs ?? 0);
    if (!now && !isDue && unsettled.octets < UNSETTLED_OCTETS_MAX) return;
    await sink.settle();
    this.#sink = null;
    this.#unsettled = null;
    this.#acknowledge(unsettled.records, unsettled.octets, unsettled.losses);
  }

  /** Everything that was handed over has arrived. */
  #acknowledge(records: number, octets: number, losses: readonly Loss[]): void {
    for (const [worker, tail] of this.#tails) this.#acked.set(worker, tail.place);
    const refused = losses.reduce((sum, { cause, count }) => sum + (cause === 'refused' ? count : 0), 0);
    this.#counts.records += Math.max(0, records - refused);
    this.#counts.octets += octets;
    this.#oldestMs = null;
    this.#cursorIsOld = true;
    for (const loss of losses) {
      this.#counts[loss.cause] += loss.count;
      this.#options.onLoss(loss);
    }
    if (performance.now() - this.#cursorAtMs >= CURSOR_EVERY_MS) this.#saveCursor();
  }

  #recovered(): void {
    this.#attempts = 0;
    if (this.#trouble === null) return;
    this.#trouble = null;
    this.#options.onState('receiver', null);
  }

  #fail(error: unknown): void {
    this.#counts.failures++;
    this.#attempts++;
    const why = failureText(error);
    this.#sink?.close();
    this.#sink = null;
    this.#unsettled = null;
    for (const [worker, tail] of this.#tails) tail.rewind(this.#acked.get(worker) ?? tail.place);
    const isNews = this.#trouble === null;
    this.#trouble = { why, sinceMs: this.#trouble?.sinceMs ?? Date.now() };
    if (isNews) this.#options.onState('receiver', why);
  }

  /** Twice as long after each failure, and never as long as others that failed at the same time. */
  #backoffMs(): number {
    const ms = Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** Math.min(this.#attempts - 1, 10));
    return ms * (0.5 + Math.random() / 2);
  }

  #saveCursor(): void {
    try {
      writeCursor(this.#options.directory, this.name, { places: this.#acked, holds: this.#backlog.holds });
      if (this.#cursorIsStuck) this.#options.onState('cursor', null);
      this.#cursorIsOld = this.#cursorIsStuck = false;
    } catch (error) {
      // The disk is full or the directory gone: what was shipped since the last one is shipped again after a crash.
      if (!this.#cursorIsStuck) this.#options.onState('cursor', failureText(error));
      this.#cursorIsStuck = true;
    }
    this.#cursorAtMs = performance.now();
  }

  #gone(worker: number, { from, to, why }: NonNullable<Item['lost']>): Loss {
    return { sink: this.name, worker, from, to, count: to - from + 1, cause: 'gone', why };
  }

  #refused(part: readonly ShipRecord[], why: string, count: number): Loss {
    const { worker, record } = part[0];
    const to = part.findLast((one) => one.worker === worker)?.record.seq ?? record.seq;
    return { sink: this.name, worker, from: record.seq, to, count, cause: 'refused', why };
  }

  get #isStopping(): boolean {
    return this.#stopAtMs !== Number.POSITIVE_INFINITY;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** The places a sink goes on from; null when it has never shipped. */
export const resumedPlaces = (directory: string, name: string): ReadonlyMap<number, Place> | null =>
  readCursor(directory, name)?.places ?? null;
