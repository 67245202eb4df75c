/** Delivery: order, filters, outages, refusals, the cursor, and the bound of the spool. */
import { existsSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compressSegments, heldSegments, readCursor } from '../../src/audit/index.ts';
import { segmentFiles } from '../audit/fixture.ts';
import { Bench, numbers, until } from './fixture.ts';
import { HttpReceiver } from './receivers.ts';

interface Row {
  readonly worker: number;
  readonly seq: number;
  readonly type?: string;
  readonly qname?: string;
  readonly verdict?: string;
}

let bench: Bench;
let receiver: HttpReceiver;

beforeEach(async () => {
  bench = new Bench();
  receiver = await new HttpReceiver().start();
});
afterEach(async () => {
  await bench.end();
  await receiver.kill();
});

/** A sink whose rows are the easiest to read. */
const sink = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  name: 'siem',
  type: 'clickhouse',
  url: `http://127.0.0.1:${receiver.port}`,
  table: 'dns',
  ...more,
});

const rowsOf = (body: string): Row[] =>
  body
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);

/** Rows of the requests that were accepted. */
function accepting(): Row[] {
  const rows: Row[] = [];
  receiver.answer = (body, response) => {
    rows.push(...rowsOf(body));
    response.end();
  };
  return rows;
}

const seqsOf = (rows: readonly Row[], worker = 0): number[] =>
  rows.filter((row) => row.worker === worker).map(({ seq }) => seq);

describe('a sink', () => {
  test('gets every record of every worker, each worker’s in order, over the ends of segments', async () => {
    const rows = accepting();
    await bench.ship(sink());
    bench.open(0, { segmentOctets: 64 * 1024 });
    bench.open(1, { segmentOctets: 64 * 1024 });
    for (let round = 0; round < 20; round++) {
      bench.write(100, 0);
      bench.write(50, 1);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await until('all arrive', () => rows.length >= 3000);
    expect(segmentFiles(bench.audit).length).toBeGreaterThan(4);
    expect(seqsOf(rows, 0)).toEqual(numbers(1, 2000));
    expect(seqsOf(rows, 1)).toEqual(numbers(1, 1000));
    expect(rows[0]).toMatchObject({ worker: 0, qname: 'n0.example.com', verdict: 'allow' });
    await until('the state says so', () => bench.states[0]?.records === 3000);
    await until('nothing waits', () => bench.states[0]?.lagRecords === 0);
    expect(bench.states[0]).toMatchObject({
      records: 3000,
      lagSeconds: 0,
      trouble: null,
      lost: { gone: 0, refused: 0 },
    });
  });

  test('begins with what comes from now on, or with the oldest record', async () => {
    bench.open();
    bench.write(10);
    await bench.closeLog();
    const rows = accepting();
    await bench.ship(sink(), sink({ name: 'archive', begin: 'oldest' }));
    bench.open();
    bench.write(5);
    await until('both have it all', () => rows.length >= 5 + 15);
    const counts = new Map<number, number>();
    for (const { seq } of rows) counts.set(seq, (counts.get(seq) ?? 0) + 1);
    expect([...counts].filter(([, count]) => count === 1).map(([seq]) => seq)).toEqual(numbers(1, 10));
    expect([...counts].filter(([, count]) => count === 2).map(([seq]) => seq)).toEqual(numbers(11, 15));
  });

  test('gets only the verdicts it asks for', async () => {
    const rows = accepting();
    await bench.ship(sink({ verdicts: ['deny', 'note'] }));
    const log = bench.open();
    const outcome = log.renderOutcome({
      group: 'ci',
      verdict: 'deny',
      cause: 'not-listed',
      rule: null,
      reason: null,
      ede: 15,
      observed: false,
    });
    bench.write(30, 0, (_, i) => (i % 10 === 0 ? { outcome, rcode: 3 } : {}));
    log.note('test-note', { why: 'a test' });
    await until('the note arrives', () => rows.some(({ type }) => type === 'test-note'));
    expect(rows.filter(({ type }) => type === undefined).map(({ qname }) => qname)).toEqual([
      'n0.example.com',
      'n10.example.com',
      'n20.example.com',
    ]);
    await until('what was left out counts as done', () => bench.states[0]?.lagRecords === 0);
  });

  test('gets a record only when a signed checkpoint over it is on the disk', async () => {
    const rows = accepting();
    await bench.ship(sink());
    bench.open(0, { checkpointMs: 600_000, blockRecords: 10 });
    bench.write(100);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(rows).toEqual([]);
    await bench.closeLog();
    await until('the last checkpoint covers them', () => rows.length === 100);
  });

  test('reads compressed segments', async () => {
    bench.open(0, { segmentOctets: 64 * 1024 });
    bench.write(1000);
    await bench.closeLog();
    await compressSegments(bench.audit, 'gzip');
    expect(segmentFiles(bench.audit)).toHaveLength(1);
    const rows = accepting();
    await bench.ship(sink({ begin: 'oldest' }));
    await until('all arrive', () => rows.length >= 1000);
    expect(seqsOf(rows)).toEqual(numbers(1, 1000));
  });
});

describe('while the receiver is away', () => {
  test('nothing is lost, and shipping goes on where it was', async () => {
    const rows = accepting();
    await bench.ship(sink());
    bench.open(0, { segmentOctets: 64 * 1024 });
    bench.write(500);
    await until('the first arrive', () => rows.length === 500);
    await receiver.kill();
    bench.write(1500);
    await until('the outage is told', () => bench.troubles.length > 0 && bench.states[0]!.lagRecords >= 1500);
    expect(bench.troubles).toEqual([expect.stringContaining('ECONNREFUSED')]);
    const { lagSeconds, spoolOctets, trouble, failures } = bench.states[0]!;
    expect(lagSeconds).toBeGreaterThan(0);
    expect(spoolOctets).toBeGreaterThan(100_000);
    expect(trouble?.why).toContain('ECONNREFUSED');
    expect(failures).toBeGreaterThan(0);
    await receiver.start();
    await until('the rest arrives', () => new Set(seqsOf(rows)).size === 2000);
    await until(
      'all is well again',
      () => bench.states[0]?.trouble === null && bench.states[0].lagRecords === 0,
    );
    expect(bench.troubles.at(-1)).toBeNull();
    expect(bench.losses).toEqual([]);
  });

  test('a receiver that dies over and over again in the middle of batches gets all of them', async () => {
    const rows: Row[] = [];
    let countdown = 0;
    receiver.answer = (body, response) => {
      if (countdown++ % 3 === 1) {
        // Received, and the answer never sent: the records come again.
        rows.push(...rowsOf(body));
        response.destroy();
        return;
      }
      rows.push(...rowsOf(body));
      response.end();
    };
    await bench.ship(sink());
    bench.open();
    for (let round = 1; round <= 10; round++) {
      bench.write(50);
      await until('these arrive', () => rows.some(({ seq }) => seq === round * 50));
    }
    await until('all are acknowledged', () => bench.states[0]?.records === 500);
    expect(new Set(seqsOf(rows)).size).toBe(500);
    expect(rows.length).toBeGreaterThan(500);
  });

  test('a stop does not wait for it, and the next start goes on from the cursor', async () => {
    const rows = accepting();
    await bench.ship(sink());
    bench.open();
    bench.write(100);
    await until('the first arrive', () => rows.length === 100);
    await receiver.kill();
    bench.write(100);
    await until('the outage is told', () => bench.troubles.length > 0);
    await bench.stopShipping();
    expect(readCursor(bench.audit, 'siem')?.places.get(0)).toMatchObject({ seq: 100 });
    await receiver.start();
    await bench.ship(sink());
    await until('the rest arrives', () => rows.length === 200);
    expect(seqsOf(rows)).toEqual(numbers(1, 200));
  });

  test('segments it has not read are kept from retention, up to the bound of the spool', async () => {
    const rows = accepting();
    await bench.ship(sink({ spool: '1MiB' }));
    bench.open(0, {
      segmentOctets: 128 * 1024,
      retention: { ageMs: 1e12, octets: 64 * 1024 },
      maintenanceMs: 50,
    });
    bench.write(10);
    await until('the first arrive', () => rows.length === 10);
    await receiver.kill();
    bench.write(1500);
    await until('they wait', () => bench.states[0]!.lagRecords >= 1500);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(heldSegments(bench.audit).get(0)).toBe(1);
    expect(segmentFiles(bench.audit).length).toBeGreaterThan(3);
    expect(bench.states[0]?.overflows).toBe(false);

    bench.write(6000);
    await until('the spool is full', () => bench.states[0]!.overflows);
    await until(
      'the oldest are deleted',
      () => !segmentFiles(bench.audit).some((file) => file.includes('-00000001-')),
    );
    await receiver.start();
    await until('what is left arrives', () => rows.some(({ qname }) => qname === 'n7509.example.com'));
    await until('the loss is told', () => bench.losses.length > 0);
    const lost = bench.losses.reduce((sum, { count }) => sum + count, 0);
    expect(bench.losses[0]).toMatchObject({ sink: 'siem', worker: 0, from: 11, cause: 'gone' });
    const seqs = new Set(seqsOf(rows));
    const missing = numbers(1, Math.max(...seqs)).filter((seq) => !seqs.has(seq));
    expect(missing).toHaveLength(lost);
    await until('the loss is counted', () => bench.states[0]?.lost.gone === lost);
  });

  test('a sink that is no longer configured holds nothing, and keeps its place', async () => {
    const rows = accepting();
    await bench.ship(sink());
    bench.open();
    bench.write(10);
    await until('they arrive', () => rows.length === 10);
    await bench.stopShipping();
    expect(heldSegments(bench.audit).size).toBe(1);
    await bench.ship(sink({ name: 'other' }));
    await bench.stopShipping();
    expect(readCursor(bench.audit, 'siem')).toMatchObject({ holds: new Map() });
    expect(readCursor(bench.audit, 'siem')?.places.get(0)).toMatchObject({ seq: 10 });
  });
});

describe('records that a receiver refuses', () => {
  test('are found, left out, counted and told; the others arrive', async () => {
    const rows: Row[] = [];
    receiver.answer = (body, response) => {
      const batch = rowsOf(body);
      if (batch.some(({ qname }) => qname === 'n123.example.com' || qname === 'n77.example.com')) {
        response.statusCode = 400;
        response.end('Code: 27. DB::Exception: Cannot parse input');
        return;
      }
      rows.push(...batch);
      response.end();
    };
    bench.open();
    bench.write(300);
    await bench.closeLog();
    await bench.ship(sink({ begin: 'oldest' }));
    await until('the others arrive', () => rows.length === 298);
    await until('the loss is told', () => bench.losses.length > 1);
    expect(bench.losses.map(({ from, to, count, cause }) => [from, to, count, cause])).toEqual([
      [78, 78, 1, 'refused'],
      [124, 124, 1, 'refused'],
    ]);
    expect(bench.losses[0]?.why).toContain('Cannot parse input');
    expect(new Set(seqsOf(rows)).size).toBe(298);
  });

  test('are kept when it refuses every one: then it is set up wrongly', async () => {
    receiver.answer = (_, response) => {
      response.statusCode = 400;
      response.end('Code: 117. DB::Exception: Unknown field');
    };
    bench.open();
    bench.write(300);
    await bench.closeLog();
    await bench.ship(sink({ begin: 'oldest' }));
    await until('it is told', () => bench.troubles.length > 0);
    expect(bench.troubles[0]).toContain('Unknown field');
    expect(receiver.requests.length).toBeLessThan(60);
    const rows = accepting();
    await until('all arrive once it is mended', () => rows.length === 300);
    expect(bench.losses).toEqual([]);
  });
});

describe('a log that is not as it was', () => {
  test('the oldest segment of a worker that was seen and never shipped is told as lost', async () => {
    receiver.answer = (_, response) => {
      response.statusCode = 503;
      response.end();
    };
    await bench.ship(sink());
    bench.open(0, { segmentOctets: 64 * 1024 });
    for (let i = 0; i < 10; i++) bench.write(100);
    await until('the worker is seen', () => bench.states[0]?.lagRecords === 1000);
    await until('the cursor says so', () => readCursor(bench.audit, 'siem')?.places.get(0)?.seq === 0);
    const [oldest, next] = segmentFiles(bench.audit);
    const { seq } = JSON.parse(readFileSync(join(bench.audit, next!), 'utf8').split('\n')[0]!) as {
      seq: number;
    };
    await bench.stopShipping(0);
    unlinkSync(join(bench.audit, oldest!));
    const rows = accepting();
    await bench.ship(sink());
    await until('the rest arrives', () => rows.some((row) => row.seq === 1000));
    await until('the loss is told', () => bench.losses.length > 0);
    expect(bench.losses).toMatchObject([{ worker: 0, from: 1, to: seq - 1, cause: 'gone' }]);
    expect(rows).toHaveLength(1001 - seq);
  });

  test('a segment that was deleted by hand is told as lost', async () => {
    bench.open(0, { segmentOctets: 64 * 1024 });
    for (let i = 0; i < 10; i++) bench.write(100);
    await bench.closeLog();
    const files = segmentFiles(bench.audit);
    const header = JSON.parse(readFileSync(join(bench.audit, files[2]!), 'utf8').split('\n')[0]!) as {
      seq: number;
    };
    const before = JSON.parse(readFileSync(join(bench.audit, files[1]!), 'utf8').split('\n')[0]!) as {
      seq: number;
    };
    unlinkSync(join(bench.audit, files[1]!));
    const rows = accepting();
    await bench.ship(sink({ begin: 'oldest' }));
    await until('the rest arrives', () => rows.some(({ seq }) => seq === 1000));
    await until('the loss is told', () => bench.losses.length > 0);
    expect(bench.losses).toMatchObject([{ from: before.seq, to: header.seq - 1, cause: 'gone' }]);
    expect(rows).toHaveLength(1000 - (header.seq - before.seq));
  });

  test('a damaged line costs its record and no other', async () => {
    bench.open();
    bench.write(50);
    await bench.closeLog();
    const path = join(bench.audit, segmentFiles(bench.audit)[0]!);
    writeFileSync(path, readFileSync(path, 'utf8').replace('"qname":"n20.', '"qname:"n20.'));
    const rows = accepting();
    await bench.ship(sink({ begin: 'oldest' }));
    await until('the rest arrives', () => rows.some(({ seq }) => seq === 50));
    expect(rows).toHaveLength(49);
    await until('the loss is told', () => bench.losses.length > 0);
    expect(bench.losses).toMatchObject([{ from: 21, to: 21 }]);
  });

  test('records that are encrypted before they are written are told as lost', async () => {
    bench.open();
    bench.write(50);
    await bench.closeLog();
    const path = join(bench.audit, segmentFiles(bench.audit)[0]!);
    const lines = readFileSync(path, 'utf8').split('\n');
    const at = lines.findIndex((line) => line.startsWith('{"seq":20,'));
    const sealed = '{"type":"sealed","seq":20,"count":5,"key":"00112233445566aa","turn":"0000","box":"AAAA"}';
    lines.splice(at, 5, sealed);
    writeFileSync(path, lines.join('\n'));
    const rows = accepting();
    await bench.ship(sink({ begin: 'oldest' }));
    await until('the rest arrives', () => rows.some(({ seq }) => seq === 50));
    expect(rows).toHaveLength(45);
    await until('the loss is told', () => bench.losses.length > 0);
    expect(bench.losses).toMatchObject([
      { from: 20, to: 24, count: 5, why: expect.stringContaining('encrypted') },
    ]);
  });

  test('a log that began anew is shipped from its beginning', async () => {
    const rows = accepting();
    await bench.ship(sink());
    bench.open();
    bench.write(100);
    await until('they arrive', () => rows.length === 100);
    await bench.closeLog();
    await bench.stopShipping();
    for (const file of segmentFiles(bench.audit)) unlinkSync(join(bench.audit, file));
    rows.length = 0;
    await bench.ship(sink());
    bench.open();
    bench.write(30);
    await until('they arrive', () => rows.length === 30);
    expect(seqsOf(rows)).toEqual(numbers(1, 30));
    expect(bench.losses).toEqual([]);
  });

  test('a segment that was compressed while it was read goes on where it was', async () => {
    let isOpen = false;
    const rows: Row[] = [];
    receiver.answer = (body, response) => {
      if (!isOpen && rows.length > 0) {
        response.statusCode = 503;
        response.end('later');
        return;
      }
      rows.push(...rowsOf(body));
      response.end();
    };
    bench.open();
    bench.write(3000);
    await bench.closeLog();
    await bench.ship(sink({ begin: 'oldest' }));
    await until('the first arrive', () => rows.length > 0 && bench.troubles.length > 0);
    const path = join(bench.audit, segmentFiles(bench.audit)[0]!);
    writeFileSync(`${path}.gz`, gzipSync(readFileSync(path)));
    unlinkSync(path);
    isOpen = true;
    await until('the rest arrives', () => rows.length >= 3000);
    expect(seqsOf(rows)).toEqual(numbers(1, 3000));
    expect(existsSync(path)).toBe(false);
  });
});
