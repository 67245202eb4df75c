/** The detector thread as the control thread has it: started, connected to data threads, saved, ended. */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { Log } from './control/index.ts';
import type { DetectMemory } from './detect/index.ts';
import type { DetectorStart, FromDetector, ToDetector } from './detector.ts';
import { openDetectorState, saveDetectorState } from './detector-state.ts';
import { readVerdictList, writeVerdictList } from './verdict-list.ts';
import {
  type FoundVerdict,
  type Released,
  type ReleaseOutcome,
  type ReleaseRequest,
  Verdicts,
} from './verdicts.ts';

/** Verdicts that hold no more are told within this time, and a list that has changed is on the disk. */
const LOOK_EVERY_MS = 5000;
const SAVE_EVERY_MS = 10 * 60_000;
const RESTART_AFTER_MS = 1000;

/** In place of a client that the audit does not keep either. */
const FORGOTTEN = '(not kept)';

export interface DetectionListeners {
  /** The thread was started anew: the old channels are dead. */
  readonly onRestart: () => void;
  /** A verdict of the detector thread; those of data threads are in the audit already. */
  readonly onVerdict: (found: FoundVerdict) => void;
  readonly onEnded: (ended: Released, how: 'released' | 'over') => void;
}

export class Detection {
  readonly seed: number;
  readonly memory: DetectMemory;
  readonly verdicts: Verdicts;
  readonly #directory: string;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  #worker: Worker | null = null;
  /** What is said before the thread has begun. */
  readonly #early: { readonly message: ToDetector; readonly ports: readonly MessagePort[] }[] = [];
  #slow: DetectorStart['state'];
  #closing = false;
  readonly #told: DetectionListeners;
  readonly #keepsClients: boolean;
  readonly #look: NodeJS.Timeout;
  #isListChanged = false;

  /**
   * Reads the state of `directory`. The fast paths judge from then on; the thread is started by `begin`. Without
   * `keepsClients` the list of verdicts forgets over a restart whom they are on.
   */
  constructor(directory: string, keepsClients: boolean, log: Log, told: DetectionListeners) {
    this.#told = told;
    this.#keepsClients = keepsClients;
    this.#directory = directory;
    this.#log = log;
    const list = readVerdictList(directory);
    if (list.fault !== null) log.warn({ directory, why: list.fault }, 'the list of verdicts begins empty');
    // A process that was killed before it saved its state has left its list: its keys hold under its seed.
    const { seed, memory, slow, forgotten } = openDetectorState(directory, list.seed);
    if (forgotten !== null) log.warn({ directory, why: forgotten }, 'the detector begins without its memory');
    this.seed = seed;
    this.memory = memory;
    this.#slow = slow;
    this.verdicts = new Verdicts(memory, seed, (block) => this.#tell({ kind: 'release', block }));
    if (list.seed === seed) this.verdicts.restore(list.verdicts, Date.now());
    else if (list.verdicts.length > 0) log.warn({ directory }, 'the list of verdicts is of another memory');
    this.#look = setInterval(() => this.#lookAtList(), LOOK_EVERY_MS);
    this.#look.unref();
    this.#timer = setInterval(() => this.#tell({ kind: 'save' }), SAVE_EVERY_MS);
    this.#timer.unref();
  }

  /** Starts the thread: the long view can wait until the first queries are answered. */
  begin(): void {
    this.#worker = this.#start();
    for (const { message, ports } of this.#early.splice(0)) this.#worker.postMessage(message, ports);
  }

  /** A new data thread's end of a channel to the detector thread. */
  connect(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.#tell({ kind: 'thread', port: port1 }, [port1]);
    return port2;
  }

  /** Saves and ends the thread. Call it when the data threads have ended. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#timer);
    clearInterval(this.#look);
    this.#saveList();
    const worker = this.#worker;
    if (worker === null) return;
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    this.#tell({ kind: 'stop' });
    await ended;
  }

  #start(): Worker {
    const start: DetectorStart = { memory: this.memory, seed: this.seed, state: this.#slow };
    const worker = new Worker(new URL('./detector.js', import.meta.url), { workerData: start });
    worker.on('message', (message: FromDetector) => this.#hear(message));
    worker.on('error', (error) => this.#log.error({ err: error }, 'the detector thread failed'));
    worker.on('exit', () => {
      if (this.#closing) return;
      // The fast paths go on judging; only the long view is missing until it is back.
      this.#log.error({}, 'the detector thread ended; it is started again');
      setTimeout(() => {
        if (this.#closing) return;
        this.#worker = this.#start();
        this.#told.onRestart();
      }, RESTART_AFTER_MS).unref();
    });
    return worker;
  }

  #hear(message: FromDetector): void {
    if (message.kind === 'state') {
      this.#slow = message.state;
      this.#save();
      return;
    }
    if (this.note(message.found)) this.#told.onVerdict(message.found);
  }

  /** Takes up a verdict of the detector thread or of a data thread. Clients are not named in the log: that is the audit's. */
  note(found: FoundVerdict): boolean {
    if (!this.verdicts.note(found)) return false;
    this.#isListChanged = true;
    const { zone, verdict, action, group } = found;
    const { scope, rule, scoreBits, untilMs, evidence } = verdict;
    const until = new Date(untilMs).toISOString();
    this.#log.warn(
      { group, zone, scope, action, rule, bits: Math.round(scoreBits), until, evidence },
      'tunnel verdict',
    );
    return true;
  }

  /** Ends by hand what was asked for. */
  release(asked: ReleaseRequest): ReleaseOutcome {
    const outcome = this.verdicts.release(asked, Date.now());
    if (!outcome.ok) return outcome;
    this.#isListChanged = true;
    for (const one of outcome.released) this.#told.onEnded(one, 'released');
    return outcome;
  }

  #lookAtList(): void {
    for (const one of this.verdicts.takeOver(Date.now())) {
      this.#isListChanged = true;
      this.#told.onEnded(one, 'over');
    }
    this.#saveList();
  }

  #saveList(): void {
    if (!this.#isListChanged) return;
    this.#isListChanged = false;
    const { kept } = this.verdicts;
    try {
      const list = this.#keepsClients ? kept : kept.map((one) => ({ ...one, client: FORGOTTEN }));
      writeVerdictList(this.#directory, this.seed, list);
    } catch (error) {
      this.#noteUnsaved('the list of verdicts', error);
    }
  }

  #save(): void {
    if (this.#slow === null) return;
    try {
      saveDetectorState(this.#directory, this.seed, this.memory, this.#slow);
    } catch (error) {
      this.#noteUnsaved('the state of the detector', error);
    }
  }

  #noteUnsaved(what: string, error: unknown): void {
    const why = (error as Error).message;
    const remedy = 'give the process a directory that it may write to (detect.stateDirectory)';
    this.#log.warn({ directory: this.#directory, why }, `${what} cannot be saved; ${remedy}`);
  }

  #tell(message: ToDetector, ports: readonly MessagePort[] = []): void {
    if (this.#worker === null) this.#early.push({ message, ports });
    else this.#worker.postMessage(message, ports);
  }
}
