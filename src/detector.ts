/**
 * The detector thread: one view of all clients, fed by the charges of every data thread. Its verdicts go into the shared
 * memory, where every fast path sees them at once, and to the data threads, which keep their evidence.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import {
  type Block,
  createFastPath,
  createSlowView,
  type DetectMemory,
  type SlowState,
} from './detect/index.ts';
import type { ChargeBatch, ToThread } from './detection.ts';
import { effectOf } from './tunnel-effect.ts';
import type { FoundVerdict } from './verdicts.ts';

export interface DetectorStart {
  readonly memory: DetectMemory;
  readonly seed: number;
  readonly state: SlowState | null;
}

export type ToDetector =
  /** A data thread's end of a channel. */
  | { readonly kind: 'thread'; readonly port: MessagePort }
  /** This block was ended by hand. */
  | { readonly kind: 'release'; readonly block: Block }
  | { readonly kind: 'save' }
  | { readonly kind: 'stop' };

export type FromDetector =
  | { readonly kind: 'verdict'; readonly found: FoundVerdict }
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
    case 'release':
      slow.release(message.block);
      tellThreads({ release: message.block });
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
  for (const { charge, zone, client, response } of batch) {
    const verdict = slow.note(charge, zone);
    if (verdict === null) continue;
    // A hold is renewed with every query beyond the bound, and the shared memory is all that has to know of it.
    if (verdict.action === 'hold') {
      fast.apply(verdict, zone);
      continue;
    }
    const held = { ...verdict, untilMs: verdict.decidedAtMs + response.holdSeconds * 1000 };
    fast.apply(held, zone);
    tellThreads({ verdict: held, zone });
    const effect = effectOf(fast, held, zone, response);
    const { group } = response;
    say({ kind: 'verdict', found: { ...effect, zone, client, group, left: fast.leftOf(held) } });
  }
}

function tellThreads(message: ToThread): void {
  for (const port of ports) port.postMessage(message);
}

function say(message: FromDetector): void {
  parentPort?.postMessage(message);
}
