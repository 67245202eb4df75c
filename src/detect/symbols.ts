/** The alphabet of the character model: word boundary, letters, digits, hyphen, underscore, everything else. */
export const SYMBOL_COUNT = 40;
export const SYMBOL_DIGIT_0 = 27;
export const SYMBOL_HYPHEN = 37;
export const SYMBOL_UNDERSCORE = 38;
export const SYMBOL_OTHER = 39;

/** Symbol of each octet; 0 is the boundary and no octet has it. */
export const SYMBOLS = Uint8Array.from({ length: 256 }, (_, octet) => {
  if (octet >= 97 && octet <= 122) return octet - 96;
  if (octet >= 65 && octet <= 90) return octet - 64;
  if (octet >= 48 && octet <= 57) return octet - 48 + SYMBOL_DIGIT_0;
  if (octet === 45) return SYMBOL_HYPHEN;
  if (octet === 95) return SYMBOL_UNDERSCORE;
  return SYMBOL_OTHER;
});

export const symbolOf = (octet: number): number => SYMBOLS[octet];
