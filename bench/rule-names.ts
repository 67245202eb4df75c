/** Lists of names like those of published feeds, from a seed, so that every run measures the same. */

const SYLLABLES =
  'ab ad al an ar as at ba be bi bo ca ce ci co da de di do el en er es fa fi fo ga ge go ha he hi ho in is it ka ke ki la le li lo ma me mi mo na ne ni no on or pa pe pi po ra re ri ro sa se si so ta te ti to un ur va ve vi vo wa we wi xa ya yo za zo'.split(
    ' ',
  );
const HOSTS =
  'www ads api cdn img static track stats pixel login mail m app data edge metrics events s1 s2 eu us-east-1'.split(
    ' ',
  );
const SUFFIXES =
  'com com com com com com net net org de co.uk ru info io cn com.br fr nl xyz online shop app dev'.split(
    ' ',
  );

/** Numbers from 0 up to and not including 1, the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** One name: a registrable domain, under it a host more often than not. About 20 characters. */
export function randomName(random: () => number): string {
  const pick = (from: readonly string[]): string => from[Math.floor(random() * from.length)];
  let domain = '';
  for (let i = 2 + Math.floor(random() * 4); i > 0; i--) domain += pick(SYLLABLES);
  if (random() < 0.2) domain += `-${pick(SYLLABLES)}${pick(SYLLABLES)}`;
  if (random() < 0.15) domain += Math.floor(random() * 1000);
  const host = random();
  const prefix =
    host < 0.35
      ? ''
      : host < 0.85
        ? `${pick(HOSTS)}.`
        : `${pick(HOSTS)}.${pick(SYLLABLES)}${pick(SYLLABLES)}.`;
  return `${prefix}${domain}.${pick(SUFFIXES)}`;
}

/** `count` different names. */
export function distinctNames(count: number, seed: number): string[] {
  const random = randomFrom(seed);
  const names = new Set<string>();
  while (names.size < count) names.add(randomName(random));
  return [...names];
}
