/**
 * Who holds each slot of a server socket. A slot goes
 *
 *     free ──take──▶ held ──enqueue──▶ queued ──free──▶ free
 *                     └───────────────free───────────────┘
 *
 * and any other step is a bug of the caller that would hand one slot to two queries, so it throws.
 * The free slots are a stack: the slot freed last is used next, while its memory is still in the processor's cache.
 */
const FREE = 0;
const HELD = 1;
const QUEUED = 2;

export class Slots {
  /** `stack[0 … freeCount)` are the free slots, the top last. Read by the receive path, which peeks before it takes. */
  readonly stack: Int32Array;
  freeCount: number;
  readonly #state: Uint8Array;

  constructor(count: number) {
    this.freeCount = count;
    this.stack = new Int32Array(count);
    this.#state = new Uint8Array(count);
    for (let i = 0; i < count; i++) this.stack[i] = count - 1 - i;
  }

  /** Takes the slot on top of the stack. The caller has seen that there is one. */
  take(): number {
    const slot = this.stack[--this.freeCount];
    this.#state[slot] = HELD;
    return slot;
  }

  /** From held to queued for sending. */
  enqueue(slot: number): void {
    if (this.#state[slot] !== HELD) throw this.#misuse('reply', slot);
    this.#state[slot] = QUEUED;
  }

  /** From held to free, without a reply. */
  release(slot: number): void {
    if (this.#state[slot] !== HELD) throw this.#misuse('release', slot);
    this.#push(slot);
  }

  /** From queued to free, when the kernel has the reply or has refused it. */
  freeQueued(slot: number): void {
    if (this.#state[slot] !== QUEUED) throw this.#misuse('send', slot);
    this.#push(slot);
  }

  #push(slot: number): void {
    this.#state[slot] = FREE;
    this.stack[this.freeCount++] = slot;
  }

  #misuse(step: string, slot: number): Error {
    const word = this.#state[slot] === FREE ? 'is free' : 'was already replied to';
    return new Error(`net: ${step} of slot ${slot}, which ${word}; a datagram is given back exactly once`);
  }
}

/** The number of slots is a setting of the caller's. */
export function checkSlots(count: number): void {
  if (Number.isInteger(count) && count >= 1) return;
  throw new RangeError(`net: ${count} slots; expected a whole number of at least 1`);
}
