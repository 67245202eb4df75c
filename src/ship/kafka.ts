/**
 * Kafka through kafkajs, which is loaded only when such a sink is configured. A batch is acknowledged by all in-sync
 * replicas. The producer is not an idempotent one: what is sent again after a failure comes from the log and would be new
 * to the broker all the same, and `(log, seq)` tells it.
 */
import type { SinkOf } from '../config/index.ts';
import { ANSWER_MS, CONNECT_MS, Refused, type Sink } from './contract.ts';
import { readSecret, readTls } from './secrets.ts';

export const KAFKA_INSTALL = 'npm install kafkajs@2.2.4';

type Library = typeof import('kafkajs');

/** Rejects in words when the library is not installed. */
async function loadLibrary(): Promise<Library> {
  try {
    const loaded = (await import('kafkajs')) as Library & { readonly default?: Library };
    return loaded.default ?? loaded;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new Error(`a sink of type kafka needs kafkajs, which is not installed; run: ${KAFKA_INSTALL}`);
  }
}

export async function openKafka(settings: SinkOf<'kafka'>): Promise<Sink> {
  const { Kafka, CompressionTypes, logLevel } = await loadLibrary();
  const isEncrypted = settings.tls || settings.caFile !== undefined || settings.certificate !== undefined;
  const kafka = new Kafka({
    clientId: 'sallyport',
    brokers: settings.brokers.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`),
    ...(isEncrypted ? { ssl: readTls(settings) } : {}),
    ...(settings.sasl === undefined ? {} : { sasl: saslOf(settings.sasl) }),
    connectionTimeout: CONNECT_MS,
    requestTimeout: ANSWER_MS,
    // What fails is read again from the log; two who retry would hide from the metrics how long it takes.
    retry: { retries: 2, initialRetryTime: 100, maxRetryTime: 1000 },
    logLevel: logLevel.NOTHING,
  });
  const producer = kafka.producer({ maxInFlightRequests: 1, allowAutoTopicCreation: false });
  await producer.connect();
  return {
    async send(records) {
      try {
        await producer.send({
          topic: settings.topic,
          acks: -1,
          compression: settings.compression === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None,
          messages: records.map(({ worker, record, line }) => ({
            key: String(worker),
            value: line,
            timestamp: String(Date.parse(record.time)),
            headers: { seq: String(record.seq) },
          })),
        });
        return undefined;
      } catch (error) {
        throw refusalOr(error);
      }
    },
    close: () => {
      producer.disconnect().catch(() => {});
    },
  };
}

function saslOf(sasl: NonNullable<SinkOf<'kafka'>['sasl']>) {
  const { mechanism, user, password } = sasl;
  const login = { username: user, password: readSecret(password) };
  // One object for each mechanism: the library tells them apart by this text.
  if (mechanism === 'plain') return { mechanism: 'plain', ...login } as const;
  return mechanism === 'scram-sha-256'
    ? ({ mechanism: 'scram-sha-256', ...login } as const)
    : ({ mechanism: 'scram-sha-512', ...login } as const);
}

/** Error types by which a broker says that it will not have these messages. */
const REFUSALS = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'CORRUPT_MESSAGE']);

function refusalOr(error: unknown): Error {
  const { type, message, cause } = error as { type?: string; message: string; cause?: { type?: string } };
  const code = type ?? cause?.type;
  return code !== undefined && REFUSALS.has(code) ? new Refused(message) : new Error(message);
}
