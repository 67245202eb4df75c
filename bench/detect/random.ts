/** A seeded source of choices, so that every table can be made again. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 32 bits. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** 0 ≤ value < 1. */
  unit(): number {
    return this.next() / 0x1_0000_0000;
  }

  below(limit: number): number {
    return Math.floor(this.unit() * limit);
  }

  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  /** Rank by Zipf's law: low ranks often, high ones rarely. */
  zipf(limit: number): number {
    return Math.min(limit - 1, Math.floor(limit ** this.unit()) - 1);
  }

  text(length: number, alphabet: string): string {
    let text = '';
    for (let i = 0; i < length; i++) text += alphabet[this.below(alphabet.length)];
    return text;
  }

  octets(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  uuid(): string {
    const hex = this.text(32, HEX);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${'89ab'[this.below(4)]}${hex.slice(17, 20)}-${hex.slice(20)}`;
  }

  /** Time between events of a Poisson process with this mean. */
  wait(mean: number): number {
    return -Math.log(1 - this.unit()) * mean;
  }
}

export const HEX = '0123456789abcdef';
export const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
export const BASE36 = 'abcdefghijklmnopqrstuvwxyz0123456789';
export const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
export const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
export const DIGITS = '0123456789';

/** 256 plain words: a sender who uses them moves 8 bits a word. */
export const WORDS = `
able acid acre aged airy alarm album alley amber angle apple april arena armor arrow autumn badge baker bamboo barn basil
basket beach beacon bell bench berry birch bird blade blanket bloom bottle boulder brass bread breeze brick bridge bronze
brook brush bucket butter cabin cable cactus camel candle canyon carpet castle cedar chain chalk cherry chess cider cinder
citrus clay cliff clock cloth clover coast cobalt coffee comet copper coral cotton cougar cradle crane creek cricket crimson
crow crystal curtain cypress daisy dawn deer delta desert diamond dolphin donkey dragon dream drum dune dusk eagle earth echo
elder elm ember emerald falcon feather fennel fern field finch flame flax flint flora flute forest fossil fountain fox frost
galaxy garden garlic garnet ginger glacier glass globe goose grain granite grape grass gravel grove gull hammer harbor harvest
hazel heather hedge heron hickory hill hollow honey horizon horse ice indigo iris iron island ivory ivy jade jasmine jewel
juniper kettle kite ladder lagoon lake lamp lantern lark laurel lava lavender leaf lemon lily lime linen lion lizard llama
lotus lynx magnet mango maple marble marsh meadow melon mercury mesa meteor milk mint mirror mist moon moose moss mountain
mustard nectar needle nickel night north nutmeg oak oasis ocean olive onyx opal orange orchard orchid otter owl oyster palm
panther paper peach pearl pebble pepper pine plum pond poppy prairie quartz quilt rabbit rain raven reed ridge river robin rose
ruby saddle saffron sage salmon sand sapphire
`
  .trim()
  .split(/\s+/);
