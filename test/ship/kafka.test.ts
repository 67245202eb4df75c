/** Kafka against the mock cluster of librdkafka, which speaks the protocol over real sockets; kcat reads what arrived. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isInstalled } from '../e2e/processes.ts';
import { Bench, numbers, until } from './fixture.ts';
import { hasLibrdkafka, KafkaCluster } from './kafka-cluster.ts';

const TOPIC = 'dns-audit';
const hasKafka = hasLibrdkafka() && isInstalled('kcat');

let bench: Bench;
let cluster: KafkaCluster;

beforeEach(() => {
  bench = new Bench();
  if (hasKafka) cluster = new KafkaCluster(TOPIC, 4);
});
afterEach(async () => {
  await bench.end();
  if (hasKafka) cluster.destroy();
});

const sink = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  name: 'lake',
  type: 'kafka',
  brokers: [cluster.bootstrap],
  topic: TOPIC,
  ...more,
});

interface Value {
  readonly worker: number;
  readonly seq: number;
  readonly qname?: string;
}
const valuesOf = async (): Promise<Value[]> =>
  (await cluster.messages(TOPIC)).map(({ value }) => JSON.parse(value) as Value);

describe.each(['none', 'gzip'])('compression %s', (compression) => {
  test.runIf(hasKafka)('every record is a message; a worker is a key, in order', async () => {
    await bench.ship(sink({ compression }));
    bench.open(0);
    bench.open(1);
    bench.write(300, 0);
    bench.write(200, 1);
    await until('all are acknowledged', () => bench.states[0]?.records === 500);
    const messages = await cluster.messages(TOPIC);
    expect(messages).toHaveLength(500);
    for (const worker of [0, 1]) {
      const own = messages.filter(({ key }) => key === String(worker));
      expect(new Set(own.map(({ partition }) => partition)).size).toBe(1);
      const values = own.map(({ value }) => JSON.parse(value) as Value);
      expect(values.map(({ seq }) => seq)).toEqual(numbers(1, worker === 0 ? 300 : 200));
      expect(values.every((value) => value.worker === worker)).toBe(true);
    }
    expect(messages[0]?.headers).toMatch(/^seq=\d+$/);
  });
});

test.runIf(hasKafka)(
  'a broker that is away and comes back misses nothing',
  async () => {
    await bench.ship(sink());
    bench.open();
    bench.write(100);
    await until('the first are acknowledged', () => bench.states[0]?.records === 100);
    cluster.down();
    bench.write(400);
    await until('the outage is told', () => bench.troubles.length > 0, 19_000);
    cluster.up();
    await until('all are acknowledged', () => bench.states[0]?.records === 500, 19_000);
    const seqs = new Set((await valuesOf()).map(({ seq }) => seq));
    expect(numbers(1, 500).filter((seq) => !seqs.has(seq))).toEqual([]);
    expect(bench.losses).toEqual([]);
  },
  60_000,
);

test.runIf(hasKafka)('a batch that is too large for the broker is halved', async () => {
  const MESSAGE_TOO_LARGE = 10;
  bench.open();
  bench.write(100);
  await bench.closeLog();
  cluster.answerWith(MESSAGE_TOO_LARGE, MESSAGE_TOO_LARGE);
  await bench.ship(sink({ begin: 'oldest' }));
  await until('all are acknowledged', () => bench.states[0]?.records === 100);
  expect((await valuesOf()).map(({ seq }) => seq).sort((left, right) => left - right)).toEqual(
    numbers(1, 100),
  );
  expect(bench.states[0]).toMatchObject({ failures: 0, lost: { refused: 0 } });
});
