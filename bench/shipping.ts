/**
 * `node dist-bench/bench/shipping.js [--rounds N] [--seconds N]`: what shipping costs the threads that answer. One Sallyport
 * without sinks, one whose receiver takes everything, one whose receiver is away, one whose receiver takes connections and
 * says nothing; all run at once on one core and are asked in turn. Ends with exit code 1 when a goal was missed.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createSilent } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Claim, claim, printClaims } from './drills/verdict.ts';
import { template } from './load/names.ts';
import { runLoad, startAuthority } from './load/run-load.ts';
import { median } from './median.ts';
import { sallyport } from './peers/sallyport.ts';
import { freePort, type Running, SERVER_CORE, waitUntilAnswers } from './process.ts';

/** CPU time of data threads for each query, and the slowest answers of a hundred, at most so much of those without sinks. */
const CPU_GOAL = 1.05;
const NAMES = 5000;
const TICK_US = 10_000;
/** The shipping thread runs with this nice value, and no other does. */
const NICE = 10;

const { values } = parseArgs({ options: { rounds: { type: 'string' }, seconds: { type: 'string' } } });
const rounds = Number(values.rounds ?? 4);
const seconds = Number(values.seconds ?? 3);
const directory = mkdtempSync(join(tmpdir(), 'sallyport-bench-ship-'));

const taking = createServer((request, response) => {
  request.resume().on('end', () => response.end());
});
const silent = createSilent((socket) => socket.resume().on('error', () => {}));
const listen = (server: typeof silent | typeof taking): Promise<number> =>
  new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  );

interface Entrant {
  readonly name: string;
  readonly running: Running;
  readonly port: number;
  readonly answeringUs: number[];
  readonly shippingUs: number[];
  readonly p99Us: number[];
  readonly lost: number[];
}

/** CPU time of the thread that answers, the busiest of a process, and of the one that ships. */
function cpuOf(pid: number): { answering: number; shipping: number } {
  const sum = { answering: 0, shipping: 0 };
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const us = (Number(fields[11]) + Number(fields[12])) * TICK_US;
    if (Number(fields[16]) === NICE) sum.shipping += us;
    else sum.answering = Math.max(sum.answering, us);
  }
  return sum;
}

const sinkTo = (port: number): object[] => [
  { name: 'bench', type: 'clickhouse', url: `http://127.0.0.1:${port}`, table: 't' },
];
const setups: [string, object[]][] = [
  ['no sinks', []],
  ['receiver takes all', sinkTo(await listen(taking))],
  ['receiver is away', sinkTo(await freePort())],
  ['receiver is silent', sinkTo(await listen(silent))],
];
const authorityPort = await freePort();
const authority = await startAuthority(authorityPort, directory);
const entrants: Entrant[] = [];
const claims: Claim[] = [];
try {
  for (const [name, ship] of setups) {
    const own = join(directory, name.replaceAll(' ', '-'));
    mkdirSync(own);
    const port = await freePort();
    const running = sallyport.start({
      directory: own,
      port,
      authorities: [authorityPort],
      denyList: null,
      logging: true,
      core: SERVER_CORE,
      ship,
    });
    await waitUntilAnswers(running, port, template('hit'), 60_000);
    entrants.push({ name, running, port, answeringUs: [], shippingUs: [], p99Us: [], lost: [] });
  }
  for (let round = 0; round <= rounds; round++) {
    for (const entrant of entrants) {
      const before = cpuOf(entrant.running.pid);
      const result = await runLoad({
        port: entrant.port,
        mix: ['hit'],
        seconds,
        numbers: { hit: { first: 0, count: NAMES } },
      });
      const after = cpuOf(entrant.running.pid);
      // The first round warms caches and compilers.
      if (round === 0) continue;
      entrant.answeringUs.push((after.answering - before.answering) / result.received);
      entrant.shippingUs.push((after.shipping - before.shipping) / result.received);
      entrant.p99Us.push(result.p99Us);
      entrant.lost.push(result.lost);
    }
  }
  const base = median(entrants[0]!.answeringUs);
  for (const { name, answeringUs, shippingUs, p99Us, lost } of entrants) {
    const us = median(answeringUs);
    const ratio = us / base;
    const text =
      `${us.toFixed(2)} µs a query (${ratio.toFixed(2)}), shipping thread ${median(shippingUs).toFixed(2)} µs, ` +
      `99 of 100 within ${(median(p99Us) / 1000).toFixed(2)} ms, ${lost.reduce((sum, one) => sum + one, 0)} lost`;
    claims.push(claim(name, text, ratio <= CPU_GOAL && lost.every((count) => count === 0)));
  }
} finally {
  await Promise.all([authority.stop(), ...entrants.map(({ running }) => running.stop())]);
  taking.close();
  taking.closeAllConnections();
  silent.close();
  rmSync(directory, { recursive: true, force: true });
}
printClaims('Shipping', claims);
process.exit(claims.every(({ held }) => held) ? 0 : 1);
