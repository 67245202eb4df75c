/** What is left of sockets when they, their thread or their process end. Runs the compiled room in processes of its own. */
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { runnableEngines } from './harness.ts';

const DOOR = new URL('../../dist/net/index.js', import.meta.url).href;
const ENGINES = await runnableEngines();

/** Opens a listener and a connected socket with `engine`, and has them talk once. */
const TALK = `
  const listener = await engine.listen({
    address: '127.0.0.1', port: 0, reusePort: false, slots: 8, bufferLength: 65536, onError: console.error,
    onBatch(datagrams, count) {
      for (let i = 0; i < count; i++) listener.reply(datagrams[i]);
      listener.flush();
    },
  });
  const answered = new Promise((resolve) => {
    globalThis.dial = () => engine.connect({
      peer: listener.local, bufferLength: 65536, onDatagram: resolve, onBatchEnd() {}, onError: console.error,
    });
  });
  const connected = await dial();
  connected.send(new Uint8Array(12), 12);
  connected.flush();
  await answered;
`;

/** More for the listener to read. */
const SEND = 'connected.send(new Uint8Array(12), 12); connected.flush();';

function run(script: string): { status: number | null; signal: string | null; output: string } {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', script],
    { encoding: 'utf8', timeout: 15_000 },
  );
  return { status, signal, output: stdout + stderr };
}

describe.each(ENGINES)('a process with %s sockets', (name) => {
  test('ends by itself once they are closed', () => {
    const result = run(`
      import { openEngine } from '${DOOR}';
      const { engine } = await openEngine('${name}');
      ${TALK}
      connected.close();
      await listener.close();
      console.log('closed');
    `);
    expect(result).toEqual({ status: 0, signal: null, output: 'closed\n' });
  });

  test('stays while one is open', () => {
    const result = run(`
      import { openEngine } from '${DOOR}';
      const { engine } = await openEngine('${name}');
      ${TALK}
      connected.close();
      setTimeout(() => { console.log('still here'); process.exit(7); }, 200).unref();
    `);
    expect(result).toEqual({ status: 7, signal: null, output: 'still here\n' });
  });

  // A socket that outlives its worker would stay in the SO_REUSEPORT group and swallow a share of the queries.
  test.each([
    { how: 'is terminated', end: '' },
    { how: 'exits', end: 'process.exit(3)' },
    { how: 'throws', end: 'throw new Error("boom")' },
    // In one turn of the event loop: what is readable is told after the timers, to a thread that can no longer be called.
    { how: 'throws while datagrams wait', end: `setTimeout(() => { ${SEND} throw new Error('boom'); }, 5)` },
    { how: 'exits while datagrams wait', end: `setTimeout(() => { ${SEND} process.exit(3); }, 5)` },
  ])('has none left of a worker that $how', ({ end }) => {
    const worker = `
      const { parentPort } = require('node:worker_threads');
      import('${DOOR}').then(async ({ openEngine }) => {
        const { engine } = await openEngine('${name}');
        ${TALK}
        globalThis.kept = [listener, connected];
        parentPort.once('message', () => { ${end} });
        parentPort.postMessage('up');
      });
    `;
    const result = run(`
      import { readdirSync, readlinkSync } from 'node:fs';
      import { Worker } from 'node:worker_threads';
      const descriptors = () => readdirSync('/proc/self/fd').filter((fd) => {
        try { return readlinkSync('/proc/self/fd/' + fd).startsWith('socket:'); } catch { return false; }
      }).length;
      const before = descriptors();
      const worker = new Worker(${JSON.stringify(worker)}, {
        eval: true, execArgv: [], stderr: true,
      });
      worker.on('error', (error) => { if (error.message !== 'boom') console.error(error); });
      const ended = new Promise((resolve) => worker.once('exit', resolve));
      await new Promise((resolve) => worker.once('message', resolve));
      const during = descriptors() - before;
      if (${end === ''}) worker.terminate(); else worker.postMessage('end');
      await ended;
      console.log(during, descriptors() - before);
    `);
    expect(result).toEqual({ status: 0, signal: null, output: '2 0\n' });
  });
});
