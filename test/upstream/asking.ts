/** Asks a pool as the query path does, and waits for what it is told. */

import type { UpstreamFailure, Upstreams } from '../../src/upstream/index.ts';
import { nameOctets } from '../../src/wire/index.ts';

export interface Told {
  readonly message: Buffer | null;
  readonly failure: UpstreamFailure | null;
  readonly server: string;
  readonly trusted: boolean;
  readonly ms: number;
  readonly rcode: number;
}

export interface AskOptions {
  readonly pool?: string;
  readonly type?: number;
  readonly budgetMs?: number;
  readonly dnssecOk?: boolean;
  readonly checkingDisabled?: boolean;
  /** Whether somebody still waits, asked again and again. */
  readonly isWanted?: () => boolean;
  /** Whether something can be made of a reply; true unless given. */
  readonly isUsable?: (message: Uint8Array) => boolean;
}

export function ask(upstreams: Upstreams, name: string, options: AskOptions = {}): Promise<Told> {
  const octets = nameOctets(name);
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    let told = false;
    let inAsk = true;
    const tell = (result: Omit<Told, 'ms' | 'rcode'>): void => {
      if (told) reject(new Error('told twice'));
      if (inAsk) reject(new Error('told from inside ask'));
      told = true;
      const rcode = result.message === null ? -1 : result.message[3] & 15;
      resolve({ ...result, rcode, ms: performance.now() - begun });
    };
    const pool = upstreams.pool(options.pool ?? 'test');
    if (pool === undefined) {
      reject(new Error('no such pool'));
      return;
    }
    pool.ask(
      {
        name: octets,
        nameLength: octets.length,
        type: options.type ?? 1,
        dnssecOk: options.dnssecOk ?? false,
        checkingDisabled: options.checkingDisabled ?? false,
      },
      begun + (options.budgetMs ?? 3800),
      {
        get isWanted() {
          return options.isWanted?.() ?? true;
        },
        answered: (message, length, server, trusted) => {
          if (options.isUsable?.(message) === false) return false;
          tell({ message: Buffer.from(message.subarray(0, length)), failure: null, server, trusted });
          return true;
        },
        failed: (failure, server) => tell({ message: null, failure, server, trusted: false }),
      },
    );
    inAsk = false;
    upstreams.flush();
  });
}

/** Addresses in the answers of a scripted reply, whose records are all of 16 octets behind a pointer. */
export function marksOf({ message }: Told): string[] {
  if (message === null) return [];
  let at = 12;
  while (message[at] !== 0) at += message[at] + 1;
  at += 5;
  return Array.from({ length: message.readUInt16BE(6) }, (_, i) => {
    const data = at + i * 16 + 12;
    return message.subarray(data, data + 4).join('.');
  });
}
