/**
 * SipHash-2-4 (Aumasson and Bernstein 2012) on 32-bit halves: the keyed hash that RFC 9018 names for server cookies.
 * BigInt would cost microseconds for each query; Node's own hashes cost an object each.
 */

/** Half-word state v0 to v3, low half first; one hash at a time in a thread. */
const v = new Uint32Array(8);

function add(a: number, b: number): void {
  const low = v[a] + v[b];
  v[a + 1] = v[a + 1] + v[b + 1] + (low > 0xffffffff ? 1 : 0);
  v[a] = low;
}

function rotateXor(a: number, bits: number, b: number): void {
  const low = v[a];
  const high = v[a + 1];
  if (bits === 32) {
    v[a] = high ^ v[b];
    v[a + 1] = low ^ v[b + 1];
    return;
  }
  v[a] = ((low << bits) | (high >>> (32 - bits))) ^ v[b];
  v[a + 1] = ((high << bits) | (low >>> (32 - bits))) ^ v[b + 1];
}

function rotate32(a: number): void {
  const low = v[a];
  v[a] = v[a + 1];
  v[a + 1] = low;
}

function round(): void {
  add(0, 2);
  rotateXor(2, 13, 0);
  rotate32(0);
  add(4, 6);
  rotateXor(6, 16, 4);
  add(0, 6);
  rotateXor(6, 21, 0);
  add(4, 2);
  rotateXor(2, 17, 4);
  rotate32(4);
}

const word = (octets: Uint8Array, at: number): number =>
  (octets[at] | (octets[at + 1] << 8) | (octets[at + 2] << 16) | (octets[at + 3] << 24)) >>> 0;

function absorb(low: number, high: number): void {
  v[6] ^= low;
  v[7] ^= high;
  round();
  round();
  v[0] ^= low;
  v[1] ^= high;
}

/** Writes the 8 octets of the hash of `message[0 … length)` under the 16-octet `key` to `into` at `to`. */
export function sipHash24(
  key: Uint8Array,
  message: Uint8Array,
  length: number,
  into: Uint8Array,
  to: number,
): void {
  const k0 = word(key, 0);
  const k1 = word(key, 4);
  const k2 = word(key, 8);
  const k3 = word(key, 12);
  v[0] = k0 ^ 0x70736575;
  v[1] = k1 ^ 0x736f6d65;
  v[2] = k2 ^ 0x6e646f6d;
  v[3] = k3 ^ 0x646f7261;
  v[4] = k0 ^ 0x6e657261;
  v[5] = k1 ^ 0x6c796765;
  v[6] = k2 ^ 0x79746573;
  v[7] = k3 ^ 0x74656462;
  const whole = length & ~7;
  for (let at = 0; at < whole; at += 8) absorb(word(message, at), word(message, at + 4));
  let low = 0;
  let high = (length & 0xff) << 24;
  for (let i = whole; i < length; i++) {
    const shift = (i - whole) * 8;
    if (shift < 32) low |= message[i] << shift;
    else high |= message[i] << (shift - 32);
  }
  absorb(low >>> 0, high >>> 0);
  v[4] ^= 0xff;
  for (let i = 0; i < 4; i++) round();
  const lowHash = v[0] ^ v[2] ^ v[4] ^ v[6];
  const highHash = v[1] ^ v[3] ^ v[5] ^ v[7];
  for (let i = 0; i < 4; i++) {
    into[to + i] = lowHash >>> (8 * i);
    into[to + 4 + i] = highHash >>> (8 * i);
  }
}
