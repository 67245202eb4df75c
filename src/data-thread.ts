/** How a data thread is started: apart from `main.ts`, so that the first one loads its modules while that file still loads its own. */
import { Worker } from 'node:worker_threads';

/**
 * Two halves of 8 MiB and as much again for large objects. The 16 MiB halves that V8 takes by itself are only ever filled by
 * questions that wait for seconds, in a flood below a silent domain; what a miss costs with either differs by less than runs do.
 */
const YOUNG_GENERATION_MIB = 24;

/** A data thread that has been given nothing to do yet: it waits for `start` (thread-messages.ts). */
export const startDataThread = (worker: number): Worker =>
  new Worker(new URL('./worker.js', import.meta.url), {
    name: `data ${worker}`,
    workerData: { worker },
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
  });
