/**
 * A process whose log is in mode `open`, on a disk that a test makes hang: it commits a batch a millisecond and says at the
 * end what it saw.
 *
 *    node open-child.mjs DIRECTORY      reads words on its standard input: `count` tells, `end` closes and tells
 */
import { createInterface } from 'node:readline';
import { openAudit } from '../../dist/audit/index.js';

const states = [];
const log = openAudit({
  directory: process.argv[2],
  worker: 0,
  mode: 'open',
  reserveOctets: 0,
  bufferOctets: 1024 * 1024,
  onState: (healthy) => states.push(healthy),
});
const name = Uint8Array.of(3, 119, 119, 119, 4, 116, 101, 115, 116, 0);
const entry = {
  atMs: 0,
  latencyUs: 10,
  transport: 'udp',
  client: Uint8Array.of(192, 0, 2, 1),
  clientLength: 4,
  clientPort: 5300,
  id: 1,
  rcode: 0,
  size: 50,
  cached: false,
  name,
  nameLength: name.length,
  qtype: 1,
  qclass: 1,
  outcome: log.renderOutcome({
    group: 'ci',
    verdict: 'allow',
    cause: null,
    rule: 'base/allow/0',
    reason: 'x'.repeat(400),
    ede: null,
    observed: false,
  }),
  detail: null,
  tail: null,
  redaction: null,
};
let answered = 0;
let slowestMs = 0;
const timer = setInterval(() => {
  const began = performance.now();
  entry.atMs = Date.now();
  for (let i = 0; i < 8; i++) log.append(entry);
  log.commit((kept) => {
    if (kept) answered += 8;
  });
  slowestMs = Math.max(slowestMs, performance.now() - began);
}, 1);

const tell = () => {
  const { entries, lost } = log.counters;
  console.log(JSON.stringify({ answered, slowestMs, entries, lost, healthy: log.healthy, states }));
};
createInterface({ input: process.stdin }).on('line', async (word) => {
  if (word === 'end') {
    clearInterval(timer);
    await log.close();
    tell();
    process.exit(0);
  }
  tell();
});
tell();
