/** Keys of clients, zones and pairs, and the blocks that are found by them. */
import type { Block, Scope, Verdict } from './contract.ts';
import { type Ledger, WEIGHT } from './ledger.ts';
import { LIMITS } from './limits.ts';
import { CLIENT, PAIR, ZONE } from './memory.ts';

export type Keys = Pick<Verdict, 'clientA' | 'clientB' | 'zoneA' | 'zoneB'>;

/** Finishes a hash so that every bit of it depends on all octets. */
export function spread(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return h ^ (h >>> 16);
}

export const zoneKeyA = (hash: number): number => spread(hash);
export const zoneKeyB = (hash: number): number => spread(hash ^ 0x6b43a9b5);
export const pairKeyA = (keys: Keys): number => spread(keys.clientA ^ Math.imul(keys.zoneA, 0x9e3779b1));
export const pairKeyB = (keys: Keys): number => spread(keys.clientB ^ Math.imul(keys.zoneB, 0x7feb352d));

/** Key of a block in a map of texts. */
export const blockKey = (scope: Scope, keys: Keys): string =>
  scope === 'client'
    ? `c${keys.clientA}.${keys.clientB}`
    : scope === 'domain'
      ? `z${keys.zoneA}.${keys.zoneB}`
      : `p${keys.clientA}.${keys.clientB}.${keys.zoneA}.${keys.zoneB}`;

/** What `BLOCKED` of a row says: an even time is a block, an odd one a hold, for pairs only. */
export const blockedUntil = (column: number): number => ((column & 1) === 0 ? column : 0);
export const heldUntil = (column: number): number => ((column & 1) === 1 ? column : 0);
export const asBlock = (seconds: number): number => seconds & ~1;
export const asHold = (seconds: number): number => seconds | 1;

/** The blocks in the ledgers that all threads share. */
export class Blocks {
  readonly #pairs: Ledger;
  readonly #zones: Ledger;
  readonly #clients: Ledger;

  constructor(pairs: Ledger, zones: Ledger, clients: Ledger) {
    this.#pairs = pairs;
    this.#zones = zones;
    this.#clients = clients;
  }

  set(block: Block, now: number, until: number): void {
    if (block.scope === 'client+domain') {
      const row = this.#pairs.open(pairKeyA(block), pairKeyB(block), now);
      this.#pairs.ints[row + PAIR.BLOCKED] = asBlock(until);
      // A row that holds a verdict is the last to be given up.
      this.#pairs.floats[row + WEIGHT] = Math.max(this.#pairs.floats[row + WEIGHT], LIMITS.burst);
    } else if (block.scope === 'domain') {
      const row = this.#zones.open(block.zoneA, block.zoneB, now);
      this.#zones.ints[row + ZONE.BLOCKED] = asBlock(until);
      this.#zones.floats[row + WEIGHT] = LIMITS.domain;
    } else {
      const row = this.#clients.open(block.clientA, block.clientB, now);
      this.#clients.ints[row + CLIENT.BLOCKED] = asBlock(until);
      this.#clients.floats[row + WEIGHT] = LIMITS.client;
    }
  }

  /** Answers of this pair are held until then, unless the pair is blocked anyway. */
  hold(block: Block, now: number, until: number): void {
    const row = this.#pairs.open(pairKeyA(block), pairKeyB(block), now);
    const { ints } = this.#pairs;
    if (blockedUntil(ints[row + PAIR.BLOCKED]) <= now) ints[row + PAIR.BLOCKED] = asHold(until);
  }

  /** Ends a block, and with it the debt of the last hour; false when there was none at `now`. */
  release(block: Block, now: number): boolean {
    if (this.untilOf(block) <= now) return false;
    const row = this.#rowOf(block);
    const ledger = this.#ledgerOf(block.scope);
    ledger.ints[row + BLOCKED_AT[block.scope]] = 0;
    if (block.scope === 'client+domain') {
      // Otherwise the next word of ordinary use would block again what was released.
      ledger.floats[row + PAIR.BURST] = 0;
      ledger.floats[row + PAIR.DOWN] = 0;
    }
    return true;
  }

  /** Seconds since 1970 until when this block holds, or held; 0 when there is none. */
  untilOf(block: Block): number {
    const row = this.#rowOf(block);
    return row < 0 ? 0 : blockedUntil(this.#ledgerOf(block.scope).ints[row + BLOCKED_AT[block.scope]]);
  }

  #ledgerOf(scope: Scope): Ledger {
    return scope === 'client+domain' ? this.#pairs : scope === 'domain' ? this.#zones : this.#clients;
  }

  /** Position of the block's row, or −1. */
  #rowOf(block: Block): number {
    if (block.scope === 'client+domain') return this.#pairs.find(pairKeyA(block), pairKeyB(block));
    if (block.scope === 'domain') return this.#zones.find(block.zoneA, block.zoneB);
    return this.#clients.find(block.clientA, block.clientB);
  }
}

const BLOCKED_AT: Readonly<Record<Scope, number>> = {
  'client+domain': PAIR.BLOCKED,
  domain: ZONE.BLOCKED,
  client: CLIENT.BLOCKED,
};
