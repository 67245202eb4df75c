/**
 * The thread that writes the log of one data thread in mode `open`: a `WorkerLog` of its own, fed from `open-buffer`. It may
 * be held up by the disk for as long as it likes; nobody waits for it.
 */
import { workerData } from 'node:worker_threads';
import type { AuditCounters } from './contract.ts';
import { systemDisk } from './disk.ts';
import { WorkerLog } from './log.ts';
import { type Drain, DrainingEnd } from './open-buffer.ts';
import {
  ASLEEP,
  FIGURES,
  type FromOpenThread,
  HAS_FAILED,
  IS_OPEN,
  OPENED,
  type OpenThreadStart,
  PLACE,
  type ToOpenThread,
} from './open-log.ts';

/** While lines come, they are looked for this often; when none have come, the data thread rings. */
const LOOK_MS = 5;
/** Chunks in a row before timers and answers of the disk have their turn. */
const CHUNKS_MAX = 4;
const FULL = 'the memory for lines was full: the disk took less than there was to write';

class OpenThread {
  readonly #start: OpenThreadStart;
  readonly #control: Int32Array;
  readonly #figures: Float64Array;
  readonly #draining: DrainingEnd;
  readonly #log: WorkerLog;
  /** Figures of the threads before this one. */
  readonly #before: readonly number[];

  constructor(start: OpenThreadStart) {
    this.#start = start;
    this.#control = new Int32Array(start.control);
    this.#figures = new Float64Array(start.figures);
    this.#before = [...this.#figures];
    this.#draining = new DrainingEnd(start.lines, this.#control.subarray(PLACE));
    const originMs = start.timeOrigin - performance.timeOrigin;
    this.#log = new WorkerLog({
      ...start.settings,
      // A Buffer arrives as plain octets.
      encryptTo: start.settings.encryptTo.map(({ key, octets }) => ({ key, octets: Buffer.from(octets) })),
      clients: { mode: 'keep' },
      wallMs: Date.now,
      monotonicMs: () => performance.now() - originMs,
      onCheckpoint: (line) => this.#say({ kind: 'checkpoint', line }),
      onState: (healthy, why) => this.#say({ kind: 'state', healthy, why }),
      disk: systemDisk,
      threadFile: '',
    });
    if (this.#log.healthy) this.#say({ kind: 'well' });
    start.port.on('message', (message: ToOpenThread) => this.#hear(message));
    this.#look();
  }

  #hear(message: ToOpenThread): void {
    switch (message.kind) {
      case 'lines':
        this.#look();
        return;
      case 'note': {
        const { id, type, members, lost } = message;
        // What was appended before it comes before it.
        this.#drainAll();
        if (lost > 0) this.#log.missNotes(lost);
        this.#log.note(type, members, () => this.#say({ kind: 'kept', id }));
        return;
      }
      case 'close':
        void this.#close();
    }
  }

  /** Writes what there is; comes back soon when there was anything, and asks to be woken when there was not. */
  readonly #look = (): void => {
    let isMore = false;
    for (let i = 0; i < CHUNKS_MAX; i++) {
      if (!this.#draining.read(this.#drain)) break;
      isMore = true;
    }
    this.#publish();
    if (isMore) {
      setTimeout(this.#look, LOOK_MS);
      return;
    }
    Atomics.store(this.#control, ASLEEP, 1);
    // What came between the last look and the bell would never be rung for.
    if (this.#draining.read(this.#drain) && Atomics.exchange(this.#control, ASLEEP, 0) === 1) {
      setTimeout(this.#look, LOOK_MS);
    }
  };

  #drainAll(): void {
    while (this.#draining.read(this.#drain)) {
      // Each turn reads a chunk.
    }
    this.#publish();
  }

  readonly #drain: Drain = {
    lost: (count, sinceMs) => this.#log.miss(count, sinceMs, FULL),
    line: (octets, at, end) => this.#log.appendRest(octets, at, end),
    commit: () => this.#log.commit(() => {}),
  };

  #publish(): void {
    const counters: AuditCounters = this.#log.counters;
    for (const [place, name] of FIGURES.entries()) {
      this.#figures[place] = this.#before[place] + counters[name];
    }
  }

  async #close(): Promise<void> {
    this.#drainAll();
    try {
      await this.#log.close();
    } catch (error) {
      this.#say({ kind: 'state', healthy: false, why: (error as Error).message });
    }
    this.#publish();
    this.#say({ kind: 'closed' });
    this.#start.port.close();
  }

  #say(message: FromOpenThread): void {
    this.#start.port.postMessage(message);
  }
}

function open(start: OpenThreadStart): void {
  const control = new Int32Array(start.control);
  let opened = IS_OPEN;
  try {
    new OpenThread(start);
  } catch (error) {
    const { name } = (error as Error).constructor;
    start.port.postMessage({
      kind: 'failed',
      name,
      message: (error as Error).message,
    } satisfies FromOpenThread);
    opened = HAS_FAILED;
  }
  Atomics.store(control, OPENED, opened);
  Atomics.notify(control, OPENED);
  if (opened === HAS_FAILED) start.port.close();
}

open(workerData as OpenThreadStart);
