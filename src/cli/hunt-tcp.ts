/**
 * DNS over TCP out of captured segments (RFC 7766: each message behind its length in two octets). Each direction of a
 * connection is put together by itself; segments that come early wait for the ones before them. What is held is bounded:
 * per direction, and by the number of directions, of which the longest silent one gives way.
 */

export interface Segment {
  readonly sequence: number;
  /** The flags octet: FIN 1, SYN 2, RST 4. */
  readonly flags: number;
  readonly payload: Uint8Array;
}

const FIN = 1;
const SYN = 2;
const RST = 4;

const DIRECTIONS_MAX = 4096;
/** A whole message, and as much that came early. */
const HELD_OCTETS_MAX = 131_072;
const EARLY_MAX = 256;
const MESSAGE_MIN = 12;

class Direction {
  /** Octets from `next − held.length` on that belong to no whole message yet. */
  held: Buffer = Buffer.alloc(0);
  /** Sequence number that comes next; null until one is known. */
  next: number | null = null;
  /** Segments that came early, by sequence number. */
  readonly early = new Map<number, Buffer>();
  earlyOctets = 0;
}

/** `right − left` of sequence numbers, which wrap around (RFC 9293 section 3.4). */
const distance = (left: number, right: number): number => (right - left) | 0;

export class TcpStreams {
  readonly #directions = new Map<string, Direction>();
  readonly #onGap: () => void;

  constructor(onGap: () => void) {
    this.#onGap = onGap;
  }

  /** Messages that a segment completes, in their order. `key` names the connection and its direction. */
  *take(key: string, { sequence, flags, payload }: Segment): Generator<Uint8Array> {
    if ((flags & RST) !== 0) {
      this.#directions.delete(key);
      return;
    }
    if ((flags & SYN) !== 0) {
      const fresh = this.#open(key);
      fresh.next = (sequence + 1) >>> 0;
      // With TCP Fast Open a SYN has octets of the stream.
      if (payload.length > 0) yield* this.#add(fresh, fresh.next, payload);
      return;
    }
    if (payload.length > 0) {
      const direction = this.#directions.get(key) ?? this.#open(key);
      this.#directions.delete(key);
      this.#directions.set(key, direction);
      // A capture that began later: a message is taken to begin with this segment.
      direction.next ??= sequence;
      yield* this.#add(direction, sequence, payload);
    }
    if ((flags & FIN) !== 0) {
      const direction = this.#directions.get(key);
      if (direction !== undefined && direction.early.size === 0) this.#directions.delete(key);
    }
  }

  #open(key: string): Direction {
    this.#directions.delete(key);
    if (this.#directions.size === DIRECTIONS_MAX)
      this.#directions.delete(this.#directions.keys().next().value as string);
    const direction = new Direction();
    this.#directions.set(key, direction);
    return direction;
  }

  *#add(direction: Direction, sequence: number, payload: Uint8Array): Generator<Uint8Array> {
    const next = direction.next ?? sequence;
    const ahead = distance(next, sequence);
    if (ahead > 0) {
      this.#hold(direction, sequence, payload);
      const isFull = direction.early.size > EARLY_MAX || direction.earlyOctets > HELD_OCTETS_MAX;
      // What is missing will not come any more: it goes on behind the gap, where a message is taken to begin.
      if (isFull) yield* this.#skipGap(direction);
      return;
    }
    // Sent again, in part or as a whole.
    if (-ahead >= payload.length) return;
    yield* this.#append(direction, payload.subarray(-ahead));
    yield* this.#takeEarly(direction);
  }

  #hold(direction: Direction, sequence: number, payload: Uint8Array): void {
    if (direction.early.has(sequence)) return;
    // Copied: the packet's octets are those of the file's next piece soon.
    direction.early.set(sequence, Buffer.from(payload));
    direction.earlyOctets += payload.length;
  }

  *#takeEarly(direction: Direction): Generator<Uint8Array> {
    for (let isFound = true; isFound; ) {
      isFound = false;
      for (const [sequence, payload] of direction.early) {
        const ahead = distance(direction.next as number, sequence);
        if (ahead > 0) continue;
        direction.early.delete(sequence);
        direction.earlyOctets -= payload.length;
        isFound = true;
        if (-ahead < payload.length) yield* this.#append(direction, payload.subarray(-ahead));
      }
    }
  }

  *#skipGap(direction: Direction): Generator<Uint8Array> {
    this.#onGap();
    const next = direction.next as number;
    let first = Number.POSITIVE_INFINITY;
    for (const sequence of direction.early.keys()) first = Math.min(first, distance(next, sequence));
    direction.next = (next + first) >>> 0;
    direction.held = Buffer.alloc(0);
    yield* this.#takeEarly(direction);
  }

  *#append(direction: Direction, payload: Uint8Array): Generator<Uint8Array> {
    direction.next = ((direction.next as number) + payload.length) >>> 0;
    const octets =
      direction.held.length === 0 ? Buffer.from(payload) : Buffer.concat([direction.held, payload]);
    let at = 0;
    while (at + 2 <= octets.length) {
      const length = octets.readUInt16BE(at);
      if (length < MESSAGE_MIN) {
        // No message is so short: the beginning was guessed wrong. The next segment may be one.
        this.#onGap();
        at = octets.length;
        break;
      }
      if (at + 2 + length > octets.length) break;
      yield octets.subarray(at + 2, at + 2 + length);
      at += 2 + length;
    }
    direction.held = octets.subarray(at);
  }
}
