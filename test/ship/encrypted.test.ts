/** Shipping what is encrypted before it is written: keys are there for as long as something waits, and no longer. */
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type AuditOptions,
  compressSegments,
  readRecipient,
  segmentNames,
  verifyAudit,
} from '../../src/audit/index.ts';
import { segmentFiles } from '../audit/fixture.ts';
import { Bench, numbers, until } from './fixture.ts';
import { HttpReceiver } from './receivers.ts';

const { publicKey } = generateKeyPairSync('x25519');
const encryptTo = [readRecipient(String(publicKey.export({ format: 'pem', type: 'spki' })))];
const OPTIONS: Partial<AuditOptions> = { encryptTo, keysForShipping: true, segmentOctets: 100_000 };

let bench: Bench;
let receiver: HttpReceiver;
let seqs: number[];

beforeEach(async () => {
  bench = new Bench();
  receiver = await new HttpReceiver().start();
  seqs = [];
  receiver.answer = (body, response) => {
    for (const line of body.split('\n'))
      if (line !== '') seqs.push((JSON.parse(line) as { seq: number }).seq);
    response.end();
  };
});
afterEach(async () => {
  await bench.end();
  await receiver.kill();
});

const sink = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  name: 'siem',
  type: 'clickhouse',
  url: `http://127.0.0.1:${receiver.port}`,
  table: 'dns',
  ...more,
});

const keyDirectory = (): string => join(bench.audit, 'ship-keys');
const keyFiles = (): string[] => (existsSync(keyDirectory()) ? readdirSync(keyDirectory()).sort() : []);

/** Batches that are no part of what is shipped at a time, so that a receiver fails in the middle of a line. */
function write(count: number): void {
  for (let left = count; left > 0; left -= 300) bench.write(Math.min(300, left));
}

describe('encrypted records', () => {
  test('arrive in order over the ends of segments, and keys are destroyed behind them', async () => {
    await bench.ship(sink());
    bench.open(0, OPTIONS);
    for (let round = 0; round < 10; round++) {
      write(300);
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
    await until('all arrive', () => seqs.length >= 3000);
    expect(seqs).toEqual(numbers(1, 3000));
    expect(bench.losses).toEqual([]);
    const files = segmentFiles(bench.audit);
    expect(files.length).toBeGreaterThan(5);
    const newest = `${files.at(-1)!.replace('.ndjson', '')}.key`;
    await until('one key is left', () => keyFiles().length === 1);
    expect(keyFiles()).toEqual([newest]);
    expect(statSync(join(keyDirectory(), newest)).mode & 0o777).toBe(0o600);
    expect(statSync(keyDirectory()).mode & 0o777).toBe(0o700);
    for (const file of files)
      expect(readFileSync(join(bench.audit, file), 'latin1')).not.toContain('example.com');
    await until('nothing waits', () => bench.states[0]?.lagRecords === 0 && bench.states[0].records === 3000);
  });

  test('wait for a receiver that is away, over restarts of either side, and none is missing', async () => {
    const answer = receiver.answer;
    let accepted = 0;
    // It takes one request, and then none.
    receiver.answer = (body, response) => {
      if (accepted++ < 1) return answer(body, response);
      response.statusCode = 503;
      response.end('not now');
    };
    await bench.ship(sink());
    bench.open(0, OPTIONS);
    write(2000);
    await until('the receiver is away', () => bench.troubles.at(-1)?.includes('503') === true);
    expect(seqs).toHaveLength(1000);
    await bench.stopShipping(0);
    await bench.closeLog();
    bench.open(0, OPTIONS);
    write(1000);
    await compressSegments(bench.audit, 'gzip');
    const waiting = keyFiles().length;
    expect(waiting).toBeGreaterThan(5);
    expect(waiting).toBeLessThan(segmentNames(bench.audit).length);

    receiver.answer = answer;
    await bench.ship(sink());
    await until('all arrive', () => seqs.at(-1)! >= 3000);
    await until('nothing waits', () => bench.states[0]?.lagRecords === 0);
    const { records } = verifyAudit(bench.audit).workers[0];
    expect([...new Set(seqs)]).toEqual(numbers(1, records));
    expect(bench.losses).toEqual([]);
    await until('keys are destroyed', () => keyFiles().length === 1);
  });

  test('a sink that begins now misses nothing and counts nothing of before', async () => {
    bench.open(0, OPTIONS);
    write(700);
    await bench.ship(sink());
    write(600);
    await until('they arrive', () => seqs.length >= 600);
    expect(seqs).toEqual(numbers(701, 1300));
    expect(bench.losses).toEqual([]);
  });

  test('are counted as lost, with the reason, where the key of their segment is gone', async () => {
    bench.open(0, OPTIONS);
    write(1500);
    await bench.closeLog();
    expect(keyFiles().length).toBeGreaterThan(3);
    unlinkSync(join(keyDirectory(), keyFiles()[1]));
    await bench.ship(sink({ begin: 'oldest' }));
    const { records } = verifyAudit(bench.audit).workers[0];
    const lost = (): number => bench.losses.reduce((sum, { count }) => sum + count, 0);
    await until('all are accounted for', () => seqs.length + lost() === records);
    expect(lost()).toBeGreaterThan(0);
    expect(bench.losses[0]).toMatchObject({
      cause: 'gone',
      why: expect.stringMatching(/^they are encrypted .* the key of their segment was not kept/),
    });
    const missing = bench.losses.flatMap(({ from, to }) => numbers(from, to));
    expect([...seqs, ...missing].sort((left, right) => left - right)).toEqual(numbers(1, records));
  });
});

describe('keys of segments', () => {
  test('go with their segments when retention takes these', async () => {
    receiver.answer = (_, response) => {
      response.statusCode = 503;
      response.end('not now');
    };
    await bench.ship(sink({ spool: '1MiB' }));
    bench.open(0, { ...OPTIONS, retention: { ageMs: 3_600_000, octets: 1_000_000 }, maintenanceMs: 30 });
    write(9000);
    await until('segments are deleted', () => segmentNames(bench.audit)[0].number > 3, 30_000);
    // Nothing was acknowledged; they went for no other reason.
    await until('and their keys', () => keyFiles()[0] >= segmentNames(bench.audit)[0].file.slice(0, 11));
    expect(seqs).toEqual([]);
  });

  test('are destroyed by a log of which nothing is shipped any more, and left alone by one that does not say', async () => {
    bench.open(0, OPTIONS);
    write(50);
    await bench.closeLog();
    expect(keyFiles()).toHaveLength(1);
    bench.open(0, { encryptTo });
    await bench.closeLog();
    expect(keyFiles()).toHaveLength(1);
    bench.open(0, { encryptTo, keysForShipping: false });
    expect(keyFiles()).toEqual([]);
  });

  test('are not kept where nothing is shipped', async () => {
    bench.open(0, { encryptTo });
    write(300);
    expect(existsSync(keyDirectory())).toBe(false);
  });
});
