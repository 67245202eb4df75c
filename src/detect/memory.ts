/**
 * The shared memory of all fast paths: made once, structured-cloned to every worker, never resized.
 *
 *    pairs     client and zone, 24 octets: key, last, burst, download, blocked until, what left
 *    zones     44 octets: key, last, weight, first, clients (64-bit sketch), words, blocked until, form and its clients
 *    clients   16 octets: key, last, weight, blocked until
 *    seen      names and words, 4 octets each
 *    destinations           zones that each group has asked (`destinations.ts`)
 *    quarantine, throttle   what verdicts do (`restraint.ts`)
 *
 * The slow view has 28 octets a pair of its own (`slow-view.ts`).
 */
import { DESTINATIONS_OCTETS } from './destinations.ts';
import { Ledger, OWN, WEIGHT } from './ledger.ts';
import { QUARANTINE_OCTETS, THROTTLE_OCTETS } from './restraint.ts';

export interface DetectMemory {
  readonly pairs: SharedArrayBuffer;
  readonly zones: SharedArrayBuffer;
  readonly clients: SharedArrayBuffer;
  readonly seen: SharedArrayBuffer;
  readonly destinations: SharedArrayBuffer;
  readonly quarantine: SharedArrayBuffer;
  readonly throttle: SharedArrayBuffer;
}

export interface MemoryOptions {
  /** Pairs of client and zone that are held at once. Default 131,072 (3 MiB). */
  readonly pairs?: number;
  /** Zones. Default 65,536 (2.75 MiB). */
  readonly zones?: number;
  /** Clients. Default 16,384 (256 KiB). */
  readonly clients?: number;
  /** Names and words, rounded up to a multiple of eight. Default 2,097,152 (8 MiB). */
  readonly names?: number;
}

/** Columns beside the key. */
export const PAIR_COLUMNS = 5;
export const ZONE_COLUMNS = 10;
export const CLIENT_COLUMNS = 3;

/**
 * Columns of a pair. `BURST` is the ledger's weight. An even `BLOCKED` is a block, an odd one a hold (see `order.ts`).
 * `LEFT` is queries (12 bits) and octets (20 bits) that left, for evidence. `WORDS` of a zone counts words (24 bits) and marks
 * clients that take it for their own (8 bits).
 */
export const PAIR = { BURST: WEIGHT, DOWN: OWN, BLOCKED: 3, LEFT: 4 } as const;
export const ZONE = {
  FIRST: OWN,
  CLIENTS_LOW: 3,
  CLIENTS_HIGH: 4,
  WORDS: 5,
  BLOCKED: 6,
  FORM: 7,
  FORM_CLIENTS_LOW: 8,
  FORM_CLIENTS_HIGH: 9,
} as const;
export const CLIENT = { BLOCKED: OWN } as const;

export const ZONE_WORDS_MAX = 0xff_ffff;
export const LEFT_QUERIES_MAX = 0xfff;
export const LEFT_OCTETS_MAX = 0xf_ffff;

export function createDetectMemory(options: MemoryOptions = {}): DetectMemory {
  const names = Math.max(8, Math.ceil((options.names ?? 2_097_152) / 8) * 8);
  return {
    pairs: new SharedArrayBuffer(Ledger.octets(options.pairs ?? 131_072, PAIR_COLUMNS)),
    zones: new SharedArrayBuffer(Ledger.octets(options.zones ?? 65_536, ZONE_COLUMNS)),
    clients: new SharedArrayBuffer(Ledger.octets(options.clients ?? 16_384, CLIENT_COLUMNS)),
    seen: new SharedArrayBuffer(names * 4),
    destinations: new SharedArrayBuffer(DESTINATIONS_OCTETS),
    quarantine: new SharedArrayBuffer(QUARANTINE_OCTETS),
    throttle: new SharedArrayBuffer(THROTTLE_OCTETS),
  };
}
