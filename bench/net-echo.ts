/**
 * What a datagram costs on the socket engines alone: an echo server on each, and the one in C as the floor, asked in turn.
 *
 *    node dist-bench/bench/net-echo.js [ROUNDS] [SECONDS]
 *    node dist-bench/bench/net-echo.js --serve PORT native|portable ADDRESS      the server by itself
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DatagramSocket, type EngineName, openEngine } from '../src/net/index.ts';
import type { Contender } from './peers/contender.ts';
import { floor } from './peers/floor.ts';
import { start } from './process.ts';
import { costTable } from './report.ts';
import { type CostRow, measureCost } from './rows/cost.ts';

const SELF = fileURLToPath(import.meta.url);
/** What the echo in C adds to each datagram, so that both send the same. */
const ADDED_LENGTH = 16;
const QR = 0x80;

async function serve(port: number, name: EngineName, address: string): Promise<void> {
  const { engine } = await openEngine(name);
  const socket: DatagramSocket = await engine.listen({
    address,
    port,
    reusePort: false,
    slots: 1024,
    bufferLength: 4 << 20,
    onError: (error) => process.stderr.write(`${error.message}\n`),
    onBatch: (datagrams, count) => {
      for (let i = 0; i < count; i++) {
        const datagram = datagrams[i];
        datagram.octets[2] |= QR;
        datagram.length += ADDED_LENGTH;
        socket.reply(datagram);
      }
      socket.flush();
    },
  });
  process.once('SIGTERM', () => {
    const { received, batches } = socket.counters;
    process.stdout.write(`${received} datagrams, ${(received / batches).toFixed(1)} in a batch\n`);
    void socket.close();
  });
}

const echo = (title: string, engine: EngineName, address: string): Contender => ({
  name: title,
  missing: () => null,
  start: ({ directory, port, core }) =>
    start(
      [process.execPath, SELF, '--serve', String(port), engine, address],
      core,
      join(directory, 'output.log'),
    ),
});

async function compare(rounds: number, seconds: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'net-echo-'));
  const contenders = [
    floor,
    echo('echo, native', 'native', '127.0.0.1'),
    echo('echo, native, wildcard', 'native', '0.0.0.0'),
    echo('echo, portable', 'portable', '127.0.0.1'),
  ];
  const rows = [64, 4, 1].map(
    (window): CostRow => ({
      id: `echo-${window}`,
      title: `Echo, ${window} in flight on each of 4 sockets`,
      kind: 'hit',
      names: 1000,
      window,
      logging: false,
      denyList: null,
      contenders,
    }),
  );
  const report = (line: string): void => void process.stderr.write(`${line}\n`);
  try {
    for (const row of rows) {
      const results = await measureCost(row, { rounds, seconds, directory, report });
      process.stdout.write(`${costTable(row.title, results)}\n`);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const [first, second, third, fourth] = process.argv.slice(2);
if (first === '--serve')
  await serve(Number(second), third === 'portable' ? third : 'native', fourth ?? '127.0.0.1');
else await compare(Number(first ?? 5), Number(second ?? 3));
