/**
 * The shipping thread: carries the audit to its receivers. It reads what the data threads have written from the disk, and
 * shares nothing else with them; it yields the processor to them.
 */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import type { SinkSettings } from './config/index.ts';
import { failureText, type Loss, type PumpState, Shipping, type Trouble } from './ship/index.ts';

export interface ShipperStart {
  readonly directory: string;
  readonly sinks: readonly SinkSettings[];
  readonly version: string;
}

export type ToShipper = { readonly kind: 'stop'; readonly graceMs: number };

export type FromShipper =
  /** From now on what is written will be shipped. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly why: string }
  | { readonly kind: 'states'; readonly states: readonly PumpState[] }
  | { readonly kind: 'loss'; readonly loss: Loss }
  | {
      readonly kind: 'state';
      readonly sink: string;
      readonly what: Trouble;
      readonly why: string | null;
    };

const NICE = 10;

const say = (message: FromShipper): void => parentPort?.postMessage(message);

try {
  // On Linux 0 is the calling thread, not the process. Elsewhere it is the process, which must not be slowed.
  if (process.platform === 'linux') setPriority(0, NICE);
} catch {
  // Not permitted here; shipping competes like any other thread.
}

const { directory, sinks, version } = workerData as ShipperStart;
try {
  const shipping = await Shipping.start({
    directory,
    sinks,
    version,
    onLoss: (loss) => say({ kind: 'loss', loss }),
    onState: (sink, what, why) => say({ kind: 'state', sink, what, why }),
    onStates: (states) => say({ kind: 'states', states }),
  });
  parentPort?.on('message', (message: ToShipper) => {
    void shipping.stop(message.graceMs).then(() => parentPort?.close());
  });
  say({ kind: 'ready' });
} catch (error) {
  say({ kind: 'failed', why: failureText(error) });
}
