/**
 * Which zones each group has asked, in memory that all threads share: so that the first question for a new one can be
 * told. Eight fingerprints of 31 bits to a set; a full set forgets one, which is then told a second time at worst.
 */
import { spread } from './keys.ts';

const WAYS = 8;
const SLOTS = 65_536;
/** Word in front of the slots: when learning began, seconds since 1970; 0 before. */
const HEAD = 2;
const BEGAN = 0;

/** 256 KiB. */
export const DESTINATIONS_OCTETS = (HEAD + SLOTS) * 4;

export class Destinations {
  readonly #ints: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#ints = new Int32Array(memory);
  }

  /**
   * Whether this group asks this zone for the first time. It is remembered; within `learnSeconds` of the first question ever
   * nothing is new.
   */
  isNew(group: number, zoneA: number, zoneB: number, nowSeconds: number, learnSeconds: number): boolean {
    const ints = this.#ints;
    if (ints[BEGAN] === 0) ints[BEGAN] = nowSeconds;
    const set = HEAD + ((spread(zoneA ^ Math.imul(group, 0x9e3779b1)) >>> 0) % (SLOTS / WAYS)) * WAYS;
    const tag = spread(zoneB ^ Math.imul(group, 0x85ebca6b)) | 1;
    for (let way = 0; way < WAYS; way++) {
      const held = ints[set + way];
      if (held === tag) return false;
      if (held === 0) {
        ints[set + way] = tag;
        return nowSeconds - ints[BEGAN] >= learnSeconds;
      }
    }
    ints[set + ((tag >>> 8) % WAYS)] = tag;
    return nowSeconds - ints[BEGAN] >= learnSeconds;
  }
}
