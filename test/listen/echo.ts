/** A query path for tests: it gives each query back with the QR bit set, at once, late, or not at all. */
import { ConnectionLimits, type LimitSettings, type StreamMessage } from '../../src/listen/index.ts';

export interface Echo {
  readonly limits: ConnectionLimits;
  readonly address: string;
  readonly port: number;
  readonly reusePort: boolean;
  readonly onMessage: (message: StreamMessage) => void;
  readonly onBatchEnd: () => void;
  readonly onError: (error: Error) => void;
  /** Messages taken up, in order of arrival. */
  readonly seen: string[];
  batches: number;
}

/** How a message is treated; by default it is answered when its batch is complete. */
export type Treatment = (message: StreamMessage, answer: () => void) => void;

export function echo(settings: Partial<LimitSettings> = {}, treat?: Treatment): Echo {
  const due: (() => void)[] = [];
  const path: Echo = {
    limits: new ConnectionLimits(settings),
    address: '127.0.0.1',
    port: 0,
    reusePort: false,
    seen: [],
    batches: 0,
    onMessage: (message) => {
      path.seen.push(`${message.transport} ${message.peer.subarray(0, message.peerLength).join('.')}`);
      const answer = (): void => {
        message.octets[2] |= 0x80;
        message.respond();
      };
      if (treat === undefined) due.push(answer);
      else treat(message, answer);
    },
    onBatchEnd: () => {
      path.batches++;
      for (const answer of due.splice(0)) answer();
    },
    onError: (error) => {
      throw error;
    },
  };
  return path;
}

/** A query of `length` octets: a header with this id, RD set, one question, and `filler` behind it. */
export function query(id: number, length = 29, filler = 0): Buffer {
  const message = Buffer.alloc(length, filler);
  message.set([id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  if (length >= 29) message.set(Buffer.from('\x07example\x03com\x00\x00\x01\x00\x01', 'latin1'), 12);
  return message;
}

/** The message with its length in two octets before it. */
export function framed(...messages: Uint8Array[]): Buffer {
  return Buffer.concat(
    messages.flatMap((message) => [Buffer.from([message.length >> 8, message.length & 0xff]), message]),
  );
}

/** Messages in a run of framed octets, and what is left. */
export function unframed(octets: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at + 2 <= octets.length; ) {
    const end = at + 2 + octets.readUInt16BE(at);
    if (end > octets.length) break;
    messages.push(octets.subarray(at + 2, end));
    at = end;
  }
  return messages;
}

export const idsOf = (messages: Buffer[]): number[] => messages.map((message) => message.readUInt16BE(0));

/** Resolves when the condition holds; rejects after five seconds with what was waited for. */
export async function until(what: string, condition: () => boolean, withinMs = 5000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
