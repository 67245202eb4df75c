/**
 * The shared memory of all fast paths: made once, structured-cloned to every worker, never resized.
 *
 *    pairs     client and zone, 32 octets: key, last, burst, download, blocked until, queries, octets
 *    zones     48 octets: key, last, weight, first, clients (64-bit sketch), words, blocked until, form and its clients
 *    clients   24 octets: key, last, weight, blocked until, –
 *    seen      names and words, 4 octets each
 */
import { Ledger } from './ledger.ts';

export interface DetectMemory {
  readonly pairs: SharedArrayBuffer;
  readonly zones: SharedArrayBuffer;
  readonly clients: SharedArrayBuffer;
  readonly seen: SharedArrayBuffer;
}

export interface MemoryOptions {
  /** Pairs of client and zone that are held at once. Default 131,072 (4 MiB). */
  readonly pairs?: number;
  /** Zones. Default 65,536 (3 MiB). */
  readonly zones?: number;
  /** Clients. Default 16,384 (384 KiB). */
  readonly clients?: number;
  /** Names and words, rounded up to a power of two. Default 2,097,152 (8 MiB). */
  readonly names?: number;
}

export const PAIR_COLUMNS = 8;
export const ZONE_COLUMNS = 12;
export const CLIENT_COLUMNS = 6;

/** Pair columns behind the key. `BURST` is the ledger's weight. */
export const PAIR = { BURST: 3, DOWN: 4, BLOCKED: 5, QUERIES: 6, OCTETS: 7 } as const;
export const ZONE = {
  FIRST: 4,
  CLIENTS_LOW: 5,
  CLIENTS_HIGH: 6,
  WORDS: 7,
  BLOCKED: 8,
  FORM: 9,
  FORM_CLIENTS_LOW: 10,
  FORM_CLIENTS_HIGH: 11,
} as const;
export const CLIENT = { BLOCKED: 4 } as const;

export function createDetectMemory(options: MemoryOptions = {}): DetectMemory {
  let names = 1024;
  while (names < (options.names ?? 2_097_152)) names *= 2;
  return {
    pairs: new SharedArrayBuffer(Ledger.octets(options.pairs ?? 131_072, PAIR_COLUMNS)),
    zones: new SharedArrayBuffer(Ledger.octets(options.zones ?? 65_536, ZONE_COLUMNS)),
    clients: new SharedArrayBuffer(Ledger.octets(options.clients ?? 16_384, CLIENT_COLUMNS)),
    seen: new SharedArrayBuffer(names * 4),
  };
}
