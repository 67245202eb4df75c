/**
 * The octets of one worker's log on their way into segments: blocks closed and hashed into the tree, checkpoints signed,
 * segments begun, ended and linked.
 *
 *    segment 1                                             segment 2
 *    {"type":"segment",…}                                  {"type":"segment",…,"previous":{"file":…,"leaves":[…]}}
 *    {"seq":1,…} … {"seq":1000,…}                          {"seq":1712,…} …
 *    {"type":"block","leaves":[…],"size":32}
 *    {"seq":1001,…} …
 *    {"type":"checkpoint","leaves":[…],"size":55,"root":…,"sig":…}
 *
 * Each of these lines lists the leaves from the line like it to itself; the header of a segment lists those that were
 * left of the segment before. Thus every octet is in one leaf of one tree, over all segments and restarts, and a segment
 * that had to be given up is never touched again.
 */
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Block } from './block.ts';
import type { AuditCounters } from './contract.ts';
import { Heads } from './heads.ts';
import { jsonLine } from './json-text.ts';
import { SIGNATURE_MEMBER, Signer } from './keys.ts';
import { timeText } from './line.ts';
import type { AuditSettings } from './options.ts';
import type { Previous, Resumption } from './recover.ts';
import type { Reserve } from './reserve.ts';
import { type SealedTo, Sealer } from './seal.ts';
import { Segment, segmentName } from './segment.ts';
import { keepShipKeys, type SegmentKey } from './ship-keys.ts';
import type { Tree } from './tree.ts';

const VERSION = 1;
/** A new segment is not begun on a disk with less room than this. */
const ROOM_MIN = 256 * 1024;

/** So much of the end of `w….keys` is looked at for what is there already, in UTF-16 units. */
const KEYS_LOOKED_AT = 262_144;

const encoder = new TextEncoder();

/** Whether an error says that there is no room, on the disk or in the quota. */
export const isFull = (error: NodeJS.ErrnoException): boolean =>
  error.code === 'ENOSPC' || error.code === 'EDQUOT';

/** Where the log stood before a write that may have to be undone. */
export interface Mark {
  readonly octets: number;
  /** Octets and lines of the block that were in the file. */
  readonly writtenLength: number;
  readonly writtenLines: number;
  readonly announcing: readonly string[] | null;
}

interface Checkpoint {
  readonly line: string;
  readonly size: number;
  /** The key that it, or one before it that is not on the disk either, announces, and the line that does. */
  readonly announces: { readonly key: string; readonly line: string } | null;
}

export class Ledger {
  readonly block: Block;
  readonly reserve: Reserve;
  /** Encrypts records; null where they are plain. */
  readonly sealer: Sealer | null;
  readonly #settings: AuditSettings;
  readonly #counters: AuditCounters;
  readonly #tree: Tree;
  readonly #heads: Heads;
  readonly #announcedKey: string | null;
  #signer: Signer | null = null;
  #keySinceMs: number;
  #segment: Segment | null = null;
  #number: number;
  #previous: Previous | null;
  /** Leaves that are in the tree while the line that lists them is not in the file yet. */
  #announcing: readonly string[] | null = null;
  /** Behind the line that began the block. */
  #firstLineEnd = 0;
  /** Whether a checkpoint covers all records but those of the open block. */
  isSigned = true;
  /** The newest checkpoint that is not written, and that is written and not on the disk. */
  #checkpoint: Checkpoint | null = null;
  #unsyncedCheckpoint: Checkpoint | null = null;
  #publishedSize = 0;
  /** Syncs that are asked for; the first is under way. */
  readonly #tasks: ((next: () => void) => void)[] = [];
  /** Segments that have ended and are not on the disk whole. */
  readonly #ending = new Set<Segment>();
  #checkpointAtMs: number;

  constructor(settings: AuditSettings, counters: AuditCounters, resumption: Resumption, reserve: Reserve) {
    this.#settings = settings;
    this.#counters = counters;
    this.block = new Block(settings.bufferLength, settings.bufferLengthMax);
    this.reserve = reserve;
    this.sealer = settings.encryptTo.length === 0 ? null : new Sealer(settings.encryptTo);
    this.#heads = new Heads(settings.directory, settings.worker);
    this.#number = resumption.segment;
    this.#tree = resumption.tree;
    this.#previous = resumption.previous;
    this.#announcedKey = resumption.key;
    if (resumption.announcements.length > 0) this.#keepAnnouncements(resumption.announcements);
    this.#checkpointAtMs = this.#keySinceMs = settings.monotonicMs();
  }

  /** The segment that is written to; null while the log is stopped. */
  get segment(): Segment | null {
    return this.#segment;
  }

  /**
   * Begins a segment whose first record will be `seq`. On failure nothing is left behind, the log stays as it was, and
   * the error returns.
   */
  begin(seq: number): NodeJS.ErrnoException | null {
    const { directory, disk, worker, wallMs, monotonicMs, bootId } = this.#settings;
    const beganAtMs = wallMs();
    const file = segmentName(worker, this.#number, beganAtMs);
    let segment: Segment;
    let sealed: { readonly sealed?: readonly SealedTo[] };
    try {
      mkdirSync(directory, { recursive: true, mode: 0o750 });
      if (disk.free(directory) < ROOM_MIN)
        throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      this.#signer ??= Signer.open(directory, worker, this.#announcedKey);
      this.#signer.keepFile();
      segment = new Segment(disk, directory, file, monotonicMs());
    } catch (error) {
      return error as NodeJS.ErrnoException;
    }
    try {
      sealed = this.#sealed(file);
    } catch (error) {
      segment.discard();
      return error as NodeJS.ErrnoException;
    }
    const header = jsonLine({
      type: 'segment',
      version: VERSION,
      worker,
      boot: bootId,
      number: this.#number,
      seq,
      time: timeText(beganAtMs),
      key: this.#signer.publicHex,
      ...sealed,
      previous: this.#previous,
      tree: { size: this.#tree.size, frontier: this.#tree.frontier },
    });
    this.#firstLineEnd = this.block.restart(encoder.encode(header));
    this.#segment = segment;
    const error = this.#writeFirstLine();
    if (error !== null) {
      this.#segment = null;
      this.block.dropUnwritten();
      segment.discard();
      return error;
    }
    this.#number++;
    return null;
  }

  /** What the header of a segment says of its keys; where they are shipped, these are kept first. Throws what the disk says. */
  #sealed(file: string): { readonly sealed?: readonly SealedTo[] } {
    if (this.sealer === null) return {};
    const { directory, keysForShipping } = this.#settings;
    const keep = (keys: readonly SegmentKey[]): void => keepShipKeys(directory, file, keys);
    const hasUnwritten = this.block.at > this.block.writtenAt;
    return { sealed: this.sealer.begin(hasUnwritten, keysForShipping === true ? keep : null) };
  }

  /** Whether a new segment would have any future; the greater part of the reserve is given up for it. */
  hasRoom(): boolean {
    const { directory, disk } = this.#settings;
    const isFree = (): boolean => disk.free(directory) >= ROOM_MIN;
    return isFree() || (this.reserve.releaseMost() && isFree());
  }

  /**
   * Forgets what waits to be written, but for the line that ended the block before: the leaves that it lists are in the tree,
   * and no other line would list them.
   */
  dropWaiting(): void {
    if (this.isAnnounced) this.block.dropUnwritten();
    else this.block.dropBehindFirstLine(this.#firstLineEnd);
  }

  /** Hands everything committed to the kernel. On failure none of it is in the file. */
  write(): NodeJS.ErrnoException | null {
    const { block } = this;
    const length = block.committedAt - block.writtenAt;
    if (length === 0) return null;
    const error = this.#writeTo(block.committedAt);
    if (error !== null) return error;
    block.wrote();
    this.#wrote(length);
    return null;
  }

  #writeFirstLine(): NodeJS.ErrnoException | null {
    const end = this.#firstLineEnd;
    const length = end - this.block.writtenAt;
    const error = this.#writeTo(end);
    if (error !== null) return error;
    this.block.wroteFirstLine(end);
    this.#wrote(length);
    return null;
  }

  #writeTo(end: number): NodeJS.ErrnoException | null {
    const { block } = this;
    const segment = this.#segment!;
    const nowMs = this.#settings.monotonicMs();
    const error = segment.write(block.octets, block.writtenAt, end, nowMs);
    if (error === null || !isFull(error) || segment.torn || !this.reserve.releaseMost()) return error;
    return segment.write(block.octets, block.writtenAt, end, nowMs);
  }

  #wrote(length: number): void {
    this.#announcing = null;
    this.#counters.octets += length;
    if (this.#checkpoint === null) return;
    const announces = this.#checkpoint.announces ?? this.#unsyncedCheckpoint?.announces ?? null;
    this.#unsyncedCheckpoint = { ...this.#checkpoint, announces };
    this.#checkpoint = null;
  }

  /** Monotonic time of the oldest record that the disk has not confirmed; infinite when there is none. */
  get unsyncedSinceMs(): number {
    let sinceMs = this.#segment?.unsyncedSinceMs ?? Number.POSITIVE_INFINITY;
    for (const segment of this.#ending) sinceMs = Math.min(sinceMs, segment.unsyncedSinceMs);
    return sinceMs;
  }

  get syncing(): boolean {
    return this.#tasks.length > 0;
  }

  /**
   * Asks the disk to confirm the segment as it is now, after those before it: of two segments the later one is never
   * sound while the end of the earlier one is missing.
   */
  sync(done: (error: Error | null) => void): void {
    const segment = this.#segment!;
    const published = this.#published(done);
    this.#inTurn((next) =>
      segment.sync((error) => {
        published(error);
        next();
      }),
    );
  }

  /** One sync at a time, in the order in which they were asked for. */
  #inTurn(task: (next: () => void) => void): void {
    this.#tasks.push(task);
    if (this.#tasks.length === 1) task(this.#next);
  }

  readonly #next = (): void => {
    this.#tasks.shift();
    this.#tasks[0]?.(this.#next);
  };

  /**
   * A checkpoint is published, and the key it announces taken into use, once the disk has it: after a power cut nobody
   * holds a checkpoint that the log does not.
   */
  #published(done: (error: Error | null) => void): (error: Error | null) => void {
    const checkpoint = this.#unsyncedCheckpoint;
    this.#unsyncedCheckpoint = null;
    return (error) => {
      if (error === null && checkpoint !== null) this.#publish(checkpoint);
      done(error);
    };
  }

  #publish(checkpoint: Checkpoint): void {
    // Segments that end one after the other may be confirmed in another order.
    if (checkpoint.size >= this.#publishedSize) {
      this.#publishedSize = checkpoint.size;
      this.#heads.publish(checkpoint.line);
    }
    this.#settings.onCheckpoint(checkpoint.line);
    if (checkpoint.announces === null) return;
    this.#keepAnnouncements([checkpoint.announces.line.trimEnd()]);
    try {
      this.#signer?.adopt(checkpoint.announces.key);
    } catch {
      // The successor is in use; its predecessor is erased from the file with the next change.
    }
  }

  /** Leaves of all closed blocks. */
  get size(): number {
    return this.#tree.size;
  }

  /** Leaves under the newest checkpoint that the disk has confirmed. */
  get publishedSize(): number {
    return this.#publishedSize;
  }

  /** Whether the line that ended the block before is in the file. */
  get isAnnounced(): boolean {
    return this.#announcing === null;
  }

  /**
   * `w0.keys` holds every checkpoint that announced a key, so that the key of a segment can be traced to the first one
   * when the segments between have been retired.
   */
  #keepAnnouncements(lines: readonly string[]): void {
    const { directory, worker } = this.#settings;
    const path = join(directory, `w${worker}.keys`);
    let kept = '';
    try {
      kept = readFileSync(path, 'utf8').slice(-KEYS_LOOKED_AT);
    } catch {
      // The first one makes the file.
    }
    const missing = lines.filter((line) => !kept.includes(line));
    try {
      if (missing.length > 0) appendFileSync(path, `${missing.join('\n')}\n`, { mode: 0o644 });
    } catch {
      // They stand in the log; `begin` tries again after the next start.
    }
  }

  isCheckpointDue(nowMs: number): boolean {
    return nowMs - this.#checkpointAtMs >= this.#settings.checkpointMs;
  }

  isSegmentDue(nowMs: number): boolean {
    const segment = this.#segment;
    if (segment === null) return false;
    const { segmentLength, segmentAgeMs } = this.#settings;
    return segment.octets >= segmentLength || nowMs - segment.openedAtMs >= segmentAgeMs;
  }

  /**
   * Ends the block with a line that lists its leaves; it is written with what comes next. The line of the block before
   * has been written: `isAnnounced`.
   */
  closeBlock(kind: 'block' | 'checkpoint' | 'closing'): void {
    const leaves = this.block.leaves();
    for (const leaf of leaves) this.#tree.add(leaf);
    this.#announcing = leaves;
    const members = { leaves, size: this.#tree.size };
    const line =
      kind === 'block' ? jsonLine({ type: 'block', ...members }) : this.#sign(kind === 'closing', members);
    this.#firstLineEnd = this.block.restart(encoder.encode(line));
    this.isSigned = kind !== 'block';
  }

  #sign(closes: boolean, members: { readonly leaves: readonly string[]; readonly size: number }): string {
    const { wallMs, monotonicMs, worker, keyMs } = this.#settings;
    const signer = this.#signer!;
    this.#checkpointAtMs = monotonicMs();
    let next: string | null = null;
    if (this.#checkpointAtMs - this.#keySinceMs >= keyMs) {
      try {
        next = signer.prepareNext();
        this.#keySinceMs = this.#checkpointAtMs;
      } catch {
        // No room for the new key: the old one signs on, and the change is tried with the next checkpoint.
      }
    }
    const { mentions } = this.#heads;
    const text = jsonLine({
      type: 'checkpoint',
      time: timeText(wallMs()),
      worker,
      ...members,
      root: this.#tree.root(),
      ...(closes ? { closes } : {}),
      ...(mentions.length > 0 ? { others: mentions } : {}),
      key: signer.publicHex,
      ...(next === null ? {} : { next }),
    }).slice(0, -2);
    const line = `${text}${SIGNATURE_MEMBER}${signer.sign(text)}"}\n`;
    this.#checkpoint = { line, size: members.size, announces: next === null ? null : { key: next, line } };
    return line;
  }

  /** Ends the segment in good order. The next one is begun by `begin`. `synced` is called once the disk has it whole. */
  end(synced: (error: Error | null) => void): NodeJS.ErrnoException | null {
    const segment = this.#segment!;
    let error = this.isAnnounced ? null : this.#writeFirstLine();
    if (error !== null) return error;
    this.closeBlock('closing');
    error = this.#writeFirstLine();
    if (error !== null) return error;
    this.#leave(segment);
    this.#finish(segment, synced);
    return null;
  }

  #finish(segment: Segment, synced: (error: Error | null) => void): void {
    this.#ending.add(segment);
    const published = this.#published((error) => {
      this.#ending.delete(segment);
      synced(error);
    });
    this.#inTurn((next) =>
      segment.finish((error) => {
        published(error);
        next();
      }),
    );
  }

  /**
   * Gives the segment up as it is; whatever was not written is dropped. `synced` as in `end`; null when the disk is not
   * to be asked again.
   */
  abandon(synced: ((error: Error | null) => void) | null): void {
    const segment = this.#segment;
    if (segment === null) return;
    this.block.dropUnwritten();
    this.#checkpoint = null;
    this.#leave(segment);
    if (synced !== null) this.#finish(segment, synced);
    else segment.retire();
  }

  /** Takes what is left of a segment into the tree, so that the header of the next can list it. */
  #leave(segment: Segment): void {
    let leaves = this.#announcing;
    if (leaves === null) {
      leaves = this.block.leaves();
      for (const leaf of leaves) this.#tree.add(leaf);
    }
    this.#announcing = null;
    this.#previous = {
      file: segment.file,
      octets: segment.octets,
      leaves,
      ...(segment.torn ? { torn: true as const } : {}),
    };
    this.#segment = null;
  }

  mark(): Mark {
    const { writtenLength, writtenLines } = this.block;
    return { octets: this.#segment!.octets, writtenLength, writtenLines, announcing: this.#announcing };
  }

  /** Takes back what was written since `mark`, out of the file as well if that can be had. */
  rollBack(mark: Mark): void {
    this.#segment?.cutTo(mark.octets);
    this.block.unwrote(mark.writtenLength, mark.writtenLines);
    this.#announcing = mark.announcing;
    this.#checkpoint = this.#unsyncedCheckpoint = null;
  }

  /** Waits until the disk has confirmed, or refused, every segment that has ended. */
  async close(): Promise<void> {
    while (this.#ending.size > 0) await new Promise((resolve) => setTimeout(resolve, 2));
    await this.#heads.close();
    await this.reserve.close();
  }
}
