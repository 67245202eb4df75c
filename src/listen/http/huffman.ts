/**
 * The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B).
 *
 * The code is canonical: codes of one length follow each other in the order of their symbols, and a longer one begins
 * where the shorter ones end. So the lengths alone give the code. Codes of up to eight bits, which is all that
 * URLs and base64url are made of, are found in one step; longer ones are walked down a tree.
 */

/** Bits of the code of each octet. */
const CODE_LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
  28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
  8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
  13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
  28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
  22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
  22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
  25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

/**
 * The tree: `NEXT[2 * node + bit]` is the next node, or −1 − octet at a leaf, or NOWHERE, which is where the code of
 * "end of string" would be: it must not be sent.
 */
const NOWHERE = 0;
const NEXT = new Int16Array(2 * 512).fill(NOWHERE);

/** For each eight bits: code length × 256 + octet when a code of up to eight bits begins there, else 0. */
const SHORT = new Uint16Array(256);
/** For each eight bits that begin a longer code: the node that they lead to. */
const LONG = new Int16Array(256);

buildTables();

function buildTables(): void {
  let code = 0;
  let nodes = 1;
  for (let length = 1; length <= 30; length++) {
    for (let octet = 0; octet < 256; octet++) {
      if (CODE_LENGTHS[octet] !== length) continue;
      let node = 0;
      for (let bit = length - 1; bit > 0; bit--) {
        const at = 2 * node + ((code >>> bit) & 1);
        if (NEXT[at] === NOWHERE) NEXT[at] = nodes++;
        node = NEXT[at];
        if (length - bit === 8) LONG[code >>> bit] = node;
      }
      NEXT[2 * node + (code & 1)] = -1 - octet;
      if (length <= 8) SHORT.fill((length << 8) | octet, code << (8 - length), (code + 1) << (8 - length));
      code++;
    }
    code *= 2;
  }
}

/** Room for the longest text: header blocks are bounded, and no code is shorter than five bits. */
const room = Buffer.alloc(65_536);

/** The text of octets[at … end) as Latin-1, or null when it is not validly coded or too long. */
export function huffmanDecode(octets: Uint8Array, at: number, end: number): string | null {
  if (((end - at) * 8) / 5 > room.length) return null;
  let length = 0;
  let held = 0;
  let bits = 0;
  for (;;) {
    if (bits < 8 && at < end) {
      held = (held << 8) | octets[at++];
      bits += 8;
    }
    if (bits < 8) break;
    const next = (held >>> (bits - 8)) & 0xff;
    const short = SHORT[next];
    if (short !== 0) {
      room[length++] = short;
      bits -= short >>> 8;
    } else {
      let node: number = LONG[next];
      bits -= 8;
      do {
        if (node === NOWHERE) return null;
        if (bits === 0) {
          if (at >= end) return null;
          held = octets[at++];
          bits = 8;
        }
        node = NEXT[2 * node + ((held >>> --bits) & 1)];
      } while (node > 0);
      if (node === NOWHERE) return null;
      room[length++] = -1 - node;
    }
    held &= (1 << bits) - 1;
  }
  // Fewer than eight bits are left: perhaps a short code, then ones to fill the octet.
  while (bits > 0) {
    const short = SHORT[((held << (8 - bits)) | ((1 << (8 - bits)) - 1)) & 0xff];
    if (short === 0 || short >>> 8 > bits) break;
    room[length++] = short;
    bits -= short >>> 8;
    held &= (1 << bits) - 1;
  }
  return held === (1 << bits) - 1 ? room.toString('latin1', 0, length) : null;
}
