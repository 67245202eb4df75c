/** OTLP over HTTP: the shape of the request as opentelemetry-proto has it, and what answers mean. */
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Bench, numbers, until } from './fixture.ts';
import { HttpReceiver } from './receivers.ts';

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

const sink = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  name: 'collector',
  type: 'otlp',
  url: `http://127.0.0.1:${receiver.port}`,
  ...more,
});

/** ExportLogsServiceRequest in the JSON form of protobuf: lowerCamelCase, 64-bit integers as text, nothing unknown. */
const uint64 = z.string().regex(/^\d{1,20}$/);
const AnyValue = z.union([
  z.strictObject({ stringValue: z.string() }),
  z.strictObject({ boolValue: z.boolean() }),
  z.strictObject({ intValue: z.string().regex(/^-?\d+$/) }),
  z.strictObject({
    arrayValue: z.strictObject({ values: z.array(z.strictObject({ stringValue: z.string() })) }),
  }),
]);
const Attributes = z.array(z.strictObject({ key: z.string().min(1), value: AnyValue }));
const Request = z.strictObject({
  resourceLogs: z.array(
    z.strictObject({
      resource: z.strictObject({ attributes: Attributes }),
      scopeLogs: z.array(
        z.strictObject({
          scope: z.strictObject({ name: z.string(), version: z.string() }),
          logRecords: z.array(
            z.strictObject({
              timeUnixNano: uint64,
              observedTimeUnixNano: uint64,
              severityNumber: z.int().min(1).max(24),
              severityText: z.string(),
              eventName: z.string(),
              body: AnyValue,
              attributes: Attributes,
            }),
          ),
        }),
      ),
    }),
  ),
});

type LogRecord = z.infer<typeof Request>['resourceLogs'][number]['scopeLogs'][number]['logRecords'][number];
const recordsOf = (body: string): LogRecord[] =>
  Request.parse(JSON.parse(body)).resourceLogs.flatMap(({ scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords }) => logRecords),
  );
const attributeOf = ({ attributes }: LogRecord, key: string): unknown =>
  Object.values(attributes.find((one) => one.key === key)?.value ?? {})[0];
const seqOf = (record: LogRecord): number => Number(attributeOf(record, 'sallyport.seq'));

describe('a request', () => {
  test('has the shape of the official JSON encoding', async () => {
    process.env['TEST_OTLP_HEADER'] = 'Bearer of tokens';
    await bench.ship(sink({ headers: { 'x-scope': 'dns', authorization: { env: 'TEST_OTLP_HEADER' } } }));
    const log = bench.open();
    const atMs = Date.UTC(2026, 10, 21, 9, 10, 11, 123);
    const denied = log.renderOutcome({
      group: 'ci',
      verdict: 'deny',
      cause: 'tunnel',
      rule: null,
      reason: null,
      ede: 15,
      observed: false,
    });
    bench.write(2, 0, (_, i) => ({ atMs, ...(i === 1 ? { outcome: denied, rcode: 3 } : {}) }));
    await until('it arrives', () => receiver.requests.length > 0);
    const [{ url, headers, body }] = receiver.requests as [(typeof receiver.requests)[number]];
    expect(url).toBe('/v1/logs');
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'x-scope': 'dns',
      authorization: 'Bearer of tokens',
    });
    const [allowed, tunnel] = recordsOf(body.toString());
    expect(allowed).toMatchObject({
      timeUnixNano: `${atMs}000000`,
      severityNumber: 9,
      severityText: 'INFO',
      eventName: 'sallyport.query',
      body: { stringValue: 'allow n0.example.com A' },
    });
    expect(tunnel).toMatchObject({ severityNumber: 13, severityText: 'WARN' });
    expect(attributeOf(allowed!, 'dns.question.name')).toBe('n0.example.com');
    expect(attributeOf(allowed!, 'client.address')).toBe('192.0.2.7');
    expect(attributeOf(allowed!, 'client.port')).toBe('5353');
    expect(attributeOf(allowed!, 'sallyport.cached')).toBe(true);
    expect(attributeOf(allowed!, 'dns.answers')).toEqual({ values: [{ stringValue: 'A 192.0.2.1' }] });
    expect([seqOf(allowed!), attributeOf(allowed!, 'sallyport.worker')]).toEqual([1, '0']);
  });

  test('may be compressed, and goes to the path that the URL names', async () => {
    await bench.ship(sink({ url: `http://127.0.0.1:${receiver.port}/otlp/v1/logs`, compression: 'gzip' }));
    bench.open();
    bench.write(5);
    await until('it arrives', () => receiver.requests.length > 0);
    const [request] = receiver.requests;
    expect(request?.url).toBe('/otlp/v1/logs');
    expect(request?.headers['content-encoding']).toBe('gzip');
    expect(recordsOf(gunzipSync(request!.body).toString()).map(seqOf)).toEqual(numbers(1, 5));
  });
});

describe('an answer', () => {
  test('of 429 or 503 means later', async () => {
    const seen: number[] = [];
    const statuses = [429, 503];
    receiver.answer = (body, response) => {
      response.statusCode = statuses.shift() ?? 200;
      if (response.statusCode === 200) seen.push(...recordsOf(body).map(seqOf));
      response.end('{}');
    };
    await bench.ship(sink());
    bench.open();
    bench.write(10);
    await until('all arrive', () => seen.length >= 10);
    expect(seen).toEqual(numbers(1, 10));
    expect(bench.losses).toEqual([]);
  });

  test('of partial success is not sent again, and what was rejected is counted', async () => {
    receiver.answer = (_, response) =>
      response.end(JSON.stringify({ partialSuccess: { rejectedLogRecords: '2', errorMessage: 'too old' } }));
    bench.open();
    bench.write(10);
    await bench.closeLog();
    await bench.ship(sink({ begin: 'oldest' }));
    await until('it is told', () => bench.losses.length > 0);
    expect(bench.losses).toMatchObject([{ from: 1, to: 10, count: 2, cause: 'refused', why: 'too old' }]);
    await until('the rest counts', () => bench.states[0]?.records === 8);
    expect(receiver.requests).toHaveLength(1);
  });

  test('of 401 is told in words, without the secret', async () => {
    process.env['TEST_OTLP_HEADER'] = 'Bearer hunter2';
    receiver.answer = (_, response) => {
      response.statusCode = 401;
      response.end('who are you?');
    };
    await bench.ship(sink({ headers: { authorization: { env: 'TEST_OTLP_HEADER' } } }));
    bench.open();
    bench.write(1);
    await until('it is told', () => bench.troubles.length > 0);
    expect(bench.troubles[0]).toBe('the receiver answered 401 who are you?');
  });

  test('that never ends does not hold up a stop', async () => {
    receiver.answer = () => {};
    await bench.ship(sink());
    bench.open();
    bench.write(1);
    await until('it is asked', () => receiver.requests.length > 0);
    const beganAtMs = performance.now();
    await bench.stopShipping(100);
    expect(performance.now() - beganAtMs).toBeLessThan(10_000);
  });
});

test('a secret that is not there is told in words', async () => {
  await bench.ship(sink({ headers: { authorization: { env: 'TEST_NOT_SET' } } }));
  bench.open();
  bench.write(1);
  await until('it is told', () => bench.troubles.length > 0);
  expect(bench.troubles[0]).toBe(
    'the variable TEST_NOT_SET is not set; set it for the process that runs Sallyport',
  );
});
