import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { openTcpListener, portSharing } from '../../src/listen/index.ts';
import { echo, framed, query, until } from './echo.ts';

const BUILT = fileURLToPath(new URL('../../dist/listen/index.js', import.meta.url));

/** Runs as compiled JavaScript in a thread of its own: echoes, and tells how many queries it has seen. */
const WORKER = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.module).then(async ({ ConnectionLimits, openTcpListener }) => {
    const listener = await openTcpListener({
      address: workerData.address, port: workerData.port, reusePort: true,
      limits: new ConnectionLimits({ clientsPerAddress: 1000 }),
      onMessage: (message) => message.respond(), onBatchEnd: () => {}, onError: (error) => { throw error; },
    });
    parentPort.on('message', async (word) => {
      if (word === 'close') { await listener.close(0); process.exit(); }
      parentPort.postMessage({ queries: listener.counters.queries });
    });
    parentPort.postMessage({ port: listener.port });
  });
`;

async function hears<T>(worker: Worker): Promise<T> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

async function ask(port: number, host: string): Promise<void> {
  let answered = false;
  const socket = connect({ port, host });
  socket.on('data', () => {
    answered = true;
  });
  socket.write(framed(query(1)));
  await until('an answer', () => answered);
  socket.destroy();
}

describe.skipIf(portSharing() === 'none')('a port shared by worker threads', () => {
  test.each(['127.0.0.1', '::1', '::'])('on %s: each of them gets connections', async (address) => {
    const workers: Worker[] = [];
    let port = 0;
    try {
      for (let i = 0; i < 2; i++) {
        const worker = new Worker(WORKER, { eval: true, workerData: { module: BUILT, address, port } });
        workers.push(worker);
        port = (await hears<{ port: number }>(worker)).port;
      }
      for (let i = 0; i < 60; i++) await ask(port, address === '127.0.0.1' ? address : '::1');
      const counts = await Promise.all(
        workers.map(async (worker) => {
          worker.postMessage('count');
          return (await hears<{ queries: number }>(worker)).queries;
        }),
      );
      expect(counts[0] + counts[1]).toBe(60);
      expect(Math.min(...counts)).toBeGreaterThan(5);
    } finally {
      await Promise.all(
        workers.map((worker) => {
          const ended = new Promise((resolve) => worker.once('exit', resolve));
          worker.postMessage('close');
          return ended;
        }),
      );
    }
  });
});

describe('a port that cannot be had', () => {
  test.each([
    { name: 'an address of another machine', address: '192.0.2.1', error: /EADDRNOTAVAIL/ },
    { name: 'a name', address: 'localhost.invalid', error: /is no IP address|ENOTFOUND|EAI_AGAIN/ },
  ])('is an error: $name', async ({ address, error }) => {
    await expect(openTcpListener({ ...echo(), address, reusePort: true })).rejects.toThrow(error);
  });

  test('is an error: one that is in use and not shared', async () => {
    const first = await openTcpListener(echo());
    await expect(openTcpListener({ ...echo(), port: first.port, reusePort: true })).rejects.toThrow(
      /EADDRINUSE/,
    );
    await first.close(0);
  });
});
