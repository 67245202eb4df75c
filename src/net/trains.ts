/**
 * Replies of one length to one peer go to the kernel as one message that it cuts up at the end of its way: UDP_SEGMENT, also
 * called generic segmentation offload (udp(7), Linux 4.18). Routing, filters and queues are passed once for all of them, which
 * halves what a datagram costs. On the wire nothing is different.
 *
 *    queued   A77  B80  A77  C77  A80  A77            peer and length
 *    trains   A77 ×3 │ B80 │ C77 │ A80
 *
 *    iovecs   ▇ ▇ ▇ │ ▇ │ ▇ │ ▇                      those of a train side by side
 *    control  packet information of the first, as it came │ UDP_SEGMENT with the length; a single one has none of its own
 *
 * Forwarders and load balancers ask many questions from few ports, and that is where it pays. One that asks from a new port
 * each time costs a look into a small table more.
 */
import { IPV4_LENGTH } from './address.ts';
import type { Libc } from './libc.ts';
import * as c from './libc.ts';
import * as m from './mmsg.ts';

/** The kernel's bounds on one such message: segments (UDP_MAX_SEGMENTS), and octets with room for the headers. */
const SEGMENTS_MAX = 64;
const OCTETS_MAX = 65_000;

/** One UDP_SEGMENT message: `struct cmsghdr`, then the length as 16 bits, filled up to 8 octets; in words. */
const SEGMENT_WORDS = 6;
const SEGMENT_LENGTH = SEGMENT_WORDS * 4;
const CMSG_LENGTH = 18;
/** Packet information and UDP_SEGMENT. */
const CONTROL_WORDS = m.CONTROL_WORDS + SEGMENT_WORDS;

/** Twice the messages of a batch, so that a place is found at once. */
const TABLE_LENGTH = 128;
const NONE = 0xff;

export class Trains {
  /** Headers of the trains gathered last. */
  readonly headers: m.Headers;
  readonly #slab: m.Slab;
  readonly #nameWords: number;
  readonly #names: Uint32Array;
  readonly #iovs: Uint32Array;
  /** Pointers to each iovec and to the control data of each train, two words each. */
  readonly #iovPointers: Uint32Array;
  readonly #controlPointers: Uint32Array;
  readonly #control: Uint32Array;
  readonly #table = new Uint8Array(TABLE_LENGTH);
  readonly #trainOf = new Uint8Array(m.BATCH_COUNT);
  /** By train: the position of its first message in the queue, how many it has, and where its next iovec goes. */
  readonly #first = new Int32Array(m.BATCH_COUNT);
  readonly #counts = new Uint8Array(m.BATCH_COUNT);
  readonly #places = new Uint8Array(m.BATCH_COUNT);

  constructor(libc: Libc, slab: m.Slab, addressLength: number) {
    this.#slab = slab;
    this.#nameWords = addressLength === IPV4_LENGTH ? 2 : 7;
    this.#names = new Uint32Array(slab.names.buffer);
    this.headers = new m.Headers(libc, m.BATCH_COUNT);
    const iovs = new Uint8Array(new ArrayBuffer(m.BATCH_COUNT * m.IOV_LENGTH));
    const control = new Uint8Array(new ArrayBuffer(m.BATCH_COUNT * CONTROL_WORDS * 4));
    this.#iovs = new Uint32Array(iovs.buffer);
    this.#control = new Uint32Array(control.buffer);
    this.#iovPointers = m.pointers(libc.addressOf(iovs), m.BATCH_COUNT, m.IOV_LENGTH);
    this.#controlPointers = m.pointers(libc.addressOf(control), m.BATCH_COUNT, CONTROL_WORDS * 4);
  }

  /** The train of the message at `from + i`, as `gather` had it. */
  trainOf(i: number): number {
    return this.#trainOf[i];
  }

  /** Messages of a train. */
  countOf(train: number): number {
    return this.#counts[train];
  }

  /**
   * Gathers the messages `queue[from … from + count)`, at most a batch, into trains, and returns how many there are: `count`, with
   * no headers written, when each would stand alone.
   */
  gather(queue: m.Headers, from: number, count: number, isControlled: boolean): number {
    const trains = this.#assign(queue, from, count, isControlled);
    if (trains < count) this.#couple(queue, from, count, trains, isControlled);
    return trains;
  }

  #assign(queue: m.Headers, from: number, count: number, isControlled: boolean): number {
    const table = this.#table.fill(NONE);
    const counts = this.#counts;
    const names = this.#names;
    let trains = 0;
    for (let i = 0; i < count; i++) {
      const slot = queue.bound[from + i];
      const length = this.#slab.iovs[slot * m.IOV_WORDS + m.IOV_LENGTH_WORD];
      const nameAt = slot * m.NAME_WORDS;
      // The port, the end of the address, the length.
      const mixed = Math.imul(
        names[nameAt] ^ (names[nameAt + this.#nameWords - 1] << 1) ^ (length << 8),
        0x9e3779b1,
      );
      let at = mixed >>> 25;
      for (;;) {
        const train = table[at];
        if (train === NONE) {
          table[at] = trains;
          this.#first[trains] = from + i;
          counts[trains] = 1;
          this.#trainOf[i] = trains++;
          break;
        }
        if (
          counts[train] < SEGMENTS_MAX &&
          (counts[train] + 1) * length <= OCTETS_MAX &&
          this.#isAlike(queue, this.#first[train], from + i, isControlled)
        ) {
          counts[train]++;
          this.#trainOf[i] = train;
          break;
        }
        at = (at + 1) & (TABLE_LENGTH - 1);
      }
    }
    return trains;
  }

  /** Whether two messages of the queue have one length, peer and source. */
  #isAlike(queue: m.Headers, oneAt: number, otherAt: number, isControlled: boolean): boolean {
    const { iovs, control } = this.#slab;
    const one = queue.bound[oneAt];
    const other = queue.bound[otherAt];
    if (iovs[one * m.IOV_WORDS + m.IOV_LENGTH_WORD] !== iovs[other * m.IOV_WORDS + m.IOV_LENGTH_WORD])
      return false;
    if (!sameWords(this.#names, one * m.NAME_WORDS, other * m.NAME_WORDS, this.#nameWords)) return false;
    if (!isControlled) return true;
    const length = queue.words[oneAt * m.HEADER_WORDS + m.CONTROL_LENGTH_WORD];
    if (queue.words[otherAt * m.HEADER_WORDS + m.CONTROL_LENGTH_WORD] !== length) return false;
    return sameWords(control, one * m.CONTROL_WORDS, other * m.CONTROL_WORDS, length / 4);
  }

  /** Puts the iovecs of each train side by side, and makes its header. */
  #couple(queue: m.Headers, from: number, count: number, trains: number, isControlled: boolean): void {
    const places = this.#places;
    for (let train = 0, place = 0; train < trains; train++) {
      places[train] = place;
      this.#makeHeader(queue, train, place, isControlled);
      place += this.#counts[train];
    }
    const own = this.#iovs;
    const { iovs } = this.#slab;
    for (let i = 0; i < count; i++) {
      const at = places[this.#trainOf[i]]++ * m.IOV_WORDS;
      const slotAt = queue.bound[from + i] * m.IOV_WORDS;
      own[at] = iovs[slotAt];
      own[at + 1] = iovs[slotAt + 1];
      own[at + 2] = iovs[slotAt + 2];
    }
  }

  #makeHeader(queue: m.Headers, train: number, place: number, isControlled: boolean): void {
    const { words } = this.headers;
    const at = train * m.HEADER_WORDS;
    const first = this.#first[train];
    const firstAt = first * m.HEADER_WORDS;
    for (let i = 0; i < m.IOV_WORD; i++) words[at + i] = queue.words[firstAt + i];
    words[at + m.IOV_WORD] = this.#iovPointers[place * 2];
    words[at + m.IOV_WORD + 1] = this.#iovPointers[place * 2 + 1];
    words[at + m.IOV_COUNT_WORD] = this.#counts[train];
    const controlLength = isControlled ? queue.words[firstAt + m.CONTROL_LENGTH_WORD] : 0;
    if (this.#counts[train] === 1) {
      words[at + m.CONTROL_WORD] = queue.words[firstAt + m.CONTROL_WORD];
      words[at + m.CONTROL_WORD + 1] = queue.words[firstAt + m.CONTROL_WORD + 1];
      words[at + m.CONTROL_LENGTH_WORD] = controlLength;
      return;
    }
    const slot = queue.bound[first];
    const to = train * CONTROL_WORDS;
    const control = this.#control;
    const informationAt = slot * m.CONTROL_WORDS;
    const end = controlLength / 4;
    for (let i = 0; i < end; i++) control[to + i] = this.#slab.control[informationAt + i];
    control[to + end] = CMSG_LENGTH;
    control[to + end + 1] = 0;
    control[to + end + 2] = c.SOL_UDP;
    control[to + end + 3] = c.UDP_SEGMENT;
    control[to + end + 4] = this.#slab.iovs[slot * m.IOV_WORDS + m.IOV_LENGTH_WORD];
    words[at + m.CONTROL_WORD] = this.#controlPointers[train * 2];
    words[at + m.CONTROL_WORD + 1] = this.#controlPointers[train * 2 + 1];
    words[at + m.CONTROL_LENGTH_WORD] = controlLength + SEGMENT_LENGTH;
  }
}

function sameWords(words: Uint32Array, one: number, other: number, count: number): boolean {
  for (let i = 0; i < count; i++) if (words[one + i] !== words[other + i]) return false;
  return true;
}
