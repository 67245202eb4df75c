/**
 * A process that is killed while it writes: it appends batches as fast as it can and says on its standard output how
 * many queries it would have answered by then, never before commit has said so.
 *
 *    node writer-child.mjs DIRECTORY MODE WORKERS [PUBLIC-KEY]
 *
 * With a key the records are encrypted to it.
 *
 * It runs what was built last; SALLYPORT_TEST_BUILD names another build.
 */
import { writeSync } from 'node:fs';

const { openAudit, readRecipient } = await import(
  process.env.SALLYPORT_TEST_BUILD ?? '../../dist/audit/index.js'
);
const [directory, mode, workers, encryptTo] = process.argv.slice(2);
const name = Uint8Array.of(3, 119, 119, 119, 4, 116, 101, 115, 116, 0);
let answered = 0;
let said = 0;

const logs = Array.from({ length: Number(workers) }, (_, worker) => {
  const log = openAudit({
    directory,
    worker,
    mode,
    segmentOctets: 30_000,
    blockRecords: 40,
    checkpointMs: 5,
    keyMs: 20,
    reserveOctets: 0,
    unsyncedMsMax: 2000,
    ...(encryptTo === undefined ? {} : { encryptTo: [readRecipient(encryptTo)] }),
  });
  const outcome = log.renderOutcome({
    group: 'ci',
    verdict: 'allow',
    cause: null,
    rule: 'base/allow/0',
    reason: 'test',
    ede: null,
    observed: false,
  });
  return { log, outcome };
});

function batch({ log, outcome }) {
  const count = 1 + Math.floor(Math.random() * 12);
  for (let i = 0; i < count; i++) {
    log.append({
      atMs: Date.now(),
      latencyUs: 10,
      transport: 'udp',
      client: Uint8Array.of(192, 0, 2, 1),
      clientLength: 4,
      clientPort: 5300,
      id: i,
      rcode: 0,
      size: 50,
      cached: false,
      name,
      nameLength: name.length,
      qtype: 1,
      qclass: 1,
      outcome,
      detail: null,
      tail: null,
      redaction: null,
    });
  }
  log.commit((kept) => {
    if (kept) answered += count;
  });
}

function turn() {
  for (const one of logs) batch(one);
  if (answered > said) {
    said = answered;
    writeSync(1, `${answered}\n`);
  }
  setImmediate(turn);
}
turn();
