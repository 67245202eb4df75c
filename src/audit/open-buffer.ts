/**
 * Lines on their way from a data thread to the thread that writes them, in memory that both share. Neither waits for the
 * other: a data thread that finds no room counts what it lost.
 *
 *    chunk 0              chunk 1              chunk 2 …
 *    ┌──────┬──────────┐  ┌──────┬──────────┐  ┌──────┬
 *    │ head │ lines    │  │ head │ lines    │  │ head │       sealed: nothing is added any more
 *    └──────┴──────────┘  └──────┴──────────┘  └──────┴       free: written, may be filled anew
 *
 *    head     0 state      4 octets of lines that may be read      8 queries lost before the chunk
 *            16 since when (milliseconds since 1970, float64)     64 the first line
 *
 * Lines lack their beginning, `{"seq":N`: numbers are given where they are written.
 */

/** Octets of a chunk, its head included. */
export const CHUNK_LENGTH = 256 * 1024;
const HEAD_LENGTH = 64;
const LINES_LENGTH = CHUNK_LENGTH - HEAD_LENGTH;

const FREE = 0;
const FILLING = 1;
const SEALED = 2;

const STATE = 0;
const READABLE = 1;
const LOST = 2;
const SINCE = 2;

interface Chunk {
  readonly head: Int32Array;
  readonly times: Float64Array;
  /** The lines, twice the same octets. */
  readonly octets: Uint8Array;
  readonly view: DataView;
}

const chunksOf = (memory: SharedArrayBuffer): readonly Chunk[] =>
  Array.from({ length: memory.byteLength / CHUNK_LENGTH }, (_, i) => ({
    head: new Int32Array(memory, i * CHUNK_LENGTH, HEAD_LENGTH / 4),
    times: new Float64Array(memory, i * CHUNK_LENGTH, HEAD_LENGTH / 8),
    octets: new Uint8Array(memory, i * CHUNK_LENGTH + HEAD_LENGTH, LINES_LENGTH),
    view: new DataView(memory, i * CHUNK_LENGTH + HEAD_LENGTH, LINES_LENGTH),
  }));

/** Of the data thread. */
export class FillingEnd {
  readonly #chunks: readonly Chunk[];
  #current = 0;
  #lost = 0;
  #lostSinceMs = 0;
  /** Where the next line goes, in `chunk`. */
  at = 0;
  chunk: Chunk;
  /** Lines end here; after a loss at once, since what was lost is told at the head of the next chunk. */
  #end = LINES_LENGTH;

  constructor(memory: SharedArrayBuffer) {
    this.#chunks = chunksOf(memory);
    this.chunk = this.#chunks[0];
    Atomics.store(this.chunk.head, STATE, FILLING);
  }

  /** Makes room for a line of `length` octets; false when there is none until the writer has caught up. */
  hasRoom(length: number): boolean {
    return this.at + length <= this.#end || (length <= LINES_LENGTH && this.#turn());
  }

  #turn(): boolean {
    const next = (this.#current + 1) % this.#chunks.length;
    const chunk = this.#chunks[next];
    if (Atomics.load(chunk.head, STATE) !== FREE) return false;
    chunk.head[READABLE] = 0;
    chunk.head[LOST] = this.#lost;
    chunk.times[SINCE] = this.#lostSinceMs;
    this.#lost = 0;
    Atomics.store(chunk.head, STATE, FILLING);
    this.publish();
    Atomics.store(this.chunk.head, STATE, SEALED);
    this.#current = next;
    this.chunk = chunk;
    this.at = 0;
    this.#end = LINES_LENGTH;
    return true;
  }

  /** Everything up to `at` may be read. */
  publish(): void {
    Atomics.store(this.chunk.head, READABLE, this.at);
  }

  get lost(): number {
    return this.#lost;
  }

  /** Counts a query that has no line. */
  lose(atMs: number): void {
    if (this.#lost++ === 0) this.#lostSinceMs = atMs;
    this.#end = 0;
  }

  /** Tells the writer what was lost, though no line follows; false while there is no chunk to say it in. */
  confess(): boolean {
    return this.#lost === 0 || this.#turn();
  }
}

/** What the writer does with what it reads. */
export interface Drain {
  /** Queries that were lost before the lines that follow. */
  lost(count: number, sinceMs: number): void;
  /** A line without its beginning, `octets[at … end)`, its newline included. */
  line(octets: Uint8Array, at: number, end: number): void;
  /** Writes the lines since the last call. */
  commit(): void;
}

const NEWLINE = 10;
/** Where the writer is; shared, so that one that takes the place of another goes on there. */
const CHUNK = 0;
const READ = 1;
const CONFESSED = 2;
export const PLACE_LENGTH = 3;

/** Of the writer. */
export class DrainingEnd {
  readonly #chunks: readonly Chunk[];
  readonly #place: Int32Array;

  constructor(memory: SharedArrayBuffer, place: Int32Array) {
    this.#chunks = chunksOf(memory);
    this.#place = place;
  }

  /** Reads what is readable of the chunk at hand; false when nothing is. */
  read(drain: Drain): boolean {
    const place = this.#place;
    const { head, times, octets } = this.#chunks[place[CHUNK]];
    // Before what is readable, which grows for as long as it is not sealed.
    const state = Atomics.load(head, STATE);
    if (state === FREE) return false;
    if (place[CONFESSED] === 0) {
      if (head[LOST] > 0) drain.lost(head[LOST], times[SINCE]);
      place[CONFESSED] = 1;
    }
    const end = Atomics.load(head, READABLE);
    for (let at = place[READ]; at < end; ) {
      const lineEnd = octets.indexOf(NEWLINE, at) + 1;
      drain.line(octets, at, lineEnd);
      at = lineEnd;
    }
    const isMore = end > place[READ];
    if (isMore) drain.commit();
    place[READ] = end;
    if (state !== SEALED) return isMore;
    place[CHUNK] = (place[CHUNK] + 1) % this.#chunks.length;
    place[READ] = place[CONFESSED] = 0;
    Atomics.store(head, STATE, FREE);
    return true;
  }
}
