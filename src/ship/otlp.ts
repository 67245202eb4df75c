/**
 * OpenTelemetry logs: OTLP over HTTP with JSON (opentelemetry-proto 1.x, ExportLogsServiceRequest).
 *
 * 64-bit integers are texts in this encoding; names are lowerCamelCase. Attributes take the names of OpenTelemetry's
 * semantic conventions where there are some, and `sallyport.*` for all else.
 */
import type { AuditRecord } from '../audit/index.ts';
import type { SinkOf } from '../config/index.ts';
import { type Partly, Refused, type ShipRecord, type Sink } from './contract.ts';
import { Poster, shortly } from './http-post.ts';

const PATH = '/v1/logs';
/** What the receiver will not have, whoever sends it again: malformed, too large, not to be processed. */
const REFUSALS = new Set([400, 413, 422]);

export function openOtlp(settings: SinkOf<'otlp'>, version: string): Sink {
  const url = new URL(settings.url);
  if (url.pathname === '/' || url.pathname === '') url.pathname = PATH;
  const { headers, compression } = settings;
  const poster = new Poster({ url, headers, files: settings, compression });
  return {
    async send(records) {
      const { status, body } = await poster.post(url, 'application/json', otlpRequest(records, version));
      if (REFUSALS.has(status)) throw new Refused(`${status} ${shortly(body)}`);
      if (status < 200 || status > 299) throw new Error(`the receiver answered ${status} ${shortly(body)}`);
      return rejectedBy(body);
    },
    close: () => poster.close(),
  };
}

/** What `partialSuccess` says was not taken; it must not be sent again (OTLP specification, "Partial Success"). */
function rejectedBy(body: string): Partly | undefined {
  try {
    const { partialSuccess } = JSON.parse(body) as {
      partialSuccess?: { rejectedLogRecords?: number | string; errorMessage?: string };
    };
    const count = Number(partialSuccess?.rejectedLogRecords ?? 0);
    return count > 0 ? { refused: count, why: shortly(partialSuccess?.errorMessage ?? '') } : undefined;
  } catch {
    // An empty body says that all is well.
    return undefined;
  }
}

interface Attribute {
  readonly key: string;
  readonly value:
    | { readonly stringValue: string }
    | { readonly intValue: string }
    | { readonly boolValue: boolean }
    | { readonly arrayValue: { readonly values: readonly { readonly stringValue: string }[] } };
}

function attribute(key: string, value: unknown): Attribute[] {
  if (value === undefined || value === null) return [];
  if (typeof value === 'boolean') return [{ key, value: { boolValue: value } }];
  if (typeof value === 'number') return [{ key, value: { intValue: String(value) } }];
  if (Array.isArray(value)) {
    return [{ key, value: { arrayValue: { values: value.map((one) => ({ stringValue: String(one) })) } } }];
  }
  return [{ key, value: { stringValue: typeof value === 'object' ? JSON.stringify(value) : String(value) } }];
}

/** Names of the semantic conventions; everything else is `sallyport.` and the member's own name. */
const CONVENTIONS: Readonly<Record<string, string>> = {
  qname: 'dns.question.name',
  answers: 'dns.answers',
  client: 'client.address',
  port: 'client.port',
};
/** Members that stand elsewhere in a log record. */
const ELSEWHERE = new Set(['time']);

/** The body of one request. */
export function otlpRequest(records: readonly ShipRecord[], version: string): string {
  const observed = nanoseconds(Date.now());
  return JSON.stringify({
    resourceLogs: [
      {
        resource: {
          attributes: [
            ...attribute('service.name', 'sallyport'),
            ...attribute('service.version', version),
            ...attribute('host.name', records[0]?.host),
          ],
        },
        scopeLogs: [
          {
            scope: { name: 'sallyport.audit', version },
            logRecords: records.map((shipped) => logRecord(shipped, observed)),
          },
        ],
      },
    ],
  });
}

function logRecord({ log, worker, record }: ShipRecord, observed: string): object {
  const [severityNumber, severityText] = severityOf(record);
  const members = Object.entries(record).filter(([key]) => !ELSEWHERE.has(key));
  return {
    timeUnixNano: nanoseconds(Date.parse(record.time)),
    observedTimeUnixNano: observed,
    severityNumber,
    severityText,
    eventName: record.type === undefined ? 'sallyport.query' : `sallyport.${record.type}`,
    body: {
      stringValue:
        `${record.verdict ?? record.type ?? ''} ${record.qname ?? ''} ${record.qtype ?? ''}`.trim(),
    },
    attributes: [
      ...attribute('sallyport.log', log),
      ...attribute('sallyport.worker', worker),
      ...members.flatMap(([key, value]) => attribute(CONVENTIONS[key] ?? `sallyport.${key}`, value)),
    ],
  };
}

/** Milliseconds as nanoseconds; beyond what a double holds exactly, so six zeros are written behind. */
const nanoseconds = (ms: number): string => `${Math.round(ms)}000000`;

function severityOf({ type, verdict, cause }: AuditRecord): [number, string] {
  if (type !== undefined || cause === 'tunnel') return [13, 'WARN'];
  return verdict === 'allow' || verdict === 'local' ? [9, 'INFO'] : [10, 'INFO2'];
}
