/**
 * What the audit costs per query: append and commit at several batch sizes, against `JSON.stringify` with one write per
 * query (the rival); and once more with the records encrypted.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Entry, openAudit, type Recipient, readRecipient } from '../src/audit/index.ts';

const QUERIES = 400_000;

const name = new Uint8Array(256);
const nameLength = Buffer.from(name.buffer).write('\x03www\x07example\x03com\0', 'latin1');
const entry: Entry = {
  atMs: Date.now(),
  latencyUs: 85,
  transport: 'udp',
  client: Uint8Array.of(192, 0, 2, 7),
  clientLength: 4,
  clientPort: 5353,
  id: 4711,
  rcode: 0,
  size: 77,
  cached: true,
  name,
  nameLength,
  qtype: 1,
  qclass: 1,
  outcome: new Uint8Array(0),
  detail: null,
  redaction: null,
  tail: null,
  tailAt: 0,
};

const cpuUs = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

async function measure(
  batch: number,
  directory: string,
  encryptTo: readonly Recipient[] = [],
): Promise<void> {
  const log = openAudit({ directory, worker: batch + 100 * encryptTo.length, encryptTo });
  entry.outcome = log.renderOutcome({
    group: 'ci',
    verdict: 'allow',
    cause: null,
    rule: 'base/allow/3',
    reason: 'package registry of the build',
    ede: null,
    observed: false,
  });
  entry.detail = log.renderDetail({ answers: ['A 192.0.2.1'], upstream: '192.0.2.53:53' });
  let refused = 0;
  for (let round = 0; round < 2; round++) {
    const began = cpuUs();
    const wall = performance.now();
    let slowest = 0;
    for (let i = 0; i < QUERIES / batch; i++) {
      entry.atMs = Date.now();
      const commitAt = performance.now();
      for (let j = 0; j < batch; j++) {
        entry.id = (i * batch + j) & 0xffff;
        entry.clientPort = 1024 + ((i * 31 + j) & 0x7fff);
        entry.client[3] = j;
        log.append(entry);
      }
      log.commit((kept: boolean) => {
        if (!kept) refused += batch;
      });
      slowest = Math.max(slowest, performance.now() - commitAt);
      if (i % 16 === 0) await new Promise(setImmediate);
    }
    if (round === 1) {
      const us = ((cpuUs() - began) / QUERIES).toFixed(3);
      const wallUs = (((performance.now() - wall) * 1000) / QUERIES).toFixed(3);
      console.log(
        `batch ${batch}${encryptTo.length > 0 ? ', encrypted' : ''}: ${us} µs CPU, ${wallUs} µs wall per query; slowest batch ${slowest.toFixed(2)} ms; refused ${refused}; ${(log.counters.octets / log.counters.entries).toFixed(0)} octets a line`,
      );
    }
  }
  await log.close();
}

function rival(directory: string): void {
  const fd = openSync(join(directory, 'rival.ndjson'), 'w');
  const count = QUERIES / 4;
  const began = cpuUs();
  for (let i = 0; i < count; i++) {
    writeSync(
      fd,
      `${JSON.stringify({ seq: i, time: new Date().toISOString(), us: 85, via: 'udp', client: '192.0.2.7', port: 5353, id: i & 0xffff, rcode: 'NOERROR', size: 77, cached: true, qname: 'www.example.com', qtype: 'A', group: 'ci', verdict: 'allow', rule: 'base/allow/3', reason: 'package registry of the build', answers: ['A 192.0.2.1'], upstream: '192.0.2.53:53' })}\n`,
    );
  }
  console.log(
    `rival (JSON.stringify and one write each): ${((cpuUs() - began) / count).toFixed(3)} µs CPU per query`,
  );
}

const directory = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
try {
  const { publicKey } = generateKeyPairSync('x25519');
  const reader = readRecipient(String(publicKey.export({ format: 'pem', type: 'spki' })));
  for (const batch of [1, 8, 32, 64]) {
    await measure(batch, directory);
    await measure(batch, directory, [reader]);
  }
  rival(directory);
} finally {
  rmSync(directory, { recursive: true });
}
