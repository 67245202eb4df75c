/** How a data thread is started: apart from `main.ts`, so that the first one loads its modules while that file still loads its own. */
import { Worker } from 'node:worker_threads';

/** A data thread that has been given nothing to do yet: it waits for `start` (thread-messages.ts). */
export const startDataThread = (worker: number): Worker =>
  new Worker(new URL('./worker.js', import.meta.url), { name: `data ${worker}`, workerData: { worker } });
