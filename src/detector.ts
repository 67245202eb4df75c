/**
 * The detector thread: one view of all clients, fed by the charges of every data thread. Its verdicts go into the shared
 * memory, where every fast path sees them at once, and to the data threads, which keep their evidence.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import {
  createFastPath,
  createSlowView,
  type DetectMemory,
  type SlowState,
  type Verdict,
} from './detect/index.ts';
import type { ChargeBatch } from './detection.ts';

export interface DetectorStart {
  readonly memory: DetectMemory;
  readonly seed: number;
  readonly state: SlowState | null;
}

export type ToDetector =
  /** A data thread's end of a channel. */
  | { readonly kind: 'thread'; readonly port: MessagePort }
  | { readonly kind: 'save' }
  | { readonly kind: 'stop' };

export type FromDetector =
  | { readonly kind: 'verdict'; readonly verdict: Verdict; readonly zone: string }
  | { readonly kind: 'state'; readonly state: SlowState };

const { memory, seed, state } = workerData as DetectorStart;
const fast = createFastPath({ memory, seed });
const slow = createSlowView(state === null ? {} : { state });
const ports: MessagePort[] = [];

parentPort?.on('message', (message: ToDetector) => {
  switch (message.kind) {
    case 'thread':
      ports.push(message.port);
      message.port.on('message', takeCharges);
      message.port.on('close', () => ports.splice(ports.indexOf(message.port), 1));
      return;
    case 'save':
      say({ kind: 'state', state: slow.save() });
      return;
    case 'stop':
      say({ kind: 'state', state: slow.save() });
      for (const port of ports) port.close();
      parentPort?.close();
  }
});

function takeCharges(batch: ChargeBatch): void {
  for (const { charge, zone } of batch) {
    const verdict = slow.note(charge, zone);
    if (verdict === null) continue;
    fast.apply(verdict, zone);
    for (const port of ports) port.postMessage({ verdict, zone });
    say({ kind: 'verdict', verdict, zone });
  }
}

function say(message: FromDetector): void {
  parentPort?.postMessage(message);
}
