/**
 * The open batch, and the numbers its entries have.
 *
 *    append … append  close ──▶ written or held by the mode ──▶ `keptSeq` moves up
 *             │
 *             └ drop: the batch is taken back whole, and its numbers are used again
 *
 * Where records are encrypted, entries are appended aside, and the batch becomes one line when it is closed.
 *
 * Numbers have no hole: one is final only once its record is where the mode promises.
 */
import { Block } from './block.ts';
import type { ClientPrivacy } from './client.ts';
import type { Entry } from './contract.ts';
import { ENTRY_LENGTH_MAX, LineWriter, SEQ_LENGTH_MAX } from './line.ts';
import { type LineText, lineTextOf } from './line-text.ts';
import { type Sealer, sealedLengthMax } from './seal.ts';

const SCRATCH_LENGTH = 64 * 1024;
const SCRATCH_LENGTH_MAX = 8 * 1024 * 1024;

export class Batch {
  /** Number of the next record, and of the first that is not where the mode promises. */
  seq: number;
  keptSeq: number;
  /** Entries of the open batch, and those that cannot be kept any more whatever happens. */
  open = 0;
  doomed = 0;
  readonly #block: Block;
  /** Where entries are appended: the block itself, or aside until they are sealed. */
  readonly #lines: Block;
  readonly #sealer: Sealer | null;
  readonly #writer: LineWriter;

  constructor(block: Block, seq: number, clients: ClientPrivacy, sealer: Sealer | null) {
    this.#block = block;
    this.#sealer = sealer;
    this.#lines = sealer === null ? block : new Aside(block);
    this.#writer = new LineWriter(clients);
    this.seq = this.keptSeq = seq;
  }

  get isEmpty(): boolean {
    return this.open === 0 && this.doomed === 0;
  }

  /** How far the wall clock is ahead of the monotonic one. */
  setClockOffset(offsetMs: number): void {
    this.#writer.setClockOffset(offsetMs);
  }

  append(entry: Entry): void {
    const block = this.#lines;
    if (!block.hasRoom(lineLengthMax(entry))) {
      // The batch has outgrown the largest buffer: it can no longer be kept whole, so none of it is.
      this.doomed++;
      return;
    }
    block.beginLine();
    block.at = this.#writer.write(block, block.at, this.seq++, entry);
    this.open++;
  }

  /** Adds an entry whose line is made already, but for its beginning with the number: `octets[from … end)`. */
  appendRest(octets: Uint8Array, from: number, end: number): void {
    const block = this.#lines;
    if (!block.hasRoom(SEQ_LENGTH_MAX + end - from)) {
      this.doomed++;
      return;
    }
    block.beginLine();
    const at = this.#writer.writeSeq(block, block.at, this.seq++);
    block.octets.set(octets.subarray(from, end), at);
    block.at = at + end - from;
    this.open++;
  }

  renderTail(entry: Entry): LineText {
    const tail = new Uint8Array(lineLengthMax(entry));
    return lineTextOf(tail.subarray(0, this.#writer.writeTail(tail, 0, entry)));
  }

  /** Adds a record that is no entry, and commits it; one that may name a client or a name is `isPrivate`. No batch is open. */
  addLine(line: Uint8Array, isPrivate: boolean): void {
    this.#block.addLine(isPrivate && this.#sealer !== null ? this.#sealer.seal(this.seq, 1, line) : line);
    this.#block.commit();
    this.seq++;
  }

  /** Ends the batch: what was appended is to be written. Returns how many entries that are. */
  close(): number {
    const count = this.open;
    if (this.#sealer !== null && count > 0) {
      const { octets, committedAt, at } = this.#lines;
      this.#block.addLine(this.#sealer.seal(this.seq - count, count, octets.subarray(committedAt, at)));
      this.#lines.takeBack();
    }
    this.#block.commit();
    this.open = 0;
    return count;
  }

  /** Takes the entries of the open batch back; it stays open, and lost. */
  doom(): void {
    this.#lines.takeBack();
    this.seq -= this.open;
    this.doomed += this.open;
    this.open = 0;
  }

  /** Takes the open batch back and ends it. Returns how many entries were lost with it. */
  drop(): number {
    this.doom();
    const count = this.doomed;
    this.doomed = 0;
    return count;
  }

  /** Goes back to the first number that is not kept: what was not written is gone from the block, or goes with it. */
  rewind(): void {
    if (this.#sealer !== null) this.#lines.takeBack();
    this.doomed += this.open;
    this.open = 0;
    this.seq = this.keptSeq;
  }
}

/** Entries that are not sealed yet. There is room for one more when the block has it for all of them, sealed. */
class Aside extends Block {
  readonly #block: Block;

  constructor(block: Block) {
    super(SCRATCH_LENGTH, SCRATCH_LENGTH_MAX);
    this.#block = block;
  }

  override hasRoom(length: number): boolean {
    return super.hasRoom(length) && this.#block.hasRoom(sealedLengthMax(this.at + length));
  }
}

/** What `append` needs room for at most. */
export const lineLengthMax = ({ outcome, detail, tail, tailAt }: Entry): number =>
  ENTRY_LENGTH_MAX + (tail === null ? outcome.length + (detail === null ? 0 : detail.length) : tail[tailAt]);
