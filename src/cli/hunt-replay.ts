/** `--replay HOST:PORT`: a log sent into a running resolver, in the rhythm of the log. */
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { HEADER_LENGTH, NameError, nameOctets, putU16, RD, writeHeader } from '../wire/index.ts';
import type { HuntRecord } from './hunt-records.ts';

export interface ReplayResult {
  readonly sent: number;
  readonly answered: number;
  readonly rcodes: Readonly<Record<number, number>>;
}

/** Parses `127.0.0.1:53`, `[::1]:53`; throws with what is wrong. */
export function replayTarget(text: string): { readonly host: string; readonly port: number } {
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const port = Number(parts?.[3]);
  if (parts === null || port < 1 || port > 65_535)
    throw new Error(`--replay is "${text}"; write HOST:PORT, e.g. 127.0.0.1:53 or [::1]:53`);
  return { host: parts[1] ?? parts[2], port };
}

/**
 * Sends each query once; `speed` 1 keeps the pauses of the log, 10 makes them a tenth. Waits a second for the last
 * answers. All queries come from one address: this one.
 */
export async function replay(
  records: AsyncIterable<HuntRecord>,
  target: { readonly host: string; readonly port: number },
  speed: number,
): Promise<ReplayResult> {
  const socket = createSocket(isIPv6(target.host) ? 'udp6' : 'udp4');
  const rcodes: Record<number, number> = {};
  let answered = 0;
  let sent = 0;
  socket.on('message', (message) => {
    if (message.length < HEADER_LENGTH) return;
    answered++;
    rcodes[message[3] & 15] = (rcodes[message[3] & 15] ?? 0) + 1;
  });
  // A refused port shows as an error on a later send; the count of answers tells it.
  socket.on('error', () => {});
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const started = performance.now();
  let firstMs = Number.NaN;
  for await (const record of records) {
    // What was redacted is not known, so it cannot be asked.
    if (record.isAnswer === true || record.isRedacted === true) continue;
    const query = queryOf(record, sent & 0xffff);
    if (query === null) continue;
    if (Number.isNaN(firstMs)) firstMs = record.atMs;
    const early = (record.atMs - firstMs) / speed - (performance.now() - started);
    if (early > 1) await pause(Math.min(early, 2 ** 31 - 1));
    await new Promise<void>((resolve) => socket.send(query, target.port, target.host, () => resolve()));
    sent++;
  }
  await pause(1000);
  socket.close();
  return { sent, answered, rcodes };
}

function queryOf(record: HuntRecord, id: number): Uint8Array | null {
  try {
    const name = nameOctets(record.name);
    const query = new Uint8Array(HEADER_LENGTH + name.length + 4);
    const at = writeHeader(query, id, RD << 8, 1, 0, 0, 0);
    query.set(name, at);
    putU16(query, at + name.length, record.type);
    putU16(query, at + name.length + 2, 1);
    return query;
  } catch (error) {
    if (error instanceof NameError) return null;
    throw error;
  }
}
