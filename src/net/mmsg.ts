/**
 * Memory that the kernel reads and writes: message headers, and the slots they point at. All made once.
 *
 * `struct mmsghdr` as the kernel has it on 64-bit little-endian machines, in 32-bit words; a header is 16 of them:
 *
 *    0 msg_name (2 words)      2 msg_namelen       4 msg_iov (2)       6 msg_iovlen (2)
 *    8 msg_control (2)        10 msg_controllen (2)                   12 msg_flags      14 msg_len
 *
 * A pointer is written as two halves that are worked out beforehand, so that no bigint is made on the path.
 */
import { IPV4_LENGTH } from './address.ts';
import type { Datagram } from './datagram.ts';
import { DATAGRAM_CAPACITY } from './datagram.ts';
import type { Libc } from './libc.ts';

/** Most messages in one system call. */
export const BATCH_COUNT = 64;

export const HEADER_LENGTH = 64;
export const HEADER_WORDS = 16;
const NAME_WORD = 0;
export const NAME_LENGTH_WORD = 2;
export const IOV_WORD = 4;
export const IOV_COUNT_WORD = 6;
export const CONTROL_WORD = 8;
export const CONTROL_LENGTH_WORD = 10;
export const FLAGS_WORD = 12;
export const LENGTH_WORD = 14;

export const IOV_LENGTH = 16;
export const IOV_WORDS = 4;
export const IOV_LENGTH_WORD = 2;
/** Room for a sockaddr_in (16 octets) or sockaddr_in6 (28). */
const NAME_STRIDE = 32;
export const NAME_WORDS = NAME_STRIDE / 4;
/** Room for one IPV6_PKTINFO message (40 octets) or IP_PKTINFO (32). */
export const CONTROL_STRIDE = 40;
export const CONTROL_WORDS = CONTROL_STRIDE / 4;

const WORD = 0x1_0000_0000;

/** Writes an address as two words, the low half first. */
function putPointer(words: Uint32Array, at: number, address: number): void {
  words[at] = address % WORD;
  words[at + 1] = Math.floor(address / WORD);
}

/** Pointers to `count` things that lie `stride` octets apart, from `address` on; two words each. */
export function pointers(address: number, count: number, stride: number): Uint32Array {
  const words = new Uint32Array(count * 2);
  for (let i = 0; i < count; i++) putPointer(words, i * 2, address + i * stride);
  return words;
}

/** An array of `count` message headers. `bound[i]` is the slot that header `i` points at, or −1. */
export class Headers {
  readonly words: Uint32Array;
  readonly address: number;
  readonly bound: Int32Array;

  constructor(libc: Libc, count: number) {
    const octets = new Uint8Array(new ArrayBuffer(count * HEADER_LENGTH));
    this.words = new Uint32Array(octets.buffer);
    this.address = libc.addressOf(octets);
    this.bound = new Int32Array(count).fill(-1);
  }
}

/** `count` slots: octets, iovec, and where asked for, name of the peer and control data. */
export class Slab {
  readonly octets: Uint8Array;
  /** Columns of the iovecs; word `slot × 4 + 2` is the length. */
  readonly iovs: Uint32Array;
  readonly names: Uint8Array;
  readonly control: Uint32Array;
  readonly #pointers: Uint32Array;

  constructor(libc: Libc, count: number) {
    this.octets = new Uint8Array(new ArrayBuffer(count * DATAGRAM_CAPACITY));
    const iovs = new Uint8Array(new ArrayBuffer(count * IOV_LENGTH));
    const control = new Uint8Array(new ArrayBuffer(count * CONTROL_STRIDE));
    this.names = new Uint8Array(new ArrayBuffer(count * NAME_STRIDE));
    this.iovs = new Uint32Array(iovs.buffer);
    this.control = new Uint32Array(control.buffer);
    const octetsAddress = libc.addressOf(this.octets);
    const iovsAddress = libc.addressOf(iovs);
    const namesAddress = libc.addressOf(this.names);
    const controlAddress = libc.addressOf(control);
    this.#pointers = new Uint32Array(count * 6);
    for (let slot = 0; slot < count; slot++) {
      putPointer(this.iovs, slot * IOV_WORDS, octetsAddress + slot * DATAGRAM_CAPACITY);
      this.iovs[slot * IOV_WORDS + IOV_LENGTH_WORD] = DATAGRAM_CAPACITY;
      putPointer(this.#pointers, slot * 6, namesAddress + slot * NAME_STRIDE);
      putPointer(this.#pointers, slot * 6 + 2, iovsAddress + slot * IOV_LENGTH);
      putPointer(this.#pointers, slot * 6 + 4, controlAddress + slot * CONTROL_STRIDE);
    }
  }

  /** Lets header `i` point at the octets and the name of a slot, and at its control data where `controlled`. */
  bind(headers: Headers, i: number, slot: number, named: boolean, controlled: boolean): void {
    const { words } = headers;
    const at = i * HEADER_WORDS;
    const from = slot * 6;
    const pointers = this.#pointers;
    if (named) {
      words[at + NAME_WORD] = pointers[from];
      words[at + NAME_WORD + 1] = pointers[from + 1];
    }
    words[at + IOV_WORD] = pointers[from + 2];
    words[at + IOV_WORD + 1] = pointers[from + 3];
    words[at + IOV_COUNT_WORD] = 1;
    if (controlled) {
      words[at + CONTROL_WORD] = pointers[from + 4];
      words[at + CONTROL_WORD + 1] = pointers[from + 5];
    }
    headers.bound[i] = slot;
  }

  portOf(slot: number): number {
    const at = slot * NAME_STRIDE + 2;
    return (this.names[at] << 8) | this.names[at + 1];
  }

  /** The objects that callers see, one a slot, with their views. `addressLength` is 4 or 16. */
  datagrams(count: number, addressLength: number): Datagram[] {
    const addressAt = addressLength === IPV4_LENGTH ? 4 : 8;
    return Array.from({ length: count }, (_, slot) => {
      const at = slot * DATAGRAM_CAPACITY;
      const peerAt = slot * NAME_STRIDE + addressAt;
      return {
        slot,
        octets: this.octets.subarray(at, at + DATAGRAM_CAPACITY),
        length: 0,
        truncated: false,
        peer: this.names.subarray(peerAt, peerAt + addressLength),
        peerLength: addressLength,
        peerPort: 0,
      };
    });
  }
}
